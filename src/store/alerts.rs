//! Keeps the state of alerts, in a file of the runs folder or in the database.
//!
//! A change is atomic: two probers that change a state at the same time do so one after the other,
//! and the second one sees what the first one wrote.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::lock::{LockOutcome, lock_within, open_lock_file};
use super::{Database, DatabaseError, StoreError, remove_leftovers, write_own_file};
use crate::files;
use crate::history::{AlertKey, AlertState};
use crate::library_text::describe_json;
use crate::postgres::DatabaseAddress;
use crate::units::ByteSize;

/// The file, which begins with a dot so that it is not taken for a run.
const FILE: &str = ".alerts.json";
/// Locked while the file is changed. The file itself is replaced, so a lock on it would be lost.
const LOCK: &str = ".alerts.lock";
/// The largest file that is read: thousands of scenarios.
const MAX_FILE: ByteSize = ByteSize(64 << 20);

/// How long a change waits for another one, which takes milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the states are. A database is connected to at the first change, and once for all of them.
#[derive(Debug)]
pub struct AlertStore<'a> {
    place: AlertPlace<'a>,
    database: Option<Database>,
}

#[derive(Debug, Clone, Copy)]
enum AlertPlace<'a> {
    Folder(&'a Path, fn() -> OffsetDateTime),
    Database(&'a DatabaseAddress),
}

impl<'a> AlertStore<'a> {
    /// In this folder of run folders, by this clock.
    pub fn in_folder(runs_dir: &'a Path, clock: fn() -> OffsetDateTime) -> Self {
        Self { place: AlertPlace::Folder(runs_dir, clock), database: None }
    }

    /// In this database, by its clock.
    pub fn in_database(address: &'a DatabaseAddress) -> Self {
        Self { place: AlertPlace::Database(address), database: None }
    }

    /// Changes the state of a key, which is the default one at first. `change` gets the time too;
    /// it may be called several times, each time with what another prober has just written.
    pub fn change<T>(
        &mut self,
        key: &AlertKey,
        mut change: impl FnMut(&mut AlertState, OffsetDateTime) -> T,
    ) -> Result<T, DatabaseError> {
        let address = match self.place {
            AlertPlace::Folder(runs_dir, clock) => {
                return Ok(change_file(runs_dir, key, |state| change(state, clock()))?);
            }
            AlertPlace::Database(address) => address,
        };
        if let Some(database) = &mut self.database
            && let Ok(changed) = database.change_alert(key, &mut change)
        {
            return Ok(changed);
        }
        // The server may have closed the session while a message was delivered.
        let database = self.database.insert(Database::open(address)?);
        database.change_alert(key, change)
    }

    /// Ends the session with the database.
    pub fn close(self) {
        if let Some(database) = self.database {
            database.close();
        }
    }
}

/// The states of a folder.
#[derive(Debug, Default, Serialize, Deserialize)]
struct AlertFile {
    alerts: Vec<KeptAlert>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptAlert {
    #[serde(flatten)]
    key: AlertKey,
    state: AlertState,
}

fn change_file<T>(
    runs_dir: &Path,
    key: &AlertKey,
    change: impl FnOnce(&mut AlertState) -> T,
) -> Result<T, StoreError> {
    let _held = lock(&runs_dir.join(LOCK))?;
    remove_leftovers(runs_dir);
    let path = runs_dir.join(FILE);
    let mut file = read(&path)?;
    let place = file.alerts.iter().position(|kept| kept.key == *key).unwrap_or_else(|| {
        file.alerts.push(KeptAlert { key: key.clone(), state: AlertState::default() });
        file.alerts.len() - 1
    });
    let state = &mut file.alerts[place].state;
    let before = state.clone();
    let changed = change(state);
    if *state != before {
        let bytes = serde_json::to_vec_pretty(&file)
            .map_err(|error| StoreError::damaged(&path, &describe_json(&error)))?;
        write_own_file(&path, &bytes).map_err(StoreError::write(&path))?;
    }
    Ok(changed)
}

fn read(path: &Path) -> Result<AlertFile, StoreError> {
    match files::read_regular(path, MAX_FILE) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            let why = format!("{}; remove the file to start anew", describe_json(&error));
            StoreError::damaged(path, &why)
        }),
        Err(_) if !path.exists() => Ok(AlertFile::default()),
        Err(why) => Err(StoreError::damaged(path, &why)),
    }
}

/// Locks a file. A file system without locks does not exclude others.
fn lock(path: &Path) -> Result<File, StoreError> {
    let file = open_lock_file(path).map_err(StoreError::write(path))?;
    match lock_within(&file, LOCK_TIMEOUT, || {}) {
        LockOutcome::Held | LockOutcome::Unsupported => Ok(file),
        LockOutcome::Busy => {
            let busy = io::Error::new(ErrorKind::TimedOut, "another program holds its lock");
            Err(StoreError::write(path)(busy))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;
    use crate::history::AlertRun;

    const NOW: OffsetDateTime = datetime!(2026-11-23 18:00 UTC);

    fn key(scenario: &str) -> AlertKey {
        AlertKey { scenario: scenario.to_owned(), environment: "staging".to_owned() }
    }

    fn add(runs_dir: &Path, scenario: &str, number: u128) -> Result<(), DatabaseError> {
        let run = AlertRun { id: Uuid::from_u128(number), started: NOW, failed: true };
        AlertStore::in_folder(runs_dir, || NOW).change(&key(scenario), |state, _| state.add(run))
    }

    fn claim(runs_dir: &Path, scenario: &str, rule: &str, sender: u128) -> bool {
        let until = NOW + Duration::from_mins(1);
        let rule = rule.parse().unwrap();
        let claimed = AlertStore::in_folder(runs_dir, || NOW)
            .change(&key(scenario), |state, now| {
                state.claim(rule, Uuid::from_u128(sender), (now, until))
            });
        claimed.unwrap().is_some()
    }

    #[test]
    fn probers_that_change_a_state_at_the_same_time_lose_nothing_and_one_of_them_sends() {
        let runs = tempfile::tempdir().unwrap();
        let claimed = thread::scope(|scope| {
            let probers: Vec<_> = (0..8)
                .map(|number| {
                    let path = runs.path();
                    scope.spawn(move || {
                        add(path, "shop", number).unwrap();
                        claim(path, "shop", "1 of 1", number)
                    })
                })
                .collect();
            probers.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(claimed.iter().filter(|claimed| **claimed).count(), 1);
        add(runs.path(), "cart", 1).unwrap();
        assert!(!claim(runs.path(), "cart", "2 of 2", 1));
        let written = std::fs::read_to_string(runs.path().join(FILE)).unwrap();
        assert_eq!(written.matches("\"failed\": true").count(), 9, "{written}");
        assert!(super::super::run_folders(runs.path()).unwrap().is_empty());
    }

    #[test]
    fn a_damaged_file_is_an_error_with_a_remedy_and_stays_as_it_is() {
        let runs = tempfile::tempdir().unwrap();
        std::fs::write(runs.path().join(FILE), "{\"alerts\": ").unwrap();
        let error = add(runs.path(), "shop", 1).unwrap_err().to_string();
        assert!(error.contains(FILE) && error.contains("remove the file"), "{error}");
        assert_eq!(std::fs::read(runs.path().join(FILE)).unwrap(), b"{\"alerts\": ");
    }
}
