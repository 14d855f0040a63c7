//! One run that an engine starts as several shards, and what each engine reads to do so.

mod github;
mod gitlab;
mod kubernetes;
mod layout;
mod slurm;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::error::JobError;
use super::shell;

/// The variable that names the store.
const STORE: &str = "DATABASE_URL";

/// How long a shard may take in addition to its load: the wait for the others, the setup, the
/// warm-up and the last answers.
const SLACK: Duration = Duration::from_mins(10);

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
    /// Further flags of `tollgate run`.
    pub flags: Vec<String>,
    /// The variables that the scenarios need, without those of the store.
    pub variables: Vec<JobVariable>,
    /// The longest load.
    pub length: Duration,
    /// Where the shards meet.
    pub meeting: MeetingPlace,
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

/// The name of a job: a DNS label, short enough for the suffixes that engines add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobName(String);

impl JobName {
    /// The maximum length.
    pub const LONGEST: usize = 52;

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
                kubernetes::write(self, image, secret, store_ca.as_deref())
            }
            FleetEngine::Slurm => Ok(slurm::write(self)),
            FleetEngine::GitHub { action } => github::write(self, action),
            FleetEngine::GitLab { release } => gitlab::write(self, release),
        }
    }

    /// How long a shard may take before the engine ends it, in whole minutes.
    fn shard_minutes(&self) -> u64 {
        let lead = match self.meeting {
            MeetingPlace::Store => Duration::ZERO,
            MeetingPlace::StartTime(lead) => lead,
        };
        (self.length + lead + SLACK).as_secs().div_ceil(60)
    }

    /// How long the merge may take before the engine ends it, in whole minutes.
    fn merge_minutes(&self) -> u64 {
        self.shard_minutes() + MERGE_SLACK.as_secs() / 60
    }

    fn has_store(&self) -> bool {
        self.meeting == MeetingPlace::Store
    }

    /// The variables that the engine must have: the store's, then those of the scenarios.
    fn required_elsewhere(&self) -> Vec<&str> {
        let is_required = |variable: &&JobVariable| match variable.origin {
            VariableOrigin::Public(_) => false,
            VariableOrigin::PublicElsewhere => true,
            VariableOrigin::Secret { is_required } => is_required,
        };
        let store = self.has_store().then_some(STORE);
        let names =
            self.variables.iter().filter(is_required).map(|variable| variable.name.as_str());
        store.into_iter().chain(names.filter(|name| store != Some(*name))).collect()
    }

    /// The public variables with their values.
    fn public(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().filter_map(|variable| match &variable.origin {
            VariableOrigin::Public(value) => Some((variable.name.as_str(), value.as_str())),
            _ => None,
        })
    }

    /// The words of `tollgate run` with its sources as they are typed, and its flags.
    fn run_words(&self) -> Vec<&str> {
        let sources = self.sources.iter().map(JobSource::typed);
        ["run"].into_iter().chain(sources).chain(self.flags.iter().map(String::as_str)).collect()
    }

    /// The same as a part of a shell command.
    fn run_command(&self) -> String {
        shell::command(self.run_words())
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

    /// Refuses files that a checkout of the repository would not have at the same place.
    fn check_checkout(&self) -> Result<(), JobError> {
        for file in self.sources.iter().filter_map(JobSource::file) {
            let leaves =
                file.typed.starts_with('/') || file.typed.split('/').any(|part| part == "..");
            if leaves {
                return Err(JobError::new(
                    format!("{} is not a path inside the repository", file.typed.escape_debug()),
                    "run this command in the root of the repository, with a path relative to it",
                ));
            }
            let is_key = |file: &&AttachedContent| file.content == FileContent::PrivateKey;
            if let Some(key) = file.attached.iter().find(is_key) {
                return Err(JobError::new(
                    format!(
                        "{} names the private key {}, which a repository must not hold",
                        file.typed.escape_debug(),
                        key.written.escape_debug()
                    ),
                    "use Kubernetes or Slurm for this scenario",
                ));
            }
        }
        Ok(())
    }
}
