//! Why the store could not do what it was asked to.

use super::super::StoreError;
use crate::postgres::PgError;
use crate::record::HistogramError;

/// Why the store could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database.
    #[error(transparent)]
    Database(#[from] PgError),
    /// There is no schema yet.
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
        /// The version that is needed.
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
        /// The latest version that is known here.
        known: i32,
    },
    /// A migration was applied that is another one here.
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
    /// There is no such run.
    #[error(
        "there is no run {run} in {at}: `tollgate history --from database` lists those that are there"
    )]
    NoRun {
        /// What it was named.
        run: String,
        /// The database.
        at: String,
    },
    /// Several runs are meant.
    #[error("{run} may be several runs in {at}: {}; write the whole id", found.join(", "))]
    Ambiguous {
        /// What they were named.
        run: String,
        /// The database.
        at: String,
        /// Their ids.
        found: Vec<String>,
    },
    /// What the database holds of a run cannot be read.
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
        /// What it was to be.
        what: &'static str,
    },
    /// The run's folder could not be read.
    #[error(transparent)]
    Folder(#[from] StoreError),
    /// A histogram could not be read.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
    /// What runs the connection could not be started.
    #[error("cannot start to talk to the database: {0}")]
    Runtime(#[from] std::io::Error),
    /// A role or a schema that something is to be done with does not fit.
    #[error("{what}: {remedy}")]
    Unfit {
        /// What is the case.
        what: String,
        /// What to do.
        remedy: String,
    },
}
