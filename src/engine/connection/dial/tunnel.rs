//! Connections through an HTTP proxy.

use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Host;

use super::UrlOrigin;
use crate::engine::connection::socket_peek::PeekableStream;
use crate::library_text::describe_io;
use crate::plan::ProxyPlan;
use crate::record::{Dimension, Failure};
use crate::recorder::ExchangeFailure;
use crate::units::format_duration;

/// Maximum length of the head of a proxy's answer.
const MAX_HEAD: usize = 16 << 10;

impl UrlOrigin {
    /// The origin of a proxy; `None` if its URL names no host, which a plan rules out.
    pub(super) fn of_proxy(proxy: &ProxyPlan) -> Option<Self> {
        Self::of(&proxy.url)
    }
}

/// Asks a proxy for a tunnel to an origin (RFC 9110, section 9.3.6).
///
/// Nothing beyond the head of the answer is read from the stream: what follows belongs to the
/// tunnel.
pub(super) async fn open_tunnel(
    stream: &mut PeekableStream,
    origin: &UrlOrigin,
    proxy: &ProxyPlan,
) -> Result<(), ExchangeFailure> {
    let destination = format!("{}:{}", origin.host, origin.port);
    let broken = |what: String| failed(format!("the proxy {proxy} {what}"), Some(UNREACHED));
    let request = connect_request(&destination, proxy);
    let written = stream.write_all(&request).await;
    written.map_err(|error| {
        broken(format!("broke off before CONNECT was sent: {}", describe_io(&error)))
    })?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        match stream.read_u8().await {
            Ok(byte) if head.len() < MAX_HEAD => head.push(byte),
            Ok(_) => return Err(broken("answered CONNECT with an endless head".to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(broken(
                    "closed the connection without an answer to CONNECT".to_owned(),
                ));
            }
            Err(error) => {
                return Err(broken(format!("broke off during CONNECT: {}", describe_io(&error))));
            }
        }
    }
    match status(&head) {
        Some(status) if status.is_success() => Ok(()),
        Some(status) => {
            let seen = format!("the proxy {proxy} answered CONNECT {destination} with {status}");
            Err(failed(seen, Some(advice(status))))
        }
        None => Err(broken("did not answer CONNECT in HTTP/1.1".to_owned())),
    }
}

fn connect_request(destination: &str, proxy: &ProxyPlan) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let head = format!(
        "CONNECT {destination} HTTP/1.1\r\nHost: {destination}\r\nUser-Agent: tollgate/{version}\r\n"
    );
    let mut request = head.into_bytes();
    if let Some(credentials) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credentials.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// The status of an answer; `None` if its first line is not that of HTTP/1.
fn status(head: &[u8]) -> Option<StatusCode> {
    let rest = head.strip_prefix(b"HTTP/1.")?.get(1..)?.strip_prefix(b" ")?;
    StatusCode::from_bytes(rest.get(..3)?).ok()
}

const UNREACHED: &str = "check that the proxy runs and is reachable from here";

/// What to do if a proxy answers with this status.
fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            "give the proxy's user and password: `proxy = \"http://USER:${PASSWORD}@HOST:PORT\"`"
        }
        StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED => {
            "let the proxy allow this host and port, or go without it"
        }
        _ => "look at the proxy's log: it could not connect to the target",
    }
}

fn failed(seen: String, next: Option<&'static str>) -> ExchangeFailure {
    ExchangeFailure { next, ..ExchangeFailure::in_phase(Failure::Proxy, Dimension::Proxy, seen) }
}

/// The failure to reach a proxy. It names the proxy, not the target, as what failed.
pub(super) fn not_reached(proxy: &ProxyPlan, why: ExchangeFailure) -> ExchangeFailure {
    if why.failure == Failure::Prober {
        return why;
    }
    let host = match proxy.url.host() {
        Some(Host::Domain(_)) => format!("{proxy}: "),
        _ => String::new(),
    };
    ExchangeFailure {
        failure: Failure::Proxy,
        seen: format!("the proxy was not reached: {host}{}", why.seen),
        next: Some(UNREACHED),
        ..why
    }
}

/// The failure of a proxy that does not answer `CONNECT` in time.
pub(super) fn silent(proxy: &ProxyPlan, limit: Duration, late: ExchangeFailure) -> ExchangeFailure {
    let limit = format_duration(limit);
    let seen = format!("the proxy {proxy} did not answer CONNECT within {limit}");
    let next = Some("look at the proxy's log: it accepted the connection but opened no tunnel");
    ExchangeFailure { failure: Failure::Proxy, seen, next, ..late }
}

/// The failure that a proxy's own answer to a forwarded request means; `None` if the answer may be
/// the target's.
pub(in crate::engine) fn refused_by_proxy(
    proxy: &ProxyPlan,
    status: StatusCode,
) -> Option<ExchangeFailure> {
    (status == StatusCode::PROXY_AUTHENTICATION_REQUIRED).then(|| ExchangeFailure {
        phase: Some(Dimension::FirstByte),
        ..failed(format!("the proxy {proxy} answered with {status}"), Some(advice(status)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_of_http_has_a_status() {
        for (head, expected) in [
            (&b"HTTP/1.1 200 Connection established\r\n\r\n"[..], Some(200)),
            (b"HTTP/1.0 407\r\n\r\n", Some(407)),
            (b"HTTP/2 200\r\n\r\n", None),
            (b"SSH-2.0-x\r\n\r\n", None),
            (b"HTTP/1.1 20\r\n\r\n", None),
            (b"\n\n", None),
        ] {
            assert_eq!(status(head).map(|status| status.as_u16()), expected);
        }
    }
}
