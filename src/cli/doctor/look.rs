//! What is looked at: the machine, and with sources what their plan leans on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::console::stderr_has_colour;
use super::super::exit::CommandError;
use super::super::quick::{self, ComposeContext, UrlScenarios};
use super::super::{log, variables};
use super::Args;
use crate::doctor;
use crate::plan::{Environment, Plan, SecretSet};
use crate::record::checkup::CheckFinding;
use crate::scenario::{ScenarioErrors, ScenarioWarning};

/// How long a look-up or a connection may take, where the plan's timeouts are not shorter.
const LIMIT: Duration = Duration::from_secs(5);

/// A plan that is only looked at.
#[derive(Default)]
struct Planned {
    plan: Plan,
    warnings: Vec<ScenarioWarning>,
    /// What would keep it from being carried out: variables without a value.
    missing: Option<ScenarioErrors>,
}

/// Looks at all that was asked for; secrets are blotted out of what is found.
pub(super) fn look(args: &Args) -> Result<Vec<CheckFinding>, CommandError> {
    let Planned { plan, warnings, missing } = planned(args)?;
    log::add_secrets(&plan.secrets);
    let database = args.store.address()?;
    let mut findings = doctor::machine(&plan, &args.runs_dir)?;
    findings.extend(doctor::scenarios(missing.as_ref(), &warnings));
    findings.extend(doctor::targets(&plan, LIMIT));
    findings.extend(doctor::databases(&plan)?);
    findings.extend(database.as_ref().map_or_else(|| vec![doctor::without_store()], doctor::store));
    let shown = |text: &str| log::redact(text).replace(char::is_control, " ");
    Ok(findings.into_iter().map(|finding| finding.map_text(shown)).collect())
}

/// The plan of the sources; an empty one where there are none.
fn planned(args: &Args) -> Result<Planned, CommandError> {
    let environment: BTreeMap<String, String> = variables::utf8_variables().collect();
    let quick = composed(args, &environment)?;
    log::add_secrets(&SecretSet::new(quick.variables.values().cloned()));
    if args.sources.is_empty() {
        return Ok(Planned::default());
    }
    let overrides = args.connection.overrides(&args.addresses, args.duration);
    let variables = || environment.clone().into_iter().chain(quick.variables.clone());
    let wrong = |errors: ScenarioErrors| CommandError::usage(errors.render(stderr_has_colour()));
    let scenarios = quick.read(&args.sources).map_err(wrong)?;
    match Plan::resolve(&scenarios, &Environment::new(variables()), &overrides) {
        Ok((plan, warnings)) => Ok(Planned { plan, warnings, missing: None }),
        // Where nothing but variables is missing, all else can be looked at.
        Err(errors) => {
            let lenient =
                Plan::resolve(&scenarios, &Environment::for_check(variables()), &overrides);
            let (plan, warnings) = lenient.map_err(wrong)?;
            Ok(Planned { plan, warnings, missing: Some(errors) })
        }
    }
}

/// The scenarios of the URLs named.
fn composed(
    args: &Args,
    environment: &BTreeMap<String, String>,
) -> Result<UrlScenarios, CommandError> {
    if args.quick.print_scenario {
        return Err(CommandError::usage(
            "error: `doctor` prints no scenario; `tollgate run URL --print-scenario` shows what a URL amounts to",
        ));
    }
    let urls = quick::urls(&args.sources);
    let taken = if urls.is_empty() { BTreeSet::new() } else { quick::names(&args.sources) };
    let around = ComposeContext {
        duration: args.duration,
        every: None,
        target: Vec::new(),
        taken,
        variables: environment,
    };
    args.quick.compose(&urls, &around)
}
