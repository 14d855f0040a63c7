//! Gathers what the file of an engine needs: the plan, checked without the values of secrets, and
//! the files and variables of its scenarios.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use clap::FromArgMatches as _;
use time::macros::format_description;
use uuid::Uuid;

use super::super::exit::CommandError;
use super::super::run::RemotePlan;
use super::super::{guard, log, quick, run, stray_variables, variables};
use super::job_command::JobCommand;
use super::passed_flags::{self, PassedFlags};
use super::shared_args::SharedArgs;
use super::typed_values;
use crate::engine::clock;
use crate::files;
use crate::fleet::{
    AttachedContent, FileContent, FleetJob, JobFile, JobName, JobSource, JobVariable, MeetingPlace,
    STORE_VARIABLE, STORE_VARIABLES, VariableOrigin,
};
use crate::library_text::describe_io;
use crate::plan::{Plan, ScenarioPlan, Shard, ShardPlan};
use crate::record::in_utc;
use crate::scenario::{AttachedFile, Scenario};
use crate::units::ByteSize;

/// The largest file that a job may hold. Engines have lower limits.
const LARGEST_FILE: ByteSize = ByteSize(1 << 30);

/// The job of a command line. `name` makes its name of that of the first scenario.
pub(super) fn job(
    command: JobCommand,
    args: &SharedArgs,
    name: impl FnOnce(&str) -> JobName,
) -> Result<FleetJob, CommandError> {
    stray_variables::check(&args.sources)?;
    let words: Vec<String> = args.flags.iter().map(text).collect::<Result<_, _>>()?;
    let flags = PassedFlags::read(&words, command)?;
    typed_values::check(&args.sources, flags.all(), command)?;
    let RemotePlan { plan, scenarios, times } = resolve(command, args, &words)?;
    log::add_secrets(&plan.secrets);
    warn_of_loopback(&plan);
    let first = scenarios.first().map_or("", Scenario::name);
    let sources = args.sources.iter().zip(&scenarios).zip(&plan.scenarios);
    let sources = sources.map(|((word, scenario), plan)| source(word, scenario, plan));
    let length =
        plan.scenarios.iter().map(|plan| plan.load.duration() + plan.target.timeouts.whole);
    Ok(FleetJob {
        name: name(first),
        shards: args.shards,
        sources: sources.collect::<Result<_, _>>()?,
        flags: flags.for_shards(),
        ca: flags.ca().map(certificates).transpose()?,
        merge_flags: flags.for_merge(),
        variables: job_variables(command.meeting(), &scenarios)?,
        reads_store: scenarios
            .iter()
            .flat_map(Scenario::variables)
            .any(|name| name == STORE_VARIABLE),
        length: length.max().unwrap_or(Duration::ZERO),
        meeting: command.meeting(),
        times,
        repository: repository()?,
        run_suffix: random_suffix(),
    })
}

/// What distinguishes a job from all others: 8 hexadecimal digits.
fn random_suffix() -> String {
    Uuid::new_v4().simple().to_string().chars().take(8).collect()
}

/// The end of a name that is used once.
pub(super) fn time_suffix() -> String {
    let format = format_description!("-[year][month][day]-[hour][minute][second]");
    in_utc(clock::wall_clock()).format(format).unwrap_or_default()
}

/// A target that is this machine is another one on each machine.
fn warn_of_loopback(plan: &Plan) {
    for scenario in &plan.scenarios {
        if let Some(host) = guard::loopback_host(scenario) {
            tracing::warn!(
                "WARNING: {}: {host} is this machine, so each machine would probe itself; name the target as the machines \
                 reach it",
                scenario.shown.name
            );
        }
    }
}

/// The folder of the repository that this folder is in; this folder if it is in none.
fn repository() -> Result<String, CommandError> {
    let here = absolute(Path::new("."))?;
    let root = Path::new(&here).ancestors().find(|folder| folder.join(".git").exists());
    Ok(root.and_then(Path::to_str).map_or_else(|| here.clone(), str::to_owned))
}

/// The file of `--ca`.
fn certificates(typed: &str) -> Result<JobFile, CommandError> {
    Ok(JobFile {
        typed: typed.to_owned(),
        path: absolute(Path::new(typed))?,
        content: read_pem(Path::new(typed))?.into_bytes(),
        attached: Vec::new(),
    })
}

fn text(word: &OsString) -> Result<String, CommandError> {
    word.to_str().map(str::to_owned).ok_or_else(|| {
        let shown = word.to_string_lossy();
        CommandError::usage(format!(
            "error: `{shown}` is not text in UTF-8, which the files of engines are; rename it"
        ))
    })
}

/// The plan that `run` would have on each machine. Prints its warnings.
fn resolve(
    command: JobCommand,
    args: &SharedArgs,
    flags: &[String],
) -> Result<RemotePlan, CommandError> {
    // Some flags are valid only next to those that the job adds.
    let added: &[&str] = match command.meeting() {
        MeetingPlace::Store => &["--rendezvous", "name"],
        MeetingPlace::StartTime(_) => &["--shard", "1/2", "--start-at", "15:00"],
    };
    let flags = flags.iter().map(OsString::from).chain(added.iter().map(OsString::from));
    let words = args.sources.iter().cloned().chain(flags);
    let parsed = passed_flags::run_command()
        .try_get_matches_from(words)
        .and_then(|matches| run::Args::from_arg_matches(&matches));
    let run = parsed.map_err(|error| CommandError::usage(error.to_string()))?;
    let shard = Shard { index: 0, of: args.shards };
    let start = clock::wall_clock() + time::Duration::minutes(10);
    run::resolve_remote_plan(&run, ShardPlan { shard, start, clock: None }, command.holder())
}

/// One word of the command line, with the files that it needs.
fn source(
    word: &OsString,
    scenario: &Scenario,
    plan: &ScenarioPlan,
) -> Result<JobSource, CommandError> {
    let typed = text(word)?;
    if quick::is_url(word) {
        return Ok(JobSource::Url(typed));
    }
    let attached = scenario.attached_files();
    let attached = attached.iter().map(|file| attached_content(file, scenario, plan));
    Ok(JobSource::File(JobFile {
        path: absolute(Path::new(&typed))?,
        content: scenario.source.text().as_bytes().to_vec(),
        attached: attached.collect::<Result<_, _>>()?,
        typed,
    }))
}

fn attached_content(
    file: &AttachedFile,
    scenario: &Scenario,
    plan: &ScenarioPlan,
) -> Result<AttachedContent, CommandError> {
    let path = scenario.source.resolve(&file.path);
    // The digest is there if all columns are public.
    let has_secret_rows = plan
        .shown
        .data
        .as_ref()
        .is_some_and(|data| data.file == file.path && data.sha256.is_none());
    let content = if file.is_secret {
        FileContent::PrivateKey
    } else if has_secret_rows {
        FileContent::SecretRows
    } else {
        FileContent::Public(read(&path)?)
    };
    Ok(AttachedContent { written: file.path.clone(), path: absolute(&path)?, content })
}

/// The text of a file with certificates, which must not have a private key too.
pub(super) fn read_pem(path: &Path) -> Result<String, CommandError> {
    let text = String::from_utf8(read(path)?).unwrap_or_default();
    if text.contains("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE KEY-----") {
        return Ok(text);
    }
    Err(CommandError::usage(format!(
        "error: {} is not a PEM file with certificates alone; name the file of the authorities",
        path.display()
    )))
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    files::read_regular(path, LARGEST_FILE).map_err(|error| {
        let why = describe_io(&error);
        let path = path.display();
        CommandError::usage(format!("error: {path} cannot be read: {why}; make the file readable"))
    })
}

/// The absolute path without `.` and `..`.
fn absolute(path: &Path) -> Result<String, CommandError> {
    let path = std::path::absolute(path).map_err(CommandError::internal)?;
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    text(&clean.into_os_string())
}

/// The variables of all scenarios, by name, each with where its value comes from. That of the store
/// is not one of them. Refuses to give it to shards that do without a store: they would use it.
fn job_variables(
    meeting: MeetingPlace,
    scenarios: &[Scenario],
) -> Result<Vec<JobVariable>, CommandError> {
    let set: BTreeMap<String, String> = variables::utf8_variables().collect();
    let mut names: BTreeSet<String> = scenarios.iter().flat_map(Scenario::variables).collect();
    let is_refused = |store: &str| store != STORE_VARIABLE || meeting != MeetingPlace::Store;
    for store in STORE_VARIABLES {
        if names.remove(store) && is_refused(store) {
            return Err(CommandError::usage(format!(
                "error: a scenario reads {store}, which names the database of the shards; rename it in the scenario"
            )));
        }
    }
    let public: BTreeSet<_> = scenarios.iter().flat_map(Scenario::public_variables).collect();
    let required: BTreeSet<_> = scenarios.iter().flat_map(Scenario::required_variables).collect();
    let origin = |name: &String| {
        let is_required = required.contains(name);
        let value = set.get(name).filter(|value| !value.is_empty());
        match (public.contains(name), value) {
            (true, Some(value)) => Some(VariableOrigin::Public(value.clone())),
            // Without a value its default applies.
            (true, None) => is_required.then_some(VariableOrigin::PublicElsewhere),
            (false, _) => Some(VariableOrigin::Secret { is_required }),
        }
    };
    let variable = |name: String| Some(JobVariable { origin: origin(&name)?, name });
    Ok(names.into_iter().filter_map(variable).collect())
}
