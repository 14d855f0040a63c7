//! The stall horizon of a plan: the blocks of time by which its budgets are decided.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::micros;
use crate::units::Rate;

/// The longest stall of the target that a verdict has to hold against.
///
/// A budget is decided by blocks of this length. Correlation that lasts longer may make a verdict
/// wrong more often than stated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StallHorizon {
    /// Length of a block: a whole number of slots.
    #[serde(rename = "length_us", with = "micros")]
    #[schemars(with = "u64")]
    pub length: Duration,
    /// Width of the slots in which exceedances are counted by due time.
    #[serde(rename = "slot_us", with = "micros")]
    #[schemars(with = "u64")]
    pub slot: Duration,
    /// Whether the scenario names no horizon, so that it follows from the length of the run.
    pub is_default: bool,
    /// Arrivals a second at the busiest time of the plan; `None` in a closed model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_rate: Option<Rate>,
}

impl StallHorizon {
    /// Slots are not wider than this in runs that fit in `MOST_SLOTS`.
    const WIDEST_SLOT: Duration = Duration::from_millis(20);
    /// A run of any length is counted in about as many slots, at most as wide as the horizon: 12
    /// bytes each for one budget.
    const MOST_SLOTS: u128 = 200_000;

    /// The horizon `length` of a run of `duration`, with slots that fit.
    pub fn new(length: Duration, duration: Duration, peak_rate: Option<Rate>) -> Self {
        let micros = length.as_micros().max(1);
        let finest = micros.div_ceil(Self::WIDEST_SLOT.as_micros());
        let most = (Self::MOST_SLOTS * micros / duration.as_micros().max(1)).max(1);
        let fits = |number: &u128| micros.is_multiple_of(*number);
        let number = if finest <= most {
            (finest..=2 * finest).find(fits).unwrap_or(finest)
        } else {
            (1..=most).rev().find(fits).unwrap_or(1)
        };
        let slot = u64::try_from(micros / number).unwrap_or(u64::MAX).max(1);
        let number = u64::try_from(number).unwrap_or(1);
        Self {
            length: Duration::from_micros(slot.saturating_mul(number)),
            slot: Duration::from_micros(slot),
            is_default: false,
            peak_rate,
        }
    }

    /// The same horizon, marked as one that the scenario does not name.
    #[must_use]
    pub fn by_default(self) -> Self {
        Self { is_default: true, ..self }
    }

    /// Number of slots of a block.
    pub fn slots(&self) -> usize {
        let number = self.length.as_micros() / self.slot.as_micros().max(1);
        usize::try_from(number).unwrap_or(usize::MAX).max(1)
    }

    /// Number of a slot, counted from the start of the measured stage.
    ///
    /// The edges are half a slot off, so that a rounding error of a due time on a round number of
    /// milliseconds cannot move it to another block.
    pub fn slot_of(slot: Duration, due: Duration) -> u64 {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let slot = nanos(slot).max(1);
        nanos(due).saturating_add(slot / 2) / slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn horizon(length_ms: u64, hours: u64) -> (u128, usize) {
        let found =
            StallHorizon::new(Duration::from_millis(length_ms), Duration::from_hours(hours), None);
        assert_eq!(found.length.as_micros(), u128::from(length_ms) * 1_000);
        (found.slot.as_micros(), found.slots())
    }

    #[test]
    fn a_whole_number_of_slots_makes_the_horizon() {
        assert_eq!(horizon(1_000, 1), (20_000, 50));
        assert_eq!(horizon(250, 1), (15_625, 16));
        assert_eq!(horizon(50, 0), (12_500, 4));
        assert_eq!(horizon(10, 0), (10_000, 1));
    }

    #[test]
    fn long_runs_are_counted_in_wider_slots_up_to_the_horizon() {
        assert_eq!(horizon(1_000, 24), (500_000, 2));
        assert_eq!(horizon(100, 24), (100_000, 1));
    }

    #[test]
    fn a_due_time_just_before_a_round_number_counts_as_that_number() {
        let slot = Duration::from_millis(20);
        let due = |nanos| StallHorizon::slot_of(slot, Duration::from_nanos(nanos));
        assert_eq!(due(999_999_999), due(1_000_000_000));
        assert_eq!((due(0), due(1_000_000_000)), (0, 50));
    }
}
