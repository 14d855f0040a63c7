//! Applies the policies of `[gate]` to a finished run: reads the history that they need.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use uuid::Uuid;

use super::log::{self, PROGRAMS_ONLY};
use super::outputs::FinishedRun;
use crate::postgres::DatabaseAddress;
use crate::record::{Decision, RunRecord, run_name};
use crate::store::{self, Database, FolderContent, StoreError};
use crate::verdict::PolicyJudge;

/// How many runs before this one are searched, for each scenario, for runs of the same plan.
const SEARCHED: usize = 1_000;

/// Number of characters of a run's name up to its second: `2026-11-23T18-47-06Z`.
const SECOND: usize = 20;

/// Where earlier runs are.
#[derive(Debug, Clone, Copy)]
pub(super) struct HistoryPlace<'a> {
    /// The folder of the run folders.
    pub(super) runs_dir: &'a Path,
    /// The database that runs are stored in.
    pub(super) database: Option<&'a DatabaseAddress>,
}

/// Decides the gate of a run whose folder is complete, and keeps the decision in its record. A run
/// without a policy stays as it is.
pub(super) fn apply_policies(run: FinishedRun, place: &HistoryPlace<'_>) -> FinishedRun {
    let Some(mut judge) = PolicyJudge::of(&run.record) else { return run };
    if judge.needs_history() {
        let from = (run.record.provenance.started, run.record.id);
        let scenarios: Vec<&str> =
            run.record.plan.iter().map(|planned| planned.name.as_str()).collect();
        let mut earlier = EarlierRuns::before(from, &scenarios, place);
        while judge.needs_history() {
            let Some(next) = earlier.next() else { break };
            judge.add(&next);
        }
    }
    let Some(gate) = judge.decide(&place.words()) else { return run };
    let FinishedRun { mut record, folder, reports, unwritten, .. } = run;
    let (decision, reason) = (gate.decision.name(), log::redact(&gate.reason));
    let reason = reason.replace(char::is_control, " ");
    let verdict = record.verdict.decision;
    tracing::info!(target: PROGRAMS_ONLY, run = %record.id, gate = decision, reason, "gate");
    if gate.decision == Decision::Pass && verdict != Decision::Pass {
        tracing::warn!("WARNING: the gate passes, but the verdict is {verdict}: {reason}");
    }
    record.gate = Some(gate);
    let unwritten = unwritten.or_else(|| store::complete_folder(&folder, &record).err());
    FinishedRun::new(record, &folder, reports).unwritten_for(unwritten)
}

impl HistoryPlace<'_> {
    /// The place as the end of a sentence: `in reports/runs`.
    pub(super) fn words(&self) -> String {
        let runs_dir = self.runs_dir.display();
        match self.database {
            Some(address) => format!("in {runs_dir} or {}", address.display_name()),
            None => format!("in {runs_dir}"),
        }
    }
}

/// The finished runs before another one, each once: the newest first, or from a start on.
pub(super) struct EarlierRuns {
    before: (OffsetDateTime, Uuid),
    /// The earliest start, which comes first; `None` for the newest first.
    since: Option<OffsetDateTime>,
    /// Runs by name, the newest last.
    names: Vec<(String, RunPlace)>,
    database: Option<Database>,
    /// Runs that were read and are next, the next one last.
    read: Vec<Result<RunRecord, String>>,
}

/// Where one run is.
enum RunPlace {
    Folder(PathBuf),
    Database(Uuid),
}

impl EarlierRuns {
    /// Lists the runs before this start and id, of a database only those of the scenarios. If a
    /// list cannot be read, its error is the first and only run.
    pub(super) fn before(
        before: (OffsetDateTime, Uuid),
        scenarios: &[&str],
        place: &HistoryPlace<'_>,
    ) -> Self {
        Self::listed(before, None, scenarios, place)
    }

    /// The same runs from a start on, the oldest first.
    pub(super) fn since(
        since: OffsetDateTime,
        before: (OffsetDateTime, Uuid),
        scenarios: &[&str],
        place: &HistoryPlace<'_>,
    ) -> Self {
        Self::listed(before, Some(since), scenarios, place)
    }

    fn listed(
        before: (OffsetDateTime, Uuid),
        since: Option<OffsetDateTime>,
        scenarios: &[&str],
        place: &HistoryPlace<'_>,
    ) -> Self {
        let (names, read) = (Vec::new(), Vec::new());
        let mut all = Self { before, since, names, database: None, read };
        if let Err(why) = all.list(scenarios, place) {
            all.names.clear();
            all.read = vec![Err(why)];
        }
        all
    }

    fn list(&mut self, scenarios: &[&str], place: &HistoryPlace<'_>) -> Result<(), String> {
        let folders = store::run_folders(place.runs_dir).map_err(|error| error.to_string())?;
        for folder in folders {
            let name = name_of(&folder).map_err(|error| error.to_string())?;
            self.names.extend(name.map(|name| (name, RunPlace::Folder(folder))));
        }
        if let Some(address) = place.database {
            self.list_stored(scenarios, address)
                .map_err(|error| log::redact(&error.to_string()))?;
        }
        self.names.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.names.dedup_by(|(one, _), (other, _)| one == other);
        let latest = run_name(self.before.0, self.before.1);
        self.names.retain(|(name, _)| !is_later(name, &latest) && *name != latest);
        if let Some(since) = self.since {
            let first = run_name(since, Uuid::nil());
            self.names.retain(|(name, _)| second_of(name) >= second_of(&first));
            self.names.reverse();
        }
        // A scenario that seldom runs must not be hidden by one that often does.
        let searched = SEARCHED * scenarios.len().max(1);
        self.names.drain(..self.names.len().saturating_sub(searched));
        Ok(())
    }

    /// Adds the runs of these scenarios in the database.
    fn list_stored(
        &mut self,
        scenarios: &[&str],
        address: &DatabaseAddress,
    ) -> Result<(), store::DatabaseError> {
        let mut database = Database::open(address)?;
        let stored = database.run_starts(scenarios, self.since, self.before.0)?;
        let place = |(started, id)| (run_name(started, id), RunPlace::Database(id));
        self.names.extend(stored.into_iter().map(place));
        self.database = Some(database);
        Ok(())
    }

    /// Reads the runs of the newest second that is left: their names do not say which of them
    /// started first.
    fn read_second(&mut self) -> Option<()> {
        let second = second_of(&self.names.last()?.0).to_owned();
        while self.names.last().is_some_and(|(name, _)| second_of(name) == second) {
            let Some((_, place)) = self.names.pop() else { break };
            let read = self.record(&place).transpose();
            self.read.extend(read);
        }
        self.read.retain(|run| run.as_ref().map_or(true, |run| start(run) < self.before));
        // An unreadable run may be any of them, so it comes first.
        self.read
            .sort_by_key(|run| run.as_ref().map_or((true, None), |run| (false, Some(start(run)))));
        if self.since.is_some() {
            self.read.reverse();
        }
        // A copied folder has the same run.
        self.read.dedup_by(
            |one, other| matches!((one, other), (Ok(one), Ok(other)) if one.id == other.id),
        );
        Some(())
    }

    /// Reads a run; `None` if it is not finished.
    fn record(&mut self, place: &RunPlace) -> Result<Option<RunRecord>, String> {
        match place {
            RunPlace::Folder(folder) => read_finished(folder).map_err(|error| error.to_string()),
            RunPlace::Database(id) => {
                let Some(database) = &mut self.database else { return Ok(None) };
                let fetched = database.fetch_run(&id.to_string());
                let fetched = fetched.map_err(|error| log::redact(&error.to_string()))?;
                Ok(Some(*fetched.record))
            }
        }
    }
}

impl Iterator for EarlierRuns {
    type Item = Result<RunRecord, String>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.read.is_empty() {
            self.read_second()?;
        }
        self.read.pop()
    }
}

fn start(run: &RunRecord) -> (OffsetDateTime, Uuid) {
    (run.provenance.started, run.id)
}

/// The part of a run's name that says when it started.
fn second_of(name: &str) -> &str {
    name.get(..SECOND).unwrap_or(name)
}

/// The name of the run in a folder; `None` if the run is not finished. A folder that was copied or
/// renamed is read for it: a copy must not hide a run, or count as another one.
fn name_of(folder: &Path) -> Result<Option<String>, StoreError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let has_time = matches!(name.as_bytes(), [b'0'..=b'9', ..])
        && name.as_bytes().get(SECOND - 1) == Some(&b'Z');
    if has_time {
        return Ok(Some(name));
    }
    Ok(read_finished(folder)?.map(|record| record.name()))
}

/// Whether a run of this name started after another one for certain.
fn is_later(name: &str, other: &str) -> bool {
    second_of(name) > second_of(other)
}

/// The record of a finished run; `None` if the run was cut off or is still running, because such a
/// run has no verdict.
fn read_finished(folder: &Path) -> Result<Option<RunRecord>, StoreError> {
    if store::read_id(folder)?.is_none() {
        return Ok(None);
    }
    match store::read_folder(folder)? {
        FolderContent::Complete(record) => Ok(Some(*record)),
        FolderContent::StillWritten | FolderContent::HalfWritten(_) => Ok(None),
    }
}
