//! The values of a series on the scale on which noise is added.

use super::spikes::median;
use super::{ChangeScale, TailValue};

/// The standard deviation of noise is never taken to be smaller: histograms have three digits.
const RATIO_FLOOR: f64 = 1e-3;
/// The same in median deviations of the series.
const DIFFERENCE_FLOOR: f64 = 1e-2;
/// The smallest ratio to the median that is told from zero.
const SMALLEST_RATIO: f64 = 1e-3;
/// Limit of scaled values. It is far beyond what is measured and keeps every result finite.
const LARGEST: f64 = 1e9;

/// A run that has a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct TailRun {
    pub(super) index: usize,
    pub(super) value: f64,
    pub(super) samples: u64,
    /// Seconds after 1970 (UTC), if known.
    pub(super) started: Option<i64>,
}

/// Values whose noise has the same size at every level.
#[derive(Debug, Clone)]
pub(super) struct ScaledSeries {
    pub(super) values: Vec<TailValue>,
    pub(super) scale: ChangeScale,
    /// What a value of 1 is in differences of the series' unit.
    pub(super) unit: f64,
    /// The logarithm that zero is given, if values are compared by their ratio.
    pub(super) zero: f64,
    /// The smallest standard deviation of the noise.
    pub(super) floor: f64,
}

impl ScaledSeries {
    /// The values of runs; `None` if all are equal.
    pub(super) fn of(runs: &[TailRun], scale: ChangeScale) -> Option<Self> {
        let first = runs.first()?.value;
        if runs.iter().all(|run| run.value.to_bits() == first.to_bits()) {
            return None;
        }
        let given = || runs.iter().map(|run| run.value);
        let middle = median(given());
        let usual = median(runs.iter().map(|run| run.samples as f64));
        let (unit, floor) = match scale {
            ChangeScale::Ratio if middle > 0.0 => (middle, RATIO_FLOOR),
            ChangeScale::Ratio => (smallest_positive(given()), RATIO_FLOOR),
            ChangeScale::Difference => (spread_around(middle, given()), DIFFERENCE_FLOOR),
        };
        let least = if middle > 0.0 { SMALLEST_RATIO } else { 1.0 };
        let scaled = |run: &TailRun| TailValue {
            index: run.index,
            value: match scale {
                ChangeScale::Ratio => (run.value / unit).clamp(least, LARGEST).ln(),
                ChangeScale::Difference => ((run.value - middle) / unit).clamp(-LARGEST, LARGEST),
            },
            weight: weight(run.samples as f64, usual),
            started: run.started,
        };
        let zero = unit.ln() + least.ln();
        Some(Self { values: runs.iter().map(scaled).collect(), scale, unit, zero, floor })
    }
}

/// Takes out what the time of day adds.
pub(super) fn subtract_cycle(values: &mut [TailValue], added: impl Fn(i64) -> f64) {
    for value in values {
        if let Some(started) = value.started {
            value.value = (value.value - added(started)).clamp(-LARGEST, LARGEST);
        }
    }
}

fn smallest_positive(values: impl Iterator<Item = f64>) -> f64 {
    values.filter(|value| *value > 0.0).fold(f64::MAX, f64::min)
}

/// The precision of a value relative to one with the usual number of samples.
///
/// Half of the usual variance is taken to come from sampling, and half from how runs differ, which
/// more samples do not change. More than the usual samples count as the usual number.
fn weight(samples: f64, usual: f64) -> f64 {
    (2.0 * samples / (samples + usual)).min(1.0)
}

/// The median deviation, or the mean deviation where most values are equal. Values must not all be
/// equal.
fn spread_around(middle: f64, values: impl Iterator<Item = f64> + Clone) -> f64 {
    let deviations = values.map(|value| (value - middle).abs());
    let common = median(deviations.clone());
    if common > 0.0 {
        return common;
    }
    let count = deviations.clone().count() as f64;
    deviations.map(|deviation| deviation / count).sum::<f64>().max(f64::MIN_POSITIVE)
}
