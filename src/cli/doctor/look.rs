//! Runs the checks: the machine, and what the plan of the given sources depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::exit::CommandError;
use super::super::quick::{self, ComposeContext, UrlScenarios};
use super::super::quota::QuotaFacts;
use super::super::{log, stray_variables, variables};
use super::Args;
use crate::doctor;
use crate::plan::{Environment, Plan, ScenarioPlan, SecretSet};
use crate::record::checkup::CheckFinding;
use crate::scenario::{ScenarioErrors, ScenarioWarning};

/// The group of findings about scenarios.
const SCENARIOS: &str = "scenarios";

/// Limit for a look-up or a connection, unless the plan's timeout is shorter.
const LIMIT: Duration = Duration::from_secs(5);

/// A plan that is examined but not run.
#[derive(Default)]
struct DoctorPlan {
    plan: Plan,
    warnings: Vec<ScenarioWarning>,
    /// Errors that would keep it from running: variables without a value.
    missing: Option<ScenarioErrors>,
}

/// Runs all requested checks, and redacts secrets in the findings.
pub(super) fn look(args: &Args) -> Result<Vec<CheckFinding>, CommandError> {
    let DoctorPlan { plan, warnings, missing } = read_plan(args)?;
    log::add_secrets(&plan.secrets);
    let database = args.store.address()?;
    let mut findings = doctor::machine(&plan, &args.runs_dir)?;
    findings.extend(doctor::scenarios(missing.as_ref(), &warnings));
    findings.extend(plan.scenarios.iter().filter_map(quota_finding));
    findings.extend(doctor::targets(&plan, LIMIT));
    findings.extend(doctor::databases(&plan)?);
    findings.extend(database.as_ref().map_or_else(|| vec![doctor::without_store()], doctor::store));
    let redact = |text: &str| log::redact(text).replace(char::is_control, " ");
    Ok(findings.into_iter().map(|finding| finding.map_text(redact)).collect())
}

/// What the load does to the CPU quota of the machines behind a scenario.
fn quota_finding(scenario: &ScenarioPlan) -> Option<CheckFinding> {
    let facts = QuotaFacts::of(scenario)?;
    let what = format!("{}: {}", scenario.shown.name, facts.line());
    let found = CheckFinding::ok(SCENARIOS, "CPU quota", what);
    Some(match facts.measured_warning() {
        Some((_, remedy)) => found.warn(remedy),
        None => found,
    })
}

/// The plan of the sources. Without sources it is empty.
fn read_plan(args: &Args) -> Result<DoctorPlan, CommandError> {
    stray_variables::check(&args.sources)?;
    let environment: BTreeMap<String, String> = variables::utf8_variables().collect();
    let quick = compose_urls(args, &environment)?;
    log::add_secrets(&SecretSet::new(quick.variables.values().cloned()));
    if args.sources.is_empty() {
        return Ok(DoctorPlan::default());
    }
    let overrides = args.quick.plan_overrides(&args.connection, &args.addresses, args.duration);
    let variables = || environment.clone().into_iter().chain(quick.variables.clone());
    let scenarios = quick.read(&args.sources)?;
    match Plan::resolve(&scenarios, &Environment::new(variables()), &overrides) {
        Ok((plan, warnings)) => Ok(DoctorPlan { plan, warnings, missing: None }),
        // If only variables are missing, everything else can still be checked.
        Err(errors) => {
            let lenient =
                Plan::resolve(&scenarios, &Environment::for_check(variables()), &overrides);
            let (plan, warnings) = lenient?;
            Ok(DoctorPlan { plan, warnings, missing: Some(errors) })
        }
    }
}

/// The scenarios of the named URLs.
fn compose_urls(
    args: &Args,
    environment: &BTreeMap<String, String>,
) -> Result<UrlScenarios, CommandError> {
    if args.quick.print_scenario {
        return Err(CommandError::usage(
            "error: `doctor` prints no scenario; `tollgate run URL --print-scenario` prints a URL's scenario",
        ));
    }
    if let (true, [flag, ..]) = (args.sources.is_empty(), args.quick.typed().as_slice()) {
        return Err(CommandError::usage(format!(
            "error: {flag} changes a plan, and there is none: name a URL or a scenario file"
        )));
    }
    let urls = quick::urls(&args.sources);
    let taken = if urls.is_empty() { BTreeSet::new() } else { quick::names(&args.sources) };
    let around = ComposeContext {
        duration: args.duration,
        every: None,
        target: Vec::new(),
        taken,
        shared: quick::shared_overrides(args.duration, &args.connection, &args.addresses),
        variables: environment,
        is_duet: false,
    };
    args.quick.compose(&urls, &around)
}
