//! The most frequent failure, as text, and its remedy.

use std::time::Duration;

use super::phrases::{part, requests};
use super::status_remedy;
use crate::record::{Failure, FailureEvidence, StageMeasurement, VerdictReason};
use crate::units::format_duration;

/// The failures of a stage as a reason: how many, what the most frequent one was, and what to look
/// at.
///
/// `None` if nothing failed.
pub(super) fn reason(stage: &StageMeasurement) -> Option<VerdictReason> {
    let leading = LeadingFailure::of(stage)?;
    Some(VerdictReason {
        what: format!(
            "{} failed; {}",
            part(leading.failed, stage.tally.exchanges),
            leading.words()
        ),
        next: leading.remedy(),
    })
}

/// The reason for a target that answered none of its exchanges; `None` if it answered one or
/// received none.
pub(super) fn never_answered(all: &StageMeasurement) -> Option<VerdictReason> {
    if all.tally.unanswered() == 0 || all.tally.answered() > 0 {
        return None;
    }
    let leading = LeadingFailure::of(all)?;
    let what = format!(
        "the target never answered: {}, {} of {}",
        leading.seen,
        leading.count,
        requests(all.tally.exchanges)
    );
    Some(VerdictReason { what, next: leading.remedy() })
}

/// The most frequent failure.
pub(super) struct LeadingFailure {
    failure: Failure,
    seen: String,
    /// The remedy from the evidence, which is more specific than that of the failure.
    next: Option<String>,
    count: u64,
    failed: u64,
}

impl LeadingFailure {
    /// Taken from the evidence if there is any, otherwise from the counts; `None` if nothing
    /// failed.
    pub(super) fn of(stage: &StageMeasurement) -> Option<Self> {
        let failed = stage.tally.failed();
        let of_target = stage
            .evidence
            .by_count()
            .into_iter()
            .find(|evidence| evidence.failure.counts_against_target());
        let by_evidence = of_target.map(|evidence| Self {
            failure: evidence.failure,
            seen: describe_evidence(evidence),
            next: remedy_of_evidence(evidence),
            count: evidence.count,
            failed,
        });
        let most = stage.tally.failures.iter().max_by_key(|(_, count)| **count);
        let by_count = most.map(|(failure, count)| Self {
            failure: *failure,
            seen: failure.description().to_owned(),
            next: None,
            count: *count,
            failed,
        });
        by_evidence.or(by_count).filter(|_| failed > 0)
    }

    /// `8 of 12 failures: redirected, 302 to /auth/login instead of status = 200`; for a single
    /// failure, only the failure.
    pub(super) fn words(&self) -> String {
        if self.failed == 1 {
            return self.seen.clone();
        }
        format!("{} of {} failures: {}", self.count, self.failed, self.seen)
    }

    /// Where to look.
    pub(super) fn remedy(&self) -> String {
        self.next.clone().unwrap_or_else(|| remedy(self.failure).to_owned())
    }
}

/// `redirected, 302 to /auth/login instead of status = 200`.
pub(super) fn describe_evidence(evidence: &FailureEvidence) -> String {
    let mut text = evidence.failure.description().to_owned();
    if let Some(phase) = evidence.phase.filter(|_| evidence.failure.is_without_answer()) {
        text = format!("{text} in {phase}");
    }
    let description = evidence.description();
    if !description.is_empty() {
        text = format!("{text}, {description}");
    }
    text
}

/// The remedy that the evidence itself leads to; `None` if it does not say more than the failure.
fn remedy_of_evidence(evidence: &FailureEvidence) -> Option<String> {
    let of_idle_close = || evidence.idle.map(|idle| idle_close_remedy(idle.longest));
    evidence
        .next
        .clone()
        .or_else(of_idle_close)
        .or_else(|| denial_remedy(evidence).map(str::to_owned))
        .or_else(|| status_remedy::of_evidence(evidence).map(str::to_owned))
}

/// The remedy for connections that the target closed after they had been idle for up to `longest`.
fn idle_close_remedy(longest: Duration) -> String {
    format!(
        "raise the keep-alive timeout of the target and of each proxy in front of it well above {}: every \
         client that reuses connections meets this; shorter pauses or `retry` avoid it",
        format_duration(longest)
    )
}

/// The remedy if the step expected a denial and got another answer.
fn denial_remedy(evidence: &FailureEvidence) -> Option<&'static str> {
    match evidence.failure {
        _ if !evidence.expected.starts_with("denied") => None,
        Failure::Status => Some(
            "a denial is 401 or 403: check that the address exists, and that the rule that denies access is active",
        ),
        Failure::Redirected => Some(
            "if it leads to a login page, this target denies access by redirecting: expect that status instead of `denied`",
        ),
        _ => None,
    }
}

/// What to do about a failure: what its evidence says, otherwise what its kind suggests.
pub(super) fn advice(evidence: &FailureEvidence) -> String {
    remedy_of_evidence(evidence).unwrap_or_else(|| remedy(evidence.failure).to_owned())
}

/// Where to look when exchanges fail in a given way.
pub(super) fn remedy(failure: Failure) -> &'static str {
    match failure {
        Failure::Status => status_remedy::OTHERWISE,
        Failure::Redirected => {
            "check the credentials if it leads to a login page; if the redirect is right, expect it, or follow it: \
             raise `redirects`, and list any other host in `allow_hosts`"
        }
        Failure::Unexpected => {
            "send the same request once manually and compare the answer with the expectation"
        }
        Failure::Admitted => {
            "close the gap before anything else: the target admits requests that it must deny"
        }
        Failure::Query => {
            "read the database error, and run the statement once manually as the same user"
        }
        Failure::Session => "correct the user, the password or the database's name in the URL",
        Failure::Absent => {
            "create what is missing, or write `when_absent = \"accept\"` if it may be missing"
        }
        Failure::NotConfigured => {
            "set the variable, or write `when_unconfigured = \"accept\"` if it may be missing"
        }
        Failure::NotCaptured => "find out why the earlier step did not capture the value",
        Failure::Dns => "check the host name in the base URL and this machine's resolver",
        Failure::Refused => "check that the target runs and listens at this address and port",
        Failure::Unreachable => "check the route and the firewall",
        Failure::Proxy => {
            "check that the proxy runs, accepts the credentials, and can reach the target"
        }
        Failure::Tls => {
            "check the target's certificate, its names and its validity period; `tls_ca` names a private authority"
        }
        Failure::Reset | Failure::Closed => {
            "look for crashes, restarts and connection limits in the target and the proxies in front of it"
        }
        Failure::IdleClosed => {
            "raise the keep-alive timeout of the target and of each proxy in front of it above the pause \
             between two requests on a connection"
        }
        Failure::Protocol => "request an HTTP version that the target speaks, or let it choose",
        Failure::Malformed => "check that the address speaks HTTP, and whether it expects TLS",
        Failure::Flood => "find what in the target or before it sends input without data or end",
        Failure::TimedOut => {
            "the phases table shows where the time went; the target's log shows what it waited for"
        }
        Failure::NoAnswer => {
            "the artifact does not say why: `tollgate doctor` shows whether name lookup, connection or TLS handshake fails"
        }
        Failure::Dropped => {
            "the target held every allowed connection: make it faster, or allow more connections"
        }
        Failure::Prober => {
            "raise this machine's limits on open files and ports, or plan fewer connections"
        }
        Failure::OwnLimit => {
            "try another client, for example curl: it shows the answer without tollgate's limit"
        }
        Failure::Defect => "please report it with its place, the version and what the target sent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Dimension, IdleTimes};
    use crate::verdict::fixture::FixtureRequest;

    #[test]
    fn the_most_frequent_failure_represents_all() {
        let request =
            FixtureRequest::new("app", &[]).took(&[90_000; 7]).redirected(8).refused(4).measured();
        let reason = reason(&request.measured).unwrap();
        assert_eq!(
            reason.what,
            "12 of 19 requests failed; 8 of 12 failures: redirected, 302 to /auth/login instead of status = 200"
        );
        assert!(reason.next.contains("credentials"));
    }

    #[test]
    fn a_denial_that_did_not_come_has_a_remedy_of_its_own() {
        let mut request = FixtureRequest::new("app", &[]).measured();
        request.measured.tally.exchanges = 1;
        request.measured.tally.failures.insert(Failure::Status, 1);
        request.measured.evidence.add(FailureEvidence {
            failure: Failure::Status,
            phase: None,
            expected: "denied = true".to_owned(),
            seen: "404".to_owned(),
            next: None,
            idle: None,
            count: 1,
            detail: None,
        });
        let reason = reason(&request.measured).unwrap();
        assert_eq!(
            reason.what,
            "1 of 1 request failed; unexpected status, 404 instead of denied = true"
        );
        assert!(
            reason.next.contains("check that the address exists")
                && !reason.next.contains("credentials")
        );
    }

    #[test]
    fn what_the_evidence_says_to_do_goes_before_what_the_failure_does() {
        let mut request = FixtureRequest::new("app", &[]).measured();
        request.measured.tally.exchanges = 1;
        request.measured.tally.failures.insert(Failure::Tls, 1);
        let evidence = FailureEvidence {
            failure: Failure::Tls,
            phase: None,
            expected: String::new(),
            seen: "it offers no TLS".to_owned(),
            next: Some("turn TLS on".to_owned()),
            idle: None,
            count: 1,
            detail: None,
        };
        request.measured.evidence.add(evidence);
        assert_eq!(reason(&request.measured).unwrap().next, "turn TLS on");
    }

    #[test]
    fn a_target_that_answers_wrongly_did_answer() {
        let wrong = FixtureRequest::new("app", &[]).redirected(1).refused(40).measured();
        assert_eq!(never_answered(&wrong.measured), None);
        let silent = FixtureRequest::new("app", &[]).refused(12).measured();
        assert_eq!(
            never_answered(&silent.measured).unwrap().what,
            "the target never answered: connection refused in connect, 12 of 12 requests"
        );
        assert_eq!(never_answered(&FixtureRequest::new("app", &[]).measured().measured), None);
    }

    #[test]
    fn the_close_of_an_idle_connection_has_a_remedy_with_the_pause_to_exceed() {
        let mut request = FixtureRequest::new("app", &[]).measured();
        request.measured.tally.exchanges = 2;
        request.measured.tally.failures.insert(Failure::IdleClosed, 2);
        for millis in [4_900, 5_000] {
            request.measured.evidence.add(FailureEvidence {
                failure: Failure::IdleClosed,
                phase: Some(Dimension::FirstByte),
                expected: String::new(),
                seen: "the target closed the connection as the request went out".to_owned(),
                next: None,
                idle: Some(IdleTimes::of_one(Duration::from_millis(millis))),
                count: 1,
                detail: None,
            });
        }
        let reason = reason(&request.measured).unwrap();
        assert_eq!(
            reason.what,
            "2 of 2 requests failed; 2 of 2 failures: idle connection closed in first_byte, the target \
             closed the connection as the request went out, after 4.9 s to 5 s without a request"
        );
        assert!(reason.next.contains("keep-alive timeout") && reason.next.contains("above 5 s"));
        assert!(!reason.next.contains("crash"));
    }

    #[test]
    fn counts_replace_missing_evidence() {
        let mut request = FixtureRequest::new("app", &[]).took(&[90_000; 7]).measured();
        request.measured.tally.exchanges += 3;
        request.measured.tally.failures.insert(Failure::Dropped, 3);
        assert_eq!(
            reason(&request.measured).unwrap().what,
            "3 of 10 requests failed; 3 of 3 failures: dropped"
        );
    }
}
