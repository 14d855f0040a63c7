//! The folder of one run, written during the run.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::record_size::check_size;
use super::{BackgroundWrite, StoreError, file};
use crate::files;
use crate::hlog::{self, IntervalLines, LogReader};
use crate::library_text::describe_json;
use crate::record::{
    FORMAT, Interval, Measurement, PlannedScenario, RunEnding, RunProvenance, RunRecord,
    ShardSharing, Stage, is_run_name, run_name,
};
use crate::units::ByteSize;

pub(super) const RUN: &str = "run.json";
pub(super) const PARTIAL: &str = "run.partial.json";
const INTERVALS: &str = "intervals.jsonl";
const HISTOGRAMS: &str = "intervals.hlog";

/// The largest record that is read.
pub(super) const MAX_RECORD: ByteSize = ByteSize(64 << 20);

/// The longest line of intervals that is read, in bytes. A damaged file may have no line ends.
const MAX_LINE: u64 = 16 << 20;

/// What is known when a run starts: a record without a verdict and with an empty measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDraft {
    /// The version of the record's format.
    pub format: u32,
    /// The run's id.
    pub id: Uuid,
    /// When, where and by which program it is executed.
    pub provenance: RunProvenance,
    /// What is planned, without secrets.
    pub plan: Vec<PlannedScenario>,
    /// The scenarios and requests, with nothing measured yet.
    pub measurement: Measurement,
}

/// A run as read from its folder.
#[derive(Debug)]
pub enum FolderContent {
    /// The run was finished.
    Complete(Box<RunRecord>),
    /// The run is in progress: its folder is being written.
    StillWritten,
    /// The run was not finished. Its measurement is rebuilt from the intervals that were written.
    HalfWritten(Box<RunDraft>),
}

/// A run folder that is being written.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    intervals: Arc<File>,
    histograms: Arc<File>,
    /// The sync of the draft, until the record replaces it.
    draft: Option<BackgroundWrite>,
}

impl RunFolder {
    /// Creates the folder below `root` and writes the draft. The draft is synced in the background:
    /// the run need not wait for the disk. Until then, a loss of power may leave the draft empty or
    /// cut off.
    pub fn create(root: &Path, draft: &RunDraft) -> Result<Self, StoreError> {
        let path = Self::path_of(root, draft);
        fs::create_dir_all(&path).map_err(StoreError::write(&path))?;
        file::remove_leftovers(root);
        let open = |name: &str| {
            let file = path.join(name);
            File::create_new(&file).map(Arc::new).map_err(StoreError::write(&file))
        };
        let (intervals, histograms) = (open(INTERVALS)?, open(HISTOGRAMS)?);
        let mut folder = Self { path, intervals, histograms, draft: None };
        // On a file system without locks, a reader cannot distinguish a run in progress from one
        // that was cut off.
        let _unknown = folder.intervals.try_lock();
        // From here on a reader finds a run, and must find that it is in progress.
        folder.draft = Some(place_draft(&folder.path, draft)?);
        let header = hlog::header(draft.provenance.started);
        folder
            .histograms
            .write_all(header.as_bytes())
            .map_err(StoreError::write(&folder.path.join(HISTOGRAMS)))?;
        Ok(folder)
    }

    /// The path of a run's folder below `root`.
    pub fn path_of(root: &Path, draft: &RunDraft) -> PathBuf {
        root.join(run_name(draft.provenance.started, draft.id))
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one settled interval: its histograms first, so that every line of counts has them.
    pub fn add(&mut self, interval: &Interval) -> Result<(), StoreError> {
        let path = |name| self.path.join(name);
        let histograms = hlog::lines(interval);
        self.histograms
            .write_all(histograms.as_bytes())
            .map_err(StoreError::write(&path(HISTOGRAMS)))?;
        let mut line = serde_json::to_vec(interval)
            .map_err(|error| StoreError::damaged(&path(INTERVALS), &describe_json(&error)))?;
        line.push(b'\n');
        self.intervals.write_all(&line).map_err(StoreError::write(&path(INTERVALS)))
    }

    /// Writes the record, which completes the folder.
    pub fn finish(&mut self, record: &RunRecord) -> Result<(), StoreError> {
        let histograms = self.sync_later(&self.histograms, HISTOGRAMS);
        self.sync_later(&self.intervals, INTERVALS).finish()?;
        histograms.finish()?;
        let completed = complete_folder(&self.path, record);
        // The record replaces the draft, so an error of the draft's sync no longer matters.
        let draft = self.draft.take().map_or(Ok(()), BackgroundWrite::finish);
        completed.map_err(|error| draft.err().unwrap_or(error))
    }

    /// Starts to sync one of the files.
    fn sync_later(&self, file: &Arc<File>, name: &str) -> BackgroundWrite {
        let file = Arc::clone(file);
        BackgroundWrite::start(self.path.join(name), move || file.sync_all())
    }
}

/// Restores a run's folder below `root`; `fill` writes its intervals. A complete folder stays as it
/// is.
///
/// The folder is written under another name and then moved, so that a finished run never has a
/// half-written folder.
pub fn restore_folder<E: From<StoreError>>(
    root: &Path,
    record: &RunRecord,
    fill: impl FnOnce(&mut RunFolder) -> Result<(), E>,
) -> Result<PathBuf, E> {
    let draft = RunDraft {
        format: record.format,
        id: record.id,
        provenance: record.provenance.clone(),
        plan: record.plan.clone(),
        measurement: Measurement {
            ending: RunEnding::Recovered,
            ..record.measurement.without_counts()
        },
    };
    let path = RunFolder::path_of(root, &draft);
    if path.join(RUN).is_file() {
        return Ok(path);
    }
    fs::create_dir_all(root).map_err(StoreError::write(root))?;
    file::remove_leftovers(root);
    let aside = tempfile::Builder::new()
        .prefix(file::FOLDER_PREFIX)
        .tempdir_in(root)
        .map_err(StoreError::write(root))?;
    let mut folder = RunFolder::create(aside.path(), &draft)?;
    fill(&mut folder)?;
    folder.finish(record)?;
    fs::rename(folder.path(), &path).map_err(StoreError::write(&path))?;
    Ok(path)
}

/// Whether no interval was written. Earlier versions wrote `run.partial.json` before they created
/// the files of intervals, and may have been killed in between.
fn lacks_intervals(folder: &Path) -> bool {
    fs::metadata(folder.join(INTERVALS)).map_or(0, |file| file.len()) == 0
}

/// Creates the files of intervals, empty, where a run was killed before it did.
pub fn create_missing_intervals(folder: &Path) -> Result<(), StoreError> {
    if !lacks_intervals(folder) {
        return Ok(());
    }
    let mut missing =
        [INTERVALS, HISTOGRAMS].into_iter().filter(|name| !folder.join(name).exists());
    missing.try_for_each(|name| write_atomically(folder, name, b""))
}

/// Writes a run's record into its folder and removes `run.partial.json`.
pub fn complete_folder(folder: &Path, record: &RunRecord) -> Result<(), StoreError> {
    file::remove_leftovers(folder);
    write_atomically(folder, RUN, &to_json(folder, RUN, record)?)?;
    let partial = folder.join(PARTIAL);
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::write(&partial)(error))
        }
        _ => Ok(()),
    }
}

/// Writes the draft of a run, and starts to sync it.
fn place_draft(folder: &Path, draft: &RunDraft) -> Result<BackgroundWrite, StoreError> {
    let path = folder.join(PARTIAL);
    let json = to_json(folder, PARTIAL, draft)?;
    let file = file::place_own_file(&path, &json).map_err(StoreError::write(&path))?;
    Ok(BackgroundWrite::start(path.clone(), move || file::sync_placed(&file, &path)))
}

fn to_json(folder: &Path, name: &str, content: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec_pretty(content)
        .map_err(|error| StoreError::damaged(&folder.join(name), &describe_json(&error)))
}

/// Writes a file of a folder like [`file::write_own_file`]; the error names the file.
pub fn write_atomically(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let path = folder.join(name);
    file::write_own_file(&path, bytes).map_err(StoreError::write(&path))
}

/// Reads a run from its folder; [`read_intervals`] reads its intervals.
pub fn read_folder(folder: &Path) -> Result<FolderContent, StoreError> {
    if let Some(record) = json::<RunRecord>(folder, RUN)? {
        check_requests(&folder.join(RUN), &record.plan, &record.measurement)?;
        return Ok(FolderContent::Complete(Box::new(record)));
    }
    let mut draft = read_draft(folder)?;
    check_requests(&folder.join(PARTIAL), &draft.plan, &draft.measurement)?;
    if is_being_written(folder) {
        return Ok(FolderContent::StillWritten);
    }
    let mut measured_from = None;
    let intervals = if lacks_intervals(folder) { None } else { Some(read_intervals(folder)?) };
    for interval in intervals.into_iter().flatten() {
        let interval = interval?;
        if interval.stage == Stage::Measured {
            measured_from = Some(
                measured_from.map_or(interval.start, |first: Duration| first.min(interval.start)),
            );
        }
        draft.measurement.add(&interval);
    }
    let measured_from =
        measured_from.map(|first| first.saturating_sub(silent_before(first, &draft)));
    draft.measurement.measured_from = measured_from.unwrap_or(draft.measurement.elapsed);
    Ok(FolderContent::HalfWritten(Box::new(draft)))
}

/// Reads the draft of a run. A loss of power may leave one that cannot be read: without intervals,
/// nothing of that run was kept.
fn read_draft(folder: &Path) -> Result<RunDraft, StoreError> {
    match json(folder, PARTIAL) {
        Err(StoreError::Damaged { .. }) if lacks_intervals(folder) => {
            Err(StoreError::Begun { path: folder.to_owned() })
        }
        draft => draft?.ok_or_else(|| no_run(folder)),
    }
}

/// Refuses a record with more requests than a run has.
fn check_requests(
    path: &Path,
    plan: &[PlannedScenario],
    measurement: &Measurement,
) -> Result<(), StoreError> {
    let planned = RunRecord::surplus(plan.iter().map(|scenario| scenario.requests.len()));
    let measured = measurement.scenarios.iter().map(|scenario| scenario.requests.len());
    match planned.or_else(|| RunRecord::surplus(measured)) {
        Some(surplus) => Err(StoreError::damaged(path, &format!("it has {surplus}"))),
        None => Ok(()),
    }
}

/// How many seconds of the measured stage passed before the first in which an exchange was due. It
/// is known if the stage had an appointed start: a shard may have nothing to send at first.
fn silent_before(first: Duration, draft: &RunDraft) -> Duration {
    let appointed =
        draft.measurement.sharing.as_ref().map(|sharing| sharing.start - draft.provenance.started);
    let planned = appointed.and_then(|ahead| Duration::try_from(ahead).ok());
    let silent = planned.map_or(0.0, |planned| first.saturating_sub(planned).as_secs_f64().round());
    Duration::from_secs_f64(silent)
}

/// What a shard was to do: its scenarios, and its place in the run.
#[derive(Debug)]
pub struct SharedPlan {
    /// The scenarios, without secrets.
    pub plan: Vec<PlannedScenario>,
    /// The number of shards, their start, and which one it is.
    pub sharing: ShardSharing,
}

/// Reads what the shard in a folder was to do, finished or not; `None` if the run is not a shard.
pub fn read_shared_plan(folder: &Path) -> Result<Option<SharedPlan>, StoreError> {
    #[derive(Deserialize)]
    struct SharedOnly {
        plan: Vec<PlannedScenario>,
        measurement: SharingOnly,
    }
    #[derive(Deserialize)]
    struct SharingOnly {
        #[serde(default)]
        sharing: Option<ShardSharing>,
    }
    let finished = json::<SharedOnly>(folder, RUN)?;
    let found =
        finished.map_or_else(|| json::<SharedOnly>(folder, PARTIAL), |run| Ok(Some(run)))?;
    Ok(found.and_then(|run| {
        let sharing = run.measurement.sharing?;
        Some(SharedPlan { plan: run.plan, sharing })
    }))
}

/// Whether a folder holds a run without a record, which [`read_folder`] rebuilds from its
/// intervals.
pub fn run_is_cut_off(folder: &Path) -> bool {
    !run_is_complete(folder) && folder.join(PARTIAL).exists()
}

/// Whether a folder holds the record of a finished run.
pub fn run_is_complete(folder: &Path) -> bool {
    folder.join(RUN).exists()
}

/// The id of a run; `None` if its folder has no record yet.
pub fn read_id(folder: &Path) -> Result<Option<Uuid>, StoreError> {
    #[derive(Deserialize)]
    struct IdOnly {
        id: Uuid,
    }
    let Some(bytes) = known_format(folder, RUN)? else { return Ok(None) };
    let only: IdOnly = serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::damaged(&folder.join(RUN), &describe_json(&error)))?;
    Ok(Some(only.id))
}

/// Whether a process holds the lock of a run in progress.
fn is_being_written(folder: &Path) -> bool {
    file::is_locked(&folder.join(INTERVALS))
}

/// Reads a run's intervals in the order in which they settled, one at a time: a long run has more
/// than fit in memory.
///
/// A truncated last line ends the intervals without an error.
pub fn read_intervals(folder: &Path) -> Result<FolderIntervals, StoreError> {
    let open =
        |path: &Path| files::open_regular(path).map(BufReader::new).map_err(StoreError::read(path));
    let path = folder.join(INTERVALS);
    Ok(FolderIntervals {
        counts: open(&path)?,
        histograms: LogReader::new(open(&folder.join(HISTOGRAMS))?),
        path,
        line: Vec::new(),
        number: 0,
        latest: Duration::MAX,
    })
}

/// Why a folder without a record of a run has none.
pub(super) fn no_run(folder: &Path) -> StoreError {
    let path = folder.to_owned();
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if folder.is_dir() && is_run_name(name) {
        StoreError::Begun { path }
    } else {
        StoreError::NoRun { path }
    }
}

/// The intervals of a run's folder.
#[derive(Debug)]
pub struct FolderIntervals {
    path: PathBuf,
    counts: BufReader<File>,
    histograms: LogReader<BufReader<File>>,
    /// The line that was read last, kept for its buffer.
    line: Vec<u8>,
    number: u64,
    /// No interval of the run starts later.
    latest: Duration,
}

impl FolderIntervals {
    /// The same intervals of a run that lasted `elapsed`: one that starts much later is an error.
    #[must_use]
    pub fn of_run(self, elapsed: Duration) -> Self {
        Self { latest: elapsed.saturating_mul(2).saturating_add(Duration::from_mins(1)), ..self }
    }

    /// The counts of the next interval, without its histograms, and where these are.
    pub(super) fn next_counts(&mut self) -> Option<Result<(Interval, IntervalLines), StoreError>> {
        self.line.clear();
        self.number += 1;
        match (&mut self.counts).take(MAX_LINE).read_until(b'\n', &mut self.line) {
            Err(error) => Some(Err(StoreError::read(&self.path)(error))),
            Ok(length) if length as u64 == MAX_LINE => {
                let why = format!("line {} is longer than {}", self.number, ByteSize(MAX_LINE));
                Some(Err(StoreError::Damaged { path: self.path.clone(), why }))
            }
            Ok(_) if !self.line.ends_with(b"\n") => None,
            Ok(_) => Some(match serde_json::from_slice(&self.line) {
                Ok(Interval { start, .. }) if start > self.latest => {
                    let why = format!("line {}: it starts after the end of the run", self.number);
                    Err(StoreError::damaged(&self.path, &why))
                }
                Ok(interval) => {
                    let lines = IntervalLines::of(&interval);
                    Ok((interval, lines))
                }
                Err(error) => {
                    let why = format!("line {}: {}", self.number, describe_json(&error));
                    Err(StoreError::damaged(&self.path, &why))
                }
            }),
        }
    }

    /// Adds the histograms of the interval that was read last to `sum`.
    pub(super) fn add_histograms(&mut self, lines: &IntervalLines, sum: &mut Interval) {
        self.histograms.add(lines, sum);
    }
}

impl Iterator for FolderIntervals {
    type Item = Result<Interval, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_counts()?;
        Some(next.map(|(mut interval, lines)| {
            self.add_histograms(&lines, &mut interval);
            interval
        }))
    }
}

/// The only field that every version of the format has.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// The format version of a file.
pub(super) fn format(bytes: &[u8]) -> Result<u32, serde_json::Error> {
    serde_json::from_slice(bytes).map(|FormatOnly { format }| format)
}

/// The file's content; `None` if there is no such file.
fn json<T: serde::de::DeserializeOwned>(
    folder: &Path,
    name: &str,
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = known_format(folder, name)? else { return Ok(None) };
    check_size(&bytes)
        .and_then(|()| serde_json::from_slice(&bytes))
        .map(Some)
        .map_err(|error| StoreError::damaged(&folder.join(name), &describe_json(&error)))
}

/// The bytes of a file in a format that this version reads; `None` if there is no such file.
fn known_format(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let path = folder.join(name);
    let bytes = match files::read_regular(&path, MAX_RECORD) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::read(&path)(error)),
    };
    match format(&bytes) {
        Ok(found) if found > FORMAT => Err(StoreError::Newer { path, found }),
        Ok(_) => Ok(Some(bytes)),
        Err(error) => Err(StoreError::damaged(&path, &describe_json(&error))),
    }
}

#[cfg(test)]
mod tests;
