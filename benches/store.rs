//! How long it takes to store runs in Postgres, and to list and merge thousands of them.
//!
//! Starts its own cluster and repeatedly stores a run of 2 scenarios and 600 seconds. As the floor,
//! the server copies the same rows into tables of the same shape, which leaves out making, sending
//! and checking them. Then the database is filled up to 10,000 runs, their summaries are read, and
//! all histograms of each request are added; `--bench history` does the same with folders. Bounds:
//! a run is stored in 1 s, and 10,000 runs are listed and merged in 1 s.
//!
//! `cargo bench --bench store` takes a minute or two and needs the programs of `PostgreSQL`. It
//! prints Markdown and exits with 1 if a bound is broken. The cluster's files are in memory if
//! there is plenty, and `fsync` is off: the figures exclude the time in which a disk makes a commit
//! durable.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[path = "../tests/support/cluster/mod.rs"]
mod cluster;
#[path = "../tests/support/runs.rs"]
mod runs;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cluster::Cluster;
use runs::Shape;
use tollgate::history::{History, HistoryFilter};
use tollgate::postgres::DatabaseAddress;
use tollgate::record::RunRecord;
use tollgate::store::{self, Database, FolderContent, UploadLimits};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const LONG: Shape = Shape { scenarios: 2, seconds: 600, per_second: 20 };
const ROUNDS: u64 = 7;
/// The number of generated runs; the database is filled up with copies of them.
const BASE: u64 = 50;
const MANY: u64 = 10_000;
const BOUND: Duration = Duration::from_secs(1);
const DATABASE: &str = "bench";

/// The tables of a run, `runs` first, with the column that refers to the run in each.
const TABLES: [(&str, &str); 9] = [
    ("runs", "id"),
    ("scenarios", "run_id"),
    ("requests", "run_id"),
    ("totals", "run_id"),
    ("total_histograms", "run_id"),
    ("intervals", "run_id"),
    ("interval_histograms", "run_id"),
    ("failures", "run_id"),
    ("verdicts", "run_id"),
];

fn main() -> Result<ExitCode> {
    // `cargo test --benches` expects a list or a quick run; this takes minutes.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir()?);
    cluster.create_database(DATABASE);
    let mut database = Database::open(&DatabaseAddress::parse(&cluster.url_of(DATABASE))?)?;
    database.migrate()?;
    println!("| what | figure |\n|---|--:|");
    let stored = storing(&cluster, &mut database, folder.path())?;
    let listed = listing(&cluster, &mut database, folder.path())?;
    let holds = [stored, listed].iter().all(|took| *took < BOUND);
    println!(
        "\nBounds: {} ms each for a run and for a list from the database: {}.",
        BOUND.as_millis(),
        if holds { "kept" } else { "broken" }
    );
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(what: &str, figure: &str) {
    println!("| {what} | {figure} |");
}

fn millis(took: Duration) -> String {
    format!("{:.0} ms", took.as_secs_f64() * 1e3)
}

fn timed<T>(of: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = Instant::now();
    let value = of()?;
    Ok((start.elapsed(), value))
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

fn record(folder: &Path) -> Result<RunRecord> {
    match store::read_folder(folder)? {
        FolderContent::Complete(record) => Ok(*record),
        _ => Err(format!("{} is not complete", folder.display()).into()),
    }
}

/// Stores long runs; after each, the server copies its rows. Returns the median time of storing.
fn storing(cluster: &Cluster, database: &mut Database, folder: &Path) -> Result<Duration> {
    let copies = TABLES.map(|(table, _)| {
        format!("create table copy.{table} (like tollgate.{table} including defaults including indexes including generated);")
    });
    cluster.sql(DATABASE, &format!("create schema copy; {}", copies.concat()));
    let empty = bytes(cluster);
    let (mut took, mut floors) = (Vec::new(), Vec::new());
    for seed in 0..ROUNDS {
        let path = runs::write(&folder.join("long"), MANY + seed, LONG);
        let record = record(&path)?;
        let (stored, sent) =
            timed(|| Ok(database.store_run(&record, &path, UploadLimits::GENEROUS)?))?;
        assert!(sent.is_new);
        took.push(stored);
        floors.push(copied(cluster, &record.id.to_string())?);
    }
    let (stored, floor) = (median(took), median(floors));
    let run = (bytes(cluster) - empty) / ROUNDS;
    let figure = format!(
        "{} = {:.1} × {}",
        millis(stored),
        stored.as_secs_f64() / floor.as_secs_f64(),
        millis(floor)
    );
    row(
        "storing a run of 2 scenarios × 600 s (12,000 histograms), median; × the server copying its rows",
        &figure,
    );
    row(
        "bytes of such a run in the database, indexes included",
        &format!("{:.2} MB", run as f64 / 1e6),
    );
    database.prune(Duration::from_secs(1), false)?;
    cluster
        .sql(DATABASE, "vacuum full tollgate.intervals; vacuum full tollgate.interval_histograms");
    let pruned = (bytes(cluster) - empty) / ROUNDS;
    row("the same when its seconds are pruned", &format!("{:.0} kB", pruned as f64 / 1e3));
    cluster.sql(DATABASE, "drop schema copy cascade; truncate tollgate.runs cascade");
    Ok(stored)
}

/// How long the server takes to copy a run's rows, without the start of psql and its connection.
fn copied(cluster: &Cluster, id: &str) -> Result<Duration> {
    let all = TABLES.map(|(table, key)| {
        let columns = format!("select string_agg(quote_ident(attname), ',' order by attnum) from pg_attribute where attrelid = 'tollgate.{table}'::regclass and attnum > 0 and attgenerated = ''");
        let columns = cluster.sql(DATABASE, &columns)[0][0].clone();
        format!("insert into copy.{table} ({columns}) select {columns} from tollgate.{table} where {key} = '{id}';")
    });
    let (nothing, _) = timed(|| Ok(cluster.sql(DATABASE, "select 1")))?;
    let (took, _) =
        timed(|| Ok(cluster.sql(DATABASE, &format!("begin; {} commit;", all.concat()))))?;
    Ok(took.saturating_sub(nothing))
}

fn bytes(cluster: &Cluster) -> u64 {
    let sql = "select sum(pg_total_relation_size(oid)) from pg_class where relnamespace = 'tollgate'::regnamespace and relkind = 'r'";
    cluster.sql(DATABASE, sql)[0][0].parse().unwrap_or(0)
}

/// Lists 10,000 runs of the database and adds their histograms; returns the median time.
fn listing(cluster: &Cluster, database: &mut Database, folder: &Path) -> Result<Duration> {
    for seed in 0..BASE {
        let path = runs::write(&folder.join("runs"), seed, runs::SMALL);
        database.store_run(&record(&path)?, &path, UploadLimits::GENEROUS)?;
    }
    cluster.sql(DATABASE, "delete from tollgate.intervals");
    cluster.sql(DATABASE, &multiply());
    cluster.sql(DATABASE, "vacuum analyze");
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let (one, history) = timed(|| {
            Ok(History::from_runs(
                database.summaries(&HistoryFilter::default())?,
                &HistoryFilter::default(),
            ))
        })?;
        assert_merged(&history);
        took.push(one);
    }
    let listed = median(took);
    row(
        "listing and merging 10,000 runs (20,000 histograms) from the database, median",
        &millis(listed),
    );
    Ok(listed)
}

/// The SQL that copies the stored runs under other ids and at other times, up to [`MANY`] runs.
fn multiply() -> String {
    let copies = MANY / BASE - 1;
    let id = "md5(r.id::text || n)::uuid";
    format!(
        "insert into tollgate.runs (id, format, started, elapsed_us, measured_from_us, ending, decision, rule, confidence, tags, git_commit, parts, host, tollgate, command, record) \
         select {id}, format, started + n * interval '1 day', elapsed_us, measured_from_us, ending, decision, rule, confidence, tags, git_commit, parts, host, tollgate, command, record \
         from tollgate.runs r, generate_series(1, {copies}) n; \
         insert into tollgate.scenarios select md5(t.run_id::text || n)::uuid, position, name, source, base_url, load, warmup, caveats, decision, planned, released, unreleased, abandoned, connections_opened, connections_failed, protocols from tollgate.scenarios t, generate_series(1, {copies}) n; \
         insert into tollgate.requests select md5(t.run_id::text || n)::uuid, position, scenario, name, line, hop_of from tollgate.requests t, generate_series(1, {copies}) n; \
         insert into tollgate.totals select md5(t.run_id::text || n)::uuid, request, stage, exchanges, ok, failed, fresh, body_bytes from tollgate.totals t, generate_series(1, {copies}) n; \
         insert into tollgate.total_histograms select md5(t.run_id::text || n)::uuid, request, stage, dimension, count, clipped, min_us, p50_us, p95_us, p99_us, max_us, hdr from tollgate.total_histograms t, generate_series(1, {copies}) n;"
    )
}

fn assert_merged(history: &History) {
    assert_eq!(history.trends.len(), 2);
    for trend in &history.trends {
        assert_eq!(trend.rows.len() as u64, MANY);
        assert_eq!(trend.latency.count, trend.ok);
    }
}
