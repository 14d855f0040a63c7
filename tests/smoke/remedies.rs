//! The remedies of failed steps must fit the kind of step: a database, or an address that must
//! deny.

use super::bench::{Target, run_text};
use super::cluster::{self, Cluster};

fn step(sql: &str) -> String {
    format!(
        "name = \"remedies\"\nbudgets = [\"errors = 0\"]\n[databases]\nmain = \"${{DATABASE_URL}}\"\n\
         [[request]]\nname = \"asked\"\n{sql}\n"
    )
}

#[test]
fn a_server_without_tls_is_told_to_turn_it_on_and_not_asked_for_a_certificate() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let url = format!("{}?sslmode=require", cluster.url());
    let outcome = run_text(&step("sql = \"select 1\""), &[("DATABASE_URL", &url)]);
    outcome.failed(&["offers no TLS", "turn TLS on in the server", "sslmode=disable"]);
    assert!(!outcome.reasons().contains("tls_ca"), "{}", outcome.reasons());
}

#[test]
fn a_value_that_is_compared_as_another_type_than_text_is_told_how_to_be_cast() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let said = |sql: &str| {
        let outcome = run_text(&step(sql), &[("DATABASE_URL", &cluster.url())]);
        outcome.failed(&["1 request failed"]);
        outcome.reasons()
    };
    let compared =
        said("sql = \"select oid from pg_class where oid::bigint = $1\"\nvalues = [\"1\"]");
    assert!(compared.contains("→ values are bound as text: write `$1::bigint`"), "{compared}");
    let given = said("sql = \"select abs($1) as n\"\nvalues = [\"1\"]");
    assert!(
        given.contains("→ values are bound as text: write `$1::bigint`, or correct the name"),
        "{given}"
    );
    let without = said("sql = \"select 1::bigint = 'x'::text as n\"");
    assert!(!without.contains("$1"), "{without}");
    let wrong = said("sql = \"select 1 as n\"\nexpect = { rows = 0 }");
    assert!(
        wrong.contains("1 row, n: 1 instead of rows = 0 → run the statement once by hand"),
        "{wrong}"
    );
}

#[test]
fn an_address_that_denies_nothing_because_nothing_is_there_is_looked_at() {
    let target = Target::start(&[]);
    let text = "name = \"denied\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"${TOLLGATE_TARGET}\"\n\
                [[request]]\nname = \"strangers\"\npath = \"/nothing/here\"\nexpect = { denied = true }\n";
    let outcome = run_text(text, &[("TOLLGATE_TARGET", &target.url)]);
    outcome.failed(&[
        "404 Not Found instead of denied = true → a denial is 401 or 403: check that the address exists",
    ]);
    assert!(!outcome.reasons().contains("other credentials"), "{}", outcome.reasons());
}
