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
    /// A run's folder, or its name below the folder of runs
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The folder that run folders are in
    #[arg(long, value_name = "DIR", default_value = "reports/runs", env = "TOLLGATE_RUNS_DIR")]
    runs_dir: PathBuf,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text", env = "TOLLGATE_OUTPUT")]
    output: Output,
}

pub(super) fn show(args: &Args) -> Result<Exit, Problem> {
    let console = Console { output: args.output, quiet: false };
    let folder = folder(args);
    let record = match store::read(&folder).map_err(|error| Problem::usage(format!("error: {error}")))? {
        Stored::Complete(record) => *record,
        Stored::StillWritten => {
            return Err(Problem::usage(format!("error: the run in {} is still going on", folder.display())));
        }
        Stored::HalfWritten(draft) => {
            Console::warn("This run was cut off: it is shown as far as its intervals were written.");
            let record = judged(*draft);
            store::complete(&folder, &record)?;
            record
        }
    };
    session::report_on(&record, &folder, console)?;
    Ok(record.verdict.decision.into())
}

/// The folder named as such, by its name alone, or by its `run.json`.
fn folder(args: &Args) -> PathBuf {
    let named =
        if args.run.is_file() { args.run.parent().unwrap_or(&args.run).to_owned() } else { args.run.clone() };
    let below = args.runs_dir.join(&named);
    if !named.exists() && below.is_dir() { below } else { named }
}

fn judged(draft: Draft) -> RunRecord {
    let Draft { format, id, provenance, plan, measurement } = draft;
    let verdict = verdict::judge(&plan, &measurement);
    RunRecord { format, id, provenance, plan, measurement, verdict }
}
