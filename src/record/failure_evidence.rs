//! The evidence of the failures that occurred.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dimension, Failure, counts, micros};
use crate::units::format_duration;

/// One kind of failure that occurred: what was expected, what was seen instead, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureEvidence {
    /// The kind of failure.
    pub failure: Failure,
    /// The phase in which it happened, if it has one.
    pub phase: Option<Dimension>,
    /// The broken expectation, as in the scenario (`status = 200`); empty if none was checked.
    pub expected: String,
    /// What was seen instead (`302 to /auth/login`); never a secret, never a body.
    pub seen: String,
    /// What to do about it, if tollgate knows more than the kind of failure suggests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How long the connections had been idle before the requests that failed; `None` unless that
    /// matters to the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<IdleTimes>,
    /// How many exchanges failed in this way.
    #[serde(deserialize_with = "counts::read")]
    pub count: u64,
    /// What else is known of an unexpected answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<AnswerDetail>>,
}

/// What is known of an unexpected answer in addition to the expectation that it broke.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AnswerDetail {
    /// What is wrong, in the scenario's own words (`because`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The rows of a query whose number was not the expected one, as `column=value …`; at most
    /// [`Self::MAX_ROWS`]. Equal failures with other rows keep the first ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<String>,
    /// How many further rows there were.
    pub further_rows: u64,
}

impl AnswerDetail {
    /// Maximum number of rows kept.
    pub const MAX_ROWS: usize = 1_000;
}

/// How long connections had been idle when a request went out on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IdleTimes {
    /// The shortest of the times.
    #[serde(rename = "shortest_us", with = "micros")]
    #[schemars(with = "u64")]
    pub shortest: Duration,
    /// The longest of the times.
    #[serde(rename = "longest_us", with = "micros")]
    #[schemars(with = "u64")]
    pub longest: Duration,
}

impl IdleTimes {
    /// The times of one connection.
    pub fn of_one(idle: Duration) -> Self {
        Self { shortest: idle, longest: idle }
    }

    /// The range that also covers others.
    fn and(self, other: Self) -> Self {
        Self {
            shortest: self.shortest.min(other.shortest),
            longest: self.longest.max(other.longest),
        }
    }
}

impl fmt::Display for IdleTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [shortest, longest] = [self.shortest, self.longest].map(format_duration);
        if shortest == longest {
            return f.write_str(&shortest);
        }
        write!(f, "{shortest} to {longest}")
    }
}

/// The distinct failures that occurred. Their number is bounded, so that a hostile target cannot
/// exhaust memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EvidenceLog(Vec<FailureEvidence>);

impl EvidenceLog {
    /// Maximum number of distinct failures; later ones are counted under [`Self::OTHERS`].
    const DISTINCT: usize = 32;
    /// The value of `seen` for failures beyond [`Self::DISTINCT`].
    const OTHERS: &'static str = "(others)";

    /// Counts a failure together with equal ones.
    pub fn add(&mut self, mut evidence: FailureEvidence) {
        if let Some(same) = self.0.iter_mut().find(|known| known.is_like(&evidence)) {
            same.count += evidence.count;
            same.idle = match (same.idle, evidence.idle) {
                (Some(idle), Some(other)) => Some(idle.and(other)),
                (idle, other) => idle.or(other),
            };
            return;
        }
        if self.0.len() >= Self::DISTINCT && evidence.seen != Self::OTHERS {
            Self::OTHERS.clone_into(&mut evidence.seen);
            evidence.expected.clear();
            evidence.phase = None;
            evidence.next = None;
            evidence.idle = None;
            evidence.detail = None;
            self.add(evidence);
        } else {
            self.0.push(evidence);
        }
    }

    /// Adds the failures of another log.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().cloned().for_each(|evidence| self.add(evidence));
    }

    /// Rewrites every text in it, to redact secrets.
    pub fn rewrite(&mut self, rewrite: impl Fn(&str) -> String) {
        self.0.iter_mut().for_each(|evidence| evidence.rewrite(&rewrite));
    }

    /// Rewrites the kept rows, to redact secrets.
    pub fn rewrite_rows(&mut self, rewrite: impl Fn(&str) -> String) {
        self.0.iter_mut().for_each(|evidence| evidence.rewrite_rows(&rewrite));
    }

    /// The failures, most frequent first.
    pub fn by_count(&self) -> Vec<&FailureEvidence> {
        let mut sorted: Vec<&FailureEvidence> = self.0.iter().collect();
        sorted.sort_by_key(|evidence| std::cmp::Reverse(evidence.count));
        sorted
    }
}

impl FailureEvidence {
    /// Rewrites every text that a target can influence, except the kept rows.
    pub(super) fn rewrite(&mut self, rewrite: impl Fn(&str) -> String) {
        self.expected = rewrite(&self.expected);
        self.seen = rewrite(&self.seen);
    }

    /// Rewrites the kept rows.
    pub(super) fn rewrite_rows(&mut self, rewrite: impl Fn(&str) -> String) {
        for row in self.detail.iter_mut().flat_map(|detail| &mut detail.rows) {
            *row = rewrite(row);
        }
    }

    /// What was seen and what was expected, in words: `404 instead of status = 200`. An expectation
    /// that forbids something reads `…, against …`, because what was seen is what it forbids. The
    /// scenario's own words come first, and replace the size of a body.
    pub fn description(&self) -> String {
        let because = self.detail.as_ref().and_then(|detail| detail.because.as_deref());
        match because {
            None => self.plain_description(),
            Some(because) if self.expected.starts_with("body_") => {
                format!("{because} ({})", self.expected)
            }
            Some(because) => format!("{because}: {}", self.plain_description()),
        }
    }

    fn plain_description(&self) -> String {
        if let Some(idle) = self.idle {
            return format!("{}, after {idle} without a request", self.seen);
        }
        let forbids = ["json_not", "body_lacks"].iter().any(|key| self.expected.starts_with(key));
        match (self.seen.is_empty(), self.expected.is_empty()) {
            (_, true) => self.seen.clone(),
            (false, false) if forbids => format!("{}, against {}", self.seen, self.expected),
            _ => format!("{} instead of {}", self.seen, self.expected),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.failure == other.failure
            && self.phase == other.phase
            && self.seen == other.seen
            && self.expected == other.expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unexpected(expected: &str, seen: &str, because: Option<&str>) -> FailureEvidence {
        let because = because.map(str::to_owned);
        FailureEvidence {
            failure: Failure::Unexpected,
            phase: None,
            expected: expected.to_owned(),
            seen: seen.to_owned(),
            next: None,
            idle: None,
            count: 1,
            detail: Some(Box::new(AnswerDetail { because, ..AnswerDetail::default() })),
        }
    }

    #[test]
    fn a_description_begins_with_the_scenarios_own_words() {
        let anon = Some("anon can read rows");
        for (expected, seen, because, text) in [
            ("rows = 0", "2 rows", anon, "anon can read rows: 2 rows instead of rows = 0"),
            ("rows = 0", "2 rows", None, "2 rows instead of rows = 0"),
            (
                r"body_matches = '^\[\]$'",
                "no match in the 21 bytes of the body",
                anon,
                r"anon can read rows (body_matches = '^\[\]$')",
            ),
        ] {
            assert_eq!(unexpected(expected, seen, because).description(), text);
        }
    }

    /// Records of earlier versions lack the field.
    #[test]
    fn evidence_without_detail_is_read() {
        let old = r#"{"failure":"status","phase":null,"expected":"a","seen":"b","count":1}"#;
        assert_eq!(serde_json::from_str::<FailureEvidence>(old).unwrap().detail, None);
        let kept = unexpected("rows = 0", "2 rows", Some("x"));
        let json = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<FailureEvidence>(&json).unwrap(), kept);
    }

    #[test]
    fn a_target_that_fails_differently_each_time_cannot_exhaust_memory() {
        let mut log = EvidenceLog::default();
        for n in 0..10_000 {
            log.add(FailureEvidence {
                failure: Failure::Status,
                phase: None,
                expected: "status = 200".to_owned(),
                seen: n.to_string(),
                next: None,
                idle: None,
                count: 1,
                detail: None,
            });
        }
        let entries = log.by_count();
        assert_eq!(entries.len(), EvidenceLog::DISTINCT + 1);
        assert_eq!(entries.iter().map(|evidence| evidence.count).sum::<u64>(), 10_000);
    }

    #[test]
    fn equal_failures_on_idle_connections_are_one_with_the_range_of_their_idle_times() {
        let mut log = EvidenceLog::default();
        for millis in [99, 101, 100] {
            log.add(FailureEvidence {
                failure: Failure::IdleClosed,
                phase: Some(Dimension::FirstByte),
                expected: String::new(),
                seen: "closed by the target".to_owned(),
                next: None,
                idle: Some(IdleTimes::of_one(Duration::from_millis(millis))),
                count: 1,
                detail: None,
            });
        }
        let all = log.by_count();
        assert_eq!((all.len(), all[0].count), (1, 3));
        assert_eq!(
            all[0].description(),
            "closed by the target, after 99 ms to 101 ms without a request"
        );
    }
}
