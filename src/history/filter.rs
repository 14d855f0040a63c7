//! Which runs a history includes.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::record::{Decision, RequestSummary, RunSummary};

/// The key of the tag that names the deploy under test.
pub const DEPLOY_TAG: &str = "deploy";

/// Selects the runs and requests that meet every given condition.
///
/// Its fields are plain values, so that an SQL query can apply the same conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// The scenario's name.
    pub scenario: Option<String>,
    /// The request's name.
    pub request: Option<String>,
    /// Tags that a run must have; the environment is the one with the key
    /// [`ENVIRONMENT_TAG`](crate::record::ENVIRONMENT_TAG).
    pub tags: BTreeMap<String, String>,
    /// The decision on the request's scenario.
    pub verdict: Option<Decision>,
    /// The earliest start of a run.
    pub since: Option<OffsetDateTime>,
    /// The first moment that is too late for the start of a run.
    pub until: Option<OffsetDateTime>,
}

impl HistoryFilter {
    /// Whether the run meets the conditions on runs.
    pub(super) fn matches_run(&self, run: &RunSummary) -> bool {
        let in_time = self.since.is_none_or(|since| run.started >= since)
            && self.until.is_none_or(|until| run.started < until);
        in_time && self.tags.iter().all(|(key, value)| run.tags.get(key) == Some(value))
    }

    /// Whether a request of a matching run meets the conditions on requests.
    pub(super) fn matches_request(&self, request: &RequestSummary) -> bool {
        self.scenario.as_ref().is_none_or(|scenario| *scenario == request.scenario)
            && self.request.as_ref().is_none_or(|name| *name == request.request)
            && self.verdict.is_none_or(|verdict| verdict == request.decision)
    }
}
