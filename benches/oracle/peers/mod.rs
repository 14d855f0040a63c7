//! Runs the other load generators that are installed against the same target: 200/s for 40 s over
//! 50 connections.

mod list;
mod read;

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cell::{Arrivals, Cell};
use crate::matrix;
use crate::processes::Target;
use crate::truth::{Figures, Millis};
use crate::{AT_ONCE, HEADER, PATH, Result, side_by_side};

use list::{FILES, PEERS, Pace, Peer};

/// The cell that the peers are compared with.
const CELL: Cell =
    Cell { arrivals: Arrivals::Constant, connections: 50, streams: 1, http: "1.1", tls: false };

/// A peer that runs for longer than this many seconds is stopped and counts as failed.
const TIMEOUT: &str = "100";

/// A program that sends.
enum Job {
    Tollgate,
    Peer(&'static Peer),
}

/// One row of the table.
struct PeerRow {
    name: String,
    quantiles: [Option<Millis>; 3],
    requests: usize,
    in_freezes: usize,
    how: &'static str,
}

/// Runs every peer that is installed and prints what each reports.
pub(crate) fn run_and_print() {
    let (here, missing): (Vec<_>, Vec<_>) =
        PEERS.iter().partition(|peer| is_installed(peer.program));
    let of_pace =
        |pace| here.iter().filter(move |peer| peer.pace == pace).map(|peer| Job::Peer(peer));
    println!("\n| | p50 / p95 / p99, ms | requests | sent in freezes | |\n|---|--:|--:|--:|---|");
    let paced: Vec<Job> = std::iter::once(Job::Tollgate).chain(of_pace(Pace::Rate)).collect();
    print_rows(&paced);
    // A closed loop takes the processor from everything that runs at the same time.
    print_rows(&of_pace(Pace::None).collect::<Vec<_>>());
    let mut missing: Vec<&str> = missing.into_iter().map(|peer| peer.program).collect();
    missing.dedup();
    println!(
        "\nNot installed: {}.",
        if missing.is_empty() { "none".to_owned() } else { missing.join(", ") }
    );
}

fn is_installed(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn print_rows(jobs: &[Job]) {
    for (job, rows) in jobs.iter().zip(side_by_side(AT_ONCE, jobs, Job::run)) {
        match rows {
            Ok(rows) => rows.iter().for_each(|row| println!("{}", row.line())),
            Err(error) => println!("| {} | left out: {error} | | | |", job.name()),
        }
    }
}

impl Job {
    fn name(&self) -> &'static str {
        match self {
            Self::Tollgate => "tollgate",
            Self::Peer(peer) => peer.program,
        }
    }

    fn run(&self) -> Result<Vec<PeerRow>> {
        match self {
            Self::Tollgate => tollgate_rows(),
            Self::Peer(peer) => Ok(vec![peer_row(peer)?]),
        }
    }
}

fn tollgate_rows() -> Result<Vec<PeerRow>> {
    let matrix::CellResult { truth, ours, sent_in_freezes, .. } = matrix::run(&CELL)?;
    let requests = CELL.due().len();
    let row = |name: &str, Figures { p50, p95, p99, .. }, in_freezes, how| PeerRow {
        name: name.to_owned(),
        quantiles: [p50, p95, p99].map(Some),
        requests,
        in_freezes,
        how,
    };
    Ok(vec![
        row(
            "**truth**",
            truth.figures,
            truth.due_in_freezes,
            "the oracle; requests counted by when they were due",
        ),
        row(
            "**tollgate**",
            ours,
            sent_in_freezes,
            "counted from when it was due, the wait for a connection included",
        ),
    ])
}

fn peer_row(peer: &Peer) -> Result<PeerRow> {
    let target = Target::start(false)?;
    let folder = target.folder();
    for (name, text) in FILES {
        fs::write(folder.join(name), text)?;
    }
    let url = format!("{}{PATH}", target.base_url);
    let output = Command::new("timeout")
        .arg(TIMEOUT)
        .args(arguments(peer.line, &url, folder))
        .stdin(Stdio::null())
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let quantiles = (peer.read)(&printed, folder);
    let log = target.stop(0)?;
    eprintln!("{}: done", peer.label);
    let Some(quantiles) = quantiles else {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().last().unwrap_or("its output is not understood");
        return Err(format!("{}, {last}", output.status).into());
    };
    let name = peer.label.to_owned();
    Ok(PeerRow {
        name,
        quantiles,
        requests: log.count(),
        in_freezes: log.in_freezes(),
        how: peer.how,
    })
}

/// The words of a command line, with the placeholders filled in.
fn arguments(line: &str, url: &str, folder: &Path) -> Vec<String> {
    let (name, value) = HEADER;
    let filled = |word: &str| {
        word.replace("{url}", url)
            .replace("{folder}", &folder.display().to_string())
            .replace("{header}", &format!("{name}: {value}"))
    };
    line.split_whitespace().map(filled).collect()
}

impl PeerRow {
    fn line(&self) -> String {
        let number = |(index, value): (usize, Option<Millis>)| match value {
            Some(millis) => format!("{millis:.*}", usize::from(index == 0)),
            None => "–".to_owned(),
        };
        let quantiles: Vec<String> = self.quantiles.into_iter().enumerate().map(number).collect();
        let Self { name, requests, in_freezes, how, .. } = self;
        format!("| {name} | {} | {requests} | {in_freezes} | {how} |", quantiles.join(" / "))
    }
}
