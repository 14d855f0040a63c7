//! `tollgate check`

use std::path::PathBuf;

use super::console::{Console, Output, colours_errors};
use super::exit::{Exit, Problem};
use super::variables;
use crate::plan::{Environment, Overrides, Plan};
use crate::record::PlannedScenario;
use crate::scenario::Scenario;

/// Validate scenario files without sending anything
///
/// Reports all errors of all files at once. A variable that is not set is a warning here and an error on `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn check(args: &Args) -> Result<Exit, Problem> {
    let environment = Environment::for_check(variables::of_process());
    let checked = Scenario::read_all(&args.files)
        .and_then(|scenarios| Plan::resolve(&scenarios, &environment, &Overrides::default()));
    let (plan, warnings) = checked.map_err(|errors| Problem::usage(errors.render(colours_errors())))?;
    for warning in warnings {
        Console::warn(&warning.render(colours_errors()));
    }
    let console = Console { output: Output::Text, quiet: false };
    for scenario in &plan.scenarios {
        console.result(&summary(&scenario.shown))?;
    }
    Ok(Exit::Pass)
}

fn summary(scenario: &PlannedScenario) -> String {
    let PlannedScenario { name, source, load, warmup, .. } = scenario;
    format!("{source}: ok\n  {name}: {load}; warm-up: {warmup}")
}
