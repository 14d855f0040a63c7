//! How often a verdict against a learned limit errs. The seeds are fixed, so each test always holds
//! or never.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, Normal};

use super::estimate::RunDurations;
use super::selection::learn;
use crate::record::{BaselineLimit, Budget, Decision};
use crate::verdict::fixture::{FixtureRequest, run, scenario};
use crate::verdict::judge;

const SERIES: usize = 140;
/// Requests of each run.
const REQUESTS: usize = 300;
/// Standard deviation of the logarithm of latency within a run, and of that of whole runs.
const WITHIN: f64 = 0.3;
const BETWEEN: f64 = 0.06;

/// Latencies of one run in microseconds, `shift` being what the logarithms of all of them share.
fn latencies(shift: f64, random: &mut ChaCha8Rng) -> Vec<u64> {
    let latency = LogNormal::new(100_000_f64.ln() + shift, WITHIN).unwrap();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive")]
    (0..REQUESTS).map(|_| latency.sample(random) as u64).collect()
}

/// How many verdicts of [`SERIES`] pass and fail. Each is on a run whose true p95 is `times` that
/// of its `runs` runs of history together.
fn verdicts(times: f64, runs: usize, budget: &str) -> (usize, usize) {
    let mut random = ChaCha8Rng::seed_from_u64(17);
    let between = Normal::new(0.0, BETWEEN).unwrap();
    // The exchanges of all runs together are log-normal too; 1.645 is the normal p95.
    let of_history = 1.645 * WITHIN.hypot(BETWEEN);
    let shift = of_history + times.ln() - 1.645 * WITHIN;
    let decisions: Vec<_> = (0..SERIES)
        .map(|_| {
            let history: Vec<_> = (0..runs)
                .map(|_| {
                    let mut durations = RunDurations::default();
                    let took = latencies(between.sample(&mut random), &mut random);
                    let took = took.into_iter().map(Duration::from_micros);
                    took.for_each(|took| durations.successes.record(took));
                    durations
                })
                .collect();
            decide(&history, &latencies(shift, &mut random), budget.parse().unwrap())
        })
        .collect();
    let number = |decision| decisions.iter().filter(|found| **found == decision).count();
    (number(Decision::Pass), number(Decision::Fail))
}

/// The verdict on a run with these latencies.
fn decide(history: &[RunDurations], took: &[u64], written: Budget) -> Decision {
    let learned = learn(history, written, 1).unwrap();
    let limit = BaselineLimit {
        written,
        runs: Vec::new(),
        exchanges: 0,
        learned: Some(learned),
        obstacle: None,
    };
    let ends = [learned.low, learned.high].map(|end| limit.with_ceiling(end).unwrap().to_string());
    let budgets = [learned.budget.to_string(), ends[0].clone(), ends[1].clone()];
    let tile = FixtureRequest::new("tile", &budgets.each_ref().map(String::as_str)).took(took);
    let (mut plan, measurement) = run(vec![scenario("tiles", &[tile])]);
    plan[0].requests[0].budgets.truncate(1);
    plan[0].requests[0].baselines = vec![limit];
    judge(&plan, &measurement).decision
}

#[test]
fn a_target_at_its_learned_limit_passes_and_fails_no_more_often_than_stated() {
    for (runs, times, budget) in [(5, 1.1, "p95 < baseline + 10%"), (10, 1.0, "p95 < baseline")] {
        let (passes, fails) = verdicts(times, runs, budget);
        let most = SERIES / 20;
        assert!(passes <= most && fails <= most, "{budget}, {runs}: {passes} and {fails}");
    }
}

#[test]
fn a_steady_target_mostly_holds_and_a_much_slower_one_mostly_breaches_a_learned_limit() {
    let (passes, fails) = verdicts(1.0, 10, "p95 < baseline + 40%");
    assert!(passes > SERIES * 8 / 10 && fails == 0, "{passes} and {fails}");
    let (passes, fails) = verdicts(1.6, 10, "p95 < baseline + 10%");
    assert!(passes == 0 && fails > SERIES * 8 / 10, "{passes} and {fails}");
}
