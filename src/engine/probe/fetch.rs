//! Sends one request as `fetch` of Node.js does. It follows redirects to any host, and the measured
//! time ends when the headers of the final answer have arrived.
//!
//! It is not an exchange of a run: it has no due time and no expectations, and its duration
//! includes look-up, connections and redirects.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, response};
use tokio::task::LocalSet;
use url::Url;

use super::reach::ConnectionFailure;
use crate::engine::connection::dial::{
    ConnectionTerms, Dialer as _, LookupFuture, NameResolver, SystemResolver, TcpDialer, UrlOrigin,
};
use crate::engine::connection::http::{
    BodyCollector, ExchangeLimits, HttpConnection, RequestMessage, RequestNotSent, RequestParts,
    ResponseHead, UnsendablePart,
};
use crate::engine::error::EngineError;
use crate::engine::exchange::redirect::{self, RedirectDecision, RedirectRules};
use crate::engine::thread::current_thread_runtime;
use crate::engine::time::clock::{self, Instant};
use crate::expect::{CaptureSet, Expectation, ExpectationSet, ResponseCheck};
use crate::plan::{
    AddressFamily, CertificateTrust, ExchangeTimeouts, HttpProtocol, ProxyChoice, TargetPlan,
};
use crate::record::{Dimension, Failure};
use crate::recorder::{ExchangeFailure, ExchangeParts};
use crate::units::ByteSize;

/// Maximum number of redirects (<https://fetch.spec.whatwg.org/#http-redirect-fetch>).
const MAX_REDIRECTS: u32 = 20;

/// Maximum size of a page that is read.
const MAX_BODY: ByteSize = ByteSize(1 << 20);

/// How long the body may take after the headers; the result is already known by then.
const BODY_PATIENCE: Duration = Duration::from_secs(2);

/// Used if there is no timeout: clocks cannot represent an infinite deadline.
const NO_TIMEOUT: Duration = Duration::from_hours(365 * 24);

/// What to request.
#[derive(Clone)]
pub struct FetchRequest {
    /// The method.
    pub method: Method,
    /// An `http` or `https` URL without user information.
    pub url: Url,
    /// Every header except `host`. Sensitive ones are sent only to the URL's origin.
    pub headers: HeaderMap,
    /// What is sent. A redirect to another origin does not get it, and ends the request.
    pub body: Bytes,
    /// Whether to read the body of a 2xx answer.
    pub reads_page: bool,
    /// Whether to read the body of a 4xx or 5xx answer, which may say why.
    pub reads_error_page: bool,
    /// Maximum size of the body that is read.
    pub max_page: ByteSize,
    /// How long the body may take after the headers; the status is already known by then.
    pub page_patience: Duration,
    /// Limit for everything including the body; `None` for no limit.
    pub timeout: Option<Duration>,
    /// Whether redirects are followed, up to 20. Otherwise a redirect is the answer.
    pub follows_redirects: bool,
    /// The proxies that connections go through.
    pub proxies: ProxyChoice,
}

impl FetchRequest {
    /// A GET without a body and without a limit. A page is not read unless that is set; then at
    /// most 1 MiB of it, and for at most 2 s.
    pub fn get(url: Url, headers: HeaderMap) -> Self {
        Self {
            method: Method::GET,
            url,
            headers,
            body: Bytes::new(),
            reads_page: false,
            reads_error_page: false,
            max_page: MAX_BODY,
            page_patience: BODY_PATIENCE,
            timeout: None,
            follows_redirects: true,
            proxies: ProxyChoice::default(),
        }
    }
}

/// What happened to a request.
#[derive(Debug, Clone)]
pub struct FetchOutcome {
    /// The redirects that were followed, in order.
    pub redirects: Vec<FollowedRedirect>,
    /// The last URL that was requested.
    pub url: Url,
    /// From the start to the headers of the final answer, or to the failure.
    pub elapsed: Duration,
    /// The final answer, or why there is none.
    pub response: Result<FetchedPage, ConnectionFailure>,
}

/// A redirect that was followed.
#[derive(Debug, Clone)]
pub struct FollowedRedirect {
    /// Its status.
    pub status: StatusCode,
    /// The URL that answered with it.
    pub from: Url,
    /// The URL that it names.
    pub to: Url,
}

/// The final answer.
#[derive(Debug, Clone)]
pub struct FetchedPage {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// What arrived of the body within the limits of the request. Empty unless the request reads
    /// the page of such a status.
    pub body: Vec<u8>,
    /// Whether `body` is complete; also false if it was not read.
    pub is_whole: bool,
}

/// Sends the request over HTTP/1.1, each time on a new connection, and follows up to 20 redirects
/// to any host, unless the request forbids that. It does not read the body of a redirect. IPv4
/// addresses are tried first.
///
/// # Errors
/// Nothing could be sent: no runtime, or no usable certificates.
pub fn fetch(request: &FetchRequest) -> Result<FetchOutcome, EngineError> {
    let timeout = request.timeout.unwrap_or(NO_TIMEOUT);
    let timeouts = ExchangeTimeouts {
        dns: timeout,
        connect: timeout,
        tls: timeout,
        first_byte: timeout,
        whole: timeout,
    };
    let target = TargetPlan {
        base_url: request.url.clone(),
        protocol: HttpProtocol::Http1,
        trust: CertificateTrust::System,
        identity: None,
        unix_socket: None,
        proxies: request.proxies.clone(),
        family: AddressFamily::Any,
        pinned_addresses: Vec::new(),
        allowed_hosts: Vec::new(),
        dns_refresh: timeout,
        tls_resumption: false,
        timeouts,
    };
    let terms = ConnectionTerms::new(&target, true)?;
    let runtime = current_thread_runtime()?;
    let outcome = LocalSet::new().block_on(&runtime, async {
        let start = clock::now();
        let fetcher = PageFetcher {
            dial: TcpDialer::new(terms, 0, Box::new(Ipv4FirstResolver(SystemResolver))),
            start,
            limits: ExchangeLimits::new(&target.timeouts, start),
            request,
        };
        fetcher.follow().await
    });
    // A look-up that hangs in the system would otherwise delay the return.
    runtime.shutdown_background();
    Ok(outcome)
}

/// A request and the redirects that it follows.
struct PageFetcher<'a> {
    dial: TcpDialer,
    start: Instant,
    limits: ExchangeLimits,
    request: &'a FetchRequest,
}

impl PageFetcher<'_> {
    /// Sends requests until an answer is final.
    async fn follow(self) -> FetchOutcome {
        let mut current = RequestParts {
            method: self.request.method.clone(),
            url: self.request.url.clone(),
            headers: self.request.headers.clone(),
            body: self.request.body.clone(),
        };
        let (mut redirects, mut followed) = (Vec::new(), 0);
        let (elapsed, response) = loop {
            let (head, page) = match self.exchange(&current).await {
                Ok(answer) => answer,
                Err(failed) => break (clock::now() - self.start, Err(self.refused(failed))),
            };
            let status = page.status;
            if !self.request.follows_redirects {
                break (head.at - self.start, Ok(page));
            }
            let limits = (followed, MAX_REDIRECTS);
            match redirect::next_request(
                &current,
                status,
                &head.parts.headers,
                &RedirectRules::Anywhere,
                limits,
            ) {
                RedirectDecision::Final => break (head.at - self.start, Ok(page)),
                RedirectDecision::Refused(failed) => {
                    break (clock::now() - self.start, Err(self.refused(failed)));
                }
                RedirectDecision::Follow(next) => {
                    redirects.push(FollowedRedirect {
                        status,
                        from: current.url,
                        to: next.url.clone(),
                    });
                    followed += 1;
                    current = *next;
                }
            }
        };
        FetchOutcome { redirects, url: current.url, elapsed, response }
    }

    /// Sends one request. It succeeds once the headers have arrived, even if the body fails.
    async fn exchange(
        &self,
        current: &RequestParts,
    ) -> Result<(ResponseHead, FetchedPage), ExchangeFailure> {
        let message = RequestMessage::new(current).map_err(|error| unsendable(&error))?;
        let origin = UrlOrigin::of(&current.url)
            .ok_or_else(|| unsendable(&UnsendablePart("the target's host")))?;
        let (mut parts, mut body, mut head) = (ExchangeParts::default(), Vec::new(), None);
        let dialed = self.dial.dial(&origin, &mut parts, self.limits.deadline).await?;
        let mut connection = HttpConnection::open(dialed, self.limits.deadline).await?;
        if let Some(proxy) = self.dial.forward_proxy(&origin) {
            connection.forward_by(proxy);
        }
        let reads = |status: StatusCode| self.reads(status);
        let time_limit = |head: &response::Parts| {
            if reads(head.status) { self.request.page_patience } else { Duration::ZERO }
        };
        // An expectation that every body meets makes the collector keep the body.
        let any = Expectation { written: String::new(), check: ResponseCheck::contains("") };
        let expectations = ExpectationSet::new(vec![any], self.request.max_page);
        let captures = CaptureSet::default();
        let mut collector = BodyCollector::new(&expectations, &captures, &mut body)
            .with_head(&mut head, &time_limit);
        let sent = clock::now();
        let served =
            connection.exchange(&message, sent, self.limits, &mut parts, &mut collector).await;
        let failed = served.map_err(|RequestNotSent(failed)| *failed)?.answer.err();
        let Some(head) = head else {
            let no_head = || {
                ExchangeFailure::in_phase(
                    Failure::Prober,
                    Dimension::FirstByte,
                    "an answer without a head",
                )
            };
            return Err(failed.map_or_else(no_head, |failed| *failed));
        };
        let status = head.parts.status;
        if !reads(status) {
            body.clear();
        }
        let headers = head.parts.headers.clone();
        Ok((head, FetchedPage { status, headers, body, is_whole: failed.is_none() }))
    }

    /// Whether to read the body of an answer with this status.
    fn reads(&self, status: StatusCode) -> bool {
        let is_error = status.is_client_error() || status.is_server_error();
        (self.request.reads_page && status.is_success())
            || (self.request.reads_error_page && is_error)
    }

    fn refused(&self, failed: ExchangeFailure) -> ConnectionFailure {
        let trouble = self.dial.trouble().filter(|_| failed.failure == Failure::Tls);
        ConnectionFailure::new(failed, trouble)
    }
}

fn unsendable(UnsendablePart(what): &UnsendablePart) -> ExchangeFailure {
    ExchangeFailure::new(Failure::Redirected, format!("{what} cannot be sent in a request"))
}

/// Puts IPv4 addresses first and otherwise keeps the resolver's order.
struct Ipv4FirstResolver<R>(R);

impl<R: NameResolver> NameResolver for Ipv4FirstResolver<R> {
    fn look_up(&self, name: &str, port: u16) -> LookupFuture {
        let finding = self.0.look_up(name, port);
        Box::pin(async move { Ok(sort_ipv4_first(finding.await?)) as io::Result<_> })
    }
}

fn sort_ipv4_first(mut found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    found.sort_by_key(SocketAddr::is_ipv6);
    found
}

#[cfg(test)]
mod tests;
