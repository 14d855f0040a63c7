use super::*;
use crate::record::{
    BaselineLimit, DimensionHistograms, Interval, LearnedLimit, Measurement, PlannedScenario,
    ServerTimings, SlotCount, SlotCounts, Stage, StallHorizon, Tally,
};
use crate::units::Rate;
use crate::verdict::fixture::{self, FixtureRequest, run, scenario};
use crate::verdict::{VerdictContext, judge_in_context};

const FAST: u64 = 100_000;
const SLOW: u64 = 400_000;

/// A run with `p95 < 300ms`, blocks of a second and 20 requests in each, of which the first ones of
/// each block exceed as often as `over` says.
fn measured(id: u128, over: &[u64], earlier: EarlierEvidence) -> RunRecord {
    measured_with(id, over, earlier, |_, _| {})
}

fn measured_with(
    id: u128,
    over: &[u64],
    earlier: EarlierEvidence,
    change: impl Fn(&mut Vec<PlannedScenario>, &mut Measurement),
) -> RunRecord {
    let latencies = over
        .iter()
        .flat_map(|&over| (0..20).map(move |index| if index < over { SLOW } else { FAST }));
    let latencies: Vec<u64> = latencies.collect();
    let request = FixtureRequest::new("tile", &["p95 < 300ms"]).took(&latencies);
    let (mut plan, mut measurement) = run(vec![scenario("tiles", &[request])]);
    let duration = Duration::from_secs(over.len() as u64);
    let rate = Rate::per_second(20.0).unwrap();
    plan[0].stalls = Some(StallHorizon::new(Duration::from_secs(1), duration, Some(rate)));
    change(&mut plan, &mut measurement);
    let mut context = VerdictContext { earlier, ..VerdictContext::default() };
    context.timelines.add(&interval(&latencies, &[300_000]));
    let verdict = judge_in_context(&plan, &measurement, &context);
    fixture::record_of(id, (plan, measurement), verdict)
}

/// The seconds of a request whose exchanges are counted against these limits in microseconds.
fn interval(latencies: &[u64], limits: &[u64]) -> Interval {
    let mut slots = SlotCounts::default();
    for (at, took) in (0..).zip(latencies) {
        let due = Duration::from_millis(50) * at;
        let counts = limits.iter().map(|limit| {
            let over = u32::from(took >= limit);
            SlotCount { judged: 1, exceeded: over, exceeded_without_lag: over }
        });
        let failures = SlotCount { judged: 1, ..SlotCount::default() };
        let counts = std::iter::once(failures).chain(counts);
        slots.add(StallHorizon::slot_of(Duration::from_millis(20), due), counts);
    }
    Interval {
        scenario: "tiles".to_owned(),
        request: "tile".to_owned(),
        stage: Stage::Measured,
        start: Duration::ZERO,
        tally: Tally { slots, ..Tally::default() },
        series: DimensionHistograms::default(),
        server_timings: ServerTimings::default(),
        samples: Vec::new(),
    }
}

fn none() -> EarlierEvidence {
    EarlierEvidence::default()
}

#[test]
fn two_inconclusive_halves_of_a_clean_run_pass_together() {
    let first = measured(1, &[0; 37], none());
    assert_eq!(
        (first.verdict.decision, continuation_obstacle(&first)),
        (Decision::Inconclusive, None)
    );
    assert_eq!(more_time(&first), Some(Duration::from_secs(30)));
    let short = measured(2, &[0; 29], EarlierEvidence::of(&first));
    assert_eq!(short.verdict.decision, Decision::Inconclusive);
    assert_eq!(more_time(&short), Some(Duration::from_secs(1)));
    let what = &short.verdict.scenarios[0].budgets[0].reason.what;
    assert!(
        what.ends_with("66 blocks of 1 s, 37 of them of 1 earlier run; 67 clean ones prove a p95"),
        "{what}"
    );
    let second = measured(2, &[0; 30], EarlierEvidence::of(&first));
    assert_eq!(second.verdict.decision, Decision::Pass);
    assert_eq!(second.verdict.continues, [Uuid::from_u128(1)]);
    let budget = &second.verdict.scenarios[0].budgets[0];
    assert!(
        budget
            .reason
            .what
            .ends_with("holds against stalls of up to 1 s, with the evidence of 1 earlier run"),
        "{}",
        budget.reason.what
    );
    let reach = budget.evidence.as_ref().and_then(|evidence| evidence.reach);
    assert_eq!(reach, Some(Duration::from_secs(1)));
}

#[test]
fn a_chain_of_runs_counts_each_of_them_once() {
    let first = measured(1, &[0; 22], none());
    let second = measured(2, &[0; 22], EarlierEvidence::of(&first));
    let earlier = EarlierEvidence::of(&second);
    assert_eq!(earlier.runs(), [1, 2].map(Uuid::from_u128));
    assert_eq!(measured(3, &[0; 22], earlier.clone()).verdict.decision, Decision::Inconclusive);
    let third = measured(3, &[0; 23], earlier);
    assert_eq!(third.verdict.decision, Decision::Pass);
    let evidence = third.verdict.scenarios[0].budgets[0].evidence.as_ref().unwrap();
    let blocks = |blocks: &EarlierBlocks| (blocks.run, blocks.at_horizon.blocks.clone());
    let earlier: Vec<_> = evidence.earlier.iter().map(blocks).collect();
    assert_eq!(earlier, [1, 2].map(|run| (Uuid::from_u128(run), vec![(0, 20, 22)])));
    let json = serde_json::to_string(&third).unwrap();
    assert_eq!(serde_json::from_str::<RunRecord>(&json).unwrap(), third);
}

#[test]
fn a_breach_may_need_the_evidence_of_both_runs() {
    let counts = [0, 3, 0, 4, 1, 0, 5, 0];
    let first = measured(1, &counts.repeat(3), none());
    assert_eq!(first.verdict.decision, Decision::Inconclusive);
    let second = measured(2, &counts.repeat(3), EarlierEvidence::of(&first));
    let third = measured(3, &counts.repeat(6), EarlierEvidence::of(&second));
    assert_eq!(third.verdict.decision, Decision::Fail);
}

#[test]
fn the_intervals_follow_from_the_evidence_of_all_runs() {
    let first = measured(1, &[0; 37], none());
    let second = measured(2, &[0; 30], EarlierEvidence::of(&first));
    let alone = measured(2, &[0; 67], none());
    let high = |run: &RunRecord| run.verdict.scenarios[0].budgets[0].exceedance.unwrap().1;
    assert!((high(&second).as_f64() - high(&alone).as_f64()).abs() < 1e-9);
}

#[test]
fn what_is_decided_or_not_believed_cannot_be_continued() {
    let obstacle = |run: &RunRecord| continuation_obstacle(run).unwrap();
    let pass = measured(1, &[0; 67], none());
    assert_eq!(obstacle(&pass), "it passed, and a verdict is final");
    let fail = measured(1, &[12; 67], none());
    assert_eq!(obstacle(&fail), "it failed, and a verdict is final");
    let cut = measured_with(1, &[0; 37], none(), |_, run| run.ending = RunEnding::Interrupted);
    assert_eq!(obstacle(&cut), "the run was interrupted after 12 s");
    let unsent = measured_with(1, &[0; 37], none(), |_, run| run.scenarios[0].unreleased = 2);
    assert!(obstacle(&unsent).starts_with("the prober could not send 2 of"));
    let late = measured_with(1, &[0, 1].repeat(18), none(), |_, run| {
        let tally = &mut run.scenarios[0].requests[0].measured.tally;
        tally.ceilings[0].exceeded_without_lag = 0;
    });
    assert_eq!(
        obstacle(&late),
        "the prober was late: its lag explains exceedances of `p95 < 300ms`"
    );
    let counted = measured_with(1, &[0; 2], none(), |plan, _| plan[0].stalls = None);
    assert_eq!(obstacle(&counted), "no budget of it was decided by blocks of time");
}

#[test]
fn an_exceedance_as_often_as_allowed_is_settled_by_no_time() {
    let close = measured(1, &[1; 37], none());
    assert_eq!((close.verdict.decision, more_time(&close)), (Decision::Inconclusive, None));
}

/// A run of half a minute, each second with one slow request, whose `p95 < baseline + 10%` has a
/// limit from 300 ms to 500 ms: between its ends, nothing is decided.
fn measured_by_learned_limit(id: u128, earlier: EarlierEvidence) -> RunRecord {
    let latencies: Vec<u64> =
        (0..600).map(|index| if index % 20 == 0 { SLOW } else { FAST }).collect();
    let ends = ["p95 < 300ms", "p95 < 500ms"];
    let request = FixtureRequest::new("tile", &ends).took(&latencies);
    let (mut plan, measurement) = run(vec![scenario("tiles", &[request])]);
    let (rate, duration) = (Rate::per_second(20.0).unwrap(), Duration::from_secs(30));
    plan[0].stalls = Some(StallHorizon::new(Duration::from_secs(1), duration, Some(rate)));
    let request = &mut plan[0].requests[0];
    request.budgets.truncate(1);
    let [low, high] = [300, 500].map(Duration::from_millis);
    request.baselines = vec![BaselineLimit {
        written: "p95 < baseline + 10%".parse().unwrap(),
        runs: Vec::new(),
        exchanges: 0,
        learned: Some(LearnedLimit { budget: request.budgets[0], baseline: low, low, high }),
        obstacle: None,
    }];
    let mut context = VerdictContext { earlier, ..VerdictContext::default() };
    context.timelines.add(&interval(&latencies, &[300_000, 500_000]));
    let verdict = judge_in_context(&plan, &measurement, &context);
    fixture::record_of(id, (plan, measurement), verdict)
}

#[test]
fn a_learned_limit_keeps_the_evidence_at_each_of_its_ends_and_a_continuation_adds_to_both() {
    let sides = |run: &RunRecord| {
        let budget = run.verdict.scenarios[0].budgets[0].clone();
        assert_eq!(budget.decision, Decision::Inconclusive);
        [budget.evidence.unwrap(), budget.fail_evidence.unwrap()]
    };
    let first = measured_by_learned_limit(1, none());
    let [at_low, at_high] = sides(&first);
    assert_eq!(at_low.at_horizon.blocks, [(1, 20, 30)]);
    assert_eq!(at_high.at_horizon.blocks, [(0, 20, 30)]);
    let second = measured_by_learned_limit(2, EarlierEvidence::of(&first));
    assert_eq!(second.verdict.continues, [first.id]);
    for (before, now) in [at_low, at_high].into_iter().zip(sides(&second)) {
        assert_eq!(now.earlier.len(), 1);
        assert_eq!(now.earlier[0].at_horizon, before.at_horizon);
        assert_eq!(now.at_horizon, before.at_horizon);
    }
}
