//! `tollgate run`

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::alert;
use super::baseline::{self, RunBaseline};
use super::connection::{self, AddressFlags, ConnectionFlags, parse_period};
use super::console::{Console, stderr_has_colour};
use super::continuation::ContinuedRun;
use super::earlier_shard::EarlierShard;
use super::evidence::{self, EvidenceFile};
use super::exit::{CommandError, ExitStatus};
use super::extension::{self, ExtendablePlan};
use super::gate::{self, HistoryPlace};
use super::merge::MergeOptions;
use super::next_steps;
use super::outputs::{self, FinishedRun, OutputDestinations};
use super::quick::{self, ComposeContext, UrlScenarios};
use super::rendezvous::{self, CollectOptions, JoinEnd, RendezvousRequest};
use super::results::{self, ResultForm};
use super::session::{self, ReferencedRuns, RunFlags};
use super::signals::RunSignals;
use super::{check, guard, learned_limits, log, repeat, shard, stray_variables, variables};
use crate::engine::clock;
use crate::fleet::MeetingTimes;
use crate::plan::{Environment, Plan, PlanOverrides, SecretSet, ShardPlan};
use crate::record::ENVIRONMENT_TAG;
use crate::scenario::{Scenario, ScenarioWarning};
use crate::store::StoreMark;
use crate::units::{duration_literal, parse_duration};

const EXAMPLES: &str = "\
Examples:
  tollgate run https://staging.example/shop
  tollgate run https://staging.example/shop --budget 'p95 < 300ms' --rate 20/s --duration 60s
  tollgate run https://api.example/orders -H 'Authorization: Bearer ${TOKEN}' --expect-status 200
  tollgate run https://staging.example/shop --print-scenario > scenarios/shop.toml
  TOLLGATE_TARGET=https://staging.example tollgate run scenarios/tile-loader-mock.toml
  tollgate run scenarios/tile-loader-*.toml --output json > run.json
  tollgate run scenarios/smoke.toml --every 5m --times 12
  tollgate run scenarios/shop.toml --baseline last-pass --fail-if-slower
  tollgate run scenarios/smoke.toml --evidence feedback.md --evidence-note 'after the rollback'

Requests are sent at the planned rate whether or not the target responds, so a stall is charged to every request it delays.
With --every, each tick is a run of its own: one line per tick on stdout, or one record per line with --output json.
If a tick does not pass, its reasons go to stderr. With --times 1 the run is shown like any other.
Every flag can be set in the environment; a flag that may be repeated takes one value per line there.";

/// Measure URLs or run scenario files, and decide whether their budgets hold
///
/// Everything named on one command line runs at the same time. A URL is measured with defaults: 20
/// requests per second for 30 s, with the budget 'errors < 1%'. A scenario file defines its own
/// load and budgets; flags and their variables override it, and every output names what they
/// replace.
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// URLs (http://, https:// or http+unix://) and scenario files; all of them run at the same
    /// time. A URL's query is shown and stored as typed: write '?key=${KEY}' for a secret
    #[arg(required = true, value_name = "URL|FILE")]
    sources: Vec<OsString>,
    /// The length of the measured stage, such as `10s` [default: the file's; 30s for URLs]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "Load")]
    duration: Option<Duration>,
    /// Repeat everything at this interval, each time as a run of its own, until Ctrl-C or --times
    #[arg(long, value_name = "DURATION", value_parser = parse_period, help_heading = "Load")]
    every: Option<Duration>,
    /// Add to the evidence of an inconclusive run of the same plan and commit, so that both decide
    /// together: the name or folder of the run, or `latest`. Only the length of the load may differ
    #[arg(long = "continue", value_name = "RUN", help_heading = "Load")]
    continues: Option<PathBuf>,
    /// End after this many runs; only with --every or a repeated scenario
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load")]
    times: Option<u64>,
    #[command(flatten)]
    quick: quick::Flags,
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    addresses: AddressFlags,
    #[command(flatten)]
    shard: shard::Flags,
    #[command(flatten)]
    rendezvous: rendezvous::Flags,
    #[command(flatten)]
    run: RunFlags,
    #[command(flatten)]
    baseline: baseline::Flags,
    #[command(flatten)]
    outputs: outputs::Flags,
    #[command(flatten)]
    evidence: evidence::Flags,
}

pub(super) fn run(args: &Args) -> Result<ExitStatus, CommandError> {
    // Printing a scenario sends nothing, so it gets no entry.
    let evidence = if args.quick.print_scenario {
        EvidenceFile::default()
    } else {
        args.evidence.open(&args.sources, args.run.commit())?
    };
    plan_and_run(args, &evidence).map_err(|problem| evidence.after_failure(problem))
}

fn plan_and_run(args: &Args, evidence: &EvidenceFile) -> Result<ExitStatus, CommandError> {
    stray_variables::check(&args.sources)?;
    let environment: BTreeMap<String, String> = variables::utf8_variables().collect();
    let shard = planned_shard(args)?;
    let destinations = args.outputs.destinations()?;
    let quick = compose(args, &environment)?;
    log::add_secrets(&SecretSet::new(quick.variables.values().cloned()));
    if args.quick.print_scenario {
        return print_scenario(&quick);
    }
    let environment = Environment::new(environment.into_iter().chain(quick.variables.clone()));
    if let Some(request) = args.rendezvous.request(args.shard, &destinations)? {
        return run_member(args, request, (&quick, &environment), &destinations, evidence);
    }
    let earlier = args.continues.as_deref();
    let earlier = earlier.map(|run| ContinuedRun::open(run, args.run.runs_dir())).transpose()?;
    let mut plan = ExtendablePlan::of(args, &quick, &environment, shard)?;
    for plan in std::iter::once(&mut plan.plan).chain(&mut plan.extension) {
        (plan.pacing, plan.consent) = (args.run.pacing(), args.run.consent());
        plan.secrets.extend(&destinations.secrets());
        if let Some(earlier) = &earlier {
            earlier.adopt_horizons(plan);
        }
    }
    let baseline = find_baseline(args, &plan.plan, &destinations)?;
    if let Some(ShardPlan { start, .. }) = plan.plan.shard_plan {
        if let Some(earlier) = EarlierShard::find(&plan.plan, args.run.runs_dir())? {
            return earlier.report(args.shard, (&destinations, args.run.reports()));
        }
        shard::check_start(start, clock::wall_clock())?;
    }
    // The plan holds the `every` of a scenario file. A sharded run never repeats.
    match args.every.or(plan.plan.every) {
        Some(_) if earlier.is_some() => Err(CommandError::usage(
            "error: --continue and repeated runs cannot be combined: a run is continued by one \
             other; leave out --continue or `every`",
        )),
        Some(period) => {
            let grid = (period, args.times);
            repeat::repeat(&plan, &args.run, baseline.as_ref(), &destinations, evidence, grid)
        }
        None if args.times.is_some() => Err(CommandError::usage(
            "error: --times is the number of repeated runs; add --every, such as `--every 5m`",
        )),
        None => {
            let referenced = ReferencedRuns {
                continued: earlier.as_ref(),
                baseline: baseline.as_ref(),
                history: Some(history_place(args, &destinations)),
                member: None,
            };
            let run = plan.execute(&args.run, &RunSignals::listen()?, referenced)?;
            once(args, &quick, (&plan.plan, run), &destinations, evidence)
        }
    }
}

/// Meets other machines, runs this machine's shard, and merges all of them if a flag asks for that.
fn run_member(
    args: &Args,
    request: RendezvousRequest,
    (quick, environment): (&UrlScenarios, &Environment),
    destinations: &OutputDestinations,
    evidence: &EvidenceFile,
) -> Result<ExitStatus, CommandError> {
    let mut plan = plan(args, quick, environment, Some(request.assumed_shard()))?;
    (plan.pacing, plan.consent) = (args.run.pacing(), args.run.consent());
    plan.secrets.extend(&destinations.secrets());
    // What is refused only later would keep the others waiting.
    guard::check(&plan)?;
    find_baseline(args, &plan, destinations)?;
    if plan.every.or(args.every).is_some() || args.times.is_some() {
        return Err(CommandError::usage(
            "error: runs that several machines share are not repeated; leave out `every` and --times",
        ));
    }
    let signals = RunSignals::listen()?;
    let place = history_place(args, destinations);
    let mut plan = learned_limits::learn(&plan, &args.run.tags(), &place).into_owned();
    let member = match request.join(&plan, args.shard, &signals)? {
        JoinEnd::Member(member) => member,
        JoinEnd::Ended(exit) => return Ok(exit),
        JoinEnd::Repeated(exit) => return merge_if_asked(args, exit, destinations, &signals),
    };
    plan.shard_plan = Some(member.plan);
    let referenced = ReferencedRuns { member: Some(&member), ..ReferencedRuns::default() };
    // From the end of the load on; during it, the run says itself what a signal does.
    signals.say_without_run("Stopping once the run is stored (signal again to end at once)");
    let run = session::execute(&plan, &args.run, &signals, referenced)?;
    let part = FinishedRun::new(run.record.clone(), &run.folder, args.run.reports());
    let exit = if args.rendezvous.merged_name().is_some() {
        let exit = destinations.store(&run);
        outputs::write_reports_or_warn(&run);
        exit
    } else {
        once(args, quick, (&plan, run), destinations, evidence)?
    };
    if StoreMark::read(&part.folder).unsynced.is_some() && !member.store_again(&part, &signals)? {
        // Without its run, the member leaves the rendezvous.
        return Err(CommandError::internal(format!(
            "the others cannot use this shard until `tollgate sync` has stored it; then merge with \
             `tollgate merge --rendezvous {}`",
            member.name()
        )));
    }
    member.finish(part.record.id, shard::measured_its_part(&part.record));
    merge_if_asked(args, exit, destinations, &signals)
}

/// Merges the shards of a rendezvous after this machine's own, which ended with `exit`, if a flag
/// asks for that.
fn merge_if_asked(
    args: &Args,
    exit: ExitStatus,
    destinations: &OutputDestinations,
    signals: &RunSignals,
) -> Result<ExitStatus, CommandError> {
    let Some(name) = args.rendezvous.merged_name() else { return Ok(exit) };
    let options = MergeOptions {
        runs_dir: args.run.runs_dir(),
        console: args.run.console(),
        report: args.run.reports(),
        git_commit: args.run.commit().map(str::to_owned),
        tags: args.run.tags(),
        destinations,
    };
    options.merge_rendezvous(name, CollectOptions::default(), signals)
}

/// The run to compare with, found before anything is sent.
fn find_baseline(
    args: &Args,
    plan: &Plan,
    destinations: &OutputDestinations,
) -> Result<Option<RunBaseline>, CommandError> {
    if !args.baseline.is_given() {
        return Ok(None);
    }
    if plan.shard_plan.is_some() {
        return Err(CommandError::usage(
            "error: --baseline and --shard cannot be combined: a shard is not the whole run; \
             compare the merged run with `tollgate compare`",
        ));
    }
    let tags = args.run.tags();
    let place = (args.run.runs_dir(), tags.get(ENVIRONMENT_TAG));
    args.baseline.find(plan, place, destinations.database().cloned())
}

/// Reports the only run of a plan.
fn once(
    args: &Args,
    quick: &UrlScenarios,
    (plan, run): (&Plan, FinishedRun),
    destinations: &OutputDestinations,
    evidence: &EvidenceFile,
) -> Result<ExitStatus, CommandError> {
    let history = history_place(args, destinations);
    let run = gate::apply_policies(run, &history);
    let (delivery, reported) =
        results::report_run(&run, args.run.console(), ResultForm::Full, || destinations.send(&run));
    if !quick.scenarios.is_empty() && plan.shard_plan.is_none() {
        next_steps::print_advice(&run, plan, args.quick.without_latency());
    }
    next_steps::print_continuation(&run, plan);
    let exit = evidence.append_run(&run, delivery, reported.as_ref().err());
    alert::send_alerts(plan, &run, &history);
    reported?;
    let shard_exit = args.shard.exit_of(&run.record, exit, args.rendezvous.is_given());
    if shard_exit != exit && StoreMark::read(&run.folder).unsynced.is_none() {
        tracing::info!(
            "Exit code 0: the shard measured its part, and the merge decides (--shard-exit verdict keeps {})",
            exit as u8
        );
    }
    Ok(shard_exit)
}

/// Where earlier runs are.
fn history_place<'a>(args: &'a Args, destinations: &'a OutputDestinations) -> HistoryPlace<'a> {
    HistoryPlace { runs_dir: args.run.runs_dir(), database: destinations.database() }
}

/// The shard this machine runs, checked against the other flags.
fn planned_shard(args: &Args) -> Result<Option<ShardPlan>, CommandError> {
    let other = [
        ("--every", args.every.is_some()),
        ("--continue", args.continues.is_some()),
        ("--print-scenario", args.quick.print_scenario),
    ];
    let is_shared = args.shard.is_given() || args.rendezvous.is_given();
    if let Some((flag, _)) = other.into_iter().find(|&(_, given)| given && is_shared) {
        let shared = if args.shard.is_given() { "--shard" } else { "--rendezvous" };
        return Err(CommandError::usage(format!(
            "error: {shared} and {flag} cannot be combined: several machines share one run; leave one of them out"
        )));
    }
    if args.rendezvous.is_given() { Ok(None) } else { args.shard.planned() }
}

/// The scenarios of the URLs.
fn compose(
    args: &Args,
    environment: &BTreeMap<String, String>,
) -> Result<UrlScenarios, CommandError> {
    let urls = quick::urls(&args.sources);
    // Overrides change only plans and files. A printed scenario has to contain their values itself.
    let printed = args.quick.print_scenario;
    let around = ComposeContext {
        duration: args.duration,
        every: args.every.filter(|_| printed),
        target: if printed { args.connection.keys(&args.addresses) } else { Vec::new() },
        taken: if urls.is_empty() { BTreeSet::new() } else { quick::names(&args.sources) },
        shared: quick::shared_overrides(args.duration, &args.connection, &args.addresses),
        variables: environment,
        is_duet: false,
    };
    args.quick.compose(&urls, &around)
}

impl ExtendablePlan {
    /// The plan of the command line, and its extension.
    fn of(
        args: &Args,
        quick: &UrlScenarios,
        environment: &Environment,
        shard: Option<ShardPlan>,
    ) -> Result<Self, CommandError> {
        let plan = plan(args, quick, environment, shard)?;
        let resolved = extension::length(&plan).map(|length| {
            let overrides = PlanOverrides { duration: Some(length), ..overrides(args, shard) };
            resolve(args, quick, environment, &overrides)
        });
        let mut extension = resolved.transpose()?.map(|(plan, _)| plan);
        for scenario in extension.iter_mut().flat_map(|extension| &mut extension.scenarios) {
            let length = duration_literal(scenario.load.duration());
            let caveat = format!("this run extends an inconclusive one, so it measures {length}");
            scenario.shown.caveats.push(caveat);
        }
        Ok(Self { plan, extension })
    }
}

fn overrides(args: &Args, shard: Option<ShardPlan>) -> PlanOverrides {
    PlanOverrides {
        every: args.every,
        shard_plan: shard,
        adds_to_earlier: args.continues.is_some(),
        ..args.quick.plan_overrides(&args.connection, &args.addresses, args.duration)
    }
}

fn resolve(
    args: &Args,
    quick: &UrlScenarios,
    environment: &Environment,
    overrides: &PlanOverrides,
) -> Result<(Plan, Vec<ScenarioWarning>), CommandError> {
    let resolved = quick
        .read(&args.sources)
        .and_then(|scenarios| Plan::resolve(&scenarios, environment, overrides));
    Ok(resolved?)
}

/// What machines elsewhere do with these flags.
pub(super) struct RemotePlan {
    /// The plan of one shard, without the values of secrets.
    pub(super) plan: Plan,
    pub(super) scenarios: Vec<Scenario>,
    /// What the flags say about the time before the start.
    pub(super) times: MeetingTimes,
}

/// The plan of one shard of these flags without the values of secrets, which only the machines
/// have. `holder` is what gives the flags to them, such as `a printed file`. A public variable that
/// is not set is a warning. Prints the warnings.
pub(super) fn resolve_remote_plan(
    args: &Args,
    shard: ShardPlan,
    holder: &str,
) -> Result<RemotePlan, CommandError> {
    args.outputs.check()?;
    let environment: BTreeMap<String, String> = variables::utf8_variables().collect();
    let quick = compose(args, &environment)?;
    if !quick.variables.is_empty() {
        return Err(CommandError::usage(format!(
            "error: a typed header or proxy holds a secret, which {holder} must not; set a variable, and write its name, \
             such as `--header 'Authorization: Bearer ${{TOKEN}}'`"
        )));
    }
    let scenarios = quick.read(&args.sources)?;
    let mut secret: BTreeSet<String> = scenarios.iter().flat_map(Scenario::variables).collect();
    for public in scenarios.iter().flat_map(Scenario::public_variables) {
        secret.remove(&public);
    }
    let environment = Environment::for_check(environment).with_elsewhere(secret);
    let (mut plan, warnings) =
        Plan::resolve(&scenarios, &environment, &overrides(args, Some(shard)))?;
    plan.consent = args.run.consent();
    for warning in warnings {
        tracing::warn!("{}", warning.render(stderr_has_colour()));
    }
    guard::check(&plan)?;
    check::prepare(&plan)?;
    Ok(RemotePlan { plan, scenarios, times: args.rendezvous.times() })
}

/// The plan of all URLs and files, in the order of the command line. Prints its warnings.
fn plan(
    args: &Args,
    quick: &UrlScenarios,
    environment: &Environment,
    shard: Option<ShardPlan>,
) -> Result<Plan, CommandError> {
    let (plan, warnings) = resolve(args, quick, environment, &overrides(args, shard))?;
    for warning in warnings {
        tracing::warn!("{}", warning.render(stderr_has_colour()));
    }
    let is_repeating = args.every.or(plan.every).is_some();
    connection::warn_caveats(&plan, args.run.console().is_among_messages() && !is_repeating);
    connection::warn_machine_limits(&plan);
    Ok(plan)
}

fn print_scenario(quick: &UrlScenarios) -> Result<ExitStatus, CommandError> {
    for name in quick.variables.keys() {
        tracing::warn!(
            variable = name,
            "The file does not contain the value typed for {name}; set the variable when you run it"
        );
    }
    for scenario in &quick.scenarios {
        Console::print_plain(&scenario.text)?;
    }
    Ok(ExitStatus::Pass)
}
