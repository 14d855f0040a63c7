//! tollgate: a synthetic load prober that holds a deploy to its latency budget.

pub mod target;
pub mod units;
