use std::time::Duration;

use crate::record::{ActualQuantile, Decision};
use crate::verdict::fixture::{FixtureRequest, one_budget};

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
    assert_eq!(
        verdict.reason.next,
        "compare with a run from before the change; the phases table shows where the time went"
    );
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
