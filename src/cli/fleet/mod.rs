//! `tollgate fleet`: several machines that share one run, on engines that exist.

mod print;
mod print_job;
mod shared_args;

use super::exit::{CommandError, ExitStatus};

/// Share one run among the machines of Kubernetes, Slurm, GitHub Actions or GitLab CI
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: FleetCommand,
}

#[derive(Debug, clap::Subcommand)]
enum FleetCommand {
    Print(print::Args),
}

pub(super) fn fleet(args: &Args) -> Result<ExitStatus, CommandError> {
    match &args.command {
        FleetCommand::Print(args) => print::print(args),
    }
}
