//! How long it takes to list and merge 10,000 runs.
//!
//! `cargo bench --bench history` writes as many run folders as its first argument says (10,000 unless given), each with
//! a `run.json` of the size of the sample's, and prints how long it takes to read them all as bytes, to list them, and to add
//! their histograms. What reading takes is the floor of this machine at this hour.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tollgate::history::{Filter, History};
use tollgate::record::{Adder, Histogram, RunRecord, RunSummary};
use tollgate::store;
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // `cargo test --benches` and the like ask for a list or a quick pass; this takes a minute.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let count = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(10_000);
    let runs = tempfile::tempdir()?;
    let size = generate(runs.path(), count)?;
    println!("{count} runs of {size} bytes");
    for _ in 0..3 {
        timed("read their bytes", || read_bytes(runs.path()))?;
        let listed = timed("list them", || listed(runs.path()))?;
        timed("add their histograms one by one", || Ok(added_whole(&listed)))?;
        timed("add them straight from their bytes", || added(&listed))?;
        let history = timed("group and add them", || Ok(History::of(listed, &Filter::default())))?;
        for trend in &history.trends {
            println!(
                "  {} · {}: {} runs, {:?}",
                trend.scenario,
                trend.request,
                trend.rows.len(),
                trend.latency.p99_us
            );
        }
    }
    Ok(())
}

/// Runs an hour apart, each with other durations; how many bytes one takes.
fn generate(runs: &Path, count: u32) -> Result<usize> {
    let mut record: RunRecord = serde_json::from_slice(&fs::read("reports/sample/run.json")?)?;
    let (start, mut size) = (record.provenance.started, 0);
    for number in 0..count {
        record.id = Uuid::from_u128(record.id.as_u128() + 1);
        record.provenance.started = start + Duration::from_hours(1) * number;
        let json = serde_json::to_vec_pretty(&record)?;
        size = json.len();
        let folder = runs.join(record.name());
        fs::create_dir(&folder)?;
        fs::write(folder.join("run.json"), json)?;
    }
    Ok(size)
}

fn read_bytes(runs: &Path) -> Result<usize> {
    let mut read = 0;
    for folder in fs::read_dir(runs)? {
        read += black_box(fs::read(folder?.path().join("run.json"))?).len();
    }
    Ok(read)
}

fn listed(runs: &Path) -> Result<Vec<RunSummary>> {
    Ok(store::summaries(runs)?.collect::<std::result::Result<_, _>>()?)
}

/// What adding would take with a histogram made of each.
fn added_whole(runs: &[RunSummary]) -> Histogram {
    let mut sum = Histogram::default();
    let requests = runs.iter().flat_map(|run| &run.requests);
    requests.filter_map(|request| request.latency.unpack().ok()).for_each(|latency| sum.add(&latency));
    sum
}

fn added(runs: &[RunSummary]) -> Result<Histogram> {
    let (mut adder, mut sum) = (Adder::default(), Histogram::default());
    for request in runs.iter().flat_map(|run| &run.requests) {
        adder.add(&request.latency, &mut sum)?;
    }
    Ok(sum)
}

fn timed<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let now = || clock_gettime(ClockId::Monotonic);
    let (start, done) = (now(), work()?);
    let took = now() - start;
    let millis = took.tv_sec * 1_000 + took.tv_nsec / 1_000_000;
    println!("{millis:6} ms  {what}");
    Ok(done)
}
