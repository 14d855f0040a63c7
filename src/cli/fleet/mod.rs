//! `tollgate fleet`: several machines that share one run, on engines that exist.

mod fly;
mod fly_journal;
mod fly_machines;
mod fly_restore;
mod fly_verdict;
mod job_command;
mod passed_flags;
mod print;
mod print_job;
mod shared_args;
mod typed_values;

use super::exit::{CommandError, ExitStatus};

/// Share one run among the machines of Fly, Kubernetes, Slurm, GitHub Actions or GitLab CI
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: FleetCommand,
}

#[derive(Debug, clap::Subcommand)]
enum FleetCommand {
    Fly(Box<fly::Args>),
    Restore(fly_restore::Args),
    Print(print::Args),
}

pub(super) fn fleet(args: &Args) -> Result<ExitStatus, CommandError> {
    match &args.command {
        FleetCommand::Fly(args) => fly::fly(args),
        FleetCommand::Restore(args) => fly_restore::restore(args),
        FleetCommand::Print(args) => print::print(args),
    }
}
