//! Why a call to Fly failed, and what to do next.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::units::format_duration;

/// A failed call. Its text says which call of which app and machine, what happened, and what to do.
///
/// The token is in none of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlyError {
    /// The call as the end of a sentence: `stop machine 148e21ea7e1e89 of app x`.
    pub(super) call: String,
    pub(super) api: FlyApi,
    /// Whether the call changes nothing.
    pub(super) is_read: bool,
    pub(super) problem: FlyProblem,
}

/// Which of Fly's APIs was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlyApi {
    /// The Machines API.
    Machines,
    /// The metrics of an organisation.
    Prometheus,
}

/// What happened to a call. `said` is what Fly answered, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlyProblem {
    /// 401 or 403.
    TokenRefused {
        /// The status.
        status: u16,
        /// What Fly answered.
        said: String,
    },
    /// 404 or 410: there is no such app or machine, or the token cannot see it.
    NotFound {
        /// What Fly answered.
        said: String,
    },
    /// 409: somebody else holds the machine's lease.
    LeaseHeld {
        /// Who, if Fly says so.
        owner: Option<String>,
        /// Until when, if Fly says so.
        until: Option<OffsetDateTime>,
    },
    /// 409 for another reason, for instance a host without room for a larger machine.
    Conflict {
        /// What Fly answered.
        said: String,
    },
    /// 412: the machine is in a state, or of a version, that the call does not expect.
    PreconditionFailed {
        /// What Fly answered.
        said: String,
    },
    /// 400 or 422: Fly does not accept what was asked for.
    Invalid {
        /// The status.
        status: u16,
        /// What Fly answered.
        said: String,
    },
    /// 429, until the caller's limit.
    RateLimited {
        /// How long Fly asks to wait.
        retry_after: Option<Duration>,
    },
    /// 5xx, until the caller's limit.
    ServerFailed {
        /// The status.
        status: u16,
        /// What Fly answered.
        said: String,
        /// How long Fly asks to wait.
        retry_after: Option<Duration>,
    },
    /// A machine did not reach a state within the caller's limit.
    NotReached {
        /// The state that was waited for.
        wanted: &'static str,
        /// The state it was in at the end.
        seen: String,
        /// How long was waited.
        after: Duration,
    },
    /// The call was not sent, or its answer did not arrive.
    NoAnswer {
        /// What happened.
        what: String,
        /// Whether Fly may have received the call.
        was_sent: bool,
    },
    /// 408: the server ended the call after a timeout of its own.
    TimedOut,
    /// The rate limit would delay the call beyond the caller's limit.
    OutOfTime,
    /// A redirect that would need the token at another origin.
    Redirected {
        /// The host that it names.
        host: String,
    },
    /// A 2xx answer that is not the JSON that it should be.
    NotJson {
        /// Where it is wrong.
        why: String,
    },
    /// A status that the API does not document.
    UnexpectedStatus {
        /// The status.
        status: u16,
        /// What Fly answered.
        said: String,
    },
    /// The call needs what the environment or the caller does not give.
    Unusable {
        /// What is wrong, with its remedy.
        why: String,
    },
    /// Calls are to stop, for instance after Ctrl-C.
    Stopped {
        /// Whether Fly may have received the call.
        was_sent: bool,
    },
}

impl FlyError {
    /// An error of a call that changes nothing.
    pub(super) fn of_read(call: &str, api: FlyApi, problem: FlyProblem) -> Self {
        Self { call: call.to_owned(), api, is_read: true, problem }
    }

    /// What happened.
    pub fn problem(&self) -> &FlyProblem {
        &self.problem
    }

    /// Whether the call is a change that Fly may have carried out all the same.
    pub fn may_have_been_applied(&self) -> bool {
        match &self.problem {
            _ if self.is_read => false,
            FlyProblem::ServerFailed { .. } | FlyProblem::NotJson { .. } | FlyProblem::TimedOut => {
                true
            }
            FlyProblem::NoAnswer { was_sent, .. } | FlyProblem::Stopped { was_sent } => *was_sent,
            _ => false,
        }
    }

    /// Whether the same call can succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            &self.problem,
            FlyProblem::RateLimited { .. }
                | FlyProblem::ServerFailed { .. }
                | FlyProblem::TimedOut
                | FlyProblem::NoAnswer { .. }
        )
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match &self.problem {
            FlyProblem::RateLimited { retry_after }
            | FlyProblem::ServerFailed { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for FlyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot {}: {}", self.call, self.problem)?;
        match self.next() {
            Some(next) => write!(formatter, "; {next}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FlyError {}

impl FlyProblem {
    /// Whether Fly has no room for the machine where it was asked for: `insufficient resources …`,
    /// also as the code `insufficient_capacity`.
    pub fn is_about_capacity(&self) -> bool {
        match self {
            Self::Invalid { said, .. }
            | Self::Conflict { said }
            | Self::PreconditionFailed { said } => said.contains("insufficient"),
            _ => false,
        }
    }
}

impl fmt::Display for FlyProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answered = |formatter: &mut fmt::Formatter<'_>, what: &str, status: u16, said: &str| {
            write!(formatter, "{what} (HTTP {status}{})", quoted(said))
        };
        match self {
            Self::TokenRefused { status, said } => {
                answered(formatter, "Fly refuses the token", *status, said)
            }
            Self::NotFound { said } => answered(formatter, "Fly does not find it", 404, said),
            Self::LeaseHeld { owner, until } => lease(formatter, owner.as_deref(), *until),
            Self::Conflict { said } => {
                answered(formatter, "it conflicts with the machine as it is", 409, said)
            }
            Self::PreconditionFailed { said } => {
                answered(formatter, "the machine's state or version does not allow it", 412, said)
            }
            Self::Invalid { status, said } => {
                answered(formatter, "Fly does not accept the request", *status, said)
            }
            Self::RateLimited { retry_after } => {
                formatter.write_str("Fly's rate limit is reached (HTTP 429")?;
                match retry_after {
                    Some(pause) => write!(formatter, ", retry after {})", format_duration(*pause)),
                    None => formatter.write_str(")"),
                }
            }
            Self::ServerFailed { status, said, .. } => {
                answered(formatter, "Fly's API failed", *status, said)
            }
            Self::NotReached { wanted, seen, after } => {
                write!(formatter, "it is {seen} and not {wanted} after {}", format_duration(*after))
            }
            Self::NoAnswer { what, .. } => formatter.write_str(what),
            Self::TimedOut => formatter.write_str("Fly's API ran out of time (HTTP 408)"),
            Self::OutOfTime => formatter.write_str("there is no time left to send it"),
            Self::Redirected { host } => write!(formatter, "the API redirects to {host}"),
            Self::NotJson { why } => {
                write!(formatter, "the answer is not the JSON of this call: {why}")
            }
            Self::UnexpectedStatus { status, said } => {
                answered(formatter, "the answer is not one that the API documents", *status, said)
            }
            Self::Unusable { why } => formatter.write_str(why),
            Self::Stopped { .. } => formatter.write_str("it was stopped"),
        }
    }
}

/// What Fly answered, after a status; nothing if it said nothing.
fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

fn lease(
    formatter: &mut fmt::Formatter<'_>,
    owner: Option<&str>,
    until: Option<OffsetDateTime>,
) -> fmt::Result {
    write!(formatter, "{} holds the machine's lease", owner.unwrap_or("somebody else"))?;
    match until.and_then(|until| until.format(&Rfc3339).ok()) {
        Some(until) => write!(formatter, " until {until} (HTTP 409)"),
        None => formatter.write_str(" (HTTP 409)"),
    }
}

impl FlyError {
    /// What the user can do; `None` if the problem says it, or there is nothing to do.
    fn next(&self) -> Option<String> {
        let next = match &self.problem {
            FlyProblem::TokenRefused { .. } => return Some(self.api.token_remedy().to_owned()),
            FlyProblem::NoAnswer { was_sent: false, .. } => {
                return Some(format!("check {} and the network", self.api.url_variable()));
            }
            FlyProblem::Redirected { .. } => {
                return Some(format!("set {} to where it redirects", self.api.url_variable()));
            }
            FlyProblem::NotJson { .. } | FlyProblem::UnexpectedStatus { .. } => {
                return Some(format!("check that {} names this API", self.api.url_variable()));
            }
            FlyProblem::NotFound { .. } if self.api == FlyApi::Prometheus => {
                "check FLY_ORG with `fly orgs list`"
            }
            FlyProblem::NotFound { .. } => {
                "check the names with `fly apps list` and `fly machine list --app NAME`, and that \
                 the token belongs to that app"
            }
            FlyProblem::LeaseHeld { .. } => {
                "a deploy may be running: wait until it ends, or see `fly machine leases view`"
            }
            problem if problem.is_about_capacity() => {
                "name another region or a smaller size, or try again later"
            }
            FlyProblem::Conflict { .. } => "see what changes the machine: `fly machine status`",
            FlyProblem::PreconditionFailed { .. } => {
                "see its state with `fly machine status`, then try again"
            }
            FlyProblem::Invalid { .. } => "correct what the answer names",
            FlyProblem::RateLimited { .. } | FlyProblem::OutOfTime => {
                "another client may be busy with this app: try again later"
            }
            _ if self.may_have_been_applied() => {
                "it may have been carried out all the same: see `fly machine status`, and \
                 https://status.flyio.net"
            }
            FlyProblem::ServerFailed { .. } | FlyProblem::TimedOut => {
                "see https://status.flyio.net, or try again later"
            }
            FlyProblem::NotReached { .. } => {
                "see `fly machine status` and `fly logs` for the reason, or allow more time"
            }
            FlyProblem::NoAnswer { .. } => "check the network, or try again later",
            FlyProblem::Unusable { .. } | FlyProblem::Stopped { .. } => return None,
        };
        Some(next.to_owned())
    }
}

impl FlyApi {
    /// The variable with the API's address.
    fn url_variable(self) -> &'static str {
        match self {
            Self::Machines => "FLY_FLAPS_BASE_URL",
            Self::Prometheus => "FLY_PROMETHEUS_URL",
        }
    }

    fn token_remedy(self) -> &'static str {
        match self {
            Self::Machines => {
                "set FLY_API_TOKEN to a token for this app: `fly tokens create deploy --app NAME`"
            }
            Self::Prometheus => {
                "metrics belong to an organisation: check FLY_ORG, and set FLY_API_TOKEN to a \
                 token that may read it"
            }
        }
    }
}
