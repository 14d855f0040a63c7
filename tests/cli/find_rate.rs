//! `tollgate tune --find-rate`: the largest rate within budget.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::bench::{Bench, Target, record, signal, text, tollgate, words};

/// A search on a source, with runs in the folder of a bench.
fn search(source: impl AsRef<Path>, runs: &Path, flags: &[&str]) -> Command {
    let mut command = tollgate();
    command.args(["tune", "--find-rate"]).arg(source.as_ref()).arg("--runs-dir").arg(runs);
    command.args(["--step-pause", "0s"]).args(flags);
    command
}

/// A bench whose load is at a constant rate.
fn bench(base_url: &str, budget: &str) -> Bench {
    Bench::new(
        base_url,
        &format!("budgets = [\"{budget}\"]"),
        "[[request]]\nname = \"sample\"\npath = \"/app?mock=1\"\n\
         [load]\narrival_rate = \"10/s\"\nduration = \"1s\"\nconnections = 4\n",
    )
}

/// The output of a search that is refused before anything is sent.
fn refused(source: &str, flags: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = search(source, folder.path(), flags).output().unwrap();
    let problem = words(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{problem}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    problem
}

#[test]
fn what_cannot_be_searched_is_refused_with_the_remedy_before_anything_is_sent() {
    let url = "http://127.0.0.1:9/";
    let budget = ["--budget", "p95 < 300ms"];
    let with = |flags: &[&str]| refused(url, &[&budget, flags].concat());
    assert!(refused(url, &[]).contains("--max-rate"));
    assert!(refused(url, &["--max-rate", "20/s"]).contains("--budget 'p95 < 300ms'"));
    assert!(
        with(&["--max-rate", "20/s", "--rate", "9/s"]).contains("write --min-rate and --max-rate")
    );
    assert!(with(&["--max-rate", "20/s", "--closed"]).contains("--closed cannot be combined"));
    assert!(with(&["--max-rate", "2/s"]).contains("raise --max-rate or lower --min-rate"));
    assert!(with(&["--max-rate", "20/s", "--resolution", "1"]).contains("from 1.02 to 2"));
    let short = with(&["--max-rate", "20/s", "--step-duration", "1s"]);
    assert!(short.contains("cannot prove `p95 < 300ms`") && short.contains("or more"), "{short}");
}

#[test]
fn a_foreign_host_needs_consent_for_the_highest_rate_before_the_first_step() {
    let flags = ["--budget", "p95 < 300ms", "--max-rate", "150/s"];
    let problem = refused("http://192.0.2.1/", &flags);
    assert!(problem.contains("--yes-load-this-host"), "{problem}");
}

#[test]
fn a_load_without_a_rate_is_refused_by_its_reason() {
    for (load, why) in [
        ("connections = 4\nduration = \"1s\"", "the target sets the rate"),
        ("once = true", "at no rate"),
    ] {
        let rest = format!("[[request]]\nname = \"a\"\npath = \"/plain\"\n[load]\n{load}\n");
        let bench = Bench::new("http://127.0.0.1:9", "budgets = [\"errors = 0\"]", &rest);
        let problem = refused(bench.scenario.to_str().unwrap(), &["--max-rate", "20/s"]);
        assert!(problem.contains(why), "{load}: {problem}");
    }
}

/// The search as JSON.
fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", text(&output.stdout), text(&output.stderr))
    })
}

#[test]
fn a_limit_that_holds_is_measured_twice_and_its_runs_name_the_search() {
    let target = Target::start(&["--mock-latency", "constant:1ms"]);
    let bench = bench(&target.base_url, "p90 < 1s");
    let flags = ["--min-rate", "100/s", "--max-rate", "100/s", "--step-duration", "3s"];
    let output =
        search(&bench.scenario, &bench.runs(), &[&flags[..], &["--output", "json"]].concat())
            .output()
            .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found = json(&output);
    assert_eq!(
        (found["ending"].as_str(), found["within"].as_f64()),
        (Some("limit_holds"), Some(100.0))
    );
    assert_eq!(found["confirmation"]["result"], "holds");
    assert!(text(&output.stderr).contains("no higher rate was allowed"));
    let mut tags: Vec<_> = (bench.run_folders().iter())
        .map(|folder| record(folder).provenance.tags)
        .map(|tags| (tags["search"].clone(), tags["step"].clone()))
        .collect();
    tags.sort();
    let id = found["search"].as_str().unwrap().to_owned();
    assert_eq!(tags, [(id.clone(), "1".to_owned()), (id, "2".to_owned())]);
}

#[test]
fn a_target_that_does_not_even_hold_the_lowest_rate_fails_and_says_why() {
    let target = Target::start(&["--mock-latency", "constant:50ms"]);
    let bench = bench(&target.base_url, "p90 < 20ms");
    let flags = ["--min-rate", "50/s", "--max-rate", "100/s", "--step-duration", "3s"];
    let output = search(&bench.scenario, &bench.runs(), &flags).output().unwrap();
    let printed = words(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("Not even 50/s, the lowest rate, is within budget"), "{printed}");
    assert!(printed.contains("over budget at 50/s: p90 < 20ms: p90 is"), "{printed}");
}

#[test]
fn an_interrupted_search_ends_cleanly_with_what_it_knows() {
    let target = Target::start(&["--mock-latency", "constant:1ms"]);
    let bench = bench(&target.base_url, "p90 < 1s");
    let flags = ["--min-rate", "50/s", "--max-rate", "100/s", "--step-duration", "4s"];
    let mut child = search(&bench.scenario, &bench.runs(), &flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // On a busy machine, a first step can be inconclusive and is then measured longer.
    assert!(lines.any(|line| line.contains("/s  pass ")));
    signal(&child, "INT");
    let rest: Vec<_> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{rest:?}");
    let is_answer =
        |line: &String| line.starts_with("Interrupted: so far ") && line.contains("/s is within");
    assert!(rest.iter().any(is_answer), "{rest:?}");
}
