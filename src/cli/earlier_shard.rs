//! A shard that this machine started before, so that its load is not sent again.

use std::path::{Path, PathBuf};

use time::Duration;
use uuid::Uuid;

use super::exit::{CommandError, ExitStatus};
use super::shard;
use crate::plan::{Plan, ShardPlan};
use crate::record::{plan_differences, run_name};
use crate::store::{self, FolderContent, SharedPlan};

/// An earlier start of the same shard of the same run.
pub(super) struct EarlierShard {
    folder: PathBuf,
    shard: String,
}

impl EarlierShard {
    /// Searches the runs of the day before the plan's start for its shard.
    pub(super) fn find(plan: &Plan, runs_dir: &Path) -> Result<Option<Self>, CommandError> {
        let Some(place) = plan.shard_plan else { return Ok(None) };
        let first = run_name(place.start - Duration::DAY, Uuid::nil());
        for folder in store::run_folders(runs_dir)? {
            let is_recent =
                folder.file_name().is_some_and(|name| *name.to_string_lossy() >= *first);
            if !is_recent {
                continue;
            }
            // A folder that cannot be read is no shard of this run that anybody could merge.
            let stored = store::read_shared_plan(&folder).ok().flatten();
            if stored.is_some_and(|stored| is_same(plan, place, &stored)) {
                let shard = format!("{}/{}", place.shard.index + 1, place.shard.of);
                return Ok(Some(Self { folder, shard }));
            }
        }
        Ok(None)
    }

    /// Says what became of the earlier start; nothing is sent.
    pub(super) fn report(&self, flags: shard::Flags) -> Result<ExitStatus, CommandError> {
        let (state, exit) = match store::read_folder(&self.folder)? {
            FolderContent::Complete(record) => {
                let gate = record.gate.as_ref().map(|gate| gate.decision);
                let exit = gate.unwrap_or(record.verdict.decision).into();
                ("has already run", flags.exit_of(&record, exit))
            }
            FolderContent::StillWritten => ("is already running", ExitStatus::Inconclusive),
            FolderContent::HalfWritten(_) => {
                ("was cut off in an earlier attempt", ExitStatus::Inconclusive)
            }
        };
        tracing::warn!(
            "WARNING: shard {} of this run {state} on this machine, so nothing was sent: {}",
            self.shard,
            self.folder.display()
        );
        Ok(exit)
    }
}

/// Whether a stored run is the plan's shard of the same run.
fn is_same(plan: &Plan, place: ShardPlan, stored: &SharedPlan) -> bool {
    let SharedPlan { plan: scenarios, sharing } = stored;
    let number = place.shard.index + 1;
    let is_place = sharing.of == place.shard.of
        && sharing.start == place.start
        && sharing.parts.iter().map(|part| part.shard).eq([number]);
    is_place
        && scenarios.len() == plan.scenarios.len()
        && scenarios.iter().zip(&plan.scenarios).all(|(stored, planned)| {
            stored.name == planned.shown.name && plan_differences(stored, &planned.shown).is_empty()
        })
}
