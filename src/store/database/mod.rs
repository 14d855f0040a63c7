//! Runs in Supabase's Postgres: the schema `tollgate`, written whole and once, and read back
//! unchanged.
//!
//! A run is one transaction: its row in `tollgate.runs` comes first, and where that is there
//! already nothing else is sent. So a run may be sent again after any interruption, and by several
//! at once, and the rows are the same.

mod error;
mod expose;
mod fetch;
mod keep;
mod list;
mod numbering;
mod prune;
mod rows;
mod schema;

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;
use uuid::Uuid;

pub use error::DatabaseError;
pub use fetch::FetchedRun;
pub use prune::PruneCount;
pub use schema::{SchemaStatus, UnprotectedTable, UserRight};

use crate::history::HistoryFilter;
use crate::postgres::{DatabaseAddress, PgError, PgSession, TransactionMode};
use crate::record::{Interval, RunRecord, RunSummary};

/// A connection to the store, for one caller that waits for each answer.
#[derive(Debug)]
pub struct Database {
    runtime: Runtime,
    session: PgSession,
    at: String,
}

/// What became of a run that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRun {
    /// The store that has it.
    pub store: Uuid,
    /// Whether it is new there; else it was there already, and nothing was changed.
    pub is_new: bool,
}

impl Database {
    /// Opens a connection; the schema is looked at when it is needed.
    pub fn open(address: &DatabaseAddress) -> Result<Self, DatabaseError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match runtime.block_on(PgSession::connect(address)) {
            Ok(session) => Ok(Self { runtime, session, at: address.display_name() }),
            Err(error) => {
                // A look-up of the name may go on for as long as the resolver takes.
                runtime.shutdown_background();
                Err(error.into())
            }
        }
    }

    /// Brings the schema up to what this version needs; returns the names of the migrations that
    /// were applied.
    pub fn migrate(&mut self) -> Result<Vec<&'static str>, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(schema::migrate(session, at))
    }

    /// How the schema and the user's rights stand, whatever is wrong with them.
    pub fn schema_status(&mut self) -> Result<SchemaStatus, DatabaseError> {
        let Self { runtime, session, .. } = self;
        runtime.block_on(schema::standing(session))
    }

    /// Which store this is; an error where the schema is not the one that this version needs.
    pub fn identity(&mut self) -> Result<Uuid, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(async {
            let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
            let identity = schema::identity(&mut transaction, at).await?;
            transaction.commit().await?;
            Ok(identity)
        })
    }

    /// Stores a run from its record and its folder, in one transaction, unless it is there; all
    /// within `limit`.
    pub fn store_run(
        &mut self,
        record: &RunRecord,
        folder: &Path,
        limit: Duration,
    ) -> Result<StoredRun, DatabaseError> {
        let Self { runtime, session, at } = self;
        let intervals = super::read_intervals(folder)?;
        let kept =
            async { tokio::time::timeout(limit, keep::keep(session, at, record, intervals)).await };
        runtime.block_on(kept).unwrap_or_else(|_| {
            Err(PgError::timed_out(at, format!("not stored within {} s", limit.as_secs())).into())
        })
    }

    /// Which of these runs are there; `None` where the user may not read that.
    pub fn stored_runs(&mut self, ids: &[Uuid]) -> Result<Option<Vec<Uuid>>, DatabaseError> {
        let Self { runtime, session, .. } = self;
        runtime.block_on(list::which(session, ids))
    }

    /// What lists show of the runs in which there may be something that a filter takes, oldest
    /// first.
    pub fn summaries(&mut self, filter: &HistoryFilter) -> Result<Vec<RunSummary>, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(list::summaries(session, at, filter))
    }

    /// A run by its id, by its folder's name, or by the last eight digits of the id.
    pub fn fetch_run(&mut self, run: &str) -> Result<FetchedRun, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(fetch::fetch(session, at, run))
    }

    /// Hands out a run's intervals, in the order they were settled, a few held at a time; none
    /// where they were pruned.
    pub fn intervals<E: From<DatabaseError>>(
        &mut self,
        record: &RunRecord,
        each: impl FnMut(Interval) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { runtime, session, at } = self;
        runtime.block_on(fetch::intervals(session, at, record, each))
    }

    /// Drops the intervals of runs that started longer ago than `keep`; their totals stay, so that
    /// no shown figure changes.
    pub fn prune(&mut self, keep: Duration, pretend: bool) -> Result<PruneCount, DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(prune::prune(session, at, keep, pretend))
    }

    /// Makes read-only views in a schema of their own and lets these roles read them.
    pub fn expose(&mut self, schema: &str, roles: &[String]) -> Result<(), DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(expose::expose(session, at, schema, roles))
    }

    /// Takes the views and the roles' rights away again.
    pub fn hide(&mut self, schema: &str) -> Result<(), DatabaseError> {
        let Self { runtime, session, at } = self;
        runtime.block_on(expose::hide(session, at, schema))
    }

    /// Says goodbye to the server.
    pub fn close(self) {
        let Self { runtime, session, .. } = self;
        runtime.block_on(session.close());
    }
}
