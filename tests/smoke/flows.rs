//! Flows defined by a scenario: captured values, repeated steps, statements that write.

use super::bench::{REPORTS, Target, run_text};
use super::cluster::{self, Cluster};

#[test]
fn a_value_captured_from_an_answer_is_sent_by_later_steps_and_never_shown() {
    let target = Target::start(&["--chatwoot-secret", "captured-canary-8812"]);
    let text = r#"
name = "flow"
budgets = ["errors = 0"]
[target]
base_url = "${TOLLGATE_TARGET}"
[[request]]
name = "profile"
path = "/api/v1/profile"
headers = { api_access_token = "rehearsal" }
[request.capture]
secret = { json = "/access_token" }
account = { json = "/account_id" }
[[request]]
name = "conversations"
path = "/api/v1/accounts/${{account}}/conversations?echo=${{secret}}"
headers = { api_access_token = "rehearsal", x-secret = "${{secret}}" }
[[request]]
name = "echo of a secret"
path = "/api/v1/profile"
headers = { api_access_token = "rehearsal" }
redirects = 1
[request.expect]
json = { "/access_token" = "other" }
[[request]]
name = "echo after a redirect"
path = "/redirect?n=1&${{secret}}"
redirects = 2
[request.expect]
final_url = "/redirect?n=7"
"#;
    let outcome = run_text(text, &[REPORTS, ("TOLLGATE_TARGET", &target.url)]);
    outcome.failed(&[
        "`echo of a secret`",
        "\"•••\" instead of json.\"/access_token\"",
        "`echo after a redirect`",
    ]);
    outcome.hides("captured-canary-8812");
    assert_eq!(outcome.record.measurement.scenarios[0].requests[1].measured.tally.ok, 1);
}

#[test]
fn a_statement_writes_only_where_the_step_says_so() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.create_database("notes");
    cluster.sql("notes", "create table notes (id serial, text text)");
    let url = cluster.url_of("notes");
    let text = |writes: &str| {
        format!(
            "name = \"notes\"\nbudgets = [\"errors = 0\", \"max < 5s\"]\n[databases]\nmain = \"${{DATABASE_URL}}\"\n\
             [[request]]\nname = \"write\"\nsql = \"insert into notes (text) values ($1) returning id, text\"\n\
             values = [\"it's ${{{{uuid}}}}\"]\n{writes}\n[request.expect]\nrows = 1\njson_type = {{ \"/0/id\" = \"integer\" }}\n\
             [request.capture]\nid = {{ json = \"/0/id\" }}\ntext = {{ json = \"/0/text\" }}\n\
             [[request]]\nname = \"read\"\nsql = \"select text from notes where id = $1::int\"\nvalues = [\"${{{{id}}}}\"]\n\
             [request.expect]\njson = {{ \"/0/text\" = \"${{{{text}}}}\" }}\n"
        )
    };
    run_text(&text("writes = true"), &[("DATABASE_URL", &url)]).passed();
    assert_eq!(cluster.sql("notes", "select count(*) from notes"), [["1"]]);
}

#[test]
fn database_errors_of_a_sensitive_step_are_hidden() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.create_database("notes");
    cluster.sql("notes", "create table notes as values ('row-canary-5501')");
    let text = "name = \"notes\"\nbudgets = [\"errors = 0\"]\n[databases]\nmain = \"${DATABASE_URL}\"\n\
                [[request]]\nname = \"cast\"\nsensitive = true\nsql = \"select column1::int from notes\"\n";
    let outcome = run_text(text, &[REPORTS, ("DATABASE_URL", &cluster.url_of("notes"))]);
    outcome.failed(&["`cast`", "(SQLSTATE 22P02)"]);
    outcome.hides("row-canary-5501");
}

#[test]
fn a_statement_that_must_be_denied_is_ok_if_denied_and_otherwise_let_in() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.create_database("denied");
    cluster.sql(
        "denied",
        "create role stranger login password 'stranger'; create table private (id int)",
    );
    let text = "name = \"denied\"\nbudgets = [\"errors = 0\"]\n[databases]\nmain = \"${DATABASE_URL}\"\n\
                [[request]]\nname = \"strangers\"\nsql = \"select * from private\"\nexpect = { denied = true }\n";
    let stranger = cluster.url_as("stranger", "stranger", "denied");
    run_text(text, &[("DATABASE_URL", &stranger)]).passed();
    // The table is empty, but a statement that is not denied still fails.
    let excused = text.replace("expect =", "when_absent = \"accept\"\nexpect =");
    for text in [text, &excused] {
        let outcome = run_text(text, &[("DATABASE_URL", &cluster.url_of("denied"))]);
        outcome.failed(&["`strangers`", "let in, the statement was executed"]);
    }
    // A user who cannot connect was not denied by the statement.
    cluster.sql("denied", "revoke connect on database denied from public");
    run_text(text, &[("DATABASE_URL", &stranger)]).failed(&[
        "`strangers`",
        "no session",
        "permission denied for database",
    ]);
}

#[test]
fn two_names_of_one_server_keep_separate_settings() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let url = cluster.url_of("postgres");
    let verified = format!("{url}?sslmode=verify-full");
    let text = "name = \"terms\"\nbudgets = [\"errors = 0\"]\n\
                [databases]\nplain = \"${PLAIN_URL}\"\nverified = \"${VERIFIED_URL}\"\n\
                [[request]]\nname = \"plain\"\ndatabase = \"plain\"\nsql = \"select 1 as one\"\n\
                [[request]]\nname = \"verified\"\ndatabase = \"verified\"\nsql = \"select 1 as one\"\n";
    let outcome = run_text(text, &[("PLAIN_URL", &url), ("VERIFIED_URL", &verified)]);
    outcome.failed(&["`verified`", "TLS"]);
    assert!(!outcome.reasons().contains("`plain`"), "{}", outcome.reasons());
}

#[test]
fn variables_and_pattern_matches_are_compared_as_text() {
    let target = Target::start(&["--chatwoot-account", "7"]);
    let profile = "path = \"/api/v1/profile\"\nheaders = { api_access_token = \"rehearsal\" }\n";
    let text = |expect: &str| {
        format!(
            "name = \"reads\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"${{TOLLGATE_TARGET}}\"\n\
             [[request]]\nname = \"first\"\n{profile}capture = {{ id = {{ regex = '\"account_id\": ?([0-9]+)' }} }}\n\
             [[request]]\nname = \"second\"\n{profile}expect = {{ {expect} }}\n"
        )
    };
    let variables = [("TOLLGATE_TARGET", target.url.as_str()), ("ACCOUNT", "7")];
    for (expect, holds) in [
        ("json = { \"/account_id\" = \"${ACCOUNT}\" }", true),
        ("json = { \"/account_id\" = \"${{id}}\" }", true),
        ("json_not = { \"/account_id\" = \"${ACCOUNT}\" }", false),
        ("json_not = { \"/account_id\" = \"${{id}}\" }", false),
    ] {
        let outcome = run_text(&text(expect), &variables);
        assert_eq!(outcome.exit, i32::from(!holds), "{expect}: {}", outcome.reasons());
    }
}
