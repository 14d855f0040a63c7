//! Is what tollgate reports what happened? Both tile-loader scenarios against a target that freezes.
//!
//! Runs the real programs: `tollgate target --stall 1s --every 10s` as one process, `tollgate run` with 200 arrivals a
//! second for 40 s over 50 connections a scenario as another. The oracle then simulates schedule, connection limit,
//! planned delay and freezes from the target's own log of arrivals, and prints its quantiles beside tollgate's.
//!
//! `cargo bench --bench oracle`; ends with 1 where a p95 or p99 is more than 5 % off.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "microseconds and ranks of one run"
)]
#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot go on should say where")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use serde_json::Value;

const RATE: u64 = 200;
const SECONDS: u64 = 40;
const CONNECTIONS: usize = 50;
const TOLERANCE: f64 = 0.05;
const QUANTILES: [(&str, f64); 4] = [("p50", 0.50), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)];

/// A scenario's name, its path, and how many requests its warm-up sends.
const SCENARIOS: [(&str, &str, usize); 2] = [("mock", "/app?mock=1", 50), ("live", "/app?mock=0", 50)];

fn main() -> ExitCode {
    // `cargo test --benches` and the like ask for a list or a quick pass; a run of 45 s is neither.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("arrivals.tsv");
    let (target, base_url) = start_target(&log);
    let record = run_tollgate(folder.path(), &base_url);
    stop(target);
    let arrivals = std::fs::read_to_string(&log).expect("the arrival log");
    report(&record, &arrivals)
}

fn start_target(log: &Path) -> (Child, String) {
    let mut target = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["target", "--stall", "1s", "--every", "10s"])
        .args(["--mock-latency", "lognormal:5ms,0.3", "--upstream-latency", "lognormal:5ms,0.3"])
        .args(["--token", "oracle", "--arrival-log"])
        .arg(log)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the target starts");
    let mut line = String::new();
    BufReader::new(target.stdout.take().expect("a pipe")).read_line(&mut line).expect("the target's address");
    (target, line.trim().trim_start_matches("listening on ").to_owned())
}

/// Asks the target to end, so that it writes the rest of its log.
fn stop(mut target: Child) {
    let asked = Command::new("kill").args(["-TERM", &target.id().to_string()]).status();
    assert!(asked.is_ok_and(|status| status.success()), "kill is there");
    target.wait().expect("the target ends");
}

fn run_tollgate(folder: &Path, base_url: &str) -> Value {
    let files = SCENARIOS.map(|(name, path, warmup)| {
        let file = folder.join(format!("{name}.toml"));
        let text = format!(
            "name = \"{name}\"\nbudgets = [\"p95 < 300ms\"]\n\
             [target]\nbase_url = \"{base_url}\"\n\
             [headers]\nUser-Agent = \"Shopify POS/HotDashSyntheticCheck\"\nX-Hotdash-Synthetic = \"oracle\"\n\
             [[request]]\nname = \"app\"\npath = \"{path}\"\n\
             [load]\narrival_rate = \"{RATE}/s\"\nduration = \"{SECONDS}s\"\nconnections = {CONNECTIONS}\n\
             [warmup]\nconnections = {CONNECTIONS}\nrequests = {warmup}\n"
        );
        std::fs::File::create(&file).and_then(|mut file| file.write_all(text.as_bytes())).expect("a scenario file");
        file
    });
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["run", "--output", "json", "--runs-dir"])
        .arg(folder.join("runs"))
        .args(files)
        .output()
        .expect("tollgate runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn report(record: &Value, arrivals: &str) -> ExitCode {
    println!("| scenario | quantile | oracle, ms | tollgate, ms | off |\n|---|---|--:|--:|--:|");
    let mut worst: f64 = 0.0;
    for (index, (name, path, warmup)) in SCENARIOS.into_iter().enumerate() {
        let truth = simulate(arrivals, path, warmup);
        let latency =
            &record["measurement"]["scenarios"][index]["requests"][0]["measured"]["series"]["latency"];
        for (quantile, share) in QUANTILES {
            let field = format!("{quantile}_us");
            let measured = latency[&field].as_f64().expect("a quantile of the record") / 1e3;
            let exact = at(&truth, share);
            let off = (measured - exact) / exact;
            println!("| {name} | {quantile} | {exact:.1} | {measured:.1} | {:+.1} % |", off * 100.0);
            if quantile == "p95" || quantile == "p99" {
                worst = worst.max(off.abs());
            }
        }
    }
    println!("\np95 and p99 are at most {:.1} % off; {:.0} % are allowed.", worst * 100.0, TOLERANCE * 100.0);
    if worst <= TOLERANCE { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The latencies, in ms and rising order, that a client with this schedule and connection limit must see.
fn simulate(log: &str, path: &str, warmup: usize) -> Vec<f64> {
    let mut lines = log.lines();
    let (stall, every) = freezes(lines.next().expect("the log's first line"));
    let measured: Vec<(f64, f64)> = lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            (fields[2] == path).then(|| (millis(fields[0]), millis(fields[3])))
        })
        .skip(warmup)
        .collect();
    assert_eq!(measured.len() as u64, RATE * SECONDS, "arrivals logged for {path}");
    let spacing = 1e3 / RATE as f64;
    let start =
        measured.iter().enumerate().map(|(i, (at, _))| at - i as f64 * spacing).fold(f64::MAX, f64::min);

    let mut free: BinaryHeap<Reverse<u64>> = (0..CONNECTIONS).map(|_| Reverse(0)).collect();
    let mut latencies: Vec<f64> = Vec::new();
    for (i, (_, delay)) in measured.iter().enumerate() {
        let due = start + i as f64 * spacing;
        let Reverse(free_at) = free.pop().expect("a connection");
        let ready = due.max(free_at as f64 / 1e3) + delay;
        let done = if ready % every >= every - stall { (ready / every).ceil() * every } else { ready };
        free.push(Reverse((done * 1e3) as u64));
        latencies.push(done - due);
    }
    latencies.sort_by(f64::total_cmp);
    latencies
}

/// Length and spacing of the freezes, in ms, from the log's first line.
fn freezes(first_line: &str) -> (f64, f64) {
    let field = |name: &str| {
        let found = first_line.split_whitespace().find_map(|word| word.strip_prefix(name));
        millis(found.unwrap_or_else(|| panic!("{name} in {first_line}")))
    };
    (field("stall_us="), field("every_us="))
}

fn millis(micros: &str) -> f64 {
    micros.trim().parse::<f64>().expect("microseconds") / 1e3
}

fn at(sorted: &[f64], share: f64) -> f64 {
    sorted[((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1]
}
