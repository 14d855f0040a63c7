//! What to do about an answer whose status was not the expected one.

use crate::record::{Failure, FailureEvidence};

/// The remedy if the status is not known, or says nothing about its cause.
pub(super) const OTHERWISE: &str = "read the target's log for the time of the run";

/// The remedy that the status itself suggests; `None` if the failure is not a status.
pub(super) fn of_evidence(evidence: &FailureEvidence) -> Option<&'static str> {
    if evidence.failure != Failure::Status {
        return None;
    }
    // `404`, or `302 to /auth/login`.
    let status = evidence.seen.split([' ', ',']).next()?.parse().ok()?;
    Some(of_status(status))
}

/// The remedy for a status, by its meaning in RFC 9110 §15 and RFC 6585.
fn of_status(status: u16) -> &'static str {
    match status {
        401 => "the credentials are missing or wrong: check the header or cookie that carries them",
        403 => {
            "check the credentials and what they may do; a firewall or bot filter in front of the \
             target also answers 403"
        }
        404 | 410 => "check the path, and whether this deployment serves it",
        405 => "check the method: this path does not accept it",
        407 => "the proxy wants credentials: write them into its URL",
        400 | 422 => "check the body and the headers of the request: the target rejects them",
        406 => "check the header `Accept`: the target has no such representation",
        408 => {
            "the target waited in vain for the rest of the request: look at the proxies on the way"
        }
        411 | 413 => "check the body of the request: its size does not suit the target",
        415 => "check the header `Content-Type` and the body of the request",
        421 => "check the host name: the server that answered is not responsible for it",
        429 => "lower the rate, or exempt this prober from the target's rate limit",
        502..=504 => {
            "read the logs of the proxy and of the target behind it for the time of the run"
        }
        200..=299 => {
            "if this status is right, expect it: `status = [200, 204]`, or `--expect-status`"
        }
        300..=399 => "if the redirect is right, expect its status, or follow it: raise `redirects`",
        _ => OTHERWISE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_a_remedy_for_its_own_cause() {
        for (status, expected) in [
            (200, "expect it"),
            (304, "redirect"),
            (400, "body"),
            (401, "credentials"),
            (403, "credentials"),
            (404, "path"),
            (405, "method"),
            (429, "rate"),
            (500, "target's log"),
            (503, "logs of the proxy"),
        ] {
            assert!(of_status(status).contains(expected), "{status}: {}", of_status(status));
        }
        for status in [404, 405, 500, 503] {
            assert!(!of_status(status).contains("credentials"), "{status}");
        }
    }
}
