//! How long `tollgate report` takes for 100,000 runs in Postgres, and how much memory it needs.
//!
//! `cargo bench --bench history_site` starts its own cluster and fills it with the number of runs
//! that its first argument gives (100,000 by default), over two years and four scenarios, each with
//! histograms of its own. It builds the site of the second year, which is compared with the first:
//! without rollups, with them, and again after one more run. Bound: with rollups the whole site
//! takes 10 s and 500 MB. The benchmark prints Markdown and exits with 1 if the bound is broken. It
//! takes some minutes and 2 GB of memory, most of them for the cluster.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and does not wait for one that is advanced"
)]

#[path = "../tests/support/cluster/mod.rs"]
mod cluster;
#[path = "../tests/support/history_year.rs"]
mod history_year;
#[path = "../tests/support/peak_memory.rs"]
mod peak_memory;

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use cluster::Cluster;
use history_year::{START, YEAR};
use tollgate::postgres::DatabaseAddress;
use tollgate::record::{EncodedHistogram, RunRecord, Stage};
use tollgate::store::Database;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MANY: u32 = 100_000;
const DATABASE: &str = "bench";
const SCENARIOS: u32 = 4;
const DAYS: u32 = 730;
/// Days without runs; see [`history_year`].
const GAP: (u32, u32) = (180, 7);
/// Runs that are sent together.
const SLICE: u32 = 2_000;
const BOUND: Duration = Duration::from_secs(10);
const BOUND_MB: u64 = 500;

/// Shared memory as Supabase sets it on its smallest server, instead of the tests' 16 MB.
const SETTINGS: [&str; 2] = ["shared_buffers = '224MB'", "max_wal_size = '2GB'"];

/// The tables that are filled, with their columns.
const TABLES: [(&str, &str); 6] = [
    (
        "runs",
        "id, format, started, elapsed_us, measured_from_us, ending, decision, rule, confidence, tags, git_commit, parts, \
         host, tollgate, command, record",
    ),
    (
        "scenarios",
        "run_id, position, name, source, base_url, load, warmup, caveats, decision, planned, released, unreleased, \
         abandoned, connections_opened, connections_failed, protocols",
    ),
    ("requests", "run_id, position, scenario, name, line, hop_of"),
    ("totals", "run_id, request, stage, exchanges, ok, failed, fresh, body_bytes"),
    (
        "total_histograms",
        "run_id, request, stage, dimension, count, clipped, min_us, p50_us, p95_us, p99_us, max_us, hdr",
    ),
    (
        "verdicts",
        "run_id, position, scenario, request, budget, decision, judged, exceeded, what, next",
    ),
];

fn main() -> Result<ExitCode> {
    // `cargo test --benches` expects a list or a quick run; this takes minutes.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let count = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(MANY);
    let cluster = Cluster::with_settings(&SETTINGS);
    cluster.create_database(DATABASE);
    let url = cluster.url_of(DATABASE);
    Database::open(&DatabaseAddress::parse(&url)?)?.migrate()?;
    let start = Instant::now();
    fill(&cluster, count);
    println!("{count} runs, generated in {:.0} s\n", start.elapsed().as_secs_f64());
    println!("| what | time | peak memory |\n|---|--:|--:|");
    let sites = [tempfile::tempdir()?, tempfile::tempdir()?];
    let first = site(&url, sites[0].path(), "the site of a year, without rollups", &[])?;
    let second = site(&url, sites[0].path(), "the same again", &[])?;
    let one = ["--scenario", "scenario 1"];
    site(&url, sites[1].path(), "index and one scenario page", &one)?;
    insert(&cluster, &record(count - 1, u64::from(count) + 1));
    let after = site(&url, sites[0].path(), "the site after one more run", &[])?;
    println!("\n{}\n{}\n{}", first.said, second.said, after.said);
    let bytes = "select pg_size_pretty(pg_total_relation_size('tollgate.rollups')), \
                 pg_size_pretty(pg_database_size(current_database()))";
    println!("rollups, database: {}", cluster.sql(DATABASE, bytes).concat().join(", "));
    let holds = |it: &Built| it.took < BOUND && it.peak_mb < BOUND_MB;
    let kept = holds(&second) && holds(&after);
    let outcome = if kept { "kept" } else { "broken" };
    println!("\nBound: {} s and {BOUND_MB} MB with rollups: {outcome}.", BOUND.as_secs());
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What building a site took.
struct Built {
    took: Duration,
    peak_mb: u64,
    said: String,
}

/// Builds the site of the newest year and prints a row. Partners' sites have the same pages, but no
/// reports of single runs, whose records were not generated.
fn site(url: &str, out: &Path, what: &str, further: &[&str]) -> Result<Built> {
    let (start, mut command) = (Instant::now(), Command::new(env!("CARGO_BIN_EXE_tollgate")));
    let (since, until) = (START + Duration::from_hours(24 * 365), "2027-11-29");
    command.args(["report", "--audience", "partner", "--from", "database", "--until", until]);
    command.args(["--since", &since.date().to_string(), "--store", url]).args(further);
    command.arg("--out").arg(out).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let peak_mb = peak_memory::watch(&mut child)? / 1_024;
    let took = start.elapsed();
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("{what}: {}", output.status).into());
    }
    println!("| {what} | {:.1} s | {peak_mb} MB |", took.as_secs_f64());
    Ok(Built { took, peak_mb, said: String::from_utf8(output.stdout)?.trim().to_owned() })
}

/// Generates the runs on two processors and sends them in slices.
fn fill(cluster: &Cluster, count: u32) {
    let slices: Vec<u32> = (0..count).step_by(SLICE as usize).collect();
    let halves = slices.chunks(slices.len().div_ceil(2));
    std::thread::scope(|scope| {
        let send = |slices: &[u32]| {
            for first in slices {
                let runs = *first..(first + SLICE).min(count);
                let mut rows: [String; 6] = Default::default();
                runs.for_each(|number| add_rows(&mut rows, &spread(number, count)));
                cluster.sql(DATABASE, &script(&rows));
            }
        };
        halves.for_each(|slices| drop(scope.spawn(move || send(slices))));
    });
    cluster.sql(DATABASE, "analyze");
}

fn insert(cluster: &Cluster, record: &RunRecord) {
    let mut rows: [String; 6] = Default::default();
    add_rows(&mut rows, record);
    cluster.sql(DATABASE, &script(&rows));
}

/// The run of a number, if all are spread evenly over the days.
fn spread(number: u32, count: u32) -> RunRecord {
    let seconds = u64::from(DAYS - GAP.1) * 86_400 * u64::from(number) / u64::from(count);
    let gap = if seconds >= u64::from(GAP.0) * 86_400 { u64::from(GAP.1) * 86_400 } else { 0 };
    record_at(seconds + gap, number, u64::from(number))
}

/// One more run at the end of the last day but one.
fn record(number: u32, seed: u64) -> RunRecord {
    record_at(u64::from(DAYS - 1) * 86_400 - 60, number, seed)
}

fn record_at(seconds: u64, number: u32, seed: u64) -> RunRecord {
    let hour = u32::try_from(seconds / 3_600).unwrap_or(0);
    let mut record = history_year::seeded_record(YEAR, hour, seed)
        .unwrap_or_else(|| unreachable!("no run is in the gap"));
    let name = format!("scenario {}", number % SCENARIOS);
    record.provenance.started = START + Duration::from_secs(seconds);
    record.plan[0].name.clone_from(&name);
    record.measurement.scenarios[0].name.clone_from(&name);
    record.verdict.scenarios[0].scenario = name;
    record
}

/// The statements that copy rows into the tables.
fn script(rows: &[String; 6]) -> String {
    let copy = |((table, columns), rows): (&(&str, &str), &String)| {
        format!("copy tollgate.{table} ({columns}) from stdin;\n{rows}\\.\n")
    };
    let copies: String = TABLES.iter().zip(rows).map(copy).collect();
    format!("begin;\n{copies}commit;\n")
}

/// Adds the rows of a run, in the order of [`TABLES`].
fn add_rows(rows: &mut [String; 6], run: &RunRecord) {
    let (id, from, plan) = (run.id, &run.provenance, &run.plan[0]);
    let (scenario, verdict) = (&run.measurement.scenarios[0], &run.verdict.scenarios[0]);
    let tags = serde_json::to_string(&from.tags).unwrap_or_default();
    let (decision, commit) =
        (run.verdict.decision.name(), from.git_commit.as_deref().unwrap_or("\\N"));
    let host = &from.host.name;
    let [runs, scenarios, requests, totals, histograms, verdicts] = rows;
    let started = time_text(from.started.unix_timestamp());
    let _ = writeln!(
        runs,
        "{id}\t{}\t{started}\t62000000\t2000000\tcomplete\t{decision}\trule\t0.95\t{tags}\t{commit}\t{{}}\t{host}\t0.1.0\t{{}}\t{{}}",
        run.format
    );
    let (name, released) = (&scenario.name, scenario.released);
    let _ = writeln!(
        scenarios,
        "{id}\t0\t{name}\t{}\t{}\t{}\t{}\t{{}}\t{}\t{released}\t{released}\t0\t0\t12\t0\t{{\"{}\"}}",
        plan.source,
        plan.base_url,
        plan.load,
        plan.warmup,
        verdict.decision.name(),
        scenario.protocols[0]
    );
    let request = &scenario.requests[0];
    let _ = writeln!(requests, "{id}\t0\t0\t{}\t{}\t\\N", request.name, plan.requests[0].line);
    for stage in [Stage::Cold, Stage::Measured] {
        let (of, stage) = (request.stage(stage), stage.name());
        let tally = &of.tally;
        let (exchanges, ok, failed) = (tally.exchanges, tally.ok, tally.failed());
        let _ =
            writeln!(totals, "{id}\t0\t{stage}\t{exchanges}\t{ok}\t{failed}\t{}\t0", tally.fresh);
        for (dimension, histogram) in of.series.iter() {
            let _ = write!(histograms, "{id}\t0\t{stage}\t{}\t", dimension.name());
            add_histogram(histograms, &EncodedHistogram::of(histogram));
        }
    }
    for (position, budget) in verdict.budgets.iter().enumerate() {
        let (decision, judged, exceeded) = (budget.decision.name(), budget.judged, budget.exceeded);
        let (request, budget) = (&budget.request, budget.budget);
        let _ = writeln!(
            verdicts,
            "{id}\t{position}\t0\t{request}\t{budget}\t{decision}\t{judged}\t{exceeded}\t\t"
        );
    }
}

fn time_text(seconds: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(seconds);
    moment.map(|moment| moment.to_string().replace(" +00:00:00", "+00")).unwrap_or_default()
}

fn add_histogram(rows: &mut String, of: &EncodedHistogram) {
    let figures = [of.min_us, of.p50_us, of.p95_us, of.p99_us, of.max_us];
    let _ = write!(rows, "{}\t{}\t", of.count, of.clipped);
    for figure in figures {
        let _ = match figure {
            Some(figure) => write!(rows, "{figure}\t"),
            None => write!(rows, "\\N\t"),
        };
    }
    rows.push_str("\\\\x");
    of.hdr.iter().for_each(|byte| {
        let _ = write!(rows, "{byte:02x}");
    });
    rows.push('\n');
}
