//! One GET, carried out as `fetch` of browsers and Node.js would: redirects followed to wherever they lead, the time
//! taken when the final answer's headers are there.
//!
//! It is not an exchange of a run: nothing is due, no expectation judges it, and its figure holds name, connections and
//! redirects. What of it was what is told beside it.

mod strict;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, response};
use tokio::task::LocalSet;
use url::Url;

use super::reach::ConnectionFailure;
use crate::engine::connection::dial::{
    ConnectionTerms, Dialer as _, HandshakeProblem, LookupFuture, NameResolver, SystemResolver,
    TcpDialer, UrlOrigin,
};
use crate::engine::connection::http::{
    BodyCollector, ExchangeLimits, ExchangeResponse, HttpConnection, RequestMessage,
    RequestNotSent, RequestParts, ResponseHead, UnsendablePart,
};
use crate::engine::error::EngineError;
use crate::engine::exchange::redirect::{self, RedirectDecision, RedirectRules};
use crate::engine::thread::current_thread_runtime;
use crate::engine::time::clock::{self, Instant};
use crate::expect::{Captures, Check, Expectation, Expectations};
use crate::plan::{Family, Protocol, TargetPlan, Timeouts, Trust};
use crate::record::{Dimension, Failure};
use crate::recorder::{Failed, Parts};
use crate::units::{ByteSize, show};

/// How many redirects are followed (<https://fetch.spec.whatwg.org/#http-redirect-fetch>).
const MOST_REDIRECTS: u32 = 20;

/// The most that is read of a body.
const MOST_OF_BODY: ByteSize = ByteSize(1 << 20);

/// How long a body is read from its headers on: what an answer comes to is known by then.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(Clone)]
pub struct Question {
    /// A URL of `http` or `https`, without user information.
    pub url: Url,
    /// Every header but `host`. Those marked sensitive stay with the URL's origin.
    pub headers: HeaderMap,
    /// Whether the page is looked at; no body is read otherwise.
    pub looks_at_page: bool,
    /// How long all of it may take, the body included.
    pub timeout: Duration,
}

/// What came of a question.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// The redirects that were followed, in order.
    pub hops: Vec<HopSeen>,
    /// The final answer, or why there is none.
    pub end: Result<Fetched, Unanswered>,
}

/// A redirect that was followed.
#[derive(Debug, Clone)]
pub struct HopSeen {
    /// Its status.
    pub status: StatusCode,
    /// What was asked for.
    pub from: Url,
    /// Where it led.
    pub to: Url,
    /// What it took, up to its headers.
    pub legs: Legs,
    /// Whether sensitive headers were left out from here on, as it led to another origin.
    pub left_credentials: bool,
}

/// The final answer.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its status.
    pub status: StatusCode,
    /// The URL it is of.
    pub url: Url,
    /// Its headers.
    pub headers: HeaderMap,
    /// What it took, up to its headers.
    pub legs: Legs,
    /// From the start to its headers, look-ups, connections and redirects included.
    pub to_headers: Duration,
    /// The first of its body as it came, at most 1 MiB and what was there 2 s after the headers; nothing of an answer that is not
    /// 2xx or whose page is not looked at.
    pub body: Vec<u8>,
    /// Why there is no more of the body than that; `None` where it is complete, or was not to be read.
    pub cut: Option<String>,
}

/// How one request's time passed; what was not entered took no time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Legs {
    /// Looking the name up.
    pub lookup: Duration,
    /// The TCP handshake.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From the request sent to the answer's headers.
    pub answer: Duration,
}

/// Why there is no final answer.
#[derive(Debug, Clone)]
pub struct Unanswered {
    /// The URL that was asked last.
    pub url: Url,
    /// What was met.
    pub refused: ConnectionFailure,
    /// From the start to the failure.
    pub after: Duration,
}

/// Asks, each time on a new connection of HTTP/1.1, and follows redirects to any host, at most 20. A redirect's body is not
/// read, and its connection is given up, so that a body without end holds nothing up.
///
/// A name's IPv4 addresses are tried first. The error says that nothing could be sent.
pub fn fetch(question: &Question) -> Result<Fetch, EngineError> {
    let terms = ConnectionTerms::new(&target(question), true)?;
    let runtime = current_thread_runtime()?;
    let fetch = LocalSet::new().block_on(&runtime, async {
        let asked = RequestParts {
            method: Method::GET,
            url: question.url.clone(),
            headers: question.headers.clone(),
            body: Bytes::new(),
        };
        Journey::begin(terms, question).end(asked).await
    });
    // A name look-up that hangs in the system must not keep anybody waiting.
    runtime.shutdown_background();
    Ok(fetch)
}

fn target(question: &Question) -> TargetPlan {
    TargetPlan {
        base_url: question.url.clone(),
        protocol: Protocol::Http1,
        trust: Trust::System,
        identity: None,
        family: Family::Any,
        resolve: Vec::new(),
        allowed_hosts: Vec::new(),
        dns_refresh: question.timeout,
        tls_resumption: false,
        timeouts: timeouts(question.timeout),
    }
}

fn timeouts(whole: Duration) -> Timeouts {
    Timeouts { dns: whole, connect: whole, tls: whole, first_byte: whole, whole }
}

/// A question on its way.
struct Journey {
    dial: TcpDialer,
    start: Instant,
    limits: ExchangeLimits,
    /// Makes baskets keep what comes.
    keeping: Expectations,
    looks_at_page: bool,
}

/// One request that was answered.
struct Leg {
    head: ResponseHead,
    legs: Legs,
    body: Vec<u8>,
    cut: Option<String>,
}

impl Journey {
    fn begin(terms: ConnectionTerms, question: &Question) -> Self {
        // An expectation that every body meets, for which it is kept.
        let looks = Expectation { written: String::new(), check: Check::contains("") };
        let start = clock::now();
        Self {
            dial: TcpDialer::new(terms, 0, Box::new(V4First(SystemResolver))),
            start,
            limits: ExchangeLimits::new(&timeouts(question.timeout), start),
            keeping: Expectations::new(vec![looks], MOST_OF_BODY),
            looks_at_page: question.looks_at_page,
        }
    }

    /// Asks until an answer is no redirect.
    async fn end(self, mut asked: RequestParts) -> Fetch {
        let mut hops = Vec::new();
        let mut followed = 0;
        loop {
            let leg = match self.leg(&asked).await {
                Ok(leg) => leg,
                Err(failed) => return Fetch { hops, end: Err(self.unanswered(asked.url, failed)) },
            };
            let (status, headers) = (leg.head.parts.status, &leg.head.parts.headers);
            match redirect::next_request(
                &asked,
                status,
                headers,
                &RedirectRules::Anywhere,
                (followed, MOST_REDIRECTS),
            ) {
                RedirectDecision::Final => {
                    return Fetch { hops, end: Ok(self.fetched(asked.url, leg)) };
                }
                RedirectDecision::Refused(mut failed) => {
                    if followed >= MOST_REDIRECTS {
                        failed.seen = format!(
                            "the limit of {MOST_REDIRECTS} redirects was reached, at a {}",
                            failed.seen
                        );
                    }
                    return Fetch { hops, end: Err(self.unanswered(asked.url, failed)) };
                }
                RedirectDecision::Follow(next)
                    if strict::leads_with_credentials(&asked.url, headers) =>
                {
                    return Fetch {
                        hops,
                        end: Err(self.unanswered(asked.url, credentials(status, &next.url))),
                    };
                }
                RedirectDecision::Follow(next) => {
                    hops.push(HopSeen {
                        status,
                        left_credentials: has_credentials(&asked) && !has_credentials(&next),
                        from: asked.url,
                        to: next.url.clone(),
                        legs: leg.legs,
                    });
                    followed += 1;
                    asked = *next;
                }
            }
        }
    }

    /// Sends one request; it is answered when its answer's headers are there, whatever becomes of the body.
    async fn leg(&self, asked: &RequestParts) -> Result<Leg, Failed> {
        let message = RequestMessage::new(asked).map_err(unsendable)?;
        let origin = UrlOrigin::of(&asked.url)
            .ok_or_else(|| unsendable(UnsendablePart("the target's host")))?;
        let (mut parts, mut body, mut head) = (Parts::default(), Vec::new(), None);
        let dialled = self.dial.dial(&origin, &mut parts, self.limits.deadline).await?;
        let mut channel = HttpConnection::open_tolerant(dialled, self.limits.deadline).await?;
        let sent = clock::now();
        let patience = |head: &response::Parts| {
            if self.reads(head.status) { PATIENCE } else { Duration::ZERO }
        };
        let mut basket = BodyCollector::new(&self.keeping, &Captures::default(), &mut body)
            .with_head(&mut head, &patience);
        let served = channel.exchange(&message, sent, self.limits, &mut parts, &mut basket).await;
        let failed = match served {
            Err(RequestNotSent(failed)) => return Err(*failed),
            Ok(ExchangeResponse { answer, .. }) => answer.err().map(|failed| *failed),
        };
        let Some(mut head) = head else {
            return Err(failed.map_or_else(no_head, |failed| self.in_head(failed)));
        };
        if let Some(why) = strict::refusal(&head.parts) {
            return Err(Failed::in_phase(Failure::Malformed, Dimension::Body, why));
        }
        strict::unite_locations(&mut head.parts.headers);
        let reads = self.reads(head.parts.status);
        let cut = failed.filter(|_| reads).map(|failed| self.why_cut(failed, &head));
        body.truncate(if reads { body.len() } else { 0 });
        Ok(Leg { legs: legs(&parts, head.at - sent), head, body, cut })
    }

    /// Whether an answer's body is of interest.
    fn reads(&self, status: StatusCode) -> bool {
        self.looks_at_page && status.is_success()
    }

    /// What failed before the head was whole, in the words of that.
    fn in_head(&self, failed: Failed) -> Failed {
        if (failed.failure, failed.phase) != (Failure::TimedOut, Some(Dimension::Body)) {
            return failed;
        }
        Failed { seen: format!("no whole head within {}", show(self.limits.whole)), ..failed }
    }

    fn why_cut(&self, failed: Failed, head: &ResponseHead) -> String {
        if failed.failure != Failure::TimedOut {
            return failed.seen;
        }
        let limit = PATIENCE.min(self.limits.deadline.saturating_duration_since(head.at));
        format!("its end did not come within {} of its headers", show(limit))
    }

    fn fetched(&self, url: Url, leg: Leg) -> Fetched {
        let Leg { head: ResponseHead { at, parts }, legs, body, cut } = leg;
        Fetched {
            status: parts.status,
            url,
            headers: parts.headers,
            legs,
            to_headers: at - self.start,
            body,
            cut,
        }
    }

    fn unanswered(&self, url: Url, failed: Failed) -> Unanswered {
        let trouble: Option<HandshakeProblem> =
            self.dial.trouble().filter(|_| failed.failure == Failure::Tls);
        Unanswered {
            url,
            refused: ConnectionFailure::new(failed, trouble),
            after: clock::now() - self.start,
        }
    }
}

fn legs(parts: &Parts, answer: Duration) -> Legs {
    let took = |dimension| parts.duration(dimension);
    Legs {
        lookup: took(Dimension::Dns),
        connect: took(Dimension::Connect),
        tls: took(Dimension::Tls),
        answer,
    }
}

fn has_credentials(asked: &RequestParts) -> bool {
    asked.headers.values().any(http::HeaderValue::is_sensitive)
}

fn unsendable(UnsendablePart(what): UnsendablePart) -> Failed {
    let seen = format!("{what} cannot be sent in a request");
    Failed { failure: Failure::Redirected, phase: None, expected: String::new(), seen, next: None }
}

/// That a redirect leads to a URL with credentials, which are not shown.
fn credentials(status: StatusCode, to: &Url) -> Failed {
    let place = format!("{}{}", to.origin().ascii_serialization(), to.path());
    let why = "with a user name or password in the URL, which `fetch` does not follow";
    let seen = format!("{} redirect to {place} {why}", status.as_u16());
    Failed { failure: Failure::Redirected, phase: None, expected: String::new(), seen, next: None }
}

fn no_head() -> Failed {
    Failed::in_phase(Failure::Prober, Dimension::FirstByte, "an answer without a head")
}

/// Puts IPv4 addresses before the others, each kind in the order in which it was found.
struct V4First<R>(R);

impl<R: NameResolver> NameResolver for V4First<R> {
    fn look_up(&self, name: &str, port: u16) -> LookupFuture {
        let finding = self.0.look_up(name, port);
        Box::pin(async move { Ok(v4_first(finding.await?)) as io::Result<_> })
    }
}

fn v4_first(mut found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    found.sort_by_key(SocketAddr::is_ipv6);
    found
}

#[cfg(test)]
mod tests;
