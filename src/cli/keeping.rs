//! The database that runs are kept in, beside their folders.

use std::path::Path;

use super::exit::{Exit, Problem};
use super::log::{self, LIFE};
use super::session::Kept;
use crate::engine::clock;
use crate::plan::Secrets;
use crate::postgres::Address;
use crate::store::{Database, DatabaseError, Mark, Sent};

/// The database of a command.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Store")]
#[group(skip)]
pub(super) struct Store {
    /// The Postgres database that runs are kept in, as `postgresql://user:password@host:port/database`; `none` for none
    /// [default: `DATABASE_URL`]
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
}

impl Store {
    /// The database that is meant; `None` where there is none.
    pub(super) fn address(&self) -> Result<Option<Address>, Problem> {
        let given = self.store.clone().filter(|url| !url.is_empty());
        let (url, from) = match (given, std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty())) {
            (Some(none), _) if none == "none" => return Ok(None),
            (Some(url), _) => (url, "--store"),
            (None, Some(url)) => (url, "DATABASE_URL"),
            (None, None) => return Ok(None),
        };
        // Whatever it is, it may hold a password.
        let address =
            Address::parse(&url).map_err(|error| Problem::usage(format!("error: {from}: {error}")))?;
        log::hide(&Secrets::new(address.secret().map(str::to_owned)));
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
        Ok(Keeper { address, required: self.require_store })
    }
}

impl Keeper {
    /// Stores a run whose folder is complete, and says how the program ends: the verdict stands whatever becomes of it,
    /// unless storing is required.
    ///
    /// The folder is marked before the database is tried, so that a prober that is killed meanwhile leaves the mark.
    pub(super) fn keep(&self, kept: &Kept) -> Result<Exit, Problem> {
        let Some(address) = &self.address else { return Ok(kept.exit()) };
        Mark::unsynced(
            &kept.folder,
            clock::wall_clock(),
            "the prober ended before it was stored".to_owned(),
        )?;
        match store(address, kept) {
            Ok(_) => {
                tracing::info!("Stored in {}", address.shown());
                Ok(kept.exit())
            }
            Err(error) => {
                tell_unstored(&kept.folder, &error)?;
                Ok(if self.required { Exit::Internal } else { kept.exit() })
            }
        }
    }
}

fn store(address: &Address, kept: &Kept) -> Result<Sent, DatabaseError> {
    let mut database = Database::open(address)?;
    let identity = database.identity()?;
    let sent = database.keep(&kept.record, &kept.folder)?;
    database.close();
    Mark::stored(&kept.folder, identity, clock::wall_clock())?;
    tracing::debug!(target: LIFE, run = %kept.record.id, store = %identity, ?sent, "stored");
    Ok(sent)
}

/// Marks the folder and says what to do.
fn tell_unstored(folder: &Path, error: &DatabaseError) -> Result<(), Problem> {
    let why = log::clean(&error.to_string());
    tracing::warn!(
        folder = %folder.display(),
        "WARNING: the run is not stored: {why}\n  It is whole in {}/ and marked; `tollgate sync` sends it.",
        folder.display()
    );
    Ok(Mark::unsynced(folder, clock::wall_clock(), why)?)
}
