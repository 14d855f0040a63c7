//! `tollgate schema`

use super::console::Console;
use super::exit::{CommandError, ExitStatus};
use crate::scenario;

const EXAMPLES: &str = "\
Examples:
  tollgate schema > scenario.schema.json
  # first line of a scenario file in the same folder, for editors that support Taplo's directives:
  #:schema scenario.schema.json";

/// Print the JSON Schema of scenario files, for completion and checks in editors
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {}

pub(super) fn schema(Args {}: &Args) -> Result<ExitStatus, CommandError> {
    let schema =
        serde_json::to_string_pretty(&scenario::schema()).map_err(CommandError::internal)?;
    Console::print_plain(&schema)?;
    Ok(ExitStatus::Pass)
}
