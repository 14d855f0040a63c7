//! Which counts of a slot belong to a budget.

use super::binomial::ExceedanceCount;
use super::evidence::ExceedanceSlots;
use super::slot_timeline::SlotTimeline;
use crate::record::{Budget, Ceiling, Dimension, Failure, SlotCount, StallHorizon, Tally};

/// The series of slots that a budget reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotSeries {
    /// The exceedances of the ceiling at this place among those of the request.
    Ceiling {
        /// The place.
        place: usize,
        /// Whether the budget is on the lag itself: lag then explains everything.
        is_lag: bool,
    },
    /// All failures.
    Errors,
    /// The dropped arrivals.
    Dropped,
}

/// What exceedances that the prober's lag explains count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LagRole {
    /// As exceedances of the target.
    Counts,
    /// As exchanges that did not exceed.
    Excuses,
}

impl SlotSeries {
    /// The series of a budget of a request with these ceilings; `None` if its ceiling is not among
    /// them.
    pub(super) fn of(budget: Budget, ceilings: &[Ceiling]) -> Option<Self> {
        match budget {
            Budget::Quantile { dimension, ceiling, .. } | Budget::Max { dimension, ceiling } => {
                let mine = Ceiling { dimension, limit: ceiling };
                let place = ceilings.iter().position(|known| *known == mine)?;
                Some(Self::Ceiling { place, is_lag: dimension == Dimension::Lag })
            }
            Budget::Relative { .. } => None,
            Budget::Errors(_) => Some(Self::Errors),
            Budget::Dropped(_) => Some(Self::Dropped),
        }
    }

    /// Its counts in each slot; `None` if the run was not counted in slots.
    pub(super) fn counts(
        self,
        timeline: &SlotTimeline,
    ) -> Option<impl Iterator<Item = SlotCount> + Clone + '_> {
        timeline.series(match self {
            Self::Ceiling { place, .. } => SlotTimeline::of_ceiling(place),
            Self::Errors | Self::Dropped => SlotTimeline::FAILURES,
        })
    }

    /// Its count in a tally.
    pub(super) fn count(self, tally: &Tally) -> ExceedanceCount {
        match self {
            Self::Ceiling { place, .. } => {
                let count = tally.ceilings.get(place).copied().unwrap_or_default();
                ExceedanceCount { over: count.exceeded, of: count.judged }
            }
            Self::Errors => ExceedanceCount { over: tally.failed(), of: tally.exchanges },
            Self::Dropped => {
                ExceedanceCount { over: tally.failed_by(Failure::Dropped), of: tally.exchanges }
            }
        }
    }

    /// The slots with these counts, at most `peak` exchanges due in each.
    pub(super) fn slots(
        self,
        counts: impl Iterator<Item = SlotCount>,
        peak: f64,
        lag: LagRole,
    ) -> ExceedanceSlots {
        let count = |slot: SlotCount| ExceedanceCount {
            over: u64::from(self.over(slot, lag).min(slot.judged)),
            of: u64::from(slot.judged),
        };
        ExceedanceSlots::new(counts.map(count), peak)
    }

    fn over(self, slot: SlotCount, lag: LagRole) -> u32 {
        match (self, lag) {
            // Among failures, the place of the count without lag holds the drops: no lag makes a
            // request fail.
            (Self::Ceiling { .. }, LagRole::Counts) | (Self::Errors, _) => slot.exceeded,
            (Self::Ceiling { is_lag: true, .. }, LagRole::Excuses) => 0,
            (Self::Ceiling { .. }, LagRole::Excuses) | (Self::Dropped, _) => {
                slot.exceeded_without_lag
            }
        }
    }
}

/// How many exchanges are due in a slot at the plan's busiest time, `share` of the arrivals being
/// of this request; at least one in a block, because a block with one exchange is full if fewer are
/// planned. In a closed model the busiest block of the run is taken instead.
pub(super) fn peak_of_slot(
    horizon: &StallHorizon,
    share: f64,
    counts: impl Iterator<Item = SlotCount>,
) -> f64 {
    let length = horizon.slots();
    let of_block = if let Some(rate) = horizon.peak_rate {
        rate.as_per_second() * share * horizon.length.as_secs_f64()
    } else {
        let (mut busiest, mut in_block) = (0, 0);
        for (at, slot) in counts.enumerate() {
            in_block = u64::from(slot.judged) + if at % length == 0 { 0 } else { in_block };
            busiest = in_block.max(busiest);
        }
        busiest as f64
    };
    of_block.max(1.0) / length as f64
}
