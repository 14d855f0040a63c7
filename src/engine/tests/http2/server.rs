//! A scripted HTTP/2 server.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response, StatusCode};
use tokio::io::DuplexStream;

use super::super::harness::{CONNECT, millis};
use crate::engine::connection::dial::{
    DialFuture, DialedConnection, Dialer, NegotiatedProtocol, NegotiatedVersion, UrlOrigin,
};
use crate::engine::time::clock::Instant;
use crate::record::Dimension;
use crate::recorder::{ExchangeFailure, ExchangeParts};

/// What the scripted server does with one stream.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Answers 200 with five bytes after a delay.
    Answer(Duration),
    /// Sends early hints after the first delay, and the answer after the second.
    Hint(Duration, Duration),
    /// Answers with this many bytes.
    Big(usize),
    /// States a length of ten and sends five bytes.
    Short,
    /// Sends the head and a part of the body, and resets the stream.
    ResetInBody(Reason),
    /// Resets the stream without an answer.
    Reset(Reason),
    /// Answers, and shuts the connection down gracefully.
    LastAnswer,
    /// Takes the stream and ends the connection with this reason.
    GoAway(Reason),
    /// Redirects to this URL after a delay.
    To(&'static str, Duration),
    /// Answers, and closes the connection a little later without a GOAWAY.
    Vanish,
    /// Answers only the first request, and closes the connection some time later without a GOAWAY.
    VanishAfter(Duration),
    /// Answers with five bytes after this many empty DATA frames.
    EmptyData(usize),
    /// Sends the head and a part of the body, and cuts the connection.
    Cut,
    /// Never answers.
    Hang,
    /// Answers with the request's body.
    Echo,
}

/// Dials a scripted HTTP/2 server; each connection takes 5 ms to open.
pub(super) struct Http2Dial {
    /// The acts of each connection; the last act repeats, and so does the last connection.
    script: RefCell<VecDeque<Vec<Act>>>,
    pub(super) allowed: Option<u32>,
    pub(super) log: Rc<Log>,
}

/// What the server saw.
#[derive(Default)]
pub(super) struct Log {
    pub(super) connections: Cell<u64>,
    under_way: Cell<usize>,
    pub(super) most_under_way: Cell<usize>,
    pub(super) cancelled: Cell<u64>,
    pub(super) requests: RefCell<Vec<Request<()>>>,
}

impl Http2Dial {
    pub(super) fn new(script: Vec<Vec<Act>>) -> Self {
        Self { script: RefCell::new(script.into()), allowed: None, log: Rc::default() }
    }

    async fn connect(
        &self,
        parts: &mut ExchangeParts,
    ) -> Result<DialedConnection, ExchangeFailure> {
        tokio::time::sleep(CONNECT).await;
        parts.set_duration(Dimension::Connect, CONNECT);
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

impl Dialer for Http2Dial {
    fn dial<'a>(
        &'a self,
        _: &'a UrlOrigin,
        parts: &'a mut ExchangeParts,
        _: Instant,
    ) -> DialFuture<'a> {
        Box::pin(self.connect(parts))
    }
}

pub(super) fn plain_http2(stream: DuplexStream) -> DialedConnection {
    DialedConnection {
        stream: Box::new(stream),
        spoken: NegotiatedProtocol { version: NegotiatedVersion::Http2, tls: None },
        address: None,
    }
}

async fn serve(stream: DuplexStream, acts: Vec<Act>, allowed: Option<u32>, log: Rc<Log>) {
    let mut builder = Builder::new();
    if let Some(allowed) = allowed {
        builder.max_concurrent_streams(allowed);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let mut acts = acts.into_iter().peekable();
    let mut cut =
        Box::pin(std::future::pending::<()>()) as std::pin::Pin<Box<dyn Future<Output = ()>>>;
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
                if matches!(act, Act::Vanish) {
                    cut = Box::pin(tokio::time::sleep(millis(20)));
                }
                if let Act::VanishAfter(after) = act {
                    cut = Box::pin(tokio::time::sleep(after));
                    acts = vec![Act::Hang].into_iter().peekable();
                }
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
        Act::To(place, after) => {
            tokio::time::sleep(after).await;
            let head = Response::builder().status(302).header("location", place);
            answer.send_response(head.body(()).unwrap(), true).unwrap();
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
        Act::Vanish | Act::VanishAfter(_) => full(&mut answer, Bytes::from_static(b"hello")),
        Act::EmptyData(count) => send_after_empty_data(&mut answer, count),
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

/// Answers with five bytes after this many empty DATA frames.
fn send_after_empty_data(answer: &mut SendResponse<Bytes>, count: usize) {
    let mut stream = answer.send_response(Response::new(()), false).unwrap();
    (0..count).for_each(|_| stream.send_data(Bytes::new(), false).unwrap());
    stream.send_data(Bytes::from_static(b"hello"), true).unwrap();
}
