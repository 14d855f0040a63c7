use std::time::Duration;

use crate::record::{
    ActualQuantile, BudgetVerdict, CapacityEstimate, CeilingCount, Decision, Dimension,
    DimensionHistograms, Histogram, Interval, PeerConnection, PeerCounts, ServerTimings, Stage,
    Tally,
};
use crate::verdict::fixture::{FixtureRequest, one_budget, run, scenario};
use crate::verdict::{VerdictContext, judge, judge_in_context};

const FAST: u64 = 100_000;
const SLOW: u64 = 412_000;

fn micros(fast: usize, slow: usize) -> Vec<u64> {
    [vec![FAST; fast], vec![SLOW; slow]].concat()
}

#[test]
fn a_pass_needs_its_59th_request() {
    let clean =
        |count| one_budget(FixtureRequest::new("tile", &["p95 < 300ms"]).took(&micros(count, 0)));
    let short = clean(58);
    assert_eq!(short.decision, Decision::Inconclusive);
    assert_eq!(
        short.reason.what,
        "p95 is 100 ms (at least 100 ms): none of 58 requests took 300 ms or longer, 5% may: too few to decide"
    );
    assert_eq!(
        short.reason.next,
        "1 more request with none over the limit would prove that the budget holds"
    );
    let enough = clean(59);
    assert_eq!(enough.decision, Decision::Pass);
    assert_eq!(
        enough.reason.what,
        "p95 is 100 ms (100 ms to 100 ms): none of 59 requests took 300 ms or longer, 5% may"
    );
    assert_eq!(enough.reason.next, "");
}

#[test]
fn a_breach_says_by_how_much_and_where_to_look() {
    let verdict = one_budget(FixtureRequest::new("tile", &["p95 < 300ms"]).took(&micros(129, 61)));
    assert_eq!(verdict.decision, Decision::Fail);
    assert_eq!((verdict.judged, verdict.exceeded), (190, 61));
    assert_eq!(
        verdict.reason.what,
        "p95 is 412 ms (412 ms to 412 ms): 61 of 190 requests took 300 ms or longer, 5% may"
    );
    assert_eq!(verdict.reason.next, "the phases table shows where the time went");
    assert_eq!(verdict.of_successes, None);
}

#[test]
fn failures_count_against_the_budget_and_are_named() {
    let redirected = FixtureRequest::new("app", &["p95 < 300ms"]).redirected(190);
    let verdict = one_budget(redirected);
    assert_eq!(
        (verdict.decision, verdict.actual),
        (Decision::Fail, Some(ActualQuantile::Unbounded))
    );
    assert_eq!(
        verdict.reason.what,
        "p95 falls among the failures: 190 of 190 requests failed, 5% may; \
         190 of 190 failures: redirected, 302 to /auth/login instead of status = 200"
    );
    assert!(verdict.reason.next.contains("credentials"));
}

#[test]
fn the_quantile_of_the_successes_stands_beside_the_one_with_failures() {
    let verdict =
        one_budget(FixtureRequest::new("app", &["p95 < 300ms"]).took(&micros(170, 10)).refused(20));
    assert_eq!(verdict.actual, Some(ActualQuantile::Unbounded));
    let of_successes = verdict.of_successes.unwrap();
    assert!(of_successes > Duration::from_millis(411) && of_successes < Duration::from_millis(413));
    assert!(
        verdict
            .reason
            .what
            .contains("30 of 200 requests failed (20) or took 300 ms or longer (10), 5% may"),
        "{}",
        verdict.reason.what
    );
}

#[test]
fn no_samples_are_never_a_pass() {
    for budget in ["p95 < 300ms", "max < 300ms", "p99(first_byte) < 200ms"] {
        let verdict = one_budget(FixtureRequest::new("tile", &[budget]));
        assert_eq!(verdict.decision, Decision::Inconclusive);
        assert_eq!(verdict.actual, Some(ActualQuantile::NoData));
        assert_eq!(verdict.reason.what, "no exchange was judged");
    }
}

#[test]
fn a_phase_that_nothing_entered_is_no_data_however_many_requests_were_made() {
    let verdict =
        one_budget(FixtureRequest::new("tile", &["p95(tls) < 50ms"]).took(&micros(500, 0)));
    assert_eq!((verdict.decision, verdict.judged), (Decision::Inconclusive, 0));
}

#[test]
fn the_maximum_describes_the_requests_made_without_confidence() {
    let one = one_budget(FixtureRequest::new("app", &["max < 300ms"]).took(&micros(1, 0)));
    assert_eq!((one.decision, one.allowed, one.interval), (Decision::Pass, None, None));
    assert_eq!(one.reason.what, "max is 100 ms: none of 1 request took 300 ms or longer");
    let slow = one_budget(FixtureRequest::new("app", &["max < 300ms"]).took(&micros(500, 1)));
    assert_eq!(slow.decision, Decision::Fail);
    let failed =
        one_budget(FixtureRequest::new("app", &["max < 300ms"]).took(&micros(500, 0)).refused(1));
    assert_eq!((failed.decision, failed.actual), (Decision::Fail, Some(ActualQuantile::Unbounded)));
    assert!(failed.of_successes.is_some());
}

#[test]
fn a_breach_that_stands_without_the_lag_is_a_fail() {
    let late = FixtureRequest::new("tile", &["p95 < 300ms"])
        .took(&micros(129, 61))
        .of_which_lag_explains(20);
    assert_eq!(one_budget(late).decision, Decision::Fail);
}

#[test]
fn a_breach_that_lag_explains_is_inconclusive_and_names_the_lag() {
    let late = FixtureRequest::new("tile", &["p95 < 300ms"])
        .took(&micros(129, 61))
        .of_which_lag_explains(61);
    let verdict = one_budget(late);
    assert_eq!(verdict.decision, Decision::Inconclusive);
    assert!(
        verdict.reason.what.ends_with(
            "but the prober was late: lag p99 400 ms; without its lag the budget would hold"
        ),
        "{}",
        verdict.reason.what
    );
    let partly = FixtureRequest::new("tile", &["p95 < 300ms"])
        .took(&micros(129, 61))
        .of_which_lag_explains(50);
    let verdict = one_budget(partly);
    assert_eq!(verdict.decision, Decision::Inconclusive);
    assert!(verdict.reason.what.ends_with("without its lag the data would not prove the breach"));
}

#[test]
fn lag_that_keeps_a_budget_from_holding_is_named_too() {
    let late = FixtureRequest::new("tile", &["p95 < 300ms"])
        .took(&micros(185, 6))
        .of_which_lag_explains(4);
    let verdict = one_budget(late);
    assert_eq!(verdict.decision, Decision::Inconclusive);
    assert!(verdict.reason.what.contains("the prober was late"));
}

#[test]
fn lag_can_excuse_a_maximum_but_not_a_failure() {
    let late =
        FixtureRequest::new("app", &["max < 300ms"]).took(&micros(10, 1)).of_which_lag_explains(1);
    assert_eq!(one_budget(late).decision, Decision::Inconclusive);
    let late = FixtureRequest::new("app", &["max < 300ms"])
        .took(&micros(10, 1))
        .refused(1)
        .of_which_lag_explains(1);
    assert_eq!(one_budget(late).decision, Decision::Fail);
}

#[test]
fn lag_takes_nothing_from_a_pass() {
    let late = FixtureRequest::new("tile", &["p95 < 300ms"])
        .took(&micros(500, 5))
        .of_which_lag_explains(5);
    assert_eq!(one_budget(late).decision, Decision::Pass);
}

/// The verdict on 800 requests, 40 a second. In every fifth second half of them are slow.
fn with_freezes(comparison: Option<&str>) -> BudgetVerdict {
    let request = FixtureRequest::new("tile", &["p95 < 300ms", "p99 < 300ms"])
        .took(&[vec![FAST; 720], vec![SLOW; 80]].concat());
    let (mut planned, measured) = scenario("tiles", &[request]);
    planned.capacity = Some(CapacityEstimate { places: 16, wanted: None, remedy: None });
    let mut context = VerdictContext::default();
    for second in 0..20 {
        let over = if second % 5 == 2 { 20 } else { 0 };
        let count = CeilingCount { judged: 40, exceeded: over, ..CeilingCount::default() };
        let tally = Tally { exchanges: 40, ok: 40, ceilings: vec![count; 2], ..Tally::default() };
        context.timelines.add(&Interval {
            scenario: "tiles".to_owned(),
            request: "tile".to_owned(),
            stage: Stage::Measured,
            start: Duration::from_secs(second),
            tally,
            series: DimensionHistograms::default(),
            server_timings: ServerTimings::default(),
            samples: Vec::new(),
        });
    }
    let comparison = comparison.map(|command| ("tiles".to_owned(), command.to_owned()));
    context.comparisons.extend(comparison);
    let (plan, measurement) = run(vec![(planned, measured)]);
    let budgets = judge_in_context(&plan, &measurement, &context).scenarios.remove(0).budgets;
    assert!(!budgets[1].reason.what.contains("every 5 s"), "{}", budgets[1].reason.what);
    budgets.into_iter().next().unwrap()
}

#[test]
fn a_breach_by_freezes_says_how_often_and_for_how_long_and_only_once() {
    let verdict = with_freezes(None);
    assert_eq!(verdict.decision, Decision::Fail);
    assert!(
        verdict.reason.what.ends_with(
            "; the exceedances come every 5 s for about 500 ms, as in a freeze of about 700 ms (4 bursts)"
        ),
        "{}",
        verdict.reason.what
    );
    assert!(verdict.reason.next.starts_with("find what runs every 5 s"), "{}", verdict.reason.next);
}

#[test]
fn a_comparison_is_advised_only_with_a_run_that_exists() {
    assert!(!with_freezes(None).reason.next.contains("compare"));
    let next = with_freezes(Some("tollgate compare a b")).reason.next;
    assert!(next.ends_with("; compare with an earlier run: `tollgate compare a b`"), "{next}");
}

/// The verdict on 100 slow requests whose service, first byte, body and own report took these
/// milliseconds.
fn with_parts(first_byte: u64, body: u64, own: Option<u64>) -> BudgetVerdict {
    let whole = Duration::from_millis(first_byte + body);
    let micros = u64::try_from(whole.as_micros()).unwrap();
    let request = FixtureRequest::new("tile", &["p95 < 300ms"]).took(&[micros; 100]);
    let (planned, mut measured) = scenario("tiles", &[request]);
    let stage = &mut measured.requests[0].measured;
    let parts = [
        (Dimension::Service, first_byte + body),
        (Dimension::FirstByte, first_byte),
        (Dimension::Body, body),
    ];
    for (dimension, millis) in parts {
        let mut histogram = Histogram::default();
        histogram.record_many(Duration::from_millis(millis), 100);
        stage.series.add(dimension, &histogram);
    }
    if let Some(millis) = own {
        (0..100).for_each(|_| {
            stage.server_timings.record("app", Duration::from_millis(millis));
            stage.server_timings.record("db", Duration::from_millis(millis / 2));
        });
    }
    let (plan, measurement) = run(vec![(planned, measured)]);
    judge(&plan, &measurement).scenarios.remove(0).budgets.remove(0)
}

#[test]
fn a_breach_says_where_the_time_went_by_the_targets_own_account() {
    for (own, clause, remedy) in [
        (
            70,
            "the target itself reports 70 ms of 564 ms at p95 (app): the rest was spent outside the application (queue, proxy, freeze)",
            "look before the application",
        ),
        (
            520,
            "the target itself reports 520 ms of 564 ms at p95 (app): the time was spent in the application",
            "look at what the application does",
        ),
        (330, "the target itself reports 330 ms of 564 ms at p95 (app)", "look both at"),
    ] {
        let reason = with_parts(560, 4, Some(own)).reason;
        assert!(reason.what.ends_with(clause), "{}", reason.what);
        assert!(reason.next.starts_with(remedy), "{}", reason.next);
    }
    let impossible = with_parts(560, 4, Some(9_000)).reason;
    assert!(!impossible.what.contains("itself reports"), "{}", impossible.what);
}

#[test]
fn a_breach_says_how_much_of_the_time_was_waiting_though_service_alone_is_too_slow() {
    let request = FixtureRequest::new("tile", &["p95 < 50ms"]).took(&[580_000; 100]);
    let (planned, mut measured) = scenario("tiles", &[request]);
    let stage = &mut measured.requests[0].measured;
    for (dimension, millis) in [(Dimension::Wait, 516), (Dimension::Service, 64)] {
        let mut histogram = Histogram::default();
        histogram.record_many(Duration::from_millis(millis), 100);
        stage.series.add(dimension, &histogram);
    }
    (0..100).for_each(|_| stage.server_timings.record("app", Duration::from_millis(60)));
    let (plan, measurement) = run(vec![(planned, measured)]);
    let reason = judge(&plan, &measurement).scenarios.remove(0).budgets.remove(0).reason;
    assert!(
        reason.what.ends_with(
            "; waiting for a connection took 516 ms of 580 ms at p95; the target itself reports \
             60 ms of 64 ms at p95 (app): the time was spent in the application"
        ),
        "{}",
        reason.what
    );
}

#[test]
fn a_breach_in_the_body_names_the_body() {
    let reason = with_parts(60, 504, None).reason;
    assert!(
        reason.what.ends_with("; the body took 504 ms of the 564 ms at p95, after the first byte"),
        "{}",
        reason.what
    );
}

#[test]
fn a_breach_by_opening_connections_names_the_longest_phase() {
    let request = FixtureRequest::new("tile", &["p95 < 300ms"]).took(&micros(150, 50));
    let (planned, mut measured) = scenario("tiles", &[request]);
    let series = &mut measured.requests[0].measured.series;
    for (dimension, millis) in [
        (Dimension::Fresh, 412),
        (Dimension::Setup, 350),
        (Dimension::Tls, 300),
        (Dimension::Dns, 50),
    ] {
        let mut histogram = Histogram::default();
        histogram.record_many(Duration::from_millis(millis), 50);
        series.add(dimension, &histogram);
    }
    let (plan, measurement) = run(vec![(planned, measured)]);
    let reason = judge(&plan, &measurement).scenarios.remove(0).budgets.remove(0).reason;
    assert!(
        reason.what.ends_with(
            "; all of them opened a connection first, which took 350 ms at p50 (tls 300 ms)"
        ),
        "{}",
        reason.what
    );
}

#[test]
fn the_only_request_that_breaks_its_budget_is_set_apart() {
    let requests = [
        FixtureRequest::new("a", &["p95 < 300ms"]).took(&micros(100, 0)),
        FixtureRequest::new("b", &["p95 < 300ms"]).took(&micros(129, 61)),
        FixtureRequest::new("c", &["p95 < 300ms"]).took(&micros(100, 0)),
    ];
    let (plan, measurement) = run(vec![scenario("tiles", &requests)]);
    let budgets = judge(&plan, &measurement).scenarios.remove(0).budgets;
    let what = &budgets[1].reason.what;
    assert!(what.ends_with("; the other 2 requests hold their budgets"), "{what}");
}

/// The verdict on eight connections to two addresses: each has these exchanges, exceedances, and
/// exceedances without the wait.
fn with_connections(of: impl Fn(u64) -> [u64; 3]) -> BudgetVerdict {
    let all: Vec<_> = (0..8).map(of).collect();
    let [judged, exceeded, unwaited] =
        [0, 1, 2].map(|at| all.iter().map(|one| one[at]).sum::<u64>());
    let size = |count| usize::try_from(count).unwrap();
    let took = micros(size(judged - exceeded), size(exceeded));
    let request = FixtureRequest::new("tile", &["p95 < 300ms"]).took(&took);
    let request = request.of_which_wait_explains(exceeded - unwaited);
    let (planned, mut measured) = scenario("tiles", &[request]);
    for (at, [judged, exceeded, exceeded_without_wait]) in (0..).zip(all) {
        let count = CeilingCount {
            judged,
            exceeded,
            exceeded_without_lag: exceeded,
            exceeded_without_wait,
        };
        let counts = PeerCounts { exchanges: judged, failed: 0, ceilings: vec![count] };
        let address = Some(format!("192.0.2.{}:443", 1 + at % 2));
        measured.requests[0].peers.add_connection(PeerConnection { address, counts });
    }
    let (plan, measurement) = run(vec![(planned, measured)]);
    judge(&plan, &measurement).scenarios.remove(0).budgets.remove(0)
}

#[test]
fn a_breach_names_the_address_or_connection_that_carries_the_exceedances() {
    let by_address =
        with_connections(|at| if at % 2 == 1 { [125, 60, 60] } else { [125, 0, 0] }).reason;
    let clause = "all 240 exceedances came from 192.0.2.2:443, which served 500 of 1000 requests";
    assert!(by_address.what.contains(clause), "{}", by_address.what);
    let remedy = "compare what is at that address with the others";
    assert!(by_address.next.contains(remedy), "{}", by_address.next);

    let waited_for =
        with_connections(|at| if at == 3 { [30, 30, 30] } else { [100, 40, 0] }).reason;
    let clause = "all 30 exceedances that waiting does not explain are on 1 of 8 connections \
                  (192.0.2.2:443), which carried 30 of 730 requests";
    assert!(waited_for.what.contains(clause), "{}", waited_for.what);
}
