use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::record::{Decision, FORMAT, HostFacts, RunEnding, RunProvenance};
use crate::verdict::fixture::{FixtureRequest, run, scenario};
use crate::verdict::judge;

fn record(requests: &[FixtureRequest]) -> RunRecord {
    let (plan, measurement) = run(vec![scenario("tiles", requests)]);
    let verdict = judge(&plan, &measurement);
    let host = HostFacts {
        name: "h".to_owned(),
        os: "linux".to_owned(),
        arch: "x86_64".to_owned(),
        cores: 2,
    };
    let provenance = RunProvenance {
        started: datetime!(2026-11-23 18:00 UTC),
        tollgate: "0.1.0".to_owned(),
        host,
        command: Vec::new(),
        git_commit: None,
        tags: BTreeMap::default(),
    };
    RunRecord {
        format: FORMAT,
        id: Uuid::from_u128(1),
        provenance,
        plan,
        measurement,
        verdict,
        gate: None,
    }
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
    let (quick, slow) = (around(100_000, 400), around(200_000, 400));
    let slower = compared(page(&quick, 0), page(&slow, 0));
    let difference = slower.latency[0].difference.unwrap();
    assert_eq!(
        (slower.latency[0].change, slower.latency[3].change),
        (ChangeVerdict::More, ChangeVerdict::More)
    );
    assert!((99_000..101_000).contains(&difference.micros), "{difference:?}");
    assert!((difference.share.unwrap() - 1.0).abs() < 0.01, "{difference:?}");
    assert_eq!(slower.failed.change, ChangeVerdict::NoneShown);
    let faster = compared(page(&slow, 0), page(&quick, 0));
    assert!(faster.latency.iter().all(|figure| figure.change == ChangeVerdict::Less));
    assert_eq!(faster.latency[0].difference.unwrap().micros, -difference.micros);
}

#[test]
fn few_exchanges_show_nothing_however_far_apart_they_are() {
    let request = compared(page(&[100_000; 3], 0), page(&[900_000; 3], 0));
    assert_eq!(changes(&request), [ChangeVerdict::NoneShown; 5]);
}

#[test]
fn failures_rank_above_every_latency_and_are_compared_apart() {
    let well = around(100_000, 400);
    let request = compared(page(&well, 0), page(&well[..200], 200));
    assert_eq!(request.failed.change, ChangeVerdict::More);
    let p99 = &request.latency[3];
    assert_eq!(
        (p99.actual.after, p99.change, p99.difference),
        (ActualQuantile::Unbounded, ChangeVerdict::More, None)
    );
    assert_eq!(request.max.after, ActualQuantile::Unbounded);
    let both_fail = compared(page(&[], 300), page(&[], 300));
    assert_eq!(changes(&both_fail), [ChangeVerdict::NoneShown; 5]);
}

#[test]
fn a_run_without_exchanges_has_no_data_to_compare() {
    let request = compared(page(&around(100_000, 400), 0), page(&[], 0));
    assert_eq!(changes(&request), [ChangeVerdict::NoData; 5]);
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
    let width = |comparison: &Comparison| comparison.requests[0].failed.interval.before.1;
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
            "tiles: only the run after says: certificates are not verified",
            "tiles: `page` requests GET / before, GET /other after",
            "measured on different machines: h before, g after",
            "the run after was interrupted",
            "the run after lacks 3 arrivals that did not reach the target",
        ]
    );
}

/// Two runs of one target differ by chance alone; the seed is fixed, so that this always holds or
/// never.
#[test]
fn runs_of_one_target_seldom_differ() {
    const PAIRS: usize = 200;
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let latency = LogNormal::new(11.0, 0.6).unwrap();
    let failed = rand_distr::Binomial::new(250, 0.03).unwrap();
    let mut measured = || {
        let failed = failed.sample(&mut random);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some hundred thousand"
        )]
        let micros: Vec<u64> = (failed..250).map(|_| latency.sample(&mut random) as u64).collect();
        page(&micros, failed).measured().measured
    };
    let mut differ = || {
        let (before, after) = (measured(), measured());
        let stages = BeforeAfter { before: &before, after: &after };
        let estimates = stages.map(|stage| LatencyEstimate::of(stage));
        let quantiles =
            QUANTILES.map(|quantile| at(quantile, &estimates, ErrorRate::STATED).change);
        let all = quantiles.into_iter().chain([failures(stages, ErrorRate::STATED).change]);
        all.filter(|change| matches!(change, ChangeVerdict::More | ChangeVerdict::Less)).count() > 0
    };
    let alarms = (0..PAIRS).filter(|_| differ()).count();
    assert!(alarms * 20 <= PAIRS, "{alarms} of {PAIRS}");
}
