//! `tollgate run`

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::Duration;

use super::connection::{self, Addresses, Connection, parse_period};
use super::console::{Console, colours_errors};
use super::evidence::{self, Log};
use super::exit::{Exit, Problem};
use super::keeping::{self, Keeper};
use super::next;
use super::quick::{self, Around, Quick};
use super::reporting::{self, Form};
use super::session::{self, Settings};
use super::signals::Signals;
use super::{log, part, ticks, variables};
use crate::plan::{Environment, Overrides, Plan, PlannedPart, Secrets};
use crate::units::parse_duration;

const EXAMPLES: &str = "\
Examples:
  tollgate run https://staging.example/shop
  tollgate run https://staging.example/shop --budget 'p95 < 300ms' --rate 20/s --duration 60s
  tollgate run https://api.example/orders -H 'Authorization: Bearer ${TOKEN}' --expect-status 200
  tollgate run https://staging.example/shop --print-scenario > scenarios/shop.toml
  TOLLGATE_TARGET=https://staging.example tollgate run scenarios/tile-loader-mock.toml
  tollgate run scenarios/tile-loader-*.toml --output json > run.json
  tollgate run scenarios/smoke.toml --every 5m --times 12
  tollgate run scenarios/smoke.toml --evidence feedback.md --evidence-note 'after the rollback'

Load is sent at the planned rate whether or not it is answered, so that a stall is charged to every request it delays.
With --every each tick is a run of its own: a line a tick on stdout, or with --output json a record a line; the reasons of
one that is no pass go to stderr, and with --times 1 it is shown like any other run.
Every flag can be set in the environment; one that may be repeated takes one value a line there.";

/// Measure URLs or carry out scenario files, and decide whether their budgets hold
///
/// What is named together is carried out at the same time.
/// A URL is measured with sensible defaults: 20 requests a second for 30 s, held to 'errors < 1%'. A scenario file says
/// all of this itself.
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// URLs (http:// or https://) and scenario files; those named together are carried out at the same time. A URL's
    /// query is shown and kept as it is typed: write '?key=${KEY}' for a secret
    #[arg(required = true, value_name = "URL|FILE")]
    sources: Vec<OsString>,
    /// The length of the measured phase, such as `10s` [default: what the file says; 30s for URLs]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "Load")]
    duration: Option<Duration>,
    /// Repeat the whole this often, each time as a run of its own, until Ctrl-C or --times
    #[arg(long, value_name = "DURATION", value_parser = parse_period, help_heading = "Load")]
    every: Option<Duration>,
    /// End after so many runs; only where they are repeated
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load")]
    times: Option<u64>,
    #[command(flatten)]
    quick: quick::Flags,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    addresses: Addresses,
    #[command(flatten)]
    part: part::Flags,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    keeping: keeping::Flags,
    #[command(flatten)]
    evidence: evidence::Flags,
}

pub(super) fn run(args: &Args) -> Result<Exit, Problem> {
    // Where nothing is carried out there is nothing to tell of.
    let log = if args.quick.print_scenario {
        Log::default()
    } else {
        args.evidence.log(&args.sources, args.settings.commit())?
    };
    carried_out(args, &log).map_err(|problem| log.of_problem(problem))
}

fn carried_out(args: &Args, log: &Log) -> Result<Exit, Problem> {
    let environment: BTreeMap<String, String> = variables::of_process().collect();
    let part = part(args)?;
    let keeper = args.keeping.keeper()?;
    let quick = compose(args, &environment)?;
    log::hide(&Secrets::new(quick.variables.values().cloned()));
    if args.quick.print_scenario {
        return print_scenario(&quick);
    }
    let environment = Environment::new(environment.into_iter().chain(quick.variables.clone()));
    let mut plan =
        Plan { pacing: args.settings.pacing(), ..plan(args, &quick, &environment, part)? };
    plan.secrets.extend(&keeper.secrets());
    // What a file says of repetition is in the plan already; one that is shared out has none.
    match args.every.or(plan.every) {
        Some(period) => ticks::repeat(&plan, &args.settings, &keeper, log, period, args.times),
        None if args.times.is_some() => Err(Problem::usage(
            "error: --times says how often a run is repeated; add --every, such as `--every 5m`",
        )),
        None => once(args, &quick, &plan, &keeper, log),
    }
}

fn once(
    args: &Args,
    quick: &Quick,
    plan: &Plan,
    keeper: &Keeper,
    log: &Log,
) -> Result<Exit, Problem> {
    let kept = session::carry_out(plan, &args.settings, &Signals::listen()?)?;
    let reported =
        reporting::report_on(&kept.record, &kept.folder, args.settings.console(), Form::Whole);
    log.reported(&kept, reported)?;
    if !quick.scenarios.is_empty() && plan.part.is_none() {
        next::tell(&kept, args.quick.without_latency());
    }
    Ok(log.of_run(&kept, keeper.keep(&kept)))
}

/// The part that is to be carried out, if it goes with what else was asked for.
fn part(args: &Args) -> Result<Option<PlannedPart>, Problem> {
    let other =
        [("--every", args.every.is_some()), ("--print-scenario", args.quick.print_scenario)];
    if let Some((flag, _)) = other.into_iter().find(|&(_, given)| given && args.part.is_given()) {
        return Err(Problem::usage(format!(
            "error: --shard and {flag} do not go together: several machines share one run; leave one of them out"
        )));
    }
    args.part.part()
}

/// The scenarios of the URLs named.
fn compose(args: &Args, environment: &BTreeMap<String, String>) -> Result<Quick, Problem> {
    let urls = quick::urls(&args.sources);
    // Overrides change a plan; a file to be kept must say the same itself.
    let printed = args.quick.print_scenario;
    let around = Around {
        duration: args.duration,
        every: args.every.filter(|_| printed),
        target: if printed { args.connection.keys(&args.addresses) } else { Vec::new() },
        taken: if urls.is_empty() { BTreeSet::new() } else { quick::names(&args.sources) },
        variables: environment,
    };
    args.quick.compose(&urls, &around)
}

/// The plan of all that was named, in the order of the command, its warnings told.
fn plan(
    args: &Args,
    quick: &Quick,
    environment: &Environment,
    part: Option<PlannedPart>,
) -> Result<Plan, Problem> {
    let overrides = Overrides {
        every: args.every,
        part,
        ..args.connection.overrides(&args.addresses, args.duration)
    };
    let resolved = quick
        .read(&args.sources)
        .and_then(|scenarios| Plan::resolve(&scenarios, environment, &overrides));
    let (plan, warnings) =
        resolved.map_err(|errors| Problem::usage(errors.render(colours_errors())))?;
    for warning in warnings {
        tracing::warn!("{}", warning.render(colours_errors()));
    }
    connection::tell_caveats(&plan);
    connection::tell_doubts(&plan);
    Ok(plan)
}

fn print_scenario(quick: &Quick) -> Result<Exit, Problem> {
    for name in quick.variables.keys() {
        tracing::warn!(
            variable = name,
            "The value typed for {name} is not in the file; set the variable when running it"
        );
    }
    for scenario in &quick.scenarios {
        Console::plain(&scenario.text)?;
    }
    Ok(Exit::Pass)
}
