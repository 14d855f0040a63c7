//! A tuning session as data: what was tried, what was measured, and what follows from it.

mod attempt;
mod conclusion;
mod machine;
mod sample;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Budget, HostFacts, micros, run_name};

pub use attempt::{Attempt, CurveEnd, SteadyStage};
pub use conclusion::{
    Advice, ConfigurationOutcome, CurveClass, CurveFigures, Difference, Estimate, FigureKind,
    FigureOutcome, Finding, SessionConclusion, ThrottleOutcome,
};
pub use machine::{
    AddedMachine, ColdState, CpuReading, MachineFacts, QuotaReading, StartKind, TimeSpan,
};
pub use sample::{ExchangeSample, SampleHeat};

/// The version of the session record's format. It increases when the meaning of a field changes.
pub const SESSION_FORMAT: u32 = 1;

/// Everything known about one tuning session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The version of the record's format.
    pub format: u32,
    /// The session's id (UUID version 7).
    pub id: Uuid,
    /// The name in its plan file.
    pub name: String,
    /// When, where and by which version it was executed.
    pub provenance: SessionProvenance,
    /// What was planned, without secrets.
    pub plan: SessionPlanFacts,
    /// The attempts, in the order of time.
    pub attempts: Vec<Attempt>,
    /// The machines that commands of the plan added and that nothing removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_machines: Vec<AddedMachine>,
    /// Why the session has no further attempts; `None` while some are to come, also after a kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<SessionEnding>,
    /// What follows from the attempts; made anew whenever the session is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<SessionConclusion>,
}

impl SessionRecord {
    /// The most configurations that a record may have: many times what a plan file may.
    pub const MOST_CONFIGURATIONS: usize = 2_000;
    /// The most attempts that a record may have: many times what a plan file may ask for.
    pub const MOST_ATTEMPTS: usize = 20_000;

    /// Its name in lists, and that of its folder; see [`run_name`].
    pub fn folder_name(&self) -> String {
        run_name(self.provenance.started, self.id)
    }

    /// Whether `tollgate tune --resume` can go on with it. The machines of a demo are gone.
    pub fn can_be_resumed(&self) -> bool {
        self.ending != Some(SessionEnding::Complete)
            && self.provenance.imported_from.is_none()
            && !self.provenance.command.iter().any(|word| word == "--demo")
    }

    /// How many attempts were planned: one for each configuration and round.
    pub fn planned_attempts(&self) -> u64 {
        self.plan.configurations.len() as u64 * u64::from(self.plan.rounds)
    }

    /// The attempts that tried a configuration, in the order of time.
    pub fn attempts_of(&self, configuration: usize) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(move |attempt| attempt.configuration == configuration)
    }
}

/// When, where and by which version a session was executed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionProvenance {
    /// When the session started (RFC 3339, UTC). A session that was resumed keeps its start.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// The version of tollgate that wrote the record last.
    pub tollgate: String,
    /// The machine that wrote the record last.
    pub host: HostFacts,
    /// The command as typed, with secrets redacted.
    pub command: Vec<String>,
    /// The git commit of the software under test, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
    /// The session's tags: `environment`, `deploy`, or any other.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What the session was imported from: a file's name or kind; `None` if it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported_from: Option<String>,
    /// What follows from imported records and what does not, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub import_notes: Vec<String>,
}

/// What a session was planned to do, in words and without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionPlanFacts {
    /// The Fly app; `None` if machines are not managed (`cold = "none"`, imported sessions).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The scenario whose requests are sent.
    pub scenario: String,
    /// The target's base URL without user information and query.
    pub base_url: String,
    /// The state that the app is brought into before each attempt.
    pub cold: ColdState,
    /// How many times each configuration is tried.
    pub rounds: u32,
    /// The seed of the order of the configurations within rounds.
    pub seed: u64,
    /// Requests per second of the warm-up curve.
    pub curve_rate: f64,
    /// How long a curve may last.
    #[serde(rename = "curve_limit_us", with = "micros")]
    pub curve_limit: Duration,
    /// The load of the steady stage in one line: `open, 20/s constant for 40s`.
    pub steady_load: String,
    /// The latency budgets of the scenario's requests, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Budget>,
    /// The configurations. The first one is what the others are compared with.
    pub configurations: Vec<Configuration>,
}

/// One configuration of the app, and how it is applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// Its name.
    pub name: String,
    /// Why it may help; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hypothesis: String,
    /// How it is applied, in one line: the patch as JSON or the command; empty if nothing changes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub change: String,
    /// The CPUs and memory of its machines in one line, `shared-cpu-1x, 1024 MB`, once an attempt
    /// has shown them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub size: String,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ended", content = "why")]
pub enum SessionEnding {
    /// Every planned attempt was made.
    Complete,
    /// A signal stopped it.
    Interrupted,
    /// It could not go on; the text says why.
    Failed(String),
}
