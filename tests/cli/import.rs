//! `tollgate import`: runs from the results of other tools.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;
use tempfile::TempDir;
use tollgate::record::{Decision, RunRecord};

use crate::bench::{Bench, PLAIN, Target, text, tollgate, words};

/// A folder with four artifacts: an answer in time, one above its budget, a missing page, and a
/// fetch that failed.
struct Artifacts {
    folder: TempDir,
}

impl Artifacts {
    fn new() -> Self {
        let artifacts = Self { folder: tempfile::tempdir().unwrap() };
        artifacts.write("a.json", 1, 242.98, "200", "null");
        artifacts.write("b.json", 2, 369.91, "200", "null");
        artifacts.write("c.json", 3, 266.46, "410", "null");
        artifacts.write("d.json", 4, 59.54, "null", "\"fetch failed\"");
        artifacts
    }

    fn write(&self, name: &str, second: u8, took: f64, status: &str, error: &str) {
        let ok = status == "200";
        let target = "https://probe:Zebra7f3a9c51@shop.example/app?mock=1";
        let content = format!(
            "{{\n  \"timestamp\": \"2025-10-10T02:56:0{second}.069Z\",\n  \"target\": \"{target}\",\n  \
             \"budgetMs\": 300,\n  \"durationMs\": {took},\n  \"status\": {status},\n  \"ok\": {ok},\n  \
             \"error\": {error}\n}}\n"
        );
        std::fs::write(self.path(name), content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn runs(&self) -> PathBuf {
        self.path("runs")
    }

    /// `tollgate import` with these words, into the runs folder of these artifacts.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = tollgate();
        command.arg("import").args(words).env("TOLLGATE_RUNS_DIR", self.runs());
        command.current_dir(self.folder.path());
        command
    }

    fn import(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }
}

/// All files below a folder, with their content.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                contents(&path)
            } else {
                [(path.clone(), std::fs::read(path).unwrap())].into()
            }
        })
        .collect()
}

#[test]
fn artifacts_become_runs_whose_verdicts_do_not_decide_the_exit_code() {
    let artifacts = Artifacts::new();
    let output = artifacts.import(&["synthetic-check", "."]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    assert!(
        page.ends_with(
            "4 artifacts: 4 runs imported, 0 already there; 2 answered 200, 1 answered 410, 1 got no answer\n"
        ),
        "{page}"
    );
    let lines: Vec<_> =
        page.lines().map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect();
    assert_eq!(lines[..4], ["INCONCLUSIVE", "FAIL", "FAIL", "FAIL"]);
    assert!(
        page.contains("synthetic-check shop.example/app?mock=1: 1 request, none failed, 243 ms"),
        "{page}"
    );
    for (path, content) in contents(&artifacts.runs()) {
        assert!(!text(&content).contains("Zebra"), "{}", path.display());
    }
    assert!(!page.contains("Zebra") && !text(&output.stderr).contains("Zebra"));
}

#[test]
fn importing_a_file_again_changes_nothing_even_under_another_name() {
    let artifacts = Artifacts::new();
    artifacts.import(&["synthetic-check", "."]);
    let before = contents(&artifacts.runs());
    assert_eq!(before.len(), 4 * 3);
    std::fs::rename(artifacts.path("a.json"), artifacts.path("z.json")).unwrap();
    std::fs::copy(artifacts.path("b.json"), artifacts.path("y.json")).unwrap();
    let again = artifacts.import(&["synthetic-check", "."]);
    assert!(
        text(&again.stdout).contains("5 artifacts: 0 runs imported, 5 already there"),
        "{}",
        text(&again.stdout)
    );
    assert_eq!(contents(&artifacts.runs()), before);
}

#[test]
fn the_next_import_completes_an_interrupted_one() {
    let artifacts = Artifacts::new();
    artifacts.import(&["synthetic-check", "."]);
    let before = contents(&artifacts.runs());
    let folders: Vec<_> =
        std::fs::read_dir(artifacts.runs()).unwrap().map(|entry| entry.unwrap().path()).collect();
    // Cut off before anything, before the intervals, and before the record was written.
    let partial = |folder: &Path| {
        std::fs::rename(folder.join("run.json"), folder.join("run.partial.json")).unwrap();
    };
    for file in std::fs::read_dir(&folders[0]).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    partial(&folders[1]);
    std::fs::remove_file(folders[1].join("intervals.jsonl")).unwrap();
    partial(&folders[2]);
    let again = artifacts.import(&["synthetic-check", "."]);
    assert!(
        text(&again.stdout).contains("3 runs imported, 1 already there"),
        "{}",
        text(&again.stdout)
    );
    assert_eq!(contents(&artifacts.runs()), before);
}

#[test]
fn two_imports_at_once_write_each_run_once_and_completely() {
    let artifacts = Artifacts::new();
    let start =
        || artifacts.command(&["synthetic-check", "."]).stdout(Stdio::piped()).spawn().unwrap();
    let both = [start(), start(), start()].map(|child| child.wait_with_output().unwrap());
    let imported = |output: &Output| {
        let page = text(&output.stdout);
        page.split("artifacts: ").nth(1).unwrap().split(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(both.iter().map(imported).sum::<u32>(), 4);
    let after = contents(&artifacts.runs());
    assert_eq!(after.len(), 4 * 3);
    let alone = Artifacts::new();
    alone.import(&["synthetic-check", "."]);
    assert!(contents(&alone.runs()).into_values().eq(after.into_values()));
}

#[test]
fn one_wrong_file_that_is_named_prevents_the_import_and_every_mistake_is_reported() {
    let artifacts = Artifacts::new();
    std::fs::write(artifacts.path("bad.json"), "{\n  \"timestamp\": 7\n}").unwrap();
    std::fs::write(artifacts.path("worse.json"), "noise").unwrap();
    std::fs::create_dir(artifacts.path("empty")).unwrap();
    let named = ["synthetic-check", ".", "bad.json", "worse.json", "missing.json"];
    let output = artifacts.import(&named);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    for place in [
        "bad.json:2:16: not an artifact",
        "worse.json:1:2: not JSON",
        "missing.json: cannot be read",
    ] {
        assert!(message.contains(place), "{place} in {message}");
    }
    assert!(message.contains("Nothing was imported.") && !artifacts.runs().exists(), "{message}");
    for (path, why) in [
        ("empty", "the folder contains no *.json file"),
        ("/dev/zero", "it is a device, not a regular file"),
    ] {
        let output = artifacts.import(&["synthetic-check", path]);
        assert_eq!(output.status.code(), Some(2), "{path}");
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    }
}

#[test]
fn a_folder_may_hold_other_files_which_are_named_counted_and_left_out() {
    let artifacts = Artifacts::new();
    let path = |name: &str| artifacts.path(name);
    let monitor = r#"{"timestamp": "2025-10-10T02:56:01Z", "status": 200, "checks": []}"#;
    for (name, content) in [
        ("monitor.json", monitor),
        ("list.json", "[]"),
        ("empty.json", ""),
        ("text.json", "noise"),
        ("notes.txt", "x"),
    ] {
        std::fs::write(path(name), content).unwrap();
    }
    let half = std::fs::read(path("a.json")).unwrap();
    std::fs::write(path("half.json"), &half[..half.len() / 2]).unwrap();
    std::fs::File::create(path("huge.json")).unwrap().set_len(1 << 30).unwrap();
    std::fs::create_dir(path("folder.json")).unwrap();
    mkfifoat(CWD, path("pipe.json"), Mode::RUSR | Mode::WUSR).unwrap();
    std::os::unix::fs::symlink("circle.json", path("circle.json")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("broken.json")).unwrap();
    let output = artifacts.import(&["synthetic-check", ".", "--output", "json"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["imported"], 4);
    let left_out = summary["left_out"].as_array().unwrap();
    let why = |name: &str| {
        let of = |file: &&Value| file["file"].as_str().unwrap().ends_with(name);
        left_out.iter().find(of).map(|file| file["why"].as_str().unwrap().to_owned())
    };
    for (name, reason) in [
        ("/monitor.json", "not an artifact of synthetic-check"),
        ("/list.json", "not an artifact of synthetic-check"),
        ("/empty.json", "not JSON"),
        ("/text.json", "not JSON"),
        ("/half.json", "not JSON"),
        ("/huge.json", "larger than 1 MiB"),
        ("/folder.json", "directory"),
        ("/pipe.json", "it is a pipe"),
        ("/circle.json", "symbolic links"),
        ("/broken.json", "No such file"),
    ] {
        let found = why(name).unwrap_or_else(|| panic!("{name} in {left_out:?}"));
        assert!(found.contains(reason) && said.contains(&found), "{name}: {found} in {said}");
    }
    assert_eq!(left_out.len(), 10, "{left_out:?}");
    assert!(said.contains("10 other files left out"), "{said}");
    assert!(said.contains("1 other file has another ending"), "{said}");
    for name in ["a.json", "b.json", "c.json", "d.json"] {
        std::fs::remove_file(path(name)).unwrap();
    }
    let nothing = artifacts.import(&["synthetic-check", "."]);
    assert_eq!(nothing.status.code(), Some(2), "{}", text(&nothing.stdout));
    assert!(text(&nothing.stderr).contains("monitor.json"), "{}", text(&nothing.stderr));
}

#[test]
fn artifacts_of_the_old_check_and_of_tollgate_are_two_series_in_a_history() {
    let artifacts = Artifacts::new();
    let own = std::fs::read_to_string(artifacts.path("a.json")).unwrap();
    let own = own.replace("null\n}", "null,\n  \"tool\": \"tollgate 0.1.0\"\n}");
    std::fs::write(artifacts.path("e.json"), own).unwrap();
    let output = artifacts.import(&["synthetic-check", "."]);
    let said = text(&output.stderr);
    assert!(said.contains("4 of 5 artifacts are the old check's") && said.contains("50 to 90 ms"));
    let mut history = tollgate();
    let history = history.arg("history").arg("--runs-dir").arg(artifacts.runs()).output().unwrap();
    let page = text(&history.stdout);
    for (line, figures) in [
        ("synthetic-check shop.example/app?mock=1 · GET /app?mock=1", "4 runs, 2 ok exchanges"),
        ("tollgate synthetic-check shop.example/app?mock=1 · GET", "1 run, 1 ok exchange"),
    ] {
        assert!(page.contains(line) && page.contains(figures), "{page}");
    }
    assert_eq!(page.matches("start of Node's").count(), 1, "{page}");
}

/// The history of the imported artifacts, in one format.
fn history(artifacts: &Artifacts, format: &str) -> String {
    let mut command = tollgate();
    command.args(["history", "--output", format, "--runs-dir"]).arg(artifacts.runs());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_history_says_of_imported_runs_what_they_are_and_what_their_figures_hold() {
    let artifacts = Artifacts::new();
    let other = std::fs::read_to_string(artifacts.path("a.json")).unwrap();
    let other = other.replace("\"budgetMs\": 300", "\"budgetMs\": 800").replace(":01.", ":09.");
    std::fs::write(artifacts.path("e.json"), other).unwrap();
    artifacts.import(&["synthetic-check", "."]);
    let (page, json, csv) =
        (history(&artifacts, "text"), history(&artifacts, "json"), history(&artifacts, "csv"));
    for (said, formats) in [
        ("all 5 runs were imported from artifacts of the old check", &[&page, &json][..]),
        ("`max < 300ms` and `errors = 0` (4 runs), by `max < 800ms`", &[&page, &json]),
        ("also holds the start of Node's `fetch`, some 50 to 90 ms", &[&page, &json]),
        ("the time ends with the answer's headers", &[&page, &json, &csv]),
        ("redirects were followed unseen", &[&page, &json, &csv]),
        ("as the check was set, though 300ms is meant for `mock=1`", &[&page, &json, &csv]),
    ] {
        for shown in formats {
            assert!(words(shown.as_bytes()).contains(said), "{said}\n{shown}");
        }
    }
    let json: Value = serde_json::from_str(&json).unwrap();
    let newest = &json["requests"][0]["newest"];
    assert_eq!(newest[4]["imported"]["budgets"], serde_json::json!(["max < 800ms", "errors = 0"]));
    assert_eq!(newest[0]["imported"]["from"], "synthetic-check");
    let rows: Vec<&str> = csv.lines().skip(1).collect();
    assert!(rows[0].contains(",synthetic-check,max < 300ms; errors = 0,"), "{csv}");
}

#[test]
fn a_history_has_no_quantile_of_fewer_exchanges_than_it_needs() {
    let artifacts = Artifacts::new();
    artifacts.import(&["synthetic-check", "."]);
    let (page, json, csv) =
        (history(&artifacts, "text"), history(&artifacts, "json"), history(&artifacts, "csv"));
    assert!(page.contains("2 ok exchanges: p50 243 ms, max 370 ms; 2 of 4 failed"), "{page}");
    assert!(!page.contains("p95") && !page.contains("p99"), "{page}");
    assert!(page.contains("the time of 4 runs") && page.contains("  took  "), "{page}");
    let json: Value = serde_json::from_str(&json).unwrap();
    let request = &json["requests"][0];
    for (figures, known) in [
        (&request["ok_latency"], &["min_us", "p50_us", "max_us"][..]),
        (&request["newest"][0]["ok_latency"], &["min_us", "max_us"]),
        (&request["newest"][3]["ok_latency"], &[]),
    ] {
        for name in ["min_us", "p50_us", "p95_us", "p99_us", "max_us"] {
            assert_eq!(figures[name].is_u64(), known.contains(&name), "{name}: {figures}");
            assert!(figures.get(name).is_some(), "{name}: {figures}");
        }
    }
    let row = csv.lines().nth(1).unwrap();
    assert!(row.contains(",1,0,,,,243") && row.contains(",inconclusive,"), "{row}");
}

#[test]
fn an_imported_run_is_shown_with_what_its_file_does_not_contain() {
    let artifacts = Artifacts::new();
    let output = artifacts.import(&["synthetic-check", "c.json", "--output", "json"]);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["imported"], &summary["runs"][0]["verdict"]), (&1.into(), &"fail".into()));
    let folder = summary["runs"][0]["folder"].as_str().unwrap();
    let show = tollgate().args(["show", folder]).output().unwrap();
    assert_eq!(show.status.code(), Some(1), "{}", text(&show.stderr));
    let page = text(&show.stdout) + &text(&show.stderr);
    for words in ["redirects were followed unseen", "unexpected status", "410", "GET /app?mock=1"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let before = contents(&artifacts.runs());
    artifacts.import(&["synthetic-check", "c.json"]);
    assert_eq!(contents(&artifacts.runs()), before);
}

#[test]
fn the_interval_log_of_a_run_is_imported_with_the_figures_of_the_run() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    bench.run();
    let run = bench.record();
    let artifacts = Artifacts::new();
    let log = bench.run_folder().join("intervals.hlog");
    let import = |flags: &[&str]| {
        let mut words = vec!["hlog", log.to_str().unwrap(), "--output", "json"];
        words.extend(flags);
        let output = artifacts.import(&words);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["runs"][0].clone()
    };
    let summary = import(&["--budget", "p95 < 1s"]);
    let record = Path::new(summary["folder"].as_str().unwrap()).join("run.json");
    let record: RunRecord = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    let series =
        |record: &RunRecord| record.measurement.scenarios[0].requests[0].measured.series.clone();
    assert_eq!(series(&record), series(&run));
    assert_eq!(
        (run.verdict.decision, record.verdict.decision),
        (Decision::Pass, Decision::Inconclusive)
    );
    assert_eq!(import(&["--budget", "p95 < 1s"])["imported"], false);
    assert_eq!(import(&["--budget", "p95(service) < 1us"])["verdict"], "fail");
}

#[test]
fn a_budget_that_a_log_cannot_be_judged_by_is_refused() {
    let artifacts = Artifacts::new();
    let output = artifacts.import(&["hlog", "x.hlog", "--budget", "errors = 0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("does not contain failures"), "{}", text(&output.stderr));
    let typed = artifacts
        .command(&["hlog", "x.hlog"])
        .env("TOLLGATE_IMPORT_HLOG_UNIT", "days")
        .output()
        .unwrap();
    assert!(text(&typed.stderr).contains("--unit"), "{}", text(&typed.stderr));
}
