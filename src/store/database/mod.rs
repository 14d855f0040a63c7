//! Stores runs in Supabase's Postgres, in the schema `tollgate`, and reads them back unchanged.
//!
//! One transaction stores a run. Its row in `tollgate.runs` comes first; if that row exists,
//! nothing else is sent. So a run may be sent again after any interruption, and by several programs
//! at once: the rows are the same.

mod alerts;
mod detailed;
mod error;
mod expose;
mod fetch;
mod keep;
mod list;
mod numbering;
mod prune;
mod rendezvous;
mod rollups;
mod rows;
mod schema;
mod series;
mod series_index;
mod sessions;

use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::runtime::Runtime;
use uuid::Uuid;

use self::rendezvous::RendezvousRows;
pub use error::DatabaseError;
pub use fetch::FetchedRun;
pub use prune::PruneCount;
pub use schema::{SchemaStatus, UnprotectedTable, UserRight};
pub use sessions::{SessionSummary, StoredSession};

use super::rendezvous::{
    JoinRefusal, RendezvousNews, RendezvousState, RendezvousTerms, ShardCandidate, ShardMember,
};
use crate::history::{AlertKey, AlertState, HistoryFilter, HistoryScope, ScenarioSeries};
use crate::postgres::{DatabaseAddress, PgError, PgSession, TransactionMode};
use crate::record::session::SessionRecord;
use crate::record::{Interval, RunEnding, RunRecord, RunSummary, ShardClock};

/// A connection to the store. Each call blocks until the database has answered.
#[derive(Debug)]
pub struct Database {
    runtime: Runtime,
    session: PgSession,
    at: String,
}

/// How long sending a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadLimits {
    /// The timeout of one statement; the answer is awaited for five seconds longer.
    pub statement: Duration,
    /// The timeout of all together.
    pub whole: Duration,
}

impl UploadLimits {
    /// The limits if no verdict waits for the upload.
    pub const GENEROUS: Self =
        Self { statement: Duration::from_secs(30), whole: Duration::from_mins(10) };
}

/// The result of sending a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRun {
    /// The store that has it.
    pub store: Uuid,
    /// Whether the run is new there. If not, nothing was changed.
    pub is_new: bool,
}

impl Database {
    /// Opens a connection. The schema is not checked until a call needs it.
    ///
    /// Opening and the first answer together have the time limit for connecting: 10 s, unless the
    /// address sets another one.
    pub fn open(address: &DatabaseAddress) -> Result<Self, DatabaseError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match runtime.block_on(PgSession::connect_with_first_answer(address)) {
            Ok(session) => Ok(Self { runtime, session, at: address.display_name() }),
            Err(error) => {
                // A name look-up may continue for as long as the resolver takes.
                runtime.shutdown_background();
                Err(error.into())
            }
        }
    }

    /// Migrates the schema to the version that this program needs; returns the names of the applied
    /// migrations.
    pub fn migrate(&mut self) -> Result<Vec<&'static str>, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(schema::migrate(session, at))
    }

    /// The state of the schema and of the user's rights, including their defects.
    pub fn schema_status(&mut self) -> Result<SchemaStatus, DatabaseError> {
        let Self { runtime, session, .. } = self;
        runtime.block_on(schema::standing(session))
    }

    /// The store's identity; an error if the schema is not the one that this program needs.
    pub fn identity(&mut self) -> Result<Uuid, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(async {
            let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
            let identity = schema::identity(&mut transaction, at).await?;
            transaction.commit().await?;
            Ok(identity)
        })
    }

    /// Stores a run from its record and its folder in one transaction, unless the database has it.
    pub fn store_run(
        &mut self,
        record: &RunRecord,
        folder: &Path,
        limits: UploadLimits,
    ) -> Result<StoredRun, DatabaseError> {
        let Self { runtime, session, at } = self;
        let intervals = super::read_intervals(folder)?;
        let UploadLimits { statement, whole } = limits;
        let storing = async {
            let keeping = keep::keep(session, at, record, intervals, statement);
            tokio::time::timeout(whole, keeping).await
        };
        runtime.block_on(storing).unwrap_or_else(|_| {
            Err(PgError::timed_out(at, format!("not stored within {} s", whole.as_secs())).into())
        })
    }

    /// Which of these runs the database has; `None` if the user may not read that.
    pub fn stored_runs(&mut self, ids: &[Uuid]) -> Result<Option<Vec<Uuid>>, DatabaseError> {
        let Self { runtime, session, .. } = self;
        runtime.block_on(list::which(session, ids))
    }

    /// Summaries of the runs that a filter may match, oldest first.
    pub fn summaries(&mut self, filter: &HistoryFilter) -> Result<Vec<RunSummary>, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(list::summaries(session, at, filter))
    }

    /// The starts and ids of the runs of some scenarios that started before a moment, oldest first;
    /// parts of merged runs are left out.
    pub fn run_starts(
        &mut self,
        scenarios: &[&str],
        since: Option<OffsetDateTime>,
        until: OffsetDateTime,
    ) -> Result<Vec<(OffsetDateTime, Uuid)>, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(list::run_starts((session, at), scenarios, (since, until)))
    }

    /// Passes the series of the runs that a filter matches to the caller, one at a time, in the
    /// order of their keys. Of the filter, the conditions on runs and the scenario count.
    ///
    /// Days whose runs were added up before are not added again; what is added is kept for the next
    /// call if the user may write it.
    pub fn each_series(
        &mut self,
        filter: &HistoryFilter,
        scope: &HistoryScope,
        each: impl FnMut(ScenarioSeries),
    ) -> Result<(), DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(series::each_series((session, at), filter, scope, each))
    }

    /// Reads a run by its id, by its folder's name, or by the last eight digits of the id.
    pub fn fetch_run(&mut self, run: &str) -> Result<FetchedRun, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(fetch::fetch(session, at, run))
    }

    /// Passes a run's intervals to the caller in the order in which they settled; none if they were
    /// pruned. Only a few are in memory at a time.
    pub fn intervals<E: From<DatabaseError>>(
        &mut self,
        record: &RunRecord,
        each: impl FnMut(Interval) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { runtime, session, at } = self;
        runtime.block_on(fetch::intervals(session, at, record, each))
    }

    /// Deletes the intervals of runs, and replaced states of sessions, that started longer ago than
    /// `keep`. Totals and the newest states stay, so no figure in a report changes. Rollups of
    /// deleted runs are deleted too, and not counted.
    pub fn prune(&mut self, keep: Duration, pretend: bool) -> Result<PruneCount, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(async {
            let count = prune::prune(session, at, keep, pretend).await?;
            let states = sessions::prune(session, keep, pretend).await?;
            Ok(PruneCount { session_states: states, ..count })
        })
    }

    /// Stores the state of a session, unless the database has it.
    pub fn store_session(
        &mut self,
        record: &SessionRecord,
        limits: UploadLimits,
    ) -> Result<StoredSession, DatabaseError> {
        let Self { runtime, session, at } = self;
        let UploadLimits { statement, whole } = limits;
        let storing = async {
            let keeping = sessions::keep(session, at, record, statement);
            tokio::time::timeout(whole, keeping).await
        };
        runtime.block_on(storing).unwrap_or_else(|_| {
            Err(PgError::timed_out(at, format!("not stored within {} s", whole.as_secs())).into())
        })
    }

    /// Reads the newest state of a session by its id, the id's last eight digits, its folder's name
    /// or a beginning of it, or the name in its plan file.
    pub fn fetch_session(&mut self, name: &str) -> Result<SessionRecord, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(sessions::fetch(session, at, name))
    }

    /// The sessions in their newest state, newest first.
    pub fn sessions(&mut self) -> Result<Vec<SessionSummary>, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(sessions::summaries(session, at))
    }

    /// Changes the state of an alert, which is the default one at first. `change` gets the time of
    /// the database; it is called again if another prober was faster.
    pub fn change_alert<T>(
        &mut self,
        key: &AlertKey,
        change: impl FnMut(&mut AlertState, OffsetDateTime) -> T,
    ) -> Result<T, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(alerts::change(session, at, key, change))
    }

    /// Registers a prober at a rendezvous, creating it if needed. Returns its shard, counted from
    /// 1.
    pub fn join_rendezvous(
        &mut self,
        terms: &RendezvousTerms,
        candidate: &ShardCandidate,
    ) -> Result<Result<u32, JoinRefusal>, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(RendezvousRows { session, at }.join(terms, candidate))
    }

    /// Notes that a prober is still there, and tells it what is new. Agrees on the start once all
    /// are there or the wait is over.
    pub fn ask_rendezvous(
        &mut self,
        name: &str,
        member: &ShardMember,
    ) -> Result<RendezvousNews, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(RendezvousRows { session, at }.ask(name, member))
    }

    /// Frees the shard of a prober that gives up before the start; after the start, notes that it
    /// ended without a run.
    pub fn leave_rendezvous(&mut self, name: &str, token: Uuid) -> Result<(), DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(RendezvousRows { session, at }.leave(name, token))
    }

    /// Notes that a prober ended, and whether it measured its part. Its run is stored.
    pub fn end_at_rendezvous(
        &mut self,
        name: &str,
        token: Uuid,
        outcome: (Uuid, bool),
    ) -> Result<(), DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(RendezvousRows { session, at }.end(name, token, outcome))
    }

    /// Asks all probers of a shared run to end with this ending, unless they were asked before.
    /// Returns whether there is such a rendezvous.
    pub fn stop_rendezvous(&mut self, name: &str, how: &RunEnding) -> Result<bool, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(RendezvousRows { session, at }.stop(name, how))
    }

    /// The state of a rendezvous; `None` if nobody registered yet.
    pub fn rendezvous_state(
        &mut self,
        name: &str,
    ) -> Result<Option<RendezvousState>, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(RendezvousRows { session, at }.state(name))
    }

    /// Claims to merge the runs of a rendezvous, for two minutes at a time. `claim` is who claims,
    /// and the merged run that the caller knows. False if another claims it, or has merged.
    pub fn claim_merge(
        &mut self,
        name: &str,
        claim: (Uuid, Option<Uuid>),
    ) -> Result<bool, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(RendezvousRows { session, at }.claim(name, claim))
    }

    /// Notes the merged run of whoever claimed to merge if it is stored, and gives the claim up if
    /// not. Returns whether it was noted.
    pub fn note_merged(&mut self, name: &str, merged: (Uuid, Uuid)) -> Result<bool, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(RendezvousRows { session, at }.merged(name, merged))
    }

    /// Compares the clocks that `own` reads, the calendar's and a monotonic one, with that of the
    /// database. `None` if the database never answered with a time.
    pub fn compare_clocks(
        &mut self,
        own: impl Fn() -> (OffsetDateTime, Duration),
    ) -> Result<Option<ShardClock>, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(RendezvousRows { session, at }.compare_clocks(own))
    }

    /// Creates read-only views in a separate schema and lets these roles read them.
    pub fn expose(&mut self, schema: &str, roles: &[String]) -> Result<(), DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(expose::expose(session, at, schema, roles))
    }

    /// Removes the views and the roles' rights.
    pub fn hide(&mut self, schema: &str) -> Result<(), DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(expose::hide(session, at, schema))
    }

    /// Ends the session with the server.
    pub fn close(self) {
        let Self { runtime, session, .. } = self;
        runtime.block_on(session.close());
    }
}
