//! `tollgate tune`: sessions of attempts that find what makes first requests slow, and what helps.

mod app_machines;
mod attempt;
mod demo;
mod drift;
mod find_rate;
mod import;
mod inventory;
mod list;
mod machine_choice;
mod quota;
mod reports;
mod restore;
mod restore_file;
mod session_facts;
mod session_run;
mod show;

use std::path::{Path, PathBuf};

use super::exit::{CommandError, ExitStatus};
use super::store_flags::StoreFlags;

/// The environment of the runs of sessions and searches that name none. They measure other
/// configurations and rates than the target usually has, so no page of a site, `last-pass` or
/// learned limit mixes them with others.
const ENVIRONMENT: &str = "tune";

const EXAMPLES: &str = "\
Examples:
  tollgate tune --demo                                        a session against simulated machines
  tollgate tune tune.toml --app hotdash-staging               a session; the app is named twice
  tollgate tune tune.toml --app hotdash-staging --resume latest --rounds 12
  tollgate tune --find-rate shop.toml --max-rate 200/s        the largest rate within budget
  tollgate tune show latest
  tollgate tune restore                                       after a session that was killed
  tollgate tune drift fly.toml --app hotdash-staging          what runs against what the file says
  tollgate tune import records.csv                            what follows from old records

A session needs FLY_API_TOKEN, and FLY_ORG to read the CPU quota. docs/tuning.md describes the plan file.

Exit codes:
  0  every attempt of the session was made, and every configuration has a result
  2  usage: a flag, the plan file or its scenario is wrong, or the API refuses the app; nothing was changed
  3  the session was interrupted, three attempts in a row had no result, or a configuration has none
  4  internal: the API failed, the app could not be restored, or a result could not be written";

const OUTPUT_HELP: &str =
    "What to print on stdout: `text` (the session's report) or `json` (its record)";

/// Find what makes the first requests after a start slow, and which change helps
///
/// A session tries configurations of an app in rounds. Each attempt brings the app's machines into
/// the same cold state, sends the first requests, follows the warm-up curve at a low rate until the
/// latency is steady, and then measures at the scenario's load. Afterwards the machines get back
/// the configuration and the state that they had.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
#[command(mut_arg("output", |arg| arg.hide_possible_values(true).help(OUTPUT_HELP)))]
pub(super) struct Args {
    /// The session's plan file
    #[arg(value_name = "PLAN", required_unless_present = "demo", conflicts_with = "demo")]
    plan: Option<PathBuf>,
    /// Run a whole session against simulated Fly machines on this computer, in one to two minutes
    #[arg(long, help_heading = "Session")]
    demo: bool,
    #[command(flatten)]
    session: Box<session_run::Flags>,
    #[command(subcommand)]
    command: Option<TuneCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum TuneCommand {
    #[command(long_flag = "find-rate")]
    FindRate(Box<find_rate::Args>),
    Show(show::Args),
    List(list::Args),
    Restore(restore::Args),
    Import(import::Args),
    Drift(drift::Args),
}

pub(super) fn tune(args: &Args) -> Result<ExitStatus, CommandError> {
    match (&args.command, &args.plan) {
        (Some(TuneCommand::FindRate(args)), _) => find_rate::find_rate(args),
        (Some(TuneCommand::Show(args)), _) => show::show(args),
        (Some(TuneCommand::List(args)), _) => list::list(args),
        (Some(TuneCommand::Restore(args)), _) => restore::restore(args),
        (Some(TuneCommand::Import(args)), _) => import::import(args),
        (Some(TuneCommand::Drift(args)), _) => drift::drift(args),
        (None, Some(plan)) => session_run::tune_plan(plan, &args.session),
        (None, None) => demo::demo(&args.session),
    }
}

/// The folder that session folders are in, unless a flag or a variable names another.
pub(super) const DEFAULT_SESSIONS_DIR: &str = "reports/sessions";

/// The folder of sessions.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
struct SessionsDir {
    /// The folder that contains the session folders
    #[arg(
        long,
        value_name = "DIR",
        default_value = DEFAULT_SESSIONS_DIR,
        env = "TOLLGATE_SESSIONS_DIR"
    )]
    sessions_dir: PathBuf,
}

/// Where sessions are kept.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
struct FolderFlags {
    #[command(flatten)]
    folder: SessionsDir,
    #[command(flatten)]
    store: StoreFlags,
}

impl FolderFlags {
    fn sessions_dir(&self) -> &Path {
        &self.folder.sessions_dir
    }

    /// The database that runs and sessions are stored in.
    fn store(&self) -> &StoreFlags {
        &self.store
    }
}
