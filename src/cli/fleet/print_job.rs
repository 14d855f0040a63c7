//! Gathers what the file of an engine needs: the plan, checked without the values of secrets, and
//! the files and variables of its scenarios.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use clap::{Args as _, FromArgMatches as _};

use super::super::exit::CommandError;
use super::super::{log, quick, run, stray_variables, variables};
use super::shared_args::SharedArgs;
use crate::engine::clock;
use crate::files;
use crate::fleet::{
    AttachedContent, FileContent, FleetJob, JobFile, JobName, JobSource, JobVariable, MeetingPlace,
    VariableOrigin,
};
use crate::library_text::describe_io;
use crate::plan::{Plan, ScenarioPlan, Shard, ShardPlan};
use crate::scenario::{AttachedFile, Scenario};
use crate::units::ByteSize;

/// The largest file that a job may hold. Engines have lower limits.
const LARGEST_FILE: ByteSize = ByteSize(1 << 30);

/// Flags of `run` that the printed file sets itself, or that several machines cannot share.
const RESERVED: [&str; 13] = [
    "--shard",
    "--start-at",
    "--shard-exit",
    "--rendezvous",
    "--of",
    "--verdict",
    "--runs-dir",
    "--every",
    "--times",
    "--continue",
    "--baseline",
    "--print-scenario",
    "--store",
];

/// The job of a command line. `name` makes its name of that of the first scenario.
pub(super) fn job(
    args: &SharedArgs,
    meeting: MeetingPlace,
    name: impl FnOnce(&str) -> JobName,
) -> Result<FleetJob, CommandError> {
    stray_variables::check(&args.sources)?;
    let flags = flags(args)?;
    let shard = Shard { index: 0, of: args.shards };
    let start = clock::wall_clock() + time::Duration::minutes(10);
    let shard = ShardPlan { shard, start, clock: None };
    let (plan, scenarios) = resolve(args, &flags, (meeting, shard))?;
    let first = scenarios.first().map_or("", Scenario::name);
    let sources = args.sources.iter().zip(&scenarios).zip(&plan.scenarios);
    let sources = sources.map(|((word, scenario), plan)| source(word, scenario, plan));
    let length =
        plan.scenarios.iter().map(|plan| plan.load.duration() + plan.target.timeouts.whole);
    Ok(FleetJob {
        name: name(first),
        shards: args.shards,
        sources: sources.collect::<Result<_, _>>()?,
        flags,
        variables: job_variables(&scenarios),
        length: length.max().unwrap_or(Duration::ZERO),
        meeting,
    })
}

/// The flags for `run`, as text.
fn flags(args: &SharedArgs) -> Result<Vec<String>, CommandError> {
    let flags = args.flags.iter().map(text);
    let flags: Vec<String> = flags.collect::<Result<_, _>>()?;
    let reserved = |flag: &String| {
        let name = flag.split('=').next().unwrap_or_default();
        RESERVED.into_iter().find(|reserved| *reserved == name)
    };
    match flags.iter().find_map(reserved) {
        None => Ok(flags),
        Some("--store") => Err(CommandError::usage(
            "error: --store may hold a password, which a printed file must not; set DATABASE_URL where the job runs",
        )),
        Some(flag) => Err(CommandError::usage(format!(
            "error: {flag} cannot be passed on: the printed file sets it itself, or several machines cannot share it; \
             leave it out"
        ))),
    }
}

fn text(word: &OsString) -> Result<String, CommandError> {
    word.to_str().map(str::to_owned).ok_or_else(|| {
        let shown = word.to_string_lossy();
        CommandError::usage(format!(
            "error: `{shown}` is not text in UTF-8, which the files of engines are; rename it"
        ))
    })
}

/// The plan that `run` would have on each machine, and its scenarios. Prints their warnings.
fn resolve(
    args: &SharedArgs,
    flags: &[String],
    (meeting, shard): (MeetingPlace, ShardPlan),
) -> Result<(Plan, Vec<Scenario>), CommandError> {
    // Some flags are valid only next to those that the printed file adds.
    let added: &[&str] = match meeting {
        MeetingPlace::Store => &["--rendezvous", "name"],
        MeetingPlace::StartTime(_) => &["--shard", "1/2", "--start-at", "15:00"],
    };
    let flags = flags.iter().map(OsString::from).chain(added.iter().map(OsString::from));
    let words = args.sources.iter().cloned().chain(flags);
    let command = run::Args::augment_args(clap::Command::new("tollgate run").no_binary_name(true));
    let parsed = command
        .try_get_matches_from(words)
        .and_then(|matches| run::Args::from_arg_matches(&matches));
    let run = parsed.map_err(|error| CommandError::usage(error.to_string()))?;
    let (plan, scenarios) = run::plan_to_print(&run, shard)?;
    log::add_secrets(&plan.secrets);
    Ok((plan, scenarios))
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

/// The variables of all scenarios, by name, each with where its value comes from.
fn job_variables(scenarios: &[Scenario]) -> Vec<JobVariable> {
    let set: BTreeMap<String, String> = variables::utf8_variables().collect();
    let names: BTreeSet<String> = scenarios.iter().flat_map(Scenario::variables).collect();
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
    names.into_iter().filter_map(variable).collect()
}
