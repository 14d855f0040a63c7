//! `tollgate show`

use std::path::PathBuf;

use super::console::{Console, Output};
use super::exit::{Exit, Problem};
use super::reporting::{self, Form};
use super::{session, source};
use crate::store::{self, Stored};

const EXAMPLES: &str = "\
Examples:
  tollgate show 2026-11-23T18-47-06Z-3bb6c035
  tollgate show 3bb6c035
  tollgate show reports/runs/2026-11-23T18-47-06Z-3bb6c035 --output json";

/// Show a run again from its folder, and write its reports anew
///
/// A folder whose run was cut off is completed from the intervals it holds; its verdict is never a pass.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// A run: its folder, its name below the folder of runs or the beginning of one, or its id
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
    let folder = source::folder(&args.run, &args.runs_dir)?;
    let record = match store::read(&folder).map_err(|error| Problem::usage(format!("error: {error}")))? {
        Stored::Complete(record) => *record,
        Stored::StillWritten => {
            return Err(source::still_going_on(&folder));
        }
        Stored::HalfWritten(draft) => {
            tracing::warn!("This run was cut off: it is shown as far as its intervals were written.");
            let measurement = draft.measurement.clone();
            let record = session::judged(*draft, measurement);
            store::complete(&folder, &record)?;
            record
        }
    };
    reporting::report_on(&record, &folder, console, Form::Whole)?;
    Ok(record.verdict.decision.into())
}
