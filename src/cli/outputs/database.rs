//! The database that runs are uploaded to.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::super::exit::CommandError;
use super::super::log::{self, PROGRAMS_ONLY};
use super::super::store_flags::{self, StoreFlags};
use super::{FinishedRun, OutputArtifact, OutputError, RunOutput};
use crate::engine::clock::{self, Instant};
use crate::plan::SecretSet;
use crate::postgres::DatabaseAddress;
use crate::store::{Database, DatabaseError, StoreError, StoreMark, StoredRun, UploadLimits};

/// Whether and how runs are uploaded.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Store")]
#[group(skip)]
pub(in crate::cli) struct Flags {
    #[command(flatten)]
    store: StoreFlags,
    /// Exit with code 4 if the run cannot be stored in the database, whatever the verdict
    #[arg(long)]
    require_store: bool,
}

impl Flags {
    /// The database to upload to; `None` if none is named.
    pub(super) fn output(&self) -> Result<Option<Box<dyn RunOutput>>, CommandError> {
        let Some(address) = self.store.address()? else {
            if self.require_store {
                return Err(CommandError::usage(
                    "error: --require-store needs a database: set DATABASE_URL or give --store",
                ));
            }
            return Ok(None);
        };
        let is_required = self.require_store;
        Ok(Some(Box::new(DatabaseUpload { address, is_required, failed: Cell::new(None) })))
    }
}

/// The database that flags name, for runs whose storing is not required.
pub(in crate::cli) fn optional_upload(
    store: &StoreFlags,
) -> Result<Option<Box<dyn RunOutput>>, CommandError> {
    Flags { store: store.clone(), require_store: false }.output()
}

/// How long an upload may take, once the database has answered: a verdict waits for it. A database
/// that stops answering ends it earlier.
const UPLOAD_LIMITS: UploadLimits =
    UploadLimits { statement: Duration::from_secs(5), whole: Duration::from_mins(1) };

/// How long later runs of the same command leave a database alone that failed.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// Uploads a run to the database.
struct DatabaseUpload {
    address: DatabaseAddress,
    is_required: bool,
    /// When the database failed last, for repeated runs.
    failed: Cell<Option<Instant>>,
}

impl RunOutput for DatabaseUpload {
    /// The folder is marked before the database is tried: a prober that is killed during the upload
    /// leaves the mark.
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        mark_unsynced(&run.folder, "the prober ended before it was stored");
        match self.upload(run) {
            Ok(sent) => {
                mark_stored(&run.folder, sent.store);
                tracing::debug!(target: PROGRAMS_ONLY, run = %run.record.id, store = %sent.store, new = sent.is_new, "stored");
                let stored = format!("Stored in {}", self.address.display_name());
                tracing::info!("{stored}");
                Ok(vec![OutputArtifact::Elsewhere(stored)])
            }
            Err(why) => {
                warn_unsynced(&run.folder, &why);
                let message = format!("Not stored: {why} → tollgate sync uploads it");
                Err(OutputError { message, keeps_verdict: !self.is_required })
            }
        }
    }

    fn database(&self) -> Option<&DatabaseAddress> {
        Some(&self.address)
    }

    fn forget_failure(&self) {
        self.failed.set(None);
    }

    fn secrets(&self) -> SecretSet {
        store_flags::secrets(&self.address)
    }
}

impl DatabaseUpload {
    /// Uploads a run, unless the database failed a moment ago.
    fn upload(&self, run: &FinishedRun) -> Result<StoredRun, String> {
        if self.failed.get().is_some_and(|failed| clock::now() - failed < RETRY_AFTER) {
            return Err("the database failed less than a minute ago, and was not tried".to_owned());
        }
        send(&self.address, run).map_err(|error| {
            self.failed.set(Some(clock::now()));
            log::redact(&error.to_string())
        })
    }
}

fn send(address: &DatabaseAddress, run: &FinishedRun) -> Result<StoredRun, DatabaseError> {
    let mut database = Database::open(address)?;
    let sent = database.store_run(&run.record, &run.folder, UPLOAD_LIMITS)?;
    database.close();
    Ok(sent)
}

/// Warns that a run is not stored, and marks its folder.
fn warn_unsynced(folder: &Path, why: &str) {
    let path = folder.display();
    tracing::warn!(
        folder = %path,
        "WARNING: the run is not stored: {why}\n  It is complete in {path}/ and marked; `tollgate sync` uploads it."
    );
    mark_unsynced(folder, why);
}

/// Marks a run as stored. If the mark cannot be written, the next sync uploads the run again, which
/// changes nothing.
pub(in crate::cli) fn mark_stored(folder: &Path, store: Uuid) {
    warn_unmarked(StoreMark::mark_stored(folder, store, clock::wall_clock()));
}

/// Marks a run as not stored, with the reason.
pub(in crate::cli) fn mark_unsynced(folder: &Path, why: &str) {
    warn_unmarked(StoreMark::mark_unsynced(folder, clock::wall_clock(), why.to_owned()));
}

fn warn_unmarked(marked: Result<(), StoreError>) {
    if let Err(error) = marked {
        tracing::warn!("WARNING: the folder could not be marked: {error}");
    }
}
