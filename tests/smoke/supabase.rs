//! `scenarios/supabase-smoke.toml`: REST, auth and edge function.

use super::bench::{Outcome, REPORTS, Target, run};
use super::canned::{Canned, judged};
use super::cluster::{self, Cluster};
use super::database::{Cases, healthy};

pub(crate) fn smoke(target: &Target, database: &str) -> Outcome {
    smoke_with(target, database, &[])
}

/// The smoke check with further variables.
pub(crate) fn smoke_with(target: &Target, database: &str, more: &[(&str, &str)]) -> Outcome {
    let mut variables = vec![
        ("SUPABASE_URL", target.url.as_str()),
        ("SUPABASE_ANON_KEY", "rehearsal-anon"),
        ("SUPABASE_SERVICE_ROLE_KEY", "rehearsal-service"),
        ("DATABASE_URL", database),
    ];
    variables.extend(more);
    run("supabase-smoke", &variables)
}

#[test]
fn a_healthy_supabase_passes_and_the_line_that_was_logged_is_in_its_table() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.like_supabase();
    let url = healthy(&cluster, "smoke");
    let target = Target::start(&["--occ-log-database", &url]);
    let outcome = smoke_with(&target, &url, &[REPORTS]);
    outcome.passed();
    let rows = cluster
        .sql("smoke", "select count(*), max(metadata ->> 'source') from public.observability_logs");
    assert_eq!(rows, [["1", "tollgate"]]);
    // Both keys and the password of the database are secrets.
    outcome.hides("rehearsal-service");
    outcome.hides(&url);
}

/// The outcome of the smoke check without a database.
fn without_database(url: &str, anon: &str) -> Outcome {
    run(
        "supabase-smoke",
        &[
            ("SUPABASE_URL", url),
            ("SUPABASE_ANON_KEY", anon),
            ("SUPABASE_SERVICE_ROLE_KEY", "rehearsal-service"),
            ("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/postgres"),
            REPORTS,
        ],
    )
}

const PROVES_NOTHING: &[&str] = &[
    "`anon's key is taken`",
    "`anon reads no logs`",
    "`anon reads no decisions`",
    "(body_matches",
];

#[test]
fn a_refused_key_proves_nothing_about_anon() {
    let outcome = without_database(&Target::start(&[]).url, "wrong-key-canary");
    outcome.failed(
        &[PROVES_NOTHING, &["\"Invalid API key\" instead of json_matches.\"/message\""]].concat(),
    );
    outcome.hides("wrong-key-canary");
}

#[test]
fn an_expired_key_is_reported_and_proves_nothing_about_anon() {
    let outcome = without_database(&Target::sick("anon-expired").url, "rehearsal-anon");
    outcome.failed(
        &[PROVES_NOTHING, &["\"JWT expired\" instead of json_matches.\"/message\""]].concat(),
    );
    assert!(!outcome.reasons().contains("`auth`"), "{}", outcome.reasons());
}

#[test]
fn only_an_empty_list_or_a_refusal_by_the_database_proves_what_anon_may_read() {
    let proofs = [
        (200, "[]"),
        (200, " [ ]\n"),
        (
            401,
            r#"{"code":"42501","details":null,"hint":null,"message":"permission denied for table observability_logs"}"#,
        ),
        (
            403,
            r#"{"hint":null,"details":null,"code":"42501","message":"permission denied for schema public"}"#,
        ),
    ];
    let others = [
        (401, r#"{"code":"PGRST303","details":null,"hint":null,"message":"JWT expired"}"#),
        (
            401,
            r#"{"code":"PGRST301","details":null,"hint":null,"message":"JWSError JWSInvalidSignature"}"#,
        ),
        (401, r#"{"message":"Invalid authentication credentials"}"#),
        (
            401,
            r#"{"code":"42501","details":null,"hint":null,"message":"permission denied to set role \"anon\""}"#,
        ),
        (200, "<!doctype html><h1>It works</h1>"),
        (200, r#"[{"id":1,"note":"\"code\":\"42501\""}]"#),
        (200, ""),
    ];
    for step in ["anon reads no logs", "anon reads no decisions"] {
        for (status, body) in proofs {
            assert_eq!(
                judged("supabase-smoke", step, &Canned::new(status, body)),
                Ok(()),
                "{body}"
            );
        }
        for (status, body) in others {
            assert!(judged("supabase-smoke", step, &Canned::new(status, body)).is_err(), "{body}");
        }
    }
}

#[test]
fn a_key_is_accepted_if_any_version_looked_for_the_table() {
    for body in [
        r#"{"code":"PGRST205","message":"Could not find the table 'public.tollgate_no_such_table' in the schema cache"}"#,
        r#"{"code":"42P01","message":"relation \"public.tollgate_no_such_table\" does not exist"}"#,
    ] {
        assert_eq!(
            judged("supabase-smoke", "anon's key is taken", &Canned::new(404, body)),
            Ok(()),
            "{body}"
        );
    }
    for (status, body, found) in [
        (
            401,
            r#"{"code":"PGRST301","message":"JWSError JWSInvalidSignature"}"#,
            "\"JWSError JWSInvalidSignature\"",
        ),
        (
            401,
            r#"{"message":"Invalid authentication credentials"}"#,
            "\"Invalid authentication credentials\"",
        ),
        (
            404,
            r#"{"error":"requested path is invalid"}"#,
            "nothing at /message, but a message at /error",
        ),
        (
            404,
            r#"{"message":"no Route matched with /rest/v1/tollgate_no_such_table"}"#,
            "nothing at /code, but a message at /message",
        ),
        (404, "<h1>Not found</h1>", "18 bytes that are not JSON"),
        (200, "<h1>It works</h1>", "200 OK"),
    ] {
        let unmet = judged("supabase-smoke", "anon's key is taken", &Canned::new(status, body))
            .unwrap_err();
        assert!(unmet.seen.starts_with(found), "{unmet:?}");
    }
}

const NO_LINE: &[&str] = &["`the line arrives`", "no rows (", "tries in 5", "instead of rows = 1"];

#[test]
fn each_failure_is_reported_by_its_step() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let url = cases.cluster.url_of(&cases.after(""));
    let cases: [(&[&str], &[&[&str]]); 4] = [
        (
            &["occ-log-lost", "anon-reads"],
            &[NO_LINE, &["`anon reads no logs`", "`anon reads no decisions`", "body_matches"]],
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
            &[&[
                "`REST`",
                "503 Service Unavailable instead of status = 200",
                "`anon reads no logs`",
            ]],
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
    // The slow cases take five seconds each, and they are independent.
    std::thread::scope(|scope| {
        for (sick, words) in cases {
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
fn a_line_is_searched_only_among_the_newest() {
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
    let target = Target::start(&["--occ-log-database", away]);
    let outcome = smoke_with(&target, away, &[REPORTS]);
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
