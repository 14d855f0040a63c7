//! One HTTP/1.1 connection and the exchanges on it.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::timeout_at;

use super::EngineError;
use super::clock::{self, Instant};
use super::dial::timed_out;
use super::wire::{Stamps, Stream, Wire};
use crate::expect::{Answer, Expectations};
use crate::plan::{RequestPlan, Timeouts};
use crate::record::{Dimension, Failure};
use crate::recorder::{Failed, Parts};

/// The most memory for bodies that a connection keeps between exchanges.
const BODY_KEPT: usize = 256 << 10;

/// A request that only needs to be cloned to be sent, and what its answer must be.
pub(super) struct Prepared {
    message: Request<Full<Bytes>>,
    url: url::Url,
    expectations: Expectations,
}

impl Prepared {
    /// Puts the message together; fails where the URL's parts do not make one.
    pub(super) fn new(plan: &RequestPlan) -> Result<Self, EngineError> {
        let target = &plan.url[url::Position::BeforePath..url::Position::AfterQuery];
        let unsendable = |what: &str| EngineError::Target(format!("{what} cannot be sent in a request"));
        let uri: Uri = target.parse().map_err(|_| unsendable("the request's path"))?;
        let authority = &plan.url[url::Position::BeforeHost..url::Position::AfterPort];
        let host = HeaderValue::from_str(authority).map_err(|_| unsendable("the target's host"))?;
        let mut message = Request::new(Full::new(plan.body.clone()));
        *message.method_mut() = plan.method.clone();
        *message.uri_mut() = uri;
        *message.headers_mut() = plan.headers.clone();
        message.headers_mut().entry(HOST).or_insert(host);
        Ok(Self { message, url: plan.url.clone(), expectations: plan.expectations.clone() })
    }
}

/// One connection, kept open between exchanges.
pub(super) struct Channel {
    sender: SendRequest<Full<Bytes>>,
    stamps: Rc<Stamps>,
    driver: AbortHandle,
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// How one exchange on a ready connection went.
pub(super) struct Served {
    /// When the last byte came in, or when it failed.
    pub(super) done: Instant,
    /// Body bytes received.
    pub(super) body_bytes: u64,
    /// How it failed, if it did.
    pub(super) failed: Option<Box<Failed>>,
    /// Whether the connection can carry another exchange.
    pub(super) reusable: bool,
}

/// The connection was found closed before a byte of the request went out.
pub(super) struct NotSent;

impl Channel {
    /// Starts HTTP on a dialled stream.
    pub(super) async fn open(stream: Box<dyn Stream>) -> Result<Self, Failed> {
        let stamps = Rc::new(Stamps::default());
        let wire = Wire::new(stream, Rc::clone(&stamps));
        let (sender, connection) =
            http1::handshake(TokioIo::new(wire)).await.map_err(|error| failed(&error, Dimension::Connect))?;
        // What ends a connection between exchanges is seen by `ready`, during one by the exchange itself.
        let driver = tokio::task::spawn_local(async move { drop(connection.await) }).abort_handle();
        Ok(Self { sender, stamps, driver })
    }

    /// Waits until the connection can take a request; false where the target has closed it.
    pub(super) async fn ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request at `sent`, reads the whole answer and judges it.
    ///
    /// The phases are noted in `parts`; `body` is only memory to be used again. Nothing is sent twice: where
    /// no byte went out the caller may send it on another connection.
    pub(super) async fn exchange(
        &mut self,
        request: &Prepared,
        sent: Instant,
        limits: Limits,
        parts: &mut Parts,
        body: &mut Vec<u8>,
    ) -> Result<Served, NotSent> {
        self.stamps.reset();
        body.clear();
        body.shrink_to(BODY_KEPT);
        let mut body_bytes = 0;
        let outcome = match self.head(request, sent, limits).await? {
            Err(failed) => Err(failed),
            Ok(response) => self.body(request, response, limits, body, &mut body_bytes).await,
        };
        let done = match &outcome {
            Ok(_) => self.stamps.last_read().unwrap_or_else(clock::now),
            Err(_) => clock::now(),
        };
        self.note_phases(sent, done, outcome.as_ref().err(), parts);
        let (reusable, failed) = match outcome {
            Ok(judged) => (true, judged.err()),
            Err(failed) => (false, Some(failed)),
        };
        Ok(Served { done, body_bytes, failed: failed.map(Box::new), reusable })
    }

    async fn head(
        &mut self,
        request: &Prepared,
        sent: Instant,
        limits: Limits,
    ) -> Result<Result<Response<Incoming>, Failed>, NotSent> {
        let mut answered = std::pin::pin!(self.sender.try_send_request(request.message.clone()));
        let first_byte_by = limits.deadline.min(sent + limits.first_byte);
        let mut head = timeout_at(first_byte_by, answered.as_mut()).await;
        if head.is_err() && self.stamps.first_read().is_some() {
            head = timeout_at(limits.deadline, answered).await;
        }
        match head {
            Ok(Ok(response)) => Ok(Ok(response)),
            Ok(Err(mut error)) => match error.take_message() {
                Some(_handed_back) if !self.stamps.wrote() => Err(NotSent),
                _ => Ok(Err(failed(error.error(), self.phase()))),
            },
            Err(_) => Ok(Err(limits.ran_out(self.phase()))),
        }
    }

    /// Reads the body and judges the answer; the outer error ends the connection, the inner one does not.
    async fn body(
        &self,
        request: &Prepared,
        response: Response<Incoming>,
        limits: Limits,
        kept: &mut Vec<u8>,
        received: &mut u64,
    ) -> Result<Result<(), Failed>, Failed> {
        let expectations = &request.expectations;
        let (head, mut body) = response.into_parts();
        loop {
            let Ok(frame) = timeout_at(limits.deadline, body.frame()).await else {
                return Err(limits.ran_out(Dimension::Body));
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| failed(&error, Dimension::Body))?;
            let Some(data) = frame.data_ref() else { continue };
            *received += data.len() as u64;
            if *received > expectations.max_body().0 {
                return Err(unmet(expectations.too_large()));
            }
            if expectations.needs_body() {
                kept.extend_from_slice(data);
            }
        }
        let answer = Answer { status: head.status, url: &request.url, headers: &head.headers, body: kept };
        Ok(expectations.judge(&answer).map_err(unmet))
    }

    /// The phase an exchange is in, by what has been read so far.
    fn phase(&self) -> Dimension {
        if self.stamps.first_read().is_some() { Dimension::Body } else { Dimension::FirstByte }
    }

    fn note_phases(&self, sent: Instant, done: Instant, failed: Option<&Failed>, parts: &mut Parts) {
        match self.stamps.first_read() {
            None => parts.died(Dimension::FirstByte),
            Some(first) => {
                parts.took(Dimension::FirstByte, first - sent);
                match failed {
                    None => parts.took(Dimension::Body, done - first),
                    Some(_) => parts.died(Dimension::Body),
                }
            }
        }
    }
}

/// How long one exchange may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// When it must be done.
    pub(super) deadline: Instant,
    /// How long the first byte may take.
    pub(super) first_byte: Duration,
    /// How long it may take as a whole, for the message.
    pub(super) whole: Duration,
}

impl Limits {
    /// The limits of an exchange that a connection took at `taken`.
    pub(super) fn new(timeouts: &Timeouts, taken: Instant) -> Self {
        let Timeouts { first_byte, whole, .. } = *timeouts;
        Self { deadline: taken + whole, first_byte, whole }
    }

    fn ran_out(&self, phase: Dimension) -> Failed {
        let limit = if phase == Dimension::FirstByte { self.first_byte.min(self.whole) } else { self.whole };
        timed_out(phase, limit)
    }
}

fn unmet(unmet: crate::expect::Unmet) -> Failed {
    let crate::expect::Unmet { failure, expected, seen } = unmet;
    Failed { failure, phase: None, expected, seen }
}

fn failed(error: &hyper::Error, phase: Dimension) -> Failed {
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    let failure = match io.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe) => Failure::Reset,
        Some(std::io::ErrorKind::InvalidData) => Failure::Tls,
        _ if error.is_parse() || error.is_parse_too_large() => Failure::Malformed,
        _ => Failure::Closed,
    };
    let seen = io.map_or_else(|| error.to_string(), ToString::to_string);
    Failed::in_phase(failure, phase, seen)
}
