//! A run whose verdict is proven before its planned end.

use tollgate::record::{Decision, RunEnding};

use crate::bench::{Bench, Target, text, words};

/// A target that takes 60 ms, 8 s with blocks of 20 ms, and a step before and after the load.
fn bench(target: &Target, budgets: &str, stop_early: &str) -> Bench {
    let rest = format!(
        "[[teardown]]\nname = \"leave\"\npath = \"/plain\"\n\
         [[request]]\nname = \"tile\"\npath = \"/app?mock=1\"\n\
         [gate]\nstalls = \"20ms\"\n{stop_early}\n\
         [load]\narrival_rate = \"50/s\"\nduration = \"8s\"\nconnections = 10\n"
    );
    Bench::new(&target.base_url, &format!("budgets = [{budgets}]"), &rest)
}

fn slow_target() -> Target {
    Target::start(&["--mock-latency", "constant:60ms"])
}

#[test]
fn a_proven_breach_ends_the_run_fails_it_and_still_tears_down() {
    let target = slow_target();
    let bench = bench(&target, "\"p95 < 50ms\"", "").with_reports();
    let output = bench.run();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let printed = words(&output.stdout);
    assert!(printed.contains("; ended early after 2 s of 8 s"), "{printed}");
    assert_eq!(
        printed.matches("FAIL").count(),
        2,
        "in the table and before the verdict: {printed}"
    );
    let record = bench.record();
    let scenario = &record.measurement.scenarios[0];
    assert!(matches!(record.measurement.ending, RunEnding::ProvenEarly(_)));
    assert!(scenario.released < 300, "{}", scenario.released);
    let answered = scenario.requests[0].measured.tally.exchanges;
    assert_eq!(scenario.released, answered + scenario.abandoned, "what was sent is answered");
    assert_eq!(scenario.teardown.len(), 1);
    for file in ["report.html", "report.md"] {
        let report = std::fs::read_to_string(bench.run_folder().join(file)).unwrap();
        assert!(report.contains("ended early after 2 s of 8 s"), "{file}");
    }
}

#[test]
fn a_proven_pass_ends_a_run_that_asks_for_it() {
    let target = slow_target();
    let bench = bench(&target, "\"p75 < 1s\"", "stop_early = \"both\"");
    let output = bench.run();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let record = bench.record();
    assert_eq!(record.verdict.decision, Decision::Pass);
    assert!(record.measurement.scenarios[0].released < 350);
    assert!(text(&output.stdout).contains("; ended early after 2 s of 8 s"));
}

#[test]
fn a_run_that_must_not_end_early_lasts_as_planned() {
    let target = slow_target();
    let bench = bench(&target, "\"p95 < 50ms\"", "stop_early = \"never\"");
    let output = bench.command().args(["--duration", "3s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let record = bench.record();
    assert_eq!(record.measurement.ending, RunEnding::Complete);
    assert_eq!(record.measurement.scenarios[0].released, 150);
}
