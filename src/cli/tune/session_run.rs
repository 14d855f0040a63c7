//! `tollgate tune PLAN`: a session from its plan file to its conclusion.

mod attempt_loop;
mod resolving;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::app_machines::AppMachines;
use super::attempt::AttemptContext;
use super::quota::{MetricPace, QuotaMeter};
use super::restore_file::{self, RestoreStore};
use super::session_facts::{plan_difference, plan_facts, session_provenance};
use super::{FolderFlags, reports, restore};
use crate::cli::connection::ConnectionFlags;
use crate::cli::console::OutputFormat;
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::outputs::database;
use crate::cli::run_time::new_run_id;
use crate::cli::session::RunFlags;
use crate::cli::signals::RunSignals;
use crate::cli::{evidence, fly_access, log, stray_variables, variables};
use crate::engine::clock;
use crate::fly::{AppName, FlyEnvironment};
use crate::plan::Plan;
use crate::record::session::{
    AddedMachine, Attempt, QuotaReading, SESSION_FORMAT, SessionEnding, SessionPlanFacts,
    SessionProvenance, SessionRecord,
};
use crate::report::SessionModel;
use crate::scenario::Scenario;
use crate::store::{self, Database, SessionFolder, UploadLimits};
use crate::tune::conclude::conclude;
use crate::tune::plan_file::{ConfigurationPlan, SessionPlan};
use crate::units::parse_duration;
use attempt_loop::make_attempts;
use resolving::{find_machines, named_app, resolve};

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
    /// How far apart the samples of the app's metrics are; only simulated machines differ from
    /// Fly's 15 s. With `--demo`, simulated time passes 2 s / DURATION times as fast as real time
    #[arg(long, value_name = "DURATION", hide = true, value_parser = parse_duration)]
    pub(super) metric_interval: Option<Duration>,
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
    /// Whether this is the demo: its scenario is short on purpose, and its app ends with it.
    pub(super) is_demo: bool,
}

/// Reads the plan file and its scenario, and runs the session.
pub(super) fn tune_plan(path: &Path, flags: &Flags) -> Result<ExitStatus, CommandError> {
    stray_variables::check(&[path.as_os_str().to_owned()])?;
    let plan = SessionPlan::read(path)?;
    let scenario = Scenario::read(&plan.scenario)?;
    let fly = plan.app.is_some().then(fly_access::environment).transpose()?;
    let pace = flags.metric_interval.map_or_else(MetricPace::default, MetricPace::of_simulation);
    let variables = variables::utf8_variables().collect();
    run_session(SessionInput { plan, scenario, variables, fly, pace, is_demo: false }, flags)
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
    let is_stopped = || signals.stops_within(Duration::ZERO);
    let mut quota =
        QuotaMeter::new(input.fly.as_ref(), app.as_ref(), input.pace, Box::new(is_stopped));
    let context = AttemptContext {
        plan: &input.plan,
        load: &load,
        flags: &flags.run,
        signals: &signals,
        first_limit: flags.first_limit,
        rest: quota.rest(),
        store_run: &|run| {
            // What fails is marked and reported, and `tollgate sync` uploads it.
            let _marked = database.as_ref().map(|database| database.write(run));
        },
        evidence: &evidence,
    };
    let attempts_before = record.attempts.len();
    let made = make_attempts(&context, &folder, &mut record, machines.as_mut().zip(store.as_mut()));
    if record.attempts.len() > attempts_before {
        // What a restore makes the machines do does not belong to the last attempt.
        signals.stops_within(quota.rest());
    }
    let restored = restore_machines(machines.as_mut(), store, folder.path());
    name_added_machines(machines.as_mut(), &mut record);
    record.ending = Some(match &made {
        Ok(ending) => ending.clone(),
        Err(error) => SessionEnding::Failed(log::redact(&error.to_string())),
    });
    if restored.is_ok() {
        read_quotas(&mut quota, &signals, &mut record);
    }
    let written = finish(&folder, &mut record, flags).and_then(|()| store_session(&record, flags));
    if record.can_be_resumed() {
        tracing::info!("Add `--resume {}` to go on with this session", record.folder_name());
    }
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
fn read_quotas(quota: &mut QuotaMeter<'_>, signals: &RunSignals, record: &mut SessionRecord) {
    if signals.stops_within(quota.delay()) {
        return;
    }
    let is_unknown = |attempt: &&mut Attempt| matches!(attempt.quota, QuotaReading::NotKnown(_));
    for attempt in record.attempts.iter_mut().filter(is_unknown) {
        attempt.quota = quota.read(attempt);
    }
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
        added_machines: Vec::new(),
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
    warn_of_hidden_values(&input.plan);
    record.plan = SessionPlanFacts { configurations: record.plan.configurations, ..facts };
    let started = record.provenance.started;
    record.provenance = SessionProvenance { started, ..session_provenance(load, &flags.run) };
    record.ending = None;
    Ok(Some((folder, record)))
}

/// Warns that a change of values that no record holds cannot be seen. A digest of them would let
/// anyone with the record try out guesses.
fn warn_of_hidden_values(plan: &SessionPlan) {
    let hides = |one: &&ConfigurationPlan| one.change.hides_values();
    let names: Vec<_> =
        plan.configurations.iter().filter(hides).map(|one| format!("`{}`", one.name)).collect();
    if !names.is_empty() {
        tracing::warn!(
            "WARNING: the session's record does not hold the values of `env`, `files` and \
             `processes` in {}; go on only if they are the same as before",
            names.join(", ")
        );
    }
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

/// Notes and names the machines that commands added: they cost money, and nothing removes them.
fn name_added_machines(machines: Option<&mut AppMachines<'_>>, record: &mut SessionRecord) {
    let Some(machines) = machines else { return };
    record.added_machines = machines.still_added(&record.added_machines);
    for AddedMachine { id, region, configuration } in &record.added_machines {
        let planned = record.plan.configurations.get(*configuration);
        let name = planned.map_or("a configuration", |planned| planned.name.as_str());
        let app = record.plan.app.as_deref().unwrap_or("APP");
        tracing::warn!(
            "WARNING: machine {id} ({region}) was added by the command of `{name}` and is still \
             there; `fly machine destroy --force --app {app} {id}` removes it"
        );
    }
}

/// Writes the session with its conclusion, and prints it.
fn finish(
    folder: &SessionFolder,
    record: &mut SessionRecord,
    flags: &Flags,
) -> Result<(), CommandError> {
    conclude(record);
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
