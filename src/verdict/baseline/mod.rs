//! Budgets that are relative to earlier runs: `p95 < baseline + 10%`.
//!
//! The limit is an estimate, so it has a range. It errs on each side no more often than half the
//! stated rate, and the run is tested against each end at the other half. A wrong verdict needs one
//! of the two to be wrong, so both together keep the stated rate (union bound).

mod estimate;
mod judgement;
mod selection;

pub use self::selection::{BaselineRuns, HistoryWords};

pub(super) use self::judgement::{judge, judge_unread};

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
