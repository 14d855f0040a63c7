//! Generated runs, for tests and benchmarks that store and list them.
#![allow(dead_code, reason = "each test crate needs another part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use time::macros::datetime;
use tollgate::record::{
    Budget, Ceiling, CeilingCount, Dimension, DimensionHistograms, FORMAT, Failure,
    FailureEvidence, GatePolicy, Histogram, HostFacts, Interval, Measurement, PlannedRequest,
    PlannedScenario, RequestMeasurement, RunEnding, RunProvenance, RunRecord, ScenarioMeasurement,
    ServerTimings, Stage, Tally,
};
use tollgate::store::{RunDraft, RunFolder};
use tollgate::verdict;
use uuid::Uuid;

/// The size of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) scenarios: usize,
    pub(crate) seconds: u64,
    /// Exchanges of a scenario that are due per second.
    pub(crate) per_second: u64,
}

/// A run of half a minute.
pub(crate) const SMALL: Shape = Shape { scenarios: 2, seconds: 30, per_second: 20 };

/// The dimensions that each exchange on an open connection enters.
const DIMENSIONS: [Dimension; 8] = [
    Dimension::Latency,
    Dimension::Reused,
    Dimension::Lag,
    Dimension::Wait,
    Dimension::Service,
    Dimension::FirstByte,
    Dimension::Body,
    Dimension::Setup,
];
const REQUEST: &str = "tile page";

/// A pseudo-random number that depends only on the seed (splitmix64).
fn drawn(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn scenario_name(at: usize) -> String {
    ["tile-loader-mock", "tile-loader-live"]
        .get(at)
        .map_or_else(|| format!("scenario-{at}"), |&name| name.to_owned())
}

/// The id of the run of a seed: a UUID of version 7, from the moment at which it started.
pub(crate) fn id(seed: u64) -> Uuid {
    let bytes = [drawn(seed).to_be_bytes(), drawn(!seed).to_be_bytes()].concat();
    let millis = u64::try_from(started(seed).unix_timestamp() * 1_000).unwrap();
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes[..10].try_into().unwrap()).into_uuid()
}

/// Runs start ten minutes apart.
fn started(seed: u64) -> time::OffsetDateTime {
    datetime!(2026-01-01 00:00 UTC) + Duration::from_mins(10) * u32::try_from(seed).unwrap()
}

fn budgets() -> Vec<Budget> {
    ["p95 < 300ms", "errors < 1%"].map(|text| text.parse().unwrap()).to_vec()
}

/// Writes the run of a seed into its own folder below `root`.
pub(crate) fn write(root: &Path, seed: u64, shape: Shape) -> PathBuf {
    let draft = draft(seed, shape);
    let mut folder = RunFolder::create(root, &draft).unwrap();
    let mut measurement = draft.measurement.clone();
    for interval in intervals(seed, shape) {
        folder.add(&interval).unwrap();
        measurement.add(&interval);
    }
    folder.finish(&record(draft, measurement, seed)).unwrap();
    folder.path().to_owned()
}

fn record(draft: RunDraft, mut measurement: Measurement, seed: u64) -> RunRecord {
    let RunDraft { format, id, provenance, plan, .. } = draft;
    measurement.measured_from = Duration::from_millis(1_234);
    measurement.ending = RunEnding::Complete;
    for scenario in &mut measurement.scenarios {
        let stage = scenario.requests[0].stage_mut(Stage::Measured);
        scenario.planned = Some(stage.tally.exchanges);
        scenario.released = stage.tally.exchanges;
        scenario.protocols = vec!["HTTP/2 over TLS 1.3".to_owned()];
        stage.evidence.add(FailureEvidence {
            failure: Failure::Unexpected,
            phase: None,
            expected: "body contains `tile`".to_owned(),
            seen: format!("a zero \0 and quotes '\" \\ of run {seed}"),
            next: None,
            idle: None,
            count: stage.tally.failed(),
            detail: None,
        });
    }
    let verdict = verdict::judge(&plan, &measurement);
    RunRecord { format, id, provenance, plan, measurement, verdict, gate: None, comparison: None }
}

fn draft(seed: u64, shape: Shape) -> RunDraft {
    let names: Vec<String> = (0..shape.scenarios).map(scenario_name).collect();
    let ceilings = budgets().into_iter().filter_map(|budget| budget.ceiling());
    let ceilings: Vec<Ceiling> =
        ceilings.map(|(dimension, limit)| Ceiling { dimension, limit }).collect();
    let measured = |name: &String| {
        ScenarioMeasurement::new(
            name.clone(),
            vec![RequestMeasurement::new(REQUEST.to_owned(), ceilings.clone())],
        )
    };
    RunDraft {
        format: FORMAT,
        id: id(seed),
        provenance: provenance(seed),
        plan: names.iter().map(|name| planned(name)).collect(),
        measurement: Measurement::with_scenarios(
            names.iter().map(measured).collect(),
            RunEnding::Recovered,
        ),
    }
}

fn provenance(seed: u64) -> RunProvenance {
    let environment = if seed.is_multiple_of(2) { "staging" } else { "production" };
    let tags = [("environment", environment), ("deploy", "v42"), ("team", "checkout ü")];
    RunProvenance {
        started: started(seed),
        tollgate: "0.1.0".to_owned(),
        host: HostFacts {
            name: "probe-1".to_owned(),
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            cores: 2,
        },
        command: ["tollgate", "run", "scenarios/tile-loader.toml"].map(str::to_owned).to_vec(),
        git_commit: Some(format!("{:040x}", drawn(seed / 7))),
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
    }
}

fn planned(name: &str) -> PlannedScenario {
    PlannedScenario {
        name: name.to_owned(),
        description: "The tile page.".to_owned(),
        source: format!("scenarios/{name}.toml"),
        base_url: "https://staging.example".to_owned(),
        load: "open, 20/s constant, up to 16 connections".to_owned(),
        warmup: "8 connections, 32 requests".to_owned(),
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
            name: REQUEST.to_owned(),
            line: "GET /app?mock=1".to_owned(),
            headers: vec!["X-Token: ${TOKEN}".to_owned()],
            expectations: vec!["status = 200".to_owned()],
            budgets: budgets(),
            baselines: Vec::new(),
            hop_of: None,
            accepts: Vec::new(),
            terms: Vec::new(),
        }],
    }
}

/// The intervals of the run of a seed: one of cold exchanges, the others measured.
pub(crate) fn intervals(seed: u64, shape: Shape) -> impl Iterator<Item = Interval> {
    (0..=shape.seconds).flat_map(move |second| {
        (0..shape.scenarios).map(move |scenario| interval(seed, scenario, second, shape.per_second))
    })
}

fn interval(seed: u64, scenario: usize, second: u64, exchanges: u64) -> Interval {
    let seed = drawn(seed ^ (second << 20) ^ ((scenario as u64) << 50));
    let (mut series, mut server_timings) =
        (DimensionHistograms::default(), ServerTimings::default());
    let mut exceeded = 1;
    for (at, dimension) in DIMENSIONS.into_iter().enumerate() {
        let mut durations = Vec::new();
        for exchange in 1..exchanges {
            let micros =
                30_000 / (1 + 9 * at as u64) + drawn(seed ^ exchange) % (90_000 / (1 + at as u64));
            let stall =
                if at == 0 && drawn(seed ^ exchange).is_multiple_of(97) { 400_000 } else { 0 };
            exceeded += u64::from(stall > 0);
            durations.push(Duration::from_micros(micros + stall));
        }
        // The longest first: a histogram grows with each longer value, which takes time.
        durations.sort_unstable_by_key(|duration| Reverse(*duration));
        let mut histogram = Histogram::default();
        for duration in durations {
            histogram.record(duration);
        }
        if at == 0 {
            server_timings.add("db, total", &histogram);
        }
        series.add(dimension, &histogram);
    }
    let ceiling = CeilingCount {
        judged: exchanges,
        exceeded,
        exceeded_without_lag: exceeded,
        exceeded_without_wait: exceeded,
    };
    Interval {
        scenario: scenario_name(scenario),
        request: REQUEST.to_owned(),
        stage: if second == 0 { Stage::Cold } else { Stage::Measured },
        start: Duration::from_millis(234) + Duration::from_secs(second),
        tally: Tally {
            exchanges,
            ok: exchanges - 1,
            failures: BTreeMap::from([(Failure::Unexpected, 1)]),
            ceilings: vec![ceiling],
            fresh: 0,
            body_bytes: exchanges * 10_240,
            ..Tally::default()
        },
        series,
        server_timings,
        samples: Vec::new(),
    }
}
