//! One connection of HTTP/1.1.

use std::cell::OnceCell;
use std::error::Error as _;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use super::framing::BodyEnd;
use super::{
    BodyChunks, BodyCollector, ExchangeLimits, ExchangeResponse, RequestMessage, RequestNotSent,
    arrival, note_phases, phase, read,
};
use crate::engine::connection::dial::{NegotiatedProtocol, refused_by_proxy};
use crate::engine::connection::idle_close::IdleWatch;
use crate::engine::connection::library_limit::{HEAD_LIMIT, LibraryLimit};
use crate::engine::connection::socket_peek::SocketPeek;
use crate::engine::connection::wire::{ByteStream, StampedStream, WireStamps};
use crate::engine::defect::defect_failure;
use crate::engine::time::clock::{self, Instant};
use crate::library_text::{HttpBlame, HttpProblem, await_without_panic, read_http_problem};
use crate::plan::ProxyPlan;
use crate::record::{Dimension, Failure};
use crate::recorder::{ConnectionId, ExchangeFailure, ExchangeParts};

/// Maximum number of header lines of an answer, and of its trailers. hyper's default, 100, is below
/// what servers send.
const MOST_HEADERS: usize = 2_048;

/// The smallest head above that, in bytes: a line has a name, a colon and an end.
const SMALLEST_LARGE_HEAD: u64 = (MOST_HEADERS as u64 + 1) * 4;

/// One connection, kept open between exchanges.
pub(in crate::engine) struct Http1Connection {
    sender: SendRequest<Full<Bytes>>,
    stamps: Rc<WireStamps>,
    spoken: NegotiatedProtocol,
    peek: Option<SocketPeek>,
    idle: IdleWatch,
    /// Whether it is given up: it was answered before the target had read the whole request, or it
    /// is not clear where the last answer ended.
    is_given_up: bool,
    driver: AbortHandle,
    /// The proxy at the other end, if it forwards requests.
    proxy: Option<Rc<ProxyPlan>>,
    id: OnceCell<ConnectionId>,
}

impl Drop for Http1Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Http1Connection {
    pub(super) async fn open(
        stream: Box<dyn ByteStream>,
        spoken: NegotiatedProtocol,
    ) -> Result<Self, ExchangeFailure> {
        let stamps = Rc::new(WireStamps::default());
        let peek = stream.socket_peek();
        let wire = StampedStream::new(stream, Rc::clone(&stamps));
        let (sender, connection) = builder()
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| failed(&error, &stamps, Dimension::Setup))?;
        // `ready` notices the end of a connection between exchanges; an exchange notices it itself.
        let driver_stamps = Rc::clone(&stamps);
        let drive = async move {
            match await_without_panic(pin!(connection)).await {
                Ok(ended) if ended.as_ref().is_err_and(is_surplus) => driver_stamps.note_surplus(),
                Ok(_) => {}
                Err(defect) => driver_stamps.note_defect(defect),
            }
        };
        let driver = tokio::task::spawn_local(drive).abort_handle();
        let (idle, is_given_up) = (IdleWatch::default(), false);
        Ok(Self {
            sender,
            stamps,
            spoken,
            peek,
            idle,
            is_given_up,
            driver,
            proxy: None,
            id: OnceCell::new(),
        })
    }

    /// Sends every request to a proxy, which forwards it.
    pub(super) fn forward_by(&mut self, proxy: Rc<ProxyPlan>) {
        self.proxy = Some(proxy);
    }

    pub(super) fn id(&self) -> &OnceCell<ConnectionId> {
        &self.id
    }

    /// The request as this connection sends it.
    fn request(&self, message: &RequestMessage) -> Request<Full<Bytes>> {
        match &self.proxy {
            Some(proxy) => message.one_by_proxy(proxy.authorization.as_ref()),
            None => message.one(),
        }
    }

    /// Tells a proxy's own answer from the target's.
    fn of_target(&self, head: response::Parts) -> Result<response::Parts, ExchangeFailure> {
        let refused = self.proxy.as_ref().and_then(|proxy| refused_by_proxy(proxy, head.status));
        refused.map_or(Ok(head), Err)
    }

    /// Waits until the connection can take a request; false if it is given up, or if the target has
    /// closed it, even if the close is unread.
    pub(super) async fn ready(&mut self) -> bool {
        if self.is_given_up {
            return false;
        }
        if self.sender.ready().await.is_err() {
            return false;
        }
        match &self.peek {
            Some(peek) => peek.is_quiet(self.stamps.last_read_if_proven(), || self.is_open()).await,
            None => true,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.stamps.is_write_closed()
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    /// What is known of its bytes.
    pub(super) fn stamps(&self) -> &WireStamps {
        &self.stamps
    }

    pub(super) fn idle(&self) -> &IdleWatch {
        &self.idle
    }

    pub(super) fn protocol(&self) -> NegotiatedProtocol {
        self.spoken
    }

    /// The first byte is the first of anything the target sends, including a 103 before the answer.
    pub(super) async fn exchange(
        &mut self,
        message: &RequestMessage,
        sent: Instant,
        limits: ExchangeLimits,
        parts: &mut ExchangeParts,
        collector: &mut BodyCollector<'_>,
    ) -> Result<ExchangeResponse, RequestNotSent> {
        self.stamps.reset();
        let after_idling = self.idle.after_idling(sent);
        let mut answer = match self.head(message, sent, limits).await? {
            Err(failed) => Err(failed),
            Ok((head, body)) => {
                self.stamps.note_head(&head);
                self.read_whole(head, body, message, limits, collector).await
            }
        };
        let done = match &answer {
            Ok(_) => self.stamps.last_read().unwrap_or_else(clock::now),
            Err(_) => clock::now(),
        };
        note_phases(parts, sent, self.stamps.first_read(), done, answer.is_ok());
        self.idle.note_use(done);
        match &mut answer {
            Ok(_) => {
                self.idle.note_answer(after_idling);
                // A part of the answered request would occupy the connection until the target has
                // read it, which may never happen.
                if self.stamps.has_unsent() {
                    self.give_up();
                }
            }
            Err(failed) if self.stamps.first_read().is_none() => {
                *failed = self.idle.name(after_idling, failed.clone(), done);
            }
            Err(_) => {}
        }
        Ok(ExchangeResponse { done, reusable: answer.is_ok(), answer: answer.map_err(Box::new) })
    }

    /// Reads the body of an answer. Gives the connection up if it is not clear where that ended.
    async fn read_whole(
        &mut self,
        head: response::Parts,
        body: Incoming,
        message: &RequestMessage,
        limits: ExchangeLimits,
        collector: &mut BodyCollector<'_>,
    ) -> Result<response::Parts, ExchangeFailure> {
        let end = BodyEnd::of(&head, message.method())?;
        let limits = collector.see(&head, limits);
        let body = Http1Body { body, stamps: &self.stamps };
        read(body, self.peek.as_ref(), limits, collector).await?;
        self.nothing_more()?;
        if end == BodyEnd::Ambiguous {
            self.give_up();
        }
        self.of_target(head)
    }

    fn give_up(&mut self) {
        self.is_given_up = true;
        self.driver.abort();
    }

    /// Checks that the target sent its answer and nothing more: hyper sees surplus bytes before it
    /// returns the end of the answer.
    fn nothing_more(&self) -> Result<(), ExchangeFailure> {
        if self.stamps.has_surplus() {
            let seen = "the target sent more than the length it had announced";
            return Err(ExchangeFailure::in_phase(Failure::Malformed, Dimension::Body, seen));
        }
        Ok(())
    }

    /// Why a new connection takes no request.
    fn not_taken(&self, error: &hyper::Error) -> ExchangeFailure {
        if let Some(defect) = self.stamps.defect() {
            return defect_failure(defect);
        }
        if let Some(flood) = self.stamps.flood() {
            return flood.failed(Dimension::FirstByte);
        }
        let cause = error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>());
        let (failure, seen) = if cause.is_some_and(is_surplus) || self.stamps.has_surplus() {
            (Failure::Malformed, "the target sent bytes before it was asked for anything")
        } else {
            (Failure::Closed, "the target closed a new connection before taking a request")
        };
        ExchangeFailure::in_phase(failure, Dimension::FirstByte, seen)
    }

    async fn head(
        &mut self,
        message: &RequestMessage,
        sent: Instant,
        limits: ExchangeLimits,
    ) -> Result<Result<(response::Parts, Incoming), ExchangeFailure>, RequestNotSent> {
        let written = self.stamps.written();
        let request = self.request(message);
        let mut answered = std::pin::pin!(self.sender.try_send_request(request));
        let peek = self.peek.as_ref();
        let mut head = arrival(peek, (sent, limits.first_byte_by(sent)), answered.as_mut()).await;
        if head.is_err() && self.stamps.first_read().is_some() {
            head = arrival(peek, (clock::now(), limits.deadline), answered).await;
        }
        let phase = phase(self.stamps.first_read().is_some());
        match head {
            Ok(Ok(response)) => Ok(Ok(response.into_parts())),
            Ok(Err(mut error)) => {
                let was_sent = self.stamps.written() > written;
                match error.take_message() {
                    Some(_handed_back) if !was_sent => {
                        Err(RequestNotSent(Box::new(self.not_taken(error.error()))))
                    }
                    _ => {
                        let failed = failed(error.error(), &self.stamps, phase);
                        if was_sent {
                            Ok(Err(failed))
                        } else {
                            Err(RequestNotSent(Box::new(failed)))
                        }
                    }
                }
            }
            Err(_elapsed) => Ok(Err(limits.ran_out(phase))),
        }
    }
}

struct Http1Body<'a> {
    body: Incoming,
    stamps: &'a WireStamps,
}

impl BodyChunks for Http1Body<'_> {
    async fn next(&mut self) -> Option<Result<Bytes, ExchangeFailure>> {
        loop {
            match self.body.frame().await? {
                Err(error) => return Some(Err(failed(&error, self.stamps, Dimension::Body))),
                Ok(frame) => {
                    if let Ok(data) = frame.into_data() {
                        self.stamps.note_data(data.len());
                        return Some(Ok(data));
                    }
                }
            }
        }
    }
}

/// Accepts what RFC 9112 requires a client to read: folded header lines (section 5.2). Also accepts
/// many headers, and removes a space before the colon, as section 5.1 requires of a proxy.
fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .max_headers(MOST_HEADERS)
        .max_header_size(HEAD_LIMIT as usize);
    builder
}

/// Whether a connection ended because of bytes that belong to no answer. Every other hyper error
/// has a predicate; this one is what remains.
fn is_surplus(error: &hyper::Error) -> bool {
    error.source().is_none()
        && !(error.is_closed()
            || error.is_canceled()
            || error.is_incomplete_message()
            || error.is_shutdown())
        && !(error.is_parse()
            || error.is_user()
            || error.is_timeout()
            || error.is_body_write_aborted())
}

fn failed(error: &hyper::Error, stamps: &WireStamps, phase: Dimension) -> ExchangeFailure {
    if let Some(defect) = stamps.defect() {
        return defect_failure(defect);
    }
    if let Some(flood) = stamps.flood() {
        return flood.failed(phase);
    }
    // hyper reports a length beyond 64 bits like a head that is too large.
    let is_of_length = error.is_parse_too_large() && stamps.read_bytes() < SMALLEST_LARGE_HEAD;
    let read = (stamps.read_bytes(), stamps.read_without_data());
    let of_hyper = || LibraryLimit::of_hyper(error, read).filter(|_| !is_of_length);
    if let Some(limit) = stamps.limit().or_else(of_hyper) {
        return limit.failed(phase);
    }
    if stamps.greeted_in_http2() {
        return ExchangeFailure::in_phase(
            Failure::Protocol,
            phase,
            "the target answered in HTTP/2",
        );
    }
    let HttpProblem { blame, text, remedy } = read_http_problem(error);
    let failure = match blame {
        HttpBlame::Answer => Failure::Malformed,
        HttpBlame::Connection => Failure::Closed,
        HttpBlame::Reset => Failure::Reset,
        HttpBlame::Tls => Failure::Tls,
    };
    ExchangeFailure { next: remedy, ..ExchangeFailure::in_phase(failure, phase, text) }
}
