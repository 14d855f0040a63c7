//! Which runs are looked at.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::record::{Decision, RequestSummary, RunSummary};

/// The tag's key that names the environment that was probed.
pub const ENVIRONMENT_TAG: &str = "environment";

/// Which runs, and which of their requests, are looked at: those for which all that is given holds.
///
/// It is made of values, so that a query can say the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// The scenario's name.
    pub scenario: Option<String>,
    /// The request's name.
    pub request: Option<String>,
    /// Tags that a run must have; the environment is the one with the key [`ENVIRONMENT_TAG`].
    pub tags: BTreeMap<String, String>,
    /// The decision on the request's scenario.
    pub verdict: Option<Decision>,
    /// The first moment at which a run may have started.
    pub since: Option<OffsetDateTime>,
    /// The first moment at which it may not.
    pub until: Option<OffsetDateTime>,
}

impl HistoryFilter {
    /// Whether a run may have anything that is looked at.
    pub fn matches_run(&self, run: &RunSummary) -> bool {
        let in_time = self.since.is_none_or(|since| run.started >= since)
            && self.until.is_none_or(|until| run.started < until);
        in_time && self.tags.iter().all(|(key, value)| run.tags.get(key) == Some(value))
    }

    /// Whether a request of such a run is looked at.
    pub fn matches_request(&self, request: &RequestSummary) -> bool {
        self.scenario.as_ref().is_none_or(|scenario| *scenario == request.scenario)
            && self.request.as_ref().is_none_or(|name| *name == request.request)
            && self.verdict.is_none_or(|verdict| verdict == request.decision)
    }
}
