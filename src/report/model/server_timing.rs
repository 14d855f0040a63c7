//! The target's own account of its time, beside what was measured here.

use crate::record::{Dimension, RequestMeasurement, ServerTimings, StageMeasurement};

use super::{DurationQuantiles, words};

/// What the account is, and what it leaves out.
pub(in crate::report) const NOTE: &str = "What the target says of its own time (Server-Timing, ok exchanges alone). The network, \
     queues before its clock starts and stalls that it does not see are in our figures only.";

/// What a target told of its own time in the answers to one request.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct ServerTimingTable {
    /// Our own first byte and service, then the target's metrics by name; empty where it told nothing.
    pub(in crate::report) rows: Vec<ServerTimingRow>,
}

/// One metric, or what was measured here to hold it against.
#[derive(Debug, Clone)]
pub(in crate::report) struct ServerTimingRow {
    /// Its name, fit to be shown.
    pub(in crate::report) name: String,
    /// Whether it was measured here.
    pub(in crate::report) is_ours: bool,
    /// In the first exchange of each warm-up connection.
    pub(in crate::report) cold: DurationQuantiles,
    /// In the measured phase.
    pub(in crate::report) warm: DurationQuantiles,
}

impl ServerTimingTable {
    /// What was told in the cold and the measured exchanges of a request.
    pub(super) fn new(request: &RequestMeasurement) -> Self {
        let told = |metric: &str, stage: &StageMeasurement| {
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
                cold: told(metric, &request.cold),
                warm: told(metric, &request.measured),
            })
            .collect();
        if !rows.is_empty() {
            rows.splice(0..0, ours(request));
        }
        Self { rows }
    }
}

/// What was measured here of the same time.
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

    fn told(stage: &mut StageMeasurement, metrics: &[&str]) {
        for metric in metrics {
            stage.server_timings.record(metric, Duration::from_millis(3));
        }
    }

    #[test]
    fn every_metric_told_cold_or_warm_has_a_row_below_our_own_figures() {
        let mut request = RequestMeasurement::new("page".to_owned(), Vec::new());
        assert!(ServerTimingTable::new(&request).rows.is_empty());
        told(&mut request.measured, &["total", "app", "app", ServerTimings::OTHERS]);
        told(&mut request.cold, &["boot", "app"]);
        let rows = ServerTimingTable::new(&request).rows;
        let shown: Vec<_> =
            rows.iter().map(|row| (row.name.as_str(), row.cold.n, row.warm.n)).collect();
        let told = [("app", 1, 2), ("boot", 1, 0), ("total", 0, 1), ("(others)", 0, 1)];
        assert_eq!(shown, [&[("our first byte", 0, 0), ("our service", 0, 0)][..], &told].concat());
    }
}
