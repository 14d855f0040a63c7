//! `tollgate fleet restore`: destroys what a killed `tollgate fleet fly` left behind.

use std::path::{Path, PathBuf};

use super::fly_journal::{self, JournalFile};
use super::fly_machines::FleetMachines;
use crate::cli::console::{Console, OutputFormat};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::fly_access::{self, api_error};
use crate::cli::signals::RunSignals;
use crate::fleet::JournalStart;
use crate::fly::{AppName, FlyEnvironment, FlyProblem};

const EXAMPLES: &str = "\
Examples:
  tollgate fleet restore                              every fleet that left machines behind
  tollgate fleet restore fleet-20261129-150000-1a2b   one of them

FLY_API_TOKEN allows the changes. After Ctrl-C, `tollgate fleet fly` destroys its machines itself.

Exit codes:
  0  no machine of these fleets is left
  2  usage: a fleet is unknown or in progress, its journal is damaged, or the API refuses the app
  4  internal: the Machines API failed, so that machines may be left";

/// Destroy the machines that a killed `tollgate fleet fly` left behind
///
/// Reads the journals that `fleet fly` writes before it makes machines. A machine is destroyed only
/// if a journal has its id, or if it carries both the name and the mark of a journal's fleet. One
/// that is gone already is not an error.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The fleet: its name, or the path of its journal [default: every fleet with a journal]
    #[arg(value_name = "FLEET")]
    fleet: Option<String>,
    #[command(flatten)]
    folder: FleetsDir,
}

/// The folder of journals.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(super) struct FleetsDir {
    /// The folder that contains the journals of fleets that have machines
    #[arg(long, value_name = "DIR", default_value = "reports/fleets", env = "TOLLGATE_FLEETS_DIR")]
    pub(super) fleets_dir: PathBuf,
}

pub(super) fn restore(args: &Args) -> Result<ExitStatus, CommandError> {
    let folder = &args.folder.fleets_dir;
    let paths = match &args.fleet {
        Some(fleet) => vec![find(fleet, folder)?],
        None => fly_journal::journals(folder)?,
    };
    let console = Console { output: OutputFormat::Text };
    if paths.is_empty() {
        console.print_result(&format!(
            "Nothing to restore: no fleet in {} left machines behind.",
            folder.display()
        ))?;
        return Ok(ExitStatus::Pass);
    }
    let environment = fly_access::environment()?;
    let signals = RunSignals::listen_saying(
        "Going on: machines are destroyed (signal again to end at once)",
    )?;
    let mut failed = Ok(ExitStatus::Pass);
    for path in paths {
        match restore_one(&path, &environment, &signals) {
            Ok(done) => console.print_result(&done)?,
            // The others are restored all the same.
            Err(problem) if failed.is_err() => tracing::error!("{problem}"),
            Err(problem) => failed = Err(problem),
        }
    }
    failed
}

/// The journal of a fleet, by its name or path.
fn find(fleet: &str, folder: &Path) -> Result<PathBuf, CommandError> {
    let named = folder.join(format!("{fleet}.jsonl"));
    // A journal that holds nothing is removed, which must not happen to any other file.
    let typed =
        Some(PathBuf::from(fleet)).filter(|path| path.extension().is_some_and(|it| it == "jsonl"));
    [Some(named), typed].into_iter().flatten().find(|path| path.is_file()).ok_or_else(|| {
        CommandError::usage(format!(
            "error: there is no journal of a fleet `{fleet}` in {}: it left nothing behind, or \
             --fleets-dir names another folder",
            folder.display()
        ))
    })
}

/// Destroys what is left of one fleet, and says what was done.
fn restore_one(
    path: &Path,
    environment: &FlyEnvironment,
    signals: &RunSignals,
) -> Result<String, CommandError> {
    let Some(journal) = JournalFile::open(path)? else {
        fly_journal::remove_file(path)?;
        return Ok(format!("{}: no machine was made.", path.display()));
    };
    let JournalStart { fleet, app, api, .. } = journal.content().start.clone();
    let app = AppName::parse(&app)
        .map_err(|error| CommandError::usage(format!("error: {}: {error}", path.display())))?;
    if api != environment.machines_url().as_str() {
        return Err(CommandError::usage(format!(
            "error: fleet {fleet} made machines through {api}, and this command would use {}; set \
             FLY_FLAPS_BASE_URL={api} (if that API was simulated and is gone, remove {})",
            environment.machines_url(),
            path.display()
        )));
    }
    let mut machines = FleetMachines::new(environment, &app, journal, signals);
    let destroyed = machines.destroy_all().map_err(|error| match error.problem() {
        FlyProblem::NotFound { .. } => CommandError::usage(format!(
            "error: {error}; if the app is gone, so are its machines: remove {}",
            path.display()
        )),
        _ => api_error(&error),
    })?;
    machines.into_journal().remove()?;
    let ids: Vec<_> = destroyed.iter().map(String::as_str).collect();
    Ok(match ids.as_slice() {
        [] => format!("Fleet {fleet} of app {app}: no machine was left."),
        [id] => format!("Fleet {fleet} of app {app}: destroyed machine {id}."),
        ids => format!(
            "Fleet {fleet} of app {app}: destroyed {} machines: {}.",
            ids.len(),
            ids.join(", ")
        ),
    })
}
