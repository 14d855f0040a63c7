//! The rehearsal target as Supabase, without a database behind it.

use serde_json::{Value, json};

use super::{Client, start};

const ANON: &str = "apikey: rehearsal-anon\r\n";
const SERVICE: &str = "apikey: rehearsal-service\r\n";
const TABLES: [&str; 2] =
    ["/rest/v1/observability_logs?select=*", "/rest/v1/decision_sync_events?limit=1"];
const OCC_LOG: &str = "/functions/v1/occ-log";
const BEARER: &str = "authorization: Bearer rehearsal-anon\r\n";

fn count(rows: &Value) -> usize {
    rows.as_array().unwrap().len()
}

#[test]
fn supabase_requires_one_of_its_keys() {
    let target = start(&["--supabase-anon-key", "a", "--supabase-service-key", "s"]);
    let mut client = Client::connect(&target);
    for path in ["/rest/v1/", TABLES[0], "/rest/v1/other", "/auth/v1/health"] {
        let none = client.get(path);
        assert_eq!(
            (none.status, none.json()),
            (401, json!({ "message": "No API key found in request" }))
        );
        let wrong = client.get_with(path, ANON);
        assert_eq!(
            (wrong.status, wrong.json()),
            (401, json!({ "message": "Invalid API key" })),
            "{path}"
        );
    }
    for key in ["apikey: a\r\n", "apikey: s\r\n"] {
        assert_eq!(client.get_with(TABLES[0], key).status, 200, "{key}");
    }
}

#[test]
fn only_the_service_role_reads_rows() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    for path in TABLES {
        let (anon, service) = (client.get_with(path, ANON), client.get_with(path, SERVICE));
        assert_eq!((anon.status, count(&anon.json())), (200, 0), "{path}");
        assert_eq!((service.status, count(&service.json())), (200, 1), "{path}");
    }
    let decision = &client.get_with(TABLES[1], SERVICE).json()[0];
    for column in
        ["decisionId", "status", "durationMs", "errorCode", "attempt", "timestamp", "scope"]
    {
        assert!(decision.get(column).is_some(), "{column}");
    }
}

#[test]
fn without_row_security_anon_reads_rows() {
    let target = start(&["--sick", "anon-reads"]);
    let mut client = Client::connect(&target);
    for path in TABLES {
        assert_eq!(count(&client.get_with(path, ANON).json()), 1, "{path}");
    }
}

#[test]
fn an_expired_anon_key_passes_the_gateway_and_is_refused_behind_it() {
    let target = start(&["--sick", "anon-expired"]);
    let mut client = Client::connect(&target);
    for path in [TABLES[0], "/rest/v1/", "/rest/v1/other"] {
        let refused = client.get_with(path, ANON);
        assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("PGRST303")), "{path}");
    }
    assert_eq!(client.get_with(TABLES[0], SERVICE).status, 200);
    assert_eq!(client.get_with("/auth/v1/health", ANON).status, 200);
    assert_eq!(client.post(OCC_LOG, BEARER, "{}").status, 401);
}

#[test]
fn a_missing_table_is_named() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    let message = "Could not find the table 'public.notification_settings' in the schema cache";
    let error = json!({ "code": "PGRST205", "details": null, "hint": null, "message": message });
    for key in [ANON, SERVICE] {
        let absent = client.get_with("/rest/v1/notification_settings?select=*", key);
        assert_eq!((absent.status, absent.json()), (404, error.clone()));
    }
    assert_eq!(client.get_with("/rest/v1", SERVICE).status, 404);
}

#[test]
fn only_the_service_role_reads_the_description() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    let service = client.get_with("/rest/v1/", SERVICE);
    assert_eq!((service.status, &service.json()["swagger"]), (200, &json!("2.0")));
    let anon = client.get_with("/rest/v1/", ANON);
    assert_eq!((anon.status, &anon.json()["message"]), (401, &json!("Invalid API key")));
}

#[test]
fn auth_reports_its_version_and_a_broken_one_answers_503() {
    let target = start(&[]);
    let health = Client::connect(&target).get_with("/auth/v1/health", ANON);
    assert_eq!((health.status, &health.json()["name"]), (200, &json!("GoTrue")));
    assert_eq!(health.json()["version"], "v2.180.0");
    let sick = start(&["--sick", "no-auth"]);
    assert_eq!(Client::connect(&sick).get_with("/auth/v1/health", ANON).status, 503);
}

#[test]
fn a_rest_api_without_its_database_answers_503() {
    let target = start(&["--sick", "no-rest"]);
    let mut client = Client::connect(&target);
    for path in ["/rest/v1/", TABLES[0], "/rest/v1/other"] {
        let down = client.get_with(path, SERVICE);
        assert_eq!((down.status, &down.json()["code"]), (503, &json!("PGRST002")), "{path}");
        assert_eq!(client.get(path).status, 401, "{path}");
    }
    assert_eq!(client.get_with("/auth/v1/health", ANON).status, 200);
}

#[test]
fn an_occ_log_that_does_not_start_always_answers_503() {
    let target = start(&["--sick", "occ-log-down"]);
    let mut client = Client::connect(&target);
    for body in [r#"{"level":"info","message":"hello"}"#, "{"] {
        let down = client.post(OCC_LOG, BEARER, body);
        assert_eq!((down.status, &down.json()["code"]), (503, &json!("BOOT_ERROR")), "{body}");
    }
    assert_eq!(client.post(OCC_LOG, "", "{").status, 401);
}

#[test]
fn occ_log_accepts_only_lines_with_a_key() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    let line = r#"{"level":"info","message":"hello"}"#;
    for bearer in [BEARER, "authorization: Bearer rehearsal-service\r\n"] {
        let accepted = client.post(OCC_LOG, bearer, line);
        assert_eq!((accepted.status, accepted.json()), (200, json!({ "ok": true })));
    }
    for (headers, why) in [
        ("", "Error: Missing authorization header"),
        (ANON, "Error: Missing authorization header"),
        ("authorization: Bearer wrong\r\n", "Invalid JWT"),
        ("authorization: rehearsal-anon\r\n", "Invalid JWT"),
    ] {
        let refused = client.post(OCC_LOG, headers, line);
        assert_eq!((refused.status, refused.json()), (401, json!({ "msg": why })), "{headers}");
    }
    let refused = client.get_with(OCC_LOG, BEARER);
    assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")));
}

/// Bodies that are not a line of a log.
fn no_lines() -> Vec<String> {
    let wrong = ["", "{", "[]", "null", r#"{"level":"info"}"#, r#"{"level":1,"message":"m"}"#];
    let wrong = wrong.into_iter().chain([r#"{"level":"info","message":"m","metadata":[]}"#]);
    wrong
        .map(str::to_owned)
        .chain([format!("{}1{}", "[".repeat(9_000), "]".repeat(9_000))])
        .collect()
}

#[test]
fn occ_log_explains_why_a_body_is_not_a_line() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    for body in no_lines() {
        let refused = client.post(OCC_LOG, BEARER, &body);
        assert_eq!(refused.status, 400, "{body}");
        assert!(
            refused.json()["error"].as_str().unwrap().starts_with("no line of a log: "),
            "{}",
            refused.body
        );
    }
}

#[test]
fn a_lax_occ_log_accepts_anything() {
    let target = start(&["--sick", "occ-log-lax"]);
    let mut client = Client::connect(&target);
    for body in no_lines() {
        assert_eq!(client.post(OCC_LOG, BEARER, &body).status, 200, "{body}");
    }
    assert_eq!(client.post(OCC_LOG, "", "{").status, 401);
}

#[test]
fn a_body_above_64_kib_is_too_large_and_the_connection_continues() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    let line = |length: usize| {
        let frame = r#"{"level":"info","message":""}"#.len();
        format!(r#"{{"level":"info","message":"{}"}}"#, "x".repeat(length - frame))
    };
    for (length, status) in [(65_536, 200), (65_537, 413), (4 << 20, 413)] {
        assert_eq!(client.post(OCC_LOG, BEARER, &line(length)).status, status, "{length} bytes");
    }
    client.send(
        "POST /functions/v1/occ-log HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n",
    );
    client.send(&format!(
        "{BEARER}\r\n16\r\n{{\"level\":\"info\",\"messa\r\nb\r\nge\":\"two\"}} \r\n0\r\n\r\n"
    ));
    assert_eq!(client.answer(true).status, 200, "a body in chunks");
}

#[test]
fn a_body_that_breaks_off_ends_only_its_connection() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    client.send(&format!(
        "POST {OCC_LOG} HTTP/1.1\r\nhost: localhost\r\n{BEARER}content-length: 9\r\n\r\n{{"
    ));
    drop(client);
    assert_eq!(Client::connect(&target).get("/health").status, 200);
}

#[test]
fn a_stall_holds_the_services_too() {
    let before = super::now();
    let target = start(&["--stall", "299999us", "--every", "300ms"]);
    let line = r#"{"level":"info","message":"hello"}"#;
    assert_eq!(Client::connect(&target).post(OCC_LOG, BEARER, line).status, 200);
    assert!(before.elapsed().as_millis() >= 299, "after {:?}", before.elapsed());
}
