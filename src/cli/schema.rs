//! `tollgate schema`

use clap::ValueEnum;

use super::console::Console;
use super::exit::{CommandError, ExitStatus};
use crate::record;
use crate::scenario;

const EXAMPLES: &str = "\
Examples:
  tollgate schema > scenario.schema.json
  # first line of a scenario file in the same folder, for editors that support Taplo's directives:
  #:schema scenario.schema.json
  tollgate schema run > run.schema.json               for programs that read run.json";

/// Print the JSON Schema of scenario files, for completion and checks in editors, or of `run.json`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// What the schema describes
    #[arg(value_enum, value_name = "WHAT", default_value = "scenario")]
    of: SchemaSubject,
}

/// A kind of file that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaSubject {
    /// A scenario file
    Scenario,
    /// The record of a run, `run.json`
    Run,
}

pub(super) fn schema(args: &Args) -> Result<ExitStatus, CommandError> {
    let schema = match args.of {
        SchemaSubject::Scenario => scenario::schema(),
        SchemaSubject::Run => record::run_schema(),
    };
    Console::print_plain(&serde_json::to_string_pretty(&schema).map_err(CommandError::internal)?)?;
    Ok(ExitStatus::Pass)
}
