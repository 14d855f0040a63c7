//! Figures of a request without one block of time each.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::record::{
    BeforeAfter, BlockFigures, FiguresWithout, Histogram, Measurement, PlannedScenario,
};
use crate::units::Quantile;
use crate::verdict::RunTimelines;
use crate::verdict::evidence::independent_length;
use crate::verdict::latency_timeline::{LatencyCounts, LatencyTimeline};

/// The quantiles whose exceedances show how long latencies are correlated. Those of p99 are too
/// few.
const WATCHED: [Quantile; 2] = [Quantile::P50, Quantile::P95];

/// Gives each request the figures without one block each, from the intervals of its run.
///
/// The two sides of a duet get the same blocks: both share whatever slows a block down.
pub fn add_block_figures(
    plan: &[PlannedScenario],
    measurement: &mut Measurement,
    timelines: &RunTimelines,
) {
    let mut figures: BTreeMap<(String, String), BlockFigures> = BTreeMap::new();
    for scenario in &measurement.scenarios {
        let planned = plan.iter().find(|planned| planned.name == scenario.name);
        let other = planned.and_then(|planned| planned.duet.as_ref()).map(|duet| &duet.other);
        for request in &scenario.requests {
            let of = |scenario: &str| {
                timelines.of(scenario, &request.name).map(|timelines| &timelines.latencies)
            };
            let Some(own) = of(&scenario.name) else { continue };
            let key = (scenario.name.clone(), request.name.clone());
            let found = match other.and_then(|other| of(other)) {
                Some(other) => paired_figures(BeforeAfter { before: own, after: other }).before,
                None => single_figures(own),
            };
            figures.insert(key, found);
        }
    }
    for scenario in &mut measurement.scenarios {
        for request in &mut scenario.requests {
            request.blocks = figures.remove(&(scenario.name.clone(), request.name.clone()));
        }
    }
}

/// The figures of a request that is measured alone.
pub(super) fn single_figures(timeline: &LatencyTimeline) -> BlockFigures {
    let series = UnitSeries::of(timeline, timeline.range());
    let together = WATCHED.map(|quantile| {
        let limit = series.total.quantile(quantile);
        units_together(&series.deviations(limit), series.total.variance_if_independent(limit))
    });
    series.figures(together[0].max(together[1]))
}

/// The figures of both sides of a duet. The correlation is that of their difference: what slows
/// both sides down at once does not count.
pub(super) fn paired_figures(sides: BeforeAfter<&LatencyTimeline>) -> BeforeAfter<BlockFigures> {
    let (sides, range) = in_common_units(sides);
    let series = sides.map(|side| UnitSeries::of(side, range.clone()));
    let ratio =
        series.after.total.exchanges as f64 / (series.before.total.exchanges as f64).max(1.0);
    let together = WATCHED.map(|quantile| {
        // Each side has its own limit: a difference that stays the same is not a correlation.
        let limits = series.map(|series| series.total.quantile(quantile));
        let before = series.before.deviations(limits.before);
        let after = series.after.deviations(limits.after);
        let pairs = before.iter().zip(&after).map(|(before, after)| UnitDeviation {
            excess: after.excess - ratio * before.excess,
            weight: after.weight + ratio * before.weight,
        });
        let if_independent = series.before.total.variance_if_independent(limits.before);
        units_together(&pairs.collect::<Vec<_>>(), if_independent)
    });
    series.map(|series| series.figures(together[0].max(together[1])))
}

/// Both timelines in units of the same length, and the range that covers both.
fn in_common_units(
    sides: BeforeAfter<&LatencyTimeline>,
) -> (BeforeAfter<LatencyTimeline>, Option<RangeInclusive<u64>>) {
    let mut seconds = sides.before.seconds().max(sides.after.seconds());
    loop {
        let widened = sides.map(|side| side.in_units_of(seconds));
        let BeforeAfter { before, after } = widened.map(LatencyTimeline::range);
        let range = match (before, after) {
            (Some(one), Some(other)) => {
                Some(*one.start().min(other.start())..=*one.end().max(other.end()))
            }
            (one, other) => one.or(other),
        };
        // In a damaged file, the sides may be years apart.
        let is_short =
            |range: &RangeInclusive<u64>| range.end() - range.start() < LatencyTimeline::MOST_UNITS;
        if range.as_ref().is_none_or(is_short) {
            return (widened, range);
        }
        seconds = seconds.saturating_mul(2);
    }
}

/// How many more exchanges of a unit took long than their share in the whole run.
#[derive(Debug, Clone, Copy)]
struct UnitDeviation {
    excess: f64,
    weight: f64,
}

/// The number of units after which the deviations look independent.
///
/// What varies less than independent requests would is not correlated: a steady target must not
/// look as if it had long states because its seconds are alike.
fn units_together(deviations: &[UnitDeviation], if_independent: f64) -> usize {
    independent_length(deviations.len(), 1, |number| {
        let (variance, degrees) = variance_per_request(deviations, number)?;
        Some((variance.max(if_independent), degrees))
    })
}

fn variance_per_request(all: &[UnitDeviation], number: usize) -> Option<(f64, usize)> {
    let (mut squares, mut parts) = (0.0, 0_usize);
    for part in 0..number {
        let part = &all[part * all.len() / number..(part + 1) * all.len() / number];
        let weight: f64 = part.iter().map(|unit| unit.weight).sum();
        if weight > 0.0 {
            squares += part.iter().map(|unit| unit.excess).sum::<f64>().powi(2) / weight;
            parts += 1;
        }
    }
    let degrees = parts.checked_sub(1).filter(|&degrees| degrees > 0)?;
    Some((squares / degrees as f64, degrees))
}

/// The units of a request, those in which nothing was due included.
struct UnitSeries {
    seconds: u64,
    units: Vec<LatencyCounts>,
    total: LatencyCounts,
}

impl UnitSeries {
    fn of(timeline: &LatencyTimeline, range: Option<RangeInclusive<u64>>) -> Self {
        let units: Vec<_> = range
            .into_iter()
            .flatten()
            .map(|unit| timeline.unit(unit).cloned().unwrap_or_default())
            .collect();
        let mut total = LatencyCounts::default();
        for unit in &units {
            total.add(unit);
        }
        Self { seconds: timeline.seconds(), units, total }
    }

    fn deviations(&self, limit: Option<u64>) -> Vec<UnitDeviation> {
        let share = self.total.above(limit) as f64 / (self.total.exchanges as f64).max(1.0);
        let deviation = |unit: &LatencyCounts| UnitDeviation {
            excess: unit.above(limit) as f64 - share * unit.exchanges as f64,
            weight: unit.exchanges as f64,
        };
        self.units.iter().map(deviation).collect()
    }

    /// The figures without each of up to 20 blocks, if enough are three times as long as what hangs
    /// together.
    fn figures(&self, together: usize) -> BlockFigures {
        let length = |units: usize| {
            Duration::from_secs(self.seconds.saturating_mul(u64::try_from(units).unwrap_or(0)))
        };
        let shortest = together * usize::try_from(BlockFigures::TIMES_TOGETHER).unwrap_or(1);
        let number = (self.units.len() / shortest.max(1)).min(BlockFigures::MOST_BLOCKS);
        let number = if number < BlockFigures::FEWEST_BLOCKS { 0 } else { number };
        let edge = |block: usize| block * self.units.len() / number;
        let sorted = SortedLatencies::of(&self.total);
        let without =
            (0..number).map(|block| sorted.without(&self.units[edge(block)..edge(block + 1)]));
        BlockFigures {
            measured: length(self.units.len()),
            together: length(together),
            without: without.collect(),
        }
    }
}

/// The latencies of a request in ascending order, to take quantiles without some of them.
struct SortedLatencies<'a> {
    total: &'a LatencyCounts,
    latencies: Vec<(u64, u64)>,
}

impl<'a> SortedLatencies<'a> {
    fn of(total: &'a LatencyCounts) -> Self {
        Self { total, latencies: total.ok.iter().collect() }
    }

    /// The figures without the exchanges of a block, which are part of the total.
    fn without(&self, block: &[LatencyCounts]) -> FiguresWithout {
        let mut left = self.latencies.clone();
        let (mut exchanges, mut failed) = (self.total.exchanges, self.total.failed);
        for unit in block {
            exchanges -= unit.exchanges;
            failed -= unit.failed;
            for (micros, count) in unit.ok.iter() {
                if let Ok(at) = left.binary_search_by_key(&micros, |(known, _)| *known) {
                    left[at].1 -= count;
                }
            }
        }
        let [p50_us, p95_us, p99_us] =
            BlockFigures::QUANTILES.map(|quantile| quantile_of(&left, quantile, exchanges));
        FiguresWithout { exchanges, failed, p50_us, p95_us, p99_us }
    }
}

/// A quantile in microseconds of latencies in ascending order with their counts, further exchanges
/// being failures; `None` if it falls among these or nothing was measured.
fn quantile_of(latencies: &[(u64, u64)], quantile: Quantile, exchanges: u64) -> Option<u64> {
    let rank = Histogram::rank_of(quantile, exchanges);
    let mut below = 0;
    latencies.iter().find_map(|(micros, count)| {
        below += count;
        (below >= rank).then_some(*micros)
    })
}

impl LatencyCounts {
    /// Variance per request of the number that takes longer than a limit, if requests are
    /// independent.
    fn variance_if_independent(&self, limit: Option<u64>) -> f64 {
        let share = self.above(limit) as f64 / (self.exchanges as f64).max(1.0);
        share * (1.0 - share)
    }

    /// A quantile in microseconds; `None` if it falls among the failures or nothing was measured.
    fn quantile(&self, quantile: Quantile) -> Option<u64> {
        quantile_of(&SortedLatencies::of(self).latencies, quantile, self.exchanges)
    }
}
