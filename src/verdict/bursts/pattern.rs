//! Names the distribution of exceedances over a run.

use std::time::Duration;

use super::{ExceedanceBurst, find_bursts, is_concentrated, share};
use crate::verdict::binomial::ExceedanceCount;
use crate::verdict::exceedance_timeline::ExceedanceTimeline;

/// How exceedances are distributed over a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verdict) enum ExceedancePattern {
    /// At least three bursts at regular distances.
    Periodic {
        /// How many bursts there were.
        bursts: usize,
        /// Median time between the starts of two of them.
        period: Duration,
        /// Median estimated length.
        length: Duration,
    },
    /// Two or more bursts, at irregular distances if there are at least three.
    Repeated {
        /// How many bursts there were.
        bursts: usize,
        /// Estimated length of the longest.
        longest: Duration,
    },
    /// One burst in the course of the run.
    Single {
        /// Start of the burst, counted from the start of the run.
        start: Duration,
        /// Estimated length.
        length: Duration,
    },
    /// One burst that begins with the measured stage.
    AtStart {
        /// Time from the start of the measured stage to the end of the burst.
        length: Duration,
    },
    /// One burst that lasts to the end.
    UntilEnd {
        /// Start of the burst, counted from the start of the run.
        start: Duration,
        /// The exceeding share from then on.
        share: RunShare,
    },
    /// More and more over the run.
    Growing {
        /// The exceeding share in its first quarter.
        first: RunShare,
        /// The exceeding share in its last quarter.
        last: RunShare,
    },
    /// Fewer and fewer over the run.
    Shrinking {
        /// The exceeding share in its first quarter.
        first: RunShare,
        /// The exceeding share in its last quarter.
        last: RunShare,
    },
    /// Throughout the run, without bursts.
    Steady,
}

/// Exceeding exchanges of a part of a run.
pub(in crate::verdict) type RunShare = ExceedanceCount;

impl ExceedancePattern {
    /// Fewer exceedances than this have no pattern.
    const MIN_EXCEEDANCES: u64 = 3;
    /// Exceedances are called steady only if there are at least this many, in as many slots.
    const MIN_STEADY: u64 = 10;
    /// A pattern is named only if it has at least this share of the exceedances.
    const MIN_SHARE: f64 = 2.0 / 3.0;

    /// The pattern of a timeline; `None` if it has too few exceedances or no clear pattern.
    pub(in crate::verdict) fn of(timeline: &ExceedanceTimeline) -> Option<Self> {
        let timeline = timeline.readable();
        let total = timeline.total();
        if total.over < Self::MIN_EXCEEDANCES {
            return None;
        }
        let bursts = find_bursts(&timeline);
        let in_bursts: u64 = bursts.iter().map(|burst| burst.count.over).sum();
        let bursts =
            if in_bursts as f64 >= Self::MIN_SHARE * total.over as f64 { bursts } else { vec![] };
        match bursts.as_slice() {
            [] => Self::trend(&timeline).or_else(|| Self::steady(&timeline)),
            [one] => Some(Self::single(*one, &timeline)),
            [_, _] => Some(Self::repeated(&bursts)),
            _ => periodic(&bursts)
                .or_else(|| Self::trend(&timeline))
                .or_else(|| Some(Self::repeated(&bursts))),
        }
    }

    fn repeated(bursts: &[ExceedanceBurst]) -> Self {
        let longest = bursts.iter().map(|burst| burst.length).max().unwrap_or_default();
        Self::Repeated { bursts: bursts.len(), longest }
    }

    fn single(burst: ExceedanceBurst, timeline: &ExceedanceTimeline) -> Self {
        let ExceedanceBurst { start, end, length, count } = burst;
        let (first, last) = ends(timeline);
        if end >= last && start > first {
            return Self::UntilEnd { start, share: count };
        }
        if start == first && end < last {
            return Self::AtStart { length: end.saturating_sub(first) };
        }
        Self::Single { start, length }
    }

    /// Whether the exceedance rises or falls from quarter to quarter, at least by half.
    fn trend(timeline: &ExceedanceTimeline) -> Option<Self> {
        let quarters = quarters(timeline);
        if !is_concentrated(quarters.into_iter(), timeline.total()) {
            return None;
        }
        let [first, .., last] = quarters;
        let shares = quarters.map(share);
        if shares.is_sorted() && shares[3] >= 1.5 * shares[0] {
            Some(Self::Growing { first, last })
        } else if shares.is_sorted_by(|a, b| a >= b) && shares[0] >= 1.5 * shares[3] {
            Some(Self::Shrinking { first, last })
        } else {
            None
        }
    }

    /// Exceedances that chance alone may have placed.
    fn steady(timeline: &ExceedanceTimeline) -> Option<Self> {
        let slots = || timeline.slots().map(|(_, count)| count);
        let hit = slots().filter(|count| count.over > 0).count() as u64;
        let is_spread = hit >= Self::MIN_STEADY && !is_concentrated(slots(), timeline.total());
        is_spread.then_some(Self::Steady)
    }
}

/// At least three bursts whose starts are one period apart, or a multiple if a burst is missing.
///
/// A start is known to one slot, so a distance may differ from the period by one slot, or by 15 %
/// if that is more.
fn periodic(bursts: &[ExceedanceBurst]) -> Option<ExceedancePattern> {
    let starts = bursts.iter().map(|burst| burst.start);
    let mut gaps: Vec<Duration> = starts
        .clone()
        .skip(1)
        .zip(starts)
        .map(|(next, start)| next.saturating_sub(start))
        .collect();
    let width = bursts.iter().map(|burst| burst.end.saturating_sub(burst.start)).min()?;
    let period = median(&mut gaps)?;
    let tolerance = width.min(Duration::from_secs(1)).max(period.mul_f64(0.15));
    let is_regular = |gap: &Duration| {
        let periods = (gap.as_secs_f64() / period.as_secs_f64()).round().max(1.0);
        gap.abs_diff(period.mul_f64(periods)) <= tolerance && periods <= 3.0
    };
    // Irregular bursts fit a period by chance now and then; three gaps in four must fit.
    let regular = gaps.iter().filter(|gap| is_regular(gap)).count();
    if regular * 4 < gaps.len() * 3 {
        return None;
    }
    // The mean of the gaps is finer than a slot.
    let periods: f64 =
        gaps.iter().map(|gap| (gap.as_secs_f64() / period.as_secs_f64()).round().max(1.0)).sum();
    let span: Duration = gaps.iter().sum();
    let length = median(&mut bursts.iter().map(|burst| burst.length).collect::<Vec<_>>())?;
    Some(ExceedancePattern::Periodic {
        bursts: bursts.len(),
        period: span.div_f64(periods),
        length,
    })
}

fn median(durations: &mut [Duration]) -> Option<Duration> {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied()
}

/// Start of the first and end of the last slot.
fn ends(timeline: &ExceedanceTimeline) -> (Duration, Duration) {
    let at = |index: u64| timeline.width() * u32::try_from(index).unwrap_or(u32::MAX);
    let first = timeline.slots().next().map_or(0, |(index, _)| index);
    let last = timeline.slots().next_back().map_or(0, |(index, _)| index + 1);
    (at(first), at(last))
}

fn quarters(timeline: &ExceedanceTimeline) -> [ExceedanceCount; 4] {
    let mut quarters = [ExceedanceCount { over: 0, of: 0 }; 4];
    let first = timeline.slots().next().map_or(0, |(index, _)| index);
    let last = timeline.slots().next_back().map_or(0, |(index, _)| index);
    let slots = last - first + 1;
    for (index, count) in timeline.slots() {
        let quarter = usize::try_from((index - first) * 4 / slots).unwrap_or(3).min(3);
        quarters[quarter].over += count.over;
        quarters[quarter].of += count.of;
    }
    quarters
}
