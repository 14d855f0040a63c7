//! How well the prober kept its schedule, and therefore how far to trust its figures.

use std::time::Duration;

use crate::record::{Dimension, Histogram, Measurement, RunRecord, ScenarioMeasurement};
use crate::units::Ratio;

use super::{DurationQuantiles, ReportFact, request, words};

/// The prober is late if one arrival in a hundred lags at least this much.
const LATE: Duration = Duration::from_millis(1);
/// A single lag from here on is reported.
const STUMBLE: Duration = Duration::from_millis(10);

/// What lateness means for the verdict.
const MEANS: &str = "A breach that lag could explain is inconclusive, not a fail.";

/// How well the prober kept its schedule in the measured stage.
#[derive(Debug, Clone)]
pub(in crate::report) struct ProberView {
    /// Whether it kept its schedule throughout.
    pub(in crate::report) is_punctual: bool,
    /// Whether it kept its schedule and, if not, what that means.
    pub(in crate::report) sentence: String,
    /// Lag, hiccups and the time spent spinning.
    pub(in crate::report) facts: Vec<ReportFact>,
}

impl ProberView {
    /// How the prober did in a run; `None` if nothing shows it.
    pub(super) fn of(record: &RunRecord) -> Option<Self> {
        let run = &record.measurement;
        let lag = DurationQuantiles::of(Some(&lag(record)));
        let never_sent =
            |scenario: &ScenarioMeasurement| scenario.unreleased - scenario.ended_at_limits();
        let unreleased: u64 = run.scenarios.iter().map(never_sent).sum();
        if lag.n == 0 && unreleased == 0 {
            return None;
        }
        let hiccups = DurationQuantiles::of(Some(&run.prober.hiccups));
        let (is_punctual, sentence) = judge(&lag, &hiccups, unreleased);
        Some(Self { is_punctual, sentence, facts: facts(run, &lag, &hiccups) })
    }

    /// The sentence and all facts in one line.
    pub(in crate::report) fn one_line(&self) -> String {
        let facts: Vec<String> =
            self.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
        format!("{} Its {}.", self.sentence, facts.join("; "))
    }
}

/// The lag of every arrival. Hops are not arrivals.
fn lag(record: &RunRecord) -> Histogram {
    let mut all = Histogram::default();
    for scenario in &record.measurement.scenarios {
        let hops = request::hops(record.planned(&scenario.name));
        let own = scenario.requests.iter().filter(|request| !hops.contains(&request.name.as_str()));
        own.filter_map(|request| request.measured.series.get(Dimension::Lag))
            .for_each(|lag| all.add(lag));
    }
    all
}

fn judge(lag: &DurationQuantiles, hiccups: &DurationQuantiles, unreleased: u64) -> (bool, String) {
    let [p99, max] = [lag.p99, lag.max].map(Option::unwrap_or_default);
    let [most, longest] = [p99, max].map(|lag| words::time(Some(lag)));
    let stood_still = hiccups.max.unwrap_or_default();
    if unreleased > 0 {
        let never = words::plural(unreleased, "arrival");
        return (
            false,
            format!(
                "The prober did not keep its schedule: {never} never went out, so the run cannot pass."
            ),
        );
    }
    let few = latest_of_few(lag.n, &longest);
    if p99 >= LATE {
        let many = || format!("one arrival in a hundred went out {most} or more after it was due");
        let what = few.unwrap_or_else(many);
        return (false, format!("The prober was late: {what}. {MEANS}"));
    }
    let many = || format!("99 % of the arrivals went out within {most} of their due times");
    let kept = few.unwrap_or_else(many);
    if max.max(stood_still) < STUMBLE {
        return (true, format!("The prober kept its schedule: {kept}."));
    }
    let worst = if max >= stood_still {
        format!("the latest {longest} after it was due")
    } else {
        format!("but it once stalled for {}", words::time(Some(stood_still)))
    };
    (false, format!("The prober kept its schedule except for moments: {kept}, {worst}. {MEANS}"))
}

/// How late the latest arrival was, for fewer than a hundred; `None` otherwise.
fn latest_of_few(n: u64, longest: &str) -> Option<String> {
    match n {
        1 => Some(format!("the arrival went out {longest} after it was due")),
        2..100 => Some(format!("the latest of {n} requests went out {longest} after it was due")),
        _ => None,
    }
}

fn facts(
    run: &Measurement,
    lag: &DurationQuantiles,
    hiccups: &DurationQuantiles,
) -> Vec<ReportFact> {
    let fact = |name, value| ReportFact { name, value };
    let mut facts = vec![fact("lag", figures(lag))];
    if hiccups.n > 0 {
        facts.push(fact("hiccups", figures(hiccups)));
        facts.push(fact("spinning", format!("{} of a core", words::share(spun(run)))));
    }
    facts
}

fn figures(quantiles: &DurationQuantiles) -> String {
    let [p50, p99, max] = [quantiles.p50, quantiles.p99, quantiles.max].map(words::time);
    match quantiles.n {
        1 => max,
        2..100 => format!("p50 {p50}, max {max}"),
        _ => format!("p50 {p50}, p99 {p99}, max {max}"),
    }
}

/// Mean share of a core spent spinning on each participating machine.
fn spun(run: &Measurement) -> Ratio {
    let machines = run.sharing.as_ref().map_or(1, |sharing| sharing.parts.len().max(1));
    let measured = run.elapsed.saturating_sub(run.measured_from).as_nanos() * machines as u128;
    let of = |nanos: u128| u64::try_from(nanos / 1_000).unwrap_or(u64::MAX);
    Ratio::of(of(run.prober.spun.as_nanos()), of(measured).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn seen(alter: impl FnOnce(&mut RunRecord)) -> ProberView {
        let (mut record, _) = fixture::rehearsal();
        alter(&mut record);
        ProberView::of(&record).unwrap()
    }

    fn lagging(millis: u64, count: u64) -> impl FnOnce(&mut RunRecord) {
        move |record| {
            let mut lag = Histogram::default();
            (0..count).for_each(|_| lag.record(Duration::from_millis(millis)));
            record.measurement.scenarios[0].requests[0].measured.series.add(Dimension::Lag, &lag);
        }
    }

    #[test]
    fn a_prober_that_keeps_its_schedule_says_so_in_one_sentence() {
        let punctual = seen(|_| {});
        assert!(punctual.is_punctual);
        assert_eq!(
            punctual.sentence,
            "The prober kept its schedule: 99 % of the arrivals went out within 43 µs of their due times."
        );
        let names: Vec<&str> = punctual.facts.iter().map(|fact| fact.name).collect();
        assert_eq!(names, ["lag", "hiccups", "spinning"]);
        assert_eq!(punctual.facts[2].value, "3.1 % of a core");
    }

    #[test]
    fn a_late_prober_says_what_its_lag_means() {
        let late = seen(lagging(20, 50));
        assert!(!late.is_punctual);
        assert!(
            late.sentence
                .starts_with("The prober was late: one arrival in a hundred went out 20 ms")
        );
        assert!(late.sentence.ends_with(MEANS));
        let stumbled = seen(lagging(20, 1));
        assert!(
            stumbled.sentence.contains("except for moments")
                && stumbled.sentence.contains("20 ms after")
        );
        let froze =
            seen(|record| record.measurement.prober.hiccups.record(Duration::from_millis(300)));
        assert!(froze.sentence.contains("it once stalled for 300 ms"), "{}", froze.sentence);
        let dropped = seen(|record| record.measurement.scenarios[0].unreleased = 3);
        assert!(dropped.sentence.contains("3 arrivals never went out"), "{}", dropped.sentence);
    }

    #[test]
    fn few_requests_report_the_latest_and_no_percentile() {
        let of = |micros: &[u64]| {
            let mut lag = Histogram::default();
            for micros in micros {
                lag.record(Duration::from_micros(*micros));
            }
            let (lag, hiccups) = (DurationQuantiles::of(Some(&lag)), DurationQuantiles::default());
            (judge(&lag, &hiccups, 0).1, figures(&lag))
        };
        let (late, lag) = of(&[1_520]);
        assert_eq!(
            late,
            format!("The prober was late: the arrival went out 1.52 ms after it was due. {MEANS}")
        );
        assert_eq!(lag, "1.52 ms");
        let (kept, lag) = of(&[40, 900, 60]);
        assert_eq!(
            kept,
            "The prober kept its schedule: the latest of 3 requests went out 900 µs after it was due."
        );
        assert_eq!(lag, "p50 60 µs, max 900 µs");
        assert!(of(&[40; 100]).0.contains("99 % of the arrivals"));
    }

    #[test]
    fn a_record_without_hiccups_reports_its_lag_alone() {
        let old =
            seen(|record| record.measurement.prober = crate::record::ProberMeasurement::default());
        assert!(old.is_punctual);
        assert_eq!(old.facts.len(), 1);
        assert!(ProberView::of(&fixture::empty().0).is_none());
    }

    #[test]
    fn spinning_is_averaged_over_machines() {
        let shared = seen(|record| {
            let (sharing, spun) = (fixture::sharing(3, 1..=3), record.measurement.prober.spun * 3);
            (record.measurement.sharing, record.measurement.prober.spun) = (Some(sharing), spun);
        });
        assert_eq!(shared.facts[2].value, "3.1 % of a core");
    }
}
