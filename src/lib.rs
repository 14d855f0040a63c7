//! tollgate: a synthetic load prober that holds a deploy to its latency budget.

pub mod engine;
pub mod expect;
pub mod plan;
pub mod record;
pub mod recorder;
pub mod scenario;
pub mod store;
pub mod target;
pub mod units;
pub mod verdict;
