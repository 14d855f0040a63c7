//! Why a store operation failed.

use super::super::StoreError;
use crate::library_text::describe_io;
use crate::postgres::PgError;
use crate::record::HistogramError;

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database.
    #[error(transparent)]
    Database(#[from] PgError),
    /// The database has no schema yet.
    #[error("the database {at} has no schema `tollgate` yet: `tollgate db migrate` makes it")]
    NoSchema {
        /// The database.
        at: String,
    },
    /// The schema is of an earlier version.
    #[error(
        "the schema in {at} is at version {found}, and this tollgate needs {needed}: `tollgate db migrate` brings it up to date"
    )]
    OldSchema {
        /// The database.
        at: String,
        /// Its version.
        found: i32,
        /// The version that this program needs.
        needed: i32,
    },
    /// The schema is of a later version.
    #[error(
        "the schema in {at} is at version {found}, and this tollgate knows {known}: use a newer tollgate"
    )]
    NewerSchema {
        /// The database.
        at: String,
        /// Its version.
        found: i32,
        /// The latest version that this program knows.
        known: i32,
    },
    /// An applied migration differs from the one of that number in this program.
    #[error(
        "migration {version} in {at} is not the one that this tollgate knows: use the tollgate that made the schema, or a \
         database of its own"
    )]
    OtherMigration {
        /// The database.
        at: String,
        /// The migration's number.
        version: i32,
    },
    /// The run does not exist.
    #[error(
        "there is no run {run} in {at}: `tollgate history --from database` lists those that are there"
    )]
    NoRun {
        /// The name that was given.
        run: String,
        /// The database.
        at: String,
    },
    /// The session does not exist.
    #[error(
        "there is no session {session} in {at}: `tollgate tune list --database` lists those that are there"
    )]
    NoSession {
        /// The name that was given.
        session: String,
        /// The database.
        at: String,
    },
    /// The name matches several runs or sessions.
    #[error("{run} may stand for several in {at}: {}; write the whole id", found.join(", "))]
    Ambiguous {
        /// The name that was given.
        run: String,
        /// The database.
        at: String,
        /// The ids of the matching runs.
        found: Vec<String>,
    },
    /// The rows of a run cannot be read.
    #[error("run {run} in {at} cannot be read: {why}")]
    Damaged {
        /// The run.
        run: String,
        /// The database.
        at: String,
        /// What is wrong.
        why: String,
    },
    /// The name of a schema or role is none that is taken.
    #[error("`{name}` is not a valid name for a {what}: write letters, digits and `_`, 63 at most")]
    Name {
        /// The name.
        name: String,
        /// What the name is for: a schema or a role.
        what: &'static str,
    },
    /// The run's folder could not be read.
    #[error(transparent)]
    Folder(#[from] StoreError),
    /// A histogram could not be read.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
    /// The runtime that drives the connection could not be started.
    #[error("cannot start to talk to the database: {}", describe_io(.0))]
    Runtime(#[from] std::io::Error),
    /// The server, a role or a schema is unsuitable for the operation.
    #[error("{what}: {remedy}")]
    Unfit {
        /// The fact.
        what: String,
        /// The remedy.
        remedy: String,
    },
}
