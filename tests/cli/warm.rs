//! `tollgate warm`.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::bench::{Bench, Target, signal, text, tollgate, wait_until};
use crate::closed_port::ClosedPort;

/// Latency that is three times as long at first and falls over 40 pages.
const WARMING: [&str; 6] =
    ["--mock-latency", "lognormal:40ms,0.1", "--warming", "40", "--warming-factor", "3"];

fn warm(words: &[&str]) -> Output {
    tollgate().arg("warm").args(words).output().unwrap()
}

fn page(target: &Target) -> String {
    format!("{}/app?mock=1", target.base_url)
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

#[test]
fn a_target_that_boots_and_warms_up_is_steady_after_its_curve() {
    let boot = ["--cold-after", "60s", "--cold-start", "900ms"];
    let target = Target::start(&[&WARMING[..], &boot].concat());
    let url = page(&target);
    let output = warm(&[&url, "--rate", "40/s", "--timeout", "500ms", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document = document(&output);
    assert_eq!(document["outcome"], "steady");
    let scenario = &document["scenarios"][0];
    let first = &scenario["first"][0];
    assert!(first["failure"].is_null() && first["fresh"] == true, "{first}");
    assert!(first["latency_us"].as_u64() > Some(900_000), "{first}");
    assert!(scenario["first_answer"]["after_us"].as_u64() >= first["latency_us"].as_u64());
    let steady = &scenario["requests"][0]["steady"];
    assert!(steady["from_request"].as_u64() > Some(5), "{steady}");
    assert!(steady["cold_cost_us"].as_u64() > Some(900_000), "{steady}");
}

#[test]
fn a_flat_target_is_steady_soon() {
    let target = Target::start(&["--mock-latency", "lognormal:10ms,0.1"]);
    let output = warm(&[&page(&target), "--rate", "40/s", "--name", "tiles"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let result = text(&output.stdout);
    for words in ["STEADY  tiles", "first answer after", "GET: steady from request"] {
        assert!(result.contains(words), "{words} in {result}");
    }
}

#[test]
fn a_target_that_is_still_warming_up_at_the_limit_is_undecided() {
    let slow =
        ["--mock-latency", "lognormal:5ms,0.1", "--warming", "200", "--warming-factor", "40"];
    let target = Target::start(&slow);
    let output = warm(&[&page(&target), "--rate", "40/s", "--limit", "3s"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    let result = text(&output.stdout);
    assert!(result.contains("NOT STEADY") && result.contains("--limit"), "{result}");
}

#[test]
fn a_target_that_never_answers_fails() {
    let closed = ClosedPort::new();
    let output = warm(&[&format!("http://{closed}/"), "--boot-limit", "1s"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let result = text(&output.stdout);
    assert!(result.contains("NO ANSWER") && result.contains("--boot-limit"), "{result}");
}

#[test]
fn a_target_that_answers_wrongly_at_the_end_fails() {
    let target = Target::start(&["--mock-latency", "lognormal:5ms,0.1"]);
    let words = ["--rate", "40/s", "--limit", "2s", "--expect-status", "404"];
    let output = warm(&[&[page(&target).as_str()][..], &words].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let result = text(&output.stdout);
    assert!(result.contains("WRONG ANSWERS") && result.contains("200 OK"), "{result}");
}

#[test]
fn a_target_that_starts_later_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let url = format!("http://{address}/app?mock=1");
    let mut child = tollgate()
        .args(["warm", &url, "--rate", "40/s", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    messages.read_line(&mut line).unwrap();
    assert!(line.contains("waiting up to 1m"), "{line}");
    let _target = Target::start(&["--listen", &address, "--mock-latency", "constant:50ms"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let first = document(&output)["scenarios"][0]["first"].clone();
    let last = first.as_array().unwrap().last().unwrap();
    assert!(last["failure"].is_null(), "{first}");
}

#[test]
fn each_request_of_a_scenario_is_judged_on_its_own() {
    let target = Target::start(&["--mock-latency", "lognormal:10ms,0.1"]);
    let rest = "[[setup]]\nname = \"hello\"\npath = \"/plain\"\n\
                [[request]]\nname = \"good\"\npath = \"/app?mock=1\"\n\
                [[request]]\nname = \"wrong\"\npath = \"/plain\"\nexpect = { status = 404 }\n\
                [load]\nconnections = 1\nduration = \"1s\"\n";
    let bench = Bench::new(&target.base_url, "", rest);
    let path = bench.scenario.to_str().unwrap();
    let output = warm(&[path, "--rate", "30/s", "--limit", "3s", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let document = document(&output);
    let requests = document["scenarios"][0]["requests"].as_array().unwrap();
    let failed = |at: usize| (requests[at]["request"].as_str(), requests[at]["failed"].as_u64());
    assert_eq!(failed(0), (Some("good"), Some(0)));
    assert_eq!(failed(1), (Some("wrong"), requests[1]["sent"].as_u64()));
    assert!(!text(&output.stderr).contains("closed"), "{}", text(&output.stderr));
}

#[test]
fn a_request_that_is_never_sent_keeps_a_warm_up_undecided_unless_the_scenario_accepts_that() {
    let target = Target::start(&["--mock-latency", "constant:10ms"]);
    let warmed = |missing: &str, limit: &str| {
        let rest = format!(
            "[[request]]\nname = \"page\"\npath = \"/app?mock=1\"\n\
             [[request]]\nname = \"partner\"\nurl = \"${{TOLLGATE_TESTS_UNSET}}/list\"\n\
             when_unconfigured = \"{missing}\"\n\
             [load]\nconnections = 1\nduration = \"1s\"\n"
        );
        let bench = Bench::new(&target.base_url, "", &rest);
        warm(&[bench.scenario.to_str().unwrap(), "--rate", "40/s", "--limit", limit])
    };
    let left_out = warmed("report", "2s");
    assert_eq!(left_out.status.code(), Some(3), "{}", text(&left_out.stderr));
    let result = text(&left_out.stdout);
    for words in ["NOT MEASURED", "partner: left out, not configured", "TOLLGATE_TESTS_UNSET"] {
        assert!(result.contains(words), "{words} in {result}");
    }
    assert_eq!(result.matches("TOLLGATE_TESTS_UNSET").count(), 1, "{result}");
    let accepted = warmed("accept", "30s");
    let result = text(&accepted.stdout);
    assert_eq!(accepted.status.code(), Some(0), "{result}");
    assert!(result.contains("STEADY") && result.contains("partner: left out"), "{result}");
}

#[test]
fn a_signal_ends_a_warm_up_undecided() {
    let target = Target::start(&["--mock-latency", "lognormal:10ms,0.1"]);
    let mut child = tollgate()
        .args(["warm", &page(&target), "--rate", "1/s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let messages = BufReader::new(child.stderr.take().unwrap());
    let follows =
        messages.lines().map_while(Result::ok).find(|line| line.contains("warming up at"));
    assert!(follows.is_some());
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("INTERRUPTED"), "{}", text(&output.stdout));
}

#[test]
fn a_signal_ends_the_wait_for_the_first_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut command = tollgate();
    command.args(["warm", &url, "--boot-limit", "10m"]).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let _never_answered = listener.accept().unwrap();
    signal(&child, "INT");
    wait_until("the end", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn flags_that_cannot_be_used_are_refused_before_anything_is_sent() {
    let url = "http://tollgate.example/";
    for (words, problem) in [
        (&["--budget", "p95 < 1s"][..], "`warm` has no --budget"),
        (&["--closed"], "`warm` has no --closed"),
        (&["--limit", "0s"], "longer than 0s"),
        (&["--limit", "5s"], "write `--limit "),
        (&["--rate", "200/s"], "--yes-load-this-host"),
    ] {
        let output = warm(&[&[url], words].concat());
        let messages = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {messages}");
        assert!(messages.contains(problem), "{messages}");
    }
    assert_eq!(warm(&[]).status.code(), Some(2));
}

#[test]
fn the_rate_of_a_run_is_not_that_of_a_warm_up() {
    let url = "http://tollgate.example/";
    let with = |variable: &str| {
        let mut command = tollgate();
        let output = command.args(["warm", url, "--limit", "5s"]).env(variable, "0.1/s").output();
        let output = output.unwrap();
        (output.status.code(), text(&output.stderr))
    };
    for (variable, rate) in
        [("TOLLGATE_WARM_RATE", "6/min for 5s"), ("TOLLGATE_RATE", "2/s for 5s")]
    {
        let (code, messages) = with(variable);
        assert!(code == Some(2) && messages.contains(rate), "{variable}: {messages}");
    }
}
