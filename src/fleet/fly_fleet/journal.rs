//! The journal of a fleet: on disk before the first machine, gone when the last one is.
//!
//! It has one JSON object a line, and only grows: first what may be made, then, for each machine,
//! one line before the call that makes it and one after. A kill can cut off the last line only, and
//! nothing was done yet that this line would have said.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::FleetName;

/// The version of the format.
const FORMAT: u32 = 1;

/// What a journal begins with.
const BEGINNING: &str = "{\"format\":";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalStart {
    /// The version of the format; 1.
    format: u32,
    /// The name of the fleet.
    pub fleet: String,
    /// What marks its machines, and no others.
    pub mark: String,
    /// The only app in which machines are made.
    pub app: String,
    /// The base URL of the Machines API.
    pub api: String,
    /// When the journal was begun.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// The names of the machines that may be made.
    pub names: BTreeSet<String>,
}

/// A later line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalLine {
    /// The machine of this name is about to be made.
    Making(String),
    /// It was made, and has this id.
    Made {
        /// Its name.
        name: String,
        /// Its id.
        id: String,
    },
    /// Fly refused to make it.
    Refused(String),
}

/// What a journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetJournal {
    /// The first line.
    pub start: JournalStart,
    /// The ids of the machines that were made, by their names; `None` while it is not known whether
    /// the machine was made.
    machines: BTreeMap<String, Option<String>>,
}

/// A machine as the API lists it.
#[derive(Debug, Clone, Copy)]
pub struct ListedMachine<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The mark of a fleet in its metadata.
    pub mark: Option<&'a str>,
}

/// Why a journal cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// It was cut off before the first line was whole, so no machine was made.
    #[error("it is empty")]
    Empty,
    /// A line is not one of a journal: its number, from 1.
    #[error("line {0} is not one of a fleet's journal")]
    Damaged(usize),
    /// A later version wrote it.
    #[error("it has format {0}, and this tollgate reads format {FORMAT}; use a newer tollgate")]
    Newer(u32),
}

impl JournalStart {
    /// The first line of a fleet that may make machines of these names.
    pub fn new(
        name: &FleetName,
        (app, api): (&str, &str),
        started: OffsetDateTime,
        names: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            format: FORMAT,
            fleet: name.name.clone(),
            mark: name.mark.clone(),
            app: app.to_owned(),
            api: api.to_owned(),
            started,
            names: names.into_iter().collect(),
        }
    }
}

impl FleetJournal {
    /// A journal whose first line this is.
    pub fn new(start: JournalStart) -> Self {
        Self { start, machines: BTreeMap::new() }
    }

    /// Reads a journal. What follows the last line break was cut off, and is ignored.
    pub fn read(text: &str) -> Result<Self, JournalError> {
        let Some((whole, _)) = text.rsplit_once('\n') else {
            // What is empty is removed, which must not happen to any other file.
            let is_cut_off = text.starts_with(BEGINNING) || BEGINNING.starts_with(text);
            return Err(if is_cut_off { JournalError::Empty } else { JournalError::Damaged(1) });
        };
        let mut lines = whole.lines().enumerate();
        let (_, first) = lines.next().ok_or(JournalError::Damaged(1))?;
        let start: JournalStart =
            serde_json::from_str(first).map_err(|_| JournalError::Damaged(1))?;
        if start.format > FORMAT {
            return Err(JournalError::Newer(start.format));
        }
        let mut journal = Self::new(start);
        for (at, line) in lines {
            let line = serde_json::from_str(line).map_err(|_| JournalError::Damaged(at + 1))?;
            journal.add(line);
        }
        Ok(journal)
    }

    /// Adds a line.
    pub fn add(&mut self, line: JournalLine) {
        match line {
            JournalLine::Making(name) => {
                self.machines.entry(name).or_default();
            }
            JournalLine::Made { name, id } => {
                self.machines.insert(name, Some(id));
            }
            JournalLine::Refused(name) => {
                self.machines.remove(&name);
            }
        }
    }

    /// Whether a machine belongs to the fleet: its id is known, or its name was to be made and it
    /// carries the fleet's mark. A copy that somebody made of a machine has the mark, but a name of
    /// its own.
    pub fn owns(&self, machine: ListedMachine<'_>) -> bool {
        self.machines.values().flatten().any(|id| id == machine.id)
            || (self.start.names.contains(machine.name)
                && machine.mark == Some(self.start.mark.as_str()))
    }

    /// The ids of the machines that were made, by their names.
    pub fn made(&self) -> impl Iterator<Item = (&str, &str)> {
        self.machines.iter().filter_map(|(name, id)| Some((name.as_str(), id.as_deref()?)))
    }

    /// The names of machines that may have been made without an answer.
    pub fn unclear(&self) -> impl Iterator<Item = &str> {
        self.machines.iter().filter(|(_, id)| id.is_none()).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn start() -> JournalStart {
        let names = ["f-1", "f-2", "f-3"].map(str::to_owned);
        let name = FleetName { name: "f".to_owned(), mark: "f/7".to_owned() };
        JournalStart::new(&name, ("app", "https://api/"), datetime!(2026-11-29 15:00 UTC), names)
    }

    fn text(lines: &[JournalLine]) -> String {
        let lines = lines.iter().map(|line| serde_json::to_string(line).unwrap());
        let first = serde_json::to_string(&start()).unwrap();
        std::iter::once(first).chain(lines).map(|line| line + "\n").collect()
    }

    fn made(name: &str, id: &str) -> JournalLine {
        JournalLine::Made { name: name.to_owned(), id: id.to_owned() }
    }

    #[test]
    fn a_journal_knows_what_was_made_and_what_is_unclear() {
        let making = |name: &str| JournalLine::Making(name.to_owned());
        let lines = [
            making("f-1"),
            made("f-1", "m1"),
            making("f-2"),
            JournalLine::Refused("f-2".to_owned()),
            making("f-3"),
        ];
        let journal = FleetJournal::read(&text(&lines)).unwrap();
        assert_eq!(journal.made().collect::<Vec<_>>(), [("f-1", "m1")]);
        assert_eq!(journal.unclear().collect::<Vec<_>>(), ["f-3"]);
        let whole = text(&lines[..2]);
        for cut in 0..whole.len() {
            match FleetJournal::read(&whole[..cut]) {
                Ok(journal) => assert_eq!(journal.start, start()),
                Err(error) => assert_eq!(error, JournalError::Empty, "{cut}"),
            }
        }
    }

    #[test]
    fn a_machine_belongs_to_the_fleet_by_its_id_or_by_its_name_and_mark_together() {
        let journal = FleetJournal::read(&text(&[made("f-1", "m1")])).unwrap();
        for (id, name, mark, is_own) in [
            ("m1", "f-1", Some("f/7"), true),
            ("m1", "renamed", None, true),
            ("m2", "f-2", Some("f/7"), true),
            ("m2", "f-2", None, false),
            ("m2", "f-2", Some("f/8"), false),
            ("m2", "copy", Some("f/7"), false),
            ("m2", "f-4", Some("f/7"), false),
            ("m3", "web", None, false),
        ] {
            assert_eq!(journal.owns(ListedMachine { id, name, mark }), is_own, "{id} {name}");
        }
    }

    #[test]
    fn a_file_that_is_no_journal_is_refused() {
        let newer = text(&[]).replace("\"format\":1", "\"format\":9");
        assert_eq!(FleetJournal::read(&newer), Err(JournalError::Newer(9)));
        for foreign in ["hello\n", "hello", "{\"price\": 1}", "{\"price\": 1}\n", "\n"] {
            assert_eq!(FleetJournal::read(foreign), Err(JournalError::Damaged(1)), "{foreign}");
        }
        let damaged = text(&[]) + "{\"sold\": 1}\n";
        assert_eq!(FleetJournal::read(&damaged), Err(JournalError::Damaged(2)));
    }
}
