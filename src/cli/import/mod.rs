//! `tollgate import`

pub(super) mod files;
mod hlog;
mod lock;
mod summary;
mod synthetic_check;
mod writer;

use std::path::PathBuf;

use super::console::OutputFormat;
use super::exit::{CommandError, ExitStatus};

const EXAMPLES: &str = "\
Examples:
  tollgate import synthetic-check artifacts/monitoring/synthetic-check-*.json
  tollgate import synthetic-check artifacts/monitoring      all *.json files in it
  tollgate import hlog peer.hlog --unit us --scenario shop --budget 'p95 < 300ms'";

const EXIT_CODES: &str = "\
Exit codes:
  0  every file is imported or was imported before, whatever the verdicts
  2  usage: a flag or a file is wrong; nothing was imported
  4  internal: a run folder could not be written";

/// Import results of other tools as runs
///
/// Each run gets an ordinary folder. It says what its file does not contain, and it is never a
/// pass. All files are checked before anything is written. A run is identified by its file's
/// content: importing it again changes nothing, or completes an interrupted import. `tollgate show
/// RUN` writes the reports of a run.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    tool: ImportTool,
}

#[derive(Debug, clap::Subcommand)]
enum ImportTool {
    SyntheticCheck(synthetic_check::Args),
    Hlog(hlog::Args),
}

/// Where runs are written, and what is printed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct ImportFlags {
    /// What to print on stdout: one line per run, or one JSON object
    #[arg(
        long,
        value_enum,
        default_value = "text",
        env = "TOLLGATE_OUTPUT",
        hide_possible_values = true,
        value_name = "text|json"
    )]
    output: OutputFormat,
    /// The folder to create run folders in
    #[arg(long, value_name = "DIR", default_value = "reports/runs", env = "TOLLGATE_RUNS_DIR")]
    runs_dir: PathBuf,
}

pub(super) fn import(args: &Args) -> Result<ExitStatus, CommandError> {
    match &args.tool {
        ImportTool::SyntheticCheck(args) => synthetic_check::import(args),
        ImportTool::Hlog(args) => hlog::import(args),
    }
}
