//! What a session may do: the app that it changes, and the load of its attempts.

use super::{Flags, SessionInput};
use crate::cli::connection::{self, AddressFlags};
use crate::cli::console::stderr_has_colour;
use crate::cli::exit::CommandError;
use crate::cli::signals::RunSignals;
use crate::cli::tune::app_machines::AppMachines;
use crate::cli::tune::machine_choice::AppRequest;
use crate::cli::{flag_variables, guard, log};
use crate::fly::{AppName, FlyEnvironment, MachineId};
use crate::plan::{Environment, Plan, SecretSet};
use crate::record::session::ColdState;
use crate::scenario::{OverrideValue, ScenarioOverrides, Template};
use crate::tune::plan_file::{ConfigurationChange, SessionPlan};

/// The header by which Fly's proxy sends a request to one machine.
const PIN_HEADER: &str = "fly-force-instance-id";

/// The app that the plan changes. It must be named twice, so that no file alone can stop machines.
pub(super) fn named_app(
    plan: &SessionPlan,
    flags: &Flags,
) -> Result<Option<AppName>, CommandError> {
    let usage = |message: String| CommandError::usage(format!("error: {message}"));
    match (&plan.app, &flags.app) {
        (None, None) if flags.allow_downtime && flag_variables::is_typed("--allow-downtime") => {
            Err(usage(
                "--allow-downtime is for the machines of an app, and the plan file names no app; \
                 leave it out, or name the app in the file and with --app"
                    .to_owned(),
            ))
        }
        (None, None) => Ok(None),
        (Some(planned), Some(typed)) if planned == typed => {
            AppName::parse(typed).map(Some).map_err(|error| usage(error.to_string()))
        }
        (Some(planned), Some(typed)) => Err(usage(format!(
            "the plan file is for app `{planned}`, and --app names `{typed}`; name the same app in \
             both"
        ))),
        (Some(planned), None) => Err(usage(format!(
            "this session changes the machines of app `{planned}`; add `--app {planned}` to allow it"
        ))),
        (None, Some(typed)) => Err(usage(format!(
            "--app names `{typed}`, but the plan file names no app; add `app = \"{typed}\"` to it"
        ))),
    }
}

fn machine_id(flags: &Flags) -> Result<Option<MachineId>, CommandError> {
    let parsed = flags.machine.as_deref().map(MachineId::parse).transpose();
    parsed.map_err(|error| CommandError::usage(format!("error: --machine: {error}")))
}

pub(super) fn find_machines<'a>(
    environment: &FlyEnvironment,
    app: &AppName,
    plan: &SessionPlan,
    flags: &Flags,
    signals: &'a RunSignals,
) -> Result<AppMachines<'a>, CommandError> {
    let machine = machine_id(flags)?;
    let is_changed = |change: &ConfigurationChange| *change != ConfigurationChange::None;
    let cools_down = matches!(plan.cold, ColdState::Stop | ColdState::Suspend | ColdState::Restart);
    let request = AppRequest {
        app,
        machine: machine.as_ref(),
        allows_downtime: flags.allow_downtime,
        stops_machines: cools_down
            || plan.configurations.iter().any(|configuration| is_changed(&configuration.change)),
    };
    AppMachines::find(environment, &request, signals)
}

/// The scenario as every attempt sends it.
pub(super) fn resolve(input: &SessionInput, flags: &Flags) -> Result<Plan, CommandError> {
    let pin = machine_id(flags)?
        .map(|id| Template::parse(id.as_str()))
        .transpose()
        .map_err(|error| CommandError::usage(format!("error: --machine: {error}")))?;
    let pinned = ScenarioOverrides {
        headers: pin.map(|id| OverrideValue {
            origin: "--machine".to_owned(),
            value: vec![(PIN_HEADER.to_owned(), id)],
        }),
        ..ScenarioOverrides::default()
    };
    let scenario = input.scenario.clone().with_overrides(&pinned)?;
    let environment = Environment::new(input.variables.clone());
    let overrides = flags.connection.overrides(&AddressFlags::default(), None);
    let (mut plan, warnings) = Plan::resolve(&[scenario], &environment, &overrides)?;
    if !input.is_demo {
        for warning in warnings {
            tracing::warn!("{}", warning.render(stderr_has_colour()));
        }
        connection::warn_caveats(&plan, flags.run.console().is_among_messages());
    }
    (plan.pacing, plan.consent) = (flags.run.pacing(), flags.run.consent());
    plan.secrets.extend(&SecretSet::new(input.variables.get("FLY_API_TOKEN").cloned()));
    log::add_secrets(&plan.secrets);
    guard::check(&plan)?;
    Ok(plan)
}
