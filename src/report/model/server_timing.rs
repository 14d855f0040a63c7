//! The target's `Server-Timing` report next to tollgate's own measurements.

use crate::record::{Dimension, RequestMeasurement, ServerTimings, StageMeasurement};

use super::{DurationQuantiles, words};

/// What the report covers, and what it misses.
pub(in crate::report) const NOTE: &str = "The target's own timings, from Server-Timing headers of ok exchanges. They miss the network, \
     queues before the target's clock starts, and stalls that it cannot see.";

/// The target's `Server-Timing` metrics for one request.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct ServerTimingTable {
    /// Our first byte and service, then the target's metrics by name; empty if there are none.
    pub(in crate::report) rows: Vec<ServerTimingRow>,
}

/// One metric of the target, or our own figure to compare it with.
#[derive(Debug, Clone)]
pub(in crate::report) struct ServerTimingRow {
    /// Name, safe to display.
    pub(in crate::report) name: String,
    /// Whether tollgate measured it.
    pub(in crate::report) is_ours: bool,
    /// In the first exchange of each warm-up connection.
    pub(in crate::report) cold: DurationQuantiles,
    /// In the measured stage.
    pub(in crate::report) warm: DurationQuantiles,
}

impl ServerTimingTable {
    /// Collects the metrics of a request's cold and measured exchanges.
    pub(super) fn new(request: &RequestMeasurement) -> Self {
        let stage_quantiles = |metric: &str, stage: &StageMeasurement| {
            let known = stage.server_timings.iter().find(|(name, _)| *name == metric);
            DurationQuantiles::of(known.map(|(_, histogram)| histogram))
        };
        let stages = [&request.measured, &request.cold].into_iter();
        let mut metrics: Vec<&str> = stages
            .flat_map(|stage| stage.server_timings.iter().map(|(metric, _)| metric))
            .collect();
        metrics.sort_by_key(|metric| (*metric == ServerTimings::OTHERS, *metric));
        metrics.dedup();
        let mut rows: Vec<ServerTimingRow> = metrics
            .into_iter()
            .map(|metric| ServerTimingRow {
                name: words::name(metric),
                is_ours: false,
                cold: stage_quantiles(metric, &request.cold),
                warm: stage_quantiles(metric, &request.measured),
            })
            .collect();
        if !rows.is_empty() {
            rows.splice(0..0, ours(request));
        }
        Self { rows }
    }
}

/// Our own figures for the same time span.
fn ours(request: &RequestMeasurement) -> [ServerTimingRow; 2] {
    let of =
        |stage: &StageMeasurement, dimension| DurationQuantiles::of(stage.series.get(dimension));
    [("our first byte", Dimension::FirstByte), ("our service", Dimension::Service)].map(
        |(name, dimension)| ServerTimingRow {
            name: name.to_owned(),
            is_ours: true,
            cold: of(&request.cold, dimension),
            warm: of(&request.measured, dimension),
        },
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record_metrics(stage: &mut StageMeasurement, metrics: &[&str]) {
        for metric in metrics {
            stage.server_timings.record(metric, Duration::from_millis(3));
        }
    }

    #[test]
    fn every_cold_or_warm_metric_has_a_row_below_our_own_figures() {
        let mut request = RequestMeasurement::new("page".to_owned(), Vec::new());
        assert!(ServerTimingTable::new(&request).rows.is_empty());
        record_metrics(&mut request.measured, &["total", "app", "app", ServerTimings::OTHERS]);
        record_metrics(&mut request.cold, &["boot", "app"]);
        let rows = ServerTimingTable::new(&request).rows;
        let shown: Vec<_> =
            rows.iter().map(|row| (row.name.as_str(), row.cold.n, row.warm.n)).collect();
        let expected = [("app", 1, 2), ("boot", 1, 0), ("total", 0, 1), ("(others)", 0, 1)];
        assert_eq!(
            shown,
            [&[("our first byte", 0, 0), ("our service", 0, 0)][..], &expected].concat()
        );
    }
}
