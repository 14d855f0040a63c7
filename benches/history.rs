//! How long it takes to list and merge 10,000 runs.
//!
//! `cargo bench --bench history` writes the number of run folders that its first argument gives
//! (10,000 by default), each with a `run.json` of the size of the sample's. It measures how long it
//! takes to read them all as bytes, to list them, and to add their histograms. Reading the bytes is
//! the floor on this machine at this time. Bound: 10,000 runs are listed and merged in 1 s. The
//! benchmark prints Markdown and exits with 1 if the bound is broken.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tollgate::history::{History, HistoryFilter};
use tollgate::record::{
    Dimension, DimensionHistograms, EncodedHistogram, Histogram, RunRecord, RunSummary,
};
use tollgate::store;
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ROUNDS: usize = 7;
const MANY: u32 = 10_000;
const BOUND: Duration = Duration::from_secs(1);

/// How long each part took, one value per round.
#[derive(Default)]
struct Took {
    read: Vec<Duration>,
    listed: Vec<Duration>,
    added_whole: Vec<Duration>,
    added: Vec<Duration>,
    grouped: Vec<Duration>,
    /// Listing and merging together, as `tollgate history` does.
    both: Vec<Duration>,
}

fn main() -> Result<ExitCode> {
    // `cargo test --benches` expects a list or a quick run; this takes a minute.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let count = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(MANY);
    let runs = tempfile::tempdir()?;
    let size = generate(runs.path(), count)?;
    let mut took = Took::default();
    for _ in 0..ROUNDS {
        round(runs.path(), &mut took)?;
    }
    let both = tell(took, count, size);
    let holds = both < BOUND;
    let outcome = if holds { "kept" } else { "broken" };
    println!(
        "\nBound: {} for listing and merging {count} runs from folders: {outcome}.",
        millis(BOUND)
    );
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn round(runs: &Path, took: &mut Took) -> Result<()> {
    timed(&mut took.read, || read_bytes(runs))?;
    let start = Instant::now();
    let all = timed(&mut took.listed, || listed(runs))?;
    let listed = start.elapsed();
    timed(&mut took.added_whole, || Ok(added_whole(&all)))?;
    timed(&mut took.added, || added(&all))?;
    let ok: u64 = all.iter().flat_map(|run| &run.requests).map(|request| request.ok).sum();
    let start = Instant::now();
    let history =
        timed(&mut took.grouped, || Ok(History::from_runs(all, &HistoryFilter::default())))?;
    took.both.push(listed + start.elapsed());
    assert_eq!(history.trends.iter().map(|trend| trend.latency.count).sum::<u64>(), ok);
    Ok(())
}

/// Prints the medians; returns that of listing and merging.
fn tell(took: Took, count: u32, size: usize) -> Duration {
    let Took { read, listed, added_whole, added, grouped, both } = took;
    println!("| {count} runs of {size} bytes, from folders, medians | figure |\n|---|--:|");
    row("reading their bytes, one by one", median(read));
    row("listing them", median(listed));
    row("adding their histograms, each made whole", median(added_whole));
    row("adding them straight from their bytes", median(added));
    row("grouping and adding them", median(grouped));
    let both = median(both);
    row("listing and merging", both);
    both
}

fn row(what: &str, took: Duration) {
    println!("| {what} | {} |", millis(took));
}

fn millis(took: Duration) -> String {
    format!("{:.0} ms", took.as_secs_f64() * 1e3)
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

/// Writes runs an hour apart, each with different durations; returns the size of the largest in
/// bytes.
fn generate(runs: &Path, count: u32) -> Result<usize> {
    let sample: RunRecord = serde_json::from_slice(&fs::read("reports/sample/run.json")?)?;
    let (mut size, mut known) = (0, Vec::new());
    for number in 0..count {
        let mut record = sample.clone();
        record.id = Uuid::from_u128(sample.id.as_u128() + u128::from(number));
        record.provenance.started += Duration::from_hours(1) * number;
        let requests =
            record.measurement.scenarios.iter_mut().flat_map(|scenario| &mut scenario.requests);
        for (at, request) in requests.enumerate() {
            let seed = u64::from(number) << 8 | at as u64;
            request.measured.series = varied(&request.measured.series, seed);
            let latency = request.measured.series.get(Dimension::Latency).map(EncodedHistogram::of);
            known.push(latency.map(|latency| latency.hdr));
        }
        let json = serde_json::to_vec_pretty(&record)?;
        size = size.max(json.len());
        let folder = runs.join(record.name());
        fs::create_dir(&folder)?;
        fs::write(folder.join("run.json"), json)?;
    }
    let all = known.len();
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), all, "no two histograms are the same");
    Ok(size)
}

/// The series with other latencies: the same number of values, each up to an eighth longer or
/// shorter.
fn varied(series: &DimensionHistograms, seed: u64) -> DimensionHistograms {
    let mut varied = DimensionHistograms::default();
    let mut state = seed;
    for (dimension, histogram) in series.iter() {
        if dimension != Dimension::Latency {
            varied.add(dimension, histogram);
            continue;
        }
        let mut latency = Histogram::default();
        for (value, times) in histogram.steps() {
            for _ in 0..times {
                latency.record(value.mul_f64(0.875 + 0.25 * drawn(&mut state)));
            }
        }
        varied.add(dimension, &latency);
    }
    varied
}

/// A pseudo-random number from 0 to 1 (splitmix64).
fn drawn(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as f64 / u64::MAX as f64
}

fn read_bytes(runs: &Path) -> Result<usize> {
    let mut read = 0;
    for folder in fs::read_dir(runs)? {
        read += black_box(fs::read(folder?.path().join("run.json"))?).len();
    }
    Ok(read)
}

fn listed(runs: &Path) -> Result<Vec<RunSummary>> {
    Ok(store::read_summaries(runs, store::SummaryDetail::Listed)?
        .collect::<std::result::Result<_, _>>()?)
}

/// Adds the histograms after decoding each, for comparison.
fn added_whole(runs: &[RunSummary]) -> Histogram {
    let mut sum = Histogram::default();
    let requests = runs.iter().flat_map(|run| &run.requests);
    requests
        .filter_map(|request| request.latency.decode().ok())
        .for_each(|latency| sum.add(&latency));
    sum
}

fn added(runs: &[RunSummary]) -> Result<Histogram> {
    let mut sum = Histogram::default();
    for request in runs.iter().flat_map(|run| &run.requests) {
        request.latency.add_to(&mut sum)?;
    }
    Ok(sum)
}

fn timed<T>(took: &mut Vec<Duration>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let (start, done) = (Instant::now(), work()?);
    took.push(start.elapsed());
    Ok(done)
}
