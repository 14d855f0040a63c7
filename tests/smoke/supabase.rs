//! `scenarios/supabase-smoke.toml`: REST, auth and edge function.

use super::bench::{Outcome, Target, run};
use super::cluster::{self, Cluster};
use super::database::healthy;

fn smoke(target: &Target, database: &str) -> Outcome {
    run(
        "supabase-smoke",
        &[
            ("SUPABASE_URL", &target.url),
            ("SUPABASE_ANON_KEY", "rehearsal-anon"),
            ("SUPABASE_SERVICE_ROLE_KEY", "rehearsal-service"),
            ("DATABASE_URL", database),
        ],
    )
}

#[test]
fn a_healthy_supabase_passes_and_the_line_that_was_logged_is_in_its_table() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.like_supabase();
    let url = healthy(&cluster, "smoke");
    let outcome = smoke(&Target::start(&["--occ-log-database", &url]), &url);
    outcome.passed();
    let rows =
        cluster.sql("smoke", "select count(*), max(metadata ->> 'source') from public.observability_logs");
    assert_eq!(rows, [["1", "tollgate"]]);
    // Both keys and the password of the database are secrets.
    outcome.hides("rehearsal-service");
    outcome.hides(&url);
}

#[test]
fn each_way_of_failing_is_told_by_the_step_that_fails() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.like_supabase();
    let url = healthy(&cluster, "smoke");
    let told: [(&str, &[&str]); 5] = [
        ("occ-log-lost", &["`the line arrives`", "no rows (", "tries in 5", "instead of rows = 1"]),
        ("occ-log-late", &["`the line arrives`", "no rows (", "tries in 5", "instead of rows = 1"]),
        ("occ-log-lax", &["`edge function refuses bad JSON`", "200 OK instead of status = 400"]),
        ("anon-reads", &["`anon reads no logs`", "`anon reads no decisions`", "in the", "body_lacks"]),
        ("no-auth", &["`auth`", "503 Service Unavailable instead of status = 200"]),
    ];
    // The slow ones take five seconds each, and none of them disturbs another.
    std::thread::scope(|scope| {
        for (sick, words) in told {
            let url = &url;
            scope.spawn(move || {
                let target = Target::start(&["--occ-log-database", url, "--sick", sick]);
                smoke(&target, url).failed(words);
            });
        }
    });
}

#[test]
fn a_database_that_is_not_there_fails_the_steps_that_ask_it_and_no_other() {
    let outcome = smoke(&Target::start(&[]), "postgresql://postgres:canary-pw-31@127.0.0.1:1/postgres");
    outcome.failed(&["`the line arrives`", "cannot be reached", "`decision sync: p95`"]);
    assert!(!outcome.reasons().contains("`REST`"), "{}", outcome.reasons());
    outcome.hides("canary-pw-31");
}
