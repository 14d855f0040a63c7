//! A real PostgreSQL cluster, and a real `PgBouncer`, for one test or benchmark.
//!
//! A test crate includes it with `#[path = "support/cluster/mod.rs"] mod cluster;`. A test that
//! needs it begins with `if cluster::is_left_out() { return; }`.
//!
//! Each server listens on a free loopback port and has its own folder, in memory or below the
//! temporary folder. It ends and its folder is removed on drop, or when the process ends in any way
//! (see [`keeper`]).
#![allow(dead_code, unused_imports, reason = "each test crate needs another part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]
#![allow(
    clippy::disallowed_methods,
    reason = "other programs do not wait for a clock that is advanced"
)]
#![allow(clippy::print_stdout, reason = "a test that was left out must say so")]

mod bouncer;
mod keeper;
mod port;
mod processes;
mod programs;
mod psql;
mod server;
mod supabase;
mod template;
mod tls;

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

pub(crate) use bouncer::PgBouncer;
pub(crate) use server::Cluster;
pub(crate) use supabase::Supabase;

/// How many statements sleep on a server.
pub(crate) const ASLEEP: &str =
    "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";

/// How long any of the programs may take to start, to end or to answer. It only bounds the wait for
/// a program that hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Whether `TOLLGATE_TESTS_WITHOUT_DATABASE` skips the tests that need a database. Prints a note if
/// it does.
pub(crate) fn is_left_out() -> bool {
    let left_out =
        std::env::var_os("TOLLGATE_TESTS_WITHOUT_DATABASE").is_some_and(|set| !set.is_empty());
    if left_out {
        println!("left out: TOLLGATE_TESTS_WITHOUT_DATABASE is set, so no PostgreSQL was started");
    }
    left_out
}

/// The URL of a database; names and password may have any characters.
fn url(host: &str, port: u16, user: &str, password: &str, database: &str) -> String {
    let written = |text| percent_encoding::utf8_percent_encode(text, PLAIN).to_string();
    format!(
        "postgresql://{}:{}@{host}:{port}/{}",
        written(user),
        written(password),
        written(database)
    )
}

/// Escapes all characters except those that need no escape in any part of a URL (RFC 3986,
/// unreserved).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
