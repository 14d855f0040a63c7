//! `tollgate history`, and the names of runs.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use tollgate::record::{Decision, RunEnding, RunRecord};
use tollgate::store;
use uuid::Uuid;

use crate::bench::{Bench, PLAIN, Target, text, tollgate};

/// A whole run, which tests change. It does not depend on the sample in `reports`.
fn template() -> RunRecord {
    serde_json::from_str(include_str!("run-template.json")).unwrap()
}

/// Writes the folder of a run that is the template, `days` later and changed by `alter`. Returns
/// its name.
pub(super) fn keep(runs: &Path, days: u32, alter: impl FnOnce(&mut RunRecord)) -> String {
    let mut record = template();
    record.id = Uuid::from_u128(record.id.as_u128() + u128::from(days));
    record.provenance.started += Duration::from_hours(24) * days;
    alter(&mut record);
    let folder = runs.join(record.name());
    std::fs::create_dir_all(&folder).unwrap();
    store::complete_folder(&folder, &record).unwrap();
    record.name()
}

pub(super) fn run_in(words: &[&str], runs: &Path) -> Output {
    tollgate().args(words).arg("--runs-dir").arg(runs).output().unwrap()
}

fn tag(record: &mut RunRecord, environment: &str) {
    record.provenance.tags.insert("environment".to_owned(), environment.to_owned());
}

#[test]
fn show_without_a_name_shows_the_latest_run() {
    let runs = tempfile::tempdir().unwrap();
    let missing = run_in(&["show"], runs.path());
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("there is no finished run"), "{missing:?}");
    let names = [1, 2].map(|days| keep(runs.path(), days, |_| ()));
    let output = run_in(&["show"], runs.path());
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert!(shown.contains(&names[1]) && !shown.contains(&names[0]), "{shown}");
}

#[test]
fn runs_are_listed_under_the_names_of_their_folders() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    for environment in ["staging", "live"] {
        let run = bench.command().args(["--environment", environment]).output().unwrap();
        assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    }
    let history = run_in(&["history"], &bench.runs());
    assert_eq!(history.status.code(), Some(0), "{}", text(&history.stderr));
    let page = text(&history.stdout);
    assert!(page.contains("trial · plain") && page.contains("2 runs, 200 ok exchanges"), "{page}");
    for folder in bench.run_folders() {
        assert!(page.contains(folder.file_name().unwrap().to_str().unwrap()), "{page}");
    }
    let one = run_in(&["history", "--environment", "staging", "--output", "json"], &bench.runs());
    let json: serde_json::Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!(
        (&json["runs"], &json["requests"][0]["ok_latency"]["count"]),
        (&1.into(), &100.into())
    );
    assert_eq!(json["requests"][0]["newest"][0]["tags"]["environment"], "staging");

    let names: Vec<_> = bench.run_folders().iter().map(|path| path.display().to_string()).collect();
    let compared = run_in(&["compare", &names[0], &names[1]], &bench.runs());
    assert_eq!(compared.status.code(), Some(0), "{}", text(&compared.stderr));
    assert!(text(&compared.stdout).contains("more than chance?"), "{}", text(&compared.stdout));
}

#[test]
fn totals_count_all_matching_runs_even_if_fewer_are_listed() {
    let runs = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..4).map(|days| keep(runs.path(), days, |_| {})).collect();
    let page =
        text(&run_in(&["history", "--limit", "1", "--request", "tile page"], runs.path()).stdout);
    assert!(page.contains("4 runs, 3,680 ok exchanges: p50 42.6 ms"), "{page}");
    assert!(page.contains(&names[3]) && !page.contains(&names[2]), "{page}");
    assert!(page.contains("3 earlier runs not shown"), "{page}");
}

#[test]
fn filters_select_runs_by_scenario_verdict_tag_and_time() {
    let runs = tempfile::tempdir().unwrap();
    let mut names = vec![keep(runs.path(), 0, |record| tag(record, "staging"))];
    names.push(keep(runs.path(), 1, |record| tag(record, "live")));
    names.push(keep(runs.path(), 2, |record| {
        tag(record, "live");
        record.verdict.scenarios[1].decision = Decision::Pass;
    }));
    for (words, expected) in [
        (&["--scenario", "tile-loader-live"][..], &[0, 1, 2][..]),
        (&["--environment", "live"], &[1, 2]),
        (&["--tag", "environment=staging"], &[0]),
        (&["--verdict", "pass"], &[2]),
        (&["--verdict", "fail", "--since", "2026-11-25"], &[1, 2]),
        (&["--until", "2026-11-25T00:00:00Z"], &[0]),
        (&["--scenario", "none"], &[]),
    ] {
        let csv = run_in(&[&["history", "--output", "csv"], words].concat(), runs.path());
        assert_eq!(csv.status.code(), Some(0), "{}", text(&csv.stderr));
        let csv = text(&csv.stdout);
        assert!(csv.starts_with("started,run,id,") && csv.ends_with("\r\n"), "{csv}");
        let listed: Vec<usize> = (0..names.len()).filter(|&at| csv.contains(&names[at])).collect();
        assert_eq!(listed, expected, "{words:?}");
    }
}

#[test]
fn an_empty_history_suggests_a_command() {
    let runs = tempfile::tempdir().unwrap();
    let nothing = run_in(&["history"], &runs.path().join("none"));
    assert_eq!(nothing.status.code(), Some(0));
    assert!(text(&nothing.stdout).contains("`tollgate run"), "{}", text(&nothing.stdout));
    let json = run_in(&["history", "--output", "json"], runs.path());
    assert!(text(&json.stdout).contains("\"runs\": 0"), "{}", text(&json.stdout));
    assert_eq!(run_in(&["history", "--since", "soon"], runs.path()).status.code(), Some(2));
}

#[test]
fn folders_without_a_finished_run_are_reported_and_the_others_listed() {
    let runs = tempfile::tempdir().unwrap();
    let name = keep(runs.path(), 0, |_| {});
    for (folder, file) in
        [("cut", "run.json"), ("going on", "run.partial.json"), ("foreign", "notes")]
    {
        std::fs::create_dir(runs.path().join(folder)).unwrap();
        std::fs::write(runs.path().join(folder).join(file), "{").unwrap();
    }
    let history = run_in(&["history"], runs.path());
    assert_eq!(history.status.code(), Some(0));
    assert!(text(&history.stdout).contains(&name));
    assert_eq!(text(&history.stderr).matches("Left out: ").count(), 3, "{}", text(&history.stderr));
}

#[test]
fn names_cannot_control_a_terminal_or_a_spreadsheet() {
    const EVIL: &str = "=cmd|'/c calc'!A1\u{1b}[2J\u{9b}31m\r\n";
    let runs = tempfile::tempdir().unwrap();
    let rename = |record: &mut RunRecord| {
        record.provenance.git_commit = Some(EVIL.to_owned());
        record.provenance.host.name = EVIL.to_owned();
        record.provenance.tags.insert("environment".to_owned(), EVIL.to_owned());
        record.plan[0].name = EVIL.to_owned();
        record.measurement.scenarios[0].name = EVIL.to_owned();
        record.measurement.scenarios[0].requests[0].name = EVIL.to_owned();
        record.measurement.ending = RunEnding::TargetDown(EVIL.to_owned());
    };
    let evil = keep(runs.path(), 0, rename);
    let other = keep(runs.path(), 1, |record| {
        rename(record);
        record.plan[0].load = EVIL.to_owned();
    });
    let good = keep(runs.path(), 2, |record| drop(record.measurement.scenarios.remove(0)));
    for words in [
        &["history"][..],
        &["history", "--output", "csv"],
        &["compare", &evil, &other],
        &["compare", &evil, &good],
    ] {
        let output = run_in(words, runs.path());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let page = text(&output.stdout) + &text(&output.stderr);
        let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\r');
        assert!(!page.contains(steers), "{page:?}");
        assert!(!page.contains(",=") && !page.contains("\"="), "{page}");
    }
}

#[test]
fn a_run_is_found_by_its_id_and_by_the_beginning_of_its_name() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    assert_eq!(bench.run().status.code(), Some(0));
    let id = bench.record().id.to_string();
    let folder = bench.run_folder();
    let beginning = &folder.file_name().unwrap().to_str().unwrap()[..19];
    let last = &id[id.len() - 8..];
    let show = run_in(&["show", last], &bench.runs());
    assert_eq!(show.status.code(), Some(0), "{}", text(&show.stderr));
    for name in [&id, last, beginning] {
        let compare = run_in(&["compare", name, folder.to_str().unwrap()], &bench.runs());
        assert_eq!(compare.status.code(), Some(0), "{name}: {}", text(&compare.stderr));
    }
}

#[test]
fn suggested_budgets_can_be_pasted_and_say_how_many_runs_held_them() {
    let runs = tempfile::tempdir().unwrap();
    for days in 1..=6 {
        keep(runs.path(), days, |_| ());
    }
    let output = run_in(&["history", "--suggest"], runs.path());
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{stdout}{}", text(&output.stderr));
    let pasted = stdout.lines().find(|line| line.starts_with("budgets = [\"p50 < ")).unwrap();
    let scenario = format!(
        "name = \"a\"\n{pasted}\n[target]\nbase_url = \"http://127.0.0.1:9\"\n[[request]]\n\
         name = \"b\"\npath = \"/\"\n[load]\narrival_rate = \"20/s\"\nduration = \"1h\"\n"
    );
    tollgate::scenario::Scenario::parse("a.toml", &scenario).unwrap();
    assert!(stdout.contains("6 of 6 runs would have passed"), "{stdout}");
    let json = run_in(&["history", "--suggest", "--output", "json"], runs.path());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["requests"][0]["budgets"][0]["of"], 6, "{json}");
    let csv = run_in(&["history", "--suggest", "--output", "csv"], runs.path());
    assert_eq!(csv.status.code(), Some(2));
}
