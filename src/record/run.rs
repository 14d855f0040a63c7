//! The record of one run: plan, measurement, verdict and provenance.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    BaselineLimit, Budget, Comparison, Decision, DuetSide, Failure, GateDecision, GatePolicy,
    Measurement, PlannedData, PlannedDraw, PlannedDuet, StallHorizon, Verdict,
};
use crate::units::plural;

/// The version of the RunRecord's format. It increases when the meaning of a field changes.
pub const FORMAT: u32 = 1;

/// Everything known about one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// The version of the record's format. It increases when the meaning of a field changes.
    pub format: u32,
    /// The run's id (UUID version 7).
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    /// When, where and by which version it was executed.
    pub provenance: RunProvenance,
    /// What was planned, without secrets, in the order of the command.
    pub plan: Vec<PlannedScenario>,
    /// What was measured.
    pub measurement: Measurement,
    /// What was decided.
    pub verdict: Verdict,
    /// What the policies of `[gate]` made of the verdict; `None` if none of them applied, so that
    /// the exit code follows the verdict, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateDecision>,
    /// What changed since its baseline, or between the two sides of a duet; absent if nothing was
    /// compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Box<Comparison>>,
}

impl RunRecord {
    /// Maximum number of requests of a run, with those of redirects and tries, and of scenarios.
    /// They are looked up by name, which takes quadratic time.
    pub const MOST_REQUESTS: usize = 4_000;

    /// Whether a plan or a measurement with this number of requests in each scenario is too large
    /// for a record; how large, in words.
    pub fn surplus(requests: impl IntoIterator<Item = usize>) -> Option<String> {
        let (scenarios, requests) = requests
            .into_iter()
            .fold((0_usize, 0_usize), |(scenarios, all), own| (scenarios + 1, all + own));
        let most = Self::MOST_REQUESTS;
        (scenarios.max(requests) > most).then(|| {
            format!(
                "{} in {}; a run has at most {most} requests, with redirects and tries, and {most} \
                 scenarios",
                plural(requests as u64, "request"),
                plural(scenarios as u64, "scenario")
            )
        })
    }
}

/// The key of the tag that names what a run measured, such as `staging`.
pub const ENVIRONMENT_TAG: &str = "environment";

/// The key of the tag of an imported run; its value says what kind of file it came from.
pub const IMPORTED_TAG: &str = "imported";

/// The value of [`IMPORTED_TAG`] for an artifact of the old check, `synthetic-check.mjs`. Its
/// durations also hold the start of Node's `fetch`.
pub const NODE_CHECK: &str = "synthetic-check";

/// The value of [`IMPORTED_TAG`] for an artifact of `tollgate synthetic-check`.
pub const OWN_CHECK: &str = "tollgate synthetic-check";

/// What each figure of the old check holds in addition to the request, as a noun phrase.
///
/// Measured on loopback: `fetch` takes 52 to 88 ms at its first use in a process and 0.3 to 4.7 ms
/// at the second.
pub const NODE_FETCH_START: &str = "the start of Node's `fetch`, some 50 to 90 ms";

/// The name of a run in lists and of its folder: `2026-11-23T18-47-06Z-3bb6c035`.
///
/// It consists of the start in UTC, to the second, and the last eight hexadecimal digits of the id,
/// which are random.
pub fn run_name(started: OffsetDateTime, id: Uuid) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]Z");
    let started = in_utc(started).format(format);
    let id = id.simple().to_string();
    format!("{}-{}", started.unwrap_or_else(|_| "run".to_owned()), &id[id.len() - 8..])
}

/// Whether a text has the form of [`run_name`].
pub fn is_run_name(text: &str) -> bool {
    let like = "2026-11-23T18-47-06Z-3bb6c035";
    let (time, id) = text.split_at_checked(21).unwrap_or_default();
    let is_time = time.bytes().zip(like.bytes()).all(|(one, other)| {
        if other.is_ascii_digit() { one.is_ascii_digit() } else { one == other }
    });
    text.len() == like.len() && is_time && id.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// A time in UTC. It keeps its offset if that would leave the calendar, as in the last hours of the
/// year 9999: a file may say any time.
pub fn in_utc(at: OffsetDateTime) -> OffsetDateTime {
    at.checked_to_offset(time::UtcOffset::UTC).unwrap_or(at)
}

impl RunRecord {
    /// Its name; see [`run_name`].
    pub fn name(&self) -> String {
        run_name(self.provenance.started, self.id)
    }

    /// The decision that the exit code follows: that of the gate, or of the verdict if no policy of
    /// `[gate]` applied.
    pub fn gate_decision(&self) -> Decision {
        self.gate.as_ref().map_or(self.verdict.decision, |gate| gate.decision)
    }

    /// The plan of a scenario.
    pub fn planned(&self, scenario: &str) -> Option<&PlannedScenario> {
        self.plan.iter().find(|planned| planned.name == scenario)
    }

    /// The side of a duet that a scenario is; `None` if the run is not a duet.
    pub fn duet_side(&self, scenario: &str) -> Option<DuetSide> {
        self.planned(scenario)?.duet.as_ref().map(|duet| duet.side)
    }
}

/// When, where and by which version a run was executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunProvenance {
    /// When the run started (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started: OffsetDateTime,
    /// The version of tollgate.
    pub tollgate: String,
    /// The machine.
    pub host: HostFacts,
    /// The command as typed, with secrets redacted.
    pub command: Vec<String>,
    /// The git commit of the working directory, if it has one.
    pub git_commit: Option<String>,
    /// The run's tags, which help to find it again: `environment`, `deploy`, or any other.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// The machine that executed a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostFacts {
    /// Its name.
    pub name: String,
    /// Its operating system: `linux`, `macos`.
    pub os: String,
    /// Its processor architecture: `x86_64`, `aarch64`.
    pub arch: String,
    /// Number of processors that this process may use.
    pub cores: usize,
}

/// The plan of one scenario, in words and without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedScenario {
    /// The scenario's name.
    pub name: String,
    /// The scenario's description; may be empty.
    pub description: String,
    /// The file it was read from.
    pub source: String,
    /// The target's base URL without user information and query.
    pub base_url: String,
    /// The load in one line: `open, 20/s constant for 40s, up to 16 connections`.
    pub load: String,
    /// The warm-up in one line: `8 connections, 32 requests`; `none`.
    pub warmup: String,
    /// What a reader of its figures must know, one sentence each: for instance, that certificates
    /// were not verified. Every output shows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<String>,
    /// How many exchanges may be in progress, and how many its budgets need; `None` in the closed
    /// model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityEstimate>,
    /// The blocks of time by which budgets are decided; `None` if none needs them, and in older
    /// records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalls: Option<StallHorizon>,
    /// What its verdict does to the exit code; left out if the scenario leaves all of it at its
    /// default, and in older records.
    #[serde(default, skip_serializing_if = "GatePolicy::is_default")]
    pub gate: GatePolicy,
    /// The steps that run once before the warm-up, in order, like `requests`; older records have
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<PlannedRequest>,
    /// The data file whose rows its arrivals use; `None` without one, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PlannedData>,
    /// How each arrival chooses its request; `None` if it sends all of them, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<PlannedDraw>,
    /// Which side of a duet it is; `None` if it sends every arrival of its schedule, and in older
    /// records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duet: Option<PlannedDuet>,
    /// Its requests. The hops of a request that follows redirects come after it.
    pub requests: Vec<PlannedRequest>,
    /// The steps that run once after the load, in order, like `requests`; older records have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teardown: Vec<PlannedRequest>,
}

impl PlannedScenario {
    /// The share of the arrivals of its schedule that it sends: about half if it is one side of a
    /// duet.
    pub fn side_share(&self) -> f64 {
        self.duet.as_ref().map_or(1.0, |_| PlannedDuet::SHARE)
    }

    /// The share of the arrivals of its schedule that send a request.
    pub fn share_of(&self, request: &str) -> f64 {
        let drawn = self.draw.as_ref().and_then(|draw| draw.share_of(request)).unwrap_or(1.0);
        drawn * self.side_share()
    }
}

/// How many exchanges of a scenario in the open model may be in progress at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityEstimate {
    /// Exchange slots: connections × streams. Further arrivals wait.
    pub places: u64,
    /// Peak rate × the longest time that budgets on quantiles allow an arrival (Little's law). With
    /// as many slots, no arrival waits if the target just holds its budgets. `None` without such a
    /// budget.
    pub wanted: Option<u64>,
    /// What to write in the scenario if there are fewer slots than needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The plan of one request, in words and without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedRequest {
    /// The request's name.
    pub name: String,
    /// Method and path: `GET /app?mock=1`. Variables that are not public keep their names.
    pub line: String,
    /// Headers with the names of variables: `X-Hotdash-Synthetic: ${SYNTHETIC_CHECK_TOKEN}`.
    pub headers: Vec<String>,
    /// What the answer must be, one expectation per line: `status = 200`.
    pub expectations: Vec<String>,
    /// Its budgets.
    pub budgets: Vec<Budget>,
    /// Where those of its budgets come from that are written relative to a baseline; older records
    /// have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<BaselineLimit>,
    /// For a hop, the name of the request that follows redirects. A hop is measured separately, and
    /// only if there was a redirect; it is never judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hop_of: Option<String>,
    /// The outcomes that do not prevent a pass: absent, not configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepts: Vec<Failure>,
    /// The other keys that decide its outcome, one per line as in the scenario: `poll = { every =
    /// "250ms", within = "5s" }`, `when_absent = "report"`, `capture.id = json "/id"`. The values
    /// of a statement are replaced by their number. Older records have no terms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<String>,
}

impl PlannedRequest {
    /// Where a budget comes from, if it is written relative to a baseline.
    pub fn baseline_of(&self, budget: &Budget) -> Option<&BaselineLimit> {
        self.baselines.iter().find(|limit| limit.budget() == *budget)
    }

    /// Its budgets as they are written in the scenario.
    pub fn written_budgets(&self) -> impl Iterator<Item = Budget> {
        let written = |budget: &Budget| BaselineLimit::written_budget(&self.baselines, *budget);
        self.budgets.iter().map(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_a_bounded_number_of_requests_and_of_scenarios() {
        assert_eq!(RunRecord::surplus([2_000, 2_000]), None);
        let words = RunRecord::surplus([2_000, 2_001]).unwrap();
        assert!(words.starts_with("4001 requests in 2 scenarios; a run has at most"), "{words}");
        assert!(RunRecord::surplus(vec![0; 4_001]).is_some());
    }
}
