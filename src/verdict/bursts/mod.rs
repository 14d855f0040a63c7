//! How exceedances are distributed over a run: in bursts, at its start, growing, or throughout.
//!
//! Exceedances that come together have one cause, such as a freeze of the target, and their length
//! and period name it better than any quantile does.

mod pattern;

use std::time::Duration;

use super::binomial::ExceedanceCount;
use super::exceedance_timeline::ExceedanceTimeline;

pub(super) use pattern::{ExceedancePattern, RunShare};

/// Exceedances that come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExceedanceBurst {
    /// Start of its first slot, counted from the start of the run.
    pub(super) start: Duration,
    /// End of its last slot.
    pub(super) end: Duration,
    /// Estimate of how long requests that were due exceeded: the exceeding share of each of its
    /// slots times the width of a slot. It resolves bursts that are shorter than a slot.
    pub(super) length: Duration,
    /// Its exchanges.
    pub(super) count: ExceedanceCount,
}

/// The bursts of a timeline in order; empty if its exceedances are not concentrated.
///
/// A burst is a series of slots with a clearly higher exceedance than the whole run: twice as high,
/// or, if that is less, halfway to everything. A slot next to them with half of that belongs to the
/// burst too, because freezes do not begin when a second does. One exceedance is not a burst.
pub(super) fn find_bursts(timeline: &ExceedanceTimeline) -> Vec<ExceedanceBurst> {
    let total = timeline.total();
    if !is_concentrated(timeline.slots().map(|(_, count)| count), total) {
        return Vec::new();
    }
    let slots: Vec<(u64, ExceedanceCount)> = timeline.slots().collect();
    let in_burst = in_bursts(&slots, threshold(total));
    let series = slots.iter().zip(&in_burst).collect::<Vec<_>>();
    let series = series.chunk_by(|(_, before), (_, after)| before == after);
    let bursts =
        series.filter(|series| series.iter().any(|(_, in_burst)| **in_burst)).map(|series| {
            let slots: Vec<_> = series.iter().map(|(slot, _)| **slot).collect();
            burst(&slots, timeline.width())
        });
    bursts.filter(|burst| burst.count.over > 1).collect()
}

/// Which slots belong to a burst: those at the threshold, and those next to them at half of it.
fn in_bursts(slots: &[(u64, ExceedanceCount)], threshold: f64) -> Vec<bool> {
    let is_hot = |at: usize| slots.get(at).is_some_and(|(_, count)| share(*count) >= threshold);
    let is_warm = |at: usize| share(slots[at].1) >= threshold / 2.0;
    let has_hot_neighbour = |at: usize| is_hot(at + 1) || at.checked_sub(1).is_some_and(is_hot);
    (0..slots.len()).map(|at| is_hot(at) || (is_warm(at) && has_hot_neighbour(at))).collect()
}

/// Whether exceedances share slots more often than chance explains.
///
/// It counts the pairs of exceedances in one slot. If each exchange were equally likely to exceed,
/// the expected number of pairs would be exactly the number of pairs of exceedances times the share
/// of pairs of exchanges that are in one slot. The count must exceed that by three standard
/// deviations of a Poisson variable; simulated, fewer than 2 % of the runs without bursts do.
fn is_concentrated(slots: impl Iterator<Item = ExceedanceCount>, total: ExceedanceCount) -> bool {
    const MIN_PAIRS: f64 = 3.0;
    let pairs = |count: u64| count as f64 * (count as f64 - 1.0) / 2.0;
    let (observed, possible) = slots.fold((0.0, 0.0), |(observed, possible), slot| {
        (observed + pairs(slot.over), possible + pairs(slot.of))
    });
    let expected = pairs(total.over) * possible / pairs(total.of).max(1.0);
    observed >= MIN_PAIRS && observed > expected + 3.0 * expected.sqrt()
}

/// The exceeding share from which a slot is part of a burst.
fn threshold(total: ExceedanceCount) -> f64 {
    let share = share(total);
    (2.0 * share).min(f64::midpoint(share, 1.0))
}

fn share(count: ExceedanceCount) -> f64 {
    count.over as f64 / count.of.max(1) as f64
}

fn burst(slots: &[(u64, ExceedanceCount)], width: Duration) -> ExceedanceBurst {
    let at = |index: u64| width * u32::try_from(index).unwrap_or(u32::MAX);
    let (first, last) = match slots {
        [(first, _), .., (last, _)] => (*first, *last),
        [(only, _)] => (*only, *only),
        [] => (0, 0),
    };
    let count = slots.iter().map(|(_, slot)| *slot).sum();
    let length = slots.iter().map(|(_, slot)| width.mul_f64(share(*slot))).sum();
    ExceedanceBurst { start: at(first), end: at(last + 1), length, count }
}

#[cfg(test)]
mod tests;
