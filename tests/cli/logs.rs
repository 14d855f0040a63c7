//! stderr as text for people, or as pino's JSON lines. The real pino-pretty reads them if it is
//! installed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bench::{Bench, PLAIN, Target, text, tollgate};

/// The lines of stderr. Asserts that each has pino's format.
fn lines(stderr: &[u8]) -> Vec<Value> {
    let lines: Vec<Value> = text(stderr)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    for line in &lines {
        assert!([10, 20, 30, 40, 50, 60].contains(&line["level"].as_u64().unwrap()), "{line}");
        assert!(line["time"].as_u64().unwrap() > 1_700_000_000_000, "{line}");
        assert!(
            line["pid"].is_u64() && line["hostname"].is_string() && line["msg"].is_string(),
            "{line}"
        );
        assert_eq!(line["name"], "tollgate");
    }
    lines
}

fn with_message<'a>(lines: &'a [Value], message: &str) -> &'a Value {
    lines
        .iter()
        .find(|line| line["msg"] == message)
        .unwrap_or_else(|| panic!("no `{message}` in {lines:#?}"))
}

#[test]
fn pino_lines_report_the_stages_of_a_run_and_nothing_else_is_on_stderr() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    let flags = ["--log-format", "pino", "--log-level", "debug", "--output", "json"];
    let output = bench.command().args(flags).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines = lines(&output.stderr);
    let record = bench.record();
    for message in ["run started", "verdict", "written"] {
        assert_eq!(with_message(&lines, message)["run"], record.id.to_string());
    }
    assert_eq!(with_message(&lines, "verdict")["verdict"], "pass");
    assert_eq!(with_message(&lines, "run started")["scenario"], "trial");
    assert_eq!(with_message(&lines, "warm-up done; measuring")["level"], 30);
    assert_eq!(with_message(&lines, "settled")["level"], 20);
}

#[test]
fn every_kind_of_error_is_one_fatal_line() {
    let wrong = Bench::new("http://127.0.0.1:1", "budgets = [\"p999 < 1s\"]", PLAIN);
    let scenario = wrong.scenario.to_str().unwrap();
    for words in [
        &["--log-format", "pino", "run", scenario][..],
        &["run", scenario, "--log-format=pino"],
        &["run", "--bogus", "--log-format", "pino"],
        &["run", "--log-format=pino"],
        &["--log-format", "pino"],
    ] {
        let output = tollgate().args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let lines = lines(&output.stderr);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!((&lines[0]["level"], &lines[0]["err"]["type"]), (&60.into(), &"usage".into()));
        assert!(!lines[0]["err"]["message"].as_str().unwrap().contains('\u{1b}'));
    }
    let variable = tollgate().arg("run").env("TOLLGATE_LOG_FORMAT", "pino").output().unwrap();
    assert_eq!(lines(&variable.stderr)[0]["level"], 60);
}

#[test]
fn quiet_and_the_log_level_omit_less_severe_events() {
    let target = Target::start(&[]);
    // Too few requests for the budget give a warning.
    let bench = Bench::new(&target.base_url, "budgets = [\"p99(service) < 1s\"]", PLAIN);
    for flags in [&["--quiet"][..], &["--log-level", "warn"]] {
        let pino = bench.command().args(["--log-format", "pino"]).args(flags).output().unwrap();
        let levels: Vec<_> = lines(&pino.stderr).iter().map(|line| line["level"].clone()).collect();
        assert_eq!(levels, [40], "{}", text(&pino.stderr));
        assert!(text(&pino.stdout).contains("INCONCLUSIVE"));
    }
    let silent = bench.command().args(["--log-level", "error"]).output().unwrap();
    assert_eq!(text(&silent.stderr), "");
}

#[test]
fn the_debug_level_shows_people_the_events_for_programs() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95(service) < 1s\"]", PLAIN);
    assert_eq!(text(&bench.run().stderr), "");
    let messages = text(&bench.command().args(["--log-level", "debug"]).output().unwrap().stderr);
    assert!(
        messages.contains("debug: verdict  run=") && messages.contains("verdict=pass"),
        "{messages}"
    );
}

#[test]
fn the_real_pino_pretty_reads_every_line() {
    let Some(pretty) = pino_pretty() else {
        println!(
            "pino-pretty is not installed (./test.sh does that): only the shape of the lines was tested"
        );
        return;
    };
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p99 < 1s\"]", PLAIN);
    let run = bench.command().args(["--log-format", "pino"]).output().unwrap();
    let failed = tollgate().args(["run", "no-such.toml", "--log-format", "pino"]).output().unwrap();
    let page = prettified(&pretty, &[run.stderr.as_slice(), &failed.stderr].concat());
    for word in [
        "INFO (tollgate/",
        "): run started",
        "    scenario: \"trial\"",
        "    verdict: \"inconclusive\"",
        "WARN (tollgate/",
        "FATAL (tollgate/",
        "): no-such.toml: no such file",
        "    err: {\n      \"type\": \"usage\"",
    ] {
        assert!(page.contains(word), "{word} in {page}");
    }
    // pino-pretty repeats a line that it cannot parse.
    assert!(!page.contains("{\"level\""), "{page}");
}

/// The pino-pretty that `test.sh` installs; `None` if it or Node.js is missing.
fn pino_pretty() -> Option<PathBuf> {
    let program =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pino/node_modules/.bin/pino-pretty");
    let node =
        Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    (program.exists() && node.is_ok_and(|status| status.success())).then_some(program)
}

fn prettified(program: &Path, lines: &[u8]) -> String {
    let mut command = Command::new(program);
    command.arg("--no-colorize").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    text(&output.stdout)
}
