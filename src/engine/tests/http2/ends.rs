//! Connections and streams that end too early.

use std::time::Duration;

use h2::Reason;
use proptest::prelude::*;

use super::server::{Act, Http2Dial};
use super::{acts, always, http2, run, seen};
use crate::engine::tests::harness::{millis, open, scenario};
use crate::engine::tests::measured;
use crate::expect::ExpectationSet;
use crate::plan::LoadPlan;
use crate::record::{Dimension, Failure};
use crate::units::ByteSize;

#[test]
fn a_connection_that_shuts_down_gracefully_is_opened_again_without_an_error() {
    let script = vec![vec![Act::Answer(millis(5)), Act::Answer(millis(5)), Act::LastAnswer]];
    let (scenario, log) = run(http2(open(20.0, 2, 1), 4), Http2Dial::new(script));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed()), (40, 0));
    assert!(log.connections.get() > 3, "{}", log.connections.get());
    assert_eq!(scenario.connections.opened, log.connections.get());
    assert_eq!(scenario.connections.reopened_after_idle_close, log.connections.get() - 1);
    assert_eq!(log.requests.borrow().len(), 40);
}

#[test]
fn a_proxy_that_ends_the_connection_every_few_requests_costs_no_error_under_back_to_back_load() {
    for streams in [1, 4] {
        let load = LoadPlan::Closed {
            connections: 2,
            until: Duration::from_mins(1),
            iterations: Some(300),
        };
        let script = vec![vec![Act::Answer(millis(5)), Act::Answer(millis(5)), Act::LastAnswer]];
        let (scenario, log) = run(http2(scenario(load), streams), Http2Dial::new(script));
        let tally = &measured(&scenario).tally;
        assert_eq!((tally.ok, tally.failed()), (300, 0), "{streams}");
        assert_eq!(log.requests.borrow().len(), 300);
        assert!(scenario.connections.opened >= 30, "{}", scenario.connections.opened);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_sent_twice_however_streams_and_connections_end(
        script in prop::collection::vec(prop::collection::vec(acts(), 1..5), 1..5),
        streams in 1_u32..5,
        allowed in prop::option::of(1_u32..4),
    ) {
        let mut dial = Http2Dial::new(script);
        dial.allowed = allowed;
        let (scenario, log) = run(http2(open(40.0, 1, 2), streams), dial);
        let (tally, seen) = (&measured(&scenario).tally, log.requests.borrow().len() as u64);
        prop_assert!(tally.ok <= seen && seen <= tally.exchanges, "{seen} of {tally:?}");
    }
}

#[test]
fn a_connection_that_ends_early_fails_its_exchanges_and_nothing_is_sent_twice() {
    for (reason, name) in [
        (Reason::ENHANCE_YOUR_CALM, Failure::Closed),
        (Reason::NO_ERROR, Failure::IdleClosed),
        (Reason::INTERNAL_ERROR, Failure::Closed),
    ] {
        let script = vec![vec![Act::Answer(millis(5)), Act::GoAway(reason)]];
        let (scenario, log) = run(http2(open(20.0, 1, 1), 2), Http2Dial::new(script));
        let tally = &measured(&scenario).tally;
        assert_eq!((tally.ok, tally.failed_by(name)), (10, 10), "{reason:?} {tally:?}");
        assert_eq!(log.requests.borrow().len(), 20, "{reason:?}");
    }
}

#[test]
fn a_reset_stream_is_a_failure_with_its_reason_and_leaves_the_connection_alone() {
    let acts =
        vec![Act::Answer(millis(5)), Act::Reset(Reason::REFUSED_STREAM), Act::Answer(millis(5))];
    let (scenario, log) = run(http2(open(20.0, 1, 1), 4), Http2Dial::new(vec![acts]));
    assert_eq!((measured(&scenario).tally.ok, log.connections.get()), (19, 1));
    let (failure, phase, seen) = seen(&scenario);
    assert_eq!((failure, phase), (Failure::Reset, Some(Dimension::FirstByte)));
    assert!(seen.starts_with("the target reset the stream (REFUSED_STREAM"), "{seen}");
    assert_eq!(log.requests.borrow().len(), 20);
}

#[test]
fn a_stream_reset_in_its_body_fails_in_the_body_whatever_the_reason() {
    for reason in [Reason::INTERNAL_ERROR, Reason::NO_ERROR, Reason::CANCEL] {
        let (scenario, log) = run(http2(open(5.0, 1, 1), 2), always(Act::ResetInBody(reason)));
        assert_eq!(measured(&scenario).tally.failed_by(Failure::Reset), 5, "{reason:?}");
        assert_eq!(seen(&scenario).1, Some(Dimension::Body));
        assert_eq!(log.connections.get(), 1);
    }
}

#[test]
fn a_target_that_asks_for_http_1_speaks_another_protocol() {
    let (scenario, _) =
        run(http2(open(5.0, 1, 1), 1), always(Act::Reset(Reason::HTTP_1_1_REQUIRED)));
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Protocol), 5);
}

#[test]
fn only_the_stalled_stream_times_out() {
    let acts = vec![Act::Answer(millis(5)), Act::Hang, Act::Answer(millis(5))];
    let mut plan = http2(open(20.0, 3, 1), 3);
    plan.target.timeouts.whole = millis(1_500);
    let (scenario, log) = run(plan, Http2Dial::new(vec![acts]));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed_by(Failure::TimedOut)), (59, 1));
    assert_eq!((log.connections.get(), log.cancelled.get()), (1, 1));
}

#[test]
fn a_connection_that_is_silent_through_a_timeout_is_not_used_again() {
    let script = vec![vec![Act::Hang], vec![Act::Answer(millis(5))]];
    let mut plan = http2(open(10.0, 2, 1), 2);
    plan.target.timeouts.whole = millis(500);
    let (scenario, log) = run(plan, Http2Dial::new(script));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok + tally.failed_by(Failure::TimedOut), log.connections.get()), (20, 2));
    assert!(tally.ok > 10, "{tally:?}");
    assert_eq!(scenario.connections.reopened_after_idle_close, 0);
}

#[test]
fn a_connection_cut_in_a_body_is_closed_early() {
    let (scenario, _) = run(http2(open(5.0, 1, 1), 1), always(Act::Cut));
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Closed), 5);
    assert_eq!(seen(&scenario).1, Some(Dimension::Body));
}

#[test]
fn a_body_of_another_length_than_stated_is_malformed() {
    let (scenario, _) = run(http2(open(5.0, 1, 1), 1), always(Act::Short));
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Malformed), 5);
}

#[test]
fn a_body_that_is_too_large_ends_only_its_stream() {
    let acts = vec![Act::Big(2_000_000), Act::Answer(millis(5))];
    let mut plan = http2(open(10.0, 1, 1), 2);
    plan.requests[0].expectations = ExpectationSet::new(Vec::new(), ByteSize(1_000_000));
    let (scenario, log) = run(plan, Http2Dial::new(vec![acts]));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed_by(Failure::Unexpected), log.connections.get()), (9, 1, 1));
}
