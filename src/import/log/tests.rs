use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram as Counts;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer, V2Serializer};
use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::hlog;
use crate::record::{
    Decision, Dimension, DimensionHistograms, Histogram, ServerTimings, Stage, Tally,
};
use crate::units::Quantile;

const HEAD: &str = "#[Histogram log format version 1.2]\n\
                    #[StartTime: 1441812279.474 (seconds since epoch), Wed Sep 09 08:24:39 PDT 2015]\n\
                    \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

fn options(budgets: &[&str]) -> LogImportOptions {
    LogImportOptions {
        scenario: "peer".to_owned(),
        request: "all".to_owned(),
        unit: None,
        budgets: budgets.iter().map(|budget| budget.parse().unwrap()).collect(),
    }
}

/// A line as HdrHistogram's writer writes it. `of_a_milli` is the number of the values' units in a
/// millisecond.
fn line(tag: &str, start: &str, values: &[u64], of_a_milli: f64) -> String {
    let mut counts = Counts::<u64>::new_with_bounds(1, u64::MAX / 4, 3).unwrap();
    for value in values {
        counts.record(*value).unwrap();
    }
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&counts, &mut bytes).unwrap();
    let max = counts.max() as f64 / of_a_milli;
    format!("{tag}{start},10.000,{max:.3},{}\n", BASE64.encode(bytes))
}

fn read(text: &str, options: &LogImportOptions) -> Result<ImportedLog, Vec<String>> {
    ImportedLog::read(text.as_bytes(), options)
        .map_err(|all| all.iter().map(ToString::to_string).collect())
}

fn intervals(log: &ImportedLog, text: &str) -> Vec<Interval> {
    log.intervals(text.as_bytes()).unwrap().collect()
}

fn caveats(log: &ImportedLog) -> String {
    log.record().plan[0].caveats.join("\n")
}

/// Whole milliseconds in nanoseconds.
fn millis(values: impl IntoIterator<Item = u64>) -> Vec<u64> {
    values.into_iter().map(|value| value * 1_000_000).collect()
}

#[test]
fn a_log_of_another_tool_has_a_request_per_tag_in_the_unit_that_its_maxima_imply() {
    let text = HEAD.to_owned()
        + &line("", "0.000", &millis([5, 7]), 1e6)
        + &line("Tag=db,", "1441812289.474", &millis([900]), 1e6);
    let log = read(&text, &options(&[])).unwrap();
    let record = log.record();
    assert_eq!(record.provenance.started, datetime!(2015-09-09 15:24:39.474 UTC));
    assert_eq!(record.measurement.elapsed, Duration::from_secs(20));
    let requests = &record.measurement.scenarios[0].requests;
    let names: Vec<_> = requests.iter().map(|request| request.name.as_str()).collect();
    assert_eq!((record.plan[0].name.as_str(), names), ("peer", vec!["all", "db"]));
    let max =
        |at: usize| requests[at].measured.series.get(Dimension::Latency).unwrap().max().unwrap();
    assert!(
        (6_990..7_010).contains(&max(0).as_micros()) && (899..=901).contains(&max(1).as_millis())
    );
    let starts: Vec<_> =
        intervals(&log, &text).iter().map(|interval| interval.start.as_secs()).collect();
    assert_eq!(starts, [0, 10]);
    let caveats = caveats(&log);
    for words in ["nanoseconds", "no failures", "when a request was due", "10 s long"] {
        assert!(caveats.contains(words), "{words} in {caveats}");
    }
    assert_eq!(record.verdict.decision, Decision::Inconclusive);
}

#[test]
fn an_unknown_unit_must_be_given() {
    let text = HEAD.to_owned() + &line("", "0.000", &[5, 7_000], 1.0);
    let refused = read(&text, &options(&[])).unwrap_err();
    assert!(refused[0].contains("add --unit ns"), "{refused:?}");
    for (unit, micros) in
        [(LogUnit::Nanos, 7), (LogUnit::Micros, 7_003), (LogUnit::Millis, 7_003_000)]
    {
        let log = read(&text, &LogImportOptions { unit: Some(unit), ..options(&[]) }).unwrap();
        let latency = log.record().measurement.scenarios[0].requests[0]
            .measured
            .series
            .get(Dimension::Latency);
        let max = latency.unwrap().max().unwrap().as_micros();
        assert!(max.abs_diff(micros) * 1_000 <= micros, "{unit:?}: {max}");
        assert!(caveats(&log).contains("as asked for"));
    }
    let text = HEAD.to_owned() + &line("", "0.000", &[5_000, 7_000], 1e3);
    assert!(caveats(&read(&text, &options(&[])).unwrap()).contains("microseconds"));
}

/// An interval of tollgate: latencies of whole milliseconds, each with this lag, and a failed
/// exchange.
fn own_interval(second: u64, stage: Stage, latencies: &[u64], lag: Duration) -> Interval {
    let (mut latency, mut lags) = (Histogram::default(), Histogram::default());
    for millis in latencies {
        latency.record(Duration::from_millis(*millis));
    }
    (0..=latencies.len()).for_each(|_| lags.record(lag));
    let mut series = DimensionHistograms::default();
    series.add(Dimension::Latency, &latency);
    series.add(Dimension::Lag, &lags);
    let mut server_timings = ServerTimings::default();
    server_timings.add("db, a", &latency);
    Interval {
        scenario: "shop/ü".to_owned(),
        request: "page, one".to_owned(),
        stage,
        start: Duration::from_millis(1_234 + second * 1_000),
        tally: Tally::default(),
        series,
        server_timings,
        samples: Vec::new(),
    }
}

fn own_log(intervals: &[Interval]) -> String {
    let started = datetime!(2026-11-23 18:00:00.125 UTC);
    hlog::header(started) + &intervals.iter().map(hlog::lines).collect::<String>()
}

#[test]
fn a_log_of_tollgate_keeps_its_scenarios_stages_and_dimensions() {
    let wrote = [
        own_interval(0, Stage::Cold, &[300], Duration::ZERO),
        own_interval(1, Stage::Measured, &[40, 50], Duration::from_micros(80)),
        own_interval(2, Stage::Measured, &[60], Duration::ZERO),
    ];
    let text = own_log(&wrote);
    let log = read(&text, &options(&[])).unwrap();
    let read: Vec<Interval> = intervals(&log, &text);
    assert_eq!(read.len(), wrote.len());
    for (read, wrote) in read.iter().zip(&wrote) {
        assert_eq!(
            (&read.scenario, &read.request, read.stage, read.start),
            (&wrote.scenario, &wrote.request, wrote.stage, wrote.start)
        );
        assert_eq!((&read.series, &read.server_timings), (&wrote.series, &wrote.server_timings));
    }
    let record = log.record();
    assert_eq!(record.provenance.started, datetime!(2026-11-23 18:00:00.125 UTC));
    assert_eq!(record.measurement.measured_from, Duration::from_millis(2_234));
    assert_eq!(record.measurement.scenarios[0].requests[0].measured.tally.ok, 3);
    assert!(
        caveats(&log).contains("2 exchanges have a lag and no latency, and so failed"),
        "{}",
        caveats(&log)
    );
    assert!(!caveats(&log).contains("when a request was due") && !caveats(&log).contains("long"));
}

#[test]
fn a_budget_is_never_proven_to_hold_and_fails_only_if_lag_cannot_explain_it() {
    let decided = |latency: u64, lag: Duration| {
        let text = own_log(&[own_interval(0, Stage::Measured, &[latency; 100], lag)]);
        let log = read(&text, &options(&["p95 < 300ms", "max(lag) < 1s"])).unwrap();
        log.record().verdict.scenarios[0].budgets[0].decision
    };
    assert_eq!(decided(100, Duration::ZERO), Decision::Inconclusive);
    assert_eq!(decided(310, Duration::ZERO), Decision::Fail);
    assert_eq!(decided(310, Duration::from_millis(20)), Decision::Inconclusive);
}

#[test]
fn values_in_the_ceilings_bucket_are_not_proven_to_exceed() {
    let decided = |value: u64| {
        let text = HEAD.to_owned() + &line("", "0.000", &[value; 100], 1e6);
        let log = read(&text, &options(&["p95 < 300ms"])).unwrap();
        log.record().verdict.decision
    };
    assert_eq!(decided(300_001_000), Decision::Inconclusive);
    assert_eq!(decided(301_000_000), Decision::Fail);
}

#[test]
fn values_above_an_hour_are_counted_at_one_hour() {
    let text = HEAD.to_owned() + &line("", "0.000", &millis([7_200_000]), 1e6);
    let log = read(&text, &options(&[])).unwrap();
    let latency =
        log.record().measurement.scenarios[0].requests[0].measured.series.get(Dimension::Latency);
    assert_eq!(latency.unwrap().clipped(), 1);
    assert!(latency.unwrap().quantile(Quantile::P50).unwrap() >= Histogram::CEILING);
}

#[test]
fn unreadable_lines_are_reported_with_their_numbers_and_a_truncated_last_one_is_left_out() {
    let good = HEAD.to_owned() + &line("", "0.000", &millis([5]), 1e6);
    let one = line("", "1.000", &millis([5]), 1e6);
    for (bad, words) in [
        ("noise\n".to_owned(), "5: it is not a line"),
        (one.replace("HISTF", "HISTG"), "5: not an HdrHistogram"),
        (one[..one.len() - 9].to_owned() + "\n", "5: not an HdrHistogram"),
        (one.replace("1.000,", "x,"), "5: `x` is not a start"),
        (one.replace("1.000,10", "-900,10"), "5: it starts at -900 s"),
        (one.replace(",10.000", ",-1"), "5: `-1` is not a length"),
        (format!("Tag=,{one}"), "5: its tag is not a name"),
    ] {
        let refused = read(&(good.clone() + &bad + &one), &options(&[])).unwrap_err();
        assert!(refused.len() == 1 && refused[0].starts_with(words), "{words}: {refused:?}");
    }
    for end in 1..one.len() - 3 {
        let torn = good.clone() + &one[..end];
        let log = read(&torn, &options(&[])).unwrap();
        assert_eq!(intervals(&log, &torn).len(), 1, "{end}");
        assert!(caveats(&log).contains("line 5 of the log, its last, is cut off"), "{end}");
    }
    let many = read(&(good + &"noise\n".repeat(1_000)), &options(&[])).unwrap_err();
    assert!(many.len() == 21 && many[20].contains("980 more"), "{}", many.len());
}

#[test]
fn what_is_no_log_is_refused() {
    for (text, words) in [
        (String::new(), "contains no interval"),
        (HEAD.to_owned(), "contains no interval"),
        ("\0\u{1}PNG\n".to_owned(), "contains no interval"),
        (HEAD.to_owned() + &line("", "0.000", &[], 1e6), "does not tell what its values count"),
        (
            HEAD.replace("14418", "-14418") + &line("", "0.000", &millis([1]), 1e6),
            "4: the log starts at no time",
        ),
    ] {
        let refused = read(&text, &options(&[])).unwrap_err();
        assert!(refused[0].contains(words), "{refused:?}");
    }
    let empty = HEAD.to_owned() + &line("", "0.000", &[], 1e6);
    let refused =
        read(&empty, &LogImportOptions { unit: Some(LogUnit::Nanos), ..options(&[]) }).unwrap_err();
    assert!(refused[0].contains("holds no value"), "{refused:?}");
    let one = line("", "0.000", &millis([5]), 1e6);
    let tags = HEAD.to_owned()
        + &(0..1_002).flat_map(|n| [format!("Tag=t{n},"), one.clone()]).collect::<String>();
    let refused = read(&tags, &options(&[])).unwrap_err();
    assert!(refused.len() == 1 && refused[0].contains("more than 1000 histograms"), "{refused:?}");
}

#[test]
fn a_log_without_a_head_starts_with_its_first_interval() {
    let log = |start: &str| read(&line("", start, &millis([5]), 1e6), &options(&[])).unwrap();
    let of_the_calendar = log("1441812279.474");
    assert_eq!(of_the_calendar.record().provenance.started, datetime!(2015-09-09 15:24:39.474 UTC));
    assert!(!caveats(&of_the_calendar).contains("when it was made"));
    assert!(caveats(&log("0.500")).contains("when it was made"));
}

#[test]
fn the_same_log_gives_the_same_run_and_other_options_give_another() {
    let text = HEAD.to_owned() + &line("", "0.000", &millis([5, 7]), 1e6);
    let of = |options: &LogImportOptions| read(&text, options).unwrap().record().clone();
    let record = of(&options(&[]));
    assert_eq!(of(&options(&[])), record);
    let others = [
        of(&LogImportOptions { scenario: "other".to_owned(), ..options(&[]) }).id,
        of(&LogImportOptions { request: "other".to_owned(), ..options(&[]) }).id,
        of(&LogImportOptions { unit: Some(LogUnit::Micros), ..options(&[]) }).id,
        of(&options(&["p95 < 1s"])).id,
    ];
    assert!(others.iter().all(|other| *other != record.id), "{others:?}");
    let log = read(&text, &options(&[])).unwrap();
    assert!(log.intervals(text.replace("2015", "2016").as_bytes()).is_none());
}

/// Reads any bytes to the end.
fn exhaust(bytes: &[u8]) {
    let options = LogImportOptions {
        unit: Some(LogUnit::Millis),
        ..options(&["p95 < 300ms", "max(lag) < 1ms"])
    };
    if let Ok(log) = ImportedLog::read(bytes, &options) {
        assert!(log.intervals(bytes).unwrap().count() > 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, start: f64, length: f64, histogram: Vec<u8>) {
        exhaust(&bytes);
        let line = format!("{start},{length},1,{}\n", BASE64.encode(&histogram));
        exhaust(line.as_bytes());
        exhaust([HEAD.as_bytes(), line.as_bytes(), &bytes].concat().as_slice());
    }

    #[test]
    fn no_damage_makes_it_panic(at: prop::sample::Index, byte: u8, values: Vec<u64>) {
        let values: Vec<_> = values.into_iter().map(|value| value / 4).collect();
        let text = HEAD.to_owned()
            + &line("Tag=a,", "0.000", &values, 1e6)
            + &own_log(&[own_interval(0, Stage::Measured, &[4], Duration::ZERO)]);
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        exhaust(&bytes);
    }

    #[test]
    fn no_damaged_histogram_makes_it_panic(at in 0_usize..60, byte: u8, values: Vec<u64>) {
        let mut counts = Counts::<u64>::new_with_bounds(1, u64::MAX / 4, 3).unwrap();
        for value in values {
            counts.saturating_record(value);
        }
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&counts, &mut bytes).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        exhaust(format!("{HEAD}0,1,1,{}\n", BASE64.encode(&bytes)).as_bytes());
    }
}
