//! `tollgate duet` and `run --baseline`.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use tollgate::record::{
    BlockFigures, ChangeVerdict, Decision, DuetSide, FiguresWithout, PlannedDuet, RunRecord,
};
use tollgate::verdict;

use crate::bench::{Target, record, text, words};
use crate::history::{keep, run_in};

fn page(target: &Target) -> String {
    format!("{}/app?mock=1", target.base_url)
}

/// The folder of the run that started last.
fn last_folder(runs: &Path) -> PathBuf {
    let folders = std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path());
    folders.max().unwrap()
}

fn last_record(runs: &Path) -> RunRecord {
    record(&last_folder(runs))
}

#[test]
fn both_sides_share_one_schedule_and_the_seed_of_the_coin_is_in_the_record() {
    let (old, new) = (Target::start(&[]), Target::start(&[]));
    let runs = tempfile::tempdir().unwrap();
    let (a, b) = (page(&old), page(&new));
    let words = ["duet", "--a", &a, "--b", &b, "--name", "tiles", "--coin", "7"];
    let load = ["--duration", "2s", "--rate", "60/s"];
    let output = run_in(&[&words[..], &load].concat(), runs.path());
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let record = last_record(runs.path());
    let sides: Vec<_> = record.plan.iter().map(|planned| planned.duet.as_ref().unwrap()).collect();
    assert_eq!([sides[0].side, sides[1].side], [DuetSide::A, DuetSide::B]);
    assert_eq!((sides[0].seed, sides[1].other.as_str()), (7, "tiles (a)"));
    let sent = record.measurement.scenarios.iter().map(|one| (one.planned.unwrap(), one.released));
    let sent: Vec<_> = sent.collect();
    assert_eq!(sent[0].0 + sent[1].0, 120);
    assert!(sent.iter().all(|(planned, released)| planned == released), "{sent:?}");
    assert!(sent.iter().all(|(planned, _)| (35..=85).contains(planned)), "{sent:?}");
}

/// Makes the scenarios of a record the two sides of a duet, the second of which is slower.
fn into_duet(record: &mut RunRecord) {
    let names: Vec<_> = record.plan.iter().map(|planned| planned.name.clone()).collect();
    for (at, side) in [DuetSide::A, DuetSide::B].into_iter().enumerate() {
        let other = names[1 - at].clone();
        record.plan[at].duet = Some(PlannedDuet { side, other, seed: 7 });
    }
}

#[test]
fn a_slower_side_ends_with_1_and_is_shown_again_from_the_record() {
    let runs = tempfile::tempdir().unwrap();
    let name = keep(runs.path(), 0, |record| {
        into_duet(record);
        crate::compare::add_blocks(record);
        record.comparison = verdict::compare_duet(record).map(Box::new);
    });
    for file in ["intervals.jsonl", "intervals.hlog"] {
        std::fs::write(last_folder(runs.path()).join(file), "").unwrap();
    }
    let comparison = last_record(runs.path()).comparison.unwrap();
    assert_eq!(comparison.requests[0].latency[0].change, ChangeVerdict::More);
    let shown = run_in(&["show", &name, "--report", "all"], runs.path());
    assert_eq!(shown.status.code(), Some(1), "{}", text(&shown.stderr));
    let page = text(&shown.stdout);
    assert!(page.contains("SLOWER") && page.contains("p50 is slower by"), "{page}");
}

#[test]
fn only_the_budgets_of_the_new_side_decide_and_a_short_duet_is_undecided() {
    let (old, new) = (
        Target::start(&["--mock-latency", "lognormal:60ms,0.3"]),
        Target::start(&["--mock-latency", "lognormal:5ms,0.3"]),
    );
    let runs = tempfile::tempdir().unwrap();
    let (a, b) = (page(&old), page(&new));
    let budget = ["--budget", "max < 30ms", "--duration", "1s"];
    let words = [&["duet", "--a", &a, "--b", &b][..], &budget].concat();
    let output = run_in(&words, runs.path());
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("too short to compare"), "{}", text(&output.stdout));
    let swapped = [&["duet", "--a", &b, "--b", &a][..], &budget].concat();
    assert_eq!(run_in(&swapped, runs.path()).status.code(), Some(1));
}

#[test]
fn a_scenario_file_is_run_against_both_base_urls() {
    let (old, new) = (Target::start(&[]), Target::start(&[]));
    let runs = tempfile::tempdir().unwrap();
    let file = runs.path().join("shop.toml");
    let scenario = "name = \"shop\"\n[target]\nbase_url = \"${NOWHERE}\"\n\
                    [[request]]\nname = \"page\"\npath = \"/app?mock=1\"\n\
                    [load]\narrival_rate = \"40/s\"\nduration = \"1s\"\n\
                    [gate]\nfail_after = 2\n";
    std::fs::write(&file, scenario).unwrap();
    let out = runs.path().join("runs");
    let words = ["duet", "--a", &old.base_url, "--b", &new.base_url, file.to_str().unwrap()];
    let output = run_in(&words, &out);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let warning = "`fail_after` has no effect in a duet";
    assert_eq!(text(&output.stderr).matches(warning).count(), 1, "{}", text(&output.stderr));
    assert!(!text(&output.stdout).contains("GATE"), "{}", text(&output.stdout));
    let record = last_record(&out);
    let urls: Vec<_> = record.plan.iter().map(|planned| planned.base_url.as_str()).collect();
    assert_eq!(urls, [&old.base_url, &new.base_url]);
    assert_eq!(record.plan[0].name, "shop (a)");
    assert_eq!(record.verdict.decision, Decision::Pass, "{:?}", record.verdict.scenarios);
}

#[test]
fn wrong_duets_end_with_2_before_anything_is_sent() {
    let runs = tempfile::tempdir().unwrap();
    let file = runs.path().join("flat.toml");
    let url = "http://127.0.0.1:1";
    std::fs::write(
        &file,
        "name = \"flat\"\n[[request]]\nname = \"page\"\nurl = \"http://127.0.0.1:1/\"\n\
         [load]\narrival_rate = \"40/s\"\nduration = \"1s\"\n",
    )
    .unwrap();
    let once = runs.path().join("once.toml");
    std::fs::write(
        &once,
        "name = \"once\"\n[target]\nbase_url = \"http://127.0.0.1:1\"\n[[request]]\n\
         name = \"page\"\npath = \"/\"\n[load]\nonce = true\n",
    )
    .unwrap();
    let (file, once) = (file.to_str().unwrap(), once.to_str().unwrap());
    let secret = "http://me:hunter2@127.0.0.1:1";
    let cases: [(&[&str], &str); 9] = [
        (&["--a", url], "--b"),
        (&["--a", url, "--b", url, url], "leave out the third URL"),
        (&["--a", url, "--b", "http://127.0.0.1:1/x?k=hunter2", file], "--b is the base URL"),
        (&["--a", file, "--b", url], "the scenario file after both URLs"),
        (&["--a", url, "--b", "here"], "begins with http://"),
        (&["--a", url, "--b", secret], "user name or password"),
        (&["--a", url, "--b", url, "--closed"], "closed load"),
        (&["--a", url, "--b", url, file], "has no `base_url`"),
        (&["--a", url, "--b", url, once], "one arrival"),
    ];
    for (words, expected) in cases {
        let output = run_in(&[&["duet"], words].concat(), &runs.path().join("runs"));
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {message}");
        assert!(message.contains(expected) && !message.contains("hunter2"), "{words:?}: {message}");
        let is_said_once = message.matches(expected).count() == 1;
        assert!(is_said_once || expected == "--b", "{message}");
    }
    assert!(!runs.path().join("runs").exists());
}

#[test]
fn a_path_of_a_base_url_and_a_short_duet_are_warned_of_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.toml");
    std::fs::write(
        &file,
        "name = \"shop\"\n[target]\nbase_url = \"http://127.0.0.1:1\"\n[[request]]\n\
         name = \"page\"\npath = \"/\"\n[load]\narrival_rate = \"40/s\"\nduration = \"1s\"\n",
    )
    .unwrap();
    let (a, b) = ("http://127.0.0.1:1/shop", "http://127.0.0.1:1/");
    let words = ["duet", "--a", a, "--b", b, file.to_str().unwrap()];
    let output = run_in(&words, &folder.path().join("runs"));
    let shown = text(&output.stderr);
    assert!(shown.contains("--a is the base URL of the scenario files"), "{shown}");
    assert!(!shown.contains("--b is the base URL"), "{shown}");
    let short = "WARNING: too short to compare: 1s are planned, and 18s are needed";
    assert_eq!(shown.matches(short).count(), 1, "{shown}");
}

#[test]
fn a_run_that_is_too_short_for_its_long_baseline_is_warned_of() {
    let target = Target::start(&[]);
    let runs = tempfile::tempdir().unwrap();
    let baseline = keep(runs.path(), 1, |record| {
        "tiles".clone_into(&mut record.plan[0].name);
        record.measurement.scenarios.truncate(1);
        let scenario = &mut record.measurement.scenarios[0];
        "tiles".clone_into(&mut scenario.name);
        let without = vec![FiguresWithout::default(); 6];
        let (measured, together) = (Duration::from_secs(90), Duration::from_secs(3));
        for request in &mut scenario.requests {
            let without = without.clone();
            request.blocks = Some(BlockFigures { measured, together, without });
        }
    });
    let url = page(&target);
    let words = ["run", &url, "--name", "tiles", "--duration", "1s", "--baseline", &baseline];
    let plain = run_in(&words, runs.path());
    assert!(!text(&plain.stderr).contains("too short"), "{}", text(&plain.stderr));
    let gated = run_in(&[&words[..], &["--fail-if-slower"]].concat(), runs.path());
    let warning = "WARNING: tiles: too short to compare: 1s are planned, and 54s are needed";
    assert!(text(&gated.stderr).contains(warning), "{}", text(&gated.stderr));
}

/// A run of a second that passes, with further flags.
fn measure_tiles(target: &Target, flags: &[&str], runs: &Path) -> Output {
    let url = page(target);
    let words = ["run", &url, "--name", "tiles", "--budget", "max < 9s", "--duration", "1s"];
    run_in(&[&words[..], flags].concat(), runs)
}

#[test]
fn a_run_is_compared_with_its_baseline_below_its_verdict() {
    let target = Target::start(&[]);
    let runs = tempfile::tempdir().unwrap();
    let measure = |flags: &[&str]| measure_tiles(&target, flags, runs.path());
    let first = measure(&["--tag", "branch=main"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let baseline = last_record(runs.path()).name();
    for named in ["tag:branch=main", &baseline, "last-pass"] {
        // By `last-pass`, the newest pass is the run before.
        let expected =
            if named == "last-pass" { last_record(runs.path()).name() } else { baseline.clone() };
        let output = measure(&["--baseline", named]);
        assert_eq!(output.status.code(), Some(0), "{named}: {}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("fail-if-slower"), "{}", text(&output.stderr));
        let page = text(&output.stdout);
        let verdict = page.find("PASS").unwrap();
        let compared = page.find(&format!("Compared with {expected}"));
        assert!(compared.is_some_and(|at| at > verdict), "{expected}: {page}");
        assert!(page.contains("too short to compare"), "{page}");
    }
    let gated = measure(&["--baseline", &baseline, "--fail-if-slower"]);
    assert_eq!(gated.status.code(), Some(3), "{}", text(&gated.stdout));
    let warning =
        "the baseline BASELINE measured 1s, and a comparison needs 18s: name a longer run";
    let warning = format!("WARNING: tiles: {}", warning.replace("BASELINE", &baseline));
    assert_eq!(words(&gated.stderr).matches(&warning).count(), 1, "{}", text(&gated.stderr));
    let ticks =
        measure(&["--baseline", &baseline, "--every", "1s", "--times", "2", "--report", "all"]);
    let lines = text(&ticks.stdout);
    assert_eq!(lines.matches("[comparison: undecided; too short").count(), 2, "{lines}");
    let report = std::fs::read_to_string(last_folder(runs.path()).join("report.md")).unwrap();
    assert!(report.contains("Compared with") && report.contains("UNDECIDED"), "{report}");
}

#[test]
fn the_last_pass_is_that_of_the_same_environment() {
    let target = Target::start(&[]);
    let runs = tempfile::tempdir().unwrap();
    let measure = |flags: &[&str]| measure_tiles(&target, flags, runs.path());
    let staging = ["--environment", "staging"];
    assert_eq!(measure(&staging).status.code(), Some(0));
    let without = measure(&["--baseline", "last-pass"]);
    assert_eq!(without.status.code(), Some(2));
    assert!(text(&without.stderr).contains("that passed without an environment"));
    let with = measure(&[&staging[..], &["--baseline", "last-pass"]].concat());
    assert_eq!(with.status.code(), Some(0), "{}", text(&with.stderr));
}

#[test]
fn a_missing_baseline_ends_with_2_before_anything_is_sent() {
    let target = Target::start(&[]);
    let runs = tempfile::tempdir().unwrap();
    let url = page(&target);
    let cases: [(&[&str], &str); 6] = [
        (&["--baseline", "last-pass"], "that passed"),
        (&["--baseline", "tag:branch=main"], "with the tag `branch=main`"),
        (&["--baseline", "tag:branch"], "a key and a value"),
        (&["--baseline", "branch=main"], "write `tag:branch=main`"),
        (&["--baseline", "2031-01-01"], "there is no run `2031-01-01`"),
        (&["--fail-if-slower"], "--baseline"),
    ];
    for (flags, expected) in cases {
        let output = run_in(&[&["run", &url, "--duration", "1s"], flags].concat(), runs.path());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {message}");
        assert!(message.contains(expected), "{flags:?}: {message}");
    }
    assert_eq!(std::fs::read_dir(runs.path()).unwrap().count(), 0);
}
