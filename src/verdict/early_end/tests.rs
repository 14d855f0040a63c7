use super::*;
use crate::record::{
    BaselineLimit, CeilingCount, DimensionHistograms, Failure, GatePolicy, LearnedLimit,
    ServerTimings, SlotCounts,
};
use crate::units::Rate;
use crate::verdict::fixture::{FixtureRequest, run, scenario};

/// A run of 120 s with 20 requests a second to each request, in blocks of a second.
struct WatchedRun {
    watch: EarlyEndWatch,
    timelines: RunTimelines,
}

/// What the requests of a second did.
#[derive(Debug, Clone, Copy, Default)]
struct SecondCounts {
    over: u32,
    /// Those that exceed the second ceiling too, if there is one.
    over_higher: u32,
    by_lag: u32,
    failed: u32,
}

impl WatchedRun {
    fn of(scenarios: &[(&str, &[FixtureRequest])]) -> Self {
        let wishes = vec![StopEarly::Fail; scenarios.len()];
        Self::with(&wishes, scenarios)
    }

    fn with(wishes: &[StopEarly], scenarios: &[(&str, &[FixtureRequest])]) -> Self {
        let gate = |&stop_early: &StopEarly| GatePolicy { stop_early, ..GatePolicy::default() };
        Self::under(&wishes.iter().map(gate).collect::<Vec<_>>(), scenarios)
    }

    /// A request whose `p50 < baseline + 10%` has a limit from 300 ms to 500 ms.
    fn learned(stop_early: StopEarly) -> Self {
        let ends = FixtureRequest::new("tile", &["p50 < 300ms", "p50 < 500ms"]);
        let gate = GatePolicy { stop_early, ..GatePolicy::default() };
        Self::changed(&[gate], &[("tiles", &[ends])], |plan| {
            let request = &mut plan[0].requests[0];
            request.budgets.truncate(1);
            let ends = [Duration::from_millis(300), Duration::from_millis(500)];
            request.baselines = vec![learned_limit(request.budgets[0], ends)];
        })
    }

    fn under(gates: &[GatePolicy], scenarios: &[(&str, &[FixtureRequest])]) -> Self {
        Self::changed(gates, scenarios, |_| ())
    }

    fn changed(
        gates: &[GatePolicy],
        scenarios: &[(&str, &[FixtureRequest])],
        change: impl Fn(&mut [PlannedScenario]),
    ) -> Self {
        let duration = Duration::from_mins(2);
        let (mut plan, mut empty) =
            run(scenarios.iter().map(|(name, requests)| scenario(name, requests)).collect());
        let rate = Some(Rate::per_second(20.0).unwrap());
        for (planned, gate) in plan.iter_mut().zip(gates) {
            planned.gate = gate.clone();
            planned.stalls = Some(StallHorizon::new(Duration::from_secs(1), duration, rate));
        }
        change(&mut plan);
        empty = empty.without_counts();
        let watch = EarlyEndWatch::new(&plan, &empty, plan.iter().map(|_| duration));
        Self { watch, timelines: RunTimelines::default() }
    }

    fn second(
        &mut self,
        name: (&str, &str),
        second: u32,
        counts: SecondCounts,
    ) -> Option<EarlyEnd> {
        let SecondCounts { over, over_higher, by_lag, failed } = counts;
        let mut slots = SlotCounts::default();
        for index in 0..20 {
            let due = Duration::from_secs(second.into()) + Duration::from_millis(50) * index;
            let failures = SlotCount {
                judged: 1,
                exceeded: u32::from(index < failed),
                exceeded_without_lag: 0,
            };
            let exceeded = u32::from(index < over);
            let exceeded_without_lag = u32::from((by_lag..over).contains(&index));
            let ceiling = SlotCount { judged: 1, exceeded, exceeded_without_lag };
            let exceeded = u32::from(index < over_higher);
            let higher = SlotCount { judged: 1, exceeded, exceeded_without_lag: exceeded };
            let slot = StallHorizon::slot_of(Duration::from_millis(20), due);
            slots.add(slot, [failures, ceiling, higher]);
        }
        let ceilings = [over, over_higher].map(|over| CeilingCount {
            judged: 20,
            exceeded: over.into(),
            ..CeilingCount::default()
        });
        let interval = Interval {
            scenario: name.0.to_owned(),
            request: name.1.to_owned(),
            stage: Stage::Measured,
            start: Duration::from_secs(3 + u64::from(second)),
            tally: Tally {
                exchanges: 20,
                ok: u64::from(20 - failed),
                failures: [(Failure::Refused, u64::from(failed))].into(),
                ceilings: ceilings.into(),
                slots,
                ..Tally::default()
            },
            series: DimensionHistograms::default(),
            server_timings: ServerTimings::default(),
            samples: Vec::new(),
        };
        self.timelines.add(&interval);
        self.watch.observe(&interval, &self.timelines)
    }

    /// The first end within the planned time.
    fn end(
        &mut self,
        name: (&str, &str),
        counts: impl Fn(u32) -> SecondCounts,
    ) -> Option<EarlyEnd> {
        (0..120).find_map(|second| self.second(name, second, counts(second)))
    }
}

fn tile(budget: &str) -> FixtureRequest {
    FixtureRequest::new("tile", &[budget])
}

const TILE: (&str, &str) = ("tiles", "tile");

fn over(over: u32) -> SecondCounts {
    SecondCounts { over, ..SecondCounts::default() }
}

#[test]
fn a_proven_breach_ends_the_run_after_30_blocks_and_says_so() {
    let mut run = WatchedRun::of(&[("tiles", &[tile("p95 < 300ms")])]);
    let end = run.end(TILE, |_| over(12)).unwrap();
    assert_eq!(
        end.words(),
        "ended early after 30 s of 120 s: the breach of p95 < 300ms by `tile` is proven"
    );
}

#[test]
fn a_run_that_meets_its_budgets_is_not_ended() {
    for every in [0, 1] {
        let mut run = WatchedRun::of(&[("tiles", &[tile("p95 < 300ms")])]);
        assert_eq!(run.end(TILE, |_| over(every)), None);
    }
}

#[test]
fn failures_end_a_run_by_a_budget_on_errors() {
    let mut run = WatchedRun::of(&[("tiles", &[tile("errors < 1%")])]);
    let end = run.end(TILE, |_| SecondCounts { failed: 4, ..over(0) }).unwrap();
    assert_eq!(end.breach.unwrap().budget, "errors < 1%");
}

#[test]
fn what_the_prober_delayed_itself_ends_no_run() {
    let mut run = WatchedRun::of(&[("tiles", &[tile("p95 < 300ms")])]);
    assert_eq!(run.end(TILE, |_| SecondCounts { by_lag: 12, ..over(12) }), None);
}

#[test]
fn one_breach_ends_a_run_of_several_scenarios() {
    let mut run = WatchedRun::of(&[
        ("tiles", &[tile("p95 < 300ms")]),
        ("pages", &[FixtureRequest::new("page", &["p95 < 300ms"])]),
    ]);
    let end = (0..120).find_map(|second| {
        run.second(TILE, second, over(0)).or_else(|| run.second(("pages", "page"), second, over(9)))
    });
    let breach = end.unwrap().breach.unwrap();
    assert_eq!((breach.scenario.as_str(), breach.request.as_str()), ("pages", "page"));
}

#[test]
fn a_run_is_never_ended_early_if_one_scenario_says_so() {
    let tiles = [tile("p95 < 300ms")];
    for wishes in [[StopEarly::Never, StopEarly::Fail], [StopEarly::Both, StopEarly::Never]] {
        let mut run = WatchedRun::with(&wishes, &[("tiles", &tiles), ("pages", &tiles)]);
        assert_eq!(run.end(TILE, |_| over(20)), None);
    }
}

#[test]
fn scenarios_of_which_one_may_fail_once_are_all_measured_to_the_end() {
    let tiles = [tile("p95 < 300ms")];
    let with = |scenarios: &[&str], fail_after| {
        let scenarios: Vec<_> = scenarios.iter().map(|name| (*name, &tiles[..])).collect();
        let gate = GatePolicy { fail_after, ..GatePolicy::default() };
        WatchedRun::under(&vec![gate; scenarios.len()], &scenarios).end(TILE, |_| over(20))
    };
    assert_eq!(with(&["tiles", "pages"], 2), None);
    assert!(with(&["tiles", "pages"], 1).is_some() && with(&["tiles"], 2).is_some());
}

#[test]
fn a_clear_pass_ends_the_run_only_if_asked_for() {
    let p75 = || [tile("p75 < 300ms")];
    let clean = |wish| WatchedRun::with(&[wish], &[("tiles", &p75())]).end(TILE, |_| over(0));
    let end = clean(StopEarly::Both).unwrap();
    assert_eq!(end.words(), "ended early after 30 s of 120 s: every budget is proven to hold");
    assert_eq!(clean(StopEarly::Fail), None);
}

#[test]
fn a_pass_needs_every_request_of_every_scenario() {
    let tiles = [tile("p75 < 300ms")];
    let both = [StopEarly::Both; 2];
    let mut run = WatchedRun::with(&both, &[("tiles", &tiles), ("pages", &tiles)]);
    assert_eq!(run.end(TILE, |_| over(0)), None, "nothing is known of the other scenario");
    let mut run = WatchedRun::with(&both, &[("tiles", &tiles), ("pages", &tiles)]);
    let end = (0..120).find_map(|second| {
        run.second(TILE, second, over(0)).or_else(|| run.second(("pages", "tile"), second, over(5)))
    });
    assert_eq!(end, None, "the other one exceeds as often as allowed");
    let failing = [FixtureRequest::new("tile", &["p75 < 300ms", "errors = 0"])];
    let mut run = WatchedRun::with(&both[..1], &[("tiles", &failing)]);
    assert_eq!(run.end(TILE, |_| SecondCounts { failed: 1, ..over(0) }), None);
}

#[test]
fn a_budget_that_allows_none_ends_no_run() {
    let mut run = WatchedRun::of(&[("tiles", &[tile("max < 300ms")])]);
    assert_eq!(run.end(TILE, |_| over(20)), None);
}

#[test]
fn a_budget_that_has_no_limit_yet_keeps_a_run_from_ending_on_a_pass() {
    let end = |budgets: &[&str]| {
        let tile = FixtureRequest::new("tile", budgets);
        WatchedRun::with(&[StopEarly::Both], &[("tiles", &[tile])]).end(TILE, |_| over(0))
    };
    assert!(end(&["p50 < 300ms"]).is_some());
    assert!(end(&["p50 < 300ms", "p50 < baseline + 10%"]).is_none());
}

#[test]
fn a_breach_of_a_learned_limit_is_proven_at_its_upper_end_only() {
    let above_lower = over(20);
    assert_eq!(WatchedRun::learned(StopEarly::Fail).end(TILE, |_| above_lower), None);
    let above_both = SecondCounts { over_higher: 20, ..above_lower };
    let words = WatchedRun::learned(StopEarly::Fail).end(TILE, |_| above_both).unwrap().words();
    assert!(words.ends_with("the breach of p50 < 300ms by `tile` is proven"), "{words}");
}

#[test]
fn a_pass_of_a_learned_limit_is_proven_at_its_lower_end_only() {
    let end = |counts| WatchedRun::learned(StopEarly::Both).end(TILE, |_| counts);
    assert_eq!(end(over(10)), None, "half are above the lower end, and none above the upper one");
    assert!(end(over(0)).is_some_and(|end| end.breach.is_none()));
}

fn learned_limit(budget: Budget, [low, high]: [Duration; 2]) -> BaselineLimit {
    BaselineLimit {
        written: "p50 < baseline + 10%".parse().unwrap(),
        runs: Vec::new(),
        exchanges: 0,
        learned: Some(LearnedLimit { budget, baseline: low, low, high }),
        obstacle: None,
    }
}
