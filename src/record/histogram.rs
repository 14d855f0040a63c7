//! HDR histograms of durations.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::encoded::{self, HistogramError};
use super::{Dimension, micros};
use crate::units::Quantile;

/// A histogram of durations in microseconds with three significant digits.
///
/// Values saturate at [`Histogram::CEILING`]. [`Histogram::clipped`] counts the saturated ones, so
/// that the ceiling is never mistaken for a measured maximum. Files hold HdrHistogram's V2 deflate
/// encoding (<https://github.com/HdrHistogram/HdrHistogram>).
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
    clipped: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let mut counts = hdrhistogram::Histogram::new(Self::DIGITS)
            .unwrap_or_else(|_| unreachable!("3 is 0 to 5"));
        counts.auto(true);
        Self { counts, clipped: 0 }
    }
}

impl Histogram {
    /// The longest duration that is recorded exactly: one hour.
    pub const CEILING: Duration = Duration::from_hours(1);
    const DIGITS: u8 = 3;
    /// The highest trackable value of an empty histogram that has not been resized.
    const UNGROWN: u64 = 2;

    /// Counts one duration, rounded to the nearest microsecond.
    pub fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// Counts a duration `times` times.
    pub fn record_many(&mut self, duration: Duration, times: u64) {
        self.clipped += if duration > Self::CEILING { times } else { 0 };
        let nearest = duration.min(Self::CEILING) + Duration::from_nanos(500);
        // The histogram resizes itself, so every value up to the ceiling fits.
        let _always_fits = self.counts.record_n(micros::whole(nearest), times);
    }

    /// Adds a bucket of another histogram of the same precision. `micros` is any value in the
    /// bucket.
    pub(super) fn record_micros(&mut self, micros: u64, count: u64) {
        // The histogram resizes itself, so every value fits.
        let _always_fits = self.counts.record_n(micros, count);
    }

    /// Notes how many of the recorded values were above [`Self::CEILING`].
    pub(super) fn note_clipped(&mut self, clipped: u64) {
        self.clipped = self.clipped.saturating_add(clipped);
    }

    /// Adds every value of another histogram.
    pub fn add(&mut self, other: &Self) {
        // The histogram resizes itself, so a histogram of any range can be added.
        let _always_fits = self.counts.add(&other.counts);
        self.clipped += other.clipped;
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// How many values were above [`Self::CEILING`].
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// The value at a quantile; `None` if the histogram is empty.
    pub fn quantile(&self, quantile: Quantile) -> Option<Duration> {
        self.at_share(quantile.as_f64())
    }

    /// The smallest value that at least the given share (0 to 1) of the values do not exceed;
    /// `None` if the histogram is empty.
    pub fn at_share(&self, share: f64) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.counts.value_at_quantile(share)))
    }

    /// The value at a rank, counted from 1, within the histogram's precision; `None` if there is no
    /// such rank.
    pub fn at_rank(&self, rank: u64) -> Option<Duration> {
        if rank == 0 || rank > self.count() {
            return None;
        }
        let mut cumulative = 0;
        self.counts.iter_recorded().find_map(|step| {
            cumulative += step.count_since_last_iteration();
            (cumulative >= rank).then(|| {
                Duration::from_micros(self.counts.highest_equivalent(step.value_iterated_to()))
            })
        })
    }

    /// The rank, counted from 1, of the value at a quantile of `total` values; 1 if `total` is 0.
    pub fn rank_of(quantile: Quantile, total: u64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count fits"
        )]
        let rank = (quantile.as_f64() * total as f64 - 1e-9).ceil() as u64;
        rank.clamp(1, total.max(1))
    }

    /// The longest value, within the histogram's precision; `None` if the histogram is empty.
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.counts.max()))
    }

    /// The shortest value, within the histogram's precision; `None` if the histogram is empty.
    pub fn min(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.counts.min()))
    }

    /// The recorded values and their counts, in rising order.
    pub fn steps(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.counts.iter_recorded().map(|step| {
            (Duration::from_micros(step.value_iterated_to()), step.count_since_last_iteration())
        })
    }

    /// The counts in microseconds, as the `hdrhistogram` crate's type.
    pub fn counts(&self) -> &hdrhistogram::Histogram<u64> {
        &self.counts
    }

    /// A histogram from counts in microseconds, all at or below the ceiling.
    pub fn from_counts(counts: &hdrhistogram::Histogram<u64>) -> Self {
        let mut histogram = Self::default();
        let _always_fits = histogram.counts.add(counts);
        histogram
    }

    /// HdrHistogram's V2 deflate encoding. Equal counts give equal bytes, in whichever order they
    /// were recorded.
    pub fn to_v2(&self) -> Vec<u8> {
        // The bytes include the range, which depends on the order in which values made it grow.
        let grown_at_once = [Self::UNGROWN, self.counts.max()].contains(&self.counts.high());
        if grown_at_once {
            encoded::bytes(&self.counts)
        } else {
            encoded::bytes(&Self::from_counts(&self.counts).counts)
        }
    }

    /// Reads HdrHistogram's V2 encoding, plain or deflated. The encoding does not include
    /// `clipped`.
    pub fn from_v2(bytes: &[u8]) -> Result<Self, HistogramError> {
        let mut counts = Self::counts_of_v2(bytes)?;
        if (counts.low(), counts.sigfig()) != (1, Self::DIGITS) {
            return Ok(Self::from_counts(&counts));
        }
        counts.auto(true);
        Ok(Self { counts, clipped: 0 })
    }

    /// Reads HdrHistogram's V2 encoding from another tool and keeps its unit and precision.
    pub fn counts_of_v2(bytes: &[u8]) -> Result<hdrhistogram::Histogram<u64>, HistogramError> {
        encoded::counts(bytes)
    }
}

/// One histogram for each dimension that any exchange entered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DimensionHistograms(BTreeMap<Dimension, Histogram>);

impl DimensionHistograms {
    /// The histogram of a dimension; `None` if no exchange entered it.
    pub fn get(&self, dimension: Dimension) -> Option<&Histogram> {
        self.0.get(&dimension)
    }

    /// Adds a histogram's values to those of a dimension.
    pub fn add(&mut self, dimension: Dimension, histogram: &Histogram) {
        self.of(dimension).add(histogram);
    }

    /// The histogram of a dimension, to add to; empty at first.
    pub fn of(&mut self, dimension: Dimension) -> &mut Histogram {
        self.0.entry(dimension).or_default()
    }

    /// Adds every value of another series.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(dimension, histogram)| self.add(*dimension, histogram));
    }

    /// The dimensions with values and their histograms, in the order of [`Dimension`].
    pub fn iter(&self) -> impl Iterator<Item = (Dimension, &Histogram)> {
        self.0.iter().map(|(dimension, histogram)| (*dimension, histogram))
    }

    /// A quantile of a dimension; `None` if no exchange entered it.
    pub fn quantile(&self, dimension: Dimension, quantile: Quantile) -> Option<Duration> {
        self.get(dimension)?.quantile(quantile)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        millis.into_iter().for_each(|value| histogram.record(Duration::from_millis(value)));
        histogram
    }

    #[test]
    fn a_histogram_survives_a_round_trip_through_bytes_and_json() {
        let mut histogram = of((1..1500).map(|n| n * n));
        histogram.record(Duration::ZERO);
        histogram.record(Duration::from_hours(2));
        assert_eq!(Histogram::from_v2(&histogram.to_v2()).unwrap().counts(), histogram.counts());
        let json = serde_json::to_string(&histogram).unwrap();
        let back: Histogram = serde_json::from_str(&json).unwrap();
        assert_eq!(back, histogram);
        assert_eq!(back.clipped(), 1);
    }

    proptest! {
        #[test]
        fn equal_counts_have_equal_bytes_in_any_order_of_recording(
            micros in prop::collection::vec(prop_oneof![0_u64..3_000, 0_u64..4_000_000_000], 0..40)
        ) {
            let of = |micros: &[u64]| {
                let mut histogram = Histogram::default();
                for micros in micros {
                    histogram.record(Duration::from_micros(*micros));
                }
                histogram
            };
            let (mut rising, bytes) = (micros.clone(), of(&micros).to_v2());
            rising.sort_unstable();
            prop_assert_eq!(of(&rising).to_v2(), bytes.clone());
            let (some, others) = micros.split_at(micros.len() / 2);
            let mut sum = of(some);
            sum.add(&of(others));
            prop_assert_eq!(sum.to_v2(), bytes.clone());
            prop_assert_eq!(Histogram::from_v2(&bytes).unwrap().to_v2(), bytes);
        }
    }

    #[test]
    fn cut_bytes_are_an_error_and_damaged_ones_never_cause_a_panic() {
        let good = of([1, 5, 900]).to_v2();
        for cut in 0..good.len() / 2 {
            assert!(Histogram::from_v2(&good[..cut]).is_err());
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x55;
            let _either = Histogram::from_v2(&bad);
        }
    }

    #[test]
    fn the_sum_of_histograms_equals_the_histogram_of_all_values() {
        let mut sum = of([1, 2, 3]);
        sum.add(&of([4000, 90_000]));
        assert_eq!(sum, of([1, 2, 3, 4000, 90_000]));
    }
}
