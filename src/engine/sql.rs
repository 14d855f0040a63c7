//! One SQL statement carried out: its session, its transaction, its rows.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout_at;

use super::clock::{self, Instant};
use crate::plan::{SqlPlan, Timeouts};
use crate::postgres::{Documents, PgError, Session, Trouble};
use crate::record::{Dimension, Failure};
use crate::recorder::{Failed, Parts};
use crate::units::show;

/// A carrier's sessions, by the scenario's name of the database: two names may be one server on other terms.
#[derive(Debug, Default)]
pub(super) struct Sessions(Vec<(String, Session)>);

/// How one statement fared.
pub(super) struct Fared {
    /// Setup and service, with their phases.
    pub(super) parts: Parts,
    /// Whether a session was opened for it.
    pub(super) fresh: bool,
    /// Bytes of JSON that its rows make.
    pub(super) bytes: u64,
    /// When its transaction was over, or when it failed.
    pub(super) done: Instant,
    /// Its rows, or how it failed.
    pub(super) rows: Result<Vec<Value>, Refusal>,
}

/// Why a statement yielded no rows.
pub(super) struct Refusal {
    pub(super) failed: Box<Failed>,
    /// What may be shown of a statement's failure where the answer is sensitive: the server's own words may quote a row.
    pub(super) unquoted: Option<String>,
    /// Whether what it names is not there.
    pub(super) is_absence: bool,
    /// Whether the user may not do it.
    pub(super) is_denial: bool,
}

impl Sessions {
    /// Carries a statement out on the session that is there, or on a new one, by `deadline`.
    pub(super) async fn ask(
        &mut self,
        plan: &SqlPlan,
        values: &[Option<String>],
        since: Instant,
        deadline: Instant,
    ) -> Fared {
        let mut fared = Fared {
            parts: Parts::default(),
            fresh: false,
            bytes: 0,
            done: since,
            rows: Ok(Vec::new()),
        };
        fared.parts.took(Dimension::Wait, Duration::ZERO);
        let session = match self.session(plan, since, deadline, &mut fared).await {
            Ok(session) => session,
            Err(refusal) => return fared.refused(refusal),
        };
        let sent = if fared.fresh { clock::now() } else { since };
        if fared.fresh {
            fared.parts.opened_in(sent - since);
        }
        let limit = deadline.saturating_duration_since(sent);
        match timeout_at(deadline + limit.min(GRACE), carry_out(session, plan, values, limit)).await
        {
            Ok(Ok(Returned { documents, rows_at, done })) => {
                fared.bytes = documents.bytes();
                let fared = fared.answered(sent, rows_at, done);
                let rows =
                    documents.parse().map_err(|error| Refusal::of(&error, Dimension::FirstByte));
                Fared { rows, ..fared }
            }
            Ok(Err(error)) => {
                // A session that the server broke off is of no more use, and one whose transaction failed is.
                if !is_of_statement(error.trouble) || self.is_given_up(plan) {
                    self.forget(plan);
                }
                let refusal = Refusal::of(&error, Dimension::FirstByte);
                if refusal.failed.failure.is_without_answer() {
                    fared.unanswered(refusal)
                } else {
                    // That it was refused is an answer, and may be the one that is wanted.
                    let now = clock::now();
                    Fared { rows: Err(refusal), ..fared.answered(sent, now, now) }
                }
            }
            Err(_elapsed) => {
                self.forget(plan);
                fared.unanswered(Refusal::late(Dimension::FirstByte, limit))
            }
        }
    }

    /// The session with a database, opened where there is none.
    async fn session(
        &mut self,
        plan: &SqlPlan,
        since: Instant,
        deadline: Instant,
        fared: &mut Fared,
    ) -> Result<&mut Session, Refusal> {
        let SqlPlan { database, address, .. } = plan;
        if let Some(at) = self.0.iter().position(|(known, _)| known == database) {
            return Ok(&mut self.0[at].1);
        }
        fared.fresh = true;
        let opened = timeout_at(deadline, Session::connect(address)).await;
        let opened = match opened {
            Ok(opened) => opened.map_err(|error| Refusal::of(&error, Dimension::Connect)),
            Err(_elapsed) => Err(Refusal::late(Dimension::Connect, deadline - since)),
        };
        let session = opened.inspect_err(|_| {
            fared.parts.died(Dimension::Connect);
            fared.parts.died(Dimension::Setup);
        })?;
        self.0.push((database.clone(), session));
        let last = self.0.len() - 1;
        Ok(&mut self.0[last].1)
    }

    fn is_given_up(&self, plan: &SqlPlan) -> bool {
        self.0.iter().any(|(known, session)| *known == plan.database && session.is_given_up())
    }

    fn forget(&mut self, plan: &SqlPlan) {
        self.0.retain(|(known, _)| *known != plan.database);
    }

    /// Lets go of every session.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// How much longer than the statement may take its answer is waited for: the server ends it first, and the session stays
/// of use.
const GRACE: Duration = Duration::from_millis(500);

/// What a statement returned, when it was there, and when its transaction was over. It is read only after that, which is
/// our own work.
struct Returned {
    documents: Documents,
    rows_at: Instant,
    done: Instant,
}

/// Carries a statement out in a transaction of its own.
async fn carry_out(
    session: &mut Session,
    plan: &SqlPlan,
    values: &[Option<String>],
    limit: Duration,
) -> Result<Returned, PgError> {
    let mut transaction = session.begin_within(plan.statement.mode(), limit).await?;
    match transaction.texts(&plan.statement, values).await {
        Ok(documents) => {
            let rows_at = clock::now();
            transaction.commit().await?;
            Ok(Returned { documents, rows_at, done: clock::now() })
        }
        Err(error) => {
            // What went wrong first is what is told.
            let _undone = transaction.rollback().await;
            Err(error)
        }
    }
}

impl Fared {
    fn answered(mut self, sent: Instant, rows_at: Instant, done: Instant) -> Self {
        self.done = done;
        self.parts.took(Dimension::FirstByte, rows_at - sent);
        self.parts.took(Dimension::Body, done - rows_at);
        self.parts.took(Dimension::Service, done - sent);
        self
    }

    fn unanswered(mut self, refusal: Refusal) -> Self {
        self.parts.died(Dimension::FirstByte);
        self.parts.died(Dimension::Service);
        self.refused(refusal)
    }

    fn refused(self, refusal: Refusal) -> Self {
        Self { done: clock::now(), rows: Err(refusal), ..self }
    }
}

impl Refusal {
    fn of(error: &PgError, phase: Dimension) -> Self {
        let failure = failure(error.trouble);
        let seen = format!("{} {}: {}", error.at, error.trouble.what(), error.said);
        let state = error.state.as_deref().unwrap_or("none");
        let unquoted = || format!("{} {} (SQLSTATE {state})", error.at, error.trouble.what());
        Self {
            unquoted: is_of_statement(error.trouble).then(unquoted),
            failed: Box::new(Failed {
                failure,
                phase: failure.is_without_answer().then_some(phase),
                expected: String::new(),
                seen,
                next: Some(remedy(error.trouble)),
            }),
            is_absence: error.is_absent(),
            is_denial: phase == Dimension::FirstByte && error.is_denied(),
        }
    }

    fn late(phase: Dimension, limit: Duration) -> Self {
        let seen = format!("no answer of the database within {}", show(limit));
        let trouble =
            if phase == Dimension::Connect { Trouble::TimedOut } else { Trouble::GivenUp };
        let failed = Failed::in_phase(Failure::TimedOut, phase, seen);
        let failed = Box::new(Failed { next: Some(remedy(trouble)), ..failed });
        Self { failed, unquoted: None, is_absence: false, is_denial: false }
    }
}

/// Whether the trouble is the statement's own, and the session as good as before.
fn is_of_statement(trouble: Trouble) -> bool {
    use Trouble::{
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

/// What trouble with a database is as a failure.
fn failure(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Unreachable => Failure::Unreachable,
        Trouble::Refused => Failure::Refused,
        Trouble::OwnLimits => Failure::Prober,
        Trouble::TimedOut | Trouble::TooSlow | Trouble::GivenUp => Failure::TimedOut,
        Trouble::Lost => Failure::Closed,
        Trouble::Tls | Trouble::NoTls => Failure::Tls,
        Trouble::Password
        | Trouble::NotLetIn
        | Trouble::Tenant
        | Trouble::NoDatabase
        | Trouble::TooMany => Failure::Session,
        _ => Failure::Query,
    }
}

/// What to do about rows that are not the expected ones.
pub(super) const COMPARE: &str = "carry the statement out once by hand, as the same user, and compare its rows with the expectation";

/// What to do about trouble with a database that a step asks; some of what helps the store is of no help here.
fn remedy(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::NoSchema | Trouble::Rights | Trouble::Other => {
            "read what the database said, and carry the statement out once by hand, as the same user"
        }
        Trouble::TooSlow => "try again when it has less to do",
        Trouble::Lost => {
            "look for crashes, restarts and connection limits of the server and the pooler before it"
        }
        Trouble::ReadOnly => "use the URL of the primary server, or end its read-only mode",
        Trouble::DiskFull => "make room on the server's disk, or enlarge it",
        other => other.remedy(),
    }
}

/// The limits of one statement: `whole` from the moment it is taken, and no later than `end`.
pub(super) fn deadline(timeouts: &Timeouts, taken: Instant, end: Option<Instant>) -> Instant {
    let own = taken + timeouts.whole;
    end.map_or(own, |end| own.min(end))
}
