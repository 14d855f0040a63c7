//! `scenarios/supabase-smoke.toml`: REST, auth and edge function.

use super::bench::{Outcome, Target, run};
use super::cluster::{self, Cluster};
use super::database::{Cases, healthy};

pub(crate) fn smoke(target: &Target, database: &str) -> Outcome {
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
fn a_key_that_is_not_accepted_proves_nothing_of_what_anon_may_read() {
    let target = Target::start(&[]);
    let outcome = run(
        "supabase-smoke",
        &[
            ("SUPABASE_URL", &target.url),
            ("SUPABASE_ANON_KEY", "wrong-key-canary"),
            ("SUPABASE_SERVICE_ROLE_KEY", "rehearsal-service"),
            ("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/postgres"),
        ],
    );
    outcome.failed(&[
        "`anon reads no logs`",
        "`anon reads no decisions`",
        "against body_lacks = \"API key\"",
    ]);
    outcome.hides("wrong-key-canary");
}

const NO_LINE: &[&str] = &["`the line arrives`", "no rows (", "tries in 5", "instead of rows = 1"];

#[test]
fn each_way_of_failing_is_told_by_the_step_that_fails() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let url = cases.cluster.url_of(&cases.after(""));
    let told: [(&[&str], &[&[&str]]); 4] = [
        (
            &["occ-log-lost", "anon-reads"],
            &[NO_LINE, &["`anon reads no logs`", "`anon reads no decisions`", "in the", "body_lacks"]],
        ),
        (
            &["occ-log-late", "occ-log-lax", "no-auth"],
            &[
                NO_LINE,
                &["`edge function refuses bad JSON`", "200 OK instead of status = 400"],
                &["`auth`", "503 Service Unavailable instead of status = 200"],
            ],
        ),
        (
            &["no-rest"],
            &[&["`REST`", "503 Service Unavailable instead of status = 200", "`anon reads no logs`"]],
        ),
        (
            &["occ-log-down"],
            &[&[
                "`edge function takes a line`",
                "`edge function refuses bad JSON`",
                "503 Service Unavailable",
            ]],
        ),
    ];
    // The slow ones take five seconds each, and none of them disturbs another.
    std::thread::scope(|scope| {
        for (sick, words) in told {
            let url = &url;
            scope.spawn(move || {
                let flags: Vec<_> = sick.iter().flat_map(|sick| ["--sick", sick]).collect();
                let target = Target::start(&[&["--occ-log-database", url], &flags[..]].concat());
                smoke(&target, url).failed(&words.concat());
            });
        }
    });
}

#[test]
fn a_line_is_looked_for_among_the_newest_alone() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let name = cases.after(
        "insert into public.observability_logs (level) select 'INFO' from generate_series(1, 10000); \
         alter sequence public.observability_logs_id_seq minvalue -9 restart with -9",
    );
    let url = cases.cluster.url_of(&name);
    smoke(&Target::start(&["--occ-log-database", &url]), &url).failed(NO_LINE);
    assert_eq!(cases.cluster.sql(&name, "select min(id) from public.observability_logs"), [["-9"]]);
}

#[test]
fn a_database_that_is_not_there_fails_what_needs_it_and_no_other_step() {
    let away = "postgresql://postgres:canary-pw-31@127.0.0.1:1/postgres";
    let outcome = smoke(&Target::start(&["--occ-log-database", away]), away);
    outcome.failed(&[
        "`edge function takes a line`",
        "500 Internal Server Error instead of status = 200",
        "`the line arrives`",
        "cannot be reached",
        "`decision sync: p95`",
    ]);
    for fine in ["`REST`", "`auth`", "`edge function refuses bad JSON`"] {
        assert!(!outcome.reasons().contains(fine), "{}", outcome.reasons());
    }
    outcome.hides("canary-pw-31");
}
