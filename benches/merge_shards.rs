//! How long `tollgate merge` takes for 1,000 shards of 600 seconds, and how much memory it needs.
//!
//! `cargo bench --bench merge_shards` writes the shards that its first argument says (1,000 by
//! default), merges them, and compares time and memory with the bounds, 30 s and 300 MiB for 1,000
//! shards. It needs 2 GB in the temporary folder and exits with 1 if a bound is broken.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and does not wait for one that is advanced"
)]

#[path = "../tests/support/peak_memory.rs"]
mod peak_memory;
#[path = "../tests/support/runs.rs"]
mod runs;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use runs::Shape;
use time::macros::datetime;
use tollgate::record::{ShardRecord, ShardSharing};
use tollgate::store::{self, FolderContent};

const SHARDS: u32 = 1_000;
const SHAPE: Shape = Shape { scenarios: 1, seconds: 600, per_second: 10 };
const BOUND: Duration = Duration::from_secs(30);
const BOUND_MIB: u64 = 300;

fn main() -> ExitCode {
    // `cargo test --benches` expects a list or a quick run; this takes minutes.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let count = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(SHARDS);
    let folder = tempfile::tempdir().unwrap();
    let folders = write_shards(folder.path(), count);
    let (start, mut command) = (Instant::now(), Command::new(env!("CARGO_BIN_EXE_tollgate")));
    command.args(["merge", "--report", "none"]).args(&folders);
    command.arg("--runs-dir").arg(folder.path().join("merged")).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let peak_mib = peak_memory::watch(&mut child).unwrap() / 1_024;
    let (took, exit) = (start.elapsed(), child.wait().unwrap());
    println!("| shards | seconds each | time | peak memory |\n|--:|--:|--:|--:|");
    println!("| {count} | {} | {:.1} s | {peak_mib} MiB |", SHAPE.seconds, took.as_secs_f64());
    println!("\ntollgate merge ended with {exit}.");
    let kept = matches!(exit.code(), Some(0..=1)) && took <= BOUND && peak_mib <= BOUND_MIB;
    let outcome = if kept { "kept" } else { "broken" };
    println!("Bound: {} s and {BOUND_MIB} MiB: {outcome}.", BOUND.as_secs());
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes the shards on two processors.
fn write_shards(root: &Path, count: u32) -> Vec<PathBuf> {
    let shards: Vec<u32> = (1..=count).collect();
    let write = |shards: &[u32]| {
        shards.iter().map(|shard| write_shard(root, *shard, count)).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let halves = shards.chunks(shards.len().div_ceil(2));
        let threads: Vec<_> = halves.map(|half| scope.spawn(move || write(half))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn write_shard(root: &Path, shard: u32, of: u32) -> PathBuf {
    let seed = u64::from(shard);
    let folder = runs::write(root, seed, SHAPE);
    let FolderContent::Complete(mut record) = store::read_folder(&folder).unwrap() else {
        unreachable!("it was just written")
    };
    let part =
        ShardRecord { shard, run: runs::id(seed), host: format!("probe-{shard}"), clock: None };
    let start = datetime!(2026-01-01 00:00 UTC);
    record.measurement.sharing =
        Some(ShardSharing { of, start, parts: vec![part], lost: Vec::new() });
    store::complete_folder(&folder, &record).unwrap();
    folder
}
