use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::record::{
    BaselineLimit, BaselineWindow, Decision, IMPORTED_TAG, PlannedDuet, PlannedScenario, RunRecord,
    ShardRecord, ShardSharing,
};
use crate::verdict::fixture::{FixtureRequest, record_of, run, scenario};
use crate::verdict::judge;

const BUDGET: &str = "p95 < baseline + 10%";
const HERE: HistoryWords<'_> = HistoryWords { place: "in runs", unreadable: None };

/// A run of 100 requests that took this long each, with only a relative budget, which has no limit.
fn first_run(millis: u64) -> RunRecord {
    let tile = FixtureRequest::new("tile", &[BUDGET]).took(&[millis * 1_000; 100]);
    let (plan, measurement) = run(vec![scenario("tiles", &[tile])]);
    let verdict = judge(&plan, &measurement);
    record_of(1, (plan, measurement), verdict)
}

fn passed(millis: u64) -> RunRecord {
    let mut record = first_run(millis);
    let verdict = &mut record.verdict.scenarios[0];
    (verdict.decision, verdict.without_limits) = (Decision::Pass, None);
    record
}

fn limit_of(earlier: &[RunRecord]) -> BaselineLimit {
    limit_in_window(earlier, BaselineWindow::default())
}

fn limit_in_window(earlier: &[RunRecord], window: BaselineWindow) -> BaselineLimit {
    limit_among(earlier, window, 1)
}

/// The limit in a run that tests so many budgets.
fn limit_among(earlier: &[RunRecord], window: BaselineWindow, tested: usize) -> BaselineLimit {
    let planned: PlannedScenario = first_run(1).plan.remove(0);
    let mut runs = BaselineRuns::new(&planned, (None, ""), window);
    for run in earlier {
        runs.add(run);
    }
    let tile = &planned.requests[0];
    runs.limit(tile, tile.budgets[0], (tested, HERE)).unwrap()
}

fn obstacle(limit: &BaselineLimit) -> String {
    limit.obstacle.as_ref().map(|why| why.what.clone()).unwrap_or_default()
}

#[test]
fn a_limit_is_the_quantile_of_all_runs_together_with_the_margin() {
    let limit = limit_of(&vec![passed(210); 10]);
    let learned = limit.learned.unwrap();
    assert_eq!(limit.budget().to_string(), "p95 < 231ms");
    assert_eq!(limit.origin().unwrap(), "baseline 210 ms of 10 runs + 10%");
    // Runs that do not differ leave no doubt; the ends are within a bucket of the histogram.
    assert!(learned.low.as_millis() >= 230 && learned.high.as_micros() <= 231_300, "{learned:?}");
    assert_eq!((limit.runs.len(), limit.exchanges), (10, 1_000));
}

#[test]
fn runs_that_differ_widen_the_range_of_the_limit_and_a_narrower_error_rate_widens_it_more() {
    let runs: Vec<_> = [180, 190, 200, 210, 220, 230].map(passed).into();
    let learned = limit_of(&runs).learned.unwrap();
    let (_, limit) = learned.budget.ceiling().unwrap();
    assert!(learned.low < limit.mul_f64(0.97) && learned.high > limit.mul_f64(1.03), "{learned:?}");
    let narrower = limit_among(&runs, BaselineWindow::default(), 8).learned.unwrap();
    assert!(narrower.high > learned.high, "{narrower:?}");
}

#[test]
fn only_as_many_runs_as_the_window_has_count_and_none_before_its_start() {
    let runs: Vec<_> = [vec![passed(100); 6], vec![passed(900); 9]].concat();
    let window = BaselineWindow { runs: 6, since: None };
    let limit = limit_in_window(&runs, window);
    assert_eq!(limit.budget().to_string(), "p95 < 110ms");
    let late = Some(datetime!(2026-11-24 0:00 UTC));
    let window = BaselineWindow { since: late, ..BaselineWindow::default() };
    assert!(obstacle(&limit_in_window(&runs, window)).contains("0 runs"));
}

#[test]
fn fewer_than_five_runs_or_too_few_requests_give_no_limit_and_say_what_is_missing() {
    let limit = limit_of(&vec![passed(210); 4]);
    assert_eq!(limit.budget().to_string(), BUDGET);
    let reason = limit.obstacle.unwrap();
    assert!(reason.what.contains("needs 5 passing runs, and 4 runs of this"), "{}", reason.what);
    assert!(reason.next.starts_with("keep runs in runs until there are 5"), "{}", reason.next);
    let mut short = passed(210);
    let tile = FixtureRequest::new("tile", &[BUDGET]).took(&[210_000; 7]);
    short.measurement.scenarios = run(vec![scenario("tiles", &[tile])]).1.scenarios;
    let words = obstacle(&limit_of(&vec![short; 5]));
    assert!(words.contains("have 35 requests, and p95 needs 400"), "{words}");
}

#[test]
fn runs_that_failed_or_are_not_alike_never_enter_a_baseline() {
    let same = passed(210);
    let alter = |change: &dyn Fn(&mut RunRecord)| {
        let mut record = same.clone();
        change(&mut record);
        record
    };
    let sharing = ShardSharing {
        of: 2,
        start: datetime!(2026-11-23 18:00 UTC),
        parts: vec![ShardRecord {
            shard: 1,
            run: Uuid::from_u128(2),
            host: "h".to_owned(),
            clock: None,
        }],
        lost: Vec::new(),
    };
    let duet = PlannedDuet { side: crate::record::DuetSide::A, other: "b".to_owned(), seed: 1 };
    let tag = |record: &mut RunRecord, key: &str| {
        record.provenance.tags.insert(key.to_owned(), "x".to_owned());
    };
    let others = [
        alter(&|run| run.verdict.scenarios[0].decision = Decision::Fail),
        alter(&|run| run.plan[0].load = "open, 40/s constant for 10s".to_owned()),
        alter(&|run| run.plan[0].warmup = "8 connections, 8 requests".to_owned()),
        alter(&|run| run.plan[0].duet = Some(duet.clone())),
        alter(&|run| tag(run, "environment")),
        alter(&|run| tag(run, IMPORTED_TAG)),
        alter(&|run| run.measurement.sharing = Some(sharing.clone())),
        alter(&|run| run.measurement.scenarios[0].protocols = vec!["HTTP/2".to_owned()]),
        alter(&|run| run.plan[0].name = "other".to_owned()),
    ];
    for other in others {
        let failed = other.verdict.scenarios[0].decision == Decision::Fail;
        let mut other = other;
        if failed {
            other.verdict.scenarios[0].without_limits = None;
        }
        let runs = [vec![same.clone()], vec![other; 9]].concat();
        let words = obstacle(&limit_of(&runs));
        assert!(words.contains("and 1 run of this"), "{words}");
    }
    let longer = alter(&|run| run.plan[0].load = "open, 20/s constant for 3m".to_owned());
    assert!(limit_of(&vec![longer; 5]).learned.is_some());
}

#[test]
fn a_first_run_is_inconclusive_and_still_enters_the_baseline_unless_a_request_failed() {
    let first = first_run(210);
    let judged = &first.verdict.scenarios[0];
    assert_eq!(judged.decision, Decision::Inconclusive);
    assert_eq!(judged.without_limits, Some(Decision::Pass));
    assert!(limit_of(&vec![first; 5]).learned.is_some());
    let tile = FixtureRequest::new("tile", &[BUDGET]).took(&[210_000; 99]).refused(1);
    let (plan, measurement) = run(vec![scenario("tiles", &[tile])]);
    let judged = judge(&plan, &measurement);
    assert_eq!(judged.decision, Decision::Inconclusive);
    assert_eq!(judged.scenarios[0].without_limits, Some(Decision::Fail));
}

#[test]
fn a_plan_whose_history_was_never_read_is_inconclusive_with_a_remedy() {
    let first = first_run(210);
    let budget = &first.verdict.scenarios[0].budgets[0];
    assert_eq!(budget.reason.what, "no limit: this command reads no earlier runs");
    assert!(!budget.reason.next.is_empty());
}

#[test]
fn the_reason_names_the_limit_its_range_and_where_it_comes_from() {
    let limit = limit_of(&[180, 190, 200, 210, 220, 230].map(passed));
    let learned = limit.learned.unwrap();
    let ends = [learned.low, learned.high].map(|end| limit.with_ceiling(end).unwrap().to_string());
    let decided = |millis: u64| {
        let texts = [learned.budget.to_string(), ends[0].clone(), ends[1].clone()];
        let tile = FixtureRequest::new("tile", &texts.each_ref().map(String::as_str));
        let tile = tile.took(&[millis * 1_000; 200]);
        let (mut plan, measurement) = run(vec![scenario("tiles", &[tile])]);
        plan[0].requests[0].budgets.truncate(1);
        plan[0].requests[0].baselines = vec![limit.clone()];
        let budget = judge(&plan, &measurement).scenarios.remove(0).budgets.remove(0);
        assert_eq!(budget.budget, learned.budget);
        (budget.decision, budget.reason.what)
    };
    let (held, words) = decided(150);
    assert!(words.contains("; the limit is 253 ms ("), "{words}");
    assert!(words.ends_with("): baseline 230 ms of 6 runs + 10%"), "{words}");
    let (between, why) = decided(253);
    assert!(why.contains("; not proven to be 2"), "{why}");
    let breached = decided(400).0;
    assert_eq!([held, between, breached], [Decision::Pass, Decision::Inconclusive, Decision::Fail]);
}
