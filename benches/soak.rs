//! Whether a prober that runs for a long time keeps its size.
//!
//! `cargo bench --bench soak` probes the rehearsal target at 200 requests a second for an hour, and
//! reads the resident size and the open descriptors of the prober every minute. `-- 5m` runs for
//! five minutes. The bench prints markdown and exits with 1 if the size grows by more than 4 MiB
//! after the first tenth, if it has more than two descriptors more, or if the run does not pass.
//!
//! `-- day` instead simulates a day at 1 and at 200 requests a second, each in a process of its
//! own, and exits with 1 if the size grows by more than 4 MiB after ten minutes. The bench runs on
//! Linux only.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and does not wait for one that is advanced"
)]

#[path = "../tests/support/long_run.rs"]
mod day;
#[path = "../tests/support/peak_memory.rs"]
mod peak_memory;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use peak_memory::status_kb;

/// How much the resident size may grow after the first tenth, in KiB: histograms get further
/// buckets.
const GROWTH_KIB: u64 = 4 * 1024;

fn main() -> ExitCode {
    // `cargo test --benches` asks for a list or a quick pass, and this takes an hour.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    if let Some(at) = std::env::args().position(|argument| argument == "day") {
        let rate = std::env::args().nth(at + 1).and_then(|rate| rate.parse().ok());
        return rate.map_or_else(simulate_days, simulate_day);
    }
    let lasting =
        std::env::args().skip(1).find_map(|word| tollgate::units::parse_duration(&word).ok());
    let lasting = lasting.unwrap_or(Duration::from_hours(1));
    let folder = tempfile::tempdir().unwrap();
    let (mut target, base_url) = start_target();
    let mut prober = start_prober(folder.path(), &base_url, lasting);
    let samples = watch(&mut prober, lasting);
    let exit = prober.wait().unwrap();
    target.kill().unwrap();
    target.wait().unwrap();
    println!("| minutes | resident, KiB | descriptors |\n|--:|--:|--:|");
    for (after, sample) in &samples {
        let minutes = after.as_secs_f64() / 60.0;
        println!("| {minutes:.1} | {} | {} |", sample.resident_kib, sample.descriptors);
    }
    let (Some((_, first)), Some((_, last))) = (samples.get(samples.len() / 10), samples.last())
    else {
        println!("\nThe prober ended at once, with {exit}.");
        return ExitCode::FAILURE;
    };
    let growth = last.resident_kib.saturating_sub(first.resident_kib);
    let is_kept =
        exit.success() && growth <= GROWTH_KIB && last.descriptors <= first.descriptors + 2;
    println!(
        "\nIt grew by {growth} KiB ({GROWTH_KIB} allowed), and had {} descriptors at first and {} at the \
         end. The prober ended with {exit}.",
        first.descriptors, last.descriptors
    );
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Simulates a day at each rate. Each has a process of its own: a second one would reuse what the
/// first has freed.
fn simulate_days() -> ExitCode {
    println!(
        "| requests a second | after ten minutes, MiB | more after a day, MiB | peak up to the verdict, MiB |"
    );
    println!("|--:|--:|--:|--:|");
    let is_kept = |rate: &str| {
        let mut own = Command::new(std::env::current_exe().unwrap());
        own.args(["--bench", "day", rate]).status().unwrap().success()
    };
    if ["1", "200"].map(is_kept) == [true; 2] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Simulates a day at a rate, and prints its row of the table.
fn simulate_day(rate: usize) -> ExitCode {
    let day = day::run_day(rate);
    let [first, growth, peak] = [day.first, day.growth, day.peak].map(|kib| kib as f64 / 1024.0);
    println!("| {rate} | {first:.1} | {growth:.1} | {peak:.1} |");
    if day.growth <= GROWTH_KIB { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The rehearsal target, with its base URL.
fn start_target() -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let mut target = command.arg("target").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(target.stdout.take().unwrap()).lines();
    let url = lines.map_while(Result::ok).find_map(|line| {
        line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned)
    });
    (target, url.unwrap())
}

fn start_prober(folder: &Path, base_url: &str, lasting: Duration) -> Child {
    let scenario = folder.join("soak.toml");
    let seconds = lasting.as_secs();
    let text = format!(
        "name = \"soak\"\nbudgets = [\"p95 < 2s\", \"errors < 1%\"]\n[target]\nbase_url = \"{base_url}\"\n\
         [[request]]\nname = \"tile\"\npath = \"/app?mock=1\"\nweight = 199\n\
         [[request]]\nname = \"plain\"\npath = \"/plain\"\nweight = 1\n\
         [load]\narrival_rate = \"200/s\"\nduration = \"{seconds}s\"\nconnections = 64\n\
         [gate]\nstop_early = \"never\"\nstalls = \"1s\"\n"
    );
    std::fs::write(&scenario, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.arg("run").arg(&scenario).arg("--runs-dir").arg(folder.join("runs"));
    command.args(["--report", "none"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// The size of a process at one moment.
struct ProcessSize {
    resident_kib: u64,
    descriptors: usize,
}

/// Samples of the prober from its second second to its end: one a minute, or 20 if that is more
/// often.
fn watch(prober: &mut Child, lasting: Duration) -> Vec<(Duration, ProcessSize)> {
    let every = Duration::from_mins(1).min(lasting / 20);
    let (start, mut samples) = (Instant::now(), Vec::new());
    let last = lasting.saturating_sub(Duration::from_secs(2));
    std::thread::sleep(Duration::from_secs(2));
    while prober.try_wait().unwrap().is_none() && start.elapsed() < last {
        samples.push((start.elapsed(), size_of(prober.id())));
        std::thread::sleep(every);
    }
    samples
}

fn size_of(process: u32) -> ProcessSize {
    ProcessSize {
        resident_kib: status_kb(&process.to_string(), "VmRSS").unwrap(),
        descriptors: std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count(),
    }
}
