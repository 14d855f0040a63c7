//! `tollgate run`

use std::path::PathBuf;
use std::time::Duration;

use super::console::{Console, colours_errors};
use super::exit::{Exit, Problem};
use super::session::{self, Settings};
use super::variables;
use crate::plan::{Environment, Overrides, Plan};
use crate::scenario::Scenario;
use crate::units::parse_duration;

const EXAMPLES: &str = "\
Examples:
  tollgate check scenarios/tile-loader-mock.toml
  TOLLGATE_TARGET=https://staging.example tollgate run scenarios/tile-loader-mock.toml
  tollgate run scenarios/*.toml --output json > run.json";

/// Carry out scenarios at the same time and decide whether their budgets hold
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// Scenario files; those named together are carried out at the same time
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Another length of the measured phase, such as `10s`; stages keep theirs
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, env = "TOLLGATE_DURATION")]
    duration: Option<Duration>,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(args: &Args) -> Result<Exit, Problem> {
    let environment = Environment::new(variables::of_process());
    let overrides = Overrides { duration: args.duration, ..Overrides::default() };
    let resolved = Scenario::read_all(&args.files)
        .and_then(|scenarios| Plan::resolve(&scenarios, &environment, &overrides));
    let (plan, warnings) = resolved.map_err(|errors| Problem::usage(errors.render(colours_errors())))?;
    for warning in warnings {
        Console::warn(&warning.render(colours_errors()));
    }
    Ok(session::carry_out(&plan, &args.settings)?.exit())
}
