//! What lanes and the conductor tell one another.

use std::collections::BTreeSet;

use tokio::sync::{mpsc, watch};

use super::EngineError;
use super::clock::Instant;
use super::dial::{Reached, Spoken};
use crate::record::{Connections, Lookups, Prober};
use crate::recorder::Settled;

/// What the conductor tells every lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Warm up, then wait.
    WarmUp,
    /// Measure, with the schedule starting at this instant.
    Measure(Instant),
    /// Release nothing more and finish what is under way.
    Drain,
    /// Drop everything.
    Abort,
}

/// What a lane tells the conductor.
#[derive(Debug)]
pub(super) struct Report {
    /// Which lane it is from.
    pub(super) lane: usize,
    pub(super) news: News,
}

/// How a lane stands.
#[derive(Debug)]
pub(super) struct News {
    /// How far the lane is.
    pub(super) progress: LaneProgress,
    /// Seconds settled since the last report.
    pub(super) settled: Vec<Settled>,
    /// The first second of the present phase that is not settled.
    pub(super) watermark: u64,
    /// Counts since the start of the run.
    pub(super) counters: Counters,
    /// How the lane's worker fared since one of its lanes last told.
    pub(super) prober: Prober,
}

/// How far a lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LaneProgress {
    WarmingUp,
    WarmedUp,
    Measuring,
    Finished,
}

/// Counts of one lane since the start of the run.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    /// Arrivals released in the measured phase.
    pub(super) released: u64,
    /// Arrivals that were due and that the prober did not release or could not carry out.
    pub(super) unreleased: u64,
    /// Arrivals under way.
    pub(super) in_flight: u64,
    /// Arrivals released and waiting for a connection.
    pub(super) waiting: u64,
    /// Arrivals cut off by the end of the run, before they were sent or answered.
    pub(super) abandoned: u64,
    /// Exchanges of the measured phase that came to an end.
    pub(super) done: u64,
    /// Of these, the ones that failed.
    pub(super) failed: u64,
    /// Connections opened.
    pub(super) connections: Connections,
    /// What was spoken, on any connection.
    pub(super) protocols: BTreeSet<Spoken>,
    /// Connections opened, by address.
    pub(super) reached: Reached,
    /// Attempts to connect that failed, by address.
    pub(super) unreached: Reached,
    /// How look-ups of names went.
    pub(super) lookups: Lookups,
}

/// A lane's line to the conductor.
pub(super) struct Line {
    pub(super) lane: usize,
    pub(super) commands: watch::Receiver<Command>,
    pub(super) reports: mpsc::Sender<Result<Report, EngineError>>,
}

impl Line {
    /// Reports to the conductor; waits where it is behind.
    pub(super) async fn report(&self, news: News) {
        let report = Report { lane: self.lane, news };
        // The conductor is gone only when the run has failed already.
        let _gone = self.reports.send(Ok(report)).await;
    }

    /// Waits for the measured phase; `None` where the run ends before it.
    pub(super) async fn measure_from(&mut self) -> Option<Instant> {
        loop {
            match *self.commands.borrow_and_update() {
                Command::WarmUp => {}
                Command::Measure(start) => return Some(start),
                Command::Drain | Command::Abort => return None,
            }
            self.commands.changed().await.ok()?;
        }
    }

    /// Waits until the conductor changes its command; a conductor that is gone means abort.
    pub(super) async fn stopped(&mut self) -> Command {
        if self.commands.changed().await.is_err() {
            return Command::Abort;
        }
        *self.commands.borrow_and_update()
    }
}
