//! What tollgate keeps in its own folders, whatever is put there and however it ends.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use crate::bench::{
    Bench, PLAIN, Target, signal, text, through_shell, tollgate, wait_for_intervals, words,
};

fn show(folder: &Path, report: &str) -> Output {
    tollgate().args(["show", "--report", report]).arg(folder).output().unwrap()
}

/// A folder of a run as the template has it, with its record changed.
fn run_with(runs: &Path, change: impl Fn(String) -> String) -> PathBuf {
    let folder = runs.join("2026-11-23T18-47-06Z-3bb6c035");
    fs::create_dir_all(&folder).unwrap();
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/run-template.json");
    fs::write(folder.join("run.json"), change(fs::read_to_string(template).unwrap())).unwrap();
    for name in ["intervals.jsonl", "intervals.hlog"] {
        fs::write(folder.join(name), "").unwrap();
    }
    folder
}

#[test]
fn a_link_in_a_runs_folder_is_replaced_and_what_it_led_to_stays() {
    let runs = tempfile::tempdir().unwrap();
    let folder = run_with(runs.path(), |text| text);
    let victim = runs.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    for name in ["report.html", "report.md"] {
        symlink(&victim, folder.join(name)).unwrap();
    }
    symlink(runs.path().join("missing"), folder.join("latency-1.svg")).unwrap();
    fs::hard_link(&victim, folder.join("store.json")).unwrap();
    let shown = show(&folder, "all");
    assert!(matches!(shown.status.code(), Some(0 | 1 | 3)), "{}", text(&shown.stderr));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    assert!(!runs.path().join("missing").exists());
    for name in ["report.html", "report.md"] {
        assert!(folder.join(name).symlink_metadata().unwrap().is_file(), "{name}");
    }
}

#[test]
fn a_count_or_a_time_that_no_run_can_reach_is_refused_with_its_place() {
    for (known, wrong) in [
        ("\"exchanges\": ", "\"exchanges\": 9007199254740991"),
        ("\"elapsed_us\": ", "\"elapsed_us\": 9007199254740991"),
    ] {
        let runs = tempfile::tempdir().unwrap();
        let folder = run_with(runs.path(), |text| {
            let at = text.rfind(known).unwrap();
            let digits = text[at + known.len()..].find(|c: char| !c.is_ascii_digit()).unwrap();
            format!("{}{wrong}{}", &text[..at], &text[at + known.len() + digits..])
        });
        for command in ["show", "compare"] {
            let output = tollgate()
                .args([command])
                .args(vec![&folder; 2 - usize::from(command == "show")])
                .output()
                .unwrap();
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command}: {said}");
            assert!(said.contains("run.json: it has an unexpected value at line"), "{said}");
        }
    }
}

#[test]
fn leftovers_of_killed_processes_are_removed_and_those_of_others_stay() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "", PLAIN);
    fs::create_dir_all(bench.runs()).unwrap();
    let now = fs::metadata(bench.runs()).unwrap().modified().unwrap();
    let hour_ago = now - Duration::from_hours(1);
    let old = |name: &str| {
        let file = File::create(bench.runs().join(name)).unwrap();
        file.set_modified(hour_ago).unwrap();
        file
    };
    let [_, held] = [".tmpAbC123", ".tmpHeLd00"].map(old);
    held.lock().unwrap();
    let [_, _] = [".tmp-mine", "tmpAbC123"].map(old);
    File::create(bench.runs().join(".tmpNew000")).unwrap();
    let restoring = bench.runs().join(".restoring-AbC123/run");
    fs::create_dir_all(&restoring).unwrap();
    File::open(restoring.parent().unwrap()).unwrap().set_modified(hour_ago).unwrap();
    bench.run();
    let names = fs::read_dir(bench.runs()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names.retain(|name| !name.starts_with("20"));
    assert_eq!(names, [".tmp-mine", ".tmpHeLd00", ".tmpNew000", "tmpAbC123"]);
}

#[test]
fn a_run_that_was_killed_before_its_first_second_is_completed_or_told() {
    let runs = tempfile::tempdir().unwrap();
    let empty = runs.path().join("2026-11-23T18-47-06Z-3bb6c035");
    fs::create_dir(&empty).unwrap();
    let shown = show(&empty, "none");
    assert_eq!(shown.status.code(), Some(2));
    let said = words(&shown.stderr);
    assert!(said.contains("was begun, and nothing of it was kept"), "{said}");

    for kept in [&[][..], &["intervals.jsonl"]] {
        let target = Target::start(&[]);
        let bench = Bench::new(&target.base_url, "", &PLAIN.replace("\"1s\"", "\"30s\""));
        let mut child =
            bench.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for_intervals(&bench, 1);
        signal(&child, "KILL");
        child.wait().unwrap();
        let folder = bench.run_folder();
        for name in ["intervals.jsonl", "intervals.hlog"] {
            fs::remove_file(folder.join(name)).unwrap();
        }
        for name in kept {
            fs::write(folder.join(name), "").unwrap();
        }
        let shown = show(&folder, "none");
        assert_eq!(shown.status.code(), Some(3), "{}", text(&shown.stderr));
        assert_eq!(show(&folder, "all").status.code(), Some(3));
        assert!(folder.join("report.html").is_file());
    }
}

#[test]
fn a_hangup_drains_a_run_unless_it_was_started_to_ignore_it() {
    let target = Target::start(&[]);
    for (start, is_heard) in [("exec \"$@\"", true), ("trap '' HUP; exec \"$@\"", false)] {
        let length = if is_heard { "\"60s\"" } else { "\"3s\"" };
        let bench = Bench::new(&target.base_url, "", &PLAIN.replace("\"1s\"", length));
        let log = bench.folder.path().join("log.md");
        let mut command = through_shell(start, &bench.command());
        command.arg("--evidence").arg(&log);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for_intervals(&bench, 2);
        signal(&child, "HUP");
        let code = child.wait().unwrap().code();
        assert_eq!(code == Some(3), is_heard, "{code:?}");
        let ending = format!("{:?}", bench.record().measurement.ending);
        assert_eq!(ending, if is_heard { "Interrupted" } else { "Complete" });
        assert_eq!(fs::read_to_string(&log).unwrap().matches("## ").count(), 1);
    }
}

#[test]
fn the_verdict_is_printed_and_sent_even_if_nothing_can_be_drawn() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "", PLAIN).with_reports();
    let junit = bench.folder.path().join("junit.xml");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = bench.command();
    command.arg("--junit").arg(&junit).stdout(full);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("cannot print the results"), "{}", text(&output.stderr));
    let folder = bench.run_folder();
    assert!(folder.join("report.html").is_file() && junit.is_file());

    fs::remove_file(folder.join("report.html")).unwrap();
    fs::create_dir_all(folder.join("report.html/taken")).unwrap();
    let shown = show(&folder, "all");
    assert_eq!(shown.status.code(), Some(4));
    assert!(text(&shown.stdout).contains("plain"), "{}", text(&shown.stdout));
    let said = words(&shown.stderr);
    assert!(said.contains("the reports were not drawn: cannot write"), "{said}");
    assert!(said.contains("the verdict stands"), "{said}");
}

#[test]
fn a_program_without_memory_for_drawing_ends_with_a_code_of_the_table() {
    let target = Target::start(&[]);
    let mut codes = Vec::new();
    for megabytes in [150, 250, 400, 700] {
        let bench = Bench::new(&target.base_url, "", PLAIN).with_reports();
        let limit = format!("ulimit -v {} && exec \"$@\"", megabytes * 1024);
        let output = through_shell(&limit, &bench.command()).output().unwrap();
        let printed = words(&output.stdout);
        let has_verdict = ["PASS", "INCONCLUSIVE"].iter().any(|word| printed.contains(word));
        let code = output.status.code();
        assert!(
            !has_verdict || matches!(code, Some(0 | 3 | 4)),
            "{code:?}: {}",
            text(&output.stderr)
        );
        codes.push((megabytes, code, has_verdict));
    }
    assert!(codes.iter().any(|(_, _, has_verdict)| *has_verdict), "{codes:?}");
}
