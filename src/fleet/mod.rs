//! Shards on orchestrators that exist: which shard this machine runs, from what its orchestrator
//! says.

mod place;

pub use place::{FoundPlace, Orchestrator, PlaceError, find_orchestrator, find_place};
