//! Runs that go on with the evidence of an earlier one: `run --continue` and `extend`.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::exit::CommandError;
use super::learned_limits;
use super::run_selector;
use super::source::{self, RunSource};
use crate::plan::Plan;
use crate::record::{RunProvenance, RunRecord, StallHorizon, continuation_differences, run_name};
use crate::store::{self, RunDraft, StoreError};
use crate::verdict::{EarlierEvidence, continuation_obstacle};

const ANEW: &str = "measure anew, without --continue";

/// An inconclusive run, and what a further run takes over from it.
pub(super) struct ContinuedRun {
    folder: PathBuf,
    record: RunRecord,
    /// Whether it ended in this command.
    just_ended: bool,
}

impl ContinuedRun {
    /// Reads the run that `--continue` names; an error if no run can continue it.
    pub(super) fn open(run: &Path, runs_dir: &Path) -> Result<Self, CommandError> {
        let name =
            run_selector::resolve_name(&RunSource::new(Some(runs_dir.to_owned()), None), run)?;
        let folder = source::folder(&name, runs_dir)?;
        let record = source::record(folder.clone())?;
        match continuation_obstacle(&record) {
            Some(obstacle) => Err(CommandError::usage(format!(
                "error: cannot continue the run {}: {obstacle}\n{ANEW}",
                record.name()
            ))),
            None => Ok(Self { folder, record, just_ended: false }),
        }
    }

    /// A run that just ended; `None` if no run can continue it.
    pub(super) fn of(record: &RunRecord, folder: &Path) -> Option<Self> {
        let (folder, record) = (folder.to_owned(), record.clone());
        continuation_obstacle(&record).is_none().then_some(Self {
            folder,
            record,
            just_ended: true,
        })
    }

    /// The provenance of the run if it ended in this command: the further run extends it and
    /// measures the same commit.
    pub(super) fn extended_provenance(&self) -> Option<&RunProvenance> {
        self.just_ended.then_some(&self.record.provenance)
    }

    /// The evidence of the run and of those that it continues.
    pub(super) fn evidence(&self) -> EarlierEvidence {
        EarlierEvidence::of(&self.record)
    }

    /// Gives each scenario that names no stall horizon the one that the earlier run had by default:
    /// the default depends on the length of the run, which may differ.
    pub(super) fn adopt_horizons(&self, plan: &mut Plan) {
        adopt_horizons(&self.record, plan);
    }

    /// The plan with the limits that the earlier run had from runs before it.
    pub(super) fn adopt_limits<'p>(&self, plan: &'p Plan) -> Cow<'p, Plan> {
        learned_limits::adopt(plan, &self.record)
    }

    /// Claims the run for the one that starts now; an error if their plans, commits, deploys or
    /// environments differ, or if another run has claimed it.
    pub(super) fn claim(&self, draft: &RunDraft) -> Result<ContinuationClaim, CommandError> {
        let mut differences = continuation_differences(&self.record.plan, &draft.plan);
        let commit = |of: &RunProvenance| of.git_commit.clone().unwrap_or("none".to_owned());
        let (before, now) = (commit(&self.record.provenance), commit(&draft.provenance));
        if before != now {
            differences.push(format!("commit: {before} before, {now} now"));
        }
        for key in ["deploy", "environment"] {
            let tag = |of: &RunProvenance| of.tags.get(key).cloned().unwrap_or("none".to_owned());
            let (before, now) = (tag(&self.record.provenance), tag(&draft.provenance));
            if before != now {
                differences.push(format!("{key}: {before} before, {now} now"));
            }
        }
        let name = self.record.name();
        if !differences.is_empty() {
            return Err(CommandError::usage(format!(
                "error: cannot continue the run {name}, because it measured something else:\n  {}\n\
                 run the same plan against the same commit, or {ANEW}",
                differences.join("\n  ")
            )));
        }
        let by = run_name(draft.provenance.started, draft.id);
        match store::claim_continuation(&self.folder, &by)? {
            Some(other) => Err(CommandError::usage(format!(
                "error: the run {name} is already continued by {other}: continue that one, or {ANEW}"
            ))),
            None => Ok(ContinuationClaim { folder: self.folder.clone() }),
        }
    }
}

/// Gives each scenario of a plan that names no stall horizon the one that an earlier run had by
/// default.
pub(super) fn adopt_horizons(earlier_run: &RunRecord, plan: &mut Plan) {
    for scenario in &mut plan.scenarios {
        let earlier = earlier_run.planned(&scenario.shown.name).and_then(|plan| plan.stalls);
        let (Some(earlier), Some(own)) = (earlier, scenario.shown.stalls) else { continue };
        if earlier.is_default && own.is_default {
            let duration = scenario.load.duration();
            let horizon = StallHorizon::new(earlier.length, duration, own.peak_rate);
            scenario.shown.stalls = Some(horizon.by_default());
        }
    }
}

/// The right of the run that starts now to continue another.
pub(super) struct ContinuationClaim {
    folder: PathBuf,
}

impl ContinuationClaim {
    /// Gives the right back: the run measured nothing, so nothing could be chosen.
    pub(super) fn release(self) -> Result<(), StoreError> {
        store::release_continuation(&self.folder)
    }
}
