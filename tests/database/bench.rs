//! Shared parts of the tests: the program, a database with its schema, and the content of all
//! tables.

use std::path::Path;
use std::process::{Command, Output};

use tollgate::postgres::DatabaseAddress;
use tollgate::record::{Interval, RunRecord, RunSummary};
use tollgate::store::{self, Database, DatabaseError, FolderContent, UploadLimits};

use crate::cluster::Cluster;
pub(crate) use crate::program::tollgate;

/// Every table that has rows of a run, `runs` first.
pub(crate) const TABLES: [&str; 9] = [
    "runs",
    "scenarios",
    "requests",
    "totals",
    "total_histograms",
    "intervals",
    "interval_histograms",
    "failures",
    "verdicts",
];

/// A command that runs the program with the reports that a user gets.
pub(crate) fn tollgate_with_reports() -> Command {
    let mut command = tollgate();
    command.env_remove("TOLLGATE_REPORT");
    command
}

pub(crate) fn open(url: &str) -> Database {
    Database::open(&DatabaseAddress::parse(url).unwrap()).unwrap()
}

/// Creates a database with the schema; returns its URL.
pub(crate) fn migrated(cluster: &Cluster, name: &str) -> String {
    cluster.create_database(name);
    let url = cluster.url_of(name);
    open(&url).migrate().unwrap();
    url
}

/// The summary of a run as lists have it, without the figures of a site.
pub(crate) fn listed(record: &RunRecord) -> RunSummary {
    let mut summary = RunSummary::of(record);
    summary.requests.iter_mut().for_each(|request| request.figures = None);
    summary
}

pub(crate) fn record(folder: &Path) -> RunRecord {
    match store::read_folder(folder).unwrap() {
        FolderContent::Complete(record) => *record,
        _ => panic!("{} is not complete", folder.display()),
    }
}

/// Stores a run; returns whether it is new.
pub(crate) fn keep(database: &mut Database, folder: &Path) -> bool {
    database.store_run(&record(folder), folder, UploadLimits::GENEROUS).unwrap().is_new
}

/// Reads a run's intervals from the database.
pub(crate) fn intervals(database: &mut Database, record: &RunRecord) -> Vec<Interval> {
    let mut all = Vec::new();
    let read: Result<(), DatabaseError> = database.intervals(record, |interval| {
        all.push(interval);
        Ok(())
    });
    read.unwrap();
    all
}

/// The command that sends the runs below `runs` to a database.
pub(crate) fn sync(runs: &Path, url: &str) -> Command {
    let mut command = tollgate();
    command.arg("sync").arg("--runs-dir").arg(runs).env("DATABASE_URL", url);
    command
}

pub(crate) fn output_text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A digest of the rows of every table, without the time at which a run was stored.
pub(crate) fn contents(cluster: &Cluster, database: &str) -> Vec<(&'static str, String)> {
    let digest = |table: &'static str| {
        let row = if table == "runs" {
            "(id, started, decision, tags, environment, deploy, git_commit, host, command, record::text)::text"
        } else {
            "t::text"
        };
        let sql = format!(
            "select count(*) || ' ' || coalesce(md5(string_agg(md5({row}), '' order by md5({row}))), '') from tollgate.{table} t"
        );
        (table, cluster.sql(database, &sql)[0][0].clone())
    };
    TABLES.map(digest).to_vec()
}
