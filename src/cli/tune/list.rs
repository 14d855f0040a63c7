//! `tollgate tune list`

use std::path::Path;

use clap::ValueEnum;
use serde_json::json;

use super::FolderFlags;
use crate::cli::console::{Console, OutputFormat};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::flag_variables;
use crate::cli::log::PEOPLE_ONLY;
use crate::record::run_name;
use crate::record::session::SessionRecord;
use crate::report;
use crate::store::{self, Database, SessionSummary};

/// List sessions, newest first
///
/// Lists the folders. With --database, the sessions that are in the database.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: FolderFlags,
    /// List the sessions in the database that --store or `DATABASE_URL` names
    #[arg(long)]
    database: bool,
    /// What to print on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: ListFormat,
}

/// How the list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// A table for people
    Text,
    /// One object for each session, without its attempts
    Json,
}

pub(super) fn list(args: &Args) -> Result<ExitStatus, CommandError> {
    refuse_unused(args.database)?;
    if args.database { list_database(args) } else { list_folders(args) }
}

/// Refuses the flag of the place that is not listed.
fn refuse_unused(lists_database: bool) -> Result<(), CommandError> {
    let (flag, remedy) = if lists_database {
        (
            "--sessions-dir",
            "names a folder, and --database lists the database; leave one of them out",
        )
    } else {
        ("--store", "names a database, and the folders are listed; add --database")
    };
    if flag_variables::is_typed(flag) {
        return Err(CommandError::usage(format!("error: {flag} {remedy}")));
    }
    Ok(())
}

fn list_folders(args: &Args) -> Result<ExitStatus, CommandError> {
    let sessions_dir = args.folder.sessions_dir();
    let mut readable = Vec::new();
    for (folder, record) in store::list_sessions(sessions_dir)? {
        match record {
            Ok(record) => readable.push((folder, record)),
            Err(error) => tracing::warn!("WARNING: left out: {error}"),
        }
    }
    let sessions: Vec<(&Path, &SessionRecord, bool)> = readable
        .iter()
        .map(|(folder, record)| (folder.as_path(), record, store::is_session_open(folder)))
        .collect();
    match args.output {
        ListFormat::Json => Console::print_json(&json(&sessions)?)?,
        ListFormat::Text if sessions.is_empty() => print(&format!(
            "There is no session in {}. `tollgate tune` with a plan file makes one.",
            sessions_dir.display()
        ))?,
        ListFormat::Text => {
            tracing::info!(target: PEOPLE_ONLY, "Sessions in {}", sessions_dir.display());
            let console = Console { output: OutputFormat::Text };
            print(&report::session_list(&sessions, console.width(), console.has_colour()))?;
        }
    }
    Ok(ExitStatus::Pass)
}

fn list_database(args: &Args) -> Result<ExitStatus, CommandError> {
    let address = args.folder.store.required_address()?;
    let mut database = Database::open(&address)?;
    let sessions = database.sessions()?;
    database.close();
    match args.output {
        ListFormat::Json => {
            let rows: Vec<_> = sessions.iter().map(stored_json).collect();
            let json = serde_json::to_string_pretty(&rows).map_err(CommandError::internal)?;
            Console::print_json(&json)?;
        }
        ListFormat::Text if sessions.is_empty() => print(&format!(
            "There is no session in the database {}. `tollgate sync` uploads sessions.",
            address.display_name()
        ))?,
        ListFormat::Text => {
            let line = |session: &SessionSummary| {
                let name = run_name(session.started, session.id);
                let attempts = session.attempts;
                let line =
                    format!("{name}  {}  {attempts} attempts  {}", session.name, session.ending);
                line.replace(char::is_control, "\u{fffd}")
            };
            print(&sessions.iter().map(line).collect::<Vec<_>>().join("\n"))?;
        }
    }
    Ok(ExitStatus::Pass)
}

fn stored_json(session: &SessionSummary) -> serde_json::Value {
    json!({
        "session": run_name(session.started, session.id),
        "id": session.id,
        "name": session.name,
        "app": session.app,
        "attempts": session.attempts,
        "ending": session.ending,
        "headline": session.headline,
    })
}

fn print(text: &str) -> Result<(), CommandError> {
    Console { output: OutputFormat::Text }.print_result(text)
}

fn json(sessions: &[(&Path, &SessionRecord, bool)]) -> Result<String, CommandError> {
    let rows: Vec<_> = sessions
        .iter()
        .map(|(folder, record, is_open)| {
            json!({
                "session": record.folder_name(),
                "folder": folder.display().to_string(),
                "id": record.id,
                "name": record.name,
                "started": record.provenance.started.format(
                    &time::format_description::well_known::Rfc3339).unwrap_or_default(),
                "app": record.plan.app,
                "configurations": record.plan.configurations.len(),
                "rounds": record.plan.rounds,
                "attempts": record.attempts.len(),
                "ending": record.ending,
                "imported_from": record.provenance.imported_from,
                "in_progress": is_open,
                "headline": record.conclusion.as_ref().map(|it| &it.headline),
            })
        })
        .collect();
    serde_json::to_string_pretty(&rows).map_err(CommandError::internal)
}
