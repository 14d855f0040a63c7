//! What was found about one budget, and why.

use super::binomial::Exceeded;
use crate::record::Decision;

/// What the data say about one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// No exchange was judged.
    NoData,
    /// It holds.
    Holds,
    /// It does not hold, and the target is why.
    Breached,
    /// The data can tell neither.
    Undecided,
    /// It is not met, but would be (or could be) had the prober not been late.
    Late {
        /// Whether it would hold without the lag; if not, neither is proven.
        would_hold: bool,
    },
}

impl Finding {
    /// Tests what was seen, and again what would have been seen without the prober's lag.
    ///
    /// Lag only adds to latency, so that a budget which holds needs no second test, and a breach counts against
    /// the target only where it stands without the lag too. That a budget would hold without the lag is no pass:
    /// requests sent late met the target at another time than the schedule wanted.
    pub(super) fn allowing_for_lag(
        seen: Exceeded,
        without_lag: Exceeded,
        test: impl Fn(Exceeded) -> Self,
    ) -> Self {
        match (test(seen), test(without_lag)) {
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
