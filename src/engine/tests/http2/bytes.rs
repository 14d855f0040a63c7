//! Cases that need exact bytes on the wire.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::harness::{Watcher, millis, open, watch_run};
use super::super::sums::assert_nothing_is_lost;
use super::super::{assert_close, measured};
use super::server::{Act, Http2Dial, plain_http2};
use super::{always, http2, seen};
use crate::engine::connection::dial::{DialFuture, Dialer, UrlOrigin};
use crate::engine::stop_channel;
use crate::engine::time::clock::Instant;
use crate::record::{Dimension, Failure, ScenarioMeasurement};
use crate::recorder::ExchangeParts;
use crate::units::Quantile;

/// Dials a server that sends given bytes.
struct RawDial {
    /// What it sends once after it has read something; may be empty.
    says: &'static [u8],
    /// Whether it closes the connection after that.
    closes: bool,
}

impl Dialer for RawDial {
    fn dial<'a>(
        &'a self,
        _: &'a UrlOrigin,
        parts: &'a mut ExchangeParts,
        _: Instant,
    ) -> DialFuture<'a> {
        Box::pin(async {
            parts.set_duration(Dimension::Connect, Duration::ZERO);
            let (ours, mut theirs) = tokio::io::duplex(1 << 16);
            let (says, closes) = (self.says, self.closes);
            tokio::task::spawn_local(async move {
                let mut read = [0; 4096];
                let mut has_sent = false;
                while theirs.read(&mut read).await.is_ok_and(|read| read > 0) {
                    tokio::time::sleep(millis(2)).await;
                    if !has_sent && theirs.write_all(says).await.is_err() || closes {
                        return;
                    }
                    has_sent = true;
                }
            });
            Ok(plain_http2(ours))
        })
    }
}

pub(super) fn against_bytes(says: &'static [u8], closes: bool) -> ScenarioMeasurement {
    let dials = vec![RawDial { says, closes }];
    let mut plan = http2(open(4.0, 1, 1), 2);
    plan.target.timeouts.whole = millis(900);
    watch_run(plan, dials, Watcher::default(), stop_channel().1).0.scenarios.remove(0)
}

/// An empty SETTINGS frame, the preface of a server.
pub(super) const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

#[test]
fn a_target_without_http_2_is_another_protocol_and_never_ok() {
    let answers = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".as_slice();
    for (says, closes, why) in [
        (answers, false, "the target answered in HTTP/1.1"),
        (answers, true, "the target answered in HTTP/1.1"),
        (b"", true, "the target closed the connection before it sent any HTTP/2"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", false, "the target did not answer in HTTP/2"),
    ] {
        let scenario = against_bytes(says, closes);
        let tally = &measured(&scenario).tally;
        assert_eq!(
            (tally.failed_by(Failure::Protocol), tally.exchanges),
            (4, 4),
            "{says:?} {tally:?}"
        );
        assert_eq!(seen(&scenario).2, why);
        assert!(scenario.protocols.is_empty());
    }
}

#[test]
fn a_silent_target_also_times_out_exchanges_that_wait_for_a_stream() {
    let scenario = against_bytes(b"", false);
    assert_eq!(measured(&scenario).tally.failed_by(Failure::TimedOut), 4);
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
        assert_eq!(
            tally.failed_by(Failure::Malformed),
            4,
            "{frames:?} {tally:?} {}",
            seen(&scenario).2
        );
        assert_eq!(scenario.protocols, ["HTTP/2"]);
    }
}

/// Dials a server whose first connection leaves requests out by a GOAWAY; later ones take every
/// request.
struct LeavingOut {
    first: Cell<bool>,
    then: Http2Dial,
}

impl Dialer for LeavingOut {
    fn dial<'a>(
        &'a self,
        origin: &'a UrlOrigin,
        parts: &'a mut ExchangeParts,
        by: Instant,
    ) -> DialFuture<'a> {
        if !self.first.replace(false) {
            return self.then.dial(origin, parts, by);
        }
        // A first answer (`:status: 200`, end of stream), so that the connection counts as working;
        // then a GOAWAY that takes no stream after the first.
        let answer = b"\0\0\x01\x01\x05\0\0\0\x01\x88".as_slice();
        let go_away = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0".as_slice();
        Box::pin(async move {
            parts.set_duration(Dimension::Connect, Duration::ZERO);
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
fn a_request_left_out_by_a_graceful_shutdown_goes_to_a_new_connection() {
    let then = always(Act::Answer(millis(5)));
    let log = Rc::clone(&then.log);
    let dial = LeavingOut { first: Cell::new(true), then };
    let plan = http2(open(4.0, 1, 1), 2);
    let (measurement, _) = watch_run(plan, vec![dial], Watcher::default(), stop_channel().1);
    let scenario = &measurement.scenarios[0];
    assert_eq!((measured(scenario).tally.ok, measured(scenario).tally.exchanges), (4, 4));
    assert_eq!(
        (scenario.connections.opened, scenario.connections.reopened_after_idle_close),
        (2, 1)
    );
    assert_eq!(log.requests.borrow().len(), 3);
    assert_nothing_is_lost(measured(scenario));
}

/// Dials a server that allows four streams, and one after it has count eight requests.
struct Shrinking;

impl Dialer for Shrinking {
    fn dial<'a>(
        &'a self,
        _: &'a UrlOrigin,
        _: &'a mut ExchangeParts,
        _: Instant,
    ) -> DialFuture<'a> {
        Box::pin(async {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            tokio::task::spawn_local(shrink(theirs));
            Ok(plain_http2(ours))
        })
    }
}

/// A SETTINGS frame that sets only the maximum number of concurrent streams.
fn allow(streams: u8) -> [u8; 15] {
    [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, streams]
}

/// Answers each request with 200 after 100 ms.
async fn shrink(mut stream: DuplexStream) {
    stream.read_exact(&mut [0; 24]).await.unwrap();
    stream.write_all(&allow(4)).await.unwrap();
    let (mut reader, writer) = tokio::io::split(stream);
    let writer = Rc::new(tokio::sync::Mutex::new(writer));
    let mut count = 0;
    let mut head = [0; 9];
    while reader.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        reader.read_exact(&mut vec![0; length as usize]).await.unwrap();
        if head[3] != 1 {
            continue;
        }
        count += 1;
        if count == 8 {
            writer.lock().await.write_all(&allow(1)).await.unwrap();
        }
        let writer = Rc::clone(&writer);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(millis(100)).await;
            // HEADERS with `:status: 200` from HPACK's static table and the end of the stream.
            let answer = [&[0, 0, 1, 1, 5][..], &head[5..], &[0x88]].concat();
            let _gone = writer.lock().await.write_all(&answer).await;
        });
    }
}

#[test]
fn after_the_target_lowers_its_stream_limit_exchanges_wait_visibly() {
    let plan = http2(open(20.0, 2, 1), 4);
    let (measurement, _) = watch_run(plan, vec![Shrinking], Watcher::default(), stop_channel().1);
    let stage = measured(&measurement.scenarios[0]);
    assert_eq!(stage.tally.ok, 40);
    assert_close(stage.series.quantile(Dimension::Service, Quantile::P99), millis(100));
    assert!(stage.series.get(Dimension::Wait).unwrap().max().unwrap() > millis(1_000));
}
