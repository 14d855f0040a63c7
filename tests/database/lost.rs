//! The database gets each run exactly once, even if the prober or the server is killed.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tollgate::record::Decision;
use tollgate::store::{self, FolderContent, StoreMark};

use crate::bench::{
    contents, migrated, output_text, record, sync, tollgate, tollgate_with_reports,
};
use crate::cluster::{self, Cluster};
use crate::runs::{self, Shape};

/// Large enough that a kill falls between the first run and the last.
const LARGE: Shape = Shape { scenarios: 1, seconds: 60, per_second: 6 };
const RUNS: u64 = 4;
const KILLS: u32 = 8;

/// Runs, the content of the tables after an undisturbed sync to the database `expected`, and how
/// long that sync took.
fn expected(cluster: &Cluster) -> (tempfile::TempDir, Vec<(&'static str, String)>, Duration) {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..RUNS {
        runs::write(folder.path(), seed, LARGE);
    }
    let url = migrated(cluster, "expected");
    let start = Instant::now();
    let output = sync(folder.path(), &url).output().unwrap();
    let took = start.elapsed();
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    (folder, contents(cluster, "expected"), took)
}

/// Counts the runs of a database and checks that it has each of them whole.
fn whole_runs(cluster: &Cluster, database: &str) -> u64 {
    assert_runs_are_whole(cluster, database);
    cluster.sql(database, "select count(*) from tollgate.runs")[0][0].parse().unwrap()
}

/// Syncs to empty databases, disturbs each sync at another moment of its duration, and repeats it.
/// At least one sync must have been cut off in the middle; on a busy machine, that takes more of
/// them.
fn disturbed(cluster: &mut Cluster, disturb: fn(&mut Cluster, Child, &str)) {
    let (folder, expected, took) = expected(cluster);
    let mut in_the_middle = 0;
    for kill in 0..4 * KILLS {
        if kill >= KILLS && in_the_middle > 0 {
            break;
        }
        let name = format!("disturbed_{kill}");
        let url = migrated(cluster, &name);
        let child = sync(folder.path(), &url).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(took * (2 * (kill % KILLS) + 1) / (2 * KILLS));
        disturb(cluster, child, &name);
        let there = whole_runs(cluster, &name);
        in_the_middle += u32::from(0 < there && there < RUNS);
        let output = sync(folder.path(), &url).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
        assert_eq!(contents(cluster, &name), expected);
    }
    assert!(in_the_middle > 0, "no disturbance fell between the first run and the last");
}

#[test]
fn a_prober_that_is_killed_while_it_sends_leaves_the_database_whole_and_every_run_is_stored_once() {
    if cluster::is_left_out() {
        return;
    }
    disturbed(&mut Cluster::start(), |_, mut child, _| {
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn a_database_that_crashes_while_runs_are_sent_gets_every_run_once() {
    if cluster::is_left_out() {
        return;
    }
    // What was committed must outlast a crash.
    let settings = ["fsync = on", "synchronous_commit = on", "full_page_writes = on"];
    disturbed(&mut Cluster::with_settings(&settings), |cluster, child, _| {
        cluster.stop_immediate();
        let output = child.wait_with_output().unwrap();
        assert!([Some(0), Some(4)].contains(&output.status.code()), "{}", output_text(&output));
        cluster.restart();
    });
}

/// Checks that a database has every part of each run that it has.
fn assert_runs_are_whole(cluster: &Cluster, database: &str) {
    let torn = "select count(*) from tollgate.runs r where \
                (select count(*) from tollgate.intervals i where i.run_id = r.id) <> 61 \
                or (select count(*) from tollgate.verdicts v where v.run_id = r.id) = 0";
    assert_eq!(cluster.sql(database, torn)[0], ["0"]);
}

#[test]
fn two_that_send_the_same_runs_to_a_database_at_once_store_each_once() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (folder, expected, _) = expected(&cluster);
    let url = migrated(&cluster, "twice");
    let both = [(); 2].map(|()| sync(folder.path(), &url).stderr(Stdio::piped()).spawn().unwrap());
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    }
    assert_eq!(contents(&cluster, "twice"), expected);
}

#[test]
fn a_database_restored_without_the_latest_runs_gets_them_again() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (folder, expected, _) = expected(&cluster);
    let url = cluster.url_of("expected");
    cluster.sql("expected", "delete from tollgate.runs where started > '2026-01-01 00:25+00'");
    let output = sync(folder.path(), &url).output().unwrap();
    assert!(
        output_text(&output).contains("1 run uploaded to")
            && output_text(&output).contains("3 already there"),
        "{}",
        output_text(&output)
    );
    assert_eq!(contents(&cluster, "expected"), expected);
}

/// The rehearsal target, ended when dropped.
struct Target(Child, String);

impl Target {
    fn start() -> Self {
        let mut child =
            tollgate().args(["target", "--token", "known"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self(child, url)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A run against the target that passes and is sent to a database.
fn run(target: &Target, runs: &Path, url: &str, duration: &str) -> Command {
    let mut command = tollgate_with_reports();
    command
        .args(["run", &format!("{}/plain", target.1), "--rate", "50/s", "--duration", duration])
        .args(["--budget", "errors = 0"])
        .args(["--environment", "staging", "--runs-dir"])
        .arg(runs)
        .env("DATABASE_URL", url);
    command
}

fn only_folder(runs: &Path) -> PathBuf {
    let folders = store::run_folders(runs).unwrap();
    assert_eq!(folders.len(), 1);
    folders.into_iter().next().unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn a_run_that_could_not_be_stored_in_the_database_is_kept_marked_and_sent_later() {
    if cluster::is_left_out() {
        return;
    }
    let (mut cluster, target) = (Cluster::start(), Target::start());
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = migrated(&cluster, "store");

    let output = run(&target, one.path(), &url, "1s").output().unwrap();
    assert_eq!(code(&output), Some(0), "{}", output_text(&output));
    assert!(
        output_text(&output).contains("Stored in postgres@127.0.0.1"),
        "{}",
        output_text(&output)
    );
    let mark = StoreMark::read(&only_folder(one.path()));
    assert_eq!((mark.stored.len(), mark.unsynced), (1, None));

    cluster.stop_immediate();
    let output = run(&target, other.path(), &url, "1s").output().unwrap();
    assert_eq!(code(&output), Some(0), "the verdict stands: {}", output_text(&output));
    let text = output_text(&output);
    assert!(
        text.contains("WARNING: the run is not stored")
            && text.contains("`tollgate sync` uploads it"),
        "{text}"
    );
    let folder = only_folder(other.path());
    assert!(StoreMark::read(&folder).unsynced.unwrap().why.contains("cannot be reached"));
    for file in ["run.json", "report.html", "report.md", "intervals.hlog", "intervals.jsonl"] {
        assert!(folder.join(file).is_file(), "{file}");
    }

    let required = run(&target, other.path(), &url, "1s").arg("--require-store").output().unwrap();
    assert_eq!(code(&required), Some(4), "{}", output_text(&required));

    cluster.restart();
    let output = sync(other.path(), &url).output().unwrap();
    assert!(output_text(&output).contains("2 runs uploaded to"), "{}", output_text(&output));
    let mark = StoreMark::read(&folder);
    assert_eq!((mark.stored.len(), mark.unsynced), (1, None));
    let environments = cluster.sql("store", "select environment, decision from tollgate.runs");
    assert_eq!(environments, [["staging", "pass"]; 3]);
}

#[test]
fn a_prober_that_is_killed_in_the_middle_of_a_run_loses_no_settled_interval_for_the_database() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, target) = (Cluster::start(), Target::start());
    let runs = tempfile::tempdir().unwrap();
    let url = migrated(&cluster, "store");
    let mut child = run(&target, runs.path(), &url, "60s")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_seconds(runs.path(), 3);
    let busy = sync(runs.path(), &url).output().unwrap();
    assert!(
        output_text(&busy).contains("0 runs uploaded")
            && output_text(&busy).contains("1 still running"),
        "{}",
        output_text(&busy)
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let output = sync(runs.path(), &url).output().unwrap();
    assert_eq!(code(&output), Some(0), "{}", output_text(&output));
    assert!(
        output_text(&output).contains("was interrupted")
            && output_text(&output).contains("1 run uploaded"),
        "{}",
        output_text(&output)
    );
    let record = record(&only_folder(runs.path()));
    assert_ne!(record.verdict.decision, Decision::Pass);
    let stored =
        cluster.sql("store", "select sum(ok) from tollgate.intervals where stage = 'measured'");
    let ok: u64 = record.measurement.scenarios[0].requests[0].measured.tally.ok;
    assert_eq!(stored[0], [ok.to_string()]);
}

/// Waits until a run in progress has written this number of seconds.
fn wait_for_seconds(runs: &Path, count: usize) {
    for _ in 0..400 {
        let folders = store::run_folders(runs).unwrap_or_default();
        let written = folders.first().map_or(0, |folder| {
            std::fs::read_to_string(folder.join("intervals.jsonl"))
                .unwrap_or_default()
                .lines()
                .count()
        });
        if written >= count {
            assert!(matches!(store::read_folder(&folders[0]), Ok(FolderContent::StillWritten)));
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no {count} seconds were written within 20 s");
}

#[test]
fn a_writer_who_may_not_read_the_database_relies_on_the_marks_in_the_folders() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, runs) = (Cluster::start(), tempfile::tempdir().unwrap());
    migrated(&cluster, "store");
    cluster.sql("store", "create role ci login password 'ci' in role tollgate_writer");
    let url = cluster.url_as("ci", "ci", "store");
    for seed in 0..3 {
        runs::write(runs.path(), seed, runs::SMALL);
    }
    for words in ["3 runs uploaded", "0 runs uploaded", "0 runs uploaded"] {
        let output = sync(runs.path(), &url).output().unwrap();
        assert!(output_text(&output).contains(words), "{}", output_text(&output));
    }
    let all = sync(runs.path(), &url).arg("--all").output().unwrap();
    assert!(
        output_text(&all).contains("0 runs uploaded")
            && output_text(&all).contains("3 already there"),
        "{}",
        output_text(&all)
    );
}

#[test]
fn a_prober_marks_a_run_unsynced_before_it_stores_it_in_the_database() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, target) = (Cluster::start(), Target::start());
    let runs = tempfile::tempdir().unwrap();
    let url = migrated(&cluster, "store");
    let lock = cluster.url_of("store");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            cluster.sql_as(&lock, "begin; lock table tollgate.runs; select pg_sleep(600)")
        });
        wait_until(|| cluster.sql("postgres", LOCKED)[0] == ["1"]);
        let mut child = run(&target, runs.path(), &url, "1s")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until(|| cluster.sql("postgres", WAITING)[0] == ["1"]);
        let folder = only_folder(runs.path());
        assert!(folder.join("run.json").is_file());
        assert!(StoreMark::read(&folder).unsynced.is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        cluster.end_sleeps("postgres");
    });
    let output = sync(runs.path(), &url).output().unwrap();
    assert!(output_text(&output).contains("1 run uploaded"), "{}", output_text(&output));
    assert_eq!(StoreMark::read(&only_folder(runs.path())).unsynced, None);
}

const LOCKED: &str = "select count(*) from pg_locks where relation is not null and mode = 'AccessExclusiveLock' and granted";
const WAITING: &str = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";

fn wait_until(holds: impl Fn() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("what was waited for did not come within 30 s");
}
