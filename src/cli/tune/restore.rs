//! `tollgate tune restore`: brings apps back after a session that was killed.

use std::path::{Path, PathBuf};

use super::restore_file::{self, RestoreStore};
use super::{SessionsDir, app_machines};
use crate::cli::console::{Console, OutputFormat};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::fly_access;
use crate::cli::signals::RunSignals;
use crate::fly::{AppName, FlyEnvironment};
use crate::store;

const EXAMPLES: &str = "\
Examples:
  tollgate tune restore           every session that left an app changed
  tollgate tune restore latest    the newest session alone

FLY_API_TOKEN allows the changes. A session that was interrupted by Ctrl-C restores its app itself.

Exit codes:
  0  everything is as it was, or nothing had to be restored
  2  usage: a session is unknown or in progress, its file is damaged, or a variable is wrong
  4  internal: the Machines API failed, so that a machine is still changed";

/// Restore the machines of a session that was killed
///
/// Reads the restore file that a session writes before its first change, and gives every machine
/// the configuration and the state that it had. Without a name, every session is restored that
/// needs it. A lease that somebody else holds, or that the killed session had just taken, is waited
/// for: up to 5 minutes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The session: its folder, its name, or `latest` [default: every session that needs it]
    #[arg(value_name = "SESSION")]
    session: Option<PathBuf>,
    #[command(flatten)]
    folder: SessionsDir,
}

pub(super) fn restore(args: &Args) -> Result<ExitStatus, CommandError> {
    let sessions_dir = &args.folder.sessions_dir;
    let folders = match &args.session {
        Some(session) => vec![store::find_session(session, sessions_dir)?],
        None => unrestored(sessions_dir)?,
    };
    let console = Console { output: OutputFormat::Text };
    let pending: Vec<_> = folders.into_iter().filter(|folder| needs_restoring(folder)).collect();
    if pending.is_empty() {
        console.print_result(&format!(
            "Nothing to restore: no session below {} left an app changed.",
            sessions_dir.display()
        ))?;
        return Ok(ExitStatus::Pass);
    }
    let environment = fly_access::environment()?;
    let signals = RunSignals::listen()?;
    let mut failed = Ok(ExitStatus::Pass);
    for folder in pending {
        let restored = if store::is_session_open(&folder) {
            Err(CommandError::usage(format!(
                "error: the session in {} is in progress; it restores the app itself when it ends",
                folder.display()
            )))
        } else {
            restore_earlier(&environment, &folder, &signals)
        };
        match restored {
            Ok(()) => {
                let done = format!("Restored what {} had changed.", folder.display());
                console.print_result(&done)?;
            }
            // The others are restored all the same.
            Err(problem) if failed.is_err() => tracing::error!("{problem}"),
            Err(problem) => failed = Err(problem),
        }
    }
    failed
}

/// Restores what an earlier process of a session left behind, if anything.
pub(super) fn restore_earlier(
    environment: &FlyEnvironment,
    folder: &Path,
    signals: &RunSignals,
) -> Result<(), CommandError> {
    let Some(mut store) = RestoreStore::open(folder)? else { return Ok(()) };
    let file = store.content();
    let ids: Vec<_> = file.machines.keys().map(String::as_str).collect();
    tracing::info!("Restoring {} of app {}", ids.join(", "), file.app);
    app_machines::restore_from(environment, &mut store, signals)?;
    store.remove()
}

/// Refuses a session of an app that an earlier one left changed: it would take the changed machines
/// for the original ones.
pub(super) fn refuse_unrestored(
    sessions_dir: &Path,
    app: &AppName,
    environment: &FlyEnvironment,
) -> Result<(), CommandError> {
    let api = environment.machines_url().to_string();
    for folder in unrestored(sessions_dir)? {
        let file = restore_file::read(&folder)?;
        if file.is_some_and(|file| file.app == app.as_str() && file.api == api) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(CommandError::usage(format!(
                "error: session {name} has changed app {} and has not restored it yet; run \
                 `tollgate tune restore {name}` first, unless it is in progress",
                app.as_str()
            )));
        }
    }
    Ok(())
}

/// The folders of all sessions with a restore file.
fn unrestored(sessions_dir: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let entries = match std::fs::read_dir(sessions_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(CommandError::usage(format!(
                "error: {} cannot be read: {}",
                sessions_dir.display(),
                crate::library_text::describe_io(&error)
            )));
        }
    };
    let folders = entries.flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = folders.filter(|folder| needs_restoring(folder)).collect();
    folders.sort();
    Ok(folders)
}

fn needs_restoring(folder: &Path) -> bool {
    folder.join(restore_file::RESTORE_FILE).exists()
}
