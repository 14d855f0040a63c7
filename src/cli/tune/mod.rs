//! `tollgate tune`

mod find_rate;

use super::exit::{CommandError, ExitStatus};

/// Find out how a target should be set up, by measuring it
#[derive(Debug, clap::Args)]
#[command(after_long_help = find_rate::EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    find_rate: find_rate::Args,
}

pub(super) fn tune(args: &Args) -> Result<ExitStatus, CommandError> {
    find_rate::find_rate(&args.find_rate)
}
