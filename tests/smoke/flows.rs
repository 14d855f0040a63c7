//! Flows of a scenario's own making: values handed on, steps tried again, statements that write.

use super::bench::{Target, run_text};
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
path = "/redirect/${{secret}}"
"#;
    let outcome = run_text(text, &[("TOLLGATE_TARGET", &target.url)]);
    outcome.failed(&["`echo of a secret`", "404"]);
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
fn a_statement_that_must_be_denied_is_ok_where_it_is_and_let_in_where_it_is_not() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.create_database("denied");
    cluster.sql("denied", "create role stranger login password 'stranger'; create table private (id int)");
    let text = "name = \"denied\"\nbudgets = [\"errors = 0\"]\n[databases]\nmain = \"${DATABASE_URL}\"\n\
                [[request]]\nname = \"strangers\"\nsql = \"select * from private\"\nexpect = { denied = true }\n";
    let stranger = cluster.url_as("stranger", "stranger", "denied");
    run_text(text, &[("DATABASE_URL", &stranger)]).passed();
    let outcome = run_text(text, &[("DATABASE_URL", &cluster.url_of("denied"))]);
    outcome.failed(&["`strangers`", "let in, the statement was carried out"]);
}
