//! Shards on engines that exist: which shard this machine runs, from what its engine says.

mod place;

pub use place::{Engine, EnginePlace, PlaceError, find_engine, find_place};
