//! `tollgate fleet fly`: one run on Fly Machines that live as long as the run.

use std::time::Duration;

use uuid::Uuid;

use super::fly_journal::{self, JournalFile};
use super::fly_machines::{EndedMachine, FleetEnd, FleetMachines};
use super::fly_restore::FleetsDir;
use super::fly_verdict::MergeFlags;
use super::job_command::JobCommand;
use super::print_job;
use super::shared_args::SharedArgs;
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::fly_access::{self, api_error};
use crate::cli::signals::RunSignals;
use crate::engine::clock;
use crate::fleet::{
    FleetCost, FleetName, FlyFleet, FlyMachineKind, HourlyPrice, JobName, JournalStart,
};
use crate::fly::{AppName, FlyEnvironment, FlyProblem};
use crate::postgres::DatabaseAddress;
use crate::store::Database;
use crate::units::{MachineSize, UnitError, duration_literal, parse_duration};

const EXAMPLES: &str = "\
Examples:
  tollgate fleet fly shop.toml --app load --shards 8 --region ord,fra --image registry.fly.io/load:1
  tollgate fleet fly shop.toml --app load --shards 4 --region ord --image … -- --rate 800/s --yes-load-this-host
  tollgate fleet restore                                 after a kill

The app needs no machine of its own: `fly apps create load`. DATABASE_URL and what the scenario keeps secret are \
secrets of the app: `fly secrets set DATABASE_URL=… --stage --app load`. This machine needs FLY_API_TOKEN, and \
DATABASE_URL of the same database.

Exit codes are those of the merged run (`tollgate run --help`), and:
  2  usage: a flag, the scenario or the app is wrong, or a secret is missing; no machine was made
  3  inconclusive, also if it was interrupted
  4  internal: not all machines could be made, no shard did its part or can be merged, or machines may be left";

/// The number of machines above which `--yes` is needed.
const FEW: u32 = 8;

/// Run scenarios on Fly Machines, one shard each, and judge the whole run
///
/// Makes the machines in one app, waits until they have ended, destroys what is left, and merges
/// their runs by way of the database. Machines are destroyed after an error, Ctrl-C, SIGTERM and
/// SIGHUP too; after a kill, `tollgate fleet restore` does it. No other machine of the app is
/// touched.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    shared: SharedArgs,
    /// The app to make the machines in
    #[arg(long, value_name = "NAME", value_parser = AppName::parse)]
    app: AppName,
    /// The regions, which the machines take in turns
    #[arg(long, value_name = "REGIONS", required = true, value_delimiter = ',')]
    #[arg(value_parser = parse_region)]
    region: Vec<String>,
    /// The image, with tollgate as its entrypoint
    #[arg(long)]
    image: String,
    /// The path of tollgate in the image, if it is not the entrypoint
    #[arg(long, value_name = "PATH")]
    entrypoint: Option<String>,
    /// The size of each machine. Shared CPUs stand still once their quota is spent, which can void
    /// a run
    #[arg(long, value_parser = str::parse::<MachineSize>, default_value = "performance-1x")]
    size: MachineSize,
    /// The price of one machine for an hour in US dollars, to show the cost
    #[arg(long, value_name = "USD", value_parser = str::parse::<HourlyPrice>)]
    hourly_price: Option<HourlyPrice>,
    /// How long the machines wait for each other once all are made
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5m")]
    rendezvous_wait: Duration,
    /// The time from the arrival of the last machine to the start, for setup and warm-up [default:
    /// 10s, and more for many setup steps and warm-up requests]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    lead: Option<Duration>,
    /// Make more than 8 machines
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    folder: FleetsDir,
    #[command(flatten)]
    merge: MergeFlags,
}

pub(super) fn fly(args: &Args) -> Result<ExitStatus, CommandError> {
    let (destinations, database) = args.merge.destinations()?;
    let fleet = fleet(args)?;
    let announced = announcement(args, &fleet);
    if fleet.shards > FEW && !args.yes {
        return Err(CommandError::usage(format!(
            "error: more than {FEW} machines need your consent; add --yes to make them\n{announced}"
        )));
    }
    let environment = fly_access::environment()?;
    let signals = RunSignals::listen_saying(
        "Stopping: no machine will be made (signal again to end at once)",
    )?;
    let checked = check_app(args, &fleet, &environment, &signals)
        .and_then(|()| check_database(&fleet, &database));
    if signals.stops_within(Duration::ZERO) {
        tracing::warn!("WARNING: interrupted before any machine was made");
        return Ok(ExitStatus::Inconclusive);
    }
    checked?;
    warn_of_others(args)?;
    tracing::info!("{announced}");
    let end = run_machines(args, &fleet, &environment, &signals)?;
    let name = &fleet.name.name;
    if end.was_interrupted {
        tracing::warn!("WARNING: interrupted, so nothing was merged");
        return Ok(ExitStatus::Inconclusive);
    }
    judge_ends(args, &fleet, &end)?;
    if signals.stops_within(Duration::ZERO) {
        tracing::warn!(
            "WARNING: interrupted, so nothing was merged; `tollgate merge --rendezvous {name}` merges the shards"
        );
        return Ok(ExitStatus::Inconclusive);
    }
    let merged = args.merge.merge_rendezvous(name, &destinations, &signals);
    // Load was sent, so nothing that fails from here on is a usage error.
    merged.map_err(CommandError::into_internal)
}

/// The machines of the command line. Nothing is sent, and nobody is asked.
fn fleet(args: &Args) -> Result<FlyFleet, CommandError> {
    let id = Uuid::new_v4().simple().to_string();
    let name = |scenario: &str| {
        let end = format!("{}-{}", print_job::time_suffix(), id.get(..4).unwrap_or_default());
        args.shared.name.clone().unwrap_or_else(|| JobName::of_scenario(scenario, &end))
    };
    let job = print_job::job(JobCommand::Fly, &args.shared, name)?;
    let name = FleetName {
        name: job.name.as_str().to_owned(),
        mark: format!("{}/{id}", job.name.as_str()),
    };
    let kind = FlyMachineKind {
        size: args.size,
        image: args.image.clone(),
        entrypoint: args.entrypoint.clone(),
        rendezvous_wait: args.rendezvous_wait,
        lead: args.lead,
    };
    FlyFleet::of_job(&job, name, args.region.clone(), kind)
        .map_err(|error| CommandError::usage(format!("error: {error}")))
}

/// What is about to be made, where, and what it costs.
fn announcement(args: &Args, fleet: &FlyFleet) -> String {
    let cost = FleetCost {
        machines: fleet.shards,
        longest: fleet.longest_life(),
        price: args.hourly_price,
    };
    let (name, app) = (&fleet.name.name, &args.app);
    format!("Fleet {name} in app {app}: {}\n  {cost}", fleet.summary())
}

/// Refuses an app that does not exist, or lacks secrets that the shards need.
fn check_app(
    args: &Args,
    fleet: &FlyFleet,
    environment: &FlyEnvironment,
    signals: &RunSignals,
) -> Result<(), CommandError> {
    let (mut client, _) = fly_access::client(environment, &args.app, signals);
    client.list_machines().map_err(|error| api_error(&error))?;
    let names = match client.secret_names() {
        Ok(names) => names,
        // A token may be allowed to make machines only.
        Err(error)
            if matches!(
                error.problem(),
                FlyProblem::TokenRefused { .. } | FlyProblem::NotFound { .. }
            ) =>
        {
            tracing::warn!("WARNING: {error}; whether all secrets are set is not known");
            return Ok(());
        }
        Err(error) => return Err(api_error(&error)),
    };
    let missing = fleet.missing_secrets(&names);
    if missing.is_empty() {
        return Ok(());
    }
    let remedies: Vec<_> = missing.iter().map(|name| fleet.secret_remedy(name)).collect();
    Err(CommandError::usage(format!(
        "error: the shards need secrets that app {} does not have: {}; set them with `fly secrets \
         set {} --stage --app {}`",
        args.app,
        missing.join(", "),
        remedies.join(" "),
        args.app
    )))
}

/// Refuses a database that cannot be reached, or knows the fleet's name. Without it here, load
/// would be sent that nobody can judge.
fn check_database(fleet: &FlyFleet, address: &DatabaseAddress) -> Result<(), CommandError> {
    let name = &fleet.name.name;
    if Database::open(address)?.rendezvous_state(name)?.is_none() {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "error: `{name}` has had its run: the database knows a rendezvous of this name; choose another --name, or \
         leave it out"
    )))
}

/// Warns of fleets that left machines behind.
fn warn_of_others(args: &Args) -> Result<(), CommandError> {
    let journals = fly_journal::journals(&args.folder.fleets_dir)?;
    let left: Vec<_> = journals.iter().filter(|path| !fly_journal::is_in_progress(path)).collect();
    for path in left {
        tracing::warn!(
            "WARNING: a killed fleet may have left machines behind: run `tollgate fleet restore {}`",
            path.display()
        );
    }
    Ok(())
}

/// Makes the machines, waits until they have ended, and destroys what is left, however that ended.
fn run_machines(
    args: &Args,
    fleet: &FlyFleet,
    environment: &FlyEnvironment,
    signals: &RunSignals,
) -> Result<FleetEnd, CommandError> {
    let names = fleet.machines().map(|machine| machine.name);
    let api = environment.machines_url().as_str();
    let start =
        JournalStart::new(&fleet.name, (args.app.as_str(), api), clock::wall_clock(), names);
    let journal = JournalFile::create(&args.folder.fleets_dir, start)?;
    let path = journal.path().to_owned();
    let mut machines = FleetMachines::new(environment, &args.app, journal, signals);
    signals.say_without_run("Stopping: destroying the machines (signal again to end at once)");
    let ended = machines.make(fleet).and_then(|()| {
        let life = fleet.longest_life();
        if !signals.stops_within(Duration::ZERO) {
            let most = duration_literal(life);
            tracing::info!("Waiting until the machines have ended, for at most {most}");
        }
        machines.await_end(life)
    });
    let ended = match ended {
        Err(error) if machines.may_exist() => Err(error.into_internal()),
        ended => ended,
    };
    signals
        .say_without_run("Stopping once the machines are destroyed (signal again to end at once)");
    match machines.destroy_all() {
        Ok(destroyed) => {
            match destroyed.len() {
                0 => {}
                1 => tracing::info!("Destroyed the machine that was left"),
                left => tracing::info!("Destroyed the {left} machines that were left"),
            }
            machines.into_journal().remove()?;
            ended
        }
        Err(error) => {
            if let Err(first) = ended {
                tracing::error!("{first}");
            }
            Err(CommandError::internal(format!(
                "{error}; machines may be left, and cost money: run `tollgate fleet restore {}`",
                path.display()
            )))
        }
    }
}

/// Reports the machines whose program failed. It is an error if no shard can have a run.
fn judge_ends(args: &Args, fleet: &FlyFleet, end: &FleetEnd) -> Result<(), CommandError> {
    for name in &end.running {
        tracing::warn!("WARNING: {name} did not end in time, and was destroyed");
    }
    for EndedMachine { name, id, exit_code } in &end.ended {
        if let Some(code) = exit_code.filter(|code| *code != 0) {
            tracing::warn!(
                "WARNING: {name} ended with exit code {code}: `fly logs --app {} --machine {id}`",
                args.app
            );
        }
    }
    let codes: Vec<_> = end.ended.iter().map(|machine| machine.exit_code).collect();
    // A shard that was stopped, or that is only inconclusive, has stored its run.
    let has_failed = |code: &Option<i64>| matches!(code, Some(code) if ![0, 3].contains(code));
    if codes.len() < usize::try_from(fleet.shards).unwrap_or(usize::MAX)
        || !codes.iter().all(has_failed)
    {
        return Ok(());
    }
    Err(CommandError::internal("no shard did its part: see the logs of the machines"))
}

/// Checks a region: three letters.
fn parse_region(text: &str) -> Result<String, UnitError> {
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_lowercase());
    is_code.then(|| text.to_owned()).ok_or_else(|| {
        let remedy = "write three letters, such as `ord`; `fly platform regions` lists them";
        UnitError::new(format!("`{text}` is not a region"), remedy)
    })
}
