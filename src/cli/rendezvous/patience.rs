//! A database that may be out of reach for a while.

use std::time::Duration;

use super::super::signals::RunSignals;
use crate::engine::clock::{self, Instant};
use crate::postgres::{DatabaseAddress, PgErrorKind};
use crate::store::{Database, DatabaseError};

/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// A connection that is opened again if it is lost.
pub(super) struct PatientDatabase<'a> {
    address: DatabaseAddress,
    /// A signal ends the patience.
    signals: &'a RunSignals,
    /// `None` while the database is out of reach.
    database: Option<Database>,
    /// Since when no call has failed.
    in_touch: Instant,
}

impl<'a> PatientDatabase<'a> {
    /// Opens a connection. A database that has too many is tried again for as long as `patience`;
    /// other errors show at once, since the address may be wrong.
    pub(super) fn open(
        address: &DatabaseAddress,
        signals: &'a RunSignals,
        patience: Duration,
    ) -> Result<Self, DatabaseError> {
        let since = clock::now();
        let database = loop {
            match Database::open(address) {
                Err(error) if is(&error, &[PgErrorKind::TooMany]) => {
                    if clock::now() - since > patience || signals.stops_within(PAUSE) {
                        return Err(error);
                    }
                }
                opened => break opened?,
            }
        };
        let (address, in_touch) = (address.clone(), clock::now());
        Ok(Self { address, signals, database: Some(database), in_touch })
    }

    /// A database that was in reach before; its connection is opened when it is needed.
    pub(super) fn reopen(address: &DatabaseAddress, signals: &'a RunSignals) -> Self {
        Self { address: address.clone(), signals, database: None, in_touch: clock::now() }
    }

    /// Calls the database, again and again while it is out of reach, for as long as `patience`.
    pub(super) fn call<T>(
        &mut self,
        patience: Duration,
        mut call: impl FnMut(&mut Database) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let since = clock::now();
        loop {
            let opened = self.database.take().map_or_else(|| Database::open(&self.address), Ok);
            let error = match opened {
                Ok(mut database) => match call(&mut database) {
                    Ok(answer) => {
                        self.database = Some(database);
                        return Ok(answer);
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let is_over = clock::now() - since > patience;
            if is_over || !may_pass(&error) || self.signals.stops_within(PAUSE) {
                return Err(error);
            }
            self.in_touch = clock::now();
        }
    }

    /// How long the database has been in reach without a break.
    pub(super) fn in_touch(&self) -> Duration {
        clock::now() - self.in_touch
    }

    /// The connection itself, if there is one.
    pub(super) fn into_database(self) -> Option<Database> {
        self.database
    }
}

/// Whether the same call may succeed later.
fn may_pass(error: &DatabaseError) -> bool {
    let passing = [
        PgErrorKind::Unreachable,
        PgErrorKind::Refused,
        PgErrorKind::TimedOut,
        PgErrorKind::TooSlow,
        PgErrorKind::Lost,
        PgErrorKind::TooMany,
        PgErrorKind::ReadOnly,
    ];
    is(error, &passing)
}

fn is(error: &DatabaseError, kinds: &[PgErrorKind]) -> bool {
    matches!(error, DatabaseError::Database(error) if kinds.contains(&error.kind))
}
