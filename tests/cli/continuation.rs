//! Runs that go on with the evidence of an earlier one: `--continue` and `extend`.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Output;

use tollgate::record::{Decision, RunRecord};

use crate::bench::{Bench, Target, record, text, words};

/// A second of 100/s in 50 blocks: a p95 needs 67 clean ones.
const HALF: &str = "[[request]]\nname = \"plain\"\npath = \"/plain\"\n\
                    [gate]\nstalls = \"20ms\"\n\
                    [load]\narrival_rate = \"100/s\"\nduration = \"1s\"\nconnections = 4\n";

fn bench(target: &Target, rest: &str) -> Bench {
    Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", rest)
}

fn run(bench: &Bench, flags: &[&str]) -> Output {
    bench.command().args(flags).output().unwrap()
}

/// The records of all runs, oldest first.
fn records(bench: &Bench) -> Vec<RunRecord> {
    let mut folders = bench.run_folders();
    folders.sort();
    let mut records: Vec<_> = folders.iter().map(|folder| record(folder)).collect();
    records.sort_by_key(|record| record.provenance.started);
    records
}

#[test]
fn an_inconclusive_run_names_the_command_that_continues_it_and_both_pass_together() {
    let target = Target::start(&[]);
    let bench = bench(&target, HALF).with_reports();
    let first = run(&bench, &[]);
    assert_eq!(first.status.code(), Some(3), "{}", text(&first.stderr));
    let name = bench.record().name();
    let advice = words(&first.stderr);
    assert!(advice.contains(&format!("--continue {name} --duration 1s")), "{advice}");
    assert!(advice.contains("about 1s more would settle it"), "{advice}");

    let second = run(&bench, &["--continue", &name]);
    assert_eq!(second.status.code(), Some(0), "{}", text(&second.stderr));
    let printed = words(&second.stdout);
    assert!(printed.contains("with the evidence of 1 earlier run"), "{printed}");
    let records = records(&bench);
    assert_eq!(records[1].verdict.continues, [records[0].id]);
    let report = bench.runs().join(records[1].name()).join("report.md");
    assert!(fs::read_to_string(report).unwrap().contains("with the evidence of 1 earlier run"));

    let again = run(&bench, &["--continue", &name]);
    assert_eq!(again.status.code(), Some(2));
    let refused = words(&again.stderr);
    let by = format!("the run {name} is already continued by {}", records[1].name());
    assert!(refused.contains(&by), "{refused}");
    let passed = run(&bench, &["--continue", "latest"]);
    assert!(words(&passed.stderr).contains("it passed, and a verdict is final"));
    assert_eq!((passed.status.code(), bench.run_folders().len()), (Some(2), 2));
}

#[test]
fn a_run_of_something_else_cannot_be_continued_and_every_difference_is_named() {
    let target = Target::start(&[]);
    let bench = bench(&target, HALF);
    assert_eq!(run(&bench, &["--commit", "aaa", "--deploy", "v1"]).status.code(), Some(3));
    let other = fs::read_to_string(&bench.scenario).unwrap();
    let other =
        other.replace("p95 < 1s", "p95 < 2s").replace("100/s", "90/s").replace("20ms", "10ms");
    fs::write(&bench.scenario, other).unwrap();
    let flags = ["--continue", "latest", "--commit", "bbb", "--deploy", "v2"];
    let output = run(&bench, &flags);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    let refused = words(&output.stderr);
    for difference in [
        "load of `trial`: open, 100/s constant, up to 4 connections before, open, 90/s constant",
        "`stalls` of `trial`: 20ms before, 10ms now",
        "budgets of `plain`: `p95 < 1s` before, `p95 < 2s` now",
        "commit: aaa before, bbb now",
        "deploy: v1 before, v2 now",
        "run the same plan against the same commit, or measure anew, without --continue",
    ] {
        assert!(refused.contains(difference), "{difference}: {refused}");
    }
    assert_eq!(bench.run_folders().len(), 1, "a refused run leaves no folder");
}

#[test]
fn a_run_that_is_continued_may_be_shorter_even_if_its_horizon_follows_from_its_length() {
    let target = Target::start(&[]);
    let rest = HALF.replace("[gate]\nstalls = \"20ms\"\n", "").replace("\"1s\"", "\"3s\"");
    let bench = bench(&target, &rest);
    assert_eq!(run(&bench, &[]).status.code(), Some(3));
    let second = run(&bench, &["--continue", "latest", "--duration", "1s"]);
    assert_eq!(second.status.code(), Some(0), "{}{}", text(&second.stdout), text(&second.stderr));
}

#[test]
fn repeated_runs_and_shards_continue_no_other() {
    let target = Target::start(&[]);
    let bench = bench(&target, HALF);
    assert_eq!(run(&bench, &[]).status.code(), Some(3));
    for flags in [["--every", "1s"], ["--shard", "1/2"]] {
        let output = run(&bench, &[&["--continue", "latest"], &flags[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(words(&output.stderr).contains("cannot be combined"), "{}", text(&output.stderr));
    }
    let unknown = run(&bench, &["--continue", "nowhere"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn an_inconclusive_run_is_extended_by_a_run_that_continues_it() {
    let target = Target::start(&[]);
    let gate = "stalls = \"20ms\"\non_inconclusive = \"extend 1s\"";
    let bench = bench(&target, &HALF.replace("stalls = \"20ms\"", gate)).with_reports();
    let output = run(&bench, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("measuring for 1s more, as `on_inconclusive` says"));
    let records = records(&bench);
    let decisions: Vec<_> = records.iter().map(|record| record.verdict.decision).collect();
    assert_eq!(decisions, [Decision::Inconclusive, Decision::Pass]);
    assert_eq!(records[1].verdict.continues, [records[0].id]);
    let caveats = &records[1].plan[0].caveats;
    assert_eq!(*caveats, ["this run extends an inconclusive one, so it measures 1s"]);
    for record in records {
        assert!(bench.runs().join(record.name()).join("report.html").exists());
    }
}

#[test]
fn a_run_that_is_decided_is_not_extended() {
    let target = Target::start(&[]);
    let gate = "stalls = \"10ms\"\non_inconclusive = \"extend 1s\"";
    let bench = bench(&target, &HALF.replace("stalls = \"20ms\"", gate));
    assert_eq!(run(&bench, &[]).status.code(), Some(0));
    assert_eq!(bench.run_folders().len(), 1);
}

/// A run whose `git` is a shell that reads `script`. A script that the test executes itself could
/// fail with "text file busy".
fn run_with_git(bench: &Bench, script: &str) -> Output {
    let folder = bench.folder.path();
    symlink("/bin/sh", folder.join("git")).unwrap();
    // The first argument of git names the script to the shell.
    fs::write(folder.join("rev-parse"), script).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", folder.display());
    bench.command().current_dir(folder).env("PATH", path).output().unwrap()
}

#[test]
fn an_extension_has_the_commit_of_the_run_that_it_extends() {
    let warning = "WARNING: git did not name the commit within 2 s, so none is recorded.";
    for (first_answer, commit, warnings) in
        [("echo 1111; pwd", Some("1111"), 0), ("exec sleep 1000", None, 1)]
    {
        let target = Target::start(&[]);
        let gate = "stalls = \"20ms\"\non_inconclusive = \"extend 1s\"";
        let bench = bench(&target, &HALF.replace("stalls = \"20ms\"", gate));
        let script =
            format!("if [ -e asked ]; then echo 2222; pwd; else : > asked; {first_answer}; fi\n");
        let output = run_with_git(&bench, &script);
        let said = words(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(said.matches(warning).count(), warnings, "{said}");
        let commits = records(&bench).into_iter().map(|record| record.provenance.git_commit);
        let commits: Vec<_> = commits.collect();
        assert_eq!(commits, vec![commit.map(str::to_owned); 2], "{said}");
    }
}
