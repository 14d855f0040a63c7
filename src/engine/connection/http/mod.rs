//! One connection and the exchanges on it, over either HTTP version.

mod body;
mod framing;
mod http1;
mod http2;
mod http2_failure;
mod message;

use std::cell::OnceCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::response;
use tokio::time::error::Elapsed;
use tokio::time::timeout_at;

use crate::engine::connection::dial::{
    DialedConnection, NegotiatedProtocol, NegotiatedVersion, timed_out,
};
use crate::engine::connection::flood::Flood;
use crate::engine::connection::idle_close::IdleWatch;
use crate::engine::connection::socket_peek::SocketPeek;
use crate::engine::defect::defect_failure;
use crate::engine::time::clock::{self, Instant};
use crate::engine::time::tick;
use crate::expect::UnmetExpectation;
use crate::library_text::Defect;
use crate::plan::{ExchangeTimeouts, ProxyPlan};
use crate::record::Dimension;
use crate::recorder::{ConnectionId, ExchangeFailure, ExchangeParts, UsedConnection};

use body::{BodyChunks, read};

pub(in crate::engine) use body::{BodyCollector, ResponseHead};
pub(in crate::engine) use http2::NO_STREAM;
pub(in crate::engine) use message::{MessageChanges, RequestMessage, RequestParts, UnsendablePart};

/// An open connection: all of it over HTTP/1.1, one stream at a time over HTTP/2.
pub(in crate::engine) enum HttpConnection {
    /// Boxed, since it moves in and out of its task's connections with every exchange.
    Http1(Box<http1::Http1Connection>),
    Http2(http2::Http2Connection),
}

/// Why a connection that awaited no answer takes no more requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum ConnectionLoss {
    /// The target closed it, or announced that it will.
    ClosedByTarget,
    /// tollgate gave it up: a part of a request would occupy it, it was not clear where an answer
    /// ended, or a limit of the library was near.
    GivenUp,
    /// tollgate closed it, because the target flooded it.
    Flooded(Flood),
    /// A panic ended it.
    Defective(Defect),
}

impl ConnectionLoss {
    /// The failure of the exchange that finds the loss. `None` if the exchange gets another
    /// connection instead.
    pub(in crate::engine) fn failure(&self) -> Option<ExchangeFailure> {
        match self {
            Self::ClosedByTarget | Self::GivenUp => None,
            Self::Flooded(flood) => Some(flood.failed(Dimension::FirstByte)),
            Self::Defective(defect) => Some(defect_failure(defect)),
        }
    }
}

/// How long nothing arrives before a socket is looked at for the first time.
const SOCKET_LOOK: Duration = Duration::from_millis(100);

/// The result of one exchange on a ready connection.
pub(in crate::engine) struct ExchangeResponse {
    /// When the last byte arrived, or when the exchange failed.
    pub(in crate::engine) done: Instant,
    /// The answer's head, after its body was read to the end; or how the exchange failed.
    pub(in crate::engine) answer: Result<response::Parts, Box<ExchangeFailure>>,
    /// Whether the connection can carry another exchange.
    pub(in crate::engine) reusable: bool,
}

/// The request was not sent: the connection was closed, or the target reported that it would not
/// take it. Holds the failure that showed this.
pub(in crate::engine) struct RequestNotSent(pub(in crate::engine) Box<ExchangeFailure>);

impl HttpConnection {
    /// Starts HTTP on a dialled stream by a deadline. The connection is then ready for a first
    /// exchange.
    pub(in crate::engine) async fn open(
        dialled: DialedConnection,
        deadline: Instant,
    ) -> Result<Self, ExchangeFailure> {
        let DialedConnection { stream, spoken, .. } = dialled;
        match spoken.version {
            NegotiatedVersion::Http1 => {
                let opened = http1::Http1Connection::open(stream, spoken).await;
                opened.map(|connection| Self::Http1(Box::new(connection)))
            }
            NegotiatedVersion::Http2 => {
                http2::Http2Connection::open(stream, spoken, deadline).await.map(Self::Http2)
            }
        }
    }

    /// Sends every request to a proxy, which forwards it. Only HTTP/1.1 is forwarded.
    pub(in crate::engine) fn forward_by(&mut self, proxy: Rc<ProxyPlan>) {
        if let Self::Http1(connection) = self {
            connection.forward_by(proxy);
        }
    }

    /// Waits until the connection can take a request; false if the target has closed it, or if the
    /// connection must be replaced.
    pub(in crate::engine) async fn ready(&mut self) -> bool {
        match self {
            Self::Http1(connection) => connection.ready().await,
            Self::Http2(connection) => connection.ready().await,
        }
    }

    /// Like [`Self::ready`], but fails at `by` if another exchange still occupies the connection.
    pub(in crate::engine) async fn ready_by(&mut self, by: Instant) -> Result<bool, Elapsed> {
        let mut ready = pin!(self.ready());
        match if_ready(ready.as_mut()).await {
            Some(is_ready) => Ok(is_ready),
            None => timeout_at(by, ready).await,
        }
    }

    /// What the connection knows of its idle times.
    pub(in crate::engine) fn idle(&self) -> &IdleWatch {
        match self {
            Self::Http1(connection) => connection.idle(),
            Self::Http2(connection) => connection.idle(),
        }
    }

    /// Sets its identity; a connection that has one keeps it.
    pub(in crate::engine) fn identify(&self, id: ConnectionId) {
        self.id_cell().get_or_init(|| id);
    }

    /// The connection as the carrier of an exchange.
    pub(in crate::engine) fn used(&self) -> UsedConnection {
        self.id_cell().get().map_or(UsedConnection::Missing, |id| UsedConnection::One(*id))
    }

    fn id_cell(&self) -> &OnceCell<ConnectionId> {
        match self {
            Self::Http1(connection) => connection.id(),
            Self::Http2(connection) => connection.id(),
        }
    }

    /// Why another connection has to be opened in place of this one, which takes no more requests.
    /// `None` if an exchange has failed with it, which already says why.
    pub(in crate::engine) fn why_replaced(&self) -> Option<ConnectionLoss> {
        if self.is_broken() {
            return None;
        }
        let (stamps, is_given_up) = match self {
            Self::Http1(connection) => (connection.stamps(), connection.is_given_up()),
            Self::Http2(connection) => (connection.stamps(), connection.is_near_limit()),
        };
        Some(match (stamps.defect(), stamps.flood()) {
            (Some(defect), _) => ConnectionLoss::Defective(defect.clone()),
            (None, Some(flood)) => ConnectionLoss::Flooded(flood),
            (None, None) if is_given_up => ConnectionLoss::GivenUp,
            (None, None) => ConnectionLoss::ClosedByTarget,
        })
    }

    /// Another handle to the same connection, if it can carry several exchanges at once.
    pub(in crate::engine) fn share(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(connection) => Some(Self::Http2(connection.share())),
        }
    }

    /// Whether the target has neither closed the connection nor announced that it will.
    pub(in crate::engine) fn is_open(&mut self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_open(),
            Self::Http2(connection) => connection.is_open(),
        }
    }

    /// Whether the target has sent anything on the connection.
    pub(in crate::engine) fn was_heard(&self) -> bool {
        match self {
            Self::Http1(_) => true,
            Self::Http2(connection) => connection.was_heard(),
        }
    }

    /// Whether the target allows no request on the connection.
    pub(in crate::engine) fn allows_no_stream(&self) -> bool {
        match self {
            Self::Http1(_) => false,
            Self::Http2(connection) => connection.allows_no_stream(),
        }
    }

    /// Whether the connection was closed while an exchange was on it.
    fn is_broken(&self) -> bool {
        match self {
            Self::Http1(_) => false,
            Self::Http2(connection) => connection.is_broken(),
        }
    }

    /// The protocol of the connection; `None` until the target has shown that it speaks it.
    pub(in crate::engine) fn protocol(&self) -> Option<NegotiatedProtocol> {
        match self {
            Self::Http1(connection) => Some(connection.protocol()),
            Self::Http2(connection) => connection.protocol(),
        }
    }

    /// Sends a request at `sent` and reads the whole answer.
    ///
    /// Records the phases in `parts` and passes the body to `collector`. Nothing is sent twice. If
    /// the error is [`RequestNotSent`], the caller may send the request on another connection.
    pub(in crate::engine) async fn exchange(
        &mut self,
        message: &RequestMessage,
        sent: Instant,
        limits: ExchangeLimits,
        parts: &mut ExchangeParts,
        collector: &mut BodyCollector<'_>,
    ) -> Result<ExchangeResponse, RequestNotSent> {
        match self {
            Self::Http1(connection) => {
                connection.exchange(message, sent, limits, parts, collector).await
            }
            Self::Http2(connection) => {
                connection.exchange(message, sent, limits, parts, collector).await
            }
        }
    }
}

/// Waits for something that arrives on a connection, but no longer than until `by`. The wait begins
/// at `since`.
///
/// Most answers arrive before the thread's next tick. Only the others get a timer. If nothing has
/// arrived for some time, looks whether the socket has input that the runtime missed.
async fn arrival<F: Future>(
    peek: Option<&SocketPeek>,
    (since, by): (Instant, Instant),
    mut future: Pin<&mut F>,
) -> Result<F::Output, Elapsed> {
    if by - since > tick::MAX_GAP
        && let Some(arrived) = tick::before_next(future.as_mut()).await
    {
        return Ok(arrived);
    }
    let (mut until, mut pause) = (since + SOCKET_LOOK, SOCKET_LOOK);
    while let Some(peek) = peek.filter(|_| until < by) {
        if let Ok(arrived) = timeout_at(until, future.as_mut()).await {
            return Ok(arrived);
        }
        peek.find_missed_input().await;
        pause *= 2;
        until = clock::now() + pause;
    }
    timeout_at(by, future).await
}

/// The output of a future if it is ready at once, without setting a timer. `None` leaves it to be
/// polled again.
async fn if_ready<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Records the phases of an exchange that ended at `done`; the first byte of its answer arrived at
/// `first`.
fn note_phases(
    parts: &mut ExchangeParts,
    sent: Instant,
    first: Option<Instant>,
    done: Instant,
    is_complete: bool,
) {
    let Some(first) = first else { return parts.set_failed(Dimension::FirstByte) };
    parts.set_duration(Dimension::FirstByte, first - sent);
    parts.set_outcome(Dimension::Body, is_complete.then(|| done - first));
}

/// The phase of an exchange: `answered` if the first byte of its answer has arrived.
fn phase(answered: bool) -> Dimension {
    if answered { Dimension::Body } else { Dimension::FirstByte }
}

/// How long one exchange may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct ExchangeLimits {
    /// When it must be done.
    pub(in crate::engine) deadline: Instant,
    /// How long the first byte may take.
    pub(in crate::engine) first_byte: Duration,
    /// How long the whole exchange may take, for the message.
    pub(in crate::engine) whole: Duration,
}

impl ExchangeLimits {
    /// The limits of an exchange that a connection took at `start`.
    pub(in crate::engine) fn new(timeouts: &ExchangeTimeouts, start: Instant) -> Self {
        let ExchangeTimeouts { first_byte, whole, .. } = *timeouts;
        Self { deadline: start + whole, first_byte, whole }
    }

    /// The same limits, but no later than `end`.
    pub(in crate::engine) fn until(self, end: Option<Instant>) -> Self {
        let Some(end) = end.filter(|&end| end < self.deadline) else { return self };
        let whole = self.whole.saturating_sub(self.deadline - end);
        Self { deadline: end, whole, ..self }
    }

    /// When the first byte of the answer must have arrived, for a request sent at `sent`.
    fn first_byte_by(&self, sent: Instant) -> Instant {
        self.deadline.min(sent + self.first_byte)
    }

    fn ran_out(&self, phase: Dimension) -> ExchangeFailure {
        let limit = if phase == Dimension::FirstByte {
            self.first_byte.min(self.whole)
        } else {
            self.whole
        };
        timed_out(phase, limit)
    }
}

/// The failure of an answer that breaks an expectation.
pub(in crate::engine) fn unmet(unmet: UnmetExpectation) -> ExchangeFailure {
    let UnmetExpectation { failure, expected, seen, detail } = unmet;
    ExchangeFailure { expected, detail, ..ExchangeFailure::new(failure, seen) }
}
