//! HDR histograms of durations.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Dimension;
use super::encoded::{self, HistogramError};
use crate::units::Quantile;

/// A histogram of durations in microseconds with three significant digits.
///
/// Values saturate at [`Histogram::CEILING`]; saturated ones are counted in [`Histogram::clipped`],
/// so that a flat maximum is never mistaken for a measured one. In files it is HdrHistogram's V2
/// deflate encoding (<https://github.com/HdrHistogram/HdrHistogram>).
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
    /// The highest trackable value that the bytes of an empty, ungrown histogram state.
    const UNGROWN: u64 = 2;

    /// Counts one duration; fractions of a microsecond are rounded to the nearest.
    pub fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// Counts a duration so many times.
    pub fn record_many(&mut self, duration: Duration, times: u64) {
        self.clipped += if duration > Self::CEILING { times } else { 0 };
        let nearest = duration.min(Self::CEILING) + Duration::from_nanos(500);
        // Resizing is on, so that every value up to the ceiling is taken.
        let _always_fits = self.counts.record_n(whole_micros(nearest), times);
    }

    /// Counts a whole bucket of another histogram of the same precision, told by one of its values
    /// in microseconds.
    pub(super) fn record_micros(&mut self, micros: u64, count: u64) {
        // Resizing is on, so that every value is taken.
        let _always_fits = self.counts.record_n(micros, count);
    }

    /// Counts values that were above [`Self::CEILING`] and are among those recorded.
    pub(super) fn note_clipped(&mut self, clipped: u64) {
        self.clipped = self.clipped.saturating_add(clipped);
    }

    /// Adds every value of another histogram.
    pub fn add(&mut self, other: &Self) {
        // Resizing is on, so that a histogram of any range can be added.
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

    /// The value at a quantile of the counted values; `None` where there are none.
    pub fn quantile(&self, quantile: Quantile) -> Option<Duration> {
        self.at_share(quantile.as_f64())
    }

    /// The smallest value that at least the given share (0 to 1) of the counted values do not
    /// exceed.
    pub fn at_share(&self, share: f64) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.counts.value_at_quantile(share)))
    }

    /// The value of a rank, counted from 1, within the histogram's precision; `None` past the last.
    pub fn at_rank(&self, rank: u64) -> Option<Duration> {
        if rank == 0 || rank > self.count() {
            return None;
        }
        let mut seen = 0;
        self.counts.iter_recorded().find_map(|step| {
            seen += step.count_since_last_iteration();
            (seen >= rank).then(|| {
                Duration::from_micros(self.counts.highest_equivalent(step.value_iterated_to()))
            })
        })
    }

    /// The rank, counted from 1, of the value at a quantile of `total` values; 1 where there are
    /// none.
    pub fn rank_of(quantile: Quantile, total: u64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count fits"
        )]
        let rank = (quantile.as_f64() * total as f64 - 1e-9).ceil() as u64;
        rank.clamp(1, total.max(1))
    }

    /// The longest value, within the histogram's precision; `None` where there are none.
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.counts.max()))
    }

    /// The shortest value, within the histogram's precision; `None` where there are none.
    pub fn min(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.counts.min()))
    }

    /// The recorded values and their counts, in rising order.
    pub fn steps(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.counts.iter_recorded().map(|step| {
            (Duration::from_micros(step.value_iterated_to()), step.count_since_last_iteration())
        })
    }

    /// The counts as the `hdrhistogram` crate knows them, for its log writer.
    pub fn counts(&self) -> &hdrhistogram::Histogram<u64> {
        &self.counts
    }

    /// A histogram from counts read elsewhere, all of them at or below the ceiling.
    pub fn from_counts(counts: &hdrhistogram::Histogram<u64>) -> Self {
        let mut histogram = Self::default();
        let _always_fits = histogram.counts.add(counts);
        histogram
    }

    /// HdrHistogram's V2 deflate encoding: the same bytes for the same counts, however these came
    /// to be.
    pub fn to_v2(&self) -> Vec<u8> {
        // The bytes tell the range too, which is as wide as the order of the values made it grow.
        let grown_at_once = [Self::UNGROWN, self.counts.max()].contains(&self.counts.high());
        if grown_at_once {
            encoded::bytes(&self.counts)
        } else {
            encoded::bytes(&Self::from_counts(&self.counts).counts)
        }
    }

    /// Reads HdrHistogram's V2 encoding, plain or deflated; `clipped` is not part of it.
    pub fn from_v2(bytes: &[u8]) -> Result<Self, HistogramError> {
        let mut counts = Self::counts_of_v2(bytes)?;
        if (counts.low(), counts.sigfig()) != (1, Self::DIGITS) {
            return Ok(Self::from_counts(&counts));
        }
        counts.auto(true);
        Ok(Self { counts, clipped: 0 })
    }

    /// The counts in HdrHistogram's V2 encoding as another tool recorded them, in whatever unit and
    /// precision.
    pub fn counts_of_v2(bytes: &[u8]) -> Result<hdrhistogram::Histogram<u64>, HistogramError> {
        encoded::counts(bytes)
    }
}

fn whole_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// One histogram for each dimension that any exchange entered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DimensionHistograms(BTreeMap<Dimension, Histogram>);

impl DimensionHistograms {
    /// The histogram of a dimension; `None` where no exchange entered it.
    pub fn get(&self, dimension: Dimension) -> Option<&Histogram> {
        self.0.get(&dimension)
    }

    /// Adds a histogram's values to those of a dimension.
    pub fn add(&mut self, dimension: Dimension, histogram: &Histogram) {
        self.0.entry(dimension).or_default().add(histogram);
    }

    /// Adds every value of another series.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(dimension, histogram)| self.add(*dimension, histogram));
    }

    /// The dimensions that were entered and their histograms, in the order of [`Dimension`].
    pub fn iter(&self) -> impl Iterator<Item = (Dimension, &Histogram)> {
        self.0.iter().map(|(dimension, histogram)| (*dimension, histogram))
    }

    /// A quantile of a dimension; `None` where no exchange entered it.
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
    fn a_histogram_comes_back_from_its_bytes_and_from_json_unchanged() {
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
        fn equal_counts_have_equal_bytes_however_they_came_to_be(
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
    fn damaged_bytes_are_an_error_and_no_panic() {
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
    fn added_histograms_equal_the_histogram_of_all_values() {
        let mut sum = of([1, 2, 3]);
        sum.add(&of([4000, 90_000]));
        assert_eq!(sum, of([1, 2, 3, 4000, 90_000]));
    }
}
