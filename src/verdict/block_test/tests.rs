use std::time::Duration;

use super::*;
use crate::record::{
    ActualQuantile, BudgetVerdict, Decision, DimensionHistograms, Interval, ServerTimings,
    SlotCount, SlotCounts, Stage, StallHorizon, Tally,
};
use crate::units::Rate;
use crate::verdict::evidence::BlockRule;
use crate::verdict::fixture::{FixtureRequest, run, scenario};
use crate::verdict::{VerdictContext, judge_in_context};

const FAST: u64 = 100_000;
const SLOW: u64 = 400_000;

/// The verdict on `p95 < 300ms` for requests of these latencies, 20 a second, in blocks of a
/// second.
fn judged(micros: &[u64]) -> (BudgetVerdict, String) {
    judged_with(FixtureRequest::new("tile", &["p95 < 300ms"]).took(micros), micros, 0)
}

/// The same; the first `by_lag` of the slow requests exceed only because of the prober's lag.
fn judged_with(request: FixtureRequest, micros: &[u64], by_lag: usize) -> (BudgetVerdict, String) {
    let (mut plan, measurement) = run(vec![scenario("tiles", &[request])]);
    let duration = Duration::from_secs(micros.len() as u64 / 20);
    let rate = Rate::per_second(20.0).unwrap();
    plan[0].stalls = Some(StallHorizon::new(Duration::from_secs(1), duration, Some(rate)));
    let mut context = VerdictContext::default();
    let mut slots = SlotCounts::default();
    let mut left = by_lag;
    for (at, took) in micros.iter().enumerate() {
        let over = u32::from(*took >= 300_000);
        let is_lag = over == 1 && left > 0;
        left -= usize::from(is_lag);
        let failures = SlotCount { judged: 1, exceeded: 0, exceeded_without_lag: 0 };
        let without_lag = if is_lag { 0 } else { over };
        let ceiling = SlotCount { judged: 1, exceeded: over, exceeded_without_lag: without_lag };
        let due = Duration::from_millis(50) * u32::try_from(at).unwrap();
        slots.add(StallHorizon::slot_of(Duration::from_millis(20), due), [failures, ceiling]);
    }
    context.timelines.add(&Interval {
        scenario: "tiles".to_owned(),
        request: "tile".to_owned(),
        stage: Stage::Measured,
        start: Duration::ZERO,
        tally: Tally { slots, ..Tally::default() },
        series: DimensionHistograms::default(),
        server_timings: ServerTimings::default(),
        samples: Vec::new(),
    });
    let mut verdict = judge_in_context(&plan, &measurement, &context);
    (verdict.scenarios.remove(0).budgets.remove(0), verdict.rule)
}

fn burst(requests: usize, start: usize, length: usize) -> Vec<u64> {
    let is_slow = |at: &usize| (start..start + length).contains(at);
    (0..requests).map(|at| if is_slow(&at) { SLOW } else { FAST }).collect()
}

#[test]
fn a_clean_run_passes_from_its_67th_block_on_and_states_its_reach() {
    let (verdict, rule) = judged(&vec![FAST; 37 * 20]);
    assert_eq!((verdict.decision, rule.as_str()), (Decision::Inconclusive, BlockRule::NAME));
    assert_eq!(
        verdict.reason.what,
        "p95 is 100 ms: none of 740 requests took 300 ms or longer, 5% may: 37 blocks of 1 s; 67 \
         clean ones prove a p95"
    );
    assert_eq!(
        verdict.reason.next,
        "30 s more with none over the limit would prove that the budget holds"
    );
    assert_eq!(judged(&vec![FAST; 66 * 20]).0.decision, Decision::Inconclusive);
    assert_eq!(judged(&vec![FAST; 67 * 20]).0.decision, Decision::Pass);
    let (verdict, _) = judged(&vec![FAST; 180 * 20]);
    assert_eq!(verdict.decision, Decision::Pass);
    assert!(verdict.reason.what.ends_with("; holds against stalls of up to 2.38 s"), "{verdict:?}");
    let evidence = verdict.evidence.unwrap();
    assert_eq!(evidence.at_horizon.blocks, [(0, 20, 180)]);
    assert_eq!((evidence.at_horizon.length, evidence.longer), (Duration::from_secs(1), None));
}

#[test]
fn one_burst_proves_nothing_even_if_it_exceeds_for_more_requests_than_allowed() {
    let (verdict, _) = judged(&burst(740, 300, 55));
    assert_eq!(verdict.decision, Decision::Inconclusive);
    let what = &verdict.reason.what;
    assert!(what.contains("all in one burst of about 2.7"), "{what}");
    assert!(what.contains("one burst proves nothing"), "{what}");
    assert!(verdict.reason.next.contains("would, at even odds, prove the breach"), "{verdict:?}");
}

#[test]
fn exceedances_spread_over_the_run_prove_a_breach() {
    let is_slow = |at: u64| (at * 7_919 / 13).is_multiple_of(5);
    let micros: Vec<_> = (0..2400).map(|at| if is_slow(at) { SLOW } else { FAST }).collect();
    let (verdict, _) = judged(&micros);
    assert_eq!(verdict.decision, Decision::Fail);
    assert!(verdict.reason.what.contains("; proven by blocks of "), "{verdict:?}");
}

#[test]
fn a_breach_that_the_probers_lag_explains_is_not_the_targets() {
    let micros: Vec<_> = (0..2400).map(|at| if at % 5 == 0 { SLOW } else { FAST }).collect();
    let request = FixtureRequest::new("tile", &["p95 < 300ms"]).took(&micros);
    let (verdict, _) = judged_with(request.of_which_lag_explains(480), &micros, 480);
    assert_eq!(verdict.decision, Decision::Inconclusive);
    assert!(verdict.reason.what.contains("the prober was late"), "{verdict:?}");
}

#[test]
fn the_interval_never_contradicts_the_verdict() {
    let below = |actual| matches!(actual, ActualQuantile::At(value) if value.as_millis() < 300);
    for blocks in [1, 20, 67, 120] {
        for every in [3, 7, 12, 19, 21, 40, 200, usize::MAX] {
            for length in [1, 2, 15] {
                let is_slow = |at: usize| at % every < length && every > length;
                let micros: Vec<_> = (0..blocks * 20)
                    .map(|at| if is_slow(at) && every < usize::MAX { SLOW } else { FAST })
                    .collect();
                let (verdict, _) = judged(&micros);
                let (low, high) = verdict.interval.unwrap();
                let (least, most) = verdict.exceedance.unwrap();
                let allowed = verdict.allowed.unwrap();
                let case = format!("{blocks} {every} {length}: {verdict:?}");
                assert_eq!(verdict.decision == Decision::Pass, below(high), "{case}");
                assert_eq!(verdict.decision == Decision::Fail, !below(low), "{case}");
                assert_eq!(verdict.decision == Decision::Pass, most <= allowed, "{case}");
                assert_eq!(verdict.decision == Decision::Fail, least >= allowed, "{case}");
            }
        }
    }
}

#[test]
fn requests_that_do_not_fill_the_blocks_count_for_less() {
    let horizon = |rate| {
        let rate = Some(Rate::per_second(rate).unwrap());
        StallHorizon::new(Duration::from_secs(1), Duration::from_mins(1), rate)
    };
    assert!((peak_of_slot(&horizon(20.0), 0.25, std::iter::empty()) * 50.0 - 5.0).abs() < 1e-9);
    assert!((peak_of_slot(&horizon(0.2), 1.0, std::iter::empty()) * 50.0 - 1.0).abs() < 1e-9);
}
