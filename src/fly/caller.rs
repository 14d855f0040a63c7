//! Sends one call: within the rate limits, repeated where that is safe, with typed errors.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::backoff::{Backoff, parse_retry_after};
use super::clock::CallClock;
use super::error::{FlyApi, FlyError, FlyProblem};
use super::lease::{LeaseNonce, read_holder};
use super::names::MachineId;
use super::rate_limit::{ApiAction, RateLimiter};
use super::token::FlyToken;
use super::transport::{HttpCall, HttpReply, HttpTransport, TransportFailure};
use crate::library_text::{describe_json, keep_on_one_line};

/// Presented with every change of a machine whose lease this client holds.
const NONCE: HeaderName = HeaderName::from_static("fly-machine-lease-nonce");

/// How long one exchange may take. Fly stops a machine in well under this.
const EXCHANGE: Duration = Duration::from_secs(20);

/// One call, ready to be sent as often as needed.
pub(super) struct ApiRequest {
    /// What the call does, as the end of a sentence.
    pub(super) task: String,
    pub(super) api: FlyApi,
    /// What it counts as; `None` if Fly states no limit.
    pub(super) action: Option<ApiAction>,
    pub(super) machine: Option<MachineId>,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) authorization: HeaderValue,
    pub(super) nonce: Option<LeaseNonce>,
    pub(super) body: Option<Value>,
    /// How long the server may take on purpose: the timeout of a `wait`.
    pub(super) held: Duration,
    pub(super) repeats: RepeatPolicy,
}

/// When a failed call is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepeatPolicy {
    /// After every failure that may pass: the call changes nothing, or the same again.
    Always,
    /// Only if Fly has certainly not carried it out.
    NotApplied,
    /// As [`Self::Always`], except after 408, which is an answer to a `wait`.
    ExceptTimeout,
}

impl ApiRequest {
    pub(super) fn error(&self, problem: FlyProblem) -> FlyError {
        let is_read = self.method == Method::GET;
        FlyError { call: self.task.clone(), api: self.api, is_read, problem }
    }

    /// Whether the call may be sent again after an error.
    fn may_repeat(&self, error: &FlyError) -> bool {
        let is_safe = match self.repeats {
            RepeatPolicy::Always => true,
            RepeatPolicy::NotApplied => !error.may_have_been_applied(),
            RepeatPolicy::ExceptTimeout => error.problem != FlyProblem::TimedOut,
        };
        is_safe && error.is_transient()
    }
}

/// A transport, a clock, and what is known about the pace of calls.
pub(super) struct ApiCaller<T, C> {
    pub(super) transport: T,
    pub(super) clock: C,
    pub(super) token: FlyToken,
    limiter: RateLimiter,
}

impl<T: HttpTransport, C: CallClock> ApiCaller<T, C> {
    pub(super) fn new(transport: T, clock: C, token: FlyToken) -> Self {
        Self { transport, clock, token, limiter: RateLimiter::default() }
    }

    /// Sends a call until it succeeds, fails for good, or the deadline leaves no time to repeat it.
    pub(super) fn send(
        &mut self,
        request: &ApiRequest,
        deadline: Duration,
    ) -> Result<HttpReply, FlyError> {
        let mut backoff = Backoff::default();
        loop {
            self.await_turn(request, deadline)?;
            let error = match self.exchange(request, deadline) {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            if !request.may_repeat(&error) {
                return Err(error);
            }
            self.pause_before_repeat(&mut backoff, error, deadline)?;
        }
    }

    /// Waits before a call is repeated. Returns the error if that would end after the deadline.
    pub(super) fn pause_before_repeat(
        &mut self,
        backoff: &mut Backoff,
        error: FlyError,
        deadline: Duration,
    ) -> Result<(), FlyError> {
        let pause = backoff.next_pause(error.retry_after(), self.clock.draw());
        if self.clock.now().saturating_add(pause) >= deadline {
            return Err(error);
        }
        let problem = FlyProblem::Stopped { was_sent: error.may_have_been_applied() };
        self.clock.pause(pause).map_err(|_| FlyError { problem, ..error })
    }

    /// Waits until Fly's rate limit allows the call.
    fn await_turn(&mut self, request: &ApiRequest, deadline: Duration) -> Result<(), FlyError> {
        let now = self.clock.now();
        let pause = request.action.map_or(Duration::ZERO, |action| {
            self.limiter.reserve(action, request.machine.as_ref(), now)
        });
        if now.saturating_add(pause) >= deadline {
            return Err(request.error(FlyProblem::OutOfTime));
        }
        self.clock.pause(pause).map_err(|_| request.error(FlyProblem::Stopped { was_sent: false }))
    }

    fn exchange(
        &mut self,
        request: &ApiRequest,
        deadline: Duration,
    ) -> Result<HttpReply, FlyError> {
        let left = deadline.saturating_sub(self.clock.now());
        let call = HttpCall {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: headers(request),
            body: request
                .body
                .as_ref()
                .map(|body| Bytes::from(body.to_string()))
                .unwrap_or_default(),
            timeout: left.min(EXCHANGE + request.held),
        };
        let clock = &self.clock;
        let problem = match self.transport.send(&call, &|| clock.is_stopped()) {
            Ok(reply) if reply.status.is_success() => return Ok(reply),
            Ok(reply) => self.read_problem(&reply),
            Err(TransportFailure::NotSent(what)) => self.no_answer(&what, false),
            Err(TransportFailure::NoAnswer(what)) => self.no_answer(&what, true),
            Err(TransportFailure::Stopped) => FlyProblem::Stopped { was_sent: true },
            Err(TransportFailure::Redirected { host }) => FlyProblem::Redirected { host },
        };
        Err(request.error(problem))
    }

    fn no_answer(&self, what: &str, was_sent: bool) -> FlyProblem {
        FlyProblem::NoAnswer { what: self.show(what), was_sent }
    }

    /// A text of the other side, on one line and without the token.
    fn show(&self, text: &str) -> String {
        keep_on_one_line(self.token.redact(text).trim())
    }

    fn read_problem(&self, reply: &HttpReply) -> FlyProblem {
        let said = self.show(&read_message(&reply.body));
        let status = reply.status.as_u16();
        let retry_after = || {
            let text = reply.headers.get(RETRY_AFTER)?.to_str().ok()?;
            parse_retry_after(text, self.clock.wall_clock())
        };
        match status {
            400 | 422 => FlyProblem::Invalid { status, said },
            401 | 403 => FlyProblem::TokenRefused { status, said },
            404 | 410 => FlyProblem::NotFound { said },
            408 => FlyProblem::TimedOut,
            409 => match read_holder(&said) {
                Some((owner, until)) => FlyProblem::LeaseHeld { owner, until },
                None => FlyProblem::Conflict { said },
            },
            412 => FlyProblem::PreconditionFailed { said },
            429 => FlyProblem::RateLimited { retry_after: retry_after() },
            500..=599 => FlyProblem::ServerFailed { status, said, retry_after: retry_after() },
            _ => FlyProblem::UnexpectedStatus { status, said },
        }
    }
}

/// Reads the JSON of a 2xx answer.
pub(super) fn read_json<V: DeserializeOwned>(
    request: &ApiRequest,
    reply: &HttpReply,
) -> Result<V, FlyError> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| request.error(FlyProblem::NotJson { why: describe_json(&error) }))
}

fn headers(request: &ApiRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, request.authorization.clone());
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if request.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let nonce = request.nonce.as_ref().map(|nonce| HeaderValue::from_str(nonce.as_str()));
    if let Some(Ok(mut nonce)) = nonce {
        nonce.set_sensitive(true);
        headers.insert(NONCE, nonce);
    }
    headers
}

/// What a failed answer says: `error` of `{error, status, details}`, else a plain text, else
/// nothing. Prometheus also writes `error`.
fn read_message(body: &[u8]) -> String {
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        let text = ["error", "message"].iter().find_map(|name| json.get(name)?.as_str());
        let code = json.get("status").and_then(Value::as_str);
        let code = code.filter(|code| !["unknown", "error"].contains(code));
        return match (text, code) {
            (Some(text), Some(code)) => format!("{text} [{code}]"),
            (Some(text), None) => text.to_owned(),
            (None, code) => code.unwrap_or_default().to_owned(),
        };
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.starts_with('<') { "a page of HTML".to_owned() } else { text.to_owned() }
}
