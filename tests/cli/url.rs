//! `tollgate run URL`: a measurement without a scenario file.

use std::path::Path;
use std::process::Output;

use tollgate::record::{Decision, RunRecord};

use crate::bench::{Bench, PLAIN, Target, recording_server, text, tollgate};

fn run(runs: &Path, words: &[&str]) -> Output {
    tollgate().arg("run").args(words).arg("--runs-dir").arg(runs).output().unwrap()
}

fn record(output: &Output) -> RunRecord {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

#[test]
fn a_first_run_ends_with_a_verdict_figures_in_words_and_next_steps() {
    let target = Target::start(&[]);
    let runs = tempfile::tempdir().unwrap();
    let url = format!("{}/plain?page=1", target.base_url);
    let output = run(
        runs.path(),
        &[
            &url,
            "--duration",
            "1s",
            "--rate",
            "100/s",
            "--budget",
            "errors < 30%",
            "--report",
            "html",
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("PASS"), "{}", text(&output.stdout));
    let messages = text(&output.stderr);
    for word in
        ["100 requests, none failed, p50", "report.html", "--budget 'p95 < ", "--print-scenario > "]
    {
        assert!(messages.contains(word), "{word} in {messages}");
    }
}

#[test]
fn every_flag_of_a_url_reaches_the_target_or_the_verdict() {
    let (url, requests) = recording_server();
    let runs = tempfile::tempdir().unwrap();
    let flags = [
        "-H",
        "X-Kind: a:b",
        "--header",
        "Accept: text/html",
        "--body",
        "a=${B}",
        "--expect-body",
        "hell",
    ];
    let output = tollgate()
        .args([
            "run",
            &format!("{url}/x?y=${{B}}"),
            "--budget",
            "errors = 0",
            "--duration",
            "100ms",
        ])
        .args(flags)
        .args([
            "--expect-status",
            "200",
            "--expect-status",
            "404",
            "--output",
            "json",
            "--runs-dir",
        ])
        .arg(runs.path())
        .env("B", "seven")
        .output()
        .unwrap();
    assert_eq!(record(&output).verdict.decision, Decision::Pass, "{}", text(&output.stderr));
    let request = requests.lock().unwrap()[0].to_lowercase();
    for part in
        ["post /x?y=seven http/1.1", "x-kind: a:b\r\n", "accept: text/html\r\n", "\r\n\r\na=seven"]
    {
        assert!(request.contains(part), "{part} in {request}");
    }
    let wrong = [
        "--duration",
        "100ms",
        "--budget",
        "errors = 0",
        "--expect-status",
        "404",
        "--method",
        "put",
    ];
    let output = run(runs.path(), &[&[url.as_str()], &wrong[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(requests.lock().unwrap().last().unwrap().starts_with("PUT / "));
}

#[test]
fn the_printed_scenario_is_equivalent_to_the_flags() {
    let target = Target::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{}/plain?a=\"b\"&c='d'", target.base_url);
    let words = [
        &url,
        "--duration",
        "200ms",
        "-c",
        "3",
        "-H",
        "Accept: \"x\", \\y",
        "--budget",
        "errors = 0",
    ];
    let printed = run(folder.path(), &[&words[..], &["--print-scenario"]].concat());
    assert_eq!(printed.status.code(), Some(0), "{}", text(&printed.stderr));
    assert_eq!(text(&printed.stderr), "");
    let file = folder.path().join("kept.toml");
    std::fs::write(&file, &printed.stdout).unwrap();
    let json = ["--output", "json"];
    let typed = record(&run(folder.path(), &[&words[..], &json].concat()));
    let from_file = record(&run(folder.path(), &[&[file.to_str().unwrap()], &json[..]].concat()));
    let mut plan = typed.plan.clone();
    plan[0].source.clone_from(&from_file.plan[0].source);
    assert_eq!(plan, from_file.plan);
    assert_eq!(from_file.verdict.decision, Decision::Pass);
}

#[test]
fn urls_and_files_run_together_each_as_its_own_scenario() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"errors = 0\"]", PLAIN);
    let url = format!("{}/plain", target.base_url);
    let flags = ["--duration", "200ms", "--budget", "errors = 0", "--output", "json"];
    let output =
        bench.command().args([&url, &format!("{url}?again")]).args(flags).output().unwrap();
    let record = record(&output);
    let names: Vec<_> = record.plan.iter().map(|plan| plan.name.as_str()).collect();
    let host = target.base_url.trim_start_matches("http://");
    assert_eq!(names, ["trial", &format!("{host}/plain"), &format!("{host}/plain 2")]);
    assert_eq!(record.verdict.decision, Decision::Pass);
}

#[test]
fn the_load_is_open_unless_a_flag_makes_it_closed() {
    let target = Target::start(&[]);
    let runs = tempfile::tempdir().unwrap();
    let load = |flags: &[&str]| {
        let url = format!("{}/plain", target.base_url);
        let fixed = [&url, "--duration", "100ms", "--budget", "errors = 0", "--output", "json"];
        record(&run(runs.path(), &[&fixed[..], flags].concat())).plan[0].load.clone()
    };
    assert_eq!(load(&["-c", "8"]), "open, 20/s constant for 100ms, up to 8 connections");
    assert_eq!(load(&["-c", "8", "--closed"]), "closed, 8 connections for 100ms");
}

#[test]
fn a_wrong_value_is_refused_with_its_flag_and_a_valid_notation() {
    for (flags, expected) in [
        (&["--budget", "p999 < 1s"][..], &["--budget", "write `p99.9`"][..]),
        (&["--rate", "20"], &["--rate", "write a number and its unit"]),
        (&["--duration", "30"], &["--duration", "without a unit"]),
        (&["--method", "FETCH"], &["--method", "GET, HEAD"]),
        (&["--http", "3"], &["--http", "1.1"]),
        (&["--expect-status", "20"], &["--expect-status", "100..=599"]),
        (&["--header", "Accept"], &["--header", "write 'Accept: text/html'"]),
        (&["--resolve", "example.org:127.0.0.1"], &["--resolve", "HOST:PORT:ADDRESS"]),
        (&["--allow-host", "https://example.org/"], &["--allow-host", "login.example.org"]),
        (&["--every", "0s"], &["--every", "5m"]),
        (&["--rate", "9/s", "--closed"], &["--rate", "--closed"]),
        (&["-4", "-6"], &["--ipv4", "--ipv6"]),
        (&["--timeout", "0s"], &["--timeout", "10s"]),
        (&["--rate", "101/s"], &["--yes-load-this-host"]),
        (&["--closed"], &["--yes-load-this-host"]),
    ] {
        // This address is reserved for documentation (RFC 5737), so nothing can be sent to it.
        let output = tollgate().args(["run", "http://192.0.2.1/"]).args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        for word in expected {
            assert!(text(&output.stderr).contains(word), "{word} in {}", text(&output.stderr));
        }
    }
}
