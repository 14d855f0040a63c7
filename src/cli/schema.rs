//! `tollgate schema`

use super::console::Console;
use super::exit::{Exit, Problem};
use crate::scenario;

const EXAMPLES: &str = "\
Examples:
  tollgate schema > scenario.schema.json
  # and as the first line of a scenario file beside it, for editors that read Taplo's directives:
  #:schema scenario.schema.json";

/// Print the JSON Schema of scenario files, by which editors complete and check them
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {}

pub(super) fn schema(Args {}: &Args) -> Result<Exit, Problem> {
    let schema = serde_json::to_string_pretty(&scenario::schema()).map_err(Problem::internal)?;
    Console::plain(&schema)?;
    Ok(Exit::Pass)
}
