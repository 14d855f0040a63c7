//! A database that may be out of reach for a while.

use std::time::Duration;

use crate::engine::clock;
use crate::postgres::{DatabaseAddress, PgErrorKind};
use crate::store::{Database, DatabaseError};

/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// A connection that is opened again if it is lost.
pub(super) struct PatientDatabase {
    address: DatabaseAddress,
    database: Database,
    /// How long the database may be out of reach.
    patience: Duration,
}

impl PatientDatabase {
    /// Opens a connection. This is tried once, so that a mistake in the address shows at once.
    pub(super) fn open(
        address: &DatabaseAddress,
        patience: Duration,
    ) -> Result<Self, DatabaseError> {
        let database = Database::open(address)?;
        Ok(Self { address: address.clone(), database, patience })
    }

    /// Calls the database, again and again while it is out of reach.
    pub(super) fn call<T>(
        &mut self,
        mut call: impl FnMut(&mut Database) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let since = clock::now();
        loop {
            let error = match call(&mut self.database) {
                Err(error) if may_pass(&error) => error,
                answered => return answered,
            };
            if clock::now() - since > self.patience {
                return Err(error);
            }
            std::thread::sleep(PAUSE);
            if let Ok(database) = Database::open(&self.address) {
                self.database = database;
            }
        }
    }

    /// The connection itself.
    pub(super) fn into_database(self) -> Database {
        self.database
    }
}

/// Whether a later call may succeed without anybody's doing.
fn may_pass(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Database(error) if matches!(
        error.kind,
        PgErrorKind::Unreachable
            | PgErrorKind::Refused
            | PgErrorKind::TimedOut
            | PgErrorKind::TooSlow
            | PgErrorKind::Lost
            | PgErrorKind::TooMany
    ))
}
