//! `scenarios/supabase-local.toml`

use super::bench::{Outcome, Target, run};
use super::cluster::{self, Cluster};
use super::database::healthy;

fn local(database: &str, migration: &str) -> Outcome {
    let target = Target::start(&[]);
    // The rehearsal target stands for both ports; what Studio answers there is a page.
    let studio = format!("{}/plain?", target.url);
    let variables = [
        ("SUPABASE_URL", target.url.as_str()),
        ("SUPABASE_STUDIO_URL", studio.as_str()),
        ("DATABASE_URL", database),
        ("SUPABASE_MIGRATION", migration),
    ];
    run("supabase-local", &variables)
}

#[test]
fn a_local_supabase_with_its_migrations_is_ready() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.like_supabase();
    let url = healthy(&cluster, "local");
    local(&url, "").passed();
    local(&url, "20251010000000").passed();
    local(&url, "20251011000000").failed(&["`migrations`", "false instead of json.\"/0/is_newest\" = true"]);
    cluster.sql("local", "drop schema supabase_migrations cascade");
    local(&url, "").left_open(&["`migrations`: absent", "schema_migrations"]);
}

#[test]
fn nothing_that_listens_is_told_port_by_port() {
    let outcome = run(
        "supabase-local",
        &[
            ("SUPABASE_URL", "http://127.0.0.1:1"),
            ("SUPABASE_STUDIO_URL", "http://127.0.0.1:1"),
            ("DATABASE_URL", "postgresql://postgres:postgres@127.0.0.1:1/postgres"),
        ],
    );
    assert_eq!(outcome.exit, 1);
    assert!(outcome.reasons().contains("the target never answered"), "{}", outcome.reasons());
}
