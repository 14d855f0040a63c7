//! The smoke scenarios of `scenarios/` against the rehearsal target and a real Postgres: each
//! passes if all is well, and each failure is reported in words that a person can act on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]
#![allow(
    clippy::disallowed_methods,
    reason = "other programs do not wait for a clock that is advanced"
)]

#[path = "../support/cluster/mod.rs"]
mod cluster;
#[path = "../support/program.rs"]
mod program;

mod backup;
mod bench;
mod canned;
mod chatwoot;
mod database;
mod decisions;
mod embed;
mod flows;
mod local;
mod mcp;
mod remedies;
mod rls;
mod supabase;
