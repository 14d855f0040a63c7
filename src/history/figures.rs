//! The figures that a number of latencies can carry.

use serde::Serialize;

use crate::record::EncodedHistogram;
use crate::units::Quantile;

/// Figures of the ok exchanges' latency in microseconds; `None` if none succeeded.
///
/// A quantile of too few exchanges is `None` too: it would only repeat the longest one (see
/// [`Quantile::fewest_values`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LatencyFigures {
    /// How many latencies were counted.
    pub count: u64,
    /// The shortest.
    pub min_us: Option<u64>,
    /// The median; of two latencies or more.
    pub p50_us: Option<u64>,
    /// The 95th percentile; of 20 latencies or more.
    pub p95_us: Option<u64>,
    /// The 99th percentile; of 100 latencies or more.
    pub p99_us: Option<u64>,
    /// The longest.
    pub max_us: Option<u64>,
    /// How many latencies were longer than a histogram can count.
    pub clipped: u64,
}

impl LatencyFigures {
    /// The figures of a histogram.
    pub fn of(latency: &EncodedHistogram) -> Self {
        let &EncodedHistogram { count, min_us, p50_us, p95_us, p99_us, max_us, clipped, .. } =
            latency;
        let carried = |quantile: Quantile, figure: Option<u64>| {
            figure.filter(|_| count >= quantile.fewest_values())
        };
        Self {
            count,
            min_us,
            p50_us: carried(Quantile::P50, p50_us),
            p95_us: carried(Quantile::P95, p95_us),
            p99_us: carried(Quantile::P99, p99_us),
            max_us,
            clipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::Histogram;

    #[test]
    fn a_quantile_that_would_only_repeat_the_longest_latency_is_not_a_figure() {
        for (count, carried) in [
            (0, [false; 3]),
            (1, [false; 3]),
            (2, [true, false, false]),
            (19, [true, false, false]),
            (20, [true, true, false]),
            (99, [true, true, false]),
            (100, [true; 3]),
        ] {
            let mut histogram = Histogram::default();
            (1..=count).for_each(|millis| histogram.record(Duration::from_millis(millis)));
            let figures = LatencyFigures::of(&EncodedHistogram::of(&histogram));
            let LatencyFigures { p50_us, p95_us, p99_us, max_us, .. } = figures;
            assert_eq!([p50_us, p95_us, p99_us].map(|figure| figure.is_some()), carried, "{count}");
            assert_eq!((max_us.is_some(), figures.count), (count > 0, count));
            let each = [p50_us, p95_us, p99_us].into_iter().flatten();
            each.for_each(|figure| assert!(Some(figure) < max_us, "{count}"));
        }
    }
}
