//! The pages of the tuning sessions of a period.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Args;
use super::folder::SiteFolder;
use super::page_mark::PageMark;
use crate::cli::exit::CommandError;
use crate::cli::source::{RunSource, warn_left_out};
use crate::history::HistoryScope;
use crate::record::run_name;
use crate::record::session::SessionRecord;
use crate::report::{self, SessionModel};
use crate::store;
use crate::tune::conclude::conclude;

/// Writes the report of each tuning session that started in the period; returns their file names by
/// title.
pub(super) fn write_sessions(
    args: &Args,
    scope: &HistoryScope,
    source: &RunSource,
    folder: &mut SiteFolder,
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut sessions = Sessions { scope, records: BTreeMap::new(), left_out: Vec::new() };
    if source.reads_folders() {
        sessions.add_folders(args)?;
    }
    if source.reads_database() {
        sessions.add_stored(source)?;
    }
    warn_left_out(&sessions.left_out);
    let mut pages = BTreeMap::new();
    for mut record in sessions.records.into_values() {
        let name = run_name(record.provenance.started, record.id);
        let file = format!("{name}.html");
        let path = format!("sessions/{file}");
        let mark = PageMark::of(&record, false)?;
        if !folder.keeps(&path, &mark) {
            conclude(&mut record);
            let page = report::session_html(&SessionModel::new(&record));
            folder.put(&path, mark.mark(page).as_bytes())?;
        }
        pages.insert(format!("{name} · {}", record.name), file);
    }
    Ok(pages)
}

/// The sessions of a period, each once.
struct Sessions<'a> {
    scope: &'a HistoryScope,
    records: BTreeMap<Uuid, SessionRecord>,
    /// Those that cannot be read, a sentence each.
    left_out: Vec<String>,
}

impl Sessions<'_> {
    fn is_in_period(&self, started: time::OffsetDateTime) -> bool {
        (self.scope.since..self.scope.until).contains(&started)
    }

    fn add_folders(&mut self, args: &Args) -> Result<(), CommandError> {
        for (_, record) in store::list_sessions(&args.sessions_dir)? {
            match record {
                Ok(record) if self.is_in_period(record.provenance.started) => {
                    self.records.insert(record.id, record);
                }
                Ok(_) => {}
                Err(error) => self.left_out.push(error.to_string()),
            }
        }
        Ok(())
    }

    /// Adds the sessions of the database. One that has a folder here may be newer there.
    fn add_stored(&mut self, source: &RunSource) -> Result<(), CommandError> {
        let mut database = source.open_database()?;
        for listed in database.sessions()? {
            if !self.is_in_period(listed.started) || self.records.contains_key(&listed.id) {
                continue;
            }
            match database.fetch_session(&listed.id.to_string()) {
                Ok(record) => drop(self.records.insert(record.id, record)),
                Err(error) => self.left_out.push(error.to_string()),
            }
        }
        database.close();
        Ok(())
    }
}
