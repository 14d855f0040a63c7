//! The rehearsal target as an MCP server.

use serde_json::{Value, json};
use tollgate::target::BackgroundTarget;

use super::{Answer, Client, start};

const BOTH: &str = "accept: application/json, text/event-stream\r\n";

fn say(target: &BackgroundTarget, headers: &str, body: &str) -> Answer {
    Client::connect(target).post(
        "/mcp",
        &format!("{BOTH}content-type: application/json\r\n{headers}"),
        body,
    )
}

fn request(method: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": {} }).to_string()
}

/// Opens a session; returns its header.
fn open(target: &BackgroundTarget) -> String {
    let opened = say(target, "", &request("initialize"));
    assert_eq!(opened.status, 200);
    format!("mcp-session-id: {}\r\n", opened.header("mcp-session-id").unwrap())
}

fn code(answer: &Answer) -> &'static str {
    match answer.json()["error"]["code"].as_i64() {
        None => "none",
        Some(-32700) => "parse error",
        Some(-32600) => "invalid request",
        Some(-32601) => "method not found",
        Some(-32603) => "internal error",
        Some(_) => "refused",
    }
}

#[test]
fn a_session_describes_the_server_and_lists_two_tools() {
    let target = start(&[]);
    let opened = say(&target, "", &request("initialize"));
    assert_eq!(opened.header("content-type"), Some("application/json"));
    let opened = opened.json();
    assert_eq!([&opened["jsonrpc"], &opened["id"]], [&json!("2.0"), &json!(7)]);
    assert_eq!(opened["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(opened["result"]["capabilities"], json!({ "tools": { "listChanged": false } }));
    assert_eq!(opened["result"]["serverInfo"]["name"], "rehearsal");

    let session = format!("{}mcp-protocol-version: 2025-06-18\r\n", open(&target));
    let accepted =
        say(&target, &session, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!((accepted.status, accepted.body.as_str()), (202, ""));
    let listed = say(&target, &session, &request("tools/list"));
    assert_eq!(listed.status, 200);
    let tools = listed.json()["result"]["tools"].as_array().unwrap().clone();
    assert_eq!(tools.len(), 2);
    for tool in tools {
        assert!(tool["name"].is_string() && tool["description"].is_string(), "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
    }
    assert_eq!(say(&target, &session, &request("ping")).json()["result"], json!({}));
}

#[test]
fn requests_outside_a_session_are_refused() {
    let target = start(&[]);
    let notice = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned();
    for body in [request("tools/list"), request("ping"), notice] {
        assert_eq!(say(&target, "", &body).status, 400, "{body}");
        assert_eq!(say(&target, "mcp-session-id: other\r\n", &body).status, 404, "{body}");
    }
}

#[test]
fn the_oldest_of_more_than_64_sessions_is_forgotten() {
    let target = start(&[]);
    let (first, second) = (open(&target), open(&target));
    let others: Vec<String> = (0..63).map(|_| open(&target)).collect();
    let status = |session: &str| say(&target, session, &request("tools/list")).status;
    assert_eq!((status(&first), status(&second), status(&others[62])), (404, 200, 200));
}

#[test]
fn invalid_requests_get_json_rpc_errors() {
    let target = start(&[]);
    for (body, status, why) in [
        ("{", 400, "parse error"),
        ("[]", 400, "invalid request"),
        (r#"{"id":1,"method":"initialize"}"#, 400, "invalid request"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"initialize"}"#, 400, "invalid request"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/undo"}"#, 200, "method not found"),
    ] {
        let refused = say(&target, "", body);
        assert_eq!((refused.status, code(&refused)), (status, why), "{body}");
    }
    let session = open(&target);
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert_eq!(say(&target, &session, answer).status, 202, "a client's own answer");
}

#[test]
fn a_client_must_accept_both_forms_and_a_known_version() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    for accept in
        ["", "accept: application/json\r\n", "accept: text/event-stream\r\n", "accept: */*\r\n"]
    {
        assert_eq!(client.post("/mcp", accept, &request("initialize")).status, 406, "{accept}");
    }
    let apart = "accept: text/event-stream;q=0.9\r\naccept: Application/JSON\r\n";
    assert_eq!(client.post("/mcp", apart, &request("initialize")).status, 200);
    let other = format!("{}mcp-protocol-version: 1999-12-31\r\n", open(&target));
    assert_eq!(say(&target, &other, &request("tools/list")).status, 400);
    let refused = client.get("/mcp");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")));
    assert_eq!(client.post("/mcp", BOTH, &" ".repeat(65_537)).status, 413);
}

#[test]
fn by_events_an_answer_is_one_message() {
    let target = start(&["--mcp-events"]);
    let listed = say(&target, &open(&target), &request("tools/list"));
    assert_eq!(listed.header("content-type"), Some("text/event-stream"));
    let data =
        listed.body.strip_prefix("event: message\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
    let message: Value = serde_json::from_str(data).unwrap();
    assert_eq!(message["result"]["tools"].as_array().unwrap().len(), 2);
    assert_eq!(code(&say(&target, "", "{")), "parse error", "what is refused is no event");
}

#[test]
fn a_broken_list_of_tools_is_an_error_with_status_200() {
    let target = start(&["--sick", "mcp-tools"]);
    let listed = say(&target, &open(&target), &request("tools/list"));
    assert_eq!((listed.status, code(&listed)), (200, "internal error"));
    assert_eq!(
        say(&target, "", &request("tools/list")).status,
        400,
        "a session is asked for all the same"
    );
}
