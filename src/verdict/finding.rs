//! The result of testing one budget.

use super::evidence::BlockFinding;
use crate::record::Decision;

/// The result of testing one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BudgetFinding {
    /// No exchange was judged.
    NoData,
    /// It holds.
    Holds,
    /// It does not hold, and the target is the cause.
    Breached,
    /// The data prove neither.
    Undecided,
    /// It is not met, but without the prober's lag it would hold, or its breach would not be
    /// proven.
    Late {
        /// Whether it would hold without the lag; if not, neither is proven.
        would_hold: bool,
    },
}

impl BudgetFinding {
    /// Combines the test of what was seen with the test without the exceedances that the prober's
    /// lag explains.
    ///
    /// Lag only adds to latency, so a budget that holds needs no second test. A breach counts
    /// against the target only if it remains without the lag. A budget that would hold without the
    /// lag is not a pass: late requests met the target at another time than the schedule planned.
    pub(super) fn allowing_for_lag(seen: Self, without_lag: impl FnOnce() -> Self) -> Self {
        if matches!(seen, Self::NoData | Self::Holds) {
            return seen;
        }
        match (seen, without_lag()) {
            (Self::Breached | Self::Undecided, Self::Holds) => Self::Late { would_hold: true },
            (Self::Breached, Self::Undecided) => Self::Late { would_hold: false },
            (found, _) => found,
        }
    }

    /// The decision it leads to.
    pub(super) fn decision(self) -> Decision {
        match self {
            Self::Holds => Decision::Pass,
            Self::Breached => Decision::Fail,
            Self::NoData | Self::Undecided | Self::Late { .. } => Decision::Inconclusive,
        }
    }
}

impl From<BlockFinding> for BudgetFinding {
    fn from(found: BlockFinding) -> Self {
        match found {
            BlockFinding::NoData => Self::NoData,
            BlockFinding::Holds => Self::Holds,
            BlockFinding::Breached => Self::Breached,
            BlockFinding::Undecided => Self::Undecided,
        }
    }
}
