//! What the prober keeps of a run of a day.
//!
//! A day passes in seconds: the settled intervals are generated here and passed to the same
//! functions as in a run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark uses it too")]

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tollgate::plan::{Environment, Plan, PlanOverrides};
use tollgate::record::{
    Ceiling, CeilingCount, Dimension, DimensionHistograms, Failure, Histogram, Interval,
    Measurement, PlannedScenario, ServerTimings, SlotCount, SlotCounts, Stage, StallHorizon, Tally,
};
use tollgate::scenario::Scenario;
use tollgate::verdict::{self, EarlyEndWatch, RunTimelines, VerdictContext};

use crate::peak_memory::status_kb;

const DAY: u32 = 24 * 3_600;
/// Seconds that differ. They come again and again, in a random order.
const SECONDS: usize = 400;

/// What the prober keeps of a run of a day.
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
    /// A run of about this number of requests a second.
    fn at(rate: usize) -> Self {
        let scenario = format!(
            "name = \"day\"\nbudgets = [\"p50 < 20ms\", \"p95 < 2s\", \"errors < 1%\"]\n\
             [target]\nbase_url = \"http://tiles.test\"\n\
             [[request]]\nname = \"tile\"\npath = \"/tile\"\n\
             [load]\narrival_rate = \"{rate}/s\"\nduration = \"24h\"\nconnections = 8\n\
             [gate]\nstalls = \"10s\"\n"
        );
        let scenario = Scenario::parse("day.toml", &scenario).unwrap();
        let resolved = Plan::resolve(&[scenario], &Environment::new([]), &PlanOverrides::default());
        let (plan, _) = resolved.unwrap_or_else(|errors| panic!("{errors}"));
        let measurement = plan.empty_measurement();
        let plan: Vec<_> = plan.scenarios.iter().map(|scenario| scenario.shown.clone()).collect();
        let watch = EarlyEndWatch::new(&plan, &measurement, [Duration::from_secs(DAY.into())]);
        let horizon = plan[0].stalls.unwrap();
        let (timelines, mut random) = (RunTimelines::default(), ChaCha8Rng::seed_from_u64(7));
        let seconds = (0..SECONDS).map(|_| exchanges(rate, &mut random)).collect();
        Self { plan, measurement, watch, timelines, horizon, random, seconds }
    }

    /// Simulates one second.
    fn second(&mut self, second: u32) {
        let start = Duration::from_secs(second.into());
        let exchanges = &self.seconds[self.random.random_range(0..SECONDS)];
        let ceilings = &self.measurement.scenarios[0].requests[0].ceilings;
        let (mut latency, mut slots) = (Histogram::default(), SlotCounts::default());
        let mut tally = Tally::default();
        for (due, took) in exchanges {
            let judge = |ceiling: &Ceiling| {
                let exceeded = u64::from(took.is_none_or(|took| took >= ceiling.limit));
                CeilingCount {
                    judged: 1,
                    exceeded,
                    exceeded_without_lag: exceeded,
                    exceeded_without_wait: exceeded,
                }
            };
            let judged: Vec<_> = ceilings.iter().map(judge).collect();
            CeilingCount::add_each(&mut tally.ceilings, &judged);
            let failure = SlotCount {
                judged: 1,
                exceeded: u32::from(took.is_none()),
                exceeded_without_lag: 0,
            };
            let counts = judged.iter().map(|count| SlotCount::from(*count));
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
    let mut run = LongRun::at(rate);
    (0..600).for_each(|second| run.second(second));
    let first = resident();
    (600..DAY).for_each(|second| run.second(second));
    let growth = resident().saturating_sub(first);
    let LongRun { plan, mut measurement, timelines, .. } = run;
    verdict::add_block_figures(&plan, &mut measurement, &timelines);
    let context = VerdictContext { timelines, ..VerdictContext::default() };
    let verdict = verdict::judge_in_context(&plan, &measurement, &context);
    let [p50, ..] = &*verdict.scenarios[0].budgets else { panic!("{verdict:?}") };
    assert!(p50.evidence.is_some(), "{p50:?}");
    DayFigures { first, growth, peak: status_kb("self", "VmHWM").unwrap() }
}
