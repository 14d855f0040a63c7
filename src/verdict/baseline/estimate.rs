//! A quantile of several runs together, and how far it may be off.

use std::time::Duration;

use crate::record::{Dimension, Histogram, RequestMeasurement, micros};
use crate::units::Quantile;
use crate::verdict::compare::{LeftOutFigure, upper_t_quantile};

/// The durations of one request in one run, failures ranking above all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct RunDurations {
    pub(super) successes: Histogram,
    pub(super) failures: u64,
}

impl RunDurations {
    /// Those that entered a dimension; `None` if it was not measured.
    pub(super) fn of(request: &RequestMeasurement, dimension: Dimension) -> Option<Self> {
        let measured = &request.measured;
        let successes = measured.series.get(dimension)?.clone();
        // Only latency is judged of every exchange: a failed one need not have entered other parts.
        let is_whole = dimension == Dimension::Latency;
        let failures = if is_whole { measured.tally.failed() } else { 0 };
        Some(Self { successes, failures })
    }

    pub(super) fn exchanges(&self) -> u64 {
        self.successes.count() + self.failures
    }

    /// `None` if it falls among the failures.
    pub(super) fn quantile(&self, quantile: Quantile) -> Option<Duration> {
        self.successes.at_rank(Histogram::rank_of(quantile, self.exchanges()))
    }

    fn add(&mut self, other: &Self) {
        self.successes.add(&other.successes);
        self.failures += other.failures;
    }

    /// These without those of one of the runs that they are the sum of.
    fn without(&self, run: &Self) -> Option<Self> {
        let successes = self.successes.without(&run.successes)?;
        Some(Self { successes, failures: self.failures.saturating_sub(run.failures) })
    }
}

/// A quantile over all exchanges of several runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BaselineEstimate {
    pub(super) quantile: Duration,
    /// Standard error of its natural logarithm.
    error: f64,
    degrees: usize,
}

impl BaselineEstimate {
    /// The quantile of the added histograms of these runs; `None` if it falls among the failures,
    /// or would without one of the runs.
    ///
    /// What slows a run down slows all of its requests down, so the error comes from the runs: the
    /// logarithm of the quantile is taken again without each run (delete-a-group jackknife, see
    /// [`LeftOutFigure`]).
    pub(super) fn of(runs: &[RunDurations], quantile: Quantile) -> Option<Self> {
        let mut all = RunDurations::default();
        for run in runs {
            all.add(run);
        }
        let ln = |durations: &RunDurations| {
            let read = durations.quantile(quantile)?;
            Some((micros::whole(read).max(1) as f64).ln())
        };
        let without = runs.iter().map(|run| {
            let left = all.without(run)?;
            Some((ln(&left)?, left.exchanges() as f64))
        });
        let figure =
            LeftOutFigure::new(ln(&all)?, all.exchanges(), without.collect::<Option<_>>()?);
        Some(Self {
            quantile: all.quantile(quantile)?,
            error: figure.standard_error(),
            degrees: runs.len().saturating_sub(1),
        })
    }

    /// The quantile that the true one is below with probability `tail`.
    pub(super) fn low(&self, tail: f64) -> Duration {
        self.quantile.mul_f64((-self.reach(tail)).exp())
    }

    /// The quantile that the true one is above with probability `tail`; at most a thousand times
    /// the estimate.
    pub(super) fn high(&self, tail: f64) -> Duration {
        self.quantile.mul_f64(self.reach(tail).exp().min(1_000.0))
    }

    fn reach(&self, tail: f64) -> f64 {
        upper_t_quantile(self.degrees, tail) * self.error
    }
}
