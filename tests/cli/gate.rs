//! The policies of `[gate]`: what a verdict, and those before it, do to the exit code.

use std::path::PathBuf;
use std::process::Output;

use tollgate::record::Decision;

use crate::bench::{Bench, record, text, tollgate, words};
use crate::status_server::StatusServer;

/// A scenario whose verdict the server's status decides: 200 passes, 500 fails, 404 is
/// inconclusive.
struct GateBench {
    bench: Bench,
    server: StatusServer,
}

const STEP: &str = "[[request]]\nname = \"page\"\npath = \"/\"\nwhen_absent = \"report\"\n";

impl GateBench {
    fn new(gate: &str) -> Self {
        let server = StatusServer::start();
        let rest = format!("{STEP}[gate]\n{gate}\n");
        Self { bench: Bench::new(&server.base_url, "budgets = [\"errors = 0\"]", &rest), server }
    }

    fn run_with(&self, status: u16, flags: &[&str]) -> Output {
        self.server.set(status);
        self.bench.command().args(flags).output().unwrap()
    }

    /// Runs and checks the exit code and what the output says of the gate.
    fn expect(&self, status: u16, exit: i32, gate: &str) {
        let output = self.run_with(status, &[]);
        let stdout = text(&output.stdout);
        assert_eq!(output.status.code(), Some(exit), "{stdout}{}", text(&output.stderr));
        let words = words(&output.stdout);
        assert!(words.contains(gate), "{gate}\n{stdout}");
        assert_eq!(gate.is_empty(), !words.contains("GATE"), "{stdout}");
    }

    fn newest(&self) -> PathBuf {
        self.bench
            .run_folders()
            .into_iter()
            .max_by_key(|folder| record(folder).provenance.started)
            .unwrap()
    }
}

#[test]
fn a_fail_stops_a_deploy_once_the_run_before_it_failed_too() {
    let bench = GateBench::new("fail_after = 2");
    bench.expect(200, 0, "");
    bench.expect(500, 0, "GATE passes: failed once; fail_after = 2");
    bench.expect(500, 1, "GATE fails: failed 2 times in a row; fail_after = 2");
    bench.expect(404, 3, "");
    bench.expect(500, 0, "GATE passes: failed once; fail_after = 2");
}

#[test]
fn without_a_history_a_fail_counts_at_once() {
    let bench = GateBench::new("fail_after = 2");
    let gate = "GATE fails: failed once, and no earlier run of this plan is in ";
    bench.expect(500, 1, gate);
    std::fs::remove_dir_all(bench.bench.runs()).unwrap();
    bench.expect(500, 1, gate);
}

#[test]
fn a_damaged_earlier_run_makes_a_fail_count() {
    let bench = GateBench::new("fail_after = 2");
    bench.expect(200, 0, "");
    bench.expect(200, 0, "");
    std::fs::write(bench.newest().join("run.json"), "{\"format\": 1, ").unwrap();
    let gate = "GATE fails: failed once, and an earlier run cannot be read: ";
    bench.expect(500, 1, gate);
}

#[test]
fn a_database_that_does_not_answer_makes_a_fail_count() {
    let bench = GateBench::new("fail_after = 2");
    bench.expect(200, 0, "");
    let output = bench.run_with(500, &["--store", "postgresql://u:canary-pw@127.0.0.1:1/runs"]);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    let gate = "GATE fails: failed once, and an earlier run cannot be read: ";
    assert!(stdout.contains(gate) && !stdout.contains("canary"), "{stdout}");
}

#[test]
fn a_run_whose_folder_was_copied_and_renamed_counts_once_at_its_time() {
    let bench = GateBench::new("fail_after = 3");
    bench.expect(200, 0, "");
    bench.expect(500, 0, "GATE passes: failed once");
    let (failed, copy) = (bench.newest(), bench.bench.runs().join("failed"));
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(failed.join("run.json"), copy.join("run.json")).unwrap();
    let name = failed.file_name().unwrap().to_string_lossy();
    let backup = failed.with_file_name(format!("{name}-backup"));
    std::fs::create_dir(&backup).unwrap();
    std::fs::copy(failed.join("run.json"), backup.join("run.json")).unwrap();
    bench.expect(500, 0, "GATE passes: failed 2 times in a row");
    let newest = bench.newest();
    std::fs::rename(&newest, newest.with_file_name("again")).unwrap();
    bench.expect(500, 1, "GATE fails: failed 3 times in a row");
}

#[test]
fn an_unfinished_earlier_run_has_no_verdict_and_is_passed_over() {
    let bench = GateBench::new("fail_after = 2");
    bench.expect(200, 0, "");
    bench.expect(500, 0, "GATE passes");
    let newest = bench.newest().file_name().unwrap().to_string_lossy().into_owned();
    let unfinished = bench.bench.runs().join(format!("{}-00000000", &newest[..20]));
    std::fs::create_dir(&unfinished).unwrap();
    std::fs::write(unfinished.join("run.partial.json"), "{").unwrap();
    bench.expect(500, 1, "GATE fails: failed 2 times in a row");
}

#[test]
fn an_inconclusive_verdict_stays_in_the_record_and_changes_the_exit_code() {
    for (word, exit, gate) in [
        ("exit-3", 3, ""),
        ("fail", 1, "GATE fails: an inconclusive verdict counts as a failure"),
        ("warn", 0, "GATE passes: an inconclusive verdict is only a warning"),
    ] {
        let mut bench = GateBench::new(&format!("on_inconclusive = \"{word}\""));
        bench.bench = bench.bench.with_reports();
        bench.expect(404, exit, gate);
        let folder = bench.newest();
        let record = record(&folder);
        assert_eq!(record.verdict.decision, Decision::Inconclusive);
        assert_eq!(record.gate.is_some(), word != "exit-3");
        if word == "exit-3" {
            continue;
        }
        let gate = record.gate.unwrap();
        assert_eq!(gate.decision, if exit == 0 { Decision::Pass } else { Decision::Fail });
        for report in ["report.md", "report.html"] {
            let report = std::fs::read_to_string(folder.join(report)).unwrap();
            assert!(report.contains(&format!("Gate {}", gate.verb())), "{report}");
        }
        let shown = tollgate().arg("show").arg(&folder).output().unwrap();
        assert_eq!(shown.status.code(), Some(exit));
        assert!(text(&shown.stdout).contains(&format!("GATE {}", gate.verb())));
    }
}

#[test]
fn a_gate_that_passes_against_the_verdict_warns_on_stderr() {
    let bench = GateBench::new("on_inconclusive = \"warn\"");
    let output = bench.run_with(404, &[]);
    let warning = "WARNING: the gate passes, but the verdict is inconclusive: ";
    assert!(text(&output.stderr).contains(warning), "{}", text(&output.stderr));
}

#[test]
fn a_pass_needs_what_the_gate_requires() {
    let bench = GateBench::new("require = [\"commit\", \"deploy\", \"page\"]");
    let gate = "GATE is inconclusive: `commit` is required and is not known: give --git-commit; \
                `deploy` is required and is not known: give --deploy";
    bench.expect(200, 3, gate);
    let output = bench.run_with(200, &["--git-commit", "3bb6c035", "--deploy", "v42"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let output = bench.run_with(500, &["--git-commit", "3bb6c035", "--deploy", "v42"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_required_scenario_that_is_not_run_is_warned_about_and_prevents_a_pass() {
    let bench = GateBench::new("require = [\"pagee\"]");
    let output = bench.run_with(200, &[]);
    assert_eq!(output.status.code(), Some(3));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("did you mean `page`?"), "{stderr}");
}

#[test]
fn each_tick_follows_the_ticks_before_it() {
    let bench = GateBench::new("fail_after = 2");
    bench.expect(200, 0, "");
    let output = bench.run_with(500, &["--every", "1s", "--times", "2"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    let lines: Vec<_> = stdout.lines().collect();
    assert!(lines[0].contains("[gate passes: failed once; fail_after = 2]"), "{stdout}");
    assert!(lines[1].contains("[gate fails: failed 2 times in a row; fail_after = 2]"), "{stdout}");
}

#[test]
fn check_shows_the_policies_that_a_scenario_names() {
    let bench =
        GateBench::new("fail_after = 2\non_inconclusive = \"warn\"\nrequire = [\"commit\"]");
    let output = tollgate().arg("check").arg(&bench.bench.scenario).output().unwrap();
    let stdout = text(&output.stdout);
    let gate = "gate: on_inconclusive = \"warn\", fail_after = 2, require = [\"commit\"]";
    assert!(stdout.contains(gate), "{stdout}");
}
