//! HDR histograms of durations.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::buckets::{self, Buckets};
use super::encoded::{self, HistogramError};
use super::{Dimension, v2_format, v2_reader};
use crate::units::Quantile;

/// A histogram of durations in microseconds with three significant digits.
///
/// Values saturate at [`Histogram::CEILING`]. [`Histogram::clipped`] counts the saturated ones, so
/// that the ceiling is never mistaken for a measured maximum. Files hold HdrHistogram's V2 deflate
/// encoding (<https://github.com/HdrHistogram/HdrHistogram>).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    buckets: Buckets,
    clipped: u64,
}

impl Histogram {
    /// The longest duration that is recorded exactly: one hour.
    pub const CEILING: Duration = buckets::CEILING;

    /// Counts one duration, rounded to the nearest microsecond.
    pub fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// Counts a duration `times` times.
    pub fn record_many(&mut self, duration: Duration, times: u64) {
        self.clipped += if duration > Self::CEILING { times } else { 0 };
        let shown = duration.min(Self::CEILING);
        let nearest = (u64::from(shown.subsec_nanos()) + 500) / 1_000;
        self.buckets.record(shown.as_secs() * 1_000_000 + nearest, times);
    }

    /// Adds buckets of another histogram of the same precision, each as any value in it and its
    /// count.
    pub(super) fn add_buckets(&mut self, buckets: &[(u64, u64)]) {
        for (micros, count) in buckets {
            self.buckets.record(*micros, *count);
        }
    }

    /// Notes how many of the recorded values were above [`Self::CEILING`].
    pub(super) fn note_clipped(&mut self, clipped: u64) {
        self.clipped = self.clipped.saturating_add(clipped);
    }

    /// Adds every value of another histogram.
    pub fn add(&mut self, other: &Self) {
        self.buckets.add(&other.buckets);
        self.clipped += other.clipped;
    }

    /// These values without those of another histogram; `None` if the others are not among them.
    pub fn without(&self, others: &Self) -> Option<Self> {
        let clipped = self.clipped.checked_sub(others.clipped)?;
        Some(Self { buckets: self.buckets.without(&others.buckets)?, clipped })
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets.total()
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
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count fits"
        )]
        let rank = (share * self.count() as f64).ceil() as u64;
        if share == 0.0 { self.min() } else { self.at_rank(rank.clamp(1, self.count().max(1))) }
    }

    /// The value at a rank, counted from 1, within the histogram's precision; `None` if there is no
    /// such rank.
    pub fn at_rank(&self, rank: u64) -> Option<Duration> {
        if rank == 0 || rank > self.count() {
            return None;
        }
        self.buckets.at_rank(rank).map(highest)
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
        self.buckets.max().map(Duration::from_micros)
    }

    /// The shortest value, within the histogram's precision; `None` if the histogram is empty.
    pub fn min(&self) -> Option<Duration> {
        self.buckets.iter().next().map(|(lowest, _)| Duration::from_micros(lowest))
    }

    /// The recorded values and their counts, in rising order.
    pub fn steps(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.buckets.iter().map(|(lowest, count)| (highest(lowest), count))
    }

    /// How many values are certainly at or above a limit: those whose whole bucket is.
    pub fn at_least(&self, limit: Duration) -> u64 {
        let above =
            self.buckets.iter().filter(|(lowest, _)| Duration::from_micros(*lowest) >= limit);
        above.map(|(_, count)| count).sum()
    }

    /// HdrHistogram's V2 deflate encoding. Equal counts give equal bytes, in whichever order they
    /// were recorded.
    pub fn to_v2(&self) -> Vec<u8> {
        encoded::deflated(|plain| v2_format::write(&self.buckets, plain))
    }

    /// Reads HdrHistogram's V2 encoding, plain or deflated. The encoding does not include
    /// `clipped`.
    pub fn from_v2(bytes: &[u8]) -> Result<Self, HistogramError> {
        let mut histogram = Self::default();
        Self::add_v2(bytes, || &mut histogram)?;
        Ok(histogram)
    }

    /// Adds the values of HdrHistogram's V2 encoding to a sum, which is asked for only if they can
    /// be read.
    pub fn add_v2<'a>(
        bytes: &[u8],
        sum: impl FnOnce() -> &'a mut Self,
    ) -> Result<(), HistogramError> {
        v2_reader::with_buckets(bytes, |buckets| sum().add_buckets(buckets))
    }

    /// Reads HdrHistogram's V2 encoding from another tool and keeps its unit and precision.
    pub fn counts_of_v2(bytes: &[u8]) -> Result<hdrhistogram::Histogram<u64>, HistogramError> {
        encoded::counts(bytes)
    }
}

/// The longest duration of a bucket.
fn highest(lowest: u64) -> Duration {
    Duration::from_micros(buckets::highest_equivalent(lowest))
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
        assert_eq!(Histogram::from_v2(&histogram.to_v2()).unwrap().buckets, histogram.buckets);
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
    fn a_duration_is_counted_at_its_nearest_microsecond() {
        let counted = |nanos| {
            let mut histogram = Histogram::default();
            histogram.record(Duration::from_nanos(nanos));
            histogram.buckets.iter().next().unwrap().0
        };
        let nanos = [0, 499, 500, 1_499, 999_499, 999_500, 2_046_999];
        assert_eq!(nanos.map(counted), [0, 0, 1, 1, 999, 1_000, 2_047]);
    }

    #[test]
    fn the_sum_of_histograms_equals_the_histogram_of_all_values() {
        let mut sum = of([1, 2, 3]);
        sum.add(&of([4000, 90_000]));
        assert_eq!(sum, of([1, 2, 3, 4000, 90_000]));
    }
}
