//! `tollgate check`

use std::path::PathBuf;
use std::time::Duration;

use super::connection::{self, AddressFlags, ConnectionFlags};
use super::console::{Console, OutputFormat, stderr_has_colour};
use super::exit::{CommandError, ExitStatus};
use super::{quick, variables};
use crate::plan::{Environment, Plan};
use crate::record::PlannedScenario;
use crate::scenario::Scenario;
use crate::units::parse_duration;

const EXAMPLES: &str = "\
Examples:
  tollgate check scenarios/*.toml
  tollgate check scenarios/shop.toml --duration 5m      whether it can run for 5 minutes

Exit codes:
  0  every scenario is valid; there may be warnings
  2  usage: a flag or a scenario file is wrong
  4  internal: the result could not be printed, or a defect";

/// Validate scenario files without sending anything
///
/// Reports the errors of all files at once. A variable that is not set is a warning here and an
/// error in `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Check with another length of the measured stage, as `run --duration` sets it
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "Load")]
    duration: Option<Duration>,
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    addresses: AddressFlags,
}

pub(super) fn check(args: &Args) -> Result<ExitStatus, CommandError> {
    if args.files.iter().any(|file| quick::is_url(file.as_os_str())) {
        return Err(CommandError::usage(
            "error: `check` reads scenario files; `tollgate run URL --print-scenario` shows the scenario of a URL",
        ));
    }
    let environment = Environment::for_check(variables::utf8_variables());
    let overrides = args.connection.overrides(&args.addresses, args.duration);
    let checked = Scenario::read_all(&args.files)
        .and_then(|scenarios| Plan::resolve(&scenarios, &environment, &overrides));
    let (plan, warnings) =
        checked.map_err(|errors| CommandError::usage(errors.render(stderr_has_colour())))?;
    for warning in warnings {
        tracing::warn!("{}", warning.render(stderr_has_colour()));
    }
    connection::warn_caveats(&plan);
    let console = Console { output: OutputFormat::Text };
    for scenario in &plan.scenarios {
        console.print_result(&summary(&scenario.shown))?;
    }
    Ok(ExitStatus::Pass)
}

fn summary(scenario: &PlannedScenario) -> String {
    let PlannedScenario { name, source, load, warmup, setup, teardown, .. } = scenario;
    let mut lines = vec![format!("{source}: ok"), format!("{name}: {load}; warm-up: {warmup}")];
    for (stage, steps) in [("setup", setup), ("teardown", teardown)] {
        let own = steps.iter().filter(|step| step.hop_of.is_none());
        let names: Vec<_> = own.map(|step| format!("`{}`", step.name)).collect();
        lines.extend((!names.is_empty()).then(|| format!("{stage}, once: {}", names.join(", "))));
    }
    lines.join("\n  ")
}
