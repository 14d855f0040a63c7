//! Runs shared by several processes, and `tollgate merge`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tollgate::record::{Decision, Interval, RunRecord, Stage};

use crate::bench::{
    Bench, PLAIN, Target, record, signal, text, tollgate, tollgate_with_reports, wait_until,
};

const BUDGET: &str = "budgets = [\"p95 < 2s\"]";

/// 75 arrivals per second for three seconds. One shard has enough to decide the budget, so only the
/// missing shards make it inconclusive.
fn load() -> String {
    PLAIN.replace("\"100/s\"", "\"75/s\"").replace("\"1s\"", "\"3s\"").replace("= 4", "= 7")
}

/// A start time that leaves a busy machine time to warm up.
fn soon() -> String {
    (OffsetDateTime::now_utc() + time::Duration::seconds(6)).format(&Rfc3339).unwrap()
}

/// Starts one shard of a run. Returns the process and its runs folder.
fn shard(bench: &Bench, shard: &str, start: &str) -> (Child, PathBuf) {
    let runs = bench.folder.path().join(shard.replace('/', "-of-"));
    let mut command = tollgate();
    command
        .arg("run")
        .arg(&bench.scenario)
        .args(["--shard", shard, "--start-at", start])
        .arg("--runs-dir")
        .arg(&runs);
    (command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), runs)
}

fn only_folder_in(runs: &Path) -> PathBuf {
    let mut folders = std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path());
    let folder = folders.next().unwrap();
    assert!(folders.next().is_none());
    folder
}

/// The runs folder whose run has reports.
const WITH_REPORTS: &str = "whole";

/// Merges runs into the runs folder `name`. Returns the output, the record if there is one, and the
/// folder.
fn merge(bench: &Bench, name: &str, runs: &[&PathBuf]) -> (Output, Option<RunRecord>, PathBuf) {
    let merged = bench.folder.path().join(name);
    let junit = merged.with_extension("xml");
    let mut command = if name == WITH_REPORTS { tollgate_with_reports() } else { tollgate() };
    command.arg("merge").args(runs).arg("--runs-dir").arg(&merged).arg("--junit").arg(junit);
    let output = command.output().unwrap();
    let record = merged.exists().then(|| record(&only_folder_in(&merged)));
    (output, record, merged)
}

/// The measured stage of the only request: the number of exchanges, of those that were ok, and of
/// recorded latencies.
fn counted(record: &RunRecord) -> (u64, u64, u64) {
    let measured = &record.measurement.scenarios[0].requests[0].measured;
    let latency = measured.series.get(tollgate::record::Dimension::Latency).unwrap();
    (measured.tally.exchanges, measured.tally.ok, latency.count())
}

#[test]
fn three_processes_share_a_run_and_are_judged_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("arrivals.tsv");
    let mut target = Target::start(&["--arrival-log", log.to_str().unwrap()]);
    let bench = Bench::new(&target.base_url, BUDGET, &load());
    let start = soon();
    let parts = ["1/3", "2/3", "3/3"].map(|part| shard(&bench, part, &start));
    let folders = parts.map(|(child, runs)| {
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(3),
            "{}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        assert!(text(&output.stdout).contains("of 3 are missing"), "{}", text(&output.stdout));
        only_folder_in(&runs)
    });
    let [a, b, c] = &folders;

    let (output, record, merged) = merge(&bench, WITH_REPORTS, &[c, a, b]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("PASS"), "{}", text(&output.stdout));
    let record = record.unwrap();
    assert_eq!(counted(&record), (225, 225, 225));
    let scenario = &record.measurement.scenarios[0];
    assert_eq!(
        (scenario.planned, scenario.released, scenario.connections.opened),
        (Some(225), 225, 7)
    );
    let cold = &scenario.requests[0].cold.tally;
    assert_eq!((cold.exchanges, cold.fresh), (7, 7));
    let sharing = record.measurement.sharing.as_ref().unwrap();
    assert_eq!(sharing.parts.iter().map(|part| part.shard).collect::<Vec<_>>(), [3, 1, 2]);
    assert_eq!(sharing.start_text(), start);
    assert_every_second_is_whole(&only_folder_in(&merged), &record);
    let evidence = record.verdict.scenarios[0].budgets[0].evidence.as_ref().unwrap();
    let judged = evidence.at_horizon.blocks.iter().map(|(_, judged, number)| judged * number);
    assert_eq!(judged.sum::<u64>(), 225, "the blocks hold the arrivals of all shards");
    for file in ["report.html", "report.md", "intervals.hlog"] {
        assert!(only_folder_in(&merged).join(file).metadata().unwrap().len() > 0, "{file}");
    }
    let xml = std::fs::read_to_string(merged.with_extension("xml")).unwrap();
    assert!(xml.contains("failures=\"0\" errors=\"0\""), "{xml}");

    let (output, _, _) = merge(&bench, "two", &[a, c]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("shard 2 of 3 is missing"), "{}", text(&output.stdout));

    let (output, record, _) = merge(&bench, "doubled", &[a, b, c, a]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("shard 1 of 3 occurs twice"), "{}", text(&output.stdout));
    assert_eq!(counted(&record.unwrap()), (225, 225, 225));

    let again = only_folder_in(&merged);
    let (output, _, _) = merge(&bench, "again", &[&again, a]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is a merged run"), "{}", text(&output.stderr));

    // The target received one warm-up request per connection, and the schedule once.
    signal(&target.child, "TERM");
    target.child.wait().unwrap();
    let arrived = std::fs::read_to_string(&log).unwrap();
    assert_eq!(arrived.lines().filter(|line| line.contains("/plain")).count(), 7 + 225);
}

/// Compares the merged intervals with the schedule, second by second, and with the totals.
fn assert_every_second_is_whole(folder: &Path, record: &RunRecord) {
    let intervals: Vec<Interval> =
        tollgate::store::read_intervals(folder).unwrap().map(Result::unwrap).collect();
    let measured: Vec<_> =
        intervals.iter().filter(|interval| interval.stage == Stage::Measured).collect();
    let seconds = measured.iter().map(|interval| {
        let second = interval.start.checked_sub(record.measurement.measured_from).unwrap();
        (second.as_millis(), interval.tally.exchanges)
    });
    assert_eq!(seconds.collect::<Vec<_>>(), [(0, 75), (1_000, 75), (2_000, 75)]);
    let mut sum = record.measurement.without_counts();
    for interval in &intervals {
        sum.add(interval);
    }
    let request = |run: &tollgate::record::Measurement| run.scenarios[0].requests[0].clone();
    for stage in Stage::ALL {
        let (sum, whole) = (request(&sum), request(&record.measurement));
        assert_eq!(sum.stage(stage).tally, whole.stage(stage).tally);
        assert_eq!(sum.stage(stage).series, whole.stage(stage).series);
    }
}

#[test]
fn a_shard_that_fails_fails_alone() {
    let target = Target::start(&["--mock-latency", "constant:60ms"]);
    let load = load().replace("/plain", "/app?mock=1");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 50ms\"]", &load);
    let (child, runs) = shard(&bench, "2/2", &soon());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let (output, record, _) = merge(&bench, "merged", &[&only_folder_in(&runs)]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert_eq!(record.unwrap().verdict.decision, Decision::Fail);
}

/// The number of requests that the target has received. It writes its log every half second. So
/// this sends a marker request, waits until the log has it, and leaves it out of the count.
fn arrivals(target: &Target, log: &Path) -> usize {
    let address = target.base_url.strip_prefix("http://").unwrap();
    let marker = format!("/counted?{}", std::fs::metadata(log).unwrap().len());
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {marker} HTTP/1.0\r\n\r\n").unwrap();
    connection.read_to_end(&mut Vec::new()).unwrap();
    let written = || std::fs::read_to_string(log).unwrap();
    wait_until("the target's log", || written().contains(&marker));
    written().lines().skip(1).filter(|line| !line.contains("/counted?")).count()
}

#[test]
fn a_shard_of_an_orchestrator_exits_with_0_and_never_sends_its_load_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("arrivals.tsv");
    let target =
        Target::start(&["--mock-latency", "constant:60ms", "--arrival-log", log.to_str().unwrap()]);
    let load = load().replace("/plain", "/app?mock=1");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 50ms\"]", &load);
    let start = soon();
    let run = |shard: &str, variables: &[(&str, &str)], more: &[&str]| {
        let mut command = tollgate();
        command.arg("run").arg(&bench.scenario).args(["--shard", shard, "--start-at", &start]);
        command.arg("--runs-dir").arg(folder.path().join("runs")).args(more);
        command.envs(variables.iter().copied()).output().unwrap()
    };
    let slurm = [
        ("SLURM_ARRAY_TASK_ID", "4"),
        ("SLURM_ARRAY_TASK_MIN", "3"),
        ("SLURM_ARRAY_TASK_COUNT", "2"),
    ];
    let first = run("auto", &slurm, &[]);
    let told = text(&first.stdout) + &text(&first.stderr);
    assert_eq!(first.status.code(), Some(0), "{told}");
    assert!(told.contains("FAIL") && told.contains("shard 1 of 2 is missing"), "{told}");
    assert!(told.contains("Exit code 0: the shard measured its part"), "{told}");
    let sent = arrivals(&target, &log);
    assert!(sent > 100, "{sent}");

    // A job that the orchestrator starts again: the run is there, and the start has passed.
    for (shard, variables, more, exit) in [
        ("auto", &slurm[..], &[][..], 0),
        ("2/2", &[], &[], 1),
        ("2/2", &[], &["--shard-exit", "done"], 0),
        ("auto", &slurm, &["--shard-exit", "verdict"], 1),
    ] {
        let again = run(shard, variables, more);
        let told = text(&again.stderr);
        assert_eq!(again.status.code(), Some(exit), "{told}");
        assert!(told.contains("shard 2/2 of this run has already run on this machine"), "{told}");
        assert_eq!(arrivals(&target, &log), sent);
    }
    // Another path is other work, and its start has passed.
    let changed = std::fs::read_to_string(&bench.scenario).unwrap().replace("mock=1", "mock=2");
    std::fs::write(&bench.scenario, changed).unwrap();
    let other = run("2/2", &[], &[]);
    assert_eq!(other.status.code(), Some(2), "{}", text(&other.stderr));
    let other = run("1/2", &[], &[]);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("is in the past"), "{}", text(&other.stderr));
}

#[test]
fn a_machine_that_no_orchestrator_numbers_is_told_what_was_looked_for() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, BUDGET, &load());
    for (shard, variables, expected) in [
        ("auto", vec![], "SLURM_ARRAY_TASK_ID (Slurm)"),
        ("auto", vec![("JOB_COMPLETION_INDEX", "1")], "write `--shard auto/8`"),
        ("auto/2", vec![("JOB_COMPLETION_INDEX", "2")], "indices of 2 machines are 0 to 1"),
    ] {
        let mut command = tollgate();
        command.arg("run").arg(&bench.scenario).args(["--shard", shard, "--start-at", &soon()]);
        let output = command.envs(variables).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
}

#[test]
fn runs_that_are_not_shards_of_one_run_are_refused_and_both_are_named() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, BUDGET, &load().replace("\"3s\"", "\"1s\""));
    let start = soon();
    let (one, one_runs) = shard(&bench, "1/2", &start);
    let other_bench = Bench::new(&target.base_url, BUDGET, &load().replace("\"3s\"", "\"2s\""));
    let (other, other_runs) = shard(&other_bench, "2/2", &start);
    for child in [one, other] {
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(3));
    }
    let (one, other) = (only_folder_in(&one_runs), only_folder_in(&other_runs));
    let (output, record, _) = merge(&bench, "merged", &[&one, &other]);
    assert_eq!(output.status.code(), Some(2));
    assert!(record.is_none());
    let message = text(&output.stderr);
    for expected in
        [one.to_str().unwrap(), other.to_str().unwrap(), "scenario `trial` differs in its load"]
    {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_missing_run_and_one_that_was_not_sharded_cannot_be_merged() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, BUDGET, PLAIN);
    assert_eq!(bench.run().status.code(), Some(0));
    let (output, record, _) = merge(&bench, "merged", &[&bench.run_folder()]);
    assert_eq!((output.status.code(), record.is_none()), (Some(2), true));
    assert!(text(&output.stderr).contains("is not a shard"), "{}", text(&output.stderr));
    let (output, _, _) = merge(&bench, "merged", &[&PathBuf::from("no-such-run")]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn a_run_that_cannot_be_sharded_is_refused_and_nothing_is_sent() {
    let open = Bench::new("http://127.0.0.1:1", BUDGET, PLAIN);
    let closed =
        Bench::new("http://127.0.0.1:1", BUDGET, &PLAIN.replace("arrival_rate = \"100/s\"\n", ""));
    let soon = soon();
    for (bench, flags, expected) in [
        (&open, &["--shard", "1/3"][..], "add the same --start-at"),
        (&open, &["--start-at", &soon], "add `--shard 1/3`"),
        (&open, &["--shard", "4/3", "--start-at", &soon], "`4/3` is not a shard"),
        (&open, &["--shard", "1/3", "--start-at", "noon"], "not a start time"),
        (
            &open,
            &["--shard", "1/3", "--start-at", "2020-01-01T00:00:00Z"],
            "is in the past: it is ",
        ),
        (&open, &["--shard", "1/3", "--start-at", "2999-01-01T00:00:00Z"], "within 24h"),
        (&open, &["--shard", "1/5", "--start-at", &soon], "write `connections = 5` or more"),
        (&open, &["--shard", "1/3", "--start-at", &soon, "--every", "1m"], "cannot be combined"),
        (&closed, &["--shard", "1/3", "--start-at", &soon], "a closed load cannot be split"),
    ] {
        let output = bench.command().args(flags).output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {message}");
        assert!(message.contains(expected), "{message}");
        assert!(!bench.runs().exists());
    }
}

#[test]
fn a_shard_whose_warm_up_is_late_measures_nothing_and_ends_with_4() {
    let target = Target::start(&[]);
    let warmup = "[warmup]\nconnections = 1\nrequests = 1_000_000\n";
    let bench = Bench::new(&target.base_url, BUDGET, &format!("{}{warmup}", load()));
    let start = (OffsetDateTime::now_utc() + time::Duration::seconds(4)).format(&Rfc3339).unwrap();
    let (child, _) = shard(&bench, "1/2", &start);
    let output = child.wait_with_output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{message}");
    assert!(message.contains(&format!("the warm-up was not over at {start}")), "{message}");
}
