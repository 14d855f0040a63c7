//! `--every`: each tick is a separate run.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use tollgate::record::{Decision, RunRecord};

use crate::bench::{Bench, PLAIN, Target, signal, text, wait_for_intervals, wait_until};

const ONCE: &str = "[[request]]\nname = \"plain\"\npath = \"/plain\"\n[load]\nonce = true\n";

fn bench(target: &Target, rest: &str) -> Bench {
    Bench::new(&target.base_url, "budgets = [\"errors = 0\"]", rest)
}

#[test]
fn each_tick_is_a_separate_run_with_one_line_and_its_reports() {
    let target = Target::start(&[]);
    let bench = bench(&target, ONCE).with_reports();
    let output = bench.command().args(["--every", "1s", "--times", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
    let mut folders = bench.run_folders();
    assert_eq!(folders.len(), 2);
    folders.sort();
    for folder in folders {
        let line = stdout.lines().find(|line| line.contains(folder.to_str().unwrap())).unwrap();
        assert!(
            line.contains("PASS") && line.contains("trial: 1 request, none failed, "),
            "{line}"
        );
        assert!(folder.join("run.json").exists() && folder.join("report.html").exists());
    }
}

#[test]
fn with_json_each_tick_is_a_record_in_one_line_and_the_exit_is_the_worst() {
    let target = Target::start(&["--error-rate", "99%"]);
    let bench = bench(&target, &ONCE.replace("/plain", "/app?mock=1"));
    let flags = ["--every", "1s", "--times", "2", "--output", "json", "--log-format", "pino"];
    let output = bench.command().args(flags).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let records: Vec<RunRecord> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);
    assert_ne!(records[0].id, records[1].id);
    assert!(records.iter().any(|record| record.verdict.decision == Decision::Fail));
}

#[test]
fn ticks_that_a_run_overlaps_are_skipped_with_a_warning() {
    let target = Target::start(&[]);
    let bench = bench(&target, PLAIN);
    let output = bench.command().args(["--every", "1s", "--times", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("The run took longer than its period of 1s: skipped "), "{stderr}");
}

#[test]
fn a_signal_between_ticks_ends_at_once_with_the_worst_verdict_so_far() {
    let target = Target::start(&[]);
    let bench = bench(&target, ONCE);
    let (mut child, mut lines) = start(&bench, "1h");
    assert!(lines.next().unwrap().unwrap().contains("PASS"));
    signal(&child, "TERM");
    assert!(lines.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_signal_during_a_run_drains_it_and_starts_no_further_run() {
    let target = Target::start(&[]);
    let bench = bench(&target, &PLAIN.replace("\"1s\"", "\"60s\""));
    let (mut child, mut lines) = start(&bench, "2m");
    wait_for_intervals(&bench, 2);
    signal(&child, "INT");
    assert!(lines.next().unwrap().unwrap().contains("INCONCLUSIVE"));
    assert!(lines.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn a_tick_leaves_no_thread_and_no_descriptor_behind() {
    if !std::path::Path::new("/proc/self/task").exists() {
        return;
    }
    let target = Target::start(&[]);
    let bench = bench(&target, ONCE).with_reports();
    let (mut child, mut lines) = start(&bench, "1s");
    let mut counts = Vec::new();
    for _ in 0..5 {
        lines.next().unwrap().unwrap();
        counts.push((open(&child, "task"), open(&child, "fd")));
    }
    let ((threads, descriptors), (threads_later, _)) = (counts[1], counts[4]);
    assert!(threads_later <= threads, "{counts:?}");
    // A tick that draws its reports at this moment has some more for a while.
    wait_until("a look at no more descriptors", || open(&child, "fd") <= descriptors + 2);
    signal(&child, "TERM");
    lines.for_each(drop);
    child.wait().unwrap();
}

fn start(
    bench: &Bench,
    every: &str,
) -> (Child, impl Iterator<Item = std::io::Result<String>> + use<>) {
    let mut command = bench.command();
    command.args(["--every", every]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

fn open(child: &Child, kind: &str) -> usize {
    std::fs::read_dir(format!("/proc/{}/{kind}", child.id())).unwrap().count()
}
