//! The rehearsal target as Chatwoot.

use serde_json::json;
use time::PrimitiveDateTime;
use time::macros::format_description;

use super::{Client, start};

const TOKEN: &str = "api_access_token: rehearsal\r\n";
const CONVERSATIONS: &str = "/api/v1/accounts/1/conversations";

#[test]
fn chatwoot_reports_version_time_and_health() {
    let target = start(&[]);
    let health = Client::connect(&target).get("/api");
    assert_eq!(
        (health.status, health.header("content-type")),
        (200, Some("application/json; charset=utf-8"))
    );
    let health = health.json();
    assert_eq!(
        [&health["version"], &health["queue_services"], &health["data_services"]],
        ["4.6.0", "ok", "ok"]
    );
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    PrimitiveDateTime::parse(health["timestamp"].as_str().unwrap(), format).unwrap();
}

#[test]
fn a_failing_chatwoot_service_keeps_status_200() {
    for (sick, failing, fine) in [
        ("chatwoot-queue", "queue_services", "data_services"),
        ("chatwoot-data", "data_services", "queue_services"),
    ] {
        let target = start(&["--sick", sick]);
        let health = Client::connect(&target).get("/api");
        assert_eq!(health.status, 200);
        assert_eq!([&health.json()[failing], &health.json()[fine]], ["failing", "ok"], "{sick}");
    }
}

#[test]
fn chatwoots_profile_contains_tokens() {
    let target = start(&[
        "--chatwoot-account",
        "7",
        "--chatwoot-secret",
        "a-canary",
        "--chatwoot-token",
        "t",
    ]);
    let profile = Client::connect(&target).get_with("/api/v1/profile", "API_ACCESS_TOKEN: t\r\n");
    assert_eq!(profile.status, 200);
    let profile = profile.json();
    assert_eq!(
        [&profile["access_token"], &profile["pubsub_token"]],
        ["a-canary", "rehearsal-pubsub-token"]
    );
    assert_eq!(profile["account_id"], 7);
    assert_eq!(
        [&profile["accounts"][0]["id"], &profile["accounts"][0]["role"]],
        [&json!(7), &json!("administrator")]
    );
    let plain = start(&[]);
    let profile = Client::connect(&plain).get_with("/api/v1/profile", TOKEN).json();
    assert_eq!(profile["access_token"], "rehearsal-access-token");
}

#[test]
fn chatwoot_accepts_its_token_only_in_its_own_header() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    let nobody = json!({ "errors": ["You need to sign in or sign up before continuing."] });
    let wrong = json!({ "error": "Invalid Access Token" });
    for path in ["/api/v1/profile", CONVERSATIONS, "/api/v1/accounts/2/conversations"] {
        for (headers, why) in [
            ("", &nobody),
            ("authorization: Bearer rehearsal\r\n", &nobody),
            ("api_access_token: rehearsa\r\n", &wrong),
        ] {
            let refused = client.get_with(path, headers);
            assert_eq!((refused.status, &refused.json()), (401, why), "{path} with {headers}");
        }
    }
}

#[test]
fn chatwoot_counts_the_conversations_of_its_one_account() {
    let target = start(&["--chatwoot-account", "7"]);
    let mut client = Client::connect(&target);
    let list = client.get_with("/api/v1/accounts/7/conversations?status=all", TOKEN);
    let meta =
        json!({ "mine_count": 0, "assigned_count": 0, "unassigned_count": 0, "all_count": 0 });
    assert_eq!(
        (list.status, list.json()),
        (200, json!({ "data": { "meta": meta, "payload": [] } }))
    );
    for account in ["1", "me", "99999999999999999999"] {
        let other = client.get_with(&format!("/api/v1/accounts/{account}/conversations"), TOKEN);
        assert_eq!(
            (other.status, other.json()),
            (404, json!({ "error": "Resource could not be found" }))
        );
    }
}

#[test]
fn an_open_chatwoot_requires_no_token() {
    let target = start(&["--sick", "chatwoot-open"]);
    let mut client = Client::connect(&target);
    assert_eq!(
        [client.get("/api/v1/profile").status, client.get(CONVERSATIONS).status],
        [200, 200]
    );
}

#[test]
fn a_chatwoot_of_another_shape_leaves_the_counts_out() {
    let target = start(&["--sick", "chatwoot-shape"]);
    let list = Client::connect(&target).get_with(CONVERSATIONS, TOKEN);
    assert_eq!((list.status, list.json()), (200, json!({ "data": { "payload": [] } })));
}

#[test]
fn paths_of_old_checks_do_not_exist() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    for path in ["/public/api/v1/accounts", "/rails/health", "/hc", "/api/v1/accounts", "/apis"] {
        assert_eq!(client.get_with(path, TOKEN).status, 404, "{path}");
    }
    let refused = client.post("/api", "", "");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
}
