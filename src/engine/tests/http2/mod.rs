//! HTTP/2 against a scripted server, over in-memory streams and under paused time.

mod bytes;
mod ends;
mod limits;
mod rfc9113;
mod server;

use std::rc::Rc;

use ::bytes::Bytes;
use h2::Reason;
use proptest::prelude::*;

use super::harness::{CONNECT, Watcher, following, millis, open, scenario, watch_run};
use super::sums::{assert_nothing_is_lost, sum};
use super::{assert_close, measured};
use crate::engine::connection::dial::Dialer;
use crate::engine::stop_channel;
use crate::expect::ExpectationSet;
use crate::plan::{ConnectionReuse, HttpProtocol, LoadPlan, ScenarioPlan, WarmupPlan};
use crate::record::{Dimension, Failure, ScenarioMeasurement};
use crate::units::{ByteSize, Quantile};
use server::{Act, Http2Dial, Log};

/// The scenario over HTTP/2 without negotiation.
fn http2(mut scenario: ScenarioPlan, streams: u32) -> ScenarioPlan {
    (scenario.target.protocol, scenario.streams) = (HttpProtocol::Http2, streams);
    scenario
}

fn run(scenario: ScenarioPlan, dial: Http2Dial) -> (ScenarioMeasurement, Rc<Log>) {
    let log = Rc::clone(&dial.log);
    let (measurement, _) = watch_run(scenario, vec![dial], Watcher::default(), stop_channel().1);
    (measurement.scenarios.into_iter().next().unwrap(), log)
}

/// Dials a server that answers each request after 10 ms.
pub(super) fn always_answering() -> Box<dyn Dialer> {
    Box::new(always(Act::Answer(millis(10))))
}

fn always(act: Act) -> Http2Dial {
    Http2Dial::new(vec![vec![act]])
}

/// The description of the most frequent failure.
fn seen(scenario: &ScenarioMeasurement) -> (Failure, Option<Dimension>, String) {
    let evidence = measured(scenario).evidence.by_count()[0].clone();
    (evidence.failure, evidence.phase, evidence.seen)
}

#[test]
fn exchanges_run_and_the_protocol_is_named() {
    let (scenario, log) = run(http2(open(20.0, 2, 2), 1), always(Act::Answer(millis(40))));
    let stage = measured(&scenario);
    assert_eq!((stage.tally.ok, stage.tally.body_bytes), (40, 200));
    assert_eq!(scenario.protocols, ["HTTP/2"]);
    assert_close(stage.series.quantile(Dimension::FirstByte, Quantile::P50), millis(40));
    let request = &log.requests.borrow()[0];
    assert_eq!(request.uri(), "http://target.test/");
    assert!(request.headers().get("host").is_none());
}

#[test]
fn several_exchanges_share_one_connection() {
    let (scenario, log) = run(http2(open(40.0, 2, 1), 4), always(Act::Answer(millis(100))));
    assert_eq!(measured(&scenario).tally.ok, 80);
    assert_eq!((log.connections.get(), scenario.connections.opened), (1, 1));
    assert_eq!(log.most_under_way.get(), 4);
    assert_eq!(measured(&scenario).tally.fresh, 1);
    assert_eq!(scenario.requests[0].peers.connections, 1);
}

#[test]
fn while_one_task_opens_the_shared_connection_the_others_wait() {
    let (scenario, log) = run(http2(open(1_000.0, 1, 1), 8), always(Act::Answer(millis(1))));
    let stage = measured(&scenario);
    assert_eq!((stage.tally.ok, log.connections.get()), (1_000, 1));
    assert_eq!(stage.series.get(Dimension::Setup).unwrap().count(), 1);
    let waited = stage.series.get(Dimension::Wait).unwrap().max().unwrap();
    assert!(waited >= millis(2) && waited <= millis(8), "{waited:?}");
}

#[test]
fn a_further_connection_is_opened_only_if_no_stream_of_the_others_is_free() {
    // 30 arrivals per second that take 300 ms each: nine at a time, over three connections of four
    // streams.
    let mut plan = http2(open(30.0, 3, 1), 4);
    plan.warmup = WarmupPlan { connections: 1, requests: 1 };
    if let LoadPlan::Open { max_connections, .. } = &mut plan.load {
        *max_connections = 8;
    }
    let (scenario, log) = run(plan, always(Act::Answer(millis(300))));
    let stage = measured(&scenario);
    assert_eq!((stage.tally.ok, stage.tally.fresh, log.connections.get()), (90, 2, 3));
    assert!((9..=10).contains(&log.most_under_way.get()), "{}", log.most_under_way.get());
    assert_nothing_is_lost(stage);
}

#[test]
fn a_target_that_allows_fewer_streams_makes_exchanges_wait_and_none_fail() {
    let mut dial = always(Act::Answer(millis(100)));
    dial.allowed = Some(2);
    let (scenario, log) = run(http2(open(30.0, 2, 1), 8), dial);
    let stage = measured(&scenario);
    assert_eq!((stage.tally.exchanges, stage.tally.ok), (60, 60));
    assert_eq!(log.most_under_way.get(), 2);
    assert_close(stage.series.quantile(Dimension::Service, Quantile::P99), millis(100));
    assert!(stage.series.get(Dimension::Wait).unwrap().max().unwrap() > millis(300));
    assert_nothing_is_lost(stage);
}

#[test]
fn after_a_stop_nothing_that_waits_for_a_stream_is_sent() {
    let mut dial = always(Act::Answer(millis(500)));
    dial.allowed = Some(1);
    let log = Rc::clone(&dial.log);
    let watcher = Watcher { stop_after: Some(1), ..Watcher::default() };
    let plan = http2(open(4.0, 10, 1), 8);
    let (measurement, _) = watch_run(plan, vec![dial], watcher, stop_channel().1);
    let scenario = &measurement.scenarios[0];
    let tally = &measured(scenario).tally;
    assert_eq!(tally.exchanges, log.requests.borrow().len() as u64);
    assert!(scenario.abandoned > 0);
    assert_eq!(tally.exchanges + scenario.abandoned, scenario.released);
}

#[test]
fn no_arrival_waits_longer_than_the_timeout() {
    let mut dial = always(Act::Answer(millis(300)));
    dial.allowed = Some(1);
    let mut plan = http2(open(20.0, 2, 1), 4);
    plan.target.timeouts.whole = millis(1_000);
    let (scenario, _) = run(plan, dial);
    let stage = measured(&scenario);
    assert!(stage.tally.failed_by(Failure::Dropped) > 0);
    assert!(stage.series.get(Dimension::Wait).unwrap().max().unwrap() <= millis(1_001));
}

#[test]
fn a_target_that_allows_no_stream_at_all_fails_every_exchange_and_gets_none() {
    let mut dial = always(Act::Answer(millis(1)));
    dial.allowed = Some(0);
    let mut plan = http2(open(2.0, 2, 1), 4);
    plan.target.timeouts.whole = millis(700);
    let (scenario, log) = run(plan, dial);
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.exchanges, tally.ok), (4, 0));
    assert!(log.requests.borrow().is_empty());
    for evidence in measured(&scenario).evidence.by_count() {
        assert!(evidence.seen.starts_with("the target allows no stream"), "{}", evidence.seen);
    }
}

#[test]
fn latency_is_exactly_lag_wait_setup_and_service() {
    for (allowed, streams, acts) in [
        (None, 1, vec![Act::Answer(millis(700)), Act::Answer(millis(3))]),
        (Some(3), 6, vec![Act::Answer(millis(400)), Act::Answer(millis(30))]),
        (None, 4, vec![Act::Answer(millis(30)), Act::LastAnswer]),
        (
            None,
            4,
            vec![Act::Big(3 << 20), Act::Hint(millis(20), millis(50)), Act::Answer(millis(9))],
        ),
    ] {
        let mut dial = Http2Dial::new(vec![acts]);
        dial.allowed = allowed;
        let (scenario, _) = run(http2(open(17.0, 3, 1), streams), dial);
        assert_eq!(measured(&scenario).tally.ok, 51);
        assert_nothing_is_lost(measured(&scenario));
    }
}

#[test]
fn early_hints_are_the_first_byte_of_an_answer() {
    let (scenario, _) = run(http2(open(5.0, 1, 1), 1), always(Act::Hint(millis(20), millis(60))));
    let stage = measured(&scenario);
    assert_eq!(stage.tally.ok, 5);
    assert_close(stage.series.quantile(Dimension::FirstByte, Quantile::P50), millis(20));
    assert_close(stage.series.quantile(Dimension::Body, Quantile::P50), millis(60));
}

#[test]
fn a_big_request_body_arrives_whole() {
    let mut plan = http2(open(2.0, 1, 1), 1);
    plan.requests[0].http_mut().method = http::Method::POST;
    plan.requests[0].http_mut().body = Bytes::from(vec![b'x'; 300_000]);
    let (scenario, log) = run(plan, always(Act::Echo));
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.body_bytes), (2, 600_000));
    assert_eq!(log.requests.borrow()[0].headers()["content-length"], "300000");
}

#[test]
fn a_fresh_connection_for_each_arrival_works_in_http_2_too() {
    let mut plan = http2(open(5.0, 1, 2), 4);
    plan.reuse = ConnectionReuse::Fresh;
    let (scenario, log) = run(plan, always(Act::Answer(millis(10))));
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.fresh), (5, 5));
    assert_eq!((log.connections.get(), scenario.requests[0].peers.connections), (5, 5));
    assert_close(Some(sum(measured(&scenario), Dimension::Connect)), CONNECT * 5);
}

#[test]
fn warm_up_opens_each_shared_connection_once() {
    let mut plan = http2(open(40.0, 1, 2), 4);
    plan.warmup = WarmupPlan { connections: 2, requests: 10 };
    let (scenario, log) = run(plan, always(Act::Answer(millis(50))));
    let request = &scenario.requests[0];
    assert_eq!((request.cold.tally.ok, request.warmup.tally.ok), (2, 8));
    assert_eq!((request.measured.tally.ok, request.measured.tally.fresh), (40, 0));
    assert_eq!(log.connections.get(), 2);
}

#[test]
fn the_closed_model_keeps_every_stream_busy() {
    let load = LoadPlan::Closed { connections: 2, until: millis(1_000), iterations: None };
    let (measurement, log) = run(http2(scenario(load), 3), always(Act::Answer(millis(100))));
    assert_eq!((log.most_under_way.get(), log.connections.get()), (6, 2));
    assert!(
        (54..=66).contains(&measured(&measurement).tally.ok),
        "{}",
        measured(&measurement).tally.ok
    );
}

#[test]
fn a_connection_closed_while_idle_costs_a_counted_reconnect_and_no_error() {
    for streams in [1, 3] {
        let (scenario, log) = run(http2(open(5.0, 2, 1), streams), always(Act::Vanish));
        assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.failed()), (10, 0));
        assert_eq!(
            (scenario.connections.opened, scenario.connections.reopened_after_idle_close),
            (10, 9)
        );
        assert_eq!(log.requests.borrow().len(), 10);
    }
}

#[test]
fn redirects_are_followed_on_a_shared_connection_that_may_end_between_the_hops() {
    let acts = vec![
        Act::To("/b", millis(20)),
        Act::LastAnswer,
        Act::To("/b", millis(20)),
        Act::To("/c", millis(20)),
        Act::Answer(millis(30)),
    ];
    let mut dial = Http2Dial::new(vec![acts]);
    dial.allowed = Some(2);
    let plan = following(http2(open(20.0, 2, 1), 4), 3);
    let (scenario, log) = run(plan, dial);
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.failed()), (40, 0));
    assert!(log.connections.get() > 1);
    assert_nothing_is_lost(measured(&scenario));
    let hops: Vec<_> = scenario.requests[1..].iter().map(|hop| hop.measured.tally.ok).collect();
    assert_eq!(
        hops.iter().sum::<u64>() + 40 - hops[0],
        log.requests.borrow().len() as u64,
        "{hops:?}"
    );
    assert!(hops[0] > 0 && hops[0] == hops[1], "{hops:?}");
}

#[test]
fn a_body_larger_than_any_window_is_read_to_its_end() {
    let mut plan = http2(open(2.0, 1, 1), 2);
    plan.requests[0].expectations = ExpectationSet::new(Vec::new(), ByteSize(100 << 20));
    let (scenario, _) = run(plan, always(Act::Big(40 << 20)));
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.body_bytes), (2, 80 << 20));
}

fn acts() -> impl Strategy<Value = Act> {
    let delay = || (0_u64..300).prop_map(millis);
    prop_oneof![
        6 => delay().prop_map(Act::Answer),
        2 => (delay(), delay()).prop_map(|(hint, after)| Act::Hint(hint, after)),
        1 => Just(Act::Big(100_000)),
        1 => Just(Act::Short),
        2 => delay().prop_map(|after| Act::To("/b", after)),
        1 => Just(Act::Reset(Reason::REFUSED_STREAM)),
        1 => Just(Act::ResetInBody(Reason::INTERNAL_ERROR)),
        1 => Just(Act::LastAnswer),
        1 => prop::sample::select(vec![Reason::NO_ERROR, Reason::INTERNAL_ERROR]).prop_map(Act::GoAway),
        1 => Just(Act::Vanish),
        1 => Just(Act::Cut),
        1 => Just(Act::Hang),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn the_parts_of_every_exchange_on_a_stream_add_up_exactly(
        load in super::blame::loads(),
        streams in 1_u32..4,
        redirects in 0_u32..3,
        script in prop::collection::vec(prop::collection::vec(acts(), 1..6), 1..5),
        allowed in prop::option::of(1_u32..3),
    ) {
        let mut dial = Http2Dial::new(script);
        dial.allowed = allowed;
        let plan = http2(scenario(load), streams);
        super::blame::hold(if redirects > 0 { following(plan, redirects) } else { plan }, dial)?;
    }
}
