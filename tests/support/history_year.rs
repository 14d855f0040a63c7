//! A generated history with known truths, for tests, the sample site and benchmarks.
//!
//! Latency has a rhythm of hours and weekdays. It rises by 22 % on day 120, with deploy 41, and
//! falls by 15 % on day 261, with deploy 88. Days 180 to 186 have no runs, on days 215 to 219 runs
//! are too short to be decided, and on days 300 and 301 one request in 25 fails.
#![allow(dead_code, reason = "each user needs another part of it")]
#![allow(clippy::unwrap_used, reason = "a generator that cannot go on should say where")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use time::OffsetDateTime;
use time::macros::datetime;
use tollgate::record::{
    Budget, Ceiling, CeilingCount, Dimension, FORMAT, Failure, FailureEvidence, GatePolicy,
    Histogram, HostFacts, Measurement, PlannedRequest, PlannedScenario, RequestMeasurement,
    RunEnding, RunProvenance, RunRecord, ScenarioMeasurement, StageMeasurement,
};
use tollgate::{store, verdict};
use uuid::Uuid;

/// The size of a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct YearShape {
    pub(crate) days: u32,
    /// Hours between two runs.
    pub(crate) hours: u32,
    /// Measured exchanges of a run.
    pub(crate) exchanges: u64,
}

/// A run every four hours for a year.
pub(crate) const YEAR: YearShape = YearShape { days: 366, hours: 4, exchanges: 240 };

/// The start of the history: a Saturday.
pub(crate) const START: OffsetDateTime = datetime!(2025-11-29 0:00 UTC);

const CEILING: Duration = Duration::from_millis(300);

/// The records of a history, oldest first.
pub(crate) fn records(shape: YearShape) -> impl Iterator<Item = RunRecord> {
    let hours = (0..shape.days * 24).step_by(shape.hours as usize);
    hours.filter_map(move |hour| record(shape, hour))
}

/// Writes the run folders of a history below `runs_dir`; returns how many.
pub(crate) fn write(runs_dir: &Path, shape: YearShape) -> usize {
    let write = |record: RunRecord| write_run(runs_dir, &record);
    records(shape).map(write).count()
}

/// Writes the folder of a run.
pub(crate) fn write_run(runs_dir: &Path, record: &RunRecord) {
    let folder = runs_dir.join(record.name());
    std::fs::create_dir_all(&folder).unwrap();
    store::complete_folder(&folder, record).unwrap();
}

/// The run of an hour; `None` in the gap.
pub(crate) fn record(shape: YearShape, hour: u32) -> Option<RunRecord> {
    seeded_record(shape, hour, u64::from(hour))
}

/// One of several runs of an hour; `None` in the gap.
pub(crate) fn seeded_record(shape: YearShape, hour: u32, seed: u64) -> Option<RunRecord> {
    let day = hour / 24;
    if (180..187).contains(&day) {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let exchanges = if (215..220).contains(&day) { 12 } else { shape.exchanges };
    let level = level(day) * rhythm(hour) * LogNormal::new(0.0, 0.04).unwrap().sample(&mut random);
    let failing = if (300..302).contains(&day) { 0.04 } else { 0.0 };
    let mut request = RequestMeasurement::new(
        "tile page".to_owned(),
        vec![Ceiling { dimension: Dimension::Latency, limit: CEILING }],
    );
    add_exchanges(&mut request.cold, &mut random, (12, level, 0.0), true);
    add_exchanges(&mut request.measured, &mut random, (exchanges, level, failing), false);
    Some(finished(request, hour, &mut random))
}

/// The level of latency on a day.
fn level(day: u32) -> f64 {
    match day {
        0..120 => 1.0,
        120..261 => 1.22,
        _ => 1.22 * 0.85,
    }
}

/// Office hours of working days are slower.
fn rhythm(hour: u32) -> f64 {
    // The history starts on a Saturday.
    let is_weekend = hour / 24 % 7 < 2;
    let is_busy = (8..18).contains(&(hour % 24));
    match (is_weekend, is_busy) {
        (false, true) => 1.25,
        (false, false) => 1.0,
        (true, _) => 0.9,
    }
}

fn add_exchanges(
    stage: &mut StageMeasurement,
    random: &mut ChaCha8Rng,
    (exchanges, level, failing): (u64, f64, f64),
    is_cold: bool,
) {
    let mut series = BTreeMap::new();
    for _ in 0..exchanges {
        exchange((stage, &mut series), random, (level, failing), is_cold);
    }
    for (part, histogram) in &series {
        stage.series.add(*part, histogram);
    }
}

fn exchange(
    (stage, series): (&mut StageMeasurement, &mut BTreeMap<Dimension, Histogram>),
    random: &mut ChaCha8Rng,
    (level, failing): (f64, f64),
    is_cold: bool,
) {
    let mut draw = |median: f64, spread: f64| {
        let millis = median * LogNormal::new(0.0, spread).unwrap().sample(random);
        Duration::from_secs_f64(millis / 1e3)
    };
    let lag = draw(0.08, 0.3);
    let first_byte = draw(130.0 * level, 0.28);
    let body = draw(6.0, 0.4);
    let setup = [(Dimension::Dns, 4.0), (Dimension::Connect, 18.0), (Dimension::Tls, 42.0)]
        .map(|(part, median)| (part, if is_cold { draw(median, 0.25) } else { Duration::ZERO }));
    let opening: Duration = setup.iter().map(|(_, time)| *time).sum();
    let latency = lag + opening + first_byte + body;
    let has_failed = random.random_bool(failing);
    let tally = &mut stage.tally;
    tally.exchanges += 1;
    tally.fresh += u64::from(is_cold);
    tally.ceilings.resize(1, CeilingCount::default());
    let exceeded = u64::from(has_failed || latency >= CEILING);
    tally.ceilings[0].add(CeilingCount {
        judged: 1,
        exceeded,
        exceeded_without_lag: exceeded,
        exceeded_without_wait: exceeded,
    });
    if has_failed {
        *tally.failures.entry(Failure::Status).or_default() += 1;
        stage.evidence.add(failure());
        return;
    }
    tally.ok += 1;
    let parts = [
        (Dimension::Latency, latency),
        (Dimension::Lag, lag),
        (Dimension::Wait, Duration::ZERO),
        (Dimension::Setup, opening),
        (Dimension::Service, first_byte + body),
        (Dimension::FirstByte, first_byte),
        (Dimension::Body, body),
    ];
    let opened = setup.into_iter().filter(|_| is_cold);
    for (part, time) in parts.into_iter().chain(opened) {
        series.entry(part).or_default().record(time);
    }
}

fn failure() -> FailureEvidence {
    FailureEvidence {
        failure: Failure::Status,
        phase: None,
        expected: "status = 200".to_owned(),
        seen: "503".to_owned(),
        next: None,
        idle: None,
        count: 1,
        detail: None,
    }
}

fn finished(request: RequestMeasurement, hour: u32, random: &mut ChaCha8Rng) -> RunRecord {
    let started =
        START + Duration::from_hours(1) * hour + Duration::from_secs(u64::from(hour) * 37 % 600);
    let millis = u64::try_from(started.unix_timestamp() * 1_000).unwrap();
    let mut scenario = ScenarioMeasurement::new("tile-loader".to_owned(), vec![request]);
    scenario.released = scenario.requests[0].measured.tally.exchanges;
    scenario.planned = Some(scenario.released);
    scenario.protocols = vec!["HTTP/2 over TLS 1.3".to_owned()];
    let mut measurement = Measurement::with_scenarios(vec![scenario], RunEnding::Complete);
    measurement.measured_from = Duration::from_secs(2);
    measurement.elapsed = Duration::from_secs(62);
    let plan = vec![planned()];
    let verdict = verdict::judge(&plan, &measurement);
    RunRecord {
        format: FORMAT,
        id: uuid::Builder::from_unix_timestamp_millis(millis, &random.random()).into_uuid(),
        provenance: provenance(started, hour / 24),
        plan,
        measurement,
        verdict,
        gate: None,
        comparison: None,
    }
}

/// A deploy every three days; deploy 41 came on day 120.
fn provenance(started: OffsetDateTime, day: u32) -> RunProvenance {
    let deploy = 1 + day / 3;
    let commit = format!("{:040x}", u128::from(deploy).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c));
    let tags = [("environment", "production".to_owned()), ("deploy", deploy.to_string())];
    RunProvenance {
        started,
        tollgate: "0.1.0".to_owned(),
        host: HostFacts {
            name: "probe-fra-1.internal".to_owned(),
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            cores: 2,
        },
        command: ["tollgate", "run", "scenarios/tile-loader.toml"].map(str::to_owned).to_vec(),
        git_commit: Some(commit.chars().rev().collect()),
        tags: tags.map(|(key, value)| (key.to_owned(), value)).into(),
    }
}

fn planned() -> PlannedScenario {
    let budgets = ["p95 < 300ms", "errors < 2%"].map(|text| text.parse::<Budget>().unwrap());
    PlannedScenario {
        name: "tile-loader".to_owned(),
        description: "The tile page.".to_owned(),
        source: "scenarios/tile-loader.toml".to_owned(),
        base_url: "https://tiles.example".to_owned(),
        load: "open, 4/s constant for 60s, up to 12 connections".to_owned(),
        warmup: "12 connections, 48 requests".to_owned(),
        caveats: Vec::new(),
        capacity: None,
        stalls: None,
        gate: GatePolicy::default(),
        setup: Vec::new(),
        teardown: Vec::new(),
        data: None,
        draw: None,
        duet: None,
        requests: vec![PlannedRequest {
            name: "tile page".to_owned(),
            line: "GET /app".to_owned(),
            headers: Vec::new(),
            expectations: vec!["status = 200".to_owned()],
            budgets: budgets.to_vec(),
            baselines: Vec::new(),
            hop_of: None,
            accepts: Vec::new(),
            terms: Vec::new(),
        }],
    }
}

/// Tags as records have them.
pub(crate) fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// An id for a run that a test makes.
pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}
