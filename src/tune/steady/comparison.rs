//! Whether two segments differ by more than 5 %.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Ratios of means from 0.95 to 1.05 are no difference.
const EFFECT: f64 = 0.05;
/// Probability in each tail outside the interval of the ratio.
const TAIL: f64 = 0.025;
/// Resamples drawn for one comparison.
const RESAMPLES: u32 = 1_000;
/// From this many values on, and up to this skewness, the mean of a resample is drawn from its
/// approximate distribution.
const LONG: usize = 200;
const MODERATE_SKEWNESS: f64 = 1.0;
const SEED: u64 = 0x7374_6561_6479;

/// How one segment compares with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    /// Its mean is smaller by more than 5 %.
    Faster,
    /// No difference of more than 5 % can be shown.
    None,
    /// Its mean is larger by more than 5 %.
    Slower,
}

/// Compares two segments that are not empty: they differ if the 95 % bootstrap interval of the
/// ratio of their means lies entirely below 0.95 or above 1.05.
///
/// Traini et al. (EMSE 2023) after Kalibera and Jones ("Rigorous Benchmarking in Reasonable Time",
/// ISMM 2013). They draw 10,000 resamples of every value. Here means and variances decide the clear
/// cases, the mean of a long segment is drawn at once, and the draws are seeded, so that equal data
/// always give equal answers.
pub(super) fn compare_segments(segment: &[f64], other: &[f64]) -> Difference {
    let (segment, other) = (SegmentMean::of(segment), SegmentMean::of(other));
    if is_below(&segment, &other.times(1.0 - EFFECT)) {
        Difference::Faster
    } else if is_below(&other.times(1.0 + EFFECT), &segment) {
        Difference::Slower
    } else {
        Difference::None
    }
}

/// The mean of a segment, and the distribution of the means of its resamples.
#[derive(Debug, Clone, Copy)]
struct SegmentMean<'a> {
    values: &'a [f64],
    factor: f64,
    mean: f64,
    deviation: f64,
    skewness: f64,
}

impl<'a> SegmentMean<'a> {
    fn of(values: &'a [f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let moment =
            |power| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / count;
        let spread = moment(2).sqrt();
        let skewness = if spread > 0.0 { moment(3) / (spread.powi(3) * count.sqrt()) } else { 0.0 };
        Self { values, factor: 1.0, mean, deviation: spread / count.sqrt(), skewness }
    }

    /// The same with all values multiplied by a positive factor.
    fn times(self, factor: f64) -> Self {
        let (mean, deviation) = (self.mean * factor, self.deviation * factor);
        Self { factor: self.factor * factor, mean, deviation, ..self }
    }

    fn resampled(&self, random: &mut ChaCha8Rng) -> f64 {
        let count = self.values.len();
        if count >= LONG && self.skewness.abs() <= MODERATE_SKEWNESS {
            let normal: f64 = random.sample(StandardNormal);
            self.mean + self.deviation * skewed(normal, self.skewness)
        } else {
            let sum: f64 = (0..count).map(|_| self.values[random.random_range(0..count)]).sum();
            self.factor * sum / count as f64
        }
    }
}

/// A deviate of mean 0, variance near 1 and this skewness, from one of the normal distribution: the
/// first terms of Cornish and Fisher's expansion (1938).
fn skewed(normal: f64, skewness: f64) -> f64 {
    normal + (normal * normal - 1.0) * skewness / 6.0
}

/// Whether the mean of `low` is below that of `high` in all but 2.5 % of resamples.
fn is_below(low: &SegmentMean, high: &SegmentMean) -> bool {
    let variance = low.deviation.powi(2) + high.deviation.powi(2);
    decided_by_variance(high.mean - low.mean, variance)
        .unwrap_or_else(|| is_below_in_resamples(low, high))
}

/// The answer where it holds for every distribution of the distance with this mean and variance, by
/// Cantelli's inequality: at most 1 / (1 + z²) lies beyond z standard deviations.
fn decided_by_variance(distance: f64, variance: f64) -> Option<bool> {
    if variance <= 0.0 {
        return Some(distance > 0.0);
    }
    let beyond = variance / (variance + distance * distance);
    if distance > 0.0 {
        (beyond <= TAIL).then_some(true)
    } else {
        (beyond < 1.0 - TAIL).then_some(false)
    }
}

fn is_below_in_resamples(low: &SegmentMean, high: &SegmentMean) -> bool {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let allowed = TAIL * f64::from(RESAMPLES);
    let mut above = 0;
    for _ in 0..RESAMPLES {
        above += u32::from(low.resampled(&mut random) > high.resampled(&mut random));
        if f64::from(above) > allowed {
            return false;
        }
    }
    true
}
