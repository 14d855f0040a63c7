//! The command line: one file per command, and the modules they share.

mod alert;
mod baseline;
mod check;
mod compare;
mod completions;
mod connection;
mod console;
mod continuation;
mod db;
mod demo;
mod doctor;
mod duet;
mod earlier_run;
mod earlier_shard;
mod evidence;
mod exit;
mod extension;
mod flag_variables;
mod fleet;
mod fly_access;
mod gate;
mod guard;
mod help;
mod history;
mod import;
mod init;
mod learned_limits;
mod live;
mod log;
mod man;
mod merge;
mod next_steps;
mod outputs;
mod provenance;
mod quick;
mod quota;
mod rendezvous;
mod repeat;
mod results;
mod run;
mod run_selector;
mod run_time;
mod schema;
mod secret_names;
mod session;
mod session_upload;
mod shard;
mod show;
mod signals;
mod site;
mod source;
mod store_flags;
mod stray_variables;
mod sync;
mod synthetic_check;
mod tags;
mod target;
#[cfg(test)]
mod tests;
mod tune;
mod usage;
mod variables;
mod warm;
mod warming;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::engine::clock;

pub use exit::{CommandError, ExitStatus};

const EXIT_CODES: &str = "\
Exit codes:
  0  pass: every budget holds, with the stated confidence
  1  fail: a budget does not hold, a request without a budget broke an expectation, or the target
     never responds
  2  usage: a flag or a scenario file is wrong; nothing was sent
  3  inconclusive: blocks of time that prove neither side, an interrupted run, a step that is
     absent or not configured, a late prober, a failed proxy, a limit of tollgate, or a missing shard
  4  internal: the prober failed (results not written, or a defect)
With policies in [gate], 0, 1 and 3 say what the gate decides.";

/// Holds a deploy to its latency budget.
///
/// Runs scenarios against a target at a planned rate, measures latency from the moment each request
/// was due, and decides pass, fail or inconclusive with a stated error rate.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, max_term_width = 100)]
#[command(after_help = format!("{}\n\n{EXIT_CODES}", help::EXAMPLES))]
struct Cli {
    #[command(subcommand)]
    command: TollgateCommand,
    #[command(flatten)]
    log: log::Flags,
}

#[derive(Debug, Subcommand)]
enum TollgateCommand {
    Demo(demo::Args),
    Run(Box<run::Args>),
    Duet(Box<duet::Args>),
    Warm(Box<warm::Args>),
    Merge(merge::Args),
    Check(check::Args),
    Doctor(Box<doctor::Args>),
    SyntheticCheck(synthetic_check::Args),
    Tune(Box<tune::Args>),
    Fleet(Box<fleet::Args>),
    Show(show::Args),
    Sync(sync::Args),
    Db(db::Args),
    History(history::Args),
    Compare(compare::Args),
    Report(Box<site::Args>),
    Import(import::Args),
    Init(init::Args),
    Schema(schema::Args),
    Target(target::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl TollgateCommand {
    /// Warns of mistyped variables where no judgement depends on them. The commands that judge a
    /// target refuse them.
    fn warn_of_strays(&self) {
        let sends_nothing = matches!(
            self,
            Self::Show(_)
                | Self::History(_)
                | Self::Compare(_)
                | Self::Report(_)
                | Self::Merge(_)
                | Self::Sync(_)
        );
        if sends_nothing {
            stray_variables::warn();
        }
    }

    /// Whether it may make a run, whose id holds the time, or verify certificates.
    fn needs_clock(&self) -> bool {
        !matches!(
            self,
            Self::Check(_) | Self::Init(_) | Self::Schema(_) | Self::Completions(_) | Self::Man(_)
        )
    }
}

/// The whole command line.
fn command() -> clap::Command {
    help::group_commands(flag_variables::name_flags(Cli::command()))
}

/// Runs the command that was typed.
///
/// `end` ends the program at once. It is called only after a second signal, if this function is
/// stuck.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    end: fn(ExitStatus),
) -> Result<ExitStatus, CommandError> {
    signals::set_end(end);
    let arguments: Vec<_> = arguments.into_iter().collect();
    let parsed =
        command().try_get_matches_from(&arguments).and_then(|typed| Cli::from_arg_matches(&typed));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            log::start(log::Flags::guess(&arguments));
            let variable = flag_variables::rejected_variable(&command(), &arguments, &error);
            let ended = usage::from_clap(error, variable.as_deref(), &arguments);
            return if is_synthetic_check(&arguments) {
                ended.map_err(CommandError::into_failure)
            } else {
                ended
            };
        }
    };
    log::start(cli.log);
    cli.command.warn_of_strays();
    if cli.command.needs_clock() {
        let checked = run_time::check_clock(clock::wall_clock());
        let is_check = matches!(cli.command, TollgateCommand::SyntheticCheck(_));
        checked.map_err(|error| if is_check { error.into_failure() } else { error })?;
    }
    match cli.command {
        TollgateCommand::Demo(args) => demo::demo(&args),
        TollgateCommand::Run(args) => run::run(&args),
        TollgateCommand::Duet(args) => duet::duet(&args),
        TollgateCommand::Warm(args) => warm::warm(&args),
        TollgateCommand::Merge(args) => merge::merge(&args),
        TollgateCommand::Check(args) => check::check(&args),
        TollgateCommand::Doctor(args) => doctor::doctor(&args),
        TollgateCommand::SyntheticCheck(args) => synthetic_check::synthetic_check(&args),
        TollgateCommand::Show(args) => show::show(&args),
        TollgateCommand::Sync(args) => sync::sync(&args),
        TollgateCommand::Db(args) => db::db(&args),
        TollgateCommand::History(args) => history::history(&args),
        TollgateCommand::Compare(args) => compare::compare(&args),
        TollgateCommand::Report(args) => site::report(&args),
        TollgateCommand::Import(args) => import::import(&args),
        TollgateCommand::Init(args) => init::init(&args),
        TollgateCommand::Schema(args) => schema::schema(&args),
        TollgateCommand::Target(args) => target::target(&args),
        TollgateCommand::Tune(args) => tune::tune(&args),
        TollgateCommand::Fleet(args) => fleet::fleet(&args),
        TollgateCommand::Completions(args) => completions::completions(&args),
        TollgateCommand::Man(args) => man::man(&args),
    }
}

/// Prints the error that ends the program, on stderr and in the chosen format.
pub fn print_problem(problem: &CommandError) {
    log::fatal(problem);
}

/// Whether a command line that cannot be parsed is for the one command with its own exit codes.
fn is_synthetic_check(arguments: &[OsString]) -> bool {
    let lenient = command().ignore_errors(true).try_get_matches_from(arguments);
    lenient.is_ok_and(|typed| typed.subcommand_name() == Some("synthetic-check"))
}
