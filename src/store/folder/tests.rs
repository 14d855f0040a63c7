use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use time::macros::datetime;

use super::*;
use crate::record::{
    Decision, Dimension, DimensionHistograms, EvidenceLog, Failure, FailureEvidence, Histogram,
    HostFacts, RequestMeasurement, RunEnding, ScenarioMeasurement, ServerTimings, ShardSharing,
    Tally, Verdict,
};
use crate::units::Ratio;

const NAME: &str = "tile, loader/ü\n";
/// One metric more than the limit, in an order that is not alphabetical.
const METRICS: [&str; 17] = [
    "total", "app", "%,/+ =", "db", "!", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
];

fn interval(second: u64, stage: Stage) -> Interval {
    let mut latency = Histogram::default();
    (1..=20).for_each(|n| latency.record(Duration::from_micros(n * (second + 1) * 1_117)));
    let mut series = DimensionHistograms::default();
    series.add(Dimension::Latency, &latency);
    series.add(Dimension::Lag, &latency);
    let tally = Tally {
        exchanges: 21,
        ok: 20,
        failures: [(Failure::TimedOut, 1)].into(),
        ..Tally::default()
    };
    let start = Duration::from_micros(1_234_567) + Duration::from_secs(second);
    let mut server_timings = ServerTimings::default();
    for metric in METRICS {
        server_timings.add(metric, &latency);
    }
    let request = "page".to_owned();
    Interval {
        scenario: NAME.to_owned(),
        request,
        stage,
        start,
        tally,
        series,
        server_timings,
        samples: Vec::new(),
    }
}

fn draft() -> RunDraft {
    let scenario = ScenarioMeasurement {
        planned: Some(40),
        ..ScenarioMeasurement::new(
            NAME.to_owned(),
            vec![RequestMeasurement::new("page".to_owned(), Vec::new())],
        )
    };
    RunDraft {
        format: FORMAT,
        id: Uuid::from_u128(0x0193_5a7e_7d9c_7c3e_8000_0123_4567_89ab),
        provenance: RunProvenance {
            started: datetime!(2026-11-23 18:00:00.125 UTC),
            tollgate: "0.1.0".to_owned(),
            host: HostFacts {
                name: "h".to_owned(),
                os: "linux".to_owned(),
                arch: "x86_64".to_owned(),
                cores: 2,
            },
            command: vec!["tollgate".to_owned()],
            git_commit: None,
            tags: BTreeMap::new(),
        },
        plan: Vec::new(),
        measurement: Measurement::with_scenarios(vec![scenario], RunEnding::Recovered),
    }
}

fn record_of(draft: RunDraft, intervals: &[Interval]) -> RunRecord {
    let mut measurement = draft.measurement;
    for interval in intervals {
        measurement.add(interval);
    }
    let evidence = FailureEvidence {
        failure: Failure::TimedOut,
        phase: Some(Dimension::FirstByte),
        expected: String::new(),
        seen: "no first_byte within 5 s".to_owned(),
        next: None,
        idle: None,
        count: 2,
        detail: None,
    };
    let log: &mut EvidenceLog = &mut measurement.scenarios[0].requests[0].measured.evidence;
    log.add(evidence);
    measurement.measured_from = Duration::from_micros(1_234_567);
    RunRecord {
        format: draft.format,
        id: draft.id,
        provenance: draft.provenance,
        plan: draft.plan,
        measurement,
        verdict: Verdict {
            decision: Decision::Inconclusive,
            rule: "exact binomial".to_owned(),
            confidence: Ratio::new(0.95).unwrap(),
            continues: Vec::new(),
            scenarios: Vec::new(),
        },
        gate: None,
        comparison: None,
    }
}

fn written(root: &Path, finish: bool) -> (PathBuf, Vec<Interval>) {
    let mut folder = RunFolder::create(root, &draft()).unwrap();
    let intervals =
        vec![interval(0, Stage::Cold), interval(0, Stage::Measured), interval(1, Stage::Measured)];
    for interval in &intervals {
        folder.add(interval).unwrap();
    }
    if finish {
        folder.finish(&record_of(draft(), &intervals)).unwrap();
    }
    (folder.path().to_owned(), intervals)
}

fn all(folder: &Path) -> Vec<Interval> {
    read_intervals(folder).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_run_comes_back_from_its_folder_unchanged() {
    let root = tempfile::tempdir().unwrap();
    let (path, intervals) = written(root.path(), true);
    assert_eq!(path.file_name().unwrap(), "2026-11-23T18-00-00Z-456789ab");
    let FolderContent::Complete(record) = read_folder(&path).unwrap() else {
        panic!("not complete")
    };
    assert_eq!(*record, record_of(draft(), &intervals));
    assert_eq!(all(&path), intervals);
    assert!(!path.join(PARTIAL).exists());
}

#[test]
fn a_half_written_folder_is_recognised_and_its_intervals_are_recovered() {
    let root = tempfile::tempdir().unwrap();
    let (path, intervals) = written(root.path(), false);
    let FolderContent::HalfWritten(draft) = read_folder(&path).unwrap() else {
        panic!("not half-written")
    };
    assert_eq!(all(&path), intervals);
    let measured = &draft.measurement.scenarios[0].requests[0].measured;
    assert_eq!(measured.tally.exchanges, 42);
    assert_eq!(measured.series.get(Dimension::Latency).unwrap().count(), 40);
    let metrics: Vec<_> =
        measured.server_timings.iter().map(|(metric, took)| (metric, took.count())).collect();
    assert_eq!(metrics.len(), 17);
    assert!(
        metrics.contains(&("%,/+ =", 40)) && metrics.contains(&(ServerTimings::OTHERS, 40)),
        "{metrics:?}"
    );
    assert_eq!(draft.measurement.ending, RunEnding::Recovered);
    assert_eq!(draft.measurement.measured_from, Duration::from_micros(1_234_567));
}

#[test]
fn a_kill_at_any_byte_loses_only_the_last_interval() {
    let root = tempfile::tempdir().unwrap();
    let (path, _) = written(root.path(), false);
    let whole = fs::read(path.join(INTERVALS)).unwrap();
    let last_line = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in last_line..whole.len() {
        fs::write(path.join(INTERVALS), &whole[..cut]).unwrap();
        let recovered = all(&path);
        assert_eq!(recovered.len(), 2, "cut at {cut}");
        assert!(recovered.iter().all(|interval| interval.series.get(Dimension::Latency).is_some()));
    }
}

#[test]
fn a_line_of_the_log_that_cannot_be_read_costs_no_other_line() {
    let root = tempfile::tempdir().unwrap();
    let (path, intervals) = written(root.path(), false);
    let log = fs::read_to_string(path.join(HISTOGRAMS)).unwrap();
    let unknown = log.replacen("Tag=", "Tag=a/b/measured/unheard_of,0.000,1.000,0.000,x\nTag=", 1);
    fs::write(path.join(HISTOGRAMS), unknown).unwrap();
    assert_eq!(all(&path), intervals);
}

#[test]
fn a_damaged_line_is_named_with_its_number() {
    let root = tempfile::tempdir().unwrap();
    let (path, _) = written(root.path(), true);
    let mut lines = fs::read_to_string(path.join(INTERVALS)).unwrap();
    lines.push_str("{\"scenario\":3}\n");
    fs::write(path.join(INTERVALS), lines).unwrap();
    let error = read_intervals(&path).unwrap().find_map(Result::err).unwrap().to_string();
    assert!(error.contains("intervals.jsonl: line 4"), "{error}");
}

#[test]
fn a_folder_without_a_run_and_one_of_a_later_format_are_distinguished() {
    let root = tempfile::tempdir().unwrap();
    assert!(matches!(read_folder(root.path()), Err(StoreError::NoRun { .. })));
    fs::write(root.path().join(RUN), r#"{"format": 9999}"#).unwrap();
    assert!(matches!(read_folder(root.path()), Err(StoreError::Newer { found: 9999, .. })));
    fs::write(root.path().join(RUN), "{").unwrap();
    assert!(matches!(read_folder(root.path()), Err(StoreError::Damaged { .. })));
}

#[test]
fn other_readers_of_the_format_understand_the_log() {
    let root = tempfile::tempdir().unwrap();
    let (path, _) = written(root.path(), true);
    let bytes = fs::read(path.join(HISTOGRAMS)).unwrap();
    let entries: Vec<LogEntry> =
        IntervalLogIterator::new(&bytes).collect::<Result<_, _>>().unwrap();
    let tags: Vec<&str> = entries
        .iter()
        .filter_map(|entry| match entry {
            LogEntry::Interval(interval) => interval.tag().map(|tag| tag.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(tags.len(), 3 * (2 + METRICS.len()));
    assert_eq!(tags[0], "tile%2C%20loader%2F%C3%BC%0A/page/cold/latency");
    assert!(
        tags.contains(&"tile%2C%20loader%2F%C3%BC%0A/page/cold/server-timing:%25%2C%2F%2B%20%3D")
    );
    let starts = entries.iter().any(|entry| matches!(entry, LogEntry::StartTime(_)));
    assert!(starts);
}

#[test]
fn a_run_in_progress_is_not_mistaken_for_one_that_was_cut_off() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path(), &draft()).unwrap();
    assert!(matches!(read_folder(folder.path()), Ok(FolderContent::StillWritten)));
    let path = folder.path().to_owned();
    drop(folder);
    assert!(matches!(read_folder(&path), Ok(FolderContent::HalfWritten(_))));
}

#[test]
fn a_recovered_shard_measures_from_its_appointed_start_even_if_it_had_nothing_to_send_at_first() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = draft();
    let start = draft.provenance.started + Duration::from_millis(1_300);
    draft.measurement.sharing =
        Some(ShardSharing { of: 9, start, parts: Vec::new(), lost: Vec::new() });
    let mut folder = RunFolder::create(root.path(), &draft).unwrap();
    for interval in [interval(4, Stage::Measured), interval(7, Stage::Measured)] {
        folder.add(&interval).unwrap();
    }
    let path = folder.path().to_owned();
    drop(folder);
    let FolderContent::HalfWritten(draft) = read_folder(&path).unwrap() else {
        panic!("not half-written")
    };
    assert_eq!(draft.measurement.measured_from, Duration::from_micros(1_234_567));
}

#[test]
fn a_draft_that_cannot_be_synced_costs_neither_an_interval_nor_the_record() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = RunFolder::create(root.path(), &draft()).unwrap();
    let failed = || Err(std::io::ErrorKind::StorageFull.into());
    let path = folder.path().join(PARTIAL);
    folder.draft.replace(BackgroundWrite::start(path, failed)).unwrap().finish().unwrap();
    let intervals = [interval(0, Stage::Measured)];
    folder.add(&intervals[0]).unwrap();
    let record = record_of(draft(), &intervals);
    folder.finish(&record).unwrap();
    let FolderContent::Complete(read) = read_folder(folder.path()).unwrap() else {
        panic!("not complete")
    };
    assert_eq!(*read, record);
}

#[test]
fn the_error_of_the_draft_explains_why_a_record_cannot_be_written() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = RunFolder::create(root.path(), &draft()).unwrap();
    let path = folder.path().join(PARTIAL);
    let failed = || Err(std::io::ErrorKind::StorageFull.into());
    folder.draft.replace(BackgroundWrite::start(path, failed)).unwrap().finish().unwrap();
    fs::create_dir(folder.path().join(RUN)).unwrap();
    let error = folder.finish(&record_of(draft(), &[])).unwrap_err().to_string();
    assert!(error.contains(PARTIAL), "{error}");
}

#[test]
fn a_draft_that_a_loss_of_power_left_unreadable_is_no_run_unless_intervals_were_kept() {
    let root = tempfile::tempdir().unwrap();
    let (path, _) = written(root.path(), false);
    let whole = fs::read(path.join(PARTIAL)).unwrap();
    let kept = fs::read(path.join(INTERVALS)).unwrap();
    for left in [&b""[..], &whole[..whole.len() / 2], &vec![0; whole.len()]] {
        fs::write(path.join(PARTIAL), left).unwrap();
        fs::write(path.join(INTERVALS), &kept).unwrap();
        assert!(matches!(read_folder(&path), Err(StoreError::Damaged { .. })));
        fs::write(path.join(INTERVALS), b"").unwrap();
        assert!(matches!(read_folder(&path), Err(StoreError::Begun { .. })));
        fs::remove_file(path.join(INTERVALS)).unwrap();
        assert!(matches!(read_folder(&path), Err(StoreError::Begun { .. })));
    }
}
