//! `tollgate show`

use std::path::{Path, PathBuf};

use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::outputs::{self, FinishedRun, ReportSelection};
use super::results::{self, ResultForm};
use super::source::LocatedRun;
use super::{run_selector, session, source};
use crate::engine::clock;
use crate::record::RunRecord;
use crate::store::{self, Database, DatabaseError, FetchedRun, FolderContent, StoreMark};

const EXAMPLES: &str = "\
Examples:
  tollgate show                                         the latest run
  tollgate show 2026-11-23T18-47-06Z-3bb6c035
  tollgate show 3bb6c035
  tollgate show reports/runs/2026-11-23T18-47-06Z-3bb6c035 --output json
  tollgate show 3bb6c035 --from database";

const EXIT_CODES: &str = "\
Exit codes:
  0  the run passed
  1  the run failed
  2  usage: there is no such run, or a flag or the database's URL is wrong
  3  the run was inconclusive
  4  internal: the database does not respond, the reports could not be written, or a defect
As for the run itself, policies in [gate], --fail-if-slower and a duet's comparison count.";

/// Show a run again and rewrite its reports
///
/// If a run was interrupted, its folder is completed from the intervals that were written; its
/// verdict is never a pass. A run that is only in the database gets a folder here.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Args {
    /// The run: its folder, its name in the runs folder or the beginning of the name, its id,
    /// `latest`, or `previous` (the comparable run before the latest)
    #[arg(value_name = "RUN", default_value = run_selector::LATEST)]
    run: PathBuf,
    #[command(flatten)]
    from: source::Flags,
    /// What to print on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: OutputFormat,
    /// The reports to write again; `none` leaves those that the folder has as they are
    #[arg(long, value_enum, default_value = "all")]
    report: ReportSelection,
    /// Write the reports and print the names of their files: for a run that ends
    #[arg(long, hide = true)]
    draw_only: bool,
}

pub(super) fn show(args: &Args) -> Result<ExitStatus, CommandError> {
    if args.draw_only {
        return draw(args);
    }
    let source = args.from.source()?;
    match source.find(&run_selector::resolve_name(&source, &args.run)?)? {
        LocatedRun::Folder(folder) => from_folder(&folder, args),
        LocatedRun::Database(database, fetched) => from_database(database, fetched, args),
    }
}

/// Draws the reports of the complete run in a folder.
fn draw(args: &Args) -> Result<ExitStatus, CommandError> {
    let FolderContent::Complete(record) = store::read_folder(&args.run)? else {
        return Err(source::still_running(&args.run));
    };
    let files = outputs::draw_reports(&FinishedRun::new(*record, &args.run, args.report))?;
    Console::print_plain(&files.join("\n"))?;
    Ok(ExitStatus::Pass)
}

fn from_folder(folder: &Path, args: &Args) -> Result<ExitStatus, CommandError> {
    match store::read_folder(folder).map_err(source::usage_error)? {
        FolderContent::Complete(record) if args.report == ReportSelection::None => {
            // Nothing is written, so no file may be listed as written.
            let run = FinishedRun::new(*record, folder, args.report);
            results::print_verdict(&run, Console { output: args.output }, ResultForm::Full)?;
            Ok(run.exit())
        }
        FolderContent::Complete(record) => show_run(*record, folder, args),
        FolderContent::StillWritten => Err(source::still_running(folder)),
        FolderContent::HalfWritten(draft) => {
            tracing::warn!(
                "This run was interrupted: it is shown up to the last interval that was written."
            );
            show_run(session::recover(folder, *draft)?, folder, args)
        }
    }
}

/// Restores the folder of a run from the database, so that its reports and every command that reads
/// folders have one.
fn from_database(
    mut database: Database,
    fetched: FetchedRun,
    args: &Args,
) -> Result<ExitStatus, CommandError> {
    let FetchedRun { identity, record, pruned } = fetched;
    let folder = store::restore_folder(args.from.runs_dir(), &record, |folder| {
        database.intervals(&record, |interval| Ok::<_, DatabaseError>(folder.add(&interval)?))
    })?;
    database.close();
    StoreMark::mark_stored(&folder, identity, clock::wall_clock())?;
    if pruned {
        tracing::warn!(
            "The intervals of this run were pruned: its figures are unchanged, but plots over time may be missing."
        );
    }
    show_run(*record, &folder, args)
}

fn show_run(record: RunRecord, folder: &Path, args: &Args) -> Result<ExitStatus, CommandError> {
    let run = FinishedRun::new(record, folder, args.report);
    let console = Console { output: args.output };
    results::report_run(&run, console, ResultForm::Full, || ()).1.map(|()| run.exit())
}
