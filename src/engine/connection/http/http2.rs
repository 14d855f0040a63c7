//! One HTTP/2 connection, and a handle for each task that shares it.
//!
//! This module uses `h2` directly instead of hyper's client. That client queues requests beyond the
//! target's stream limit, and their waiting time is not visible. It also spawns a task for each
//! request, and it does not report whether the target refused a request or took it.

use std::cell::{Cell, OnceCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{StatusCode, response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::timeout_at;

use super::http2_failure::FailureContext;
use super::{
    BodyChunks, BodyCollector, ExchangeLimits, ExchangeResponse, RequestMessage, RequestNotSent,
    arrival, note_phases, phase, read,
};
use crate::engine::connection::dial::{NegotiatedProtocol, timed_out};
use crate::engine::connection::idle_close::{IdleWatch, RequestAfterIdling};
use crate::engine::connection::library_limit::HEAD_LIMIT;
use crate::engine::connection::socket_peek::{SocketPeek, UnreadInput};
use crate::engine::connection::wire::{ByteStream, StampedStream, WireStamps};
use crate::engine::time::clock::{self, Instant};
use crate::library_text::await_without_panic;
use crate::record::{Dimension, Failure};
use crate::recorder::{ConnectionId, ExchangeFailure, ExchangeParts};

/// Flow-control window of one stream, and of the connection: large enough not to slow down a big
/// body.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// How many frames on streams that were given up `h2` accepts before it ends the connection. Each
/// exchange that timed out can cause one, and the default of 1,024 is soon reached.
const LATE_FRAMES: usize = 1 << 16;

/// More streams than are ever used at once.
const STREAMS: usize = 1 << 16;

/// The message for a target that never takes a request.
pub(in crate::engine) const NO_STREAM: &str =
    "the target allows no stream (SETTINGS_MAX_CONCURRENT_STREAMS is 0)";

/// A handle to a connection, for one exchange at a time.
pub(in crate::engine) struct Http2Connection {
    sender: SendRequest<Bytes>,
    shared: Rc<ConnectionState>,
    /// The permit for one stream, held from `ready` to the end of the exchange.
    stream: Option<StreamPermit>,
}

/// The permit for one stream. It is forgotten if the target now allows fewer streams than are in
/// use.
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

/// What the handles of a connection share.
struct ConnectionState {
    traits: Rc<FailureContext>,
    /// One permit per stream that the target allows; closed together with the connection.
    streams: Arc<Semaphore>,
    /// How many permits to forget when they are returned.
    owed: Rc<Cell<usize>>,
    /// How many streams the target allows; one until it has announced a number.
    allowed: Rc<Cell<usize>>,
    /// A check of its socket for unread input, if it has one.
    peek: Option<SocketPeek>,
    /// Whether `peek` found the end of the stream before the driver read it.
    ended: Cell<bool>,
    /// Whether the connection takes no more requests: it was silent during a whole exchange that
    /// timed out.
    retired: Cell<bool>,
    /// Whether it ended while an exchange was on it.
    broken: Cell<bool>,
    idle: IdleWatch,
    id: OnceCell<ConnectionId>,
    /// The first exchange in progress, if the connection had been idle before it.
    first_in_progress: Cell<Option<RequestAfterIdling>>,
    driver: AbortHandle,
}

/// Counts one exchange among those in progress on a connection.
struct InProgressGuard {
    connection: Rc<ConnectionState>,
    /// Set if the connection had been idle until this exchange, or one that went out with it.
    after_idling: Option<RequestAfterIdling>,
}

impl InProgressGuard {
    fn begin(connection: &Rc<ConnectionState>, sent: Instant) -> Self {
        let before = connection.traits.stamps.begin_exchange();
        if before == 0 {
            connection.first_in_progress.set(connection.idle.after_idling(sent));
        }
        let first = connection.first_in_progress.get();
        let after_idling = first.filter(|first| first.is_with(sent));
        Self { connection: Rc::clone(connection), after_idling }
    }
}

impl Drop for InProgressGuard {
    fn drop(&mut self) {
        self.connection.traits.stamps.end_exchange();
        self.connection.idle.note_use(clock::now());
    }
}

impl Drop for ConnectionState {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Http2Connection {
    /// Sends the client's connection preface; does not wait for the target's.
    pub(super) async fn open(
        stream: Box<dyn ByteStream>,
        spoken: NegotiatedProtocol,
        deadline: Instant,
    ) -> Result<Self, ExchangeFailure> {
        let stamps = Rc::new(WireStamps::default());
        let peek = stream.socket_peek();
        let wire = StampedStream::new(stream, Rc::clone(&stamps)).filtered();
        let traits = Rc::new(FailureContext::new(stamps, spoken));
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
            idle: IdleWatch::default(),
            id: OnceCell::new(),
            first_in_progress: Cell::default(),
            driver,
        });
        Ok(Self { sender, shared, stream })
    }

    /// Waits for a stream; false if the connection is closed or about to close.
    pub(super) async fn ready(&mut self) -> bool {
        if self.stream.is_none() && self.is_open() {
            let permit = Arc::clone(&self.shared.streams).acquire_owned().await.ok();
            self.stream = permit.map(|permit| StreamPermit {
                permit: Some(permit),
                owed: Rc::clone(&self.shared.owed),
            });
        }
        let read = self.shared.traits.stamps.last_read_if_proven();
        // Unread bytes prove nothing: they may belong to any stream.
        if self
            .shared
            .peek
            .as_ref()
            .is_some_and(|peek| peek.look_unless_polled(read) == UnreadInput::End)
        {
            self.shared.ended.set(true);
        }
        self.stream.is_some() && self.is_open()
    }

    pub(super) fn share(&self) -> Self {
        Self { sender: self.sender.clone(), shared: Rc::clone(&self.shared), stream: None }
    }

    /// False after a GOAWAY, at the end of the stream of bytes, and when the stream identifiers are
    /// used up.
    pub(super) fn is_open(&mut self) -> bool {
        let mut nobody = Context::from_waker(Waker::noop());
        !self.shared.retired.get()
            && !self.shared.ended.get()
            && !self.is_near_limit()
            && !self.shared.streams.is_closed()
            && matches!(self.sender.poll_ready(&mut nobody), Poll::Ready(Ok(())))
    }

    /// Whether the target has sent anything on it.
    pub(super) fn was_heard(&self) -> bool {
        self.shared.traits.stamps.heard()
    }

    /// Whether the target currently allows no stream.
    pub(super) fn allows_no_stream(&self) -> bool {
        self.shared.allowed.get() == 0
    }

    /// Whether `h2` would soon end the connection at a limit of its own.
    pub(super) fn is_near_limit(&self) -> bool {
        self.shared.traits.stamps.is_near_limit()
    }

    /// What is known of its bytes.
    pub(super) fn stamps(&self) -> &WireStamps {
        &self.shared.traits.stamps
    }

    pub(super) fn idle(&self) -> &IdleWatch {
        &self.shared.idle
    }

    pub(super) fn id(&self) -> &OnceCell<ConnectionId> {
        &self.shared.id
    }

    pub(super) fn is_broken(&self) -> bool {
        self.shared.broken.get() || self.shared.retired.get()
    }

    /// With prior knowledge only the target's own preface shows that it speaks HTTP/2.
    pub(super) fn protocol(&self) -> Option<NegotiatedProtocol> {
        let FailureContext { spoken, stamps, .. } = &*self.shared.traits;
        (spoken.tls.is_some() || stamps.greeted_in_http2()).then_some(*spoken)
    }

    /// The first byte is the first head that the target sends, including a 103 before the answer.
    pub(super) async fn exchange(
        &mut self,
        message: &RequestMessage,
        sent: Instant,
        limits: ExchangeLimits,
        parts: &mut ExchangeParts,
        collector: &mut BodyCollector<'_>,
    ) -> Result<ExchangeResponse, RequestNotSent> {
        let _held_until_the_end = self.stream.take();
        let in_progress = InProgressGuard::begin(&self.shared, sent);
        let first = Cell::new(None);
        let mut upload = None;
        let mut answer = match self.head(message, sent, limits, (&first, &mut upload)).await? {
            Err(failed) => Err(failed),
            Ok((head, body)) => {
                let limits = collector.see(&head, limits);
                let body = Http2Body { body, traits: &self.shared.traits };
                let whole = read(body, self.shared.peek.as_ref(), limits, collector).await;
                whole.and_then(|()| self.check_answer(&head, collector.received)).map(|()| head)
            }
        };
        let done = match &answer {
            Ok(_) => self.shared.traits.read_by(sent),
            Err(_) => clock::now(),
        };
        if let Some(mut upload) = upload {
            // Has no effect if all was sent. Otherwise the rest would keep the stream open.
            upload.send_reset(Reason::CANCEL);
        }
        note_phases(parts, sent, first.get(), done, answer.is_ok());
        if let Err(failed) = &answer {
            self.note_failed_exchange(failed, sent);
        }
        match &mut answer {
            Ok(_) => self.idle().note_answer(in_progress.after_idling),
            Err(failed) if first.get().is_none() && self.ended_without_error() => {
                *failed = self.idle().name(in_progress.after_idling, failed.clone(), done);
            }
            Err(_) => {}
        }
        Ok(ExchangeResponse { done, reusable: self.is_open(), answer: answer.map_err(Box::new) })
    }

    async fn head(
        &mut self,
        message: &RequestMessage,
        sent: Instant,
        limits: ExchangeLimits,
        (first, rest): (&Cell<Option<Instant>>, &mut Option<SendStream<Bytes>>),
    ) -> Result<Result<(response::Parts, RecvStream), ExchangeFailure>, RequestNotSent> {
        let stamps = &self.shared.traits.stamps;
        let written = stamps.written();
        let answer = match self.sender.send_request(message.two(), message.body().is_empty()) {
            Ok((answer, mut upload)) => {
                // `h2` buffers the whole body and sends it as the target's windows allow.
                if !message.body().is_empty() {
                    if upload.send_data(message.body().clone(), true).is_err() {
                        upload.send_reset(Reason::INTERNAL_ERROR);
                    }
                    *rest = Some(upload);
                }
                answer
            }
            Err(error) => {
                return Err(RequestNotSent(Box::new(self.failed(&error, Dimension::FirstByte))));
            }
        };
        let stamp = || first.set(first.get().or_else(|| Some(self.shared.traits.read_by(sent))));
        let mut answered = std::pin::pin!(head_of(answer, stamp));
        let peek = self.shared.peek.as_ref();
        let mut head = arrival(peek, (sent, limits.first_byte_by(sent)), answered.as_mut()).await;
        if head.is_err() && first.get().is_some() {
            head = arrival(peek, (clock::now(), limits.deadline), answered).await;
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

    /// Checks what `h2` does not: that the target began with SETTINGS (RFC 9113, section 3.4), and
    /// that an answer without content has none (RFC 9110, sections 15.3.5 and 15.4.5).
    fn check_answer(&self, head: &response::Parts, received: u64) -> Result<(), ExchangeFailure> {
        let is_empty = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status);
        let broken = if !self.shared.traits.stamps.greeted_in_http2() {
            "its first frame was not SETTINGS"
        } else if is_empty && received > 0 {
            "an answer that must not have content has some"
        } else {
            return Ok(());
        };
        let seen = format!("the target broke the rules of HTTP/2 (PROTOCOL_ERROR, 0x1: {broken})");
        Err(ExchangeFailure::in_phase(Failure::Malformed, Dimension::Body, seen))
    }

    /// Decides whether the connection of a failed exchange, sent at `sent`, can be used again.
    ///
    /// A timeout ends only its stream. But if nothing arrived since `sent`, a slow target looks the
    /// same as a dead connection. Then, as on HTTP/1.1, the next exchange gets a new connection.
    fn note_failed_exchange(&mut self, failed: &ExchangeFailure, sent: Instant) {
        let silent = self.shared.traits.stamps.last_read().is_none_or(|read| read < sent);
        if failed.failure == Failure::TimedOut && silent {
            self.shared.retired.set(true);
        }
        if !self.is_open() {
            self.shared.broken.set(true);
        }
    }

    /// Whether the connection is over and the target announced no error.
    fn ended_without_error(&mut self) -> bool {
        !self.is_open() && self.shared.traits.stamps.goaway().is_none_or(|code| code == 0)
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
        .max_local_error_reset_streams(Some(LATE_FRAMES))
        // One stream until the target announces its limit, so that it never has to refuse one.
        .initial_max_send_streams(1);
    builder
}

/// Drives the connection until it ends, and admits as many exchanges as the target allows.
async fn drive(
    mut connection: Connection<StampedStream, Bytes>,
    (streams, owed, allowed): (Arc<Semaphore>, Rc<Cell<usize>>, Rc<Cell<usize>>),
    traits: Rc<FailureContext>,
) {
    let driving = poll_fn(|cx| {
        let polled = Pin::new(&mut connection).poll(cx);
        let (before, allows) =
            (allowed.get(), connection.max_concurrent_send_streams().min(STREAMS));
        if allows > before {
            let repaid = owed.get().min(allows - before);
            owed.set(owed.get() - repaid);
            streams.add_permits(allows - before - repaid);
        } else if allows < before {
            let forgotten = streams.forget_permits(before - allows);
            owed.set(owed.get() + before - allows - forgotten);
        }
        allowed.set(allows);
        polled
    });
    let ended = await_without_panic(pin!(driving)).await.unwrap_or_else(|defect| {
        traits.stamps.note_defect(defect);
        Ok(())
    });
    // Dropping the connection wakes the waiting exchanges, so its end must be recorded first.
    if let Some(end) = ended.err().and_then(h2::Error::into_io) {
        traits.note_end(end);
    }
    streams.close();
}

/// Waits for the head of an answer. Stamps each head, including those of informational answers.
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

/// Whether a GOAWAY says that the target has not taken the request and will not (RFC 9113, section
/// 6.8). A GOAWAY ends only the streams beyond its last stream identifier.
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
        // Releasing bytes that were just counted cannot fail. If it did, the body would stall and
        // time out.
        let _counted = piece
            .as_ref()
            .is_ok_and(|data| self.body.flow_control().release_capacity(data.len()).is_ok());
        Some(piece.map_err(|error| self.traits.failed(&error, Dimension::Body)))
    }
}
