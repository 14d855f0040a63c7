//! `--evidence`: every run gets an entry, for every outcome.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use crate::bench::{Bench, PLAIN, Target, signal, text, tollgate, wait_for_intervals};

const ONCE: &str = "[[request]]\nname = \"plain\"\npath = \"/plain\"\n[load]\nonce = true\n";

/// A bench and the path of its log, in a folder that does not exist yet.
fn bench(base_url: &str, budgets: &str, rest: &str) -> (Bench, PathBuf) {
    let bench = Bench::new(base_url, &format!("budgets = [{budgets}]"), rest);
    let log = bench.folder.path().join("below/feedback.md");
    (bench, log)
}

fn logging(bench: &Bench, log: &Path) -> Command {
    let mut command = bench.command();
    command.arg("--evidence").arg(log).args(["--git-commit", "abc123"]);
    command
}

fn code(command: &mut Command) -> Option<i32> {
    command.output().unwrap().status.code()
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap()
}

/// The entries of a log, each starting with its heading.
fn entries(log: &Path) -> Vec<String> {
    let text = read(log);
    text.split("\n## [").map(|entry| format!("## [{}", entry.trim_start_matches("## ["))).collect()
}

/// Asserts that an entry has every point, in the documented order.
fn assert_whole(entry: &str) {
    let points = entry
        .lines()
        .filter(|line| line.starts_with("- "))
        .map(|line| line.split(':').next().unwrap());
    let points: Vec<_> = points.collect();
    assert_eq!(points, ["- Command", "- Artifacts", "- Commit", "- Outcome", "- Notes"], "{entry}");
}

#[test]
fn the_entry_of_a_pass_names_its_artifacts_with_their_digests() {
    let target = Target::start(&[]);
    let (bench, log) = bench(&target.base_url, "\"errors = 0\"", PLAIN);
    let bench = bench.with_reports();
    let output =
        logging(&bench, &log).args(["--evidence-note", "after the\nrollback"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("Added an entry to "), "{}", text(&output.stderr));
    let entry = read(&log);
    assert_whole(&entry);
    let (heading, _) = entry.split_once('\n').unwrap();
    assert!(heading.starts_with("## [20") && heading.ends_with("Z] — trial: PASS"), "{heading}");
    assert!(entry.contains("- Commit: `abc123`\n"), "{entry}");
    assert!(
        entry.contains(
            "- Outcome: PASS (exit 0): 1 of 1 budget holds; 100 requests, none failed, p50 "
        ),
        "{entry}"
    );
    assert!(
        entry.contains("- Notes:\n  - after the rollback\n  - the only budget holds\n"),
        "{entry}"
    );
    for name in ["run.json", "report.html", "report.md"] {
        let path = bench.run_folder().join(name);
        let digest = Sha256::digest(std::fs::read(&path).unwrap());
        assert!(
            entry.contains(&format!("  - `{}` sha256 `{digest:x}`\n", path.display())),
            "{entry}"
        );
    }
}

#[test]
fn entries_of_a_fail_and_an_inconclusive_run_are_appended() {
    let target = Target::start(&[]);
    let (bench, log) = bench(&target.base_url, "\"p95 < 1s\"", ONCE);
    std::fs::create_dir(log.parent().unwrap()).unwrap();
    std::fs::write(&log, "# Feedback\n\nby hand, without a line break").unwrap();
    assert_eq!(code(&mut logging(&bench, &log)), Some(3));
    let url = ["run", "http://127.0.0.1:1/", "--duration", "1s", "--git-commit", "", "--runs-dir"];
    let mut failing = tollgate();
    failing
        .args(url)
        .arg(bench.runs())
        .arg("--evidence")
        .arg(&log)
        .current_dir(bench.folder.path());
    assert_eq!(code(&mut failing), Some(1));
    let text = read(&log);
    assert!(text.starts_with("# Feedback\n\nby hand, without a line break\n\n## ["), "{text}");
    let entries = entries(&log);
    assert_whole(&entries[1]);
    assert!(
        entries[1].contains("- Outcome: INCONCLUSIVE (exit 3): 0 of 1 budget holds; 1 request, "),
        "{text}"
    );
    assert!(entries[1].contains("p95 < 1s: "), "{text}");
    assert_whole(&entries[2]);
    assert!(
        entries[2]
            .contains("- Outcome: FAIL (exit 1): 0 of 1 budget holds; 20 requests, 20 failed"),
        "{text}"
    );
    assert!(entries[2].contains("- Commit: unknown\n"), "{text}");
}

#[test]
fn a_run_that_cannot_start_has_an_entry_with_the_reason() {
    let (bench, log) = bench("http://127.0.0.1:1", "\"p999 < 1s\"", ONCE);
    assert_eq!(code(&mut logging(&bench, &log)), Some(2));
    let foreign = ["run", "http://probed.example/", "--rate", "1000/s", "--evidence"];
    assert_eq!(code(tollgate().args(foreign).arg(&log)), Some(2));
    let entries = entries(&log);
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        assert_whole(entry);
    }
    assert!(entries[0].contains("scenario.toml: NOT RUN\n"), "{}", entries[0]);
    let outcome = "- Outcome: could not run (exit 2): ";
    assert!(
        entries[0].contains(outcome) && entries[0].contains("unknown quantile"),
        "{}",
        entries[0]
    );
    assert!(entries[0].contains("- Artifacts: none\n- Commit: `abc123`\n"), "{}", entries[0]);
    assert!(
        entries[1].contains(&format!("{outcome}this run would send up to 1000 requests")),
        "{}",
        entries[1]
    );
}

#[test]
fn an_interrupted_run_has_an_entry() {
    let target = Target::start(&[]);
    let (bench, log) =
        bench(&target.base_url, "\"errors = 0\"", &PLAIN.replace("\"1s\"", "\"60s\""));
    let mut child =
        logging(&bench, &log).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_intervals(&bench, 2);
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let entry = read(&log);
    assert_whole(&entry);
    assert!(
        entry.contains("- Outcome: INCONCLUSIVE (exit 3): ") && entry.contains("interrupted"),
        "{entry}"
    );
}

#[test]
fn each_tick_has_its_own_entry() {
    let target = Target::start(&[]);
    let (bench, log) = bench(&target.base_url, "\"errors = 0\"", ONCE);
    assert_eq!(code(logging(&bench, &log).args(["--every", "1s", "--times", "2"])), Some(0));
    let entries = entries(&log);
    assert_eq!(entries.len(), 2);
    for folder in bench.run_folders() {
        let name = folder.join("run.json").display().to_string();
        assert_eq!(entries.iter().filter(|entry| entry.contains(&name)).count(), 1);
    }
}

#[test]
fn several_probers_append_to_one_log_at_once() {
    let target = Target::start(&[]);
    let (bench, log) = bench(&target.base_url, "\"errors = 0\"", ONCE);
    let start =
        || logging(&bench, &log).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let probers = [start(), start(), start(), start()];
    for mut prober in probers {
        assert_eq!(prober.wait().unwrap().code(), Some(0));
    }
    let entries = entries(&log);
    assert_eq!(entries.len(), 4);
    for entry in &entries {
        assert_whole(entry);
    }
}

#[test]
fn a_log_that_cannot_be_written_is_reported_before_anything_is_sent() {
    let (bench, log) = bench("http://127.0.0.1:1", "\"errors = 0\"", ONCE);
    std::fs::create_dir_all(&log).unwrap();
    let output = logging(&bench, &log).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(
        message.contains("error: --evidence: cannot write ")
            && message.contains("it is not a regular file"),
        "{message}"
    );
    assert!(!bench.runs().exists());
    let output = bench.command().args(["--evidence-note", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("name the file"), "{}", text(&output.stderr));
}

#[test]
fn an_entry_that_cannot_be_appended_after_the_run_ends_with_4() {
    let target = Target::start(&[]);
    let (bench, log) =
        bench(&target.base_url, "\"errors = 0\"", &PLAIN.replace("\"1s\"", "\"60s\""));
    let bench = bench.with_reports();
    let child = logging(&bench, &log).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_intervals(&bench, 1);
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let message = text(&output.stderr);
    assert!(
        message.contains("no entry was added: cannot write ")
            && message.contains("The run is complete in "),
        "{message}"
    );
    assert!(bench.run_folder().join("report.md").exists());
}

#[test]
fn printing_a_scenario_appends_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.md");
    let printed = ["run", "http://127.0.0.1:1", "--print-scenario", "--evidence"];
    assert_eq!(code(tollgate().args(printed).arg(&log)), Some(0));
    assert!(!log.exists());
}
