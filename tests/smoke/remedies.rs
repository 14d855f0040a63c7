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
fn the_remedy_for_missing_tls_is_to_enable_it() {
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
fn the_remedy_for_a_wrong_type_is_a_cast() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let remedy = |sql: &str| {
        let outcome = run_text(&step(sql), &[("DATABASE_URL", &cluster.url())]);
        outcome.failed(&["1 request failed"]);
        outcome.reasons()
    };
    let compared =
        remedy("sql = \"select oid from pg_class where oid::bigint = $1\"\nvalues = [\"1\"]");
    assert!(compared.contains("→ values are bound as text: write `$1::bigint`"), "{compared}");
    let given = remedy("sql = \"select abs($1) as n\"\nvalues = [\"1\"]");
    assert!(
        given.contains("→ values are bound as text: write `$1::bigint`, or correct the name"),
        "{given}"
    );
    let without = remedy("sql = \"select 1::bigint = 'x'::text as n\"");
    assert!(!without.contains("$1"), "{without}");
    let wrong = remedy("sql = \"select 1 as n\"\nexpect = { rows = 0 }");
    assert!(
        wrong.contains("1 row, n: 1 instead of rows = 0 → run the statement once by hand"),
        "{wrong}"
    );
}

#[test]
fn a_missing_address_does_not_count_as_denied() {
    let target = Target::start(&[]);
    let text = "name = \"denied\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"${TOLLGATE_TARGET}\"\n\
                [[request]]\nname = \"strangers\"\npath = \"/nothing/here\"\nexpect = { denied = true }\n";
    let outcome = run_text(text, &[("TOLLGATE_TARGET", &target.url)]);
    outcome.failed(&[
        "404 Not Found instead of denied = true → a denial is 401 or 403: check that the address exists",
    ]);
    assert!(!outcome.reasons().contains("other credentials"), "{}", outcome.reasons());
}
