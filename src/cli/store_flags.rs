//! The flag that names a database, and how its URL is shown without secrets.

use super::exit::CommandError;
use super::log;
use crate::plan::SecretSet;
use crate::postgres::DatabaseAddress;

/// The database of a command.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Store")]
#[group(skip)]
pub(super) struct StoreFlags {
    /// The Postgres database for runs, such as `postgresql://user:password@host:port/database`;
    /// `none` for no database [default: `DATABASE_URL`]. Other users of this machine can see what
    /// you type, but not a variable
    #[arg(long, value_name = "URL", env = "TOLLGATE_STORE", hide_env_values = true)]
    store: Option<String>,
}

impl StoreFlags {
    /// The named database; `None` if there is none.
    ///
    /// `DATABASE_URL` may belong to another program and to another kind of database. It is then
    /// ignored with a warning.
    pub(super) fn address(&self) -> Result<Option<DatabaseAddress>, CommandError> {
        let variable = || std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        let (url, origin) = match self.store.as_deref() {
            Some("") => {
                return Err(CommandError::usage(
                    "error: --store is empty: name a database, write `none`, or leave the flag out",
                ));
            }
            Some("none") => return Ok(None),
            Some(url) => (url.to_owned(), "--store"),
            None => match variable() {
                None => return Ok(None),
                Some(url) if DatabaseAddress::has_postgres_scheme(&url) => (url, "DATABASE_URL"),
                Some(_) => {
                    tracing::warn!(
                        "WARNING: DATABASE_URL does not name a Postgres database and is ignored"
                    );
                    return Ok(None);
                }
            },
        };
        // The error must not quote the URL: even a malformed one may hold a password.
        let address = DatabaseAddress::parse(&url)
            .map_err(|error| CommandError::usage(format!("error: {origin}: {error}")))?;
        log::add_secrets(&secrets(&address));
        Ok(Some(address))
    }

    /// The named database, for commands that need one.
    pub(super) fn required_address(&self) -> Result<DatabaseAddress, CommandError> {
        self.address()?.ok_or_else(|| {
            CommandError::usage(
                "error: no database is named: set DATABASE_URL or give --store, such as \
                 `--store postgresql://postgres:postgres@127.0.0.1:54322/postgres` for a local Supabase",
            )
        })
    }
}

/// The parts of a database's address that must not be shown.
pub(super) fn secrets(address: &DatabaseAddress) -> SecretSet {
    SecretSet::new(address.secret_password().map(str::to_owned))
}

/// A database URL without its password; `•••` if it cannot be parsed.
pub(super) fn redact_url(url: &str) -> String {
    match DatabaseAddress::parse(url) {
        _ if url == "none" => url.to_owned(),
        Ok(address) => format!("postgresql://{}", address.display_name()),
        Err(_) => "•••".to_owned(),
    }
}
