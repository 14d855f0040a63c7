//! Goes on measuring if a run is inconclusive: `on_inconclusive = "extend 60s"`.

use std::time::Duration;

use super::continuation::ContinuedRun;
use super::exit::CommandError;
use super::outputs::{self, FinishedRun};
use super::session::{self, ReferencedRuns, RunFlags};
use super::signals::RunSignals;
use crate::plan::Plan;
use crate::record::{Decision, OnInconclusive, ScenarioVerdict};
use crate::units::duration_literal;

/// A plan, and what its gate adds to it if its run is inconclusive.
pub(super) struct ExtendablePlan {
    /// The plan.
    pub(super) plan: Plan,
    /// The same plan with the length of the extension; `None` if the gate asks for none.
    pub(super) extension: Option<Plan>,
}

/// How long the gate extends an inconclusive run of a plan: the longest time that one of its
/// scenarios names. A shard alone is always inconclusive, so it is not extended.
pub(super) fn length(plan: &Plan) -> Option<Duration> {
    let policies = plan.scenarios.iter().map(|scenario| scenario.shown.gate.on_inconclusive);
    let lengths = policies.filter_map(|policy| match policy {
        OnInconclusive::Extend(length) => Some(length),
        OnInconclusive::ExitThree | OnInconclusive::Fail | OnInconclusive::Warn => None,
    });
    lengths.max().filter(|_| plan.shard_plan.is_none())
}

impl ExtendablePlan {
    /// Runs the plan, and its extension if the run lacks nothing except evidence. The extension is
    /// a run of its own that continues the first; it is the one returned.
    pub(super) fn execute(
        &self,
        flags: &RunFlags,
        signals: &RunSignals,
        referenced: ReferencedRuns<'_>,
    ) -> Result<FinishedRun, CommandError> {
        let run = session::execute(&self.plan, flags, signals, referenced)?;
        let Some(extension) = self.extension.as_ref().filter(|_| is_undecided(&run)) else {
            return Ok(run);
        };
        let Some(first) = ContinuedRun::of(&run.record, &run.folder) else { return Ok(run) };
        if signals.stops_within(Duration::ZERO) {
            return Ok(run);
        }
        outputs::write_reports_or_warn(&run);
        let mut extension = extension.clone();
        first.adopt_horizons(&mut extension);
        log_extension(&run, &extension);
        session::execute(
            &extension,
            flags,
            signals,
            ReferencedRuns { continued: Some(&first), ..referenced },
        )
    }
}

/// Whether more measuring could decide the run. It gives no budget a limit that waits for earlier
/// runs.
fn is_undecided(run: &FinishedRun) -> bool {
    let verdict = &run.record.verdict;
    let waits = |scenario: &ScenarioVerdict| {
        scenario.decision == Decision::Pass || scenario.without_limits == Some(Decision::Pass)
    };
    verdict.decision == Decision::Inconclusive && !verdict.scenarios.iter().all(waits)
}

fn log_extension(run: &FinishedRun, extension: &Plan) {
    let lengths = extension.scenarios.iter().map(|scenario| scenario.load.duration());
    let length = duration_literal(lengths.max().unwrap_or_default());
    let folder = run.folder.display();
    tracing::info!(
        run = %run.record.id,
        "Inconclusive so far ({folder}): measuring for {length} more, as `on_inconclusive` says"
    );
}
