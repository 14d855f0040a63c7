//! Turns an HDR histogram into an exponential one
//! (<https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram>).

use crate::record::Histogram;

use super::messages::{Buckets, ExponentialPoint};

/// Maximum number of buckets, as OpenTelemetry's SDKs have it.
const MOST_BUCKETS: i64 = 160;

/// The finest scale. Its buckets are 0.27 % wide, as precise as the histogram's own.
const FINEST: i32 = 8;

/// The coarsest scale. At it, an hour and a microsecond are one bucket apart.
const COARSEST: i32 = -5;

/// A histogram in seconds, with the finest scale at which its values need at most 160 buckets.
/// Times and attributes are those of an empty point.
pub(super) fn exponential_point(histogram: &Histogram) -> ExponentialPoint {
    let (mut zero_count, mut sum, mut positive) = (0, 0.0, Vec::new());
    for (value, count) in histogram.steps() {
        let seconds = value.as_secs_f64();
        sum += seconds * count as f64;
        if value.is_zero() { zero_count += count } else { positive.push((seconds, count)) }
    }
    let has_values = histogram.count() > 0;
    let scale = scale_for(&positive);
    ExponentialPoint {
        count: histogram.count(),
        sum: has_values.then_some(sum),
        scale,
        zero_count,
        positive: buckets(&positive, scale),
        min: histogram.min().map(|min| min.as_secs_f64()),
        max: histogram.max().map(|max| max.as_secs_f64()),
        ..ExponentialPoint::default()
    }
}

/// The finest scale at which rising values need at most [`MOST_BUCKETS`] buckets.
fn scale_for(values: &[(f64, u64)]) -> i32 {
    let (Some((least, _)), Some((most, _))) = (values.first(), values.last()) else { return 0 };
    let fits = |scale: &i32| index(*most, *scale) - index(*least, *scale) < MOST_BUCKETS;
    (COARSEST..=FINEST).rev().find(fits).unwrap_or(COARSEST)
}

fn buckets(values: &[(f64, u64)], scale: i32) -> Option<Buckets> {
    let first = index(values.first()?.0, scale);
    let mut bucket_counts = Vec::new();
    for (value, count) in values {
        let at = usize::try_from(index(*value, scale) - first).unwrap_or(0);
        if bucket_counts.len() <= at {
            bucket_counts.resize(at + 1, 0);
        }
        bucket_counts[at] += count;
    }
    Some(Buckets { offset: i32::try_from(first).unwrap_or(0), bucket_counts })
}

/// The index of a value's bucket. Bucket `i` holds the values above `base^i` up to `base^(i + 1)`,
/// where `base` is 2^(2^-scale).
fn index(value: f64, scale: i32) -> i64 {
    let exponent = value.log2() * f64::from(scale).exp2();
    #[expect(clippy::cast_possible_truncation, reason = "durations have small exponents")]
    let index = exponent.ceil() as i64;
    index - 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(micros: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for value in micros {
            histogram.record(Duration::from_micros(*value));
        }
        histogram
    }

    #[test]
    fn a_power_of_the_base_belongs_to_the_bucket_that_it_ends() {
        assert_eq!([0.25, 0.5, 1.0, 2.0].map(|value| index(value, 0)), [-3, -2, -1, 0]);
        assert_eq!([1.0, 1.1, 1.5, 2.0].map(|value| index(value, 1)), [-1, 0, 1, 1]);
    }

    #[test]
    fn every_value_is_counted_in_the_bucket_that_contains_it() {
        for micros in [
            vec![],
            vec![0, 0],
            vec![5],
            vec![0, 1, 3_600_000_000],
            (1..2_000).map(|n| n * n).collect(),
            vec![200_000, 201_000, 202_000],
        ] {
            let histogram = of(&micros);
            let point = exponential_point(&histogram);
            let buckets = point.positive.clone().unwrap_or_default();
            let counted: u64 = buckets.bucket_counts.iter().sum();
            assert_eq!(point.zero_count + counted, micros.len() as u64);
            assert_eq!(point.count, micros.len() as u64);
            assert!(buckets.bucket_counts.len() <= 160);
            let base = f64::from(-point.scale).exp2().exp2();
            let mut counted = point.zero_count;
            for (end, count) in (buckets.offset + 1..).zip(&buckets.bucket_counts) {
                counted += count;
                let end = base.powi(end);
                let up_to = |end: f64| -> u64 {
                    let steps = histogram.steps();
                    let below = steps.filter(|(value, _)| value.as_secs_f64() <= end);
                    below.map(|(_, count)| count).sum()
                };
                // The power is not exact.
                let expected = up_to(end * (1.0 - 1e-9))..=up_to(end * (1.0 + 1e-9));
                assert!(expected.contains(&counted), "{counted} up to {end}: {expected:?}");
            }
        }
    }

    #[test]
    fn close_values_get_fine_buckets_and_distant_ones_coarse_buckets() {
        assert_eq!(exponential_point(&of(&[200_000, 201_000])).scale, FINEST);
        assert_eq!(exponential_point(&of(&[1, 3_600_000_000])).scale, 2);
    }
}
