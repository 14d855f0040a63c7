//! Sessions whose API or metrics fail on the way.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::bench::{
    AS_IT_IS, FAST, LARGER, ONE, TOKEN, TuneBench, assert_exit, call, files_below, wait_until,
};
use crate::bench::{text, words};
use crate::fly_api::description::assert_described;
use crate::fly_api::relay::{Fault, Request};

fn error(status: u16, said: &str) -> (u16, Value) {
    (status, json!({"error": said}))
}

fn both() -> String {
    AS_IT_IS.to_owned() + LARGER
}

/// Why each attempt has no result.
fn problems(record: &Value) -> Vec<Option<&str>> {
    let attempts = record["attempts"].as_array().unwrap();
    attempts.iter().map(|attempt| attempt["problem"].as_str()).collect()
}

/// Refuses the first call of each kind.
fn refuse_once(refused: &Mutex<BTreeSet<String>>, request: &Request) -> Fault {
    let mut refused = refused.lock().unwrap();
    let is_new = refused.insert(format!("{} {}", request.method, request.path));
    if !request.is_api() || !is_new {
        return None;
    }
    Some(match (request.action(), refused.len() % 2) {
        ("wait", _) => error(408, "deadline_exceeded: machine failed to reach desired state"),
        (_, 0) => error(429, "rate limit exceeded"),
        _ => error(503, "the service is unavailable"),
    })
}

#[test]
fn calls_that_are_refused_once_with_408_429_or_503_are_sent_again() {
    let mut bench = TuneBench::new(FAST, ONE, LARGER);
    let refused = Mutex::new(BTreeSet::new());
    let relay = bench.relay(move |request| refuse_once(&refused, request));
    let before = bench.machines();
    assert_exit(&bench.run(&["--allow-downtime"]), 0);
    let statuses: BTreeSet<u16> = relay.exchanges().iter().map(|one| one.status).collect();
    assert!(statuses.is_superset(&BTreeSet::from([408, 429, 503])), "{statuses:?}");
    assert_eq!(problems(&bench.record()), [None]);
    assert_eq!(bench.machines(), before);
    assert_described(&relay);
}

#[test]
fn a_token_that_is_revoked_in_mid_session_leaves_the_restore_to_a_later_command() {
    let mut bench = TuneBench::new(FAST, ONE, &both());
    let revoked = Arc::new(AtomicBool::new(false));
    let is_revoked = Arc::clone(&revoked);
    let _relay = bench.relay(move |request| {
        let refuses = request.is_api() && is_revoked.load(Ordering::SeqCst);
        refuses.then(|| error(403, "the token has expired"))
    });
    let before = bench.machines();
    let mut child = bench.start(&["--allow-downtime"]);
    wait_until("the first attempt", || bench.stderr().contains("first answer"));
    revoked.store(true, Ordering::SeqCst);
    assert_eq!(child.wait().unwrap().code(), Some(4), "{}", bench.stderr());
    let said = words(bench.stderr().as_bytes());
    assert!(said.contains("the app was not restored"), "{said}");
    assert!(said.contains("run `tollgate tune restore`"), "{said}");
    assert_eq!(problems(&bench.record())[0], None);
    revoked.store(false, Ordering::SeqCst);
    assert_exit(&bench.restore(), 0);
    assert_eq!(bench.machines(), before);
}

#[test]
fn a_lease_that_a_deploy_takes_in_mid_session_costs_the_attempt_and_not_the_session() {
    // While a command runs, the session holds no lease.
    let command = "[[configuration]]\nname = \"by hand\"\ncommand = [\"true\"]\n";
    let mut bench = TuneBench::new(FAST, ONE, &(AS_IT_IS.to_owned() + command));
    let (api, is_released) = (bench.target.base_url.clone(), AtomicBool::new(false));
    let _relay = bench.relay(move |request| {
        let (method, is_lease) = (request.method.as_str(), request.action() == "lease");
        if method == "POST" && is_lease && is_released.swap(false, Ordering::SeqCst) {
            let lease = "{\"ttl\": 2, \"description\": \"deploy\"}";
            assert_eq!(call(&api, ("POST", &request.path), &[], lease).0, 201);
        }
        is_released.fetch_or(method == "DELETE" && is_lease, Ordering::SeqCst);
        None
    });
    let before = bench.machines();
    let output = bench.run(&["--allow-downtime"]);
    assert_exit(&output, 3);
    let said = words(&output.stderr);
    assert!(said.contains("holds the machine's lease until"), "{said}");
    let record = bench.record();
    assert_eq!(record["ending"]["ended"], "complete");
    assert_eq!(problems(&record).iter().filter(|problem| problem.is_some()).count(), 1);
    assert_eq!(bench.machines(), before);
    assert!(!bench.session_folder().join("restore.json").exists());
}

#[test]
fn without_metrics_a_session_says_that_the_quota_is_not_known() {
    let mut bench = TuneBench::new(FAST, ONE, LARGER);
    let _relay =
        bench.relay(|request| request.path.starts_with("/prometheus").then(|| error(404, "gone")));
    let output = bench.run(&["--allow-downtime"]);
    assert_exit(&output, 0);
    let record = bench.record();
    assert_eq!(record["attempts"][0]["quota"]["known"], "not_known", "{record}");
    let printed = words(&output.stdout);
    assert!(printed.contains("not known") && !printed.contains("not throttled"), "{printed}");
}

#[test]
fn a_token_that_the_api_echoes_is_in_no_file_and_in_no_output() {
    let mut bench = TuneBench::new(FAST, ONE, &both());
    let _relay = bench.relay(|request| {
        let is_update = request.method == "POST" && request.action().len() == 14;
        let refuses = is_update || request.path.starts_with("/prometheus");
        refuses.then(|| error(422, &format!("bad authorization: Bearer {TOKEN}")))
    });
    let log = bench.path("sessions.md");
    let mut command = bench.session(&["--allow-downtime", "--log-level", "debug"]);
    let output = command.arg("--evidence").arg(&log).output().unwrap();
    assert_exit(&output, 3);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(stderr.contains("bad authorization"), "{stderr}");
    assert!(!stdout.contains(TOKEN) && !stderr.contains(TOKEN), "{stdout}\n{stderr}");
    let mut files = files_below(&bench.path("sessions"));
    files.extend(files_below(&bench.path("runs")));
    for file in files.into_iter().chain([log]) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!text(&bytes).contains(TOKEN), "{}", file.display());
    }
}
