//! The kinds of failure, and the evidence of the failures that occurred.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Dimension;

/// Why an exchange was not ok. Failures never enter a latency quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The answer's status was not an expected one.
    Status,
    /// The answer was a redirect that the scenario does not expect.
    Redirected,
    /// The answer broke an expectation about its final URL, headers, body or rows.
    Unexpected,
    /// The target answered although it had to deny access.
    Admitted,
    /// The database did not execute a statement.
    Query,
    /// The database refused the session: the user, the password or the database is wrong, or there
    /// are too many sessions.
    Session,
    /// The target's name could not be resolved.
    Dns,
    /// Nothing listens at the target's address.
    Refused,
    /// The target could not be reached (no route, network down).
    Unreachable,
    /// The TLS handshake failed.
    Tls,
    /// The target reset the connection.
    Reset,
    /// The target closed the connection before its answer was complete.
    Closed,
    /// What the target sent is not HTTP.
    Malformed,
    /// The target does not speak the version of HTTP that the scenario requires.
    Protocol,
    /// A timeout of the scenario expired.
    TimedOut,
    /// No answer came, and the file that the run was imported from does not say why.
    NoAnswer,
    /// No connection became free within the timeout, so the request was never sent.
    Dropped,
    /// What the step asks for does not exist, and the step defines that case. The target is not at
    /// fault.
    Absent,
    /// The step was not executed because a variable that it needs is not set.
    NotConfigured,
    /// The step was not executed because an earlier step did not capture the value that it needs.
    NotCaptured,
    /// The prober's machine had no descriptor, port or buffer left, or the prober stood still while
    /// the exchange ran out of time. It does not count against the target.
    Prober,
}

impl Failure {
    /// The name used in files and tables: `timed_out`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Redirected => "redirected",
            Self::Unexpected => "unexpected",
            Self::Admitted => "admitted",
            Self::Query => "query",
            Self::Session => "session",
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Malformed => "malformed",
            Self::Protocol => "protocol",
            Self::TimedOut => "timed_out",
            Self::NoAnswer => "no_answer",
            Self::Dropped => "dropped",
            Self::Absent => "absent",
            Self::NotConfigured => "not_configured",
            Self::NotCaptured => "not_captured",
            Self::Prober => "prober",
        }
    }

    /// The words for people: `timed out`.
    pub fn description(self) -> &'static str {
        match self {
            Self::Status => "unexpected status",
            Self::Redirected => "redirected",
            Self::Unexpected => "unexpected answer",
            Self::Admitted => "let in",
            Self::Query => "query failed",
            Self::Session => "no session",
            Self::Dns => "name not resolved",
            Self::Refused => "connection refused",
            Self::Unreachable => "unreachable",
            Self::Tls => "TLS failed",
            Self::Reset => "connection reset",
            Self::Closed => "closed early",
            Self::Malformed => "not HTTP",
            Self::Protocol => "other protocol",
            Self::TimedOut => "timed out",
            Self::NoAnswer => "no answer",
            Self::Dropped => "dropped",
            Self::Absent => "absent",
            Self::NotConfigured => "not configured",
            Self::NotCaptured => "not captured",
            Self::Prober => "prober at fault",
        }
    }

    /// Whether an attempted exchange got no answer at all, as opposed to a wrong one.
    pub fn is_without_answer(self) -> bool {
        let is_wrong_answer = matches!(
            self,
            Self::Status
                | Self::Redirected
                | Self::Unexpected
                | Self::Admitted
                | Self::Query
                | Self::Session
        );
        !is_wrong_answer && self != Self::Dropped && self.counts_against_target()
    }

    /// Whether there is nothing to judge: the step did not run, or what it asks for does not exist.
    pub fn is_not_judged(self) -> bool {
        !self.counts_against_target() && self != Self::Prober
    }

    /// Whether it counts against the target. Other failures are only evidence and enter no figure.
    pub fn counts_against_target(self) -> bool {
        !matches!(self, Self::Absent | Self::NotConfigured | Self::NotCaptured | Self::Prober)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

/// One kind of failure that occurred: what was expected, what was seen instead, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// How many exchanges failed in this way.
    pub count: u64,
    /// What else is known of an unexpected answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<AnswerDetail>>,
}

/// What is known of an unexpected answer in addition to the expectation that it broke.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// The distinct failures that occurred. Their number is bounded, so that a hostile target cannot
/// exhaust memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
            return;
        }
        if self.0.len() >= Self::DISTINCT && evidence.seen != Self::OTHERS {
            Self::OTHERS.clone_into(&mut evidence.seen);
            evidence.expected.clear();
            evidence.phase = None;
            evidence.next = None;
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
        for evidence in &mut self.0 {
            evidence.expected = rewrite(&evidence.expected);
            evidence.seen = rewrite(&evidence.seen);
        }
    }

    /// Rewrites the kept rows, to redact secrets.
    pub fn rewrite_rows(&mut self, rewrite: impl Fn(&str) -> String) {
        let details = self.0.iter_mut().filter_map(|evidence| evidence.detail.as_mut());
        for row in details.flat_map(|detail| &mut detail.rows) {
            *row = rewrite(row);
        }
    }

    /// The failures, most frequent first.
    pub fn by_count(&self) -> Vec<&FailureEvidence> {
        let mut sorted: Vec<&FailureEvidence> = self.0.iter().collect();
        sorted.sort_by_key(|evidence| std::cmp::Reverse(evidence.count));
        sorted
    }
}

impl FailureEvidence {
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
                count: 1,
                detail: None,
            });
        }
        let entries = log.by_count();
        assert_eq!(entries.len(), EvidenceLog::DISTINCT + 1);
        assert_eq!(entries.iter().map(|evidence| evidence.count).sum::<u64>(), 10_000);
    }
}
