//! A run that has ended, with its record and its folder.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::super::exit::{CommandError, ExitStatus};
use super::super::log;
use super::{OutputArtifact, OutputError, ReportSelection};
use crate::record::RunRecord;
use crate::report::{CiContext, ReportModel};
use crate::store::{self, BackgroundWrite, StoreError};
use crate::verdict;

/// A run whose folder is complete.
pub(in crate::cli) struct FinishedRun {
    pub(in crate::cli) record: RunRecord,
    pub(in crate::cli) folder: PathBuf,
    /// The reports that its folder gets.
    pub(in crate::cli) reports: ReportSelection,
    /// Why its record could not be written in its last state, if it could not.
    pub(in crate::cli) unwritten: Option<StoreError>,
    model: OnceCell<ReportModel>,
    /// Files that are being written, the oldest first.
    writes: RefCell<VecDeque<BackgroundWrite>>,
}

impl FinishedRun {
    /// Maximum number of files being written at a time.
    const MAX_PENDING_WRITES: usize = 16;

    pub(in crate::cli) fn new(record: RunRecord, folder: &Path, reports: ReportSelection) -> Self {
        Self {
            record,
            folder: folder.to_owned(),
            reports,
            unwritten: None,
            model: OnceCell::new(),
            writes: RefCell::default(),
        }
    }

    /// The same run, whose record could not be written in its last state for this reason.
    #[must_use]
    pub(in crate::cli) fn unwritten_for(self, unwritten: Option<StoreError>) -> Self {
        Self { unwritten, ..self }
    }

    /// The error of a run whose record was not written: why, what is left of the run, and what to
    /// do.
    pub(in crate::cli) fn check_written(&self) -> Result<(), CommandError> {
        let Some(error) = &self.unwritten else { return Ok(()) };
        let folder = self.folder.display();
        let rest = if store::run_is_cut_off(&self.folder) {
            format!("what was measured is in {folder}, and `tollgate show {folder}` completes it")
        } else if store::run_is_complete(&self.folder) {
            format!("{folder} has the run, but perhaps without its last change")
        } else {
            format!("nothing of the run is in {folder}; keep what was printed")
        };
        Err(CommandError::internal(format!("{error}; {rest}")))
    }

    /// Everything that reports show.
    ///
    /// The first call reads the intervals back from the folder, so that reports show what was kept.
    pub(in crate::cli) fn model(&self) -> Result<&ReportModel, StoreError> {
        if let Some(model) = self.model.get() {
            return Ok(model);
        }
        let mut damaged = None;
        let intervals = store::read_intervals(&self.folder)?
            .of_run(self.record.measurement.elapsed)
            .map_while(|interval| interval.map_err(|error| damaged = Some(error)).ok());
        let model = ReportModel::new(&self.record, intervals);
        match damaged {
            Some(error) => Err(error),
            None => Ok(self.model.get_or_init(|| model)),
        }
    }

    /// Starts to write a file into the run's folder, whole or not at all, so that the next one can
    /// be made meanwhile. [`Self::finish_writes`] waits for it.
    pub(super) fn write_file(
        &self,
        name: String,
        bytes: Vec<u8>,
    ) -> Result<OutputArtifact, OutputError> {
        let path = self.folder.join(&name);
        let mut writes = self.writes.borrow_mut();
        if writes.len() >= Self::MAX_PENDING_WRITES
            && let Some(first) = writes.pop_front()
        {
            first.finish()?;
        }
        let place = path.clone();
        writes
            .push_back(BackgroundWrite::start(path, move || store::write_own_file(&place, &bytes)));
        Ok(OutputArtifact::File(name))
    }

    /// Waits until all files are written, and returns the first error.
    pub(super) fn finish_writes(&self) -> Result<(), StoreError> {
        let results: Vec<_> = self.writes.take().into_iter().map(BackgroundWrite::finish).collect();
        results.into_iter().collect()
    }

    /// What a CI system needs to know about the run.
    pub(super) fn ci(&self) -> CiContext {
        let folder = log::redact(&self.folder.display().to_string());
        CiContext { gate: verdict::decide_with_comparison(&self.record), folder }
    }

    /// The exit code: that of the gate, or of the verdict if no policy of `[gate]` applied, and of
    /// the comparison if it decides too.
    pub(in crate::cli) fn exit(&self) -> ExitStatus {
        verdict::decide_with_comparison(&self.record).into()
    }
}
