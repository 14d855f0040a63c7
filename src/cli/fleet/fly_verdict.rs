//! The verdict of a fleet's run: from the store, merged on this machine.

use std::path::Path;

use crate::cli::console::OutputFormat;
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::store_flags::StoreFlags;

/// Merges the shards of a rendezvous, prints the verdict, and returns its exit code. It waits for
/// the runs that are not in the store yet.
pub(super) fn merge_rendezvous(
    _rendezvous: &str,
    _store: &StoreFlags,
    (_runs_dir, _output): (&Path, OutputFormat),
) -> Result<ExitStatus, CommandError> {
    Err(CommandError::internal("the rendezvous is not there yet"))
}
