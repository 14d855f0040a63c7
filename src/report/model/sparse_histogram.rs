//! A histogram that stores only its non-empty buckets.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::{Histogram, micros};
use crate::units::Quantile;

use super::DurationQuantiles;

/// Counts of durations in buckets of whole microseconds, at most 0.8 % wide.
///
/// A plot needs no third digit. A bin of a long run would take 100 KiB as a [`Histogram`]; here it
/// takes a few KiB for any range of values.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct SparseHistogram {
    /// Count per bucket, by the bucket's upper end in microseconds.
    counts: BTreeMap<u64, u64>,
    n: u64,
    max: Option<Duration>,
}

impl SparseHistogram {
    /// Adds every value of a histogram.
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (value, count) in histogram.steps() {
            *self.counts.entry(upper_end(value)).or_default() += count;
        }
        self.n += histogram.count();
        self.max = self.max.max(histogram.max());
    }

    /// Adds every value of another.
    pub(super) fn merge(&mut self, other: &Self) {
        for (end, count) in &other.counts {
            *self.counts.entry(*end).or_default() += count;
        }
        self.n += other.n;
        self.max = self.max.max(other.max);
    }

    /// The values in rising order with their counts. The maximum is exact; others are at most 0.8 %
    /// too long.
    pub(in crate::report) fn steps(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let longest = self.max.unwrap_or_default();
        self.counts
            .iter()
            .map(move |(end, count)| (Duration::from_micros(*end).min(longest), *count))
    }

    /// The quantiles of all values added.
    pub(super) fn quantiles(&self) -> DurationQuantiles {
        let at = |quantile| self.quantile(quantile);
        DurationQuantiles {
            n: self.n,
            p50: at(Quantile::P50),
            p95: at(Quantile::P95),
            p99: at(Quantile::P99),
            max: self.max,
        }
    }

    fn quantile(&self, quantile: Quantile) -> Option<Duration> {
        let rank = Histogram::rank_of(quantile, self.n);
        let mut seen = 0;
        self.steps().find_map(|(value, count)| {
            seen += count;
            (seen >= rank).then_some(value)
        })
    }
}

/// Upper end of a value's bucket: the highest eight bits are kept and the rest set.
fn upper_end(value: Duration) -> u64 {
    let micros = micros::whole(value);
    let dropped = (u64::BITS - micros.leading_zeros()).saturating_sub(8);
    micros | ((1 << dropped) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_histogram_within_a_bucket() {
        let mut histogram = Histogram::default();
        (1..=5_000_u64).for_each(|n| histogram.record(Duration::from_micros(n * n)));
        let mut sparse = SparseHistogram::default();
        sparse.add(&histogram);
        let (seen, exact) = (sparse.quantiles(), DurationQuantiles::of(Some(&histogram)));
        for (seen, exact) in [(seen.p50, exact.p50), (seen.p95, exact.p95), (seen.p99, exact.p99)] {
            let ratio = seen.unwrap().as_secs_f64() / exact.unwrap().as_secs_f64();
            assert!((0.999..1.009).contains(&ratio), "{ratio}");
        }
        assert_eq!((seen.n, seen.max), (exact.n, exact.max));
        assert!(sparse.counts.len() < 2_000, "{}", sparse.counts.len());
    }

    #[test]
    fn one_value_is_its_own_median_and_maximum() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_millis(431));
        let mut sparse = SparseHistogram::default();
        sparse.add(&histogram);
        assert_eq!(sparse.quantiles().p50, histogram.max());
        assert_eq!(SparseHistogram::default().quantiles(), DurationQuantiles::default());
    }
}
