//! A shard that this machine started before, so that its load is not sent again.

use std::path::{Path, PathBuf};

use time::Duration;
use uuid::Uuid;

use super::exit::{CommandError, ExitStatus};
use super::outputs::{FinishedRun, OutputDestinations, ReportSelection};
use super::shard;
use crate::fleet::digest_written_plan;
use crate::plan::{Plan, ShardPlan};
use crate::record::run_name;
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

    /// Says what became of the earlier start. No request is sent; the outputs of a finished run are
    /// written again, because the earlier start may have failed to.
    pub(super) fn report(
        &self,
        flags: shard::Flags,
        (destinations, reports): (&OutputDestinations, ReportSelection),
    ) -> Result<ExitStatus, CommandError> {
        let (state, exit) = match store::read_folder(&self.folder)? {
            FolderContent::Complete(record) => {
                let run = FinishedRun::new(*record, &self.folder, reports);
                let exit = destinations.send(&run).exit;
                ("has already run", flags.exit_of(&run.record, exit, false))
            }
            FolderContent::StillWritten => ("is already running", ExitStatus::Inconclusive),
            FolderContent::HalfWritten(_) => {
                ("was cut off in an earlier attempt", ExitStatus::Inconclusive)
            }
        };
        tracing::warn!(
            "WARNING: shard {} of this run {state} on this machine, so no request was sent: {}",
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
    sharing.of == place.shard.of
        && sharing.start == place.start
        && sharing.parts.iter().map(|part| part.shard).eq([number])
        && digest_written_plan(scenarios)
            == digest_written_plan(plan.scenarios.iter().map(|scenario| &scenario.shown))
}
