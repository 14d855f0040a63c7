//! Messages between the lanes and the conductor.

use tokio::sync::{mpsc, watch};

use crate::engine::accounting::LaneCounters;
use crate::engine::error::EngineError;
use crate::engine::time::clock::Instant;
use crate::record::{PeerMeasurement, ProberMeasurement};
use crate::recorder::SettledSecond;

/// What the conductor orders every lane to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum LaneCommand {
    /// Warm up, then wait.
    WarmUp,
    /// Measure; the schedule starts at this instant.
    Measure(Instant),
    /// Release nothing more and finish what is in progress.
    Drain,
    /// Drop everything.
    Abort,
}

/// One message from a lane to the conductor.
#[derive(Debug)]
pub(in crate::engine) struct LaneReport {
    /// The lane's number.
    pub(in crate::engine) lane: usize,
    pub(in crate::engine) update: LaneUpdate,
}

/// What changed in a lane since its last report.
#[derive(Debug)]
pub(in crate::engine) struct LaneUpdate {
    /// The part of its work the lane is in.
    pub(in crate::engine) progress: LaneProgress,
    /// Seconds settled since the last report.
    pub(in crate::engine) settled: Vec<SettledSecond>,
    /// The first second of the current stage that is not settled.
    pub(in crate::engine) watermark: u64,
    /// Counts since the start of the run.
    pub(in crate::engine) counters: LaneCounters,
    /// The thread's hiccups and spun time since the last report of any of its lanes.
    pub(in crate::engine) prober: ProberMeasurement,
    /// What each address and connection carried, by request, once the lane is finished.
    pub(in crate::engine) peers: Vec<PeerMeasurement>,
}

/// The part of its work a lane is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum LaneProgress {
    WarmingUp,
    WarmedUp,
    Measuring,
    Finished,
}

/// The channel on which lanes report; an error ends the run.
pub(in crate::engine) type ReportSender = mpsc::Sender<Result<LaneReport, EngineError>>;

/// A lane's link to the conductor.
pub(in crate::engine) struct ConductorLink {
    pub(in crate::engine) lane: usize,
    pub(in crate::engine) commands: watch::Receiver<LaneCommand>,
    pub(in crate::engine) reports: ReportSender,
}

impl ConductorLink {
    /// Reports to the conductor; waits while the conductor is behind.
    pub(super) async fn report(&self, update: LaneUpdate) {
        let report = LaneReport { lane: self.lane, update };
        // The conductor is gone only after the run has failed.
        let _gone = self.reports.send(Ok(report)).await;
    }

    /// Waits for the measured stage; `None` if the run ends before it.
    pub(super) async fn measure_from(&mut self) -> Option<Instant> {
        loop {
            match *self.commands.borrow_and_update() {
                LaneCommand::WarmUp => {}
                LaneCommand::Measure(start) => return Some(start),
                LaneCommand::Drain | LaneCommand::Abort => return None,
            }
            self.commands.changed().await.ok()?;
        }
    }

    /// Waits for the conductor's next command; a conductor that is gone means abort.
    pub(super) async fn next_command(&mut self) -> LaneCommand {
        if self.commands.changed().await.is_err() {
            return LaneCommand::Abort;
        }
        *self.commands.borrow_and_update()
    }
}
