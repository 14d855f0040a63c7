//! What a caller sees of a run while it is in progress.

use std::time::Duration;

use crate::record::{EarlyEnd, Histogram, Interval};

/// Whether a run continues after an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Continuation {
    /// The run continues.
    Continue,
    /// The run ends because the target is clearly down; the text says what showed that.
    TargetDown(String),
    /// The run ends because the evidence for its verdict is clear.
    ProvenEarly(EarlyEnd),
    /// The run ends because the observer has seen enough.
    SeenEnough,
}

/// When a step that runs once is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnceStage {
    /// Before the warm-up.
    Setup,
    /// After the load.
    Teardown,
}

/// Watches a run in progress.
pub trait Observer {
    /// Receives one settled interval. The intervals of a scenario arrive in order.
    ///
    /// An error ends the run at once.
    fn settled(
        &mut self,
        interval: &Interval,
    ) -> Result<Continuation, Box<dyn std::error::Error + Send + Sync>>;

    /// Receives the progress of the run, about five times per second.
    fn progress(&mut self, progress: &RunProgress);

    /// Learns that a step that runs once is about to be sent.
    fn runs_once(&mut self, _stage: OnceStage, _scenario: &str, _step: &str) {}
}

/// The progress of a run.
#[derive(Debug, Clone)]
pub struct RunProgress {
    /// How long the measured stage has lasted; `None` during the warm-up.
    pub measured: Option<Duration>,
    /// Each scenario, in the order of the plan.
    pub scenarios: Vec<ScenarioProgress>,
}

/// The progress of one scenario; all counts cover the measured stage.
#[derive(Debug, Clone)]
pub struct ScenarioProgress {
    /// The scenario's name.
    pub name: String,
    /// The planned length of its measured stage.
    pub duration: Duration,
    /// Arrivals planned; `None` in the closed model.
    pub planned: Option<u64>,
    /// Arrivals released.
    pub released: u64,
    /// Exchanges that ended.
    pub done: u64,
    /// Exchanges that failed; `done` includes them.
    pub failed: u64,
    /// Arrivals in progress or waiting for a connection.
    pub in_flight: u64,
    /// Latency of the settled seconds.
    pub latency: Histogram,
}
