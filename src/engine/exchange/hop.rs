//! One request sent and answered: a whole exchange, or one hop of an exchange with redirects.

use http::response;

use super::context::ExchangeContext;
use super::prepared::PreparedRequest;
use crate::engine::connection::http::{
    BodyCollector, ConnectionLoss, ExchangeLimits, ExchangeResponse, HttpConnection, NO_STREAM,
    RequestNotSent,
};
use crate::engine::connection::set::{ConnectionAccess, ConnectionSet};
use crate::engine::connection::unavailable::ConnectionUnavailable;
use crate::engine::time::clock::{self, Instant};
use crate::record::{Dimension, Failure};
use crate::recorder::{ExchangeFailure, ExchangeParts, UsedConnection};

/// How many connections a request is tried on as long as none of them sends it.
const MAX_SEND_ATTEMPTS: u32 = 3;

/// How one request went.
pub(super) struct HopResult {
    /// Wait, setup, service and their phases.
    pub(super) parts: ExchangeParts,
    /// Whether a connection was opened for it.
    pub(super) fresh: bool,
    /// The connection that took it.
    pub(super) connection: UsedConnection,
    /// Body bytes received.
    pub(super) body_bytes: u64,
    /// When the last byte of its answer came in, or when it failed.
    pub(super) done: Instant,
    /// The answer's head, or how the request failed.
    pub(super) answer: Result<response::Parts, Box<ExchangeFailure>>,
}

/// Why a request got no answer.
enum HopEnd {
    /// It failed.
    Failed(Box<ExchangeFailure>),
    /// The run started to drain while the request waited to be sent.
    Drained,
}

/// A request on its way to a connection.
pub(super) struct OutgoingRequest<'a> {
    pub(super) context: &'a ExchangeContext,
    pub(super) connections: &'a mut ConnectionSet,
    pub(super) request: &'a PreparedRequest,
    /// Start of the phase it is in: waiting, opening a connection, or being served.
    pub(super) since: Instant,
    /// When it must end regardless of its timeouts.
    pub(super) end: Option<Instant>,
    /// The limits of the whole exchange; set when a connection first takes it.
    pub(super) limits: &'a mut Option<ExchangeLimits>,
}

/// What is measured of a request on its way.
#[derive(Default)]
struct HopNotes {
    parts: ExchangeParts,
    fresh: bool,
    connection: UsedConnection,
}

impl HopNotes {
    /// Notes that the request was not sent.
    fn fail(&mut self) {
        self.parts.set_failed(Dimension::FirstByte);
        self.parts.set_failed(Dimension::Service);
    }
}

impl OutgoingRequest<'_> {
    /// Sends the request and reads its answer; `None` if the run started to drain before that.
    pub(super) async fn run(mut self, body: &mut BodyCollector<'_>) -> Option<HopResult> {
        let mut notes = HopNotes::default();
        let (done, answer) = match self.send(&mut notes, body).await {
            Ok(ExchangeResponse { done, answer, .. }) => (done, answer),
            Err(HopEnd::Failed(failed)) => (clock::now(), Err(failed)),
            Err(HopEnd::Drained) => return None,
        };
        Some(HopResult {
            parts: notes.parts,
            fresh: notes.fresh,
            connection: notes.connection,
            body_bytes: body.received,
            done,
            answer,
        })
    }

    /// Sends on the open connection, or on a new one if there is none or it turns out to be closed.
    async fn send(
        &mut self,
        notes: &mut HopNotes,
        body: &mut BodyCollector<'_>,
    ) -> Result<ExchangeResponse, HopEnd> {
        let destination = self.request.destination();
        self.context.admit(destination).await.map_err(|failed| {
            notes.parts.set_failed(Dimension::Wait);
            HopEnd::Failed(failed)
        })?;
        let (mut lost, mut attempts) = (None, 0);
        loop {
            attempts += 1;
            let (access, limits) = self.access(&mut notes.parts).await?;
            let (mut connection, is_new) = match access {
                ConnectionAccess::Ready(connection) => (connection, false),
                ConnectionAccess::Missing { lost: closed, opening } => {
                    if let Some(failed) = closed.as_ref().and_then(ConnectionLoss::failure) {
                        notes.fail();
                        return Err(HopEnd::Failed(Box::new(failed)));
                    }
                    notes.fresh = true;
                    let connection = self
                        .open(lost.take().or(closed), limits, &mut notes.parts)
                        .await
                        .map_err(HopEnd::Failed)?;
                    if let Some(opening) = opening {
                        opening.complete(&connection);
                    }
                    (connection, true)
                }
            };
            notes.connection = connection.used();
            if let Err(failed) = self.context.admit_on(destination, notes.connection).await {
                notes.fail();
                return Err(HopEnd::Failed(failed));
            }
            let (sent, message) = (self.since, &self.request.message);
            match connection.exchange(message, sent, limits, &mut notes.parts, body).await {
                Ok(response) => {
                    notes.parts.set_duration(Dimension::Service, response.done - sent);
                    self.keep(connection, is_new, response.reusable);
                    return Ok(response);
                }
                Err(RequestNotSent(failed))
                    if is_new
                        || attempts == MAX_SEND_ATTEMPTS
                        || [Failure::Flood, Failure::Defect].contains(&failed.failure) =>
                {
                    notes.fail();
                    return Err(HopEnd::Failed(failed));
                }
                Err(RequestNotSent(_)) => {
                    lost = Some(ConnectionLoss::ClosedByTarget);
                    notes.connection = UsedConnection::Missing;
                }
            }
        }
    }

    /// Waits for access to a connection. The exchange's limits start at its first access.
    ///
    /// Until then a draining run ends the wait.
    async fn access(
        &mut self,
        parts: &mut ExchangeParts,
    ) -> Result<(ConnectionAccess, ExchangeLimits), HopEnd> {
        let timeouts = &self.context.timeouts;
        let by = self.limits.map_or_else(|| self.since + timeouts.whole, |limits| limits.deadline);
        let by = self.end.map_or(by, |end| by.min(end));
        let result = tokio::select! {
            biased;
            result = self.connections.take(self.request.destination(), by) => result,
            () = self.context.drain.started(), if self.limits.is_none() => {
                return Err(HopEnd::Drained);
            }
        };
        let now = clock::now();
        let access = result.map_err(|why| {
            parts.set_failed(Dimension::Wait);
            HopEnd::Failed(Box::new(self.unavailable(&why)))
        })?;
        parts.add(Dimension::Wait, now - self.since);
        self.since = now;
        let limits = || ExchangeLimits::new(timeouts, now).until(self.end);
        Ok((access, *self.limits.get_or_insert_with(limits)))
    }

    async fn open(
        &mut self,
        lost: Option<ConnectionLoss>,
        limits: ExchangeLimits,
        parts: &mut ExchangeParts,
    ) -> Result<HttpConnection, Box<ExchangeFailure>> {
        let destination = self.request.destination();
        self.connections.make_room(destination);
        let opened = self.context.open_connection(destination, lost, limits.deadline, parts).await;
        let ready = clock::now();
        match &opened {
            Ok(_) => parts.set_setup(ready - self.since),
            Err(_) => parts.set_failed(Dimension::Setup),
        }
        self.since = ready;
        opened
    }

    fn keep(&mut self, connection: HttpConnection, is_new: bool, is_reusable: bool) {
        if is_new {
            self.context.accounting.note_protocol(connection.protocol());
        }
        if is_reusable {
            self.connections.put_back(self.request.destination(), connection);
        }
    }

    /// The failure of waiting too long: nothing was sent at first, later the time has run out.
    fn late(&self) -> Failure {
        if self.limits.is_some() { Failure::TimedOut } else { Failure::Dropped }
    }

    /// The failure if no connection became free.
    ///
    /// A target that has not sent a byte is silent, rather than holding all its streams.
    fn unavailable(&self, why: &ConnectionUnavailable) -> ExchangeFailure {
        let whole = crate::units::format_duration(self.context.timeouts.whole);
        let (failure, seen) = match why {
            ConnectionUnavailable::Silent => {
                (Failure::TimedOut, format!("no word on the shared connection within {whole}"))
            }
            ConnectionUnavailable::Forbidden => (self.late(), NO_STREAM.to_owned()),
            ConnectionUnavailable::Busy => (self.late(), format!("no stream free within {whole}")),
        };
        ExchangeFailure::in_phase(failure, Dimension::Wait, seen)
    }
}
