//! How the values scatter and how they are correlated where nothing changes.

use super::TailValue;
use super::spikes::median;

/// Values in the blocks whose means are taken out. A change disturbs only the blocks it falls in.
const BLOCK: usize = 20;
/// The largest autocorrelation that is reckoned with. The level of a series above it is all drift.
const LARGEST_CORRELATION: f64 = 0.98;
/// Autocorrelation up to here is taken as it is estimated.
const USUAL_CORRELATION: f64 = 0.4;
/// Above that it is taken this many standard errors lower.
const DOUBT: f64 = 3.0;
/// A difference of two neighbours this many standard deviations from zero is a jump of the level.
const JUMP: f64 = 5.0;
/// Differences are counted up to this many standard deviations.
const LARGEST_DIFFERENCE: f64 = 3.0;
/// The share of a normal distribution's variance that is left when values are drawn in to three
/// standard deviations.
const LEFT_VARIANCE: f64 = 0.985;
const PER_MEDIAN_DEVIATION: f64 = 1.4826;

/// Noise in which each value remembers the one before: eₜ = φ · eₜ₋₁ + uₜ.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeriesNoise {
    /// φ, from 0 to [`LARGEST_CORRELATION`].
    pub(super) correlation: f64,
    /// The variance of uₜ.
    pub(super) variance: f64,
}

impl SeriesNoise {
    /// Estimates the noise from what changes of level hardly touch: short blocks without their
    /// means, and differences of neighbours. Jumps of more than 5 standard deviations are taken out
    /// first.
    pub(super) fn estimate(values: &[TailValue], floor: f64) -> Self {
        let differences: Vec<f64> =
            values.windows(2).map(|pair| pair[1].value - pair[0].value).collect();
        let deviation =
            PER_MEDIAN_DEVIATION * median(differences.iter().map(|difference| difference.abs()));
        let length = BLOCK.min(values.len());
        let (squares, products) =
            block_moments(&without_jumps(&differences, JUMP * deviation), length);
        let correlation =
            if squares > 0.0 { solve_correlation(products / squares, length) } else { 0.0 };
        let limit = if deviation > 0.0 { LARGEST_DIFFERENCE * deviation } else { f64::INFINITY };
        let sum = differences.iter().map(|one| one.clamp(-limit, limit).powi(2)).sum::<f64>();
        let half = sum / (2.0 * LEFT_VARIANCE * differences.len().max(1) as f64);
        // The mean square of differences is twice the variance of the series times 1 − φ.
        Self { correlation, variance: (half * (1.0 + correlation)).max(floor * floor) }
    }

    /// The noise that a change is tested against.
    ///
    /// A change of level looks like autocorrelation: the estimate of a series with one is too large
    /// to find it, and without doubt a change of two standard deviations at φ = 0.5 is missed in a
    /// quarter of series. The price is paid where the autocorrelation really is large.
    pub(super) fn doubted(self, count: usize) -> Self {
        if self.correlation <= USUAL_CORRELATION {
            return self;
        }
        let error = ((1.0 - self.correlation.powi(2)) / count as f64).sqrt();
        let correlation = (self.correlation - DOUBT * error).max(USUAL_CORRELATION);
        // The variance of the series, which is that of uₜ over 1 − φ², stays as it is.
        let larger = (1.0 - correlation.powi(2)) / (1.0 - self.correlation.powi(2));
        Self { correlation, variance: self.variance * larger }
    }
}

/// The series rebuilt from its differences, without those above the limit.
fn without_jumps(differences: &[f64], limit: f64) -> Vec<f64> {
    let mut level = 0.0;
    let kept = differences.iter().map(|difference| {
        level += if difference.abs() <= limit { *difference } else { 0.0 };
        level
    });
    std::iter::once(0.0).chain(kept).collect()
}

/// Over every block of so many neighbouring values: the squares of the distances from the block's
/// mean, and the products of neighbouring distances.
fn block_moments(values: &[f64], length: usize) -> (f64, f64) {
    let mut moments = (0.0, 0.0);
    for block in values.windows(length) {
        let mean = block.iter().sum::<f64>() / length as f64;
        let mut before = 0.0;
        for value in block {
            let distance = value - mean;
            moments.0 += distance * distance;
            moments.1 += distance * before;
            before = distance;
        }
    }
    moments
}

/// φ whose blocks of this length have this ratio of products to squares on average.
///
/// Taking out the means of short blocks makes the ratio smaller than φ, by an amount that is known
/// for every φ (Marriott and Pope, "Bias in the estimation of autocorrelations", Biometrika 1954).
fn solve_correlation(ratio: f64, length: usize) -> f64 {
    let (mut low, mut high) = (0.0, LARGEST_CORRELATION);
    if expected_ratio(low, length) >= ratio {
        return low;
    }
    if expected_ratio(high, length) <= ratio {
        return high;
    }
    while high - low > 1e-3 {
        let middle = f64::midpoint(low, high);
        if expected_ratio(middle, length) < ratio {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The mean products over the mean squares in blocks of this autocorrelation.
fn expected_ratio(correlation: f64, count: usize) -> f64 {
    let length = count as f64;
    let (mut power, mut mean_variance) = (1.0, 1.0);
    for lag in 1..count {
        power *= correlation;
        mean_variance += 2.0 * (1.0 - lag as f64 / length) * power;
    }
    mean_variance /= length;
    // Covariance of a block's first or last value with its mean.
    let at_end = (1.0 - power * correlation) / ((1.0 - correlation) * length);
    let squares = length * (1.0 - mean_variance);
    let products = (length - 1.0) * (correlation + mean_variance) - 2.0 * length * mean_variance
        + 2.0 * at_end;
    products / squares
}
