//! `tollgate duet`

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::Duration;

use super::connection::{self, AddressFlags, ConnectionFlags};
use super::console::stderr_has_colour;
use super::exit::{CommandError, ExitStatus};
use super::outputs;
use super::quick::{self, ComposeContext, DuetUrls, UrlScenarios};
use super::results::{self, ResultForm};
use super::session::{self, ReferencedRuns, RunFlags};
use super::signals::RunSignals;
use super::{baseline, log, stray_variables, variables};
use crate::plan::{Environment, Plan, PlanOverrides, SecretSet};
use crate::units::parse_duration;

/// The default of `--duration` for URLs: 20 blocks of at least three seconds.
const DURATION: Duration = Duration::from_mins(1);

const RATE_HELP: &str = "\
Request rate of both sides together, kept up whether or not requests are answered: 40/s, 90/min \
[default: the file's; 40/s for URLs]";

const CONNECTIONS_HELP: &str = "\
Connections of each side to open before measuring, or `fresh` for a new one for each request \
[default: the file's; for URLs 16, or as many as --rate times the largest ceiling needs, up to 100]";

const BUDGET_HELP: &str = "\
A budget that must hold, such as 'p95 < 300ms', 'p99(service) < 200ms', 'max < 1s' or \
'errors < 0.5%'; only B's decide the exit code; may be repeated [default: the file's; none for URLs]";

const EXAMPLES: &str = "\
Examples:
  tollgate duet --a https://old.example/shop --b https://new.example/shop
  tollgate duet --a https://old.example/shop --b https://new.example/shop --rate 50/s --duration 3m
  tollgate duet --a http://127.0.0.1:8001 --b http://127.0.0.1:8002 scenarios/shop.toml
  tollgate duet --a \"$OLD\" --b \"$NEW\" --budget 'p95 < 300ms' --name shop

One schedule is planned, and a coin sends each arrival to A or to B, so that both get about half.
Both sides share whatever else slows them down, such as a busy machine or network, so it cannot look
like a difference. Differences come with intervals from blocks of time, which are wide enough that
all reports of a change together are wrong at most 1 time in 20 in each direction.

Exit codes:
  0  B is not shown to be slower, and its budgets hold
  1  B is slower or fails more often, one of its budgets does not hold, or B alone never answered
  2  usage: a flag or a scenario file is wrong; nothing was sent
  3  undecided: too short, no latencies to compare, an interrupted run, or B is inconclusive
  4  internal: the prober failed (results not written, or a defect)";

/// Compare two targets in one run: the old deploy and the new one, at the same time
///
/// A is the target as it was, B the new one. Everything else is the same for both: request, load,
/// warm-up, expectations and budgets. Without --budget, nothing but the difference is judged. The
/// run lasts 60 s at 40 requests per second for both together, unless flags or the file say
/// otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("print_scenario", |arg| arg.hide(true)))]
#[command(mut_arg("closed", |arg| arg.hide(true)))]
#[command(mut_arg("rate", |arg| arg.help(RATE_HELP)))]
#[command(mut_arg("connections", |arg| arg.help(CONNECTIONS_HELP)))]
#[command(mut_arg("budget", |arg| arg.help(BUDGET_HELP)))]
pub(super) struct Args {
    /// The target as it was: a URL, or the base URL for the scenario files. A URL's query is shown
    /// and stored as typed: write '?key=${KEY}' for a secret
    #[arg(long, value_name = "URL", value_parser = quick::parse_duet_url)]
    a: String,
    /// The new target, which is compared with A
    #[arg(long, value_name = "URL", value_parser = quick::parse_duet_url)]
    b: String,
    /// Scenario files, each run against both targets; their base URLs are replaced
    #[arg(value_name = "FILE")]
    files: Vec<OsString>,
    /// The length of the measured stage, such as `3m` [default: the file's; 60s for URLs]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "Load")]
    duration: Option<Duration>,
    /// The seed of the coin [default: a random one, which the record names]
    #[arg(long, value_name = "N", help_heading = "Load")]
    coin: Option<u64>,
    #[command(flatten)]
    quick: quick::Flags,
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    addresses: AddressFlags,
    #[command(flatten)]
    run: RunFlags,
    #[command(flatten)]
    outputs: outputs::Flags,
}

pub(super) fn duet(args: &Args) -> Result<ExitStatus, CommandError> {
    stray_variables::check(&args.files)?;
    refuse_unusable(args)?;
    let environment: BTreeMap<String, String> = variables::utf8_variables().collect();
    let destinations = args.outputs.destinations()?;
    let urls = DuetUrls::new([&args.a, &args.b], &args.files)?;
    let quick = compose(args, &environment)?;
    log::add_secrets(&SecretSet::new(quick.variables.values().cloned()));
    let environment = Environment::new(environment.into_iter().chain(quick.variables.clone()));
    let plan = plan(args, (&quick, &urls), &environment)?;
    let mut plan =
        Plan { pacing: args.run.pacing(), consent: args.run.consent(), every: None, ..plan };
    plan.secrets.extend(&destinations.secrets());
    let run =
        session::execute(&plan, &args.run, &RunSignals::listen()?, ReferencedRuns::default())?;
    let (sent, reported) =
        results::report_run(&run, args.run.console(), ResultForm::Full, || destinations.send(&run));
    reported.map(|()| sent.exit)
}

fn refuse_unusable(args: &Args) -> Result<(), CommandError> {
    if args.quick.print_scenario {
        return Err(CommandError::usage(
            "error: a duet is not one scenario, so --print-scenario has nothing to print: use it \
             with `tollgate run URL`",
        ));
    }
    if args.quick.closed {
        return Err(CommandError::usage(
            "error: a closed load has no schedule that two targets could share: leave out --closed, \
             and set a rate, such as `--rate 40/s`",
        ));
    }
    Ok(())
}

/// The scenarios of the URLs, if there are no files.
fn compose(
    args: &Args,
    environment: &BTreeMap<String, String>,
) -> Result<UrlScenarios, CommandError> {
    let urls =
        if args.files.is_empty() { vec![args.a.clone(), args.b.clone()] } else { Vec::new() };
    let around = ComposeContext {
        duration: Some(args.duration.unwrap_or(DURATION)),
        every: None,
        target: Vec::new(),
        taken: BTreeSet::new(),
        shared: quick::shared_overrides(args.duration, &args.connection, &args.addresses),
        variables: environment,
        is_duet: true,
    };
    args.quick.compose(&urls, &around)
}

/// The plan of both sides. Prints its warnings once, although they concern two scenarios.
fn plan(
    args: &Args,
    (quick, urls): (&UrlScenarios, &DuetUrls),
    environment: &Environment,
) -> Result<Plan, CommandError> {
    let seed = args.coin.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 1);
    let overrides = PlanOverrides {
        duet_seed: Some(seed),
        ..args.quick.plan_overrides(&args.connection, &args.addresses, args.duration)
    };
    let resolved = quick
        .read_sides(&args.files, urls)
        .and_then(|scenarios| Plan::resolve(&scenarios, environment, &overrides));
    let (plan, warnings) = resolved?;
    let rendered = warnings.iter().map(|warning| warning.render(stderr_has_colour()));
    for warning in rendered.collect::<BTreeSet<_>>() {
        tracing::warn!("{warning}");
    }
    connection::warn_caveats(&plan, args.run.console().is_among_messages());
    connection::warn_machine_limits(&plan);
    baseline::warn_of_short_duet(&plan);
    Ok(plan)
}
