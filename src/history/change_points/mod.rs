//! When the level of a figure changed, over the runs of a history.
//!
//! Latency histories are autocorrelated, have spikes, gaps and cycles of the day and the week, and
//! end in the present. So spikes are left out, cycles are taken out, noise is estimated with its
//! autocorrelation, and a step is tested by generalised least squares at every place.
//! `docs/method.md` has the formulas and how often the answers are wrong; `cargo run --release
//! --example change_points` measures it.
//!
//! The steady states of `tune` are found by other means: there a sequence settles, its values are
//! single requests that are nearly independent, and a change of spread counts as well.

mod day_cycle;
mod day_wave;
mod false_rate;
mod found_steps;
mod noise;
mod phases;
mod prepared_series;
mod scaled_series;
mod segmentation;
#[cfg(test)]
mod simulated_series;
mod slot_shape;
mod spikes;
mod step_scan;
mod tail;
mod weekdays;

use time::OffsetDateTime;

use self::false_rate::FalseLimit;
pub use self::phases::{ChangedPhase, PhaseSeries, PlacedChange, find_changes_by_phase};
use self::tail::SeriesTail;

/// What one run contributes to a series: the figure that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RunFigure {
    /// The figure, in any unit; `None` is a gap. A value that is not finite is a gap too.
    pub value: Option<f64>,
    /// How many samples it rests on. A run with fewer than is usual in the series counts less; if
    /// the number is not known, give every run the same.
    pub samples: u64,
    /// When the run started, if the time of day is to be allowed for.
    pub started: Option<OffsetDateTime>,
}

/// How two levels are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeScale {
    /// By their ratio, as for latencies. Negative values are gaps, and values below a thousandth of
    /// the median count as that.
    Ratio,
    /// By their difference, for values that may be negative.
    Difference,
}

/// The size of a change: the ratio of the level after it to the level before it, or their
/// difference in the series' unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangeEffect {
    /// The most likely size.
    pub size: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// The first run of the new level, as an index of the series, gaps included.
    pub index: usize,
    /// By how much.
    pub effect: ChangeEffect,
    /// Up to this share of series without any change would show one with as much evidence, from 0
    /// to 1. It is calibrated by simulation and counts every place of the series.
    pub false_rate: f64,
    /// Whether the evidence suffices at any place and five runs have the new level. A change at the
    /// very end is reported with less, as *not yet confirmed*: it may vanish when more runs come.
    pub is_confirmed: bool,
}

/// Finds the changes of level in a series, in the order of the runs.
///
/// The answer is that of a [`ChangeDetector`] to which every run was appended: equal series have
/// equal answers.
pub fn find_change_points(series: &[RunFigure], scale: ChangeScale) -> Vec<ChangePoint> {
    find_within(series, scale, FalseLimit::SINGLE)
}

fn find_within(series: &[RunFigure], scale: ChangeScale, limit: FalseLimit) -> Vec<ChangePoint> {
    let mut detector = ChangeDetector::within(scale, limit);
    for figure in series {
        detector.append(*figure);
    }
    detector.change_points()
}

/// Change points of a series to which runs are appended.
///
/// Only the newest runs are looked at again when a run comes: at least the newest 384 and at most
/// 511 with a value, and 128 before them as context. Changes before those are *final*: they never
/// move or vanish. The price is that a drift so slow that it cannot be told from noise within these
/// runs is not found.
#[derive(Debug, Clone)]
pub struct ChangeDetector {
    tail: SeriesTail,
    final_points: Vec<ChangePoint>,
}

impl ChangeDetector {
    /// A detector without runs.
    pub fn new(scale: ChangeScale) -> Self {
        Self::within(scale, FalseLimit::SINGLE)
    }

    /// A detector without runs that finds a false change in up to this share of flat series, above
    /// 0 and up to 1. The usual one is 0.05.
    pub fn with_false_rate(scale: ChangeScale, false_rate: f64) -> Self {
        Self::within(scale, FalseLimit::of_rate(false_rate))
    }

    fn within(scale: ChangeScale, limit: FalseLimit) -> Self {
        Self { tail: SeriesTail::new(scale, limit), final_points: Vec::new() }
    }

    /// Appends the next run. Runs come in the order of their starts: a day that is earlier than the
    /// 28 newest ones tells nothing about the cycle.
    pub fn append(&mut self, figure: RunFigure) {
        self.final_points.extend(self.tail.append(figure));
    }

    /// The changes that no later run can move.
    pub fn final_points(&self) -> &[ChangePoint] {
        &self.final_points
    }

    /// The changes among the newest runs, as they look now.
    pub fn recent_points(&self) -> Vec<ChangePoint> {
        self.tail.change_points()
    }

    /// All changes, in the order of the runs.
    pub fn change_points(&self) -> Vec<ChangePoint> {
        let mut all = self.final_points.clone();
        all.extend(self.recent_points());
        all
    }
}

/// A value of the newest runs, on the scale on which noise is added.
#[derive(Debug, Clone, Copy)]
struct TailValue {
    /// The index of its run.
    index: usize,
    value: f64,
    /// The precision of the value as a share of the usual one, above 0 and up to 1.
    weight: f64,
    /// When its run started, in seconds after 1970 (UTC).
    started: Option<i64>,
}

#[cfg(test)]
mod day_tests;
#[cfg(test)]
mod tests;
