//! `tollgate import`

mod files;
mod held;
mod keep;
mod log;
mod synthetic_check;
mod told;

use std::path::PathBuf;

use super::console::Output;
use super::exit::{Exit, Problem};

const EXAMPLES: &str = "\
Examples:
  tollgate import synthetic-check artifacts/monitoring/synthetic-check-*.json
  tollgate import synthetic-check artifacts/monitoring      all of its *.json
  tollgate import hlog peer.hlog --unit us --scenario shop --budget 'p95 < 300ms'";

const EXIT_CODES: &str = "\
Exit codes:
  0  every file is imported, or was already; whatever the verdicts on what it tells
  2  usage: a flag or a file is wrong; nothing was imported of any file
  4  internal: a run folder could not be written";

/// Make runs of what other tools kept
///
/// Each run gets an ordinary folder; what its file cannot tell is said with its figures, and it is never a pass. All
/// files are checked before anything is written. The same content is the same run, under whatever name: to import it
/// again changes nothing, and completes what was cut off. `tollgate show RUN` draws a run's reports.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    SyntheticCheck(synthetic_check::Args),
    Hlog(log::Args),
}

/// Where runs go and what is printed of them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct Settings {
    /// What is printed on stdout: a line a run, or one JSON object
    #[arg(
        long,
        value_enum,
        default_value = "text",
        env = "TOLLGATE_OUTPUT",
        hide_possible_values = true,
        value_name = "text|json"
    )]
    output: Output,
    /// The folder that run folders are made in
    #[arg(long, value_name = "DIR", default_value = "reports/runs", env = "TOLLGATE_RUNS_DIR")]
    runs_dir: PathBuf,
}

pub(super) fn import(args: &Args) -> Result<Exit, Problem> {
    match &args.kind {
        Kind::SyntheticCheck(args) => synthetic_check::import(args),
        Kind::Hlog(args) => log::import(args),
    }
}
