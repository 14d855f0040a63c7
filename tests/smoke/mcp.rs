//! `scenarios/mcp-ready.toml`

use super::bench::{Outcome, Target, run};

fn ready(target: &Target) -> Outcome {
    run("mcp-ready", &[("MCP_URL", &format!("{}/mcp", target.url))])
}

#[test]
fn a_server_that_answers_in_json_or_by_events_is_ready() {
    for flags in [&[][..], &["--mcp-events"]] {
        ready(&Target::start(flags)).passed();
    }
}

#[test]
fn a_server_that_cannot_list_its_tools_is_not() {
    ready(&Target::sick("mcp-tools")).failed(&["`tools`", "nothing at /result", "/error/message"]);
}

#[test]
fn a_server_without_mcp_fails_at_the_first_step_and_the_others_lack_its_session() {
    let target = Target::start(&[]);
    let outcome = run("mcp-ready", &[("MCP_URL", &format!("{}/nothing", target.url))]);
    outcome.failed(&["`initialize`", "404", "`tools`", "not captured, `initialize` failed"]);
}
