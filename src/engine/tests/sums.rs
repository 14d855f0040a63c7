//! Checks that the parts of what was measured add up.

use std::time::Duration;

use crate::record::{Dimension, Histogram, StageMeasurement};

/// The sum of all values of a dimension, as precise as its histogram.
pub(super) fn sum(stage: &StageMeasurement, dimension: Dimension) -> Duration {
    let steps = stage.series.get(dimension).into_iter().flat_map(Histogram::steps);
    steps.map(|(value, count)| value * u32::try_from(count).unwrap()).sum()
}

/// Checks that lag, wait, setup and service add up to exactly the latency.
pub(super) fn assert_nothing_is_lost(stage: &StageMeasurement) {
    let parts: Duration = Dimension::BLAME.into_iter().map(|dimension| sum(stage, dimension)).sum();
    let latency = sum(stage, Dimension::Latency);
    assert!(latency > Duration::ZERO);
    assert!(latency.abs_diff(parts) <= latency / 200, "{latency:?} and {parts:?}");
    let opening: Duration = [Dimension::Dns, Dimension::Connect, Dimension::Tls]
        .map(|phase| sum(stage, phase))
        .into_iter()
        .sum();
    assert!(sum(stage, Dimension::Setup).abs_diff(opening) <= latency / 200);
    let answering = sum(stage, Dimension::FirstByte) + sum(stage, Dimension::Body);
    assert!(sum(stage, Dimension::Service).abs_diff(answering) <= latency / 200);
}
