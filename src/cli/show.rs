//! `tollgate show`

use std::path::{Path, PathBuf};

use super::console::{Console, Output};
use super::exit::{Exit, Problem};
use super::reporting::{self, Form};
use super::session;
use crate::store::{self, Stored};

const EXAMPLES: &str = "\
Examples:
  tollgate show 2026-11-23T18-47-06Z-3bb6c035
  tollgate show reports/runs/2026-11-23T18-47-06Z-3bb6c035 --output json";

/// Show a run again from its folder, and write its reports anew
///
/// A folder whose run was cut off is completed from the intervals it holds; its verdict is never a pass.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// A run's folder, or its name below the folder of runs
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The folder that run folders are in
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    runs_dir: PathBuf,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

pub(super) fn show(args: &Args) -> Result<Exit, Problem> {
    let console = Console { output: args.output };
    let folder = folder(&args.run, &args.runs_dir);
    let record = match store::read(&folder).map_err(|error| Problem::usage(format!("error: {error}")))? {
        Stored::Complete(record) => *record,
        Stored::StillWritten => {
            return Err(Problem::usage(format!("error: the run in {} is still going on", folder.display())));
        }
        Stored::HalfWritten(draft) => {
            tracing::warn!("This run was cut off: it is shown as far as its intervals were written.");
            session::completed(&folder, *draft)?
        }
    };
    reporting::report_on(&record, &folder, console, Form::Whole)?;
    Ok(record.verdict.decision.into())
}

/// The folder named as such, by its name alone, or by its `run.json`.
pub(super) fn folder(run: &Path, runs_dir: &Path) -> PathBuf {
    let named = if run.is_file() { run.parent().unwrap_or(run) } else { run };
    let below = runs_dir.join(named);
    if !named.exists() && below.is_dir() { below } else { named.to_owned() }
}
