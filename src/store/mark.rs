//! The file `store.json` of a run's folder, which says whether a database has the run.
//!
//! The mark only saves sending. The database holds the truth: it stores a run once, even if the run
//! is sent several times.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

use super::{StoreError, write_atomically};
use crate::files;
use crate::library_text::describe_json;
use crate::units::ByteSize;

const MARK: &str = "store.json";

/// The largest mark that is read; each store takes a hundred bytes.
const MAX_MARK: ByteSize = ByteSize(1 << 20);

/// The content of `store.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreMark {
    /// The identities of the stores that have the run, with the time at which it was stored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stored: BTreeMap<Uuid, StoredSince>,
    /// Why the last attempt to store the run failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsynced: Option<UnsyncedMark>,
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredSince(#[serde(with = "rfc3339")] pub OffsetDateTime);

/// A failed attempt to store a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsyncedMark {
    /// When the attempt was made (RFC 3339, UTC).
    #[serde(with = "rfc3339")]
    pub tried: OffsetDateTime,
    /// Why it failed; never a password.
    pub why: String,
}

impl StoreMark {
    /// Reads the mark of a folder; an empty one if it is missing or damaged.
    pub fn read(folder: &Path) -> Self {
        let bytes = files::read_regular(&folder.join(MARK), MAX_MARK).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Marks a run as not stored.
    pub fn mark_unsynced(
        folder: &Path,
        tried: OffsetDateTime,
        why: String,
    ) -> Result<(), StoreError> {
        Self { unsynced: Some(UnsyncedMark { tried, why }), ..Self::read(folder) }.write(folder)
    }

    /// Marks a run as stored in a store.
    pub fn mark_stored(
        folder: &Path,
        identity: Uuid,
        since: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut mark = Self { unsynced: None, ..Self::read(folder) };
        mark.stored.insert(identity, StoredSince(since));
        mark.write(folder)
    }

    fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let json = serde_json::to_vec_pretty(self)
            .map_err(|error| StoreError::damaged(&folder.join(MARK), &describe_json(&error)))?;
        write_atomically(folder, MARK, &json)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use time::macros::datetime;

    use super::*;

    const AT: OffsetDateTime = datetime!(2026-11-25 18:00 UTC);

    #[test]
    fn a_run_is_marked_for_each_store_that_has_it_and_unsynced_until_one_does() {
        let folder = tempfile::tempdir().unwrap();
        StoreMark::mark_unsynced(folder.path(), AT, "away".to_owned()).unwrap();
        assert_eq!(
            StoreMark::read(folder.path()).unsynced,
            Some(UnsyncedMark { tried: AT, why: "away".to_owned() })
        );
        let [one, other] = [1, 2].map(Uuid::from_u128);
        StoreMark::mark_stored(folder.path(), one, AT).unwrap();
        StoreMark::mark_unsynced(folder.path(), AT, "away".to_owned()).unwrap();
        StoreMark::mark_stored(folder.path(), other, AT).unwrap();
        let mark = StoreMark::read(folder.path());
        assert_eq!(
            mark,
            StoreMark {
                stored: [(one, StoredSince(AT)), (other, StoredSince(AT))].into(),
                unsynced: None
            }
        );
    }

    #[test]
    fn a_damaged_mark_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MARK), "{\"stored\": 3").unwrap();
        assert_eq!(StoreMark::read(folder.path()), StoreMark::default());
    }
}
