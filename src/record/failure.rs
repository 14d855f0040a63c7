//! The kinds of failure.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why an exchange was not ok. Failures never enter a latency quantile.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
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
    /// The proxy could not be reached, or opened no connection to the target. It does not count
    /// against the target, which the exchange never reached.
    Proxy,
    /// The TLS handshake failed.
    Tls,
    /// The target reset the connection.
    Reset,
    /// The target closed the connection before its answer was complete.
    Closed,
    /// The target closed or reset a connection that had been idle just as a request went out on it.
    /// No byte of an answer came.
    IdleClosed,
    /// What the target sent is not HTTP.
    Malformed,
    /// The target sent so much that carries nothing that tollgate closed the connection.
    Flood,
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
    /// A limit in tollgate, or in a library that it uses, ended the exchange. It does not count
    /// against the target.
    OwnLimit,
    /// A defect of tollgate, or of a library that it uses, ended the exchange. It does not count
    /// against the target.
    Defect,
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
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::IdleClosed => "idle_closed",
            Self::Malformed => "malformed",
            Self::Flood => "flood",
            Self::Protocol => "protocol",
            Self::TimedOut => "timed_out",
            Self::NoAnswer => "no_answer",
            Self::Dropped => "dropped",
            Self::Absent => "absent",
            Self::NotConfigured => "not_configured",
            Self::NotCaptured => "not_captured",
            Self::Prober => "prober",
            Self::OwnLimit => "own_limit",
            Self::Defect => "defect",
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
            Self::Proxy => "proxy failed",
            Self::Tls => "TLS failed",
            Self::Reset => "connection reset",
            Self::Closed => "closed early",
            Self::IdleClosed => "idle connection closed",
            Self::Malformed => "not HTTP",
            Self::Flood => "flood",
            Self::Protocol => "other protocol",
            Self::TimedOut => "timed out",
            Self::NoAnswer => "no answer",
            Self::Dropped => "dropped",
            Self::Absent => "absent",
            Self::NotConfigured => "not configured",
            Self::NotCaptured => "not captured",
            Self::Prober => "prober at fault",
            Self::OwnLimit => "limit of tollgate",
            Self::Defect => "defect of tollgate",
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
        !self.counts_against_target() && !self.is_own_fault()
    }

    /// Whether the prober itself, its machine, one of its libraries or its proxy caused the
    /// failure.
    pub fn is_own_fault(self) -> bool {
        matches!(self, Self::Prober | Self::OwnLimit | Self::Proxy | Self::Defect)
    }

    /// Whether it counts against the target. Other failures are only evidence and enter no figure.
    pub fn counts_against_target(self) -> bool {
        let is_left_out = matches!(self, Self::Absent | Self::NotConfigured | Self::NotCaptured);
        !is_left_out && !self.is_own_fault()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}
