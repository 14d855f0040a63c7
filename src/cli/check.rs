//! `tollgate check`

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::connection::{self, AddressFlags, ConnectionFlags};
use super::console::{Console, OutputFormat, stderr_has_colour};
use super::exit::{CommandError, ExitStatus};
use super::gate::HistoryPlace;
use super::quick::{self, ComposeContext, UrlScenarios};
use super::quota::QuotaFacts;
use super::source::DEFAULT_RUNS_DIR;
use super::store_flags::StoreFlags;
use super::{guard, learned_limits, log, stray_variables, variables};
use crate::engine::{Engine, EngineError};
use crate::history::ENVIRONMENT_TAG;
use crate::plan::{BlockNeeds, Environment, LoadConsent, Plan, ScenarioPlan, SecretSet};
use crate::record::{
    BaselineLimit, GatePolicy, LearnedLimit, PlannedData, PlannedDraw, PlannedRequest,
    PlannedScenario, PlannedWeight, VerdictReason,
};
use crate::units::{duration_literal, format_duration, parse_duration};

const EXAMPLES: &str = "\
Examples:
  tollgate check scenarios/*.toml
  tollgate check scenarios/shop.toml --duration 5m      whether it can run for 5 minutes
  tollgate check scenarios/shop.toml --rate 200/s       whether it can run at another rate

Exit codes:
  0  every scenario is valid; there may be warnings
  2  usage: a flag or a scenario file is wrong, or `run` would refuse the plan
  4  internal: the result could not be printed, or a defect";

/// Validate scenario files without sending anything
///
/// Reports the errors of all files at once, and refuses what `run` would refuse. Flags and their
/// variables override the files as in `run`. A variable that is not set is a warning here and an
/// error in `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("print_scenario", |arg| arg.hide(true)))]
pub(super) struct Args {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<OsString>,
    /// Check with another length of the measured stage, as `run --duration` sets it
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "Load")]
    duration: Option<Duration>,
    #[command(flatten)]
    quick: quick::Flags,
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    addresses: AddressFlags,
    /// Allow more than 100 requests per second to a host that is not this machine
    #[arg(long, help_heading = "Load")]
    yes_load_this_host: bool,
    /// The environment whose earlier runs give relative budgets their limits
    #[arg(long, value_name = "NAME", help_heading = "Baseline")]
    environment: Option<String>,
    /// The folder of the run folders with earlier runs
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RUNS_DIR, help_heading = "Baseline")]
    runs_dir: PathBuf,
    #[command(flatten)]
    store: StoreFlags,
}

pub(super) fn check(args: &Args) -> Result<ExitStatus, CommandError> {
    if args.files.iter().any(|file| quick::is_url(file)) || args.quick.print_scenario {
        return Err(CommandError::usage(
            "error: `check` reads scenario files; `tollgate run URL --print-scenario` shows the scenario of a URL",
        ));
    }
    stray_variables::check(&args.files)?;
    let mut plan = read_plan(args)?;
    plan.consent = LoadConsent::of_flag(args.yes_load_this_host);
    let plan = learned(args, plan)?;
    guard::check_each(&plan)?;
    prepare(&plan)?;
    let console = Console { output: OutputFormat::Text };
    for scenario in &plan.scenarios {
        let quota = QuotaFacts::of(scenario);
        if let Some((problem, remedy)) = quota.as_ref().and_then(QuotaFacts::measured_warning) {
            let source = &scenario.shown.source;
            tracing::warn!("WARNING: {source}: {problem}; {remedy}");
        }
        console.print_result(&summary(scenario, quota.as_ref()))?;
    }
    Ok(ExitStatus::Pass)
}

/// The plan with the limits that `run` would give its budgets now.
fn learned(args: &Args, plan: Plan) -> Result<Plan, CommandError> {
    if !plan.needs_baseline() {
        return Ok(plan);
    }
    let database = args.store.address()?;
    let place = HistoryPlace { runs_dir: &args.runs_dir, database: database.as_ref() };
    let tags = args.environment.iter().map(|name| (ENVIRONMENT_TAG.to_owned(), name.clone()));
    Ok(learned_limits::learn(&plan, &tags.collect(), &place).into_owned())
}

/// What earlier runs make of the relative budgets, one line each.
fn baselines(scenario: &ScenarioPlan) -> Vec<String> {
    let line = |request: &PlannedRequest, limit: &BaselineLimit| {
        let written = format!("`{}` of `{}`", limit.written, request.name);
        match (limit.learned, limit.origin(), &limit.obstacle) {
            (Some(LearnedLimit { budget, low, high, .. }), Some(origin), _) => {
                let [low, high] = [low, high].map(format_duration);
                format!("{written} is now `{budget}` ({low} to {high}): {origin}")
            }
            (.., Some(VerdictReason { what, next })) => {
                format!("{written} has {what}; {next}")
            }
            _ => written,
        }
    };
    let requests = scenario.shown.requests.iter();
    let limits = requests
        .flat_map(|request| request.baselines.iter().map(move |limit| line(request, limit)));
    limits.collect()
}

fn summary(scenario: &ScenarioPlan, quota: Option<&QuotaFacts>) -> String {
    let PlannedScenario { name, source, load, warmup, setup, teardown, .. } = &scenario.shown;
    let mut lines = vec![format!("{source}: ok\n  {name}: {load}; warm-up: {warmup}")];
    lines.extend(scenario.shown.draw.as_ref().map(|draw| shares(draw, scenario.load.arrivals())));
    lines.extend(scenario.shown.data.as_ref().map(|data| rows(data, scenario.load.arrivals())));
    lines.extend(blocks(scenario));
    lines.extend(gate(scenario));
    lines.extend(scenario.alert.as_ref().map(ToString::to_string));
    lines.extend(baselines(scenario));
    lines.extend(quota.map(QuotaFacts::line));
    for (stage, steps) in [("setup", setup), ("teardown", teardown)] {
        let own = steps.iter().filter(|step| step.hop_of.is_none());
        let names: Vec<_> = own.map(|step| format!("`{}`", step.name)).collect();
        if !names.is_empty() {
            lines.push(format!("{stage}, once: {}", names.join(", ")));
        }
    }
    lines.join("\n  ")
}

/// The blocks that decide the budgets: `decided by blocks of 1s, 180 in all; to pass, p95 needs
/// 67 of them (180 recommended)`. `None` if no budget is.
fn blocks(scenario: &ScenarioPlan) -> Option<String> {
    let stalls = scenario.shown.stalls?;
    let mut needs: Vec<(String, BlockNeeds)> = Vec::new();
    for budget in scenario.shown.requests.iter().flat_map(|request| &request.budgets) {
        let text = budget.to_string();
        let measure = text.split(" <").next().unwrap_or_default().to_owned();
        let is_known = |(known, _): &(String, _)| *known == measure;
        if !needs.iter().any(is_known)
            && let Some(need) = BlockNeeds::of(scenario, budget)
        {
            needs.push((measure, need));
        }
    }
    let planned = needs.iter().filter_map(|(_, need)| need.planned).min();
    let planned = planned.map(|blocks| format!(", {blocks} in all")).unwrap_or_default();
    let need = |(measure, need): &(String, BlockNeeds)| {
        format!("{measure} needs {} ({} recommended)", need.fewest, need.recommended)
    };
    let needs: Vec<_> = needs.iter().map(need).collect();
    let default = if stalls.is_default { " (the default `stalls`)" } else { "" };
    let length = duration_literal(stalls.length);
    Some(format!("decided by blocks of {length}{default}{planned}: {}", needs.join(", ")))
}

/// The policies that the scenario names: `gate: on_inconclusive = "warn", fail_after = 2`; `None`
/// if it names none.
fn gate(scenario: &ScenarioPlan) -> Option<String> {
    let (gate, default) = (&scenario.shown.gate, GatePolicy::default());
    let quoted = |text: String| format!("\"{text}\"");
    let required: Vec<_> = gate.require.iter().map(|one| quoted(one.to_string())).collect();
    let keys = [
        (
            "on_inconclusive",
            quoted(gate.on_inconclusive.to_string()),
            gate.on_inconclusive != default.on_inconclusive,
        ),
        (
            "stop_early",
            quoted(gate.stop_early.name().to_owned()),
            gate.stop_early != default.stop_early,
        ),
        ("fail_after", gate.fail_after.to_string(), gate.fail_after != default.fail_after),
        ("carry", gate.carry.to_string(), gate.carry != default.carry),
        ("require", format!("[{}]", required.join(", ")), !required.is_empty()),
        ("breaker", quoted(gate.breaker.to_string()), gate.breaker != default.breaker),
    ];
    let named = keys.into_iter().filter(|(.., is_named)| *is_named);
    let named: Vec<_> = named.map(|(key, value, _)| format!("{key} = {value}")).collect();
    (!named.is_empty()).then(|| format!("gate: {}", named.join(", ")))
}

/// How often each weighted request is sent: `each arrival sends one request: read 75.0 % (about 900
/// of 1200), write 25.0 % (about 300 of 1200); seed 7`.
fn shares(draw: &PlannedDraw, arrivals: Option<u64>) -> String {
    let share = |one: &PlannedWeight| {
        let percent = draw.share_of(&one.request).unwrap_or_default() * 100.0;
        let about = arrivals.and_then(|all| Some((draw.expected(&one.request, all)?, all)));
        let about = about.map(|(about, all)| format!(" (about {about} of {all})"));
        format!("{} {percent:.1} %{}", one.request, about.unwrap_or_default())
    };
    let all: Vec<_> = draw.weights.iter().map(share).collect();
    format!("each arrival sends one request: {}; seed {}", all.join(", "), draw.seed)
}

/// Which rows the arrivals use, and how often.
fn rows(data: &PlannedData, arrivals: Option<u64>) -> String {
    let used = match arrivals {
        None => String::new(),
        Some(arrivals) if arrivals <= data.rows => format!("; the arrivals use {arrivals} of them"),
        Some(arrivals) => {
            format!("; {arrivals} arrivals use each up to {} times", arrivals.div_ceil(data.rows))
        }
    };
    format!("data: {}{used}", data.words())
}

/// Refuses certificates that `run` would refuse. The limits of this machine are only a warning: the
/// run may take place on another one.
pub(super) fn prepare(plan: &Plan) -> Result<(), CommandError> {
    match Engine::prepare(plan) {
        Ok(_) => Ok(()),
        Err(limit @ (EngineError::Descriptors { .. } | EngineError::Ports { .. })) => {
            tracing::warn!("WARNING: this machine cannot run all of it at once: {limit}");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The plan of the files after the flags have overridden them. Prints its warnings.
fn read_plan(args: &Args) -> Result<Plan, CommandError> {
    let environment: BTreeMap<String, String> = variables::utf8_variables().collect();
    let quick = overrides(args, &environment)?;
    log::add_secrets(&SecretSet::new(quick.variables.values().cloned()));
    let environment =
        Environment::for_check(environment.into_iter().chain(quick.variables.clone()));
    let overrides = args.quick.plan_overrides(&args.connection, &args.addresses, args.duration);
    let checked = quick
        .read(&args.files)
        .and_then(|scenarios| Plan::resolve(&scenarios, &environment, &overrides));
    let (plan, warnings) = checked?;
    for warning in warnings {
        tracing::warn!("{}", warning.render(stderr_has_colour()));
    }
    connection::warn_caveats(&plan, false);
    Ok(plan)
}

/// What the flags change in the files.
fn overrides(
    args: &Args,
    environment: &BTreeMap<String, String>,
) -> Result<UrlScenarios, CommandError> {
    let around = ComposeContext {
        duration: None,
        every: None,
        target: Vec::new(),
        taken: BTreeSet::new(),
        shared: quick::shared_overrides(args.duration, &args.connection, &args.addresses),
        variables: environment,
        is_duet: false,
    };
    args.quick.compose(&[], &around)
}
