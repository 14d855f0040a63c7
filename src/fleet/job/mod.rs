//! One run that an engine starts as several shards, and what each engine reads to do so.

mod checkout;
mod github;
mod gitlab;
mod kubernetes;
mod layout;
mod slurm;
#[cfg(test)]
mod tests;
mod warnings;

use std::time::Duration;

use super::deadline::MeetingTimes;
use super::error::JobError;
use super::shell;

pub(super) use layout::{below, common_folder};

/// The variable that names the store. It is not a variable of a job: each engine has its own
/// reference to it.
pub const STORE_VARIABLE: &str = "DATABASE_URL";

/// The variables that name the store; the first that is set counts.
pub const STORE_VARIABLES: [&str; 2] = ["TOLLGATE_STORE", STORE_VARIABLE];

/// How long the merge waits for a shard after the planned end, generously.
const MERGE_SLACK: Duration = Duration::from_mins(5);

/// A run that several machines share.
#[derive(Debug, Clone)]
pub struct FleetJob {
    /// The name of the job on the engine, with which the rendezvous begins.
    pub name: JobName,
    /// The number of machines.
    pub shards: u32,
    /// URLs and paths of scenario files, as they are typed.
    pub sources: Vec<JobSource>,
    /// Further flags of `tollgate run` for each shard, without those that name files here.
    pub flags: Vec<String>,
    /// The certificates that `--ca` names.
    pub ca: Option<JobFile>,
    /// Flags of `tollgate merge`: the outputs of the whole run.
    pub merge_flags: Vec<String>,
    /// The variables that the scenarios need, without [`STORE_VARIABLE`].
    pub variables: Vec<JobVariable>,
    /// Whether a scenario reads [`STORE_VARIABLE`].
    pub reads_store: bool,
    /// The longest load.
    pub length: Duration,
    /// Where the shards meet.
    pub meeting: MeetingPlace,
    /// What the flags say about the time before the start.
    pub times: MeetingTimes,
    /// The absolute path of the repository that the files are in, or of the current folder.
    pub repository: String,
    /// Random suffix for the names of a job whose engine gives its runs no number.
    pub run_suffix: String,
}

/// What one word of the command line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobSource {
    /// A URL.
    Url(String),
    /// A scenario file.
    File(JobFile),
}

/// A scenario file, and the files that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFile {
    /// The path as it was typed.
    pub typed: String,
    /// Its absolute path, without `.` and `..`.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
    /// The files that it names.
    pub attached: Vec<AttachedContent>,
}

/// A file that a scenario names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedContent {
    /// The path as the scenario says it.
    pub written: String,
    /// Its absolute path, without `.` and `..`.
    pub path: String,
    /// What it holds.
    pub content: FileContent,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// Bytes that everyone who can read the job may read.
    Public(Vec<u8>),
    /// Rows with columns that are not public.
    SecretRows,
    /// A private key.
    PrivateKey,
}

/// An engine, and what only it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetEngine {
    /// Two Jobs and a `ConfigMap` of Kubernetes.
    Kubernetes {
        /// The image of tollgate.
        image: String,
        /// The Secret with the variables.
        secret: JobName,
        /// The certificate authorities of the database, as PEM.
        store_ca: Option<String>,
    },
    /// A shell script that submits two jobs to Slurm.
    Slurm,
    /// A workflow of GitHub Actions.
    GitHub {
        /// The action, with its version: `OWNER/tollgate@v0.1.0`.
        action: String,
    },
    /// A pipeline of GitLab CI.
    GitLab {
        /// The address of the release to download.
        release: String,
    },
}

/// A variable of the scenarios.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobVariable {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub origin: VariableOrigin,
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableOrigin {
    /// It is public, and this is its value.
    Public(String),
    /// It is public, and not set here: the engine has it.
    PublicElsewhere,
    /// It is secret: the engine has it.
    Secret {
        /// Whether the scenarios cannot do without it.
        is_required: bool,
    },
}

/// Where the shards meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingPlace {
    /// In the database.
    Store,
    /// Nowhere: they start at a time that is fixed when the job is submitted, this much later, and
    /// the merge reads their folders.
    StartTime(Duration),
}

/// The name of a job: a DNS label, short enough for suffixes, ours and those of engines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobName(String);

impl JobName {
    /// The maximum length.
    pub const LONGEST: usize = 43;

    /// A name as it is typed.
    pub fn parse(text: &str) -> Result<Self, JobError> {
        let is_inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_label = text.len() <= Self::LONGEST
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.chars().all(is_inside);
        if is_label {
            return Ok(Self(text.to_owned()));
        }
        Err(JobError::new(
            format!("`{}` is not a name of a job", text.escape_debug()),
            format!(
                "write at most {} lower-case letters, digits and `-`, with a letter first, such as `shop`",
                Self::LONGEST
            ),
        ))
    }

    /// A name made of that of a scenario, with `end` appended.
    pub fn of_scenario(scenario: &str, end: &str) -> Self {
        let lower = scenario.to_lowercase();
        let words =
            lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let joined = words.collect::<Vec<_>>().join("-");
        let start = joined.trim_start_matches(|c: char| !c.is_ascii_lowercase());
        let room = Self::LONGEST.saturating_sub(end.len());
        let cut = start.get(..start.len().min(room)).unwrap_or_default().trim_end_matches('-');
        Self(format!("{}{end}", if cut.is_empty() { "tollgate" } else { cut }))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl JobSource {
    /// The word as it was typed.
    fn typed(&self) -> &str {
        match self {
            Self::Url(url) => url,
            Self::File(file) => &file.typed,
        }
    }

    /// The word on a machine that has the files at these paths.
    pub(super) fn word(&self, path: impl Fn(&JobFile) -> String) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::File(file) => path(file),
        }
    }

    fn file(&self) -> Option<&JobFile> {
        match self {
            Self::Url(_) => None,
            Self::File(file) => Some(file),
        }
    }
}

impl FleetJob {
    /// The file that makes an engine run this job.
    pub fn write(&self, engine: &FleetEngine) -> Result<String, JobError> {
        match engine {
            FleetEngine::Kubernetes { image, secret, store_ca } => {
                self.refuse_comment("Kubernetes")?;
                kubernetes::write(self, image, secret, store_ca.as_deref())
            }
            FleetEngine::Slurm => {
                self.refuse_comment("Slurm")?;
                Ok(slurm::write(self))
            }
            FleetEngine::GitHub { action } => {
                self.refuse_comment("a workflow that is started by hand")?;
                github::write(self, action)
            }
            FleetEngine::GitLab { release } => gitlab::write(self, release),
        }
    }

    /// Refuses a comment where there is no pull request. The merge would refuse it after the load.
    fn refuse_comment(&self, engine: &str) -> Result<(), JobError> {
        if !self.has_merge_flag("--comment") {
            return Ok(());
        }
        Err(JobError::new(
            format!("--comment is for the pull request of a CI job, and {engine} has none"),
            "leave it out",
        ))
    }

    /// The scenario files, and the file of `--ca`.
    pub(super) fn files(&self) -> impl Iterator<Item = &JobFile> {
        self.sources.iter().filter_map(JobSource::file).chain(&self.ca)
    }

    /// How long a shard may take before the engine ends it, in whole minutes.
    fn shard_minutes(&self) -> u64 {
        let times = match self.meeting {
            MeetingPlace::Store => self.times,
            MeetingPlace::StartTime(start_in) => MeetingTimes { wait: Some(start_in), lead: None },
        };
        times.longest_life(self.length).as_secs() / 60
    }

    /// How long the merge may take before the engine ends it, in whole minutes.
    fn merge_minutes(&self) -> u64 {
        self.shard_minutes() + MERGE_SLACK.as_secs() / 60
    }

    fn has_store(&self) -> bool {
        self.meeting == MeetingPlace::Store
    }

    /// The flags of a merge that begins once the shards have ended: none comes any more.
    fn late_merge_flags(&self) -> Vec<String> {
        let wait = self.has_store().then(|| "--rendezvous-wait=10s".to_owned());
        wait.into_iter().chain(self.merge_flags.iter().cloned()).collect()
    }

    fn has_merge_flag(&self, flag: &str) -> bool {
        self.merge_flags.iter().any(|word| word.split('=').next() == Some(flag))
    }

    /// The files that flags make the merge write, each with its flag without dashes.
    fn merged_files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        ["junit", "metrics"].into_iter().filter_map(|kind| Some((kind, self.merged_file(kind)?)))
    }

    /// The file that a flag makes the merge write; its kind is the flag without its dashes.
    fn merged_file(&self, kind: &str) -> Option<&str> {
        let flag = format!("--{kind}");
        let at = self.merge_flags.iter().position(|word| word.split('=').next() == Some(&flag))?;
        match self.merge_flags[at].split_once('=') {
            Some((_, value)) => Some(value),
            None => self.merge_flags.get(at + 1).map(String::as_str),
        }
    }

    /// The variables that the merge reads, if they are set, in addition to that of the store.
    fn merge_variables(&self) -> &'static [&'static str] {
        if self.has_merge_flag("--otlp") { &["OTEL_EXPORTER_OTLP_HEADERS"] } else { &[] }
    }

    /// The variables that the engine must have: the store's, then those of the scenarios.
    fn required_elsewhere(&self) -> Vec<&str> {
        let is_required = |variable: &&JobVariable| match variable.origin {
            VariableOrigin::Public(_) => false,
            VariableOrigin::PublicElsewhere => true,
            VariableOrigin::Secret { is_required } => is_required,
        };
        let store = self.has_store().then_some(STORE_VARIABLE);
        let names =
            self.variables.iter().filter(is_required).map(|variable| variable.name.as_str());
        store.into_iter().chain(names).collect()
    }

    /// The public variables with their values.
    fn public(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().filter_map(|variable| match &variable.origin {
            VariableOrigin::Public(value) => Some((variable.name.as_str(), value.as_str())),
            _ => None,
        })
    }

    /// The flags of `tollgate run` on a machine that has the files at these paths.
    pub(super) fn run_flags(&self, path: impl Fn(&JobFile) -> String) -> Vec<String> {
        let ca = self.ca.iter().flat_map(|file| ["--ca".to_owned(), path(file)]);
        self.flags.iter().cloned().chain(ca).collect()
    }

    /// The words of `tollgate run` on such a machine.
    fn run_words(&self, path: impl Fn(&JobFile) -> String) -> Vec<String> {
        let sources = self.sources.iter().map(|source| source.word(&path));
        let words = std::iter::once("run".to_owned()).chain(sources);
        words.chain(self.run_flags(&path)).collect()
    }

    /// The same as a part of a shell command.
    fn run_command(&self, path: impl Fn(&JobFile) -> String) -> String {
        shell::command(self.run_words(path).iter().map(String::as_str))
    }

    /// `tollgate merge` of these words of a shell, with the flags of a merge that begins once the
    /// shards have ended.
    fn merge_command(&self, program: &str, runs: &str) -> String {
        let mut command = format!("{program} merge {runs}");
        for flag in self.late_merge_flags() {
            command = format!("{command} {}", shell::quote(&flag));
        }
        command
    }

    /// The sources in one line of a comment.
    fn sources_in_words(&self) -> String {
        self.sources.iter().map(JobSource::typed).collect::<Vec<_>>().join(", ")
    }

    /// The first lines of a file: what it does, and what it was made with.
    fn heading(&self, engine: &str) -> Vec<String> {
        vec![
            format!(
                "{} machines of {engine} send the load of {} as one run, with one verdict.",
                self.shards,
                self.sources_in_words()
            ),
            format!("Written by tollgate {}.", env!("CARGO_PKG_VERSION")),
        ]
    }
}
