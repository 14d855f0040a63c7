//! What one run measured, as a member of a series.

use std::sync::Arc;

use time::OffsetDateTime;

use super::TrendRun;
use crate::record::{Decision, EncodedHistogram, RequestFigures, RequestSummary};

/// What one run measured of one request.
#[derive(Debug, Clone)]
pub struct SeriesRun {
    /// The run.
    pub run: Arc<TrendRun>,
    /// The decision on the request's scenario.
    pub decision: Decision,
    /// Finished exchanges.
    pub exchanges: u64,
    /// The exchanges that met every expectation.
    pub ok: u64,
    /// The figures of the ok exchanges' latency. Its bytes are in the sum of its day.
    pub latency: EncodedHistogram,
    /// The other figures, without the bytes of the cold stage; `None` if the runs were read without
    /// them.
    pub figures: Option<Box<RequestFigures>>,
}

/// A run, and what it measured of the requests of one scenario.
#[derive(Debug, Clone)]
pub struct MeasuredRun {
    /// The run.
    pub run: TrendRun,
    /// The requests of the scenario, with their histograms.
    pub requests: Vec<RequestSummary>,
}

impl SeriesRun {
    /// When the run started.
    pub fn started(&self) -> OffsetDateTime {
        self.run.started
    }

    /// Exchanges that failed or were dropped.
    pub fn failed(&self) -> u64 {
        self.exchanges.saturating_sub(self.ok)
    }
}
