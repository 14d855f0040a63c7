//! Runs one SQL statement: its session, its transaction, its rows.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout_at;

use crate::engine::time::clock::{self, Instant};
use crate::plan::{ExchangeTimeouts, SqlPlan};
use crate::postgres::{PgError, PgErrorKind, PgSession, RowDocuments};
use crate::record::{Dimension, Failure};
use crate::recorder::{ConnectionId, ExchangeFailure, ExchangeParts, UsedConnection};
use crate::units::format_duration;

/// A worker task's sessions, by the scenario's name of the database.
///
/// Two names may lead to one server with different settings, so each has its own session.
#[derive(Debug, Default)]
pub(in crate::engine) struct SqlSessions(Vec<OpenSession>);

#[derive(Debug)]
struct OpenSession {
    database: String,
    session: PgSession,
    id: ConnectionId,
    /// When its last statement ended; `None` before the first.
    last_used: Option<Instant>,
}

/// The result of one statement.
pub(super) struct SqlResult {
    /// Setup and service, with their phases.
    pub(super) parts: ExchangeParts,
    /// Whether a session was opened for it.
    pub(super) fresh: bool,
    /// The session as the carrier of the exchange.
    pub(super) connection: UsedConnection,
    /// Size of its rows as JSON, in bytes.
    pub(super) bytes: u64,
    /// When its transaction ended, or when it failed.
    pub(super) done: Instant,
    /// Its rows, or how it failed.
    pub(super) rows: Result<Vec<Value>, SqlFailure>,
}

/// Why a statement returned no rows.
pub(super) struct SqlFailure {
    pub(super) failed: Box<ExchangeFailure>,
    /// The description to use if the answer is sensitive: the server's own message may quote a row.
    pub(super) unquoted: Option<String>,
    /// Whether an object the statement names does not exist.
    pub(super) is_absence: bool,
    /// Whether the database denied it to the user.
    pub(super) is_denial: bool,
}

impl SqlSessions {
    /// Runs a statement on the open session, or on a new one, by `deadline`. `identify` numbers a
    /// new session.
    pub(super) async fn query(
        &mut self,
        plan: &SqlPlan,
        values: &[Option<String>],
        (since, deadline): (Instant, Instant),
        identify: impl FnOnce() -> ConnectionId,
    ) -> SqlResult {
        let mut result = SqlResult {
            parts: ExchangeParts::default(),
            fresh: false,
            connection: UsedConnection::Missing,
            bytes: 0,
            done: since,
            rows: Ok(Vec::new()),
        };
        result.parts.set_duration(Dimension::Wait, Duration::ZERO);
        let idle = self.idle(plan, since);
        let session = match self.session(plan, (since, deadline), identify, &mut result).await {
            Ok(session) => session,
            Err(failure) => return result.refused(failure),
        };
        let sent = if result.fresh { clock::now() } else { since };
        if result.fresh {
            result.parts.set_setup(sent - since);
        }
        let limit = deadline.saturating_duration_since(sent);
        match timeout_at(
            deadline + limit.min(GRACE),
            run_in_transaction(session, plan, values, limit),
        )
        .await
        {
            Ok(Ok(StatementRows { documents, rows_at, done })) => {
                self.note_use(plan, done);
                result.bytes = documents.bytes();
                let result = result.answered(sent, rows_at, done);
                let rows =
                    documents.parse().map_err(|error| SqlFailure::of(&error, Dimension::FirstByte));
                SqlResult { rows, ..result }
            }
            Ok(Err(error)) => {
                // A session that the server closed is useless; one whose transaction failed is not.
                if !is_of_statement(error.kind) || self.is_given_up(plan) {
                    self.forget(plan);
                }
                let idle = idle.filter(|_| clock::now() - sent <= CLOSE_NOTICED);
                let failure =
                    SqlFailure::of(&error, Dimension::FirstByte).after_idling(&error, idle);
                if failure.failed.failure.is_without_answer() {
                    result.unanswered(failure)
                } else {
                    // A denial is an answer too, and may be the expected one.
                    let now = clock::now();
                    SqlResult { rows: Err(failure), ..result.answered(sent, now, now) }
                }
            }
            Err(_elapsed) => {
                self.forget(plan);
                result.unanswered(SqlFailure::late(Dimension::FirstByte, limit))
            }
        }
    }

    /// The session with a database; opens it if there is none.
    async fn session(
        &mut self,
        plan: &SqlPlan,
        (since, deadline): (Instant, Instant),
        identify: impl FnOnce() -> ConnectionId,
        result: &mut SqlResult,
    ) -> Result<&mut PgSession, SqlFailure> {
        let SqlPlan { database, address, .. } = plan;
        if let Some(at) = self.0.iter().position(|open| open.database == *database) {
            result.connection = UsedConnection::One(self.0[at].id);
            return Ok(&mut self.0[at].session);
        }
        result.fresh = true;
        let opened = timeout_at(deadline, PgSession::connect(address)).await;
        let opened = match opened {
            Ok(opened) => opened.map_err(|error| SqlFailure::of(&error, Dimension::Connect)),
            Err(_elapsed) => Err(SqlFailure::late(Dimension::Connect, deadline - since)),
        };
        let session = opened.inspect_err(|_| {
            result.parts.set_failed(Dimension::Connect);
            result.parts.set_failed(Dimension::Setup);
        })?;
        let id = identify();
        result.connection = UsedConnection::One(id);
        self.0.push(OpenSession { database: database.clone(), session, id, last_used: None });
        let last = self.0.len() - 1;
        Ok(&mut self.0[last].session)
    }

    /// How long the session with a database has been idle; `None` without one.
    fn idle(&self, plan: &SqlPlan, now: Instant) -> Option<Duration> {
        let open = self.0.iter().find(|open| open.database == plan.database)?;
        Some(now.saturating_duration_since(open.last_used?))
    }

    fn note_use(&mut self, plan: &SqlPlan, at: Instant) {
        let mut open = self.0.iter_mut();
        if let Some(open) = open.find(|open| open.database == plan.database) {
            open.last_used = Some(at);
        }
    }

    fn is_given_up(&self, plan: &SqlPlan) -> bool {
        let mut open = self.0.iter();
        open.any(|open| open.database == plan.database && open.session.is_abandoned())
    }

    fn forget(&mut self, plan: &SqlPlan) {
        self.0.retain(|open| open.database != plan.database);
    }

    /// Drops every session.
    pub(in crate::engine) fn clear(&mut self) {
        self.0.clear();
    }
}

/// How long to wait for an answer beyond the statement's limit.
///
/// The server then cancels the statement first, and the session stays usable.
const GRACE: Duration = Duration::from_millis(500);

/// The SQLSTATE of a session that exceeded `idle_session_timeout`.
const IDLE_SESSION_TIMEOUT: &str = "57P05";

/// How long after a statement was sent the close of an idle session is noticed.
const CLOSE_NOTICED: Duration = Duration::from_millis(100);

/// Shorter pauses are those of steps that follow each other.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

const RAISE_IDLE_TIMEOUT: &str = "raise the idle timeout of the server or the pooler (`idle_session_timeout`, \
                                  `client_idle_timeout`) above the pause, or look for restarts at that time";

/// What a statement returned, and when.
///
/// The rows are parsed only after the transaction, because parsing is the prober's own work.
struct StatementRows {
    documents: RowDocuments,
    rows_at: Instant,
    done: Instant,
}

/// Runs a statement in its own transaction.
async fn run_in_transaction(
    session: &mut PgSession,
    plan: &SqlPlan,
    values: &[Option<String>],
    limit: Duration,
) -> Result<StatementRows, PgError> {
    let mut transaction = session.begin_within(plan.statement.mode(), limit).await?;
    match transaction.fetch_documents(&plan.statement, values).await {
        Ok(documents) => {
            let rows_at = clock::now();
            transaction.commit().await?;
            Ok(StatementRows { documents, rows_at, done: clock::now() })
        }
        Err(error) => {
            // The first error is the one to report.
            let _undone = transaction.rollback().await;
            Err(error)
        }
    }
}

impl SqlResult {
    fn answered(mut self, sent: Instant, rows_at: Instant, done: Instant) -> Self {
        self.done = done;
        self.parts.set_duration(Dimension::FirstByte, rows_at - sent);
        self.parts.set_duration(Dimension::Body, done - rows_at);
        self.parts.set_duration(Dimension::Service, done - sent);
        self
    }

    fn unanswered(mut self, failure: SqlFailure) -> Self {
        self.parts.set_failed(Dimension::FirstByte);
        self.parts.set_failed(Dimension::Service);
        self.refused(failure)
    }

    fn refused(self, failure: SqlFailure) -> Self {
        Self { done: clock::now(), rows: Err(failure), ..self }
    }
}

impl SqlFailure {
    fn of(error: &PgError, phase: Dimension) -> Self {
        let failure = failure(error.kind);
        let seen = format!("{} {}: {}", error.database, error.kind.summary(), error.message);
        let state = error.state.as_deref().unwrap_or("none");
        let unquoted = || format!("{} {} (SQLSTATE {state})", error.database, error.kind.summary());
        Self {
            unquoted: is_of_statement(error.kind).then(unquoted),
            failed: Box::new(ExchangeFailure {
                phase: failure.is_without_answer().then_some(phase),
                next: Some(remedy(error.kind)),
                ..ExchangeFailure::new(failure, seen)
            }),
            is_absence: error.is_absent(),
            is_denial: phase == Dimension::FirstByte && error.is_denied(),
        }
    }

    /// The failure of a statement on a session that had been idle for this long.
    ///
    /// A pooler closes idle sessions without a word, and the server with a state of its own.
    fn after_idling(mut self, error: &PgError, idle: Option<Duration>) -> Self {
        let is_silent = error.kind == PgErrorKind::Lost && error.state.is_none();
        let is_idle_timeout = error.state.as_deref() == Some(IDLE_SESSION_TIMEOUT);
        let pause = idle.filter(|idle| *idle >= SHORTEST_PAUSE);
        if let (Some(pause), true) = (pause, is_silent || is_idle_timeout) {
            self.failed.failure = Failure::IdleClosed;
            (self.failed.next, self.failed.idle) = (Some(RAISE_IDLE_TIMEOUT), Some(pause));
        }
        self
    }

    fn late(phase: Dimension, limit: Duration) -> Self {
        let seen = format!("no answer of the database within {}", format_duration(limit));
        let trouble =
            if phase == Dimension::Connect { PgErrorKind::TimedOut } else { PgErrorKind::GivenUp };
        let failed = ExchangeFailure::in_phase(Failure::TimedOut, phase, seen);
        let failed = Box::new(ExchangeFailure { next: Some(remedy(trouble)), ..failed });
        Self { failed, unquoted: None, is_absence: false, is_denial: false }
    }
}

/// Whether only the statement failed, so that the session stays usable.
fn is_of_statement(trouble: PgErrorKind) -> bool {
    use PgErrorKind::{
        Absent, Denied, GivenUp, NoReturning, NotText, ReadOnly, ReadsOnly, Statement, TooMuch,
    };
    matches!(
        trouble,
        Absent
            | Denied
            | GivenUp
            | NoReturning
            | NotText
            | ReadOnly
            | ReadsOnly
            | Statement
            | TooMuch
    )
}

/// The kind of failure that trouble with a database counts as.
fn failure(trouble: PgErrorKind) -> Failure {
    match trouble {
        PgErrorKind::Unreachable => Failure::Unreachable,
        PgErrorKind::Refused => Failure::Refused,
        PgErrorKind::OwnLimits => Failure::Prober,
        PgErrorKind::TooMuch | PgErrorKind::Unsupported | PgErrorKind::Oversized => {
            Failure::OwnLimit
        }
        PgErrorKind::Defect => Failure::Defect,
        PgErrorKind::Flood => Failure::Flood,
        PgErrorKind::TimedOut | PgErrorKind::TooSlow | PgErrorKind::GivenUp => Failure::TimedOut,
        PgErrorKind::Lost => Failure::Closed,
        PgErrorKind::Tls | PgErrorKind::NoTls | PgErrorKind::Handshake(_) => Failure::Tls,
        PgErrorKind::NotPostgres
        | PgErrorKind::Password
        | PgErrorKind::Unproven
        | PgErrorKind::NotLetIn
        | PgErrorKind::Tenant
        | PgErrorKind::NoDatabase
        | PgErrorKind::TooMany => Failure::Session,
        _ => Failure::Query,
    }
}

/// The remedy for rows that are not the expected ones.
pub(super) const COMPARE_ROWS: &str =
    "run the statement once by hand as the same user, and compare its rows with the expectation";

/// The remedy for trouble with a step's database; some remedies for the store do not apply here.
fn remedy(trouble: PgErrorKind) -> &'static str {
    match trouble {
        PgErrorKind::NoSchema | PgErrorKind::Rights | PgErrorKind::Other => {
            "read the database's message, and run the statement once by hand as the same user"
        }
        PgErrorKind::TooSlow => "try again when it has less to do",
        PgErrorKind::Lost => {
            "look for crashes, restarts and connection limits of the server and the pooler before it"
        }
        PgErrorKind::ReadOnly => "use the URL of the primary server, or end its read-only mode",
        PgErrorKind::DiskFull => "make room on the server's disk, or enlarge it",
        other => other.remedy(),
    }
}

/// The deadline of one statement: `whole` after it starts, and no later than `end`.
pub(super) fn deadline(
    timeouts: &ExchangeTimeouts,
    taken: Instant,
    end: Option<Instant>,
) -> Instant {
    let own = taken + timeouts.whole;
    end.map_or(own, |end| own.min(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(state: Option<&str>) -> PgError {
        PgError {
            kind: PgErrorKind::Lost,
            database: "u@h:5432/x".to_owned(),
            message: "closed".to_owned(),
            state: state.map(str::to_owned),
        }
    }

    #[test]
    fn a_session_that_is_closed_after_a_pause_differs_from_one_that_a_restart_ends() {
        let pause = Some(Duration::from_secs(5));
        for (state, idle, name) in [
            (None, pause, Failure::IdleClosed),
            (Some("57P05"), pause, Failure::IdleClosed),
            (Some("57P01"), pause, Failure::Closed),
            (None, Some(Duration::ZERO), Failure::Closed),
            (None, None, Failure::Closed),
        ] {
            let error = lost(state);
            let failed =
                SqlFailure::of(&error, Dimension::FirstByte).after_idling(&error, idle).failed;
            assert_eq!(failed.failure, name, "{state:?} {idle:?}");
            assert_eq!(failed.idle.is_some(), name == Failure::IdleClosed);
        }
    }

    #[test]
    fn what_tollgate_does_not_keep_or_cannot_do_is_a_limit_of_its_own() {
        for kind in [PgErrorKind::TooMuch, PgErrorKind::Unsupported] {
            assert_eq!(failure(kind), Failure::OwnLimit);
        }
    }
}
