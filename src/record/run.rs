//! The record of one run: what was planned, measured and decided, and where it came from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Budget, Failure, Measurement, Verdict};

/// The version of the RunRecord's format; raised when a field changes its meaning.
pub const FORMAT: u32 = 1;

/// Everything known about one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The version of this format: [`FORMAT`].
    pub format: u32,
    /// The run's id (UUID version 7), made by the prober.
    pub id: Uuid,
    /// When, where and by what it was executed.
    pub provenance: RunProvenance,
    /// What was planned, without secrets, in the order of the command.
    pub plan: Vec<PlannedScenario>,
    /// What was measured.
    pub measurement: Measurement,
    /// What was decided.
    pub verdict: Verdict,
}

/// How a run is called, in lists and as a folder: when it started, to the second in UTC, and the
/// last eight hexadecimal digits of its id, which are random: `2026-11-23T18-47-06Z-3bb6c035`.
pub fn run_name(started: OffsetDateTime, id: Uuid) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]Z");
    let started = started.to_offset(time::UtcOffset::UTC).format(format);
    let id = id.simple().to_string();
    format!("{}-{}", started.unwrap_or_else(|_| "run".to_owned()), &id[id.len() - 8..])
}

impl RunRecord {
    /// How it is called; see [`run_name`].
    pub fn name(&self) -> String {
        run_name(self.provenance.started, self.id)
    }

    /// What was planned for a scenario.
    pub fn planned(&self, scenario: &str) -> Option<&PlannedScenario> {
        self.plan.iter().find(|planned| planned.name == scenario)
    }
}

/// When, where and by what a run was executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunProvenance {
    /// When the run started (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// The version of tollgate.
    pub tollgate: String,
    /// The machine.
    pub host: HostFacts,
    /// The command as typed, secrets replaced.
    pub command: Vec<String>,
    /// The git commit of the working directory, where it has one.
    pub git_commit: Option<String>,
    /// What the run was tagged with, to be found again by: `environment`, `deploy`, and whatever
    /// else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// The machine that executed a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Its name.
    pub name: String,
    /// Its operating system: `linux`, `macos`.
    pub os: String,
    /// Its processor architecture: `x86_64`, `aarch64`.
    pub arch: String,
    /// Processors this process may use.
    pub cores: usize,
}

/// One scenario as planned, in words and without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedScenario {
    /// The scenario's name.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// The file it was read from.
    pub source: String,
    /// The target's base URL, without user information and query.
    pub base_url: String,
    /// The load in one line: `open, 20/s constant for 40s, up to 16 connections`.
    pub load: String,
    /// The warm-up in one line: `8 connections, 32 requests`; `none`.
    pub warmup: String,
    /// What a reader of its figures must know, one sentence each, shown in every output: that
    /// certificates are not verified, for instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<String>,
    /// How many exchanges it may have under way, beside how many its budgets want; `None` in the
    /// closed model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityEstimate>,
    /// Its requests; one whose redirects are followed has its hops after it.
    pub requests: Vec<PlannedRequest>,
}

/// How many exchanges a scenario in the open model may have under way at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityEstimate {
    /// Connections times streams: beyond this, arrivals wait.
    pub places: u64,
    /// Peak rate × the longest an arrival may take by its budgets on quantiles (Little's law): with
    /// so many places a target that just holds its budgets makes no arrival wait. `None` without
    /// such a budget.
    pub wanted: Option<u64>,
    /// What to write in the scenario where the places are fewer than those wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// One request as planned, in words and without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedRequest {
    /// The request's name.
    pub name: String,
    /// Method and path: `GET /app?mock=1`; variables that are not public stand as written.
    pub line: String,
    /// Headers sent, variables as written: `X-Hotdash-Synthetic: ${SYNTHETIC_CHECK_TOKEN}`.
    pub headers: Vec<String>,
    /// What the answer must be, one expectation a line: `status = 200`.
    pub expectations: Vec<String>,
    /// The budgets it is judged by.
    pub budgets: Vec<Budget>,
    /// For one hop of a request whose redirects are followed, the name of that request. A hop is
    /// measured on its own, and only when there was a redirect to follow; it is never judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hop_of: Option<String>,
    /// What it may come to without holding up a pass: absent, not configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepts: Vec<Failure>,
    /// What else decides what it comes to, as the scenario writes it, one key a line: `poll = {
    /// every = "250ms", within = "5s" }`, `when_absent = "report"`, `capture.id = json "/id"`. Of a
    /// statement's values there is only how many they are. Older records have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<String>,
}
