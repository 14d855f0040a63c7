//! `tollgate import hlog`

use std::path::PathBuf;

use clap::ValueEnum;

use super::super::exit::{CommandError, ExitStatus};
use super::summary::ImportSummary;
use super::writer::ImportWriter;
use super::{ImportFlags, files};
use crate::import::{ImportedLog, LogImportOptions, LogUnit};
use crate::record::Budget;
use crate::units::UnitError;

const EXAMPLES: &str = "\
Examples:
  tollgate import hlog peer.hlog
  tollgate import hlog peer.hlog --unit ns --scenario shop --budget 'p95 < 300ms'
  tollgate import hlog reports/runs/2026-11-23T18-47-06Z-3bb6c035/intervals.hlog

A log written by tollgate keeps its scenarios, requests and dimensions. In a log of another tool,
each tag is a request and values are latencies. A truncated last line is ignored; any other line
that cannot be parsed is reported with its number, and nothing is imported.";

/// Import HdrHistogram interval logs, one run per log
///
/// Accepts log versions 1.0 to 1.3 with histograms in V2 encoding, up to 256 MiB. A log does not
/// contain failures, so its run is never a pass, but it can prove that a budget does not hold.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// Interval logs, or folders of *.hlog files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The scenario for lines that name none
    #[arg(long, value_name = "NAME", default_value = "interval log", value_parser = parse_name)]
    scenario: String,
    /// The request for lines without a tag
    #[arg(long, value_name = "NAME", default_value = "all requests", value_parser = parse_name)]
    request: String,
    /// The unit of values [default: derived from the log's header or its column of maxima in
    /// milliseconds]
    #[arg(long, value_enum)]
    unit: Option<ValueUnit>,
    /// Judge each request by a latency budget, such as 'p95 < 300ms'; may be repeated
    #[arg(long = "budget", value_name = "BUDGET", value_parser = parse_latency_budget)]
    budgets: Vec<Budget>,
    #[command(flatten)]
    flags: ImportFlags,
}

/// A unit, as the flag takes it.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ValueUnit {
    /// Nanoseconds
    Ns,
    /// Microseconds
    Us,
    /// Milliseconds
    Ms,
}

impl From<ValueUnit> for LogUnit {
    fn from(unit: ValueUnit) -> Self {
        match unit {
            ValueUnit::Ns => Self::Nanos,
            ValueUnit::Us => Self::Micros,
            ValueUnit::Ms => Self::Millis,
        }
    }
}

pub(super) fn import(args: &Args) -> Result<ExitStatus, CommandError> {
    let options = LogImportOptions {
        scenario: args.scenario.clone(),
        request: args.request.clone(),
        unit: args.unit.map(LogUnit::from),
        budgets: args.budgets.clone(),
    };
    let files = files::list(&args.files, "hlog")?;
    let logs = files::check_all(files, ImportedLog::MOST_BYTES, |bytes| {
        ImportedLog::read(bytes, &options)
    })?;
    let writer = ImportWriter::open(&args.flags.runs_dir)?;
    let mut summary = ImportSummary::new(&args.flags);
    for (file, log) in &logs {
        // Each log is read again here, so that only one is in memory at a time.
        let bytes = files::read(file, ImportedLog::MOST_BYTES).map_err(CommandError::internal)?;
        let changed = || {
            CommandError::internal(format!(
                "{} changed during the import; import it again",
                file.display()
            ))
        };
        let intervals = log.intervals(&bytes).ok_or_else(changed)?;
        let imported = writer.write(log.record(), intervals)?;
        summary.print_run(file, log.record(), &imported)?;
    }
    summary.print_total(("log", "logs"), &[])?;
    Ok(ExitStatus::Pass)
}

/// Parses a name of a scenario or request.
fn parse_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_control) || text.chars().count() > 200 {
        return Err("a name must be one line of 1 to 200 characters".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses a budget that a log can be judged by.
fn parse_latency_budget(text: &str) -> Result<Budget, UnitError> {
    let budget: Budget = text.parse()?;
    match budget.ceiling() {
        Some(_) => Ok(budget),
        None => Err(UnitError::new(
            "an interval log does not contain failures or drops",
            "write a latency budget, such as `p95 < 300ms`",
        )),
    }
}
