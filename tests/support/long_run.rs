//! What the prober keeps of a long run, and the folder of such a run.
//!
//! A day passes in seconds: the settled intervals are generated here and passed to the same
//! functions as in a run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark uses it too")]
#![allow(dead_code, reason = "each user needs another part of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use time::OffsetDateTime;
use tollgate::plan::{Environment, Plan, PlanOverrides};
use tollgate::record::{
    Ceiling, CeilingCount, Dimension, DimensionHistograms, FORMAT, Failure, Histogram, HostFacts,
    Interval, Measurement, PlannedScenario, RunEnding, RunProvenance, RunRecord, ServerTimings,
    SlotCount, SlotCounts, Stage, StallHorizon, Tally, Verdict,
};
use tollgate::scenario::Scenario;
use tollgate::store::{RunDraft, RunFolder, StoreError};
use tollgate::verdict::{self, EarlyEndWatch, RunTimelines, VerdictContext};
use uuid::Uuid;

use crate::peak_memory::status_kb;

const DAY: u32 = 24 * 3_600;
/// Seconds that differ. They come again and again, in a random order.
const SECONDS: usize = 400;

/// What the prober keeps of a long run.
struct LongRun {
    plan: Vec<PlannedScenario>,
    measurement: Measurement,
    watch: EarlyEndWatch,
    timelines: RunTimelines,
    horizon: StallHorizon,
    random: ChaCha8Rng,
    seconds: Vec<Vec<Exchange>>,
}

/// When an exchange was due in its second, and how long it took; `None` if it failed.
type Exchange = (Duration, Option<Duration>);

impl LongRun {
    /// A run of this many seconds and about this number of requests a second.
    fn new(seconds: u32, rate: usize) -> Self {
        let scenario = format!(
            "name = \"day\"\nbudgets = [\"p50 < 20ms\", \"p95 < 2s\", \"errors < 1%\"]\n\
             [target]\nbase_url = \"http://tiles.test\"\n\
             [[request]]\nname = \"tile\"\npath = \"/tile\"\n\
             [load]\narrival_rate = \"{rate}/s\"\nduration = \"{seconds}s\"\nconnections = 8\n\
             [gate]\nstalls = \"10s\"\n"
        );
        let scenario = Scenario::parse("day.toml", &scenario).unwrap();
        let resolved = Plan::resolve(&[scenario], &Environment::new([]), &PlanOverrides::default());
        let (plan, _) = resolved.unwrap_or_else(|errors| panic!("{errors}"));
        let measurement = plan.empty_measurement();
        let plan: Vec<_> = plan.scenarios.iter().map(|scenario| scenario.shown.clone()).collect();
        let watch = EarlyEndWatch::new(&plan, &measurement, [Duration::from_secs(seconds.into())]);
        let horizon = plan[0].stalls.unwrap();
        let (timelines, mut random) = (RunTimelines::default(), ChaCha8Rng::seed_from_u64(7));
        let seconds = (0..SECONDS).map(|_| exchanges(rate, &mut random)).collect();
        Self { plan, measurement, watch, timelines, horizon, random, seconds }
    }

    /// Simulates one second.
    fn second(&mut self, second: u32) -> Interval {
        let start = Duration::from_secs(second.into());
        let exchanges = &self.seconds[self.random.random_range(0..SECONDS)];
        let ceilings = &self.measurement.scenarios[0].requests[0].ceilings;
        let (mut latency, mut slots) = (Histogram::default(), SlotCounts::default());
        let mut tally = Tally::default();
        for (due, took) in exchanges {
            let exceeds = |ceiling: &Ceiling| took.is_none_or(|took| took >= ceiling.limit);
            let exceeded = ceilings.iter().map(exceeds);
            let of_run = exceeded.clone().map(u64::from).map(|exceeded| CeilingCount {
                judged: 1,
                exceeded,
                exceeded_without_lag: exceeded,
                exceeded_without_wait: exceeded,
            });
            CeilingCount::add_each(&mut tally.ceilings, &of_run.collect::<Vec<_>>());
            let failure = SlotCount {
                judged: 1,
                exceeded: u32::from(took.is_none()),
                exceeded_without_lag: 0,
            };
            let counts = exceeded.map(u32::from).map(|exceeded| SlotCount {
                judged: 1,
                exceeded,
                exceeded_without_lag: exceeded,
            });
            let slot = StallHorizon::slot_of(self.horizon.slot, start + *due);
            slots.add(slot, std::iter::once(failure).chain(counts));
            tally.exchanges += 1;
            match took {
                Some(took) => {
                    tally.ok += 1;
                    latency.record(*took);
                }
                None => *tally.failures.entry(Failure::Status).or_default() += 1,
            }
        }
        let mut series = DimensionHistograms::default();
        for dimension in [Dimension::Latency, Dimension::Service, Dimension::FirstByte] {
            series.add(dimension, &latency);
        }
        let interval = Interval {
            scenario: "day".to_owned(),
            request: "tile".to_owned(),
            stage: Stage::Measured,
            start,
            tally: Tally { slots, ..tally },
            series,
            server_timings: ServerTimings::default(),
            samples: Vec::new(),
        };
        self.measurement.add(&interval);
        self.timelines.add(&interval);
        let early = self.watch.observe(&interval, &self.timelines);
        assert!(early.is_none(), "{early:?}");
        interval
    }

    /// Judges the run.
    fn judge(self) -> (Vec<PlannedScenario>, Measurement, Verdict) {
        let Self { plan, mut measurement, timelines, .. } = self;
        verdict::add_block_figures(&plan, &mut measurement, &timelines);
        let context = VerdictContext { timelines, ..VerdictContext::default() };
        let verdict = verdict::judge_in_context(&plan, &measurement, &context);
        (plan, measurement, verdict)
    }
}

/// The exchanges of a second: most took some milliseconds, some ten times as long and few a hundred
/// times.
fn exchanges(rate: usize, random: &mut ChaCha8Rng) -> Vec<Exchange> {
    let due = random.random_range(rate * 9 / 10..=(rate * 11).div_ceil(10));
    let exchange = |at: usize| {
        let due = Duration::from_secs(1).mul_f64(at as f64 / due as f64);
        let factor = [1.0, 1.0, 1.0, 1.0, 10.0, 10.0, 100.0][random.random_range(0..7)];
        let took = Duration::from_secs_f64(factor * random.random_range(0.001..0.008));
        (due, random.random_bool(0.995).then_some(took))
    };
    (0..due).map(exchange).collect()
}

/// What a run of a day took, in KiB.
pub(crate) struct DayFigures {
    /// The resident size after ten minutes.
    pub(crate) first: u64,
    /// How much larger it was in the end.
    pub(crate) growth: u64,
    /// The peak up to the verdict.
    pub(crate) peak: u64,
}

/// Simulates a day at about this number of requests a second, and judges it.
pub(crate) fn run_day(rate: usize) -> DayFigures {
    let resident = || status_kb("self", "VmRSS").unwrap();
    let mut run = LongRun::new(DAY, rate);
    (0..600).for_each(|second| drop(run.second(second)));
    let first = resident();
    (600..DAY).for_each(|second| drop(run.second(second)));
    let growth = resident().saturating_sub(first);
    let (_, _, verdict) = run.judge();
    let [p50, ..] = &*verdict.scenarios[0].budgets else { panic!("{verdict:?}") };
    assert!(p50.evidence.is_some(), "{p50:?}");
    DayFigures { first, growth, peak: status_kb("self", "VmHWM").unwrap() }
}

/// Writes the folder of a run of this many seconds and about this number of requests a second.
pub(crate) fn write_run(root: &Path, seconds: u32, rate: usize) -> Result<RunRecord, StoreError> {
    let mut run = LongRun::new(seconds, rate);
    let draft = RunDraft {
        format: FORMAT,
        id: Uuid::now_v7(),
        provenance: provenance(),
        plan: run.plan.clone(),
        measurement: run.measurement.clone(),
    };
    let mut folder = RunFolder::create(root, &draft)?;
    for second in 0..seconds {
        folder.add(&run.second(second))?;
    }
    let (plan, mut measurement, verdict) = run.judge();
    measurement.elapsed = Duration::from_secs(seconds.into());
    measurement.ending = RunEnding::Complete;
    let RunDraft { format, id, provenance, .. } = draft;
    let record = RunRecord {
        format,
        id,
        provenance,
        plan,
        measurement,
        verdict,
        gate: None,
        comparison: None,
    };
    folder.finish(&record)?;
    Ok(record)
}

fn provenance() -> RunProvenance {
    RunProvenance {
        started: OffsetDateTime::now_utc(),
        tollgate: env!("CARGO_PKG_VERSION").to_owned(),
        host: HostFacts {
            name: "probe".to_owned(),
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            cores: 2,
        },
        command: vec!["tollgate".to_owned(), "run".to_owned()],
        git_commit: None,
        tags: BTreeMap::new(),
    }
}
