//! HTTP/1.1 answers that are easy to misread, over in-memory streams and under paused time.

use std::rc::Rc;

use super::harness::{Script, ScriptedDial, Turn, Watcher, measure, millis, open, watch_run};
use super::sums::assert_nothing_is_lost;
use super::{assert_close, measured};
use crate::engine::stop_channel;
use crate::expect::{Expectation, ExpectationSet, ResponseCheck};
use crate::plan::{ScenarioPlan, WarmupPlan};
use crate::record::{Dimension, Failure};
use crate::units::{ByteSize, Quantile};

fn expecting(mut scenario: ScenarioPlan, check: ResponseCheck) -> ScenarioPlan {
    let expectation = Expectation { written: String::new(), check };
    scenario.requests[0].expectations = ExpectationSet::new(vec![expectation], ByteSize(1_000));
    scenario
}

#[test]
fn answers_without_a_body_keep_the_connection() {
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n";
    let (no_content, unchanged) = ("HTTP/1.1 204 No\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n");
    for (method, answer, status) in
        [("HEAD", length, 200), ("GET", no_content, 204), ("GET", unchanged, 304)]
    {
        let status = http::StatusCode::from_u16(status).unwrap();
        let mut plan = expecting(open(10.0, 1, 1), ResponseCheck::Status(vec![status]));
        plan.requests[0].http_mut().method = method.parse().unwrap();
        let scenario = measure(plan, Script::always(Turn::Raw(millis(5), answer)));
        assert_eq!(
            (measured(&scenario).tally.ok, scenario.connections.opened),
            (10, 1),
            "{answer:?}"
        );
        assert_eq!(measured(&scenario).tally.body_bytes, 0);
    }
}

#[test]
fn a_chunked_body_is_read_with_its_trailers() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n\
                  3\r\nhel\r\n2\r\nlo\r\n0\r\nx: y\r\n\r\n";
    let plan = expecting(open(10.0, 1, 1), ResponseCheck::contains("hello"));
    let scenario = measure(plan, Script::always(Turn::Raw(millis(5), answer)));
    assert_eq!((measured(&scenario).tally.ok, scenario.connections.opened), (10, 1));
    assert_eq!(measured(&scenario).tally.body_bytes, 50);
}

#[test]
fn early_hints_are_the_first_byte_and_the_answer_after_them_is_judged() {
    let answer = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
                  HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let scenario = measure(open(10.0, 1, 1), Script::always(Turn::Raw(millis(5), answer)));
    assert_eq!((measured(&scenario).tally.ok, scenario.connections.opened), (10, 1));
    assert_nothing_is_lost(measured(&scenario));
}

#[test]
fn a_body_that_the_close_delimits_lasts_until_the_close() {
    let plan = expecting(open(4.0, 1, 1), ResponseCheck::contains("hello"));
    let scenario =
        measure(plan, Script::always(Turn::RawThenClose("HTTP/1.1 200 OK\r\n\r\nhello")));
    let stage = measured(&scenario);
    assert_eq!((stage.tally.ok, scenario.connections.opened), (4, 4));
    assert_nothing_is_lost(stage);

    let script =
        Script::always(Turn::Late { head: "HTTP/1.1 200 OK\r\n\r\nhello", close: millis(100) });
    let stage = measured(&measure(open(2.0, 1, 1), script)).clone();
    assert_close(stage.series.quantile(Dimension::Body, Quantile::P50), millis(100));
}

#[test]
fn what_follows_a_complete_answer_never_becomes_the_next_one() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    for rest in
        ["x", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno", "HTTP/1.1 200 OK\r\n", "\r\n\r\n\0"]
    {
        for apart in [millis(0), millis(5)] {
            let turn =
                Turn::Rest { answer, apart, rest: Box::leak(rest.to_owned().into_boxed_str()) };
            let dial = ScriptedDial::new(Script::always(turn));
            let sent = Rc::clone(&dial.requests);
            let plan = expecting(open(10.0, 1, 1), ResponseCheck::contains("ok"));
            let (measurement, _) =
                watch_run(plan, vec![dial], Watcher::default(), stop_channel().1);
            let scenario = &measurement.scenarios[0];
            // Bytes that arrive with the answer make it malformed; later bytes find the exchange
            // over.
            let malformed = if apart.is_zero() { 10 } else { 0 };
            let tally = &measured(scenario).tally;
            assert_eq!(tally.failed_by(Failure::Malformed), malformed, "{rest:?} {apart:?}");
            assert_eq!(tally.ok, 10 - malformed, "{rest:?} {apart:?}");
            // Each stray byte costs the connection.
            assert_eq!(
                (scenario.connections.opened, sent.borrow().len()),
                (10, 10),
                "{rest:?} {apart:?}"
            );
        }
    }
}

#[test]
fn an_endless_head_is_a_flood_and_does_not_fill_the_memory() {
    let line = format!("x-endless: {}\r\n", "y".repeat(1_000));
    let endless: &str =
        Box::leak(format!("HTTP/1.1 200 OK\r\n{}", line.repeat(2_000)).into_boxed_str());
    let scenario = measure(open(2.0, 1, 1), Script::always(Turn::Raw(millis(1), endless)));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.failed_by(Failure::Flood), tally.exchanges), (2, 2), "{tally:?}");
}

#[test]
fn contradictory_lengths_are_malformed() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!",
        "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nok",
    ] {
        let scenario = measure(open(2.0, 1, 1), Script::always(Turn::Raw(millis(1), head)));
        let tally = &measured(&scenario).tally;
        assert_eq!((tally.ok, tally.failed_by(Failure::Malformed)), (0, 2), "{head:?} {tally:?}");
    }
}

#[test]
fn a_length_longer_than_the_body_is_an_early_close_or_a_timeout() {
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
    let closed = measure(open(2.0, 1, 1), Script::always(Turn::RawThenClose(long)));
    let evidence = measured(&closed).evidence.by_count()[0].clone();
    assert_eq!((evidence.failure, evidence.phase), (Failure::Closed, Some(Dimension::Body)));
    let held = measure(open(2.0, 1, 1), Script::always(Turn::Raw(millis(1), long)));
    let evidence = measured(&held).evidence.by_count()[0].clone();
    assert_eq!((evidence.failure, evidence.phase), (Failure::TimedOut, Some(Dimension::Body)));
}

#[test]
fn a_body_that_is_too_large_ends_its_connection() {
    let script = Script::always(Turn::Trickle { bytes: 5_000, every: millis(0) });
    let mut plan = expecting(open(4.0, 1, 1), ResponseCheck::contains("x"));
    plan.warmup = WarmupPlan { connections: 1, requests: 1 };
    let scenario = measure(plan, script);
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Unexpected), 4);
    assert_eq!(scenario.connections.opened, 5);
}

#[test]
fn an_unrequested_protocol_change_is_an_unexpected_status() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let scenario = measure(open(4.0, 1, 1), Script::always(Turn::Raw(millis(1), switch)));
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.exchanges), (0, 4));
}

#[test]
fn an_answer_in_http_2_is_another_protocol() {
    let settings = "\0\0\0\x04\0\0\0\0\0";
    let scenario = measure(open(4.0, 1, 1), Script::always(Turn::Raw(millis(1), settings)));
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Protocol), 4);
}
