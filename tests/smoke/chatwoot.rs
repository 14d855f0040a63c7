//! `scenarios/chatwoot-smoke.toml`

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use super::bench::{Outcome, REPORTS, Target, run, tollgate};
use super::canned::{Canned, serve};

const TOKEN: &str = "token-canary-4f1d";

fn smoke(target: &Target, changed: &[(&str, &str)]) -> Outcome {
    let list = format!("{}/occ/conversations", target.url);
    let mut variables = vec![
        ("CHATWOOT_BASE_URL", target.url.as_str()),
        ("CHATWOOT_API_TOKEN", TOKEN),
        ("CHATWOOT_ACCOUNT_ID", "1"),
        ("OCC_CONVERSATIONS_URL", &list),
    ];
    variables.retain(|(name, _)| changed.iter().all(|(changed, _)| changed != name));
    variables.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
    run("chatwoot-smoke", &variables)
}

fn target(flags: &[&str]) -> Target {
    Target::start(&[&["--chatwoot-token", TOKEN], flags].concat())
}

#[test]
fn a_healthy_chatwoot_passes_and_what_its_profile_holds_is_nowhere_to_be_found() {
    let target = target(&["--chatwoot-secret", "access-canary-77aa"]);
    let outcome = smoke(&target, &[REPORTS]);
    outcome.passed();
    for secret in [TOKEN, "access-canary-77aa", "rehearsal-pubsub-token"] {
        outcome.hides(secret);
    }
}

#[test]
fn a_service_that_is_failing_behind_a_200_is_a_failure() {
    for (sick, key) in [("chatwoot-queue", "/queue_services"), ("chatwoot-data", "/data_services")]
    {
        let outcome = smoke(&target(&["--sick", sick]), &[]);
        outcome.failed(&["`services`", &format!("\"failing\" instead of json.\"{key}\" = \"ok\"")]);
    }
}

#[test]
fn services_that_do_not_say_ok_are_not_well_whatever_they_say() {
    let healthy = target(&[]);
    for (queue, data, found) in [
        ("null", "\"ok\"", "null instead of json.\"/queue_services\" = \"ok\""),
        ("\"ok\"", "{\"error\":\"down\"}", "an object instead of json.\"/data_services\" = \"ok\""),
        ("\"ok\"", "true", "true instead of json.\"/data_services\" = \"ok\""),
        ("\"\"", "\"ok\"", "\"\" instead of json.\"/queue_services\" = \"ok\""),
    ] {
        let body = format!(
            "{{\"version\":\"4.6.0\",\"queue_services\":{queue},\"data_services\":{data}}}"
        );
        let url = serve(move |_| Canned::new(200, &body));
        smoke(&healthy, &[("CHATWOOT_BASE_URL", &url)]).failed(&["`services`", found]);
    }
    let bare = serve(|_| Canned::new(200, "{\"version\":\"4.6.0\"}"));
    smoke(&healthy, &[("CHATWOOT_BASE_URL", &bare)])
        .failed(&["`services`", "nothing at /queue_services"]);
}

#[test]
fn a_chatwoot_without_authentication_is_reported() {
    let outcome = smoke(&target(&["--sick", "chatwoot-open"]), &[]);
    outcome.failed(&["`no token`", "`bad token`", "let in, 200", "close the gap"]);
}

#[test]
fn another_account_than_the_one_meant_is_a_failure_that_shows_nothing_of_the_profile() {
    let outcome = smoke(&target(&["--chatwoot-account", "2"]), &[]);
    outcome.failed(&[
        "`profile`",
        "another value",
        "/account_id\" = \"1\"",
        "`conversations`",
        "404",
    ]);
}

#[test]
fn a_wrong_token_is_refused_and_never_shown() {
    let outcome = smoke(&target(&[]), &[REPORTS, ("CHATWOOT_API_TOKEN", "wrong-canary-0000")]);
    outcome.failed(&["`profile`", "401", "`conversations`"]);
    outcome.hides("wrong-canary-0000");
}

#[test]
fn conversations_of_another_shape_are_a_failure_that_names_the_place() {
    let outcome = smoke(&target(&["--sick", "chatwoot-shape"]), &[]);
    outcome.failed(&["`conversations`", "nothing at /data/meta/"]);
}

#[test]
fn a_failing_list_differs_from_one_that_is_not_configured() {
    smoke(&target(&["--sick", "occ-list"]), &[]).failed(&["`list of the control center`", "500"]);
    let target = target(&[]);
    smoke(&target, &[("OCC_CONVERSATIONS_URL", "")]).left_open(&[
        "`list of the control center`",
        "not configured, variable `OCC_CONVERSATIONS_URL` is not set",
    ]);
}

/// Serves these answers with status 200, one per request; returns the URL.
fn in_turn(answers: [&'static str; 2]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/list", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let head = BufReader::new(&stream).lines();
            assert!(head.map_while(Result::ok).any(|line| line.is_empty()), "the head has an end");
            let length = answer.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}"
            )
            .unwrap();
        }
    });
    url
}

#[test]
fn each_tick_has_an_entry_and_the_worst_of_them_is_the_exit() {
    let target = target(&[]);
    // An error is not a list, even with status 200.
    let list = in_turn([r#"{"error":"no session"}"#, r#"{"ok":true,"conversations":[]}"#]);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("feedback.md");
    let mut command = tollgate();
    command.args([
        "run",
        "scenarios/chatwoot-smoke.toml",
        "--store",
        "none",
        "--every",
        "1s",
        "--times",
        "2",
    ]);
    command.arg("--evidence").arg(&log).arg("--runs-dir").arg(folder.path().join("runs"));
    command.env("CHATWOOT_BASE_URL", &target.url).env("CHATWOOT_API_TOKEN", TOKEN);
    command.env("CHATWOOT_ACCOUNT_ID", "1").env("OCC_CONVERSATIONS_URL", list);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let log = std::fs::read_to_string(log).unwrap();
    let headings: Vec<_> = log.lines().filter(|line| line.starts_with("## ")).collect();
    assert_eq!(headings.len(), 2, "{log}");
    assert!(
        headings[0].ends_with("— chatwoot-smoke: FAIL") && headings[1].ends_with(": PASS"),
        "{log}"
    );
    assert!(
        log.contains("list of the control center · errors = 0: 1 of 1 request failed"),
        "{log}"
    );
    assert!(!log.contains(TOKEN), "{log}");
}
