//! `tollgate tune`: sessions of attempts that find what makes first requests slow, and what helps.

mod find_rate;
mod list;
mod reports;
mod show;

use std::path::{Path, PathBuf};

use super::exit::{CommandError, ExitStatus};
use super::store_flags::StoreFlags;

const EXAMPLES: &str = "\
Examples:
  tollgate tune --find-rate scenarios/shop.toml --max-rate 200/s
  tollgate tune list
  tollgate tune show latest
  tollgate tune show 2026-11-29T04-00-00Z-21ee1ce8 --output markdown";

/// Find what makes the first requests after a start slow, and which change helps
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", find_rate::NOTES))]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<TuneCommand>,
    #[command(flatten)]
    find_rate: find_rate::Args,
}

#[derive(Debug, clap::Subcommand)]
enum TuneCommand {
    Show(show::Args),
    List(list::Args),
}

pub(super) fn tune(args: &Args) -> Result<ExitStatus, CommandError> {
    match &args.command {
        Some(TuneCommand::Show(args)) => show::show(args),
        Some(TuneCommand::List(args)) => list::list(args),
        None => find_rate::find_rate(&args.find_rate),
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
