use super::*;
use crate::record::{ChangeVerdict, PlannedDuet, PlannedScenario, RunEnding, ScenarioVerdict};
use crate::verdict::RunTimelines;
use crate::verdict::fixture::{self, FixtureRequest, run, scenario};
use crate::verdict::judge;

/// A run of 60 s.
fn record(requests: &[FixtureRequest]) -> RunRecord {
    record_of(requests, 60)
}

fn record_of(requests: &[FixtureRequest], seconds: u64) -> RunRecord {
    let (plan, mut measurement) = run(vec![scenario("tiles", requests)]);
    let mut timelines = RunTimelines::default();
    let intervals = requests.iter().flat_map(|request| request.intervals("tiles", seconds));
    intervals.for_each(|interval| timelines.add(&interval));
    add_block_figures(&plan, &mut measurement, &timelines);
    let verdict = judge(&plan, &measurement);
    fixture::record_of(1, (plan, measurement), verdict)
}

fn page(micros: &[u64], refused: u64) -> FixtureRequest {
    FixtureRequest::new("page", &["p95 < 300ms"]).took(micros).refused(refused)
}

fn compared(before: FixtureRequest, after: FixtureRequest) -> RequestComparison {
    compare(&record(&[before]), &record(&[after]), &each()).requests.remove(0)
}

fn each() -> ComparisonSettings {
    ComparisonSettings::default()
}

fn changes(request: &RequestComparison) -> Vec<ChangeVerdict> {
    request.latency.iter().map(|figure| figure.change).chain([request.failed.change]).collect()
}

/// Exchanges spread evenly around a median.
fn around(micros: u64, count: u64) -> Vec<u64> {
    (0..count).map(|n| micros * (500 + 1_000 * n / count) / 1_000).collect()
}

#[test]
fn a_target_that_takes_twice_as_long_is_slower_and_the_other_way_round_faster() {
    let (quick, slow) = (around(100_000, 2_000), around(200_000, 2_000));
    let slower = compared(page(&quick, 0), page(&slow, 0));
    assert!(slower.latency.iter().all(|figure| figure.change == ChangeVerdict::More));
    assert_eq!(slower.blocks, Some(BeforeAfter { before: 20, after: 20 }));
    let p50 = &slower.latency[0];
    let difference = p50.difference.unwrap();
    assert!((99_000..101_000).contains(&difference), "{p50:?}");
    assert!((p50.difference_share.unwrap() - 1.0).abs() < 0.01, "{p50:?}");
    let (low, high) = p50.interval.unwrap();
    assert!(0 < low && low < difference && difference < high, "{p50:?}");
    assert_eq!(slower.failed.change, ChangeVerdict::NoneShown);
    let faster = compared(page(&slow, 0), page(&quick, 0));
    assert!(faster.latency.iter().all(|figure| figure.change == ChangeVerdict::Less));
    assert_eq!(faster.latency[0].difference.unwrap(), -difference);
}

#[test]
fn a_quantile_is_compared_from_20_exchanges_beyond_it_on_each_side() {
    use ChangeVerdict::{More, NoneShown, TooFew};
    let of = |count| compared(page(&around(100_000, count), 0), page(&around(200_000, count), 0));
    for (count, expected) in [
        (60, [More, TooFew, TooFew, NoneShown]),
        (400, [More, More, TooFew, NoneShown]),
        (1_999, [More, More, TooFew, NoneShown]),
        (2_000, [More, More, More, NoneShown]),
    ] {
        assert_eq!(changes(&of(count)), expected, "{count}");
    }
    assert_eq!(of(60).latency[1].interval, None);
}

#[test]
fn a_request_with_too_few_exchanges_for_any_quantile_is_undecided() {
    let of = |count| record(&[page(&around(100_000, count), 0)]);
    let decision = |count| compare(&of(count), &of(count), &each()).decision();
    assert_eq!([39, 40].map(decision), [Decision::Inconclusive, Decision::Pass]);
}

/// A duet of two scenarios with these verdicts and no budgets, in which no difference shows.
fn duet_of([old, new]: [Decision; 2]) -> Decision {
    let requests = [FixtureRequest::new("page", &[]).took(&around(100_000, 400))];
    let mut duet = record(&requests);
    let before = record(&requests);
    let mut comparison = compare(&before, &duet, &each());
    comparison.duet = Some(BeforeAfter::default());
    comparison.bounds_all_figures = true;
    duet.comparison = Some(Box::new(comparison));
    duet.plan.push(PlannedScenario { name: "new".to_owned(), ..duet.plan[0].clone() });
    let verdict = duet.verdict.scenarios[0].clone();
    duet.verdict.scenarios.push(ScenarioVerdict { scenario: "new".to_owned(), ..verdict });
    for (at, (side, decision)) in [(DuetSide::A, old), (DuetSide::B, new)].into_iter().enumerate() {
        duet.plan[at].duet = Some(PlannedDuet { side, other: String::new(), seed: 7 });
        duet.verdict.scenarios[at].decision = decision;
    }
    decide_with_comparison(&duet)
}

#[test]
fn a_duet_fails_with_its_new_side_unless_the_old_one_fails_too() {
    use Decision::{Fail, Inconclusive, Pass};
    for (verdicts, decision) in [
        ([Pass, Pass], Pass),
        ([Pass, Fail], Fail),
        ([Fail, Pass], Pass),
        ([Fail, Fail], Inconclusive),
        ([Inconclusive, Pass], Pass),
        ([Pass, Inconclusive], Inconclusive),
    ] {
        assert_eq!(duet_of(verdicts), decision, "{verdicts:?}");
    }
}

#[test]
fn a_run_with_too_few_independent_blocks_is_not_compared() {
    let requests = [page(&around(100_000, 400), 0), page(&around(900_000, 400), 0)];
    let [before, after] = requests.map(|request| record_of(&[request], 17));
    let shorter = record_of(&[page(&around(900_000, 400), 0)], 3);
    let request = compare(&before, &after, &each()).requests.remove(0);
    assert_eq!(changes(&request), [ChangeVerdict::TooShort; 4]);
    let obstacle = request.obstacle.unwrap();
    assert!(obstacle.contains("18 s are needed, and 17 s were measured"), "{obstacle}");
    let obstacle = compare(&before, &shorter, &each()).requests.remove(0).obstacle.unwrap();
    assert!(obstacle.ends_with("3 s were measured after"), "{obstacle}");
}

#[test]
fn a_record_without_figures_by_time_claims_nothing() {
    let mut before = record(&[page(&around(100_000, 400), 0)]);
    before.measurement.scenarios[0].requests[0].blocks = None;
    let after = record(&[page(&around(900_000, 400), 0)]);
    let comparison = compare(&before, &after, &each());
    assert_eq!(changes(&comparison.requests[0]), [ChangeVerdict::TooShort; 4]);
    let obstacle = comparison.requests[0].obstacle.as_ref().unwrap();
    assert!(obstacle.starts_with("the figures before are not known by time"), "{obstacle}");
    assert_eq!(comparison.decision(), Decision::Inconclusive);
}

#[test]
fn a_comparison_without_latencies_to_compare_is_undecided() {
    for (micros, refused) in [(Vec::new(), 400), (around(100_000, 30), 0)] {
        let [before, after] = [(), ()].map(|()| record(&[page(&micros, refused)]));
        let comparison = compare(&before, &after, &each());
        assert_eq!(comparison.requests[0].failed.change, ChangeVerdict::NoneShown);
        assert_eq!(comparison.decision(), Decision::Inconclusive, "{comparison:?}");
    }
}

#[test]
fn failures_rank_above_every_latency_and_are_compared_apart() {
    let well = around(100_000, 400);
    let request = compared(page(&well, 0), page(&well[..200], 200));
    assert_eq!(request.failed.change, ChangeVerdict::More);
    let p95 = &request.latency[1];
    assert_eq!(
        (p95.actual.after, p95.change, p95.difference),
        (ActualQuantile::Unbounded, ChangeVerdict::More, None)
    );
    assert_eq!(request.max.after, ActualQuantile::Unbounded);
    let both_fail = compared(page(&[], 2_000), page(&[], 2_000));
    assert_eq!(changes(&both_fail), [ChangeVerdict::NoneShown; 4]);
}

/// 3 or 4 failures in as many blocks look regular to the jackknife; each would be by chance in B in
/// 1 of 8 or 16 pairs.
#[test]
fn a_few_failures_are_no_change_however_regular_they_are() {
    let failed = |count| {
        let others = around(100_000, 600 - count);
        compared(page(&around(100_000, 600), 0), page(&others, count)).failed.change
    };
    assert_eq!(failed(3), ChangeVerdict::NoneShown);
    assert_eq!(failed(8), ChangeVerdict::More);
}

#[test]
fn a_run_without_exchanges_has_no_data_to_compare() {
    let request = compared(page(&around(100_000, 400), 0), page(&[], 0));
    assert_eq!(changes(&request), [ChangeVerdict::NoData; 4]);
    assert_eq!(request.obstacle, None);
}

#[test]
fn requests_that_only_one_run_has_are_named_and_compared_with_nothing() {
    let (one, other) = (FixtureRequest::new("one", &[]), FixtureRequest::new("other", &[]));
    let before = record(&[page(&[5], 0), one]);
    let comparison = compare(&before, &record(&[other, page(&[6], 0)]), &each());
    assert_eq!(comparison.requests.len(), 1);
    assert_eq!(
        comparison.only,
        BeforeAfter { before: vec!["tiles · one".into()], after: vec!["tiles · other".into()] }
    );
}

/// A record whose one scenario has another name.
fn renamed(mut record: RunRecord, name: &str) -> RunRecord {
    name.clone_into(&mut record.plan[0].name);
    name.clone_into(&mut record.measurement.scenarios[0].name);
    name.clone_into(&mut record.verdict.scenarios[0].scenario);
    record
}

fn request_named(name: &'static str) -> FixtureRequest {
    FixtureRequest::new(name, &["p95 < 300ms"]).took(&around(100_000, 400))
}

fn pairs(before: &[&'static str], after: &[&'static str], name: Option<&str>) -> Vec<String> {
    let record = |names: &[&'static str]| {
        record(&names.iter().map(|name| request_named(name)).collect::<Vec<_>>())
    };
    let settings = ComparisonSettings { name: name.map(str::to_owned), ..each() };
    let after = renamed(record(after), "other host");
    let comparison = compare(&record(before), &after, &settings);
    let pairs = comparison.requests.iter().map(|request| {
        let after = request.compared_with.as_ref().map_or("same", |after| after.request.as_str());
        format!("{} {after}", request.request)
    });
    pairs.collect()
}

#[test]
fn requests_of_differently_named_scenarios_are_paired_by_name_and_single_ones_always() {
    assert_eq!(pairs(&["a", "b"], &["b", "c"], None), ["b b"]);
    assert_eq!(pairs(&["a"], &["c"], None), ["a c"]);
    assert_eq!(pairs(&["a", "b"], &["c"], None), <[&str; 0]>::default());
    assert_eq!(pairs(&["a", "b"], &["b", "a"], Some("a")), ["a a"]);
    assert_eq!(pairs(&["a"], &["b"], Some("c")), <[&str; 0]>::default());
}

#[test]
fn a_pair_of_different_names_has_its_budgets_and_is_reported_as_a_condition() {
    let after = renamed(record(&[request_named("c")]), "other host");
    let comparison = compare(&record(&[request_named("a")]), &after, &each());
    let decisions = comparison.requests[0].budgets[0].decision;
    assert_eq!((decisions.before, decisions.after), (Some(Decision::Pass), Some(Decision::Pass)));
    assert_eq!(comparison.unlike, ["compared requests: tiles · a before, other host · c after"]);
}

#[test]
fn an_error_rate_for_all_figures_demands_more_than_one_for_each() {
    let (before, after) = (record(&[request_named("a")]), record(&[request_named("a")]));
    let settings = ComparisonSettings { bounds_all_figures: true, ..each() };
    let (one, all) = (compare(&before, &after, &each()), compare(&before, &after, &settings));
    assert!(all.confidence > one.confidence);
    let width = |comparison: &Comparison| comparison.requests[0].failed.interval.unwrap().1;
    assert!(width(&all) > width(&one));
}

#[test]
fn both_runs_show_budgets_and_parts() {
    let after =
        FixtureRequest::new("page", &["p95 < 50ms", "errors < 5%"]).took(&around(100_000, 400));
    let request = compared(page(&around(100_000, 400), 0), after);
    let decisions: Vec<_> = request.budgets.iter().map(|budget| budget.decision).collect();
    let only = |before, after| BeforeAfter { before, after };
    let (pass, fail) = (Some(Decision::Pass), Some(Decision::Fail));
    assert_eq!(decisions, [only(pass, None), only(None, fail), only(None, pass)]);
    assert_eq!(request.parts.iter().map(|part| part.part).collect::<Vec<_>>(), [Dimension::Lag]);
}

#[test]
fn unfair_conditions_are_reported() {
    let one = record(&[page(&[5], 0)]);
    assert_eq!(compare(&one, &one, &each()).unlike, Vec::<String>::new());
    let mut other = one.clone();
    other.plan[0].load = "open, 40/s constant for 10s".to_owned();
    other.plan[0].caveats.push("certificates are not verified".to_owned());
    other.plan[0].requests[0].line = "GET /other".to_owned();
    other.provenance.host.name = "g".to_owned();
    other.measurement.ending = RunEnding::Interrupted;
    other.measurement.scenarios[0].unreleased = 3;
    assert_eq!(
        compare(&one, &other, &each()).unlike,
        [
            "tiles: another load: open, 20/s constant for 10s, and open, 40/s constant for 10s",
            "tiles: only the later run has this caveat: certificates are not verified",
            "tiles: `page` requests GET / before, GET /other after",
            "measured on different machines: h before, g after",
            "the run after was interrupted",
            "the run after lacks 3 arrivals that did not reach the target",
        ]
    );
}
