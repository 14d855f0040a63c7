//! `tollgate tune`: sessions of attempts that find what makes first requests slow, and what helps.

mod drift;
mod import;
mod list;
mod reports;
mod show;

use std::path::{Path, PathBuf};

use super::exit::{CommandError, ExitStatus};
use super::store_flags::StoreFlags;

const EXAMPLES: &str = "\
Examples:
  tollgate tune list
  tollgate tune show latest
  tollgate tune show 2026-11-29T04-00-00Z-21ee1ce8 --output markdown";

/// Find what makes the first requests after a start slow, and which change helps
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: TuneCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TuneCommand {
    Show(show::Args),
    List(list::Args),
    Import(import::Args),
    Drift(drift::Args),
}

pub(super) fn tune(args: &Args) -> Result<ExitStatus, CommandError> {
    match &args.command {
        TuneCommand::Show(args) => show::show(args),
        TuneCommand::List(args) => list::list(args),
        TuneCommand::Import(args) => import::import(args),
        TuneCommand::Drift(args) => drift::drift(args),
    }
}

/// The folder that session folders are in, unless a flag or a variable names another.
const DEFAULT_SESSIONS_DIR: &str = "reports/sessions";

/// Where sessions are kept.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
struct FolderFlags {
    /// The folder that contains the session folders
    #[arg(
        long,
        value_name = "DIR",
        default_value = DEFAULT_SESSIONS_DIR,
        env = "TOLLGATE_SESSIONS_DIR"
    )]
    sessions_dir: PathBuf,
    #[command(flatten)]
    store: StoreFlags,
}

impl FolderFlags {
    fn sessions_dir(&self) -> &Path {
        &self.sessions_dir
    }
}
