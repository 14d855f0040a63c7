//! `scenarios/supabase-local.toml`

use super::bench::{Outcome, Target, run};
use super::cluster;
use super::database::Cases;

const NOBODY: &str = "http://127.0.0.1:1";

/// The rehearsal target stands for the ports of API and Studio; what Studio answers there is a page.
fn local(api: &str, studio: &str, database: &str, migration: &str) -> Outcome {
    let studio = format!("{studio}/plain?");
    let variables = [
        ("SUPABASE_URL", api),
        ("SUPABASE_STUDIO_URL", &studio),
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
    let (cases, target) = (Cases::start(), Target::start(&[]));
    let url = cases.cluster.url_of(&cases.after(""));
    let with = |url, migration| local(&target.url, &target.url, url, migration);
    with(&url, "20251010000000").passed();
    with(&url, "20251011000000").failed(&["`migrations`", "false instead of json.\"/0/is_newest\" = true"]);
    let bare = cases.cluster.url_of(&cases.after("drop schema supabase_migrations cascade"));
    with(&bare, "").left_open(&["`migrations`: absent", "schema_migrations"]);
}

#[test]
fn what_does_not_listen_is_told_by_its_step_and_nothing_else_is() {
    let target = Target::start(&[]);
    let away = "postgresql://postgres:postgres@127.0.0.1:1/postgres";
    let outcome = local(&target.url, &target.url, away, "");
    outcome.failed(&["`database`", "`migrations`", "cannot be reached"]);
    says_nothing_of(&outcome, &["`API`", "`Studio`"]);
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let outcome = local(&target.url, NOBODY, &cases.cluster.url_of("healthy"), "");
    outcome.failed(&["`Studio`", "refused"]);
    says_nothing_of(&outcome, &["`API`", "`database`", "`migrations`"]);
}

fn says_nothing_of(outcome: &Outcome, steps: &[&str]) {
    for step in steps {
        assert!(!outcome.reasons().contains(step), "{}", outcome.reasons());
    }
}

#[test]
fn nothing_that_listens_is_told_port_by_port() {
    let away = "postgresql://postgres:postgres@127.0.0.1:1/postgres";
    let outcome = local(NOBODY, NOBODY, away, "");
    assert_eq!(outcome.exit, 1);
    assert!(outcome.reasons().contains("the target never answered"), "{}", outcome.reasons());
}
