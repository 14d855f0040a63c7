//! The quantiles that a number of exchanges can carry.

use std::time::Duration;

use super::LatencyFigures;
use crate::record::{EncodedHistogram, Histogram};
use crate::units::Quantile;

/// Quantiles of latency; `None` where there are fewer exchanges than the quantile needs
/// ([`Quantile::fewest_values`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuantileFigures {
    /// Number of exchanges.
    pub count: u64,
    /// The shortest; `None` without exchanges.
    pub min: Option<Duration>,
    /// The median.
    pub p50: Option<Duration>,
    /// The 95th percentile.
    pub p95: Option<Duration>,
    /// The 99th percentile.
    pub p99: Option<Duration>,
    /// The longest; `None` without exchanges. It is the value of a single exchange.
    pub max: Option<Duration>,
}

impl QuantileFigures {
    /// The figures of a histogram.
    pub fn of(histogram: &Histogram) -> Self {
        let count = histogram.count();
        let at = |quantile: Quantile| {
            histogram.quantile(quantile).filter(|_| count >= quantile.fewest_values())
        };
        Self {
            count,
            min: histogram.min(),
            p50: at(Quantile::P50),
            p95: at(Quantile::P95),
            p99: at(Quantile::P99),
            max: histogram.max(),
        }
    }

    /// The figures next to an encoded histogram.
    pub fn of_encoded(latency: &EncodedHistogram) -> Self {
        let LatencyFigures { count, min_us, p50_us, p95_us, p99_us, max_us, .. } =
            LatencyFigures::of(latency);
        let [min, p50, p95, p99, max] = [min_us, p50_us, p95_us, p99_us, max_us]
            .map(|figure| figure.map(Duration::from_micros));
        Self { count, min, p50, p95, p99, max }
    }

    /// The value of a single exchange; `None` if there are none or several.
    pub fn single(&self) -> Option<Duration> {
        self.max.filter(|_| self.count == 1)
    }

    /// p50, p95 and p99 with their names.
    pub fn named(&self) -> [(Quantile, Option<Duration>); 3] {
        [(Quantile::P50, self.p50), (Quantile::P95, self.p95), (Quantile::P99, self.p99)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u64) -> QuantileFigures {
        let mut histogram = Histogram::default();
        (1..=count).for_each(|value| histogram.record(Duration::from_millis(value)));
        let figures = QuantileFigures::of(&histogram);
        assert_eq!(figures, QuantileFigures::of_encoded(&EncodedHistogram::of(&histogram)));
        figures
    }

    #[test]
    fn a_quantile_of_too_few_exchanges_is_not_a_figure() {
        let known = |count| of(count).named().map(|(_, value)| value.is_some());
        assert_eq!(known(1), [false, false, false]);
        assert_eq!(known(6), [true, false, false]);
        assert_eq!(known(20), [true, true, false]);
        assert_eq!(known(100), [true, true, true]);
        assert_eq!((of(1).single(), of(2).single()), (Some(Duration::from_millis(1)), None));
    }
}
