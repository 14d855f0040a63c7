//! `tollgate tune show`

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{FolderFlags, reports};
use crate::cli::console::{Console, OutputFormat};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::results::{counted, has_extension};
use crate::cli::source;
use crate::record::session::SessionRecord;
use crate::report::{self, SessionModel};
use crate::store::{self, Database, SessionError, SessionFolder};
use crate::tune::conclude::conclude;

/// Show a session again and rewrite its reports
///
/// Its conclusion is drawn anew from its attempts, so an interrupted session and one in progress
/// can be shown too. A session that is only in the database gets a folder here.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The session: its folder, its name or the beginning of the name, its id, the name in its plan
    /// file, or `latest`
    #[arg(value_name = "SESSION", default_value = "latest")]
    session: PathBuf,
    #[command(flatten)]
    folder: FolderFlags,
    /// What to print on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: SessionFormat,
}

/// How a session is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SessionFormat {
    /// Tables for people
    Text,
    /// The whole record with its conclusion, durations in microseconds
    Json,
    /// The report for a pull request or a log
    Markdown,
}

pub(super) fn show(args: &Args) -> Result<ExitStatus, CommandError> {
    let folder = find(args)?;
    let mut record = store::read_session(&folder)?;
    conclude(&mut record);
    print(&record, args.output)?;
    if store::is_session_open(&folder) {
        tracing::info!("The session is in progress: its reports are rewritten after each attempt.");
        return Ok(ExitStatus::Pass);
    }
    let files = reports::write_session_reports(&folder, &record)?;
    if args.output == SessionFormat::Text {
        Console { output: OutputFormat::Text }.print_result(&list_files(&folder, &files))?;
    }
    Ok(ExitStatus::Pass)
}

/// The folder of the session. A session that is only in the database gets a folder here.
fn find(args: &Args) -> Result<PathBuf, CommandError> {
    let sessions_dir = args.folder.sessions_dir();
    let unknown = match store::find_session(&args.session, sessions_dir) {
        Ok(folder) => return Ok(folder),
        Err(error @ SessionError::Unknown { .. }) => error,
        Err(error) => return Err(error.into()),
    };
    let Some(address) = args.folder.store.address()? else { return Err(unknown.into()) };
    let mut database = Database::open(&address)?;
    let fetched = database.fetch_session(&args.session.to_string_lossy());
    database.close();
    let record = fetched.map_err(source::not_found)?;
    Ok(SessionFolder::create(sessions_dir, &record)?.path().to_owned())
}

fn print(record: &SessionRecord, format: SessionFormat) -> Result<(), CommandError> {
    let model = SessionModel::new(record);
    match format {
        SessionFormat::Text => print_text(&model),
        SessionFormat::Json => {
            let json = serde_json::to_string_pretty(record).map_err(CommandError::internal)?;
            Console::print_json(&json)
        }
        SessionFormat::Markdown => Console::exactly(&report::session_markdown(&model)),
    }
}

/// Prints a session for people.
pub(super) fn print_text(model: &SessionModel) -> Result<(), CommandError> {
    let console = Console { output: OutputFormat::Text };
    let text = report::session_terminal(model, console.width(), console.has_colour());
    console.print_result(&(text + "\n"))
}

/// The files of a session's folder, in a sentence.
pub(super) fn list_files(folder: &Path, files: &[String]) -> String {
    let is_plot = |name: &String| has_extension(name, "svg") || has_extension(name, "png");
    let plots = files.iter().filter(|name| has_extension(name, "svg")).count();
    let mut named: Vec<&str> =
        files.iter().filter(|name| !is_plot(name)).map(String::as_str).collect();
    named.push("session.json");
    let plots = counted(plots);
    named.extend(plots.as_deref());
    format!("\nWrote {}/\n  {}", folder.display(), named.join("  "))
}
