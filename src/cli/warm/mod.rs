//! `tollgate warm`

mod display;
mod outcome;
mod series;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::Duration;

use serde::Serialize;

use self::display::WarmingDisplay;
use self::outcome::{ScenarioWarming, WarmingOutcome};
use super::connection::{self, AddressFlags, ConnectionFlags};
use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::quick::{self, ComposeContext};
use super::signals::RunSignals;
use super::{guard, log, stray_variables, variables, warming};
use crate::engine::clock;
use crate::plan::{Environment, LoadConsent, PacingMode, Plan, ScenarioPlan, SecretSet};
use crate::record::PlannedScenario;
use crate::record::session::ExchangeSample;
use crate::tune::steady::LEAST_SAMPLES;
use crate::units::{Rate, UnitError, duration_literal, parse_duration};

const RATE_HELP: &str = "\
Rate at which each scenario is sent while the target warms up: 2/s, 30/min [default: 2/s]";

const CONNECTIONS_HELP: &str = "\
Connections that may be open, or `fresh` for a new one for each request [default: the file's; 16 for \
URLs]. One is open from the start; others are opened only when they are needed";

const MAX_CONNECTIONS_HELP: &str = "\
Maximum number of open connections [default: the file's; --connections for URLs]";

const NAME_HELP: &str = "The name of the scenario in the output [default: the URL's host and path]";

const EXAMPLES: &str = "\
Examples:
  tollgate warm https://staging.example/shop && tollgate run https://staging.example/shop
  tollgate warm scenarios/shop.toml --limit 3m
  tollgate warm scenarios/shop.toml --boot-limit 2m --rate 5/s
  tollgate warm scenarios/shop.toml --output json > warm.json

The first requests wait as long as --boot-limit for an answer: a machine may have to boot. Then each
scenario is sent at a low constant rate until the latency of every request is steady. The scenario's
own load, warm-up and budgets play no part.

Exit codes:
  0  every request is answered as expected, and its latency is steady
  1  the target never answered, went down or still answers wrongly, or a setup step failed
  2  usage: a flag or a scenario file is wrong; nothing was sent
  3  not steady within the limit, a request was never sent, interrupted, or nothing could be sent
  4  internal: the prober failed (results not written, or a defect)";

/// Warm a target up after a deploy, until its latency is steady
///
/// Run it between the deploy and the gate, so that the gate measures a warm target. Several
/// scenarios are warmed one after the other. Nothing is judged and no run is kept.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("print_scenario", |arg| arg.hide(true)))]
#[command(mut_arg("closed", |arg| arg.hide(true)))]
#[command(mut_arg("budget", |arg| arg.hide(true)))]
#[command(mut_arg("rate", |arg| arg.help(RATE_HELP).env("TOLLGATE_WARM_RATE")))]
#[command(mut_arg("connections", |arg| arg.help(CONNECTIONS_HELP)))]
#[command(mut_arg("max_connections", |arg| arg.help(MAX_CONNECTIONS_HELP)))]
#[command(mut_arg("name", |arg| arg.help(NAME_HELP)))]
#[command(mut_arg("expect_status", |arg| arg.help_heading("Request")))]
#[command(mut_arg("expect_body", |arg| arg.help_heading("Request")))]
pub(super) struct Args {
    /// URLs (http://, https:// or http+unix://) and scenario files, warmed one after the other. A
    /// URL's query is shown as typed: write '?key=${KEY}' for a secret
    #[arg(required = true, value_name = "URL|FILE")]
    sources: Vec<OsString>,
    /// How long each scenario may take to become steady after its first answer
    #[arg(long, value_name = "DURATION", value_parser = parse_limit, default_value = "60s")]
    #[arg(env = "TOLLGATE_WARM_LIMIT", help_heading = "Load")]
    limit: Duration,
    /// How long the target may take to give its first answer. The timeouts of the scenario begin
    /// after it
    #[arg(long, value_name = "DURATION", value_parser = parse_limit, default_value = "60s")]
    #[arg(env = "TOLLGATE_WARM_BOOT_LIMIT", help_heading = "Load")]
    boot_limit: Duration,
    /// Allow more than 100 requests per second to a host that is not this machine
    #[arg(long, help_heading = "Load")]
    yes_load_this_host: bool,
    #[command(flatten)]
    quick: quick::Flags,
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    addresses: AddressFlags,
    /// What to print on stdout: `text` (lines for people) or `json` (one object with every sample)
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true,
        help_heading = "Output"
    )]
    output: OutputFormat,
}

/// How a scenario is warmed.
#[derive(Debug, Clone, Copy)]
struct WarmingTerms {
    rate: Rate,
    limit: Duration,
    boot_limit: Duration,
}

/// Whether every request of a scenario's curve is answered as expected, with a steady latency,
/// given the samples so far. A request without samples is not steady, unless the scenario accepts
/// that.
pub(super) fn is_curve_steady(plan: &PlannedScenario, samples: &[ExchangeSample]) -> bool {
    series::unmeasured(plan, samples).is_empty() && series::by_request(samples).are_steady()
}

pub(super) fn warm(args: &Args) -> Result<ExitStatus, CommandError> {
    stray_variables::check(&args.sources)?;
    refuse_unusable(&args.quick)?;
    let mut quick = args.quick.clone();
    let rate = quick.take_rate().map_or_else(|| Rate::per_second(2.0), Ok);
    let rate = rate.map_err(CommandError::internal)?;
    let terms = WarmingTerms { rate, limit: args.limit, boot_limit: args.boot_limit };
    refuse_short(terms)?;
    let plan = plan(args, &quick)?;
    log::add_secrets(&plan.secrets);
    guard::check(&curves(&plan, terms))?;
    let signals = RunSignals::listen()?;
    let warmed =
        plan.scenarios.iter().map(|scenario| warm_scenario(&plan, scenario, terms, &signals));
    let warmed = warmed.collect::<Result<Vec<_>, _>>()?;
    report(&warmed, Console { output: args.output })
}

/// Refuses flags that decide nothing in a warm-up.
fn refuse_unusable(quick: &quick::Flags) -> Result<(), CommandError> {
    let remedy = |flag: &str| match flag {
        "--budget" => Some("nothing is judged here; the run after it judges budgets"),
        "--closed" => Some("a warm-up is sent at a rate, such as `--rate 2/s`"),
        "--print-scenario" => Some("use it with `tollgate run URL`"),
        _ => None,
    };
    let refused = quick.typed().into_iter().find_map(|flag| Some((flag, remedy(flag)?)));
    refused.map_or(Ok(()), |(flag, remedy)| {
        Err(CommandError::usage(format!("error: `warm` has no {flag}: leave it out; {remedy}")))
    })
}

/// Refuses a curve with too few requests to be steady.
fn refuse_short(WarmingTerms { rate, limit, .. }: WarmingTerms) -> Result<(), CommandError> {
    let requests = (rate.as_per_second() * limit.as_secs_f64()).floor();
    let least = LEAST_SAMPLES as f64;
    if requests >= least {
        return Ok(());
    }
    let longer = Duration::from_secs_f64((least / rate.as_per_second()).ceil());
    Err(CommandError::usage(format!(
        "error: {rate} for {} is {requests:.0} requests, and {least} are needed to tell that a \
         target is steady: write `--limit {}` or more, or a higher --rate",
        duration_literal(limit),
        duration_literal(longer),
    )))
}

/// The plan of all URLs and files. Its warnings concern load and budgets, so they are left out.
fn plan(args: &Args, quick: &quick::Flags) -> Result<Plan, CommandError> {
    let environment: BTreeMap<String, String> = variables::utf8_variables().collect();
    let urls = quick::urls(&args.sources);
    let around = ComposeContext {
        duration: None,
        every: None,
        target: Vec::new(),
        taken: if urls.is_empty() { BTreeSet::new() } else { quick::names(&args.sources) },
        shared: quick::shared_overrides(None, &args.connection, &args.addresses),
        variables: &environment,
        is_duet: false,
    };
    let composed = quick.compose(&urls, &around)?;
    log::add_secrets(&SecretSet::new(composed.variables.values().cloned()));
    let environment =
        Environment::new(environment.clone().into_iter().chain(composed.variables.clone()));
    let overrides = quick.plan_overrides(&args.connection, &args.addresses, None);
    let resolved = composed
        .read(&args.sources)
        .and_then(|scenarios| Plan::resolve(&scenarios, &environment, &overrides));
    let (plan, _) = resolved?;
    let consent = LoadConsent::of_flag(args.yes_load_this_host);
    Ok(Plan { pacing: PacingMode::Sleep, consent, every: None, ..plan })
}

/// The curves of all scenarios as one plan, to check before anything is sent.
fn curves(plan: &Plan, WarmingTerms { rate, limit, .. }: WarmingTerms) -> Plan {
    let curves = plan.scenarios.iter().map(|scenario| scenario.as_curve(rate, limit));
    let curves = Plan { consent: plan.consent, ..Plan::from_scenarios(curves.collect()) };
    connection::warn_caveats(&curves, false);
    curves
}

/// Sends the first requests, then follows the curve until every request is steady.
fn warm_scenario(
    plan: &Plan,
    scenario: &ScenarioPlan,
    terms: WarmingTerms,
    signals: &RunSignals,
) -> Result<ScenarioWarming, CommandError> {
    let began = clock::now();
    let display = WarmingDisplay::new(&scenario.shown.name);
    display.waits(terms.boot_limit);
    let limit = terms.boot_limit;
    let first = warming::first_requests(plan, scenario, limit, signals, &mut |_| true)?;
    if !outcome::can_go_on(&first) {
        return Ok(ScenarioWarming::of(&scenario.shown, first, None));
    }
    display.follows(terms.rate, terms.limit);
    let curve_began = clock::now() - began;
    let curve = warming::follow_curve(
        plan,
        scenario,
        (terms.rate, terms.limit),
        signals,
        &mut |samples| {
            display.shows(samples);
            is_curve_steady(&scenario.shown, samples)
        },
    )?;
    let offset = curve_began + curve.measurement.measured_from;
    Ok(ScenarioWarming::of(&scenario.shown, first, Some((offset, &curve))))
}

/// The whole warm-up as JSON.
#[derive(Serialize)]
struct WarmingDocument<'a> {
    tollgate: &'a str,
    /// The outcome that decides the exit code.
    outcome: WarmingOutcome,
    scenarios: &'a [ScenarioWarming],
}

fn report(warmed: &[ScenarioWarming], console: Console) -> Result<ExitStatus, CommandError> {
    let outcome = warmed.iter().map(|scenario| scenario.outcome).max();
    let outcome = outcome.unwrap_or(WarmingOutcome::NothingSent);
    let lines: Vec<_> = warmed.iter().map(text::lines).collect();
    console.print_result(&lines.join("\n\n"))?;
    if console.output == OutputFormat::Json {
        let tollgate = env!("CARGO_PKG_VERSION");
        let document = WarmingDocument { tollgate, outcome, scenarios: warmed };
        let json = serde_json::to_string_pretty(&document).map_err(CommandError::internal)?;
        Console::print_json(&json)?;
    }
    Ok(outcome.exit())
}

/// Parses a limit, which must be longer than nothing.
fn parse_limit(text: &str) -> Result<Duration, UnitError> {
    let limit = parse_duration(text)?;
    if limit.is_zero() {
        return Err(UnitError::new("a limit must be longer than 0s", "write one such as `60s`"));
    }
    Ok(limit)
}
