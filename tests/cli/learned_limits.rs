//! Budgets that are relative to earlier runs: `p95 < baseline + 10%`.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use tollgate::record::{Decision, Dimension, DimensionHistograms, Histogram, RunRecord};
use tollgate::store;
use uuid::Uuid;

use crate::bench::{Bench, Target, record, text, tollgate, words};

const BUDGETS: &str = "budgets = [\"p50 < baseline + 100%\", \"errors = 0\"]";
const REST: &str = "[[request]]\nname = \"page\"\npath = \"/health\"\n[load]\n\
                    arrival_rate = \"100/s\"\nduration = \"1s\"\nconnections = 2\n\
                    [gate]\nstalls = \"10ms\"\n";

fn newest(bench: &Bench) -> PathBuf {
    let folders = bench.run_folders().into_iter();
    folders.max_by_key(|folder| record(folder).provenance.started).unwrap()
}

/// Writes earlier runs that measured what the run in a folder did.
fn keep_copies(runs: &Path, folder: &Path, number: u32, alter: impl Fn(&mut RunRecord)) {
    for days in 1..=number {
        let mut copy = record(folder);
        copy.id = Uuid::from_u128(copy.id.as_u128() - u128::from(days));
        copy.provenance.started -= Duration::from_hours(24) * days;
        alter(&mut copy);
        let folder = runs.join(copy.name());
        std::fs::create_dir_all(&folder).unwrap();
        store::complete_folder(&folder, &copy).unwrap();
    }
}

fn check(bench: &Bench, flags: &[&str]) -> Output {
    let mut command = tollgate();
    command.arg("check").arg(&bench.scenario).arg("--runs-dir").arg(bench.runs());
    command.args(flags).output().unwrap()
}

#[test]
fn a_limit_comes_from_earlier_runs_and_a_first_run_is_inconclusive() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, BUDGETS, REST);
    let first = bench.run();
    let stdout = words(&first.stdout);
    assert_eq!(first.status.code(), Some(3), "{stdout}{}", text(&first.stderr));
    assert!(
        stdout.contains("no limit yet: a baseline needs 5 passing runs, and 0 runs"),
        "{stdout}"
    );
    assert!(stdout.contains("keep runs in "), "{stdout}");

    keep_copies(&bench.runs(), &bench.run_folder(), 4, |_| ());
    let checked = check(&bench, &[]);
    let stdout = words(&checked.stdout);
    assert!(stdout.contains("`p50 < baseline + 100%` of `page` is now `p50 < "), "{stdout}");
    let elsewhere = words(&check(&bench, &["--environment", "staging"]).stdout);
    assert!(
        elsewhere.contains("`p50 < baseline + 100%` of `page` has no limit yet"),
        "{elsewhere}"
    );

    let second = bench.run();
    let stdout = words(&second.stdout);
    let folder = newest(&bench);
    let run = record(&folder);
    let limit = &run.plan[0].requests[0].baselines[0];
    assert_eq!(limit.runs.len(), 5, "{stdout}{}", text(&second.stderr));
    assert!(stdout.contains("of 5 runs + 100%)"), "{stdout}");
    assert_ne!(run.verdict.scenarios[0].budgets[0].decision, Decision::Fail, "{stdout}");

    // The record says it again when the runs of the baseline are gone.
    for other in bench.run_folders().into_iter().filter(|other| *other != folder) {
        std::fs::remove_dir_all(other).unwrap();
    }
    let shown = tollgate().arg("show").arg(&folder).output().unwrap();
    assert!(words(&shown.stdout).contains(&limit.origin().unwrap()), "{}", text(&shown.stdout));
}

/// Makes every request of a run take 2 µs.
fn hasten(run: &mut RunRecord) {
    let measured = &mut run.measurement.scenarios[0].requests[0].measured;
    measured.series = DimensionHistograms::default();
    let mut fast = Histogram::default();
    fast.record_many(Duration::from_micros(2), 100);
    measured.series.add(Dimension::Latency, &fast);
}

#[test]
fn a_run_that_is_twice_as_slow_as_its_baseline_fails() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, BUDGETS, REST);
    bench.run();
    keep_copies(&bench.runs(), &bench.run_folder(), 5, hasten);
    std::fs::remove_dir_all(newest(&bench)).unwrap();
    let slow = bench.run();
    let stdout = words(&slow.stdout);
    assert_eq!(slow.status.code(), Some(1), "{stdout}{}", text(&slow.stderr));
    assert!(stdout.contains("the limit is 4 µs"), "{stdout}");
}

#[test]
fn budgets_that_learn_the_same_limit_stay_apart() {
    let target = Target::start(&[]);
    let budgets = "budgets = [\"p50 < baseline + 100%\", \"p50 < baseline + 2us\"]";
    let bench = Bench::new(&target.base_url, budgets, REST);
    bench.run();
    keep_copies(&bench.runs(), &bench.run_folder(), 5, hasten);
    std::fs::remove_dir_all(newest(&bench)).unwrap();
    let stdout = words(&check(&bench, &[]).stdout);
    assert!(stdout.contains("`p50 < baseline + 100%` of `page` is now `p50 < 4us`"), "{stdout}");
    assert!(stdout.contains("`p50 < baseline + 2us` of `page` is now `p50 < 5us`"), "{stdout}");
}

#[test]
fn scenarios_of_one_command_each_get_their_limit_from_their_own_runs() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, BUDGETS, REST);
    bench.run();
    keep_copies(&bench.runs(), &bench.run_folder(), 4, |_| ());
    let other = bench.scenario.with_file_name("other.toml");
    let scenario = std::fs::read_to_string(&bench.scenario).unwrap();
    std::fs::write(&other, scenario.replace("name = \"trial\"", "name = \"other\"")).unwrap();
    let stdout = words(&check(&bench, &[other.to_str().unwrap()]).stdout);
    assert_eq!(stdout.matches("is now `p50 < ").count(), 1, "{stdout}");
    assert_eq!(stdout.matches("has no limit yet").count(), 1, "{stdout}");
}

#[test]
fn a_pinned_baseline_is_made_of_the_first_runs_from_its_day_on() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, BUDGETS, REST);
    bench.run();
    let folder = bench.run_folder();
    let month = Duration::from_hours(24 * 30);
    keep_copies(&bench.runs(), &folder, 5, |_| ());
    keep_copies(&bench.runs(), &folder, 5, |run| {
        run.id = Uuid::from_u128(run.id.as_u128() - 100);
        run.provenance.started -= month;
        hasten(run);
    });
    let pinned = (record(&folder).provenance.started - 2 * month).date();
    let file = std::fs::read_to_string(&bench.scenario).unwrap();
    let file = format!("{file}[baseline]\nruns = 5\nsince = \"{pinned}\"\n");
    std::fs::write(&bench.scenario, file).unwrap();
    let stdout = words(&check(&bench, &[]).stdout);
    assert!(stdout.contains("is now `p50 < 4us`"), "{stdout}");
}

#[test]
fn a_database_that_does_not_answer_gives_no_limit_and_shows_no_password() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, BUDGETS, REST);
    let store = ["--store", "postgresql://u:canary-pw@127.0.0.1:1/runs"];
    let run = bench.command().args(store).output().unwrap();
    let output = words(&run.stdout) + &words(&run.stderr);
    assert_eq!(run.status.code(), Some(3), "{output}");
    assert!(output.contains("runs could not be read: "), "{output}");
    assert!(!output.contains("canary"), "{output}");
}
