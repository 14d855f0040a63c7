//! Machines that share a run: which shard this machine runs, from what its orchestrator says, and
//! whether all would do the same.

mod place;
mod plan_digest;

pub use place::{FoundPlace, Orchestrator, PlaceError, find_orchestrator, find_place};
pub use plan_digest::{digest_plan, digest_written_plan};
