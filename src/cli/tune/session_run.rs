//! `tollgate tune PLAN`: a session from its plan file to its conclusion.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::app_machines::{self, AppMachines};
use super::attempt::AttemptContext;
use super::machine_choice::AppRequest;
use super::quota::{MetricPace, QuotaMeter};
use super::restore_file::{self, RestoreStore};
use super::session_facts::{note_size, plan_difference, plan_facts, session_provenance};
use super::{FolderFlags, reports, restore};
use crate::cli::connection::{self, AddressFlags, ConnectionFlags};
use crate::cli::console::{OutputFormat, stderr_has_colour};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::outputs::database;
use crate::cli::run_time::new_run_id;
use crate::cli::session::RunFlags;
use crate::cli::signals::RunSignals;
use crate::cli::{evidence, guard, log, stray_variables, variables};
use crate::engine::clock;
use crate::fly::{AppName, FlyEnvironment, MachineId};
use crate::plan::{Environment, Plan, SecretSet};
use crate::record::session::{
    Attempt, ColdState, QuotaReading, SESSION_FORMAT, SessionEnding, SessionPlanFacts,
    SessionProvenance, SessionRecord,
};
use crate::report::SessionModel;
use crate::scenario::{OverrideValue, Scenario, ScenarioOverrides, Template};
use crate::store::{self, Database, SessionFolder, UploadLimits};
use crate::tune::conclude::conclude;
use crate::tune::plan_file::{ConfigurationChange, SessionPlan};
use crate::tune::rounds::{PlannedAttempt, planned_attempts, remaining_attempts};
use crate::units::{format_duration, parse_duration};

/// The header by which Fly's proxy sends a request to one machine.
const PIN_HEADER: &str = "fly-force-instance-id";

/// So many attempts in a row without a result end a session.
const MAX_PROBLEMS: usize = 3;

/// What a session tries, and what it may do to the app.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(super) struct Flags {
    /// The Fly app whose machines may be changed; must be the one that the plan file names
    #[arg(long, value_name = "NAME", help_heading = "App")]
    pub(super) app: Option<String>,
    /// Use only this machine, and pin every request to it
    #[arg(long, value_name = "ID", help_heading = "App")]
    pub(super) machine: Option<String>,
    /// Allow attempts to leave the app without a running machine
    #[arg(long, help_heading = "App")]
    pub(super) allow_downtime: bool,
    /// How long the first request of an attempt may take, boot included
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = parse_duration, help_heading = "Session")]
    pub(super) first_limit: Duration,
    /// How many times each configuration is tried [default: the plan file's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Session")]
    pub(super) rounds: Option<u32>,
    /// Go on with an earlier session of the same plan: its folder, its name, or `latest`. With more
    /// `--rounds`, a session that is complete goes on too
    #[arg(long, value_name = "SESSION", help_heading = "Session")]
    pub(super) resume: Option<PathBuf>,
    #[command(flatten)]
    pub(super) folder: FolderFlags,
    #[command(flatten)]
    pub(super) connection: ConnectionFlags,
    #[command(flatten)]
    pub(super) run: RunFlags,
    #[command(flatten)]
    pub(super) evidence: evidence::Flags,
    /// How far apart the app's metrics are; only simulated machines differ from Fly's 15 s
    #[arg(long, value_name = "DURATION", hide = true, value_parser = parse_duration)]
    pub(super) metric_step: Option<Duration>,
}

/// A session that this process writes, and its record.
type OpenSession = (SessionFolder, SessionRecord);

/// What a session needs besides its flags.
pub(super) struct SessionInput {
    pub(super) plan: SessionPlan,
    pub(super) scenario: Scenario,
    pub(super) variables: BTreeMap<String, String>,
    /// How Fly's API is reached, if the app is managed.
    pub(super) fly: Option<FlyEnvironment>,
    pub(super) pace: MetricPace,
    /// Whether to warn of what the scenario is too short for. The demo chose it so.
    pub(super) warns: bool,
}

/// Reads the plan file and its scenario, and runs the session.
pub(super) fn tune_plan(path: &Path, flags: &Flags) -> Result<ExitStatus, CommandError> {
    stray_variables::check(&[path.as_os_str().to_owned()])?;
    let rendered = |errors: crate::scenario::ScenarioErrors| {
        CommandError::usage(errors.render(stderr_has_colour()))
    };
    let plan = SessionPlan::read(path).map_err(rendered)?;
    let scenario = Scenario::read(&plan.scenario).map_err(rendered)?;
    let fly = plan.app.is_some().then(app_machines::environment).transpose()?;
    let pace = flags
        .metric_step
        .map_or_else(MetricPace::default, |step| MetricPace { step, delay: step * 2 });
    let variables = variables::utf8_variables().collect();
    run_session(SessionInput { plan, scenario, variables, fly, pace, warns: true }, flags)
}

/// Runs a session: every attempt that was not made yet.
pub(super) fn run_session(
    mut input: SessionInput,
    flags: &Flags,
) -> Result<ExitStatus, CommandError> {
    input.plan.rounds = flags.rounds.unwrap_or(input.plan.rounds);
    let app = named_app(&input.plan, flags)?;
    let load = resolve(&input, flags)?;
    let evidence = flags.evidence.open(&[], flags.run.commit())?;
    let database = database::optional_upload(flags.folder.store())?;
    let signals = RunSignals::listen()?;
    let (mut machines, resumed) = find_app(&input, &load, app.as_ref(), flags, &signals)?;
    let (folder, mut record) = match resumed {
        Some(resumed) => resumed,
        None => begin_session(&input, &load, flags)?,
    };
    let save = |machines: &AppMachines<'_>| {
        RestoreStore::create(folder.path(), machines.restore_file(clock::wall_clock()))
    };
    let mut store = machines.as_ref().map(save).transpose()?;
    let context = AttemptContext {
        plan: &input.plan,
        load: &load,
        flags: &flags.run,
        signals: &signals,
        first_limit: flags.first_limit,
        store_run: &|run| {
            // What fails is marked and reported, and `tollgate sync` uploads it.
            let _marked = database.as_ref().map(|database| database.write(run));
        },
        evidence: &evidence,
    };
    let made = make_attempts(&context, &folder, &mut record, machines.as_mut().zip(store.as_mut()));
    let restored = restore_machines(machines.as_mut(), store, folder.path());
    record.ending = Some(match &made {
        Ok(ending) => ending.clone(),
        Err(error) => SessionEnding::Failed(log::redact(&error.to_string())),
    });
    if restored.is_ok() {
        read_quotas(&input, app.as_ref(), &signals, &mut record);
    }
    let written = finish(&folder, &mut record, flags).and_then(|()| store_session(&record, flags));
    // An app that is still changed matters more than anything else that failed.
    restored?;
    made?;
    written?;
    Ok(exit_of(&record))
}

/// The session to go on with, and the machines of the app. What an earlier process of the session
/// changed is restored first, so that the machines are the original ones.
fn find_app<'a>(
    input: &SessionInput,
    load: &Plan,
    app: Option<&AppName>,
    flags: &Flags,
    signals: &'a RunSignals,
) -> Result<(Option<AppMachines<'a>>, Option<OpenSession>), CommandError> {
    let resumed = open_earlier(input, load, flags)?;
    let (Some(app), Some(environment)) = (app, &input.fly) else { return Ok((None, resumed)) };
    if let Some((folder, _)) = &resumed {
        restore::restore_earlier(environment, folder.path(), signals)?;
    }
    restore::refuse_unrestored(flags.folder.sessions_dir(), app, environment)?;
    let machines = find_machines(environment, app, &input.plan, flags, signals)?;
    Ok((Some(machines), resumed))
}

/// Reads the metrics of every attempt without any. They arrive late, so this comes last.
fn read_quotas(
    input: &SessionInput,
    app: Option<&AppName>,
    signals: &RunSignals,
    record: &mut SessionRecord,
) {
    let is_stopped = || signals.stops_within(Duration::ZERO);
    let mut quota = QuotaMeter::new(input.fly.as_ref(), app, input.pace, Box::new(is_stopped));
    if signals.stops_within(quota.delay()) {
        return;
    }
    let is_unknown = |attempt: &&mut Attempt| matches!(attempt.quota, QuotaReading::NotKnown(_));
    for attempt in record.attempts.iter_mut().filter(is_unknown) {
        attempt.quota = quota.read(attempt);
    }
}

/// The app that the plan changes. It must be named twice, so that no file alone can stop machines.
fn named_app(plan: &SessionPlan, flags: &Flags) -> Result<Option<AppName>, CommandError> {
    let usage = |message: String| CommandError::usage(format!("error: {message}"));
    match (&plan.app, &flags.app) {
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

fn find_machines<'a>(
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
fn resolve(input: &SessionInput, flags: &Flags) -> Result<Plan, CommandError> {
    let rendered = |errors: crate::scenario::ScenarioErrors| {
        CommandError::usage(errors.render(stderr_has_colour()))
    };
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
    let scenario = input.scenario.clone().with_overrides(&pinned).map_err(rendered)?;
    let environment = Environment::new(input.variables.clone());
    let overrides = flags.connection.overrides(&AddressFlags::default(), None);
    let (mut plan, warnings) =
        Plan::resolve(&[scenario], &environment, &overrides).map_err(rendered)?;
    if input.warns {
        for warning in warnings {
            tracing::warn!("{}", warning.render(stderr_has_colour()));
        }
        connection::warn_caveats(&plan, flags.run.console().is_among_messages());
    }
    plan.pacing = flags.run.pacing();
    plan.secrets.extend(&SecretSet::new(input.variables.get("FLY_API_TOKEN").cloned()));
    log::add_secrets(&plan.secrets);
    guard::check(&plan, flags.run.may_load_foreign_hosts())?;
    Ok(plan)
}

/// The folder and the record of a new session.
fn begin_session(
    input: &SessionInput,
    load: &Plan,
    flags: &Flags,
) -> Result<OpenSession, CommandError> {
    let provenance = session_provenance(load, &flags.run);
    let record = SessionRecord {
        format: SESSION_FORMAT,
        id: new_run_id(provenance.started),
        name: input.plan.name.clone(),
        provenance,
        plan: plan_facts(&input.plan, load),
        attempts: Vec::new(),
        ending: None,
        conclusion: None,
    };
    let folder = SessionFolder::create(flags.folder.sessions_dir(), &record)?;
    Ok((folder, record))
}

/// The folder and the record of the session to go on with, if one is named.
fn open_earlier(
    input: &SessionInput,
    load: &Plan,
    flags: &Flags,
) -> Result<Option<OpenSession>, CommandError> {
    let Some(earlier) = &flags.resume else { return Ok(None) };
    let path = store::find_session(earlier, flags.folder.sessions_dir())?;
    let (folder, mut record) = SessionFolder::open(&path)?;
    let facts = plan_facts(&input.plan, load);
    if let Some(difference) = plan_difference(&record.plan, &facts) {
        return Err(CommandError::usage(format!(
            "error: {} cannot go on with this plan: {difference}; leave out --resume to begin a \
             new session",
            record.folder_name()
        )));
    }
    record.plan = SessionPlanFacts { configurations: record.plan.configurations, ..facts };
    let started = record.provenance.started;
    record.provenance = SessionProvenance { started, ..session_provenance(load, &flags.run) };
    record.ending = None;
    Ok(Some((folder, record)))
}

/// Makes every attempt that is left, and keeps the session's folder up to date.
fn make_attempts(
    context: &AttemptContext<'_>,
    folder: &SessionFolder,
    record: &mut SessionRecord,
    mut app: Option<(&mut AppMachines<'_>, &mut RestoreStore)>,
) -> Result<SessionEnding, CommandError> {
    let plan = context.plan;
    let planned = planned_attempts(plan.configurations.len(), plan.rounds, plan.seed);
    let left = remaining_attempts(&planned, &record.attempts);
    let (count, mut problems) = (planned.len(), 0);
    for (index, next) in left.iter().enumerate() {
        if context.signals.stops_within(Duration::ZERO) {
            return Ok(SessionEnding::Interrupted);
        }
        announce(plan, *next, count - left.len() + index + 1, count);
        let number = record.attempts.last().map_or(0, |last| last.number) + 1;
        let app = app.as_mut().map(|(machines, store)| (&mut **machines, &mut **store));
        let attempt = context.make(number, *next, app)?;
        report_attempt(&attempt);
        problems = if attempt.problem.is_some() { problems + 1 } else { 0 };
        note_size(record, &attempt);
        let why = attempt.problem.clone();
        let steady_run = attempt.steady.as_ref().map(|steady| steady.run_name.clone());
        record.attempts.push(attempt);
        record.conclusion = Some(conclude(record));
        reports::write_session(folder, record)?;
        let run_file = |run| context.flags.runs_dir().join(run).join("run.json");
        let files: Vec<PathBuf> = steady_run.map(run_file).into_iter().collect();
        context.evidence.append_attempt(record, number, &files);
        if context.signals.stops_within(Duration::ZERO) {
            return Ok(SessionEnding::Interrupted);
        }
        if let Some(why) = why.filter(|_| problems >= MAX_PROBLEMS) {
            let why =
                format!("{MAX_PROBLEMS} attempts in a row had no result; the last one: {why}");
            return Ok(SessionEnding::Failed(why));
        }
    }
    Ok(SessionEnding::Complete)
}

fn announce(plan: &SessionPlan, next: PlannedAttempt, number: usize, count: usize) {
    let configuration = &plan.configurations[next.configuration].name;
    tracing::info!(
        attempt = number,
        round = next.round,
        configuration,
        "Attempt {number} of {count}: {configuration} (round {})",
        next.round
    );
}

/// One line about an attempt that has ended.
fn report_attempt(attempt: &Attempt) {
    if let Some(problem) = &attempt.problem {
        tracing::warn!("  no result: {problem}");
        return;
    }
    let answered = attempt.first.iter().find(|sample| sample.failure.is_none());
    let first = answered.map(|sample| format_duration(sample.due + sample.latency));
    let steady = attempt.steady.as_ref().and_then(|steady| {
        Some(format_duration(steady.latency.quantile(crate::units::Quantile::P50)?))
    });
    tracing::info!(
        "  first answer {}, {} requests until the curve ended, steady p50 {}",
        first.unwrap_or_else(|| "none".to_owned()),
        attempt.curve.len(),
        steady.unwrap_or_else(|| "unknown".to_owned())
    );
}

/// Brings the app back, and removes the restore file once that is done.
fn restore_machines(
    machines: Option<&mut AppMachines<'_>>,
    store: Option<RestoreStore>,
    folder: &Path,
) -> Result<(), CommandError> {
    let (Some(machines), Some(mut store)) = (machines, store) else { return Ok(()) };
    tracing::info!(
        "Restoring the machines. A second signal would leave the app changed; `tollgate tune \
         restore` then restores it"
    );
    machines.restore(&mut store).map_err(|problem| {
        CommandError::internal(format!(
            "the app was not restored:\n{}\nfix that and run `tollgate tune restore`; it needs {}",
            problem.0,
            folder.join(restore_file::RESTORE_FILE).display()
        ))
    })?;
    store.remove()
}

/// Writes the session with its conclusion, and prints it.
fn finish(
    folder: &SessionFolder,
    record: &mut SessionRecord,
    flags: &Flags,
) -> Result<(), CommandError> {
    record.conclusion = Some(conclude(record));
    let files = reports::write_session(folder, record)?;
    let console = flags.run.console();
    if console.output == OutputFormat::Json {
        crate::cli::console::Console::print_json(
            &serde_json::to_string_pretty(record).map_err(CommandError::internal)?,
        )?;
    } else {
        super::show::print_text(&SessionModel::new(record))?;
        console.print_result(&super::show::list_files(folder.path(), &files))?;
    }
    if record.ending != Some(SessionEnding::Complete) {
        tracing::info!("Add `--resume {}` to go on with this session", record.folder_name());
    }
    Ok(())
}

/// Stores a session in the database, if one is named. A failure is a warning.
fn store_session(record: &SessionRecord, flags: &Flags) -> Result<(), CommandError> {
    let Some(address) = flags.folder.store().address()? else { return Ok(()) };
    let stored = Database::open(&address).and_then(|mut database| {
        let stored = database.store_session(record, UploadLimits::GENEROUS);
        database.close();
        stored
    });
    match stored {
        Ok(_) => tracing::info!("Stored in {}", address.display_name()),
        Err(error) => {
            let why = log::redact(&error.to_string());
            tracing::warn!(
                "WARNING: the session is not stored: {why}\n  It is complete in its folder; \
                 `tollgate sync` uploads it."
            );
        }
    }
    Ok(())
}

/// A complete session with a result for each configuration passes; there is no budget to break.
fn exit_of(record: &SessionRecord) -> ExitStatus {
    let has_result = |index: usize| record.attempts_of(index).any(|one| one.problem.is_none());
    let all = (0..record.plan.configurations.len()).all(has_result);
    match &record.ending {
        Some(SessionEnding::Complete) if all => ExitStatus::Pass,
        _ => ExitStatus::Inconclusive,
    }
}
