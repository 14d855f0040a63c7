//! Answers that arrive before the request was sent to its end. No arrival may wait for a connection
//! that the rest of a request occupies.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::harness::{Script, Turn, Watcher, measure, millis, open, watch_run};
use super::measured;
use super::sockets::against;
use crate::engine::connection::dial::{
    DialFuture, DialedConnection, Dialer, NegotiatedProtocol, NegotiatedVersion, UrlOrigin,
};
use crate::engine::connection::wire::ByteStream;
use crate::engine::stop_channel;
use crate::engine::time::clock::Instant;
use crate::expect::{Expectation, ExpectationSet, ResponseCheck};
use crate::plan::ScenarioPlan;
use crate::record::Dimension;
use crate::recorder::ExchangeParts;
use crate::units::ByteSize;

/// A scenario whose requests have a body of this many bytes and expect this status.
fn uploading(mut scenario: ScenarioPlan, bytes: usize, status: StatusCode) -> ScenarioPlan {
    let request = &mut scenario.requests[0];
    (request.http_mut().method, request.http_mut().body) =
        (http::Method::POST, Bytes::from(vec![b'x'; bytes]));
    let check = ResponseCheck::Status(vec![status]);
    let expectation = Expectation { written: String::new(), check };
    request.expectations = ExpectationSet::new(vec![expectation], ByteSize(1_000));
    scenario
}

/// More than a stream of a test holds.
const LARGE: usize = 200_000;

#[test]
fn a_connection_that_is_answered_before_its_upload_was_read_is_replaced_and_no_arrival_waits() {
    for turn in [Turn::AnswerUnread, Turn::Answer(millis(0))] {
        let plan = uploading(open(10.0, 2, 2), LARGE, StatusCode::OK);
        let scenario = measure(plan, Script::always(turn));
        assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.failed()), (20, 0));
        assert_eq!((scenario.connections.opened, scenario.connections.replaced), (20, 18));
        assert_eq!(scenario.connections.reopened_after_idle_close, 0);
        let waited = measured(&scenario).series.get(Dimension::Wait).unwrap().max().unwrap();
        assert!(waited < millis(1), "{waited:?}");
    }
}

#[test]
fn a_short_timeout_leaves_time_for_another_connection() {
    let mut plan = uploading(open(10.0, 2, 1), LARGE, StatusCode::OK);
    plan.target.timeouts.whole = millis(40);
    let scenario = measure(plan, Script::always(Turn::AnswerUnread));
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.failed()), (20, 0));
}

/// A connection that takes the end of each request only after its answer was read.
#[derive(Default)]
struct LateStream {
    taken: usize,
    is_answered: bool,
}

impl AsyncRead for LateStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.taken < TAKEN || self.is_answered {
            return Poll::Pending;
        }
        self.is_answered = true;
        buf.put_slice(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        Poll::Ready(Ok(()))
    }
}

/// How much of each request the connection takes before its answer.
const TAKEN: usize = 1_000;

impl AsyncWrite for LateStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_answered {
            return Poll::Ready(Ok(bytes.len()));
        }
        let taken = bytes.len().min(TAKEN - self.taken);
        self.taken += taken;
        if taken == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_answered {
            *self = Self::default();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl ByteStream for LateStream {}

struct LateDial;

impl Dialer for LateDial {
    fn dial<'a>(
        &'a self,
        _: &'a UrlOrigin,
        _: &'a mut ExchangeParts,
        _: Instant,
    ) -> DialFuture<'a> {
        let spoken = NegotiatedProtocol { version: NegotiatedVersion::Http1, tls: None };
        let stream = Box::new(LateStream::default());
        Box::pin(async move { Ok(DialedConnection { stream, spoken, address: None }) })
    }
}

#[test]
fn a_connection_that_took_the_end_of_an_upload_after_the_answer_takes_the_next_request() {
    let plan = uploading(open(10.0, 2, 1), LARGE, StatusCode::OK);
    let (run, _) = watch_run(plan, vec![LateDial], Watcher::default(), stop_channel().1);
    let scenario = &run.scenarios[0];
    assert_eq!((measured(scenario).tally.ok, measured(scenario).tally.failed()), (20, 0));
    assert_eq!((scenario.connections.opened, scenario.connections.replaced), (1, 0));
}

/// The size of an upload that no socket buffer holds.
const HUGE: usize = 8 << 20;

/// A server that answers each request at its first bytes, and then reads the rest of it.
fn answering_at_once() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(|| answer_at_once(stream));
        }
    });
    address
}

fn answer_at_once(mut stream: TcpStream) -> io::Result<()> {
    loop {
        let mut first = [0; 1024];
        let read = stream.read(&mut first)?;
        let head = first[..read].windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let Some(head) = head else { return Ok(()) };
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
        let rest = HUGE - (read - head - 4);
        io::copy(&mut (&stream).take(rest as u64), &mut io::sink())?;
    }
}

#[test]
fn a_huge_upload_that_is_answered_at_once_loses_no_arrival() {
    let plan = uploading(open(10.0, 2, 2), HUGE, StatusCode::OK);
    let scenario = against(plan, answering_at_once()).scenarios.remove(0);
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed()), (20, 0), "{:?}", measured(&scenario).evidence);
    assert_eq!(scenario.unreleased, 0);
}

/// A server that answers each request at its first bytes, and then closes the connection, which
/// resets it because most of the request is unread.
fn refusing(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _read = stream.read(&mut [0; 1024]);
            let _gone = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn an_answer_that_a_reset_follows_is_read_although_the_upload_broke() {
    for answer in [
        "HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntoo large",
        "HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\n\r\ntoo large",
    ] {
        let plan = uploading(open(10.0, 2, 2), HUGE, StatusCode::PAYLOAD_TOO_LARGE);
        let scenario = against(plan, refusing(answer)).scenarios.remove(0);
        let tally = &measured(&scenario).tally;
        assert_eq!((tally.ok, tally.failed()), (20, 0), "{:?}", measured(&scenario).evidence);
    }
}
