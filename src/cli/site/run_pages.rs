//! The pages of the runs that a site names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::folder::SiteFolder;
use super::page_mark::PageMark;
use crate::cli::exit::CommandError;
use crate::cli::source::{self, RunSource, warn_left_out};
use crate::record::{Interval, RunRecord};
use crate::report::{self, HistorySite, ReportModel};
use crate::store::{self, Database, DatabaseError};

/// Writes the report of each run that a page names; returns the names of those that have one. A run
/// that cannot be read is not linked.
pub(super) fn write_runs(
    site: &HistorySite,
    source: &RunSource,
    folder: &mut SiteFolder,
) -> Result<BTreeSet<String>, CommandError> {
    let mut reader = RunReader { source, database: None };
    let (mut linked, mut unread) = (BTreeSet::new(), Vec::new());
    for name in site.linked_runs() {
        let file = format!("runs/{name}.html");
        match reader.page(&name, |mark| folder.keeps(&file, mark)) {
            Ok(Some(page)) => folder.put(&file, page.as_bytes())?,
            Ok(None) => {}
            Err(error) => {
                // A session whose answer was cut off answers nothing more: the next run gets a new
                // one.
                reader.database = None;
                unread.push(format!("the page of the run {name}: {error}"));
                continue;
            }
        }
        linked.insert(name);
    }
    if let Some(database) = reader.database {
        database.close();
    }
    warn_left_out(&unread);
    Ok(linked)
}

/// Reads runs one after the other, over one connection to the database.
struct RunReader<'a> {
    source: &'a RunSource,
    database: Option<Database>,
}

/// A run whose seconds are read only if its page must be made.
struct FoundRun {
    record: RunRecord,
    seconds: RunSeconds,
}

/// Where the intervals of a run are.
enum RunSeconds {
    Folder(PathBuf),
    Database,
    Nowhere,
}

impl RunReader<'_> {
    /// The page of a run; `None` if there is one that is made of the same record.
    fn page(
        &mut self,
        name: &str,
        is_there: impl FnOnce(&PageMark) -> bool,
    ) -> Result<Option<String>, CommandError> {
        let run = self.find(name)?;
        let has_seconds = !matches!(run.seconds, RunSeconds::Nowhere);
        let mark = PageMark::of(&run.record, has_seconds)?;
        if is_there(&mark) {
            return Ok(None);
        }
        let model = self.model(&run)?;
        Ok(Some(mark.mark(report::html(&model))))
    }

    fn find(&mut self, name: &str) -> Result<FoundRun, CommandError> {
        if let Some(folder) = self.source.folder_of(Path::new(name))? {
            let record = source::record(folder.clone())?;
            let first = store::read_intervals(&folder).ok().and_then(|mut seconds| seconds.next());
            let seconds = first.map_or(RunSeconds::Nowhere, |_| RunSeconds::Folder(folder));
            return Ok(FoundRun { record, seconds });
        }
        let fetched = self.database()?.fetch_run(name).map_err(source::not_found)?;
        let seconds = if fetched.pruned { RunSeconds::Nowhere } else { RunSeconds::Database };
        Ok(FoundRun { record: *fetched.record, seconds })
    }

    fn database(&mut self) -> Result<&mut Database, CommandError> {
        if self.database.is_none() {
            self.database = Some(self.source.open_database()?);
        }
        self.database.as_mut().ok_or_else(source::no_place)
    }

    fn model(&mut self, run: &FoundRun) -> Result<ReportModel, CommandError> {
        let mut intervals: Vec<Interval> = Vec::new();
        match &run.seconds {
            // Without its intervals a report only lacks the plots over time.
            RunSeconds::Folder(folder) => {
                let seconds = store::read_intervals(folder).into_iter().flatten();
                return Ok(ReportModel::new(&run.record, seconds.map_while(Result::ok)));
            }
            RunSeconds::Database => self.database()?.intervals(&run.record, |interval| {
                intervals.push(interval);
                Ok::<_, DatabaseError>(())
            })?,
            RunSeconds::Nowhere => {}
        }
        Ok(ReportModel::new(&run.record, intervals))
    }
}
