//! `tollgate show`

use std::path::{Path, PathBuf};

use super::console::{Console, Output};
use super::exit::{Exit, Problem};
use super::reporting::{self, Form};
use super::source::Found;
use super::{session, source};
use crate::engine::clock;
use crate::store::{self, Database, DatabaseError, Fetched, Mark, Stored};

const EXAMPLES: &str = "\
Examples:
  tollgate show 2026-11-23T18-47-06Z-3bb6c035
  tollgate show 3bb6c035
  tollgate show reports/runs/2026-11-23T18-47-06Z-3bb6c035 --output json
  tollgate show 3bb6c035 --from database";

const EXIT_CODES: &str = "\
Exit codes:
  0  the run passed
  1  it failed
  2  usage: there is no such run, or a flag or the database's URL is wrong
  3  it was inconclusive
  4  internal: the database does not answer, the reports could not be written, or a defect";

/// Show a run again, and write its reports anew
///
/// A folder whose run was cut off is completed from the intervals it holds; its verdict is never a pass. A run that has no
/// folder here, but is in the database, gets one.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Args {
    /// A run: its folder, its name below the folder of runs or the beginning of one, or its id
    #[arg(value_name = "RUN")]
    run: PathBuf,
    #[command(flatten)]
    from: source::Flags,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

pub(super) fn show(args: &Args) -> Result<Exit, Problem> {
    let console = Console { output: args.output };
    match args.from.source()?.find(&args.run)? {
        Found::Folder(folder) => of_folder(&folder, console),
        Found::Database(database, fetched) => {
            of_database(database, &fetched, args.from.runs_dir(), console)
        }
    }
}

fn of_folder(folder: &Path, console: Console) -> Result<Exit, Problem> {
    let record = match store::read(folder).map_err(source::wrong)? {
        Stored::Complete(record) => *record,
        Stored::StillWritten => return Err(source::still_going_on(folder)),
        Stored::HalfWritten(draft) => {
            tracing::warn!(
                "This run was cut off: it is shown as far as its intervals were written."
            );
            session::completed(folder, *draft)?
        }
    };
    reporting::report_on(&record, folder, console, Form::Whole)?;
    Ok(record.verdict.decision.into())
}

/// A run of the database gets its folder back, so that its reports have a place and what reads folders can read it.
fn of_database(
    mut database: Database,
    fetched: &Fetched,
    runs_dir: &Path,
    console: Console,
) -> Result<Exit, Problem> {
    let Fetched { identity, record, pruned } = fetched;
    let folder = store::restore(runs_dir, record, |folder| {
        database.intervals(record, |interval| Ok::<_, DatabaseError>(folder.add(&interval)?))
    })?;
    database.close();
    Mark::stored(&folder, *identity, clock::wall_clock())?;
    if *pruned {
        tracing::warn!(
            "The intervals of this run were pruned: its figures are what they were, and plots over time may be missing."
        );
    }
    reporting::report_on(record, &folder, console, Form::Whole)?;
    Ok(record.verdict.decision.into())
}
