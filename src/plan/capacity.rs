//! How many exchanges may run at once, and how many the budgets require.

use std::time::Duration;

use super::load_plan::LoadPlan;
use super::scenario_plan::ConnectionReuse;
use super::schedule::Schedule;
use crate::record::{Budget, CapacityEstimate, Dimension, PlannedDraw, PlannedRequest};
use crate::scenario::LoadShape;
use crate::units::Rate;

/// The capacity of an open load; `None` for a closed one.
pub(super) fn of(
    load: &LoadPlan,
    streams: u32,
    reuse: ConnectionReuse,
    requests: &[PlannedRequest],
    draw: Option<&PlannedDraw>,
) -> Option<CapacityEstimate> {
    let &LoadPlan::Open { ref schedule, connections, max_connections } = load else { return None };
    let places = u64::from(max_connections) * u64::from(streams);
    let wanted = busy_time(schedule, requests, draw)
        .map(|busy| concurrent_arrivals(schedule.peak(), busy).min(schedule.count()));
    let key = if max_connections > connections || reuse == ConnectionReuse::Fresh {
        "max_connections"
    } else {
        "connections"
    };
    let short = wanted.filter(|&wanted| wanted > places);
    let remedy = short.map(|wanted| more(key, wanted.div_ceil(u64::from(streams))));
    Some(CapacityEstimate { places, wanted, remedy })
}

/// The remedy for too few connections.
fn more(key: &str, connections: u64) -> String {
    if connections > u64::from(LoadShape::MAX_CONNECTIONS) {
        "lower the rate or the ceiling: no prober holds as many connections".to_owned()
    } else {
        format!("write `{key} = {connections}`")
    }
}

/// The time whose arrivals may be in progress at once: the longest that one may take, and a period
/// of batches, since those of a whole batch begin together.
pub(super) fn busy_time(
    schedule: &Schedule,
    requests: &[PlannedRequest],
    draw: Option<&PlannedDraw>,
) -> Option<Duration> {
    longest(requests, draw).map(|longest| longest + schedule.batch_period().unwrap_or_default())
}

/// The longest time that an arrival may take by its budgets on latency quantiles: the sum of the
/// largest ceilings of its requests. If an arrival sends only one of them, the mean over the draws.
/// `None` without such a budget.
fn longest(requests: &[PlannedRequest], draw: Option<&PlannedDraw>) -> Option<Duration> {
    let longest = |request: &PlannedRequest| {
        let ceiling = largest_latency_ceiling(&request.budgets)?;
        let share = draw.and_then(|draw| draw.share_of(&request.name));
        Some(share.map_or(ceiling, |share| ceiling.mul_f64(share)))
    };
    requests.iter().filter_map(longest).reduce(Duration::saturating_add)
}

/// The largest ceiling of the budgets on latency quantiles.
pub(crate) fn largest_latency_ceiling(budgets: &[Budget]) -> Option<Duration> {
    let ceilings = budgets.iter().filter_map(|budget| match *budget {
        Budget::Quantile { dimension: Dimension::Latency, ceiling, .. } => Some(ceiling),
        _ => None,
    });
    ceilings.max()
}

/// How many arrivals run at once if each takes this long (Little's law).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and saturates"
)]
pub(crate) fn concurrent_arrivals(peak: Rate, longest: Duration) -> u64 {
    // The rounding error of the product must not add one: 100/s × 0.3 s is 30.
    (peak.as_per_second() * longest.as_secs_f64() - 1e-6).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrent_arrivals_follow_littles_law() {
        for (rate, millis, places) in [
            ("100/s", 300, 30),
            ("20/s", 300, 6),
            ("23/s", 300, 7),
            ("90/min", 10, 1),
            ("1000000/s", 60_000, 60_000_000),
        ] {
            assert_eq!(
                concurrent_arrivals(rate.parse().unwrap(), Duration::from_millis(millis)),
                places,
                "{rate}"
            );
        }
    }

    #[test]
    fn the_largest_latency_ceiling_counts() {
        let budgets: Vec<Budget> =
            ["p95 < 300ms", "p99 < 1s", "p99(service) < 5s", "max < 9s", "errors < 1%"]
                .map(|text| text.parse().unwrap())
                .into();
        assert_eq!(largest_latency_ceiling(&budgets), Some(Duration::from_secs(1)));
        assert_eq!(largest_latency_ceiling(&budgets[2..]), None);
    }
}
