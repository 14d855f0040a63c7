//! How often the interval of a search holds the truth, for simulated targets of known capacity.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "slots and seconds are small and not negative"
)]

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp, LogNormal};

use super::*;
use crate::units::Ratio;
use crate::verdict::binomial::{ErrorRate, ExceedanceCount};
use crate::verdict::evidence::{BlockFinding, BlockRule, ExceedanceSlots, RunBlocks};

const CEILING: f64 = 0.3;
const ALLOWED: f64 = 0.05;
const SLOT: f64 = 0.02;
/// The share of requests that fail for reasons of their own.
const FAILURES: f64 = 1.0 / 300.0;
/// 160 ms, which is the default for steps of 30 s and a p95.
const HORIZON: usize = 8;

/// A queue in front of some workers, as in M/G/c, with even or random arrivals.
#[derive(Debug, Clone, Copy)]
struct Target {
    workers: usize,
    /// Median time of service in seconds, and how much it varies (σ of its logarithm).
    service: f64,
    sigma: f64,
    /// Whether arrivals are random.
    is_random: bool,
    /// A stall of 0.2 s comes this often a second; no worker works while it lasts.
    stalls: f64,
    /// The largest rate at which at most the allowed share of requests is too slow or fails in the
    /// long run: bisected with 50,000 s of simulated load, which is exact to about 0.1/s.
    truth: f64,
}

const TARGETS: [Target; 4] = [
    Target { workers: 1, service: 0.02, sigma: 0.0, is_random: false, stalls: 0.0, truth: 50.0 },
    Target { workers: 1, service: 0.02, sigma: 0.8, is_random: true, stalls: 0.0, truth: 26.2 },
    Target { workers: 4, service: 0.08, sigma: 0.3, is_random: false, stalls: 0.05, truth: 47.0 },
    Target { workers: 2, service: 0.05, sigma: 0.5, is_random: true, stalls: 0.03, truth: 27.9 },
];

impl Target {
    /// When each request was due and how long it took, in seconds, for `duration` from an empty
    /// queue.
    fn latencies(self, rate: f64, duration: f64, random: &mut ChaCha8Rng) -> Vec<(f64, f64)> {
        let service = LogNormal::new(self.service.ln(), self.sigma).unwrap();
        let pauses = Exp::new(rate).unwrap();
        let stalls = Exp::new(self.stalls.max(1e-9)).unwrap();
        let mut stall = stalls.sample(random);
        let mut free = vec![0.0_f64; self.workers];
        let mut due = 0.0;
        let mut all = Vec::new();
        while due < duration {
            let worker = free.iter_mut().min_by(|one, two| one.total_cmp(two)).unwrap();
            let mut begin = worker.max(due);
            while begin >= stall {
                begin = begin.max(stall + 0.2);
                stall += 0.2 + stalls.sample(random);
            }
            *worker = begin + service.sample(random);
            all.push((due, *worker - due));
            due += if self.is_random { pauses.sample(random) } else { 1.0 / rate };
        }
        all
    }
}

/// The runs of a step, as they are judged: blocks, and whether latency kept rising.
fn measure(target: Target, step: SearchStep, random: &mut ChaCha8Rng) -> (RunBlocks, bool) {
    let (rate, seconds) = (step.rate.as_per_second(), step.duration.as_secs_f64());
    let mut counts = vec![ExceedanceCount::default(); (seconds / SLOT).round() as usize];
    let mut by_second = vec![Vec::new(); seconds.round() as usize];
    let mut late = Vec::new();
    for (due, latency) in target.latencies(rate, seconds, random) {
        let exceeds = latency >= CEILING || random.random::<f64>() < FAILURES;
        let slot = &mut counts[(due / SLOT) as usize];
        slot.of += 1;
        slot.over += u64::from(exceeds);
        by_second[due as usize].push(latency);
        late.push(latency);
    }
    let median = |latencies: &mut Vec<f64>| {
        latencies.sort_by(f64::total_cmp);
        latencies.get(latencies.len() / 2).map(|latency| Duration::from_secs_f64(*latency))
    };
    let medians: Vec<_> = by_second.iter_mut().map(median).collect();
    late.sort_by(f64::total_cmp);
    let p95 = Duration::from_secs_f64(late[late.len() * 95 / 100]);
    let ceiling = Duration::from_secs_f64(CEILING);
    let rises = RisingLatency::of(&medians).and_then(|trend| trend.time_to(ceiling, p95)).is_some();
    let peak = (rate * SLOT).max(1.0 / HORIZON as f64);
    (RunBlocks::of(&ExceedanceSlots::new(counts, peak), HORIZON), rises)
}

/// The answer of a whole search on a target.
fn searched(target: Target, bounds: SearchBounds, random: &mut ChaCha8Rng) -> RateInterval {
    let error_rate = ErrorRate::STATED.shared_by(bounds.most_steps());
    let rule = BlockRule { horizon: HORIZON, budgets: 1, error_rate };
    let mut search = RateSearch::new(bounds);
    let mut blocks = Vec::new();
    loop {
        let step = match search.next() {
            NextStep::Done(interval) => return interval,
            NextStep::Measure(step) => step,
        };
        if !step.continues {
            blocks.clear();
        }
        let (run, rises) = measure(target, step, random);
        blocks.push(run);
        let decision = match rule.test(&blocks, Ratio::new(ALLOWED).unwrap()) {
            BlockFinding::Holds if !rises => Decision::Pass,
            BlockFinding::Breached => Decision::Fail,
            _ => Decision::Inconclusive,
        };
        search.judged(decision, String::new());
    }
}

#[test]
fn the_interval_holds_the_truth_in_at_least_95_of_100_simulated_searches() {
    let mut random = ChaCha8Rng::seed_from_u64(16);
    let (mut right, mut found, mut widths) = (0, 0, Vec::new());
    let mut wrong = Vec::new();
    for target in TARGETS {
        let truth = target.truth;
        for _ in 0..25 {
            let lowest = Rate::per_second(truth * random.random_range(0.1..0.6)).unwrap();
            let limit = Rate::per_second(truth * random.random_range(1.2..3.0)).unwrap();
            let bounds = SearchBounds::new(lowest, limit, Duration::from_secs(30), 1.1).unwrap();
            let interval = searched(target, bounds, &mut random);
            let within = interval.within.map_or(0.0, Rate::as_per_second);
            let over =
                interval.over.as_ref().map_or(f64::INFINITY, |over| over.rate.as_per_second());
            if within <= truth && truth < over {
                right += 1;
            } else {
                wrong.push(format!("{target:?}: {interval:?}"));
            }
            if interval.ending == SearchEnding::Found {
                found += 1;
                widths.push(over / within);
            }
        }
    }
    widths.sort_by(f64::total_cmp);
    let middle = widths[widths.len() / 2];
    assert!(right >= 95, "{right} of 100: {wrong:#?}");
    assert!(found >= 90 && middle <= 1.2, "{found} found, median width {middle}");
}
