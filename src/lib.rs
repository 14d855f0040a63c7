//! tollgate: a synthetic load prober that holds a deploy to its latency budget.

pub mod expect;
pub mod plan;
pub mod record;
pub mod target;
pub mod units;
