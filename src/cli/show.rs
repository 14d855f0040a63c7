//! `tollgate show`

use std::path::PathBuf;

use super::console::{Console, Output};
use super::exit::{Exit, Problem};
use super::session;
use crate::record::RunRecord;
use crate::store::{self, Draft, Stored};
use crate::verdict;

/// Show a run again from its folder, and write its reports anew
///
/// A folder whose run was cut off is completed from the intervals it holds; its verdict is never a pass.
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(super) struct Args {
    /// A run's folder below reports/runs
    #[arg(value_name = "RUN")]
    folder: PathBuf,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text", env = "TOLLGATE_OUTPUT")]
    output: Output,
}

pub(super) fn show(args: &Args) -> Result<Exit, Problem> {
    let console = Console { output: args.output, quiet: false };
    let record = match store::read(&args.folder).map_err(|error| Problem::usage(format!("error: {error}")))? {
        Stored::Complete(record) => *record,
        Stored::HalfWritten(draft) => {
            Console::warn("This run was cut off: it is shown as far as its intervals were written.");
            let record = judged(*draft);
            store::complete(&args.folder, &record)?;
            record
        }
    };
    session::report_on(&record, &args.folder, console)?;
    Ok(record.verdict.decision.into())
}

fn judged(draft: Draft) -> RunRecord {
    let Draft { format, id, provenance, plan, measurement } = draft;
    let verdict = verdict::judge(&plan, &measurement);
    RunRecord { format, id, provenance, plan, measurement, verdict }
}
