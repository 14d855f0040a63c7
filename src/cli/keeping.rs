//! The database that runs are kept in, beside their folders.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::exit::{Exit, Problem};
use super::log::{self, LIFE};
use super::session::Kept;
use crate::engine::clock::{self, Instant};
use crate::plan::Secrets;
use crate::postgres::Address;
use crate::store::{Database, DatabaseError, Mark, Sent, StoreError};

/// The database of a command.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Store")]
#[group(skip)]
pub(super) struct Store {
    /// The Postgres database that runs are kept in, as `postgresql://user:password@host:port/database`; `none` for none
    /// [default: `DATABASE_URL`]. Others on this machine can see what is typed; a variable they cannot
    #[arg(long, value_name = "URL", env = "TOLLGATE_STORE", hide_env_values = true)]
    store: Option<String>,
}

/// How a run is kept, beside its folder.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Store")]
#[group(skip)]
pub(super) struct Flags {
    #[command(flatten)]
    store: Store,
    /// End with exit code 4 where the run could not be stored in the database, whatever the verdict
    #[arg(long)]
    require_store: bool,
}

/// Where runs go beside their folders.
pub(super) struct Keeper {
    address: Option<Address>,
    required: bool,
    /// When the database failed last, for repeated runs.
    failed: Cell<Option<Instant>>,
}

impl Store {
    /// The database that is meant; `None` where there is none.
    ///
    /// `DATABASE_URL` may be another program's, and of another kind of database: it is passed over with a word.
    pub(super) fn address(&self) -> Result<Option<Address>, Problem> {
        let variable = || std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        let (url, from) = match self.store.as_deref() {
            Some("") => {
                return Err(Problem::usage(
                    "error: --store is empty: name a database, `none` for none, or leave it out",
                ));
            }
            Some("none") => return Ok(None),
            Some(url) => (url.to_owned(), "--store"),
            None => match variable() {
                None => return Ok(None),
                Some(url) if Address::is_meant(&url) => (url, "DATABASE_URL"),
                Some(_) => {
                    tracing::warn!(
                        "WARNING: DATABASE_URL names no Postgres database and is passed over"
                    );
                    return Ok(None);
                }
            },
        };
        // Whatever it is, it may hold a password.
        let address = Address::parse(&url)
            .map_err(|error| Problem::usage(format!("error: {from}: {error}")))?;
        log::hide(&secrets(&address));
        Ok(Some(address))
    }

    /// The database that a command is about.
    pub(super) fn needed(&self) -> Result<Address, Problem> {
        self.address()?.ok_or_else(|| {
            Problem::usage(
                "error: no database is named: set DATABASE_URL or give --store, such as \
                 `--store postgresql://postgres:postgres@127.0.0.1:54322/postgres` for a local Supabase",
            )
        })
    }
}

/// What must not be shown of a database's address.
fn secrets(address: &Address) -> Secrets {
    Secrets::new(address.secret().map(str::to_owned))
}

/// A database as it may be shown and kept, whatever was typed.
pub(super) fn shown(url: &str) -> String {
    match Address::parse(url) {
        _ if url == "none" => url.to_owned(),
        Ok(address) => format!("postgresql://{}", address.shown()),
        Err(_) => "•••".to_owned(),
    }
}

impl Flags {
    /// Where runs are to go; an address that is wrong is told before anything is sent.
    pub(super) fn keeper(&self) -> Result<Keeper, Problem> {
        let address = self.store.address()?;
        if self.require_store && address.is_none() {
            return Err(Problem::usage(
                "error: --require-store needs a database: set DATABASE_URL or give --store",
            ));
        }
        Ok(Keeper { address, required: self.require_store, failed: Cell::new(None) })
    }
}

/// What became of a run beside its folder.
pub(super) struct Stored {
    /// How the program ends.
    pub(super) exit: Exit,
    /// Where it is stored, or why not; `None` where no database is named.
    pub(super) told: Option<String>,
}

/// How long storing a run may take, all in all.
const STORING: Duration = Duration::from_mins(1);
/// For how long a database that failed is left alone by later runs of the same command.
const RESPITE: Duration = Duration::from_mins(1);

impl Keeper {
    /// What must not be shown of the database, nor be kept in a run's record.
    pub(super) fn secrets(&self) -> Secrets {
        self.address.as_ref().map(secrets).unwrap_or_default()
    }

    /// Stores a run whose folder is complete, and says how the program ends: the verdict stands whatever becomes of it,
    /// unless storing is required.
    ///
    /// The folder is marked before the database is tried, so that a prober that is killed meanwhile leaves the mark.
    pub(super) fn keep(&self, kept: &Kept) -> Stored {
        let Some(address) = &self.address else { return Stored { exit: kept.exit(), told: None } };
        mark_unsynced(&kept.folder, "the prober ended before it was stored");
        let error = match self.failed.get().filter(|failed| clock::now() - *failed < RESPITE) {
            Some(_) => "the database failed less than a minute ago, and was not tried".to_owned(),
            None => match store(address, kept) {
                Ok(sent) => {
                    mark_stored(&kept.folder, sent.store);
                    tracing::debug!(target: LIFE, run = %kept.record.id, store = %sent.store, new = sent.is_new, "stored");
                    let told = format!("Stored in {}", address.shown());
                    tracing::info!("{told}");
                    return Stored { exit: kept.exit(), told: Some(told) };
                }
                Err(error) => {
                    self.failed.set(Some(clock::now()));
                    log::clean(&error.to_string())
                }
            },
        };
        tell_unstored(&kept.folder, &error);
        let exit = if self.required { Exit::Internal } else { kept.exit() };
        Stored { exit, told: Some(format!("Not stored: {error} → tollgate sync sends it")) }
    }
}

fn store(address: &Address, kept: &Kept) -> Result<Sent, DatabaseError> {
    let mut database = Database::open(address)?;
    let sent = database.keep(&kept.record, &kept.folder, STORING)?;
    database.close();
    Ok(sent)
}

/// Marks the folder and says what to do.
fn tell_unstored(folder: &Path, why: &str) {
    let shown = folder.display();
    tracing::warn!(
        folder = %shown,
        "WARNING: the run is not stored: {why}\n  It is whole in {shown}/ and marked; `tollgate sync` sends it."
    );
    mark_unsynced(folder, why);
}

/// Marks a run that a store has. Where the mark cannot be written, the run is sent once more by the next sync, for nothing.
pub(super) fn mark_stored(folder: &Path, store: Uuid) {
    told(Mark::stored(folder, store, clock::wall_clock()));
}

/// Marks a run that is not stored, for those who look into its folder.
pub(super) fn mark_unsynced(folder: &Path, why: &str) {
    told(Mark::unsynced(folder, clock::wall_clock(), why.to_owned()));
}

fn told(marked: Result<(), StoreError>) {
    if let Err(error) = marked {
        tracing::warn!("WARNING: the folder could not be marked: {error}");
    }
}
