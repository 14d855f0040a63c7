//! What can be typed: one file a command, and what they share.

mod check;
mod console;
mod demo;
mod exit;
mod guard;
mod live;
mod provenance;
mod run;
mod session;
mod show;
mod signals;
mod target;
mod variables;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

pub use exit::{Exit, Problem};

const EXIT_CODES: &str = "\
Exit codes:
  0  pass: every budget holds, with the stated confidence
  1  fail: a budget or an expectation does not hold, or the target never answers
  2  usage: a flag or a scenario file is wrong; nothing was sent
  3  inconclusive: too few requests, an interrupted run, or a prober that was late
  4  internal: the prober could not do its job (results not written, a defect)";

/// Holds a deploy to its latency budget.
///
/// Runs scenarios against a target at a planned rate, counts latency from the moment each request was due, and
/// decides pass, fail or inconclusive with a stated error rate.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try tollgate out: both tile-loader scenarios against a rehearsal target on this machine
    Demo(demo::Args),
    /// Carry out scenarios at the same time and decide whether their budgets hold
    Run(run::Args),
    /// Validate scenario files without sending anything
    Check(check::Args),
    /// Show a run again from its folder, and write its reports anew
    Show(show::Args),
    /// Serve the rehearsal target: a tile loader whose latencies, stalls and faults are known
    Target(target::Args),
}

/// Carries out what was typed.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Result<Exit, Problem> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return exit::of_clap(&error),
    };
    match cli.command {
        Command::Demo(args) => demo::demo(&args),
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Show(args) => show::show(&args),
        Command::Target(args) => target::target(&args),
    }
}
