//! HTTP/2 against a scripted server, over in-memory streams and under paused time.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::harness::{CONNECT, Watcher, assert_nothing_is_lost, millis, open, scenario, sum, watch_run};
use super::{assert_close, measured};
use crate::engine::clock::Instant;
use crate::engine::dial::{Dial, Dialled, Dialling, Origin, Spoken, Version};
use crate::engine::stopper;
use crate::expect::Expectations;
use crate::plan::{Load, Protocol, Reuse, ScenarioPlan, Warmup};
use crate::record::{Dimension, Failure, ScenarioMeasurement};
use crate::recorder::{Failed, Parts};
use crate::units::{ByteSize, Quantile};

/// What the scripted server does with one stream.
#[derive(Debug, Clone)]
enum Act {
    /// Answers 200 with five bytes after a delay.
    Answer(Duration),
    /// Sends early hints after a delay, and the answer after another.
    Hint(Duration, Duration),
    /// Answers with so many bytes.
    Big(usize),
    /// States a length of ten and sends five bytes.
    Short,
    /// Sends the head and a part of the body, and resets the stream.
    ResetInBody(Reason),
    /// Resets the stream without an answer.
    Reset(Reason),
    /// Answers, and lets the connection end gracefully.
    LastAnswer,
    /// Ends the connection with this reason, the stream having been taken.
    GoAway(Reason),
    /// Sends the head and a part of the body, and cuts the connection.
    Cut,
    /// Never answers.
    Hang,
    /// Repeats the bytes of the request's body.
    Echo,
}

/// Dials a scripted HTTP/2 server; each connection takes 5 ms to open.
struct Http2Dial {
    /// The acts of each connection, the last repeated; the last connection's repeated too.
    script: RefCell<VecDeque<Vec<Act>>>,
    allowed: Option<u32>,
    log: Rc<Log>,
}

#[derive(Default)]
struct Log {
    connections: Cell<u64>,
    under_way: Cell<usize>,
    most_under_way: Cell<usize>,
    cancelled: Cell<u64>,
    requests: RefCell<Vec<Request<()>>>,
}

impl Http2Dial {
    fn new(script: Vec<Vec<Act>>) -> Self {
        Self { script: RefCell::new(script.into()), allowed: None, log: Rc::default() }
    }

    async fn connect(&self, parts: &mut Parts) -> Result<Dialled, Failed> {
        tokio::time::sleep(CONNECT).await;
        parts.took(Dimension::Connect, CONNECT);
        let acts = {
            let mut script = self.script.borrow_mut();
            if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() }
        };
        self.log.connections.set(self.log.connections.get() + 1);
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::task::spawn_local(serve(theirs, acts, self.allowed, Rc::clone(&self.log)));
        Ok(plain_http2(ours))
    }
}

impl Dial for Http2Dial {
    fn dial<'a>(&'a self, _: &'a Origin, parts: &'a mut Parts, _: Instant) -> Dialling<'a> {
        Box::pin(self.connect(parts))
    }
}

fn plain_http2(stream: DuplexStream) -> Dialled {
    Dialled { stream: Box::new(stream), spoken: Spoken { version: Version::Http2, tls: None } }
}

async fn serve(stream: DuplexStream, acts: Vec<Act>, allowed: Option<u32>, log: Rc<Log>) {
    let mut builder = Builder::new();
    if let Some(allowed) = allowed {
        builder.max_concurrent_streams(allowed);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let mut acts = acts.into_iter().peekable();
    let mut cut = Box::pin(std::future::pending::<()>()) as std::pin::Pin<Box<dyn Future<Output = ()>>>;
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            () = &mut cut => return,
        };
        let Some(Ok((request, mut answer))) = accepted else { return };
        let act = acts.next().unwrap();
        if acts.peek().is_none() {
            acts = vec![act.clone()].into_iter().peekable();
        }
        let (head, body) = request.into_parts();
        log.requests.borrow_mut().push(Request::from_parts(head, ()));
        match act {
            Act::GoAway(reason) => connection.abrupt_shutdown(reason),
            Act::Cut => {
                let mut part = answer.send_response(Response::new(()), false).unwrap();
                part.send_data(Bytes::from_static(b"hel"), false).unwrap();
                cut = Box::pin(tokio::time::sleep(millis(20)));
                std::mem::forget(part);
            }
            act => {
                if matches!(act, Act::LastAnswer) {
                    connection.graceful_shutdown();
                }
                let log = Rc::clone(&log);
                tokio::task::spawn_local(async move {
                    log.under_way.set(log.under_way.get() + 1);
                    log.most_under_way.set(log.most_under_way.get().max(log.under_way.get()));
                    take(act, body, answer, &log).await;
                    log.under_way.set(log.under_way.get() - 1);
                });
            }
        }
    }
}

async fn take(act: Act, mut body: RecvStream, mut answer: SendResponse<Bytes>, log: &Log) {
    let full = |answer: &mut SendResponse<Bytes>, bytes: Bytes| {
        let mut stream = answer.send_response(Response::new(()), false).unwrap();
        stream.send_data(bytes, true).unwrap();
    };
    match act {
        Act::Answer(after) => {
            tokio::time::sleep(after).await;
            full(&mut answer, Bytes::from_static(b"hello"));
        }
        Act::Hint(hint, after) => {
            tokio::time::sleep(hint).await;
            let hints = Response::builder().status(StatusCode::EARLY_HINTS).body(()).unwrap();
            answer.send_informational(hints).unwrap();
            tokio::time::sleep(after).await;
            full(&mut answer, Bytes::from_static(b"hello"));
        }
        Act::Big(bytes) => full(&mut answer, Bytes::from(vec![b'x'; bytes])),
        Act::Short => {
            let head = Response::builder().header("content-length", "10").body(()).unwrap();
            let mut stream = answer.send_response(head, false).unwrap();
            stream.send_data(Bytes::from_static(b"hello"), true).unwrap();
        }
        Act::ResetInBody(reason) => {
            let mut stream = answer.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(b"hel"), false).unwrap();
            tokio::time::sleep(millis(5)).await;
            stream.send_reset(reason);
        }
        Act::Reset(reason) => answer.send_reset(reason),
        Act::LastAnswer => {
            tokio::time::sleep(millis(30)).await;
            full(&mut answer, Bytes::from_static(b"hello"));
        }
        Act::Hang => {
            let reason = std::future::poll_fn(|cx| answer.poll_reset(cx)).await;
            if reason.is_ok_and(|reason| reason == Reason::CANCEL) {
                log.cancelled.set(log.cancelled.get() + 1);
            }
        }
        Act::Echo => {
            let mut all = Vec::new();
            while let Some(Ok(data)) = body.data().await {
                body.flow_control().release_capacity(data.len()).unwrap();
                all.extend_from_slice(&data);
            }
            full(&mut answer, Bytes::from(all));
        }
        Act::GoAway(_) | Act::Cut => unreachable!("taken by the connection"),
    }
}

/// A scenario in HTTP/2 alone.
fn http2(mut scenario: ScenarioPlan, streams: u32) -> ScenarioPlan {
    (scenario.target.protocol, scenario.streams) = (Protocol::Http2, streams);
    scenario
}

fn run(scenario: ScenarioPlan, dial: Http2Dial) -> (ScenarioMeasurement, Rc<Log>) {
    let log = Rc::clone(&dial.log);
    let (measurement, _) = watch_run(scenario, vec![dial], Watcher::default(), stopper().1);
    (measurement.scenarios.into_iter().next().unwrap(), log)
}

fn always(act: Act) -> Http2Dial {
    Http2Dial::new(vec![vec![act]])
}

/// What was seen of the most frequent failure.
fn seen(scenario: &ScenarioMeasurement) -> (Failure, Option<Dimension>, String) {
    let evidence = measured(scenario).evidence.by_count()[0].clone();
    (evidence.failure, evidence.phase, evidence.seen)
}

#[test]
fn exchanges_are_carried_out_and_the_protocol_is_named() {
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
}

#[test]
fn while_one_opens_the_shared_connection_the_others_wait_for_it() {
    let (scenario, log) = run(http2(open(1_000.0, 1, 1), 8), always(Act::Answer(millis(1))));
    let stage = measured(&scenario);
    assert_eq!((stage.tally.ok, log.connections.get()), (1_000, 1));
    assert_eq!(stage.series.get(Dimension::Setup).unwrap().count(), 1);
    let waited = stage.series.get(Dimension::Wait).unwrap().max().unwrap();
    assert!(waited >= millis(2) && waited <= millis(8), "{waited:?}");
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
fn a_target_that_allows_no_stream_at_all_fails_every_exchange_and_gets_none() {
    let mut dial = always(Act::Answer(millis(1)));
    dial.allowed = Some(0);
    let mut plan = http2(open(2.0, 2, 1), 4);
    plan.target.timeouts.whole = millis(700);
    let (scenario, log) = run(plan, dial);
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.exchanges, tally.ok), (4, 0));
    assert!(log.requests.borrow().is_empty());
}

#[test]
fn latency_is_lag_wait_setup_and_service_without_rest() {
    for (allowed, streams, acts) in [
        (None, 1, vec![Act::Answer(millis(700)), Act::Answer(millis(3))]),
        (Some(3), 6, vec![Act::Answer(millis(400)), Act::Answer(millis(30))]),
        (None, 4, vec![Act::Answer(millis(30)), Act::LastAnswer]),
        (None, 4, vec![Act::Big(3 << 20), Act::Hint(millis(20), millis(50)), Act::Answer(millis(9))]),
    ] {
        let mut dial = Http2Dial::new(vec![acts]);
        dial.allowed = allowed;
        let (scenario, _) = run(http2(open(17.0, 3, 1), streams), dial);
        assert_eq!(measured(&scenario).tally.ok, 51);
        assert_nothing_is_lost(measured(&scenario));
    }
}

#[test]
fn a_connection_that_ends_gracefully_is_opened_again_without_an_error() {
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
fn a_connection_ended_in_the_middle_fails_what_was_on_it_and_nothing_is_sent_twice() {
    for reason in [Reason::ENHANCE_YOUR_CALM, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
        let script = vec![vec![Act::Answer(millis(5)), Act::GoAway(reason)]];
        let (scenario, log) = run(http2(open(20.0, 1, 1), 2), Http2Dial::new(script));
        let tally = &measured(&scenario).tally;
        assert_eq!((tally.ok, tally.failed_by(Failure::Closed)), (10, 10), "{reason:?} {tally:?}");
        assert_eq!(log.requests.borrow().len(), 20, "{reason:?}");
    }
}

#[test]
fn a_reset_stream_is_a_failure_with_its_reason_and_leaves_the_connection_alone() {
    let acts = vec![Act::Answer(millis(5)), Act::Reset(Reason::REFUSED_STREAM), Act::Answer(millis(5))];
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
    let (scenario, _) = run(http2(open(5.0, 1, 1), 1), always(Act::Reset(Reason::HTTP_1_1_REQUIRED)));
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Protocol), 5);
}

#[test]
fn a_stalled_stream_times_out_alone_and_the_others_go_on() {
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
fn a_body_that_is_too_large_ends_its_stream_alone() {
    let acts = vec![Act::Big(2_000_000), Act::Answer(millis(5))];
    let mut plan = http2(open(10.0, 1, 1), 2);
    plan.requests[0].expectations = Expectations::new(Vec::new(), ByteSize(1_000_000));
    let (scenario, log) = run(plan, Http2Dial::new(vec![acts]));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed_by(Failure::Unexpected), log.connections.get()), (9, 1, 1));
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
    plan.requests[0].method = http::Method::POST;
    plan.requests[0].body = Bytes::from(vec![b'x'; 300_000]);
    let (scenario, log) = run(plan, always(Act::Echo));
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.body_bytes), (2, 600_000));
    assert_eq!(log.requests.borrow()[0].headers()["content-length"], "300000");
}

#[test]
fn a_fresh_connection_for_each_arrival_works_in_http_2_too() {
    let mut plan = http2(open(5.0, 1, 2), 4);
    plan.reuse = Reuse::Fresh;
    let (scenario, log) = run(plan, always(Act::Answer(millis(10))));
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.fresh), (5, 5));
    assert_eq!(log.connections.get(), 5);
    assert_close(Some(sum(measured(&scenario), Dimension::Connect)), CONNECT * 5);
}

#[test]
fn warm_up_opens_each_shared_connection_once() {
    let mut plan = http2(open(40.0, 1, 2), 4);
    plan.warmup = Warmup { connections: 2, requests: 10 };
    let (scenario, log) = run(plan, always(Act::Answer(millis(50))));
    let request = &scenario.requests[0];
    assert_eq!((request.cold.tally.ok, request.warmup.tally.ok), (2, 8));
    assert_eq!((request.measured.tally.ok, request.measured.tally.fresh), (40, 0));
    assert_eq!(log.connections.get(), 2);
}

#[test]
fn the_closed_model_keeps_every_stream_busy() {
    let load = Load::Closed { connections: 2, until: millis(1_000), iterations: None };
    let (measurement, log) = run(http2(scenario(load), 3), always(Act::Answer(millis(100))));
    assert_eq!((log.most_under_way.get(), log.connections.get()), (6, 2));
    assert!((54..=66).contains(&measured(&measurement).tally.ok), "{}", measured(&measurement).tally.ok);
}

/// Dials a server that reads and sends bytes as they are told.
struct RawDial {
    /// What is sent once anything was read, if not nothing.
    says: &'static [u8],
    /// Whether it then closes.
    closes: bool,
}

impl Dial for RawDial {
    fn dial<'a>(&'a self, _: &'a Origin, parts: &'a mut Parts, _: Instant) -> Dialling<'a> {
        Box::pin(async {
            parts.took(Dimension::Connect, Duration::ZERO);
            let (ours, mut theirs) = tokio::io::duplex(1 << 16);
            let (says, closes) = (self.says, self.closes);
            tokio::task::spawn_local(async move {
                let mut read = [0; 4096];
                let mut told = false;
                while theirs.read(&mut read).await.is_ok_and(|read| read > 0) {
                    tokio::time::sleep(millis(2)).await;
                    if !told && theirs.write_all(says).await.is_err() || closes {
                        return;
                    }
                    told = true;
                }
            });
            Ok(plain_http2(ours))
        })
    }
}

fn against_bytes(says: &'static [u8], closes: bool) -> ScenarioMeasurement {
    let dials = vec![RawDial { says, closes }];
    let mut plan = http2(open(4.0, 1, 1), 2);
    plan.target.timeouts.whole = millis(900);
    watch_run(plan, dials, Watcher::default(), stopper().1).0.scenarios.remove(0)
}

/// An empty SETTINGS frame, with which a server begins.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

#[test]
fn a_target_without_http_2_is_another_protocol_and_never_ok() {
    let answers = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".as_slice();
    for (says, closes, why) in [
        (answers, false, "the target answered in HTTP/1.1"),
        (answers, true, "the target answered in HTTP/1.1"),
        (b"", true, "the target closed the connection without a word of HTTP/2"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", false, "the target answered in something else than HTTP/2"),
    ] {
        let scenario = against_bytes(says, closes);
        let tally = &measured(&scenario).tally;
        assert_eq!((tally.failed_by(Failure::Protocol), tally.exchanges), (4, 4), "{says:?} {tally:?}");
        assert_eq!(seen(&scenario).2, why);
        assert!(scenario.protocols.is_empty());
    }
}

#[test]
fn a_target_that_says_nothing_times_out() {
    let scenario = against_bytes(b"", false);
    let tally = &measured(&scenario).tally;
    assert_eq!(tally.failed_by(Failure::TimedOut) + tally.failed_by(Failure::Dropped), 4);
    assert!(tally.failed_by(Failure::TimedOut) > 0);
}

#[test]
fn frames_that_break_the_rules_are_malformed_and_never_hang() {
    let data_on_stream_zero = b"\0\0\x01\0\0\0\0\0\0x".as_slice();
    let headers_of_garbage = b"\0\0\x03\x01\x05\0\0\0\x01\xff\xff\xff";
    let too_long = b"\xff\xff\xff\0\0\0\0\0\x01";
    for frames in [data_on_stream_zero, headers_of_garbage, too_long] {
        let bytes: &'static [u8] = Box::leak([SETTINGS, frames].concat().into_boxed_slice());
        let scenario = against_bytes(bytes, false);
        let tally = &measured(&scenario).tally;
        assert_eq!(tally.failed_by(Failure::Malformed), 4, "{frames:?} {tally:?} {}", seen(&scenario).2);
        assert_eq!(scenario.protocols, ["HTTP/2"]);
    }
}

/// Dials a server that at first leaves requests out by a GOAWAY, and then one that takes them.
struct LeavingOut {
    first: Cell<bool>,
    then: Http2Dial,
}

impl Dial for LeavingOut {
    fn dial<'a>(&'a self, origin: &'a Origin, parts: &'a mut Parts, by: Instant) -> Dialling<'a> {
        if !self.first.replace(false) {
            return self.then.dial(origin, parts, by);
        }
        // A first answer (`:status: 200`, the end of its stream), so that the connection counts as one that works; then
        // a GOAWAY that takes no stream beyond the first.
        let answer = b"\0\0\x01\x01\x05\0\0\0\x01\x88".as_slice();
        let go_away = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0".as_slice();
        Box::pin(async move {
            parts.took(Dimension::Connect, Duration::ZERO);
            let (ours, mut theirs) = tokio::io::duplex(1 << 16);
            tokio::task::spawn_local(async move {
                theirs.write_all(SETTINGS).await.unwrap();
                wait_for_headers(&mut theirs, 1).await;
                theirs.write_all(answer).await.unwrap();
                wait_for_headers(&mut theirs, 3).await;
                theirs.write_all(go_away).await.unwrap();
                tokio::time::sleep(Duration::from_hours(1)).await;
            });
            Ok(plain_http2(ours))
        })
    }
}

/// Reads frames up to the HEADERS of a stream.
async fn wait_for_headers(stream: &mut DuplexStream, id: u8) {
    if id == 1 {
        stream.read_exact(&mut [0; 24]).await.unwrap();
    }
    let mut head = [0; 9];
    while (head[3], head[8]) != (1, id) {
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; length as usize]).await.unwrap();
    }
}

#[test]
fn a_request_that_a_graceful_end_left_out_goes_to_a_new_connection() {
    let then = always(Act::Answer(millis(5)));
    let log = Rc::clone(&then.log);
    let dial = LeavingOut { first: Cell::new(true), then };
    let plan = http2(open(4.0, 1, 1), 2);
    let (measurement, _) = watch_run(plan, vec![dial], Watcher::default(), stopper().1);
    let scenario = &measurement.scenarios[0];
    assert_eq!((measured(scenario).tally.ok, measured(scenario).tally.exchanges), (4, 4));
    assert_eq!((scenario.connections.opened, scenario.connections.reopened_after_idle_close), (2, 1));
    assert_eq!(log.requests.borrow().len(), 3);
    assert_nothing_is_lost(measured(scenario));
}
