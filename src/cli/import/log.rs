//! `tollgate import hlog`

use std::path::PathBuf;

use clap::ValueEnum;

use super::super::exit::{Exit, Problem};
use super::keep::Keeper;
use super::told::Teller;
use super::{Settings, files};
use crate::import::{Log, Options, Unit};
use crate::record::Budget;
use crate::units::UnitError;

const EXAMPLES: &str = "\
Examples:
  tollgate import hlog peer.hlog
  tollgate import hlog peer.hlog --unit ns --scenario shop --budget 'p95 < 300ms'
  tollgate import hlog reports/runs/2026-11-23T18-47-06Z-3bb6c035/intervals.hlog

A log of tollgate has its scenarios, requests and dimensions back. In one of another tool each
tag is a request, and values are latencies. A last line that is cut off is left out; any other
line that cannot be read is told with its number, and nothing is imported.";

/// Import HdrHistogram interval logs, each a run
///
/// Logs of version 1.0 to 1.3 with histograms in V2 encoding, up to 256 MiB. A log tells nothing of failures, so that its
/// run is never a pass; a budget can be proven not to hold.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// Interval logs; of a folder, the *.hlog in it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The scenario that lines without one are of
    #[arg(long, value_name = "NAME", default_value = "interval log", value_parser = name)]
    scenario: String,
    /// The request that lines without a tag are of
    #[arg(long, value_name = "NAME", default_value = "all requests", value_parser = name)]
    request: String,
    /// What values count [default: what the log's head or its column of maxima in milliseconds tells]
    #[arg(long, value_enum)]
    unit: Option<Counted>,
    /// Hold each request to a budget on a duration, such as 'p95 < 300ms'; may be repeated
    #[arg(long = "budget", value_name = "BUDGET", value_parser = timed)]
    budgets: Vec<Budget>,
    #[command(flatten)]
    settings: Settings,
}

/// A unit as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Counted {
    /// Nanoseconds
    Ns,
    /// Microseconds
    Us,
    /// Milliseconds
    Ms,
}

impl From<Counted> for Unit {
    fn from(counted: Counted) -> Self {
        match counted {
            Counted::Ns => Self::Nanos,
            Counted::Us => Self::Micros,
            Counted::Ms => Self::Millis,
        }
    }
}

pub(super) fn import(args: &Args) -> Result<Exit, Problem> {
    let options = Options {
        scenario: args.scenario.clone(),
        request: args.request.clone(),
        unit: args.unit.map(Unit::from),
        budgets: args.budgets.clone(),
    };
    let files = files::named(&args.files, "hlog")?;
    let logs = files::checked(files, Log::MOST_BYTES, |bytes| Log::read(bytes, &options))?;
    let keeper = Keeper::of(&args.settings.runs_dir)?;
    let mut teller = Teller::of(&args.settings);
    for (file, log) in &logs {
        // Logs are read again one by one, so that no more than one is held.
        let bytes = files::read(file, Log::MOST_BYTES).map_err(Problem::internal)?;
        let changed = || {
            Problem::internal(format!("{} was changed meanwhile; import it again", file.display()))
        };
        let intervals = log.intervals(&bytes).ok_or_else(changed)?;
        let kept = keeper.keep(log.record(), intervals)?;
        teller.tell(file, log.record(), &kept)?;
    }
    teller.tell_all(("log", "logs"), &[])?;
    Ok(Exit::Pass)
}

/// A name that a run can have.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_control) || text.chars().count() > 200 {
        return Err("a name stands on one line, of 1 to 200 characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A budget that a log can be held to.
fn timed(text: &str) -> Result<Budget, UnitError> {
    let budget: Budget = text.parse()?;
    match budget.ceiling() {
        Some(_) => Ok(budget),
        None => Err(UnitError::new(
            "an interval log tells of no failures and drops",
            "write a budget on a duration, such as `p95 < 300ms`",
        )),
    }
}
