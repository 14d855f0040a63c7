//! `scenarios/supabase-local.toml`

use super::bench::{Outcome, Target, run};
use super::canned::{Canned, judged, serve};
use super::cluster;
use super::database::Cases;

const NOBODY: &str = "http://127.0.0.1:1";

/// The parts of a local Supabase's Studio that the scenario checks.
fn studio() -> String {
    serve(|head| {
        if head.starts_with("GET / ") {
            return Canned::new(307, "/project/default").with("Location", "/project/default");
        }
        Canned::new(
            200,
            "<!DOCTYPE html><html><head><title>Supabase</title></head><body></body></html>",
        )
    })
}

/// The rehearsal target plays the API, which requires a key.
fn local(api: &str, studio: &str, database: &str, migration: &str) -> Outcome {
    let variables = [
        ("SUPABASE_URL", api),
        ("SUPABASE_STUDIO_URL", studio),
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
    let with = |url, migration| local(&target.url, &studio(), url, migration);
    with(&url, "20251010000000").passed();
    with(&url, "20251011000000")
        .failed(&["`migrations`", "false instead of json.\"/0/is_newest\" = true"]);
    let bare = cases.cluster.url_of(&cases.after("drop schema supabase_migrations cascade"));
    with(&bare, "").left_open(&["`migrations`: absent", "schema_migrations"]);
}

#[test]
fn only_the_step_of_a_closed_port_fails() {
    let target = Target::start(&[]);
    let away = "postgresql://postgres:postgres@127.0.0.1:1/postgres";
    let outcome = local(&target.url, &studio(), away, "");
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
fn every_closed_port_is_reported() {
    let away = "postgresql://postgres:postgres@127.0.0.1:1/postgres";
    let outcome = local(NOBODY, NOBODY, away, "");
    assert_eq!(outcome.exit, 1);
    assert!(outcome.reasons().contains("the target never answered"), "{}", outcome.reasons());
}

#[test]
fn an_api_of_any_version_differs_from_another_web_server() {
    for (status, body, is_api) in [
        (
            200,
            r#"{"version":"v2.180.0","name":"GoTrue","description":"GoTrue is a user registration API"}"#,
            true,
        ),
        (401, r#"{"message":"No API key found in request","request_id":"1"}"#, true),
        (200, "<h1>router</h1>", false),
        (401, r#"{"error":"unauthorized"}"#, false),
        (200, r#"{"status":"ok"}"#, false),
        (200, r#"<p>{"name":"GoTrue"}"#, false),
    ] {
        assert_eq!(
            judged("supabase-local", "API", &Canned::new(status, body)).is_ok(),
            is_api,
            "{body}"
        );
    }
}

#[test]
fn another_page_is_not_mistaken_for_studio() {
    for (body, is_studios) in [
        ("<head><title data-next-head=\"\">Project | Supabase</title>", true),
        ("<h1>router</h1>", false),
        ("<title>My router</title> Supabase", false),
        ("<title>Supabasement</title>", false),
        ("", false),
    ] {
        assert_eq!(
            judged("supabase-local", "Studio", &Canned::new(200, body)).is_ok(),
            is_studios,
            "{body}"
        );
    }
    let router = || serve(|_| Canned::new(200, "<h1>router</h1>"));
    let away = "postgresql://postgres:postgres@127.0.0.1:1/postgres";
    local(&router(), &router(), away, "").failed(&[
        "`API`",
        "`Studio`",
        "no match in",
        "instead of body_matches",
    ]);
}
