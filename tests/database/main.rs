//! Runs in a real Postgres: stored whole and once, and read back exactly, by users with the right
//! to do so.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]
#![allow(
    clippy::disallowed_methods,
    reason = "other programs do not wait for a clock that is advanced"
)]

#[path = "../support/cluster/mod.rs"]
mod cluster;
#[path = "../support/history_year.rs"]
mod history_year;
#[path = "../support/peak_memory.rs"]
mod peak_memory;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/runs.rs"]
mod runs;
#[path = "../support/status_server.rs"]
mod status_server;

mod alerts;
mod bench;
mod fleet_fly;
mod flood;
mod gate;
mod hostile;
mod kept;
mod learned_limits;
mod looked_back;
mod lost;
mod meeting;
mod pooled;
mod registration;
mod rendezvous;
mod rendezvous_starts;
mod rendezvous_trouble;
mod rights;
mod rollups;
mod secured;
mod sessions;
mod statements;
mod trouble;
mod variables;
