//! One connection of HTTP/2, and a way onto it for each of those who share it.
//!
//! It stands on `h2` itself and not on hyper's client over it: that one queues a request beyond the
//! target's number of streams where nobody can see how long it waits, spawns a task for each, and
//! does not tell a request that the target refused to take from one that it took.

use std::cell::{Cell, OnceCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::timeout_at;

use super::{
    BodyChunks, BodyCollector, ExchangeLimits, ExchangeResponse, RequestMessage, RequestNotSent,
    note_phases, phase, read,
};
use crate::engine::connection::dial::{NegotiatedProtocol, timed_out};
use crate::engine::connection::socket_peek::{SocketPeek, UnreadInput};
use crate::engine::connection::wire::{ByteStream, StampedStream, WireStamps};
use crate::engine::time::clock::{self, Instant};
use crate::record::{Dimension, Failure};
use crate::recorder::{ExchangeFailure, ExchangeParts};

/// How much of one body, and of all on a connection, may be under way: enough that no window slows
/// a big body down.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// The largest head of an answer that is read.
const HEAD_LIMIT: u32 = 256 << 10;

/// More streams than are ever wanted at once.
const STREAMS: usize = 1 << 16;

/// What a target that never takes a request does.
pub(in crate::engine) const NO_STREAM: &str =
    "the target allows no stream (SETTINGS_MAX_CONCURRENT_STREAMS is 0)";

/// A way onto a connection, for one exchange at a time.
pub(in crate::engine) struct Http2Connection {
    sender: SendRequest<Bytes>,
    shared: Rc<ConnectionState>,
    /// The right to one stream, held from ready to the end of the exchange.
    stream: Option<StreamPermit>,
}

/// The right to one stream; given up for good where the target has come to allow fewer than are
/// taken.
struct StreamPermit {
    permit: Option<OwnedSemaphorePermit>,
    owed: Rc<Cell<usize>>,
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let owed = self.owed.get();
        if let Some(permit) = self.permit.take().filter(|_| owed > 0) {
            self.owed.set(owed - 1);
            permit.forget();
        }
    }
}

/// What those who share a connection know of it.
struct ConnectionState {
    traits: Rc<FailureContext>,
    /// One permit a stream that the target allows; closed when the connection is.
    streams: Arc<Semaphore>,
    /// How many permits are to be given up as they come back.
    owed: Rc<Cell<usize>>,
    /// How many streams the target allows; one until it has said.
    allowed: Rc<Cell<usize>>,
    /// A look into its socket, where it has one, and whether its end was seen there before the
    /// driver read it.
    peek: Option<SocketPeek>,
    ended: Cell<bool>,
    /// No more is sent on it: it was silent for the whole of an exchange that timed out.
    retired: Cell<bool>,
    /// It ended while an exchange was on it.
    broken: Cell<bool>,
    driver: AbortHandle,
}

/// What a failure on a connection is explained by.
struct FailureContext {
    stamps: Rc<WireStamps>,
    spoken: NegotiatedProtocol,
    /// What the stream of bytes ended with, which `h2` does not hand on to those who were waiting.
    end: OnceCell<io::Error>,
}

impl Drop for ConnectionState {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Http2Connection {
    /// Sends the connection's preface; the target's own is not waited for.
    pub(super) async fn open(
        stream: Box<dyn ByteStream>,
        spoken: NegotiatedProtocol,
        deadline: Instant,
    ) -> Result<Self, ExchangeFailure> {
        let stamps = Rc::new(WireStamps::default());
        let peek = stream.socket_peek();
        let wire = StampedStream::new(stream, Rc::clone(&stamps));
        let traits = Rc::new(FailureContext { stamps, spoken, end: OnceCell::new() });
        let begun = clock::now();
        let (sender, connection) = timeout_at(deadline, builder().handshake(wire))
            .await
            .map_err(|_elapsed| timed_out(Dimension::Setup, deadline - begun))?
            .map_err(|error| traits.failed(&error, Dimension::Setup))?;
        let streams = Arc::new(Semaphore::new(1));
        let (owed, allowed) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(1)));
        let first = Arc::clone(&streams).try_acquire_owned().ok();
        let stream =
            first.map(|permit| StreamPermit { permit: Some(permit), owed: Rc::clone(&owed) });
        let permits = (Arc::clone(&streams), Rc::clone(&owed), Rc::clone(&allowed));
        let driving = drive(connection, permits, Rc::clone(&traits));
        let driver = tokio::task::spawn_local(driving).abort_handle();
        let [ended, retired, broken] = [(); 3].map(|()| Cell::new(false));
        let shared = Rc::new(ConnectionState {
            traits,
            streams,
            owed,
            allowed,
            peek,
            ended,
            retired,
            broken,
            driver,
        });
        Ok(Self { sender, shared, stream })
    }

    /// Waits for a stream; false where the connection is closed or about to be.
    pub(super) async fn ready(&mut self) -> bool {
        if self.stream.is_none() && self.is_open() {
            let permit = Arc::clone(&self.shared.streams).acquire_owned().await.ok();
            self.stream = permit.map(|permit| StreamPermit {
                permit: Some(permit),
                owed: Rc::clone(&self.shared.owed),
            });
        }
        // Bytes are nothing to go by: they may belong to any stream.
        if self.shared.peek.as_ref().is_some_and(|peek| peek.look() == UnreadInput::End) {
            self.shared.ended.set(true);
        }
        self.stream.is_some() && self.is_open()
    }

    pub(super) fn share(&self) -> Self {
        Self { sender: self.sender.clone(), shared: Rc::clone(&self.shared), stream: None }
    }

    /// False after a GOAWAY, at the end of the stream of bytes, and when the numbers for streams
    /// are used up.
    pub(super) fn is_open(&mut self) -> bool {
        let mut nobody = Context::from_waker(Waker::noop());
        !self.shared.retired.get()
            && !self.shared.ended.get()
            && !self.shared.streams.is_closed()
            && matches!(self.sender.poll_ready(&mut nobody), Poll::Ready(Ok(())))
    }

    /// Whether the target has said anything on it.
    pub(super) fn was_heard(&self) -> bool {
        self.shared.traits.stamps.heard()
    }

    /// Whether the target lets nothing be sent at all.
    pub(super) fn allows_no_stream(&self) -> bool {
        self.shared.allowed.get() == 0
    }

    pub(super) fn is_broken(&self) -> bool {
        self.shared.broken.get() || self.shared.retired.get()
    }

    /// With prior knowledge only the target's own preface shows that it speaks HTTP/2.
    pub(super) fn protocol(&self) -> Option<NegotiatedProtocol> {
        let FailureContext { spoken, stamps, .. } = &*self.shared.traits;
        (spoken.tls.is_some() || stamps.greeted_in_http2()).then_some(*spoken)
    }

    /// The first byte is the first head that the target sends, that of a 103 before the answer
    /// included.
    pub(super) async fn exchange(
        &mut self,
        message: &RequestMessage,
        sent: Instant,
        limits: ExchangeLimits,
        parts: &mut ExchangeParts,
        collector: &mut BodyCollector<'_>,
    ) -> Result<ExchangeResponse, RequestNotSent> {
        let _held_until_the_end = self.stream.take();
        let first = Cell::new(None);
        let answer = match self.head(message, sent, limits, &first).await? {
            Err(failed) => Err(failed),
            Ok((head, body)) => {
                let limits = collector.see(&head, limits);
                read(Http2Body { body, traits: &self.shared.traits }, limits, collector)
                    .await
                    .map(|()| head)
            }
        };
        let done = match &answer {
            Ok(_) => self.shared.traits.read_by(sent),
            Err(_) => clock::now(),
        };
        note_phases(parts, sent, first.get(), done, answer.is_ok());
        if let Err(failed) = &answer {
            self.look_after(failed, sent);
        }
        Ok(ExchangeResponse { done, reusable: self.is_open(), answer: answer.map_err(Box::new) })
    }

    async fn head(
        &mut self,
        message: &RequestMessage,
        sent: Instant,
        limits: ExchangeLimits,
        first: &Cell<Option<Instant>>,
    ) -> Result<Result<(response::Parts, RecvStream), ExchangeFailure>, RequestNotSent> {
        let stamps = &self.shared.traits.stamps;
        let written = stamps.written();
        let answer = match self.sender.send_request(message.two(), message.body().is_empty()) {
            Ok((answer, mut upload)) => {
                // The body is taken whole and goes out as the target's windows allow.
                if !message.body().is_empty()
                    && upload.send_data(message.body().clone(), true).is_err()
                {
                    upload.send_reset(Reason::INTERNAL_ERROR);
                }
                answer
            }
            Err(error) => {
                return Err(RequestNotSent(Box::new(self.failed(&error, Dimension::FirstByte))));
            }
        };
        let stamp = || first.set(first.get().or_else(|| Some(self.shared.traits.read_by(sent))));
        let mut answered = std::pin::pin!(head_of(answer, stamp));
        let mut head = timeout_at(limits.first_byte_by(sent), answered.as_mut()).await;
        if head.is_err() && first.get().is_some() {
            head = timeout_at(limits.deadline, answered).await;
        }
        let phase = phase(first.get().is_some());
        match head {
            Ok(Ok(answer)) => Ok(Ok(answer)),
            Ok(Err(error)) if stamps.written() == written || was_left_out(&error) => {
                Err(RequestNotSent(Box::new(self.failed(&error, phase))))
            }
            Ok(Err(error)) => Ok(Err(self.failed(&error, phase))),
            Err(_elapsed) if self.allows_no_stream() => {
                Ok(Err(ExchangeFailure::in_phase(Failure::TimedOut, phase, NO_STREAM)))
            }
            Err(_elapsed) => Ok(Err(limits.ran_out(phase))),
        }
    }

    /// Decides what a failed exchange, sent at `sent`, says of its connection.
    ///
    /// A timeout ends its stream alone. But where nothing at all came in meanwhile, nobody can tell
    /// a slow target from a dead connection, and as on HTTP/1.1 the next exchange gets a new one.
    fn look_after(&mut self, failed: &ExchangeFailure, sent: Instant) {
        let silent = self.shared.traits.stamps.last_read().is_none_or(|read| read < sent);
        if failed.failure == Failure::TimedOut && silent {
            self.shared.retired.set(true);
        }
        if !self.is_open() {
            self.shared.broken.set(true);
        }
    }

    fn failed(&self, error: &h2::Error, phase: Dimension) -> ExchangeFailure {
        self.shared.traits.failed(error, phase)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_LIMIT)
        .enable_push(false)
        // Until the target has said how many streams it allows there is one, so that it never has
        // to refuse any.
        .initial_max_send_streams(1);
    builder
}

/// Moves the connection's frames until it ends, and lets in as many exchanges as the target allows.
async fn drive(
    mut connection: Connection<StampedStream, Bytes>,
    (streams, owed, allowed): (Arc<Semaphore>, Rc<Cell<usize>>, Rc<Cell<usize>>),
    traits: Rc<FailureContext>,
) {
    let ended = poll_fn(|cx| {
        let polled = Pin::new(&mut connection).poll(cx);
        let (before, allows) =
            (allowed.get(), connection.max_concurrent_send_streams().min(STREAMS));
        if allows > before {
            let kept = owed.get().min(allows - before);
            owed.set(owed.get() - kept);
            streams.add_permits(allows - before - kept);
        } else if allows < before {
            let forgotten = streams.forget_permits(before - allows);
            owed.set(owed.get() + before - allows - forgotten);
        }
        allowed.set(allows);
        polled
    })
    .await;
    // Dropping the connection tells those who wait, so that its end has to be known before.
    if let Some(end) = ended.err().and_then(h2::Error::into_io) {
        let _first = traits.end.set(end);
    }
    streams.close();
}

/// Waits for the head of an answer; each head, and those of informational answers before it, is
/// stamped.
async fn head_of(
    mut answer: ResponseFuture,
    stamp: impl Fn(),
) -> Result<(response::Parts, RecvStream), h2::Error> {
    let response = poll_fn(|cx| {
        while let Poll::Ready(Some(Ok(_informational))) = answer.poll_informational(cx) {
            stamp();
        }
        Pin::new(&mut answer).poll(cx)
    })
    .await?;
    stamp();
    Ok(response.into_parts())
}

/// Whether a GOAWAY said that the target has not taken the request and will not (RFC 9113, section
/// 6.8): only the streams beyond its last are ended with it.
fn was_left_out(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR)
}

struct Http2Body<'a> {
    body: RecvStream,
    traits: &'a FailureContext,
}

impl BodyChunks for Http2Body<'_> {
    async fn next(&mut self) -> Option<Result<Bytes, ExchangeFailure>> {
        let piece = self.body.data().await?;
        // Releasing what has just been counted cannot fail; if it did, the body would stall and
        // time out.
        let _counted = piece
            .as_ref()
            .is_ok_and(|data| self.body.flow_control().release_capacity(data.len()).is_ok());
        Some(piece.map_err(|error| self.traits.failed(&error, Dimension::Body)))
    }
}

impl FailureContext {
    /// When what was just taken from the connection, for an exchange sent at `sent`, had come in at
    /// the latest.
    fn read_by(&self, sent: Instant) -> Instant {
        self.stamps.last_read().unwrap_or_else(clock::now).max(sent)
    }

    /// What an error says of an exchange in a phase.
    fn failed(&self, error: &h2::Error, phase: Dimension) -> ExchangeFailure {
        let (failure, seen) = if self.spoken.tls.is_none() && !self.stamps.greeted_in_http2() {
            (Failure::Protocol, instead_of_http2(&self.stamps).to_owned())
        } else if let Some(end) = error.get_io() {
            self.of_end(self.end.get().unwrap_or(end))
        } else {
            of_frame(error)
        };
        ExchangeFailure::in_phase(failure, phase, seen)
    }

    fn of_end(&self, end: &io::Error) -> (Failure, String) {
        let failure = match end.kind() {
            _ if self.stamps.ended() => {
                return (Failure::Closed, "the target closed the connection".to_owned());
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Failure::Reset,
            // Only TLS finds fault with the bytes themselves; `h2` keeps no more of it than this.
            io::ErrorKind::InvalidData if self.spoken.tls.is_some() => Failure::Tls,
            _ => Failure::Closed,
        };
        (failure, end.to_string())
    }
}

/// What a frame of the target, or one that breaks the rules, says.
fn of_frame(error: &h2::Error) -> (Failure, String) {
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    let words = |what: &str| format!("the target {what} ({reason:?}: {reason})");
    match (error.is_remote(), error.is_library()) {
        (true, _) if reason == Reason::HTTP_1_1_REQUIRED => {
            (Failure::Protocol, words("asks for HTTP/1.1"))
        }
        (true, _) if error.is_go_away() => (Failure::Closed, words("ended the connection")),
        (true, _) => (Failure::Reset, words("reset the stream")),
        (_, true) => (Failure::Malformed, words("broke the rules of HTTP/2")),
        _ => (Failure::Malformed, error.to_string()),
    }
}

/// What a target did that was asked in HTTP/2 with prior knowledge and does not speak it.
fn instead_of_http2(stamps: &WireStamps) -> &'static str {
    if stamps.greeted(b"HTTP/1.") {
        "the target answered in HTTP/1.1"
    } else if stamps.heard() {
        "the target answered in something else than HTTP/2"
    } else {
        "the target closed the connection without a word of HTTP/2"
    }
}
