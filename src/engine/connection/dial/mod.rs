//! Opening a connection: name, TCP and TLS, each timed.

mod address_counts;
mod address_rules;
mod attempt_counts;
mod lookup;
mod race;
mod roots;
mod rotation;
mod tcp_dialer;
mod tls;
mod tunnel;
mod unix_socket;

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use url::Host;

use crate::engine::connection::sends::{SendGuard, SendLimit};
use crate::engine::connection::wire::ByteStream;
use crate::engine::error::EngineError;
use crate::engine::time::clock::Instant;
use crate::library_text::{describe_io, is_local_shortage};
use crate::plan::{CertificateTrust, ExchangeTimeouts, PinnedAddresses, ProxyPlan, TargetPlan};
use crate::record::{Dimension, Failure, LookupMeasurement};
use crate::recorder::{ExchangeFailure, ExchangeParts};
use address_rules::{AddressRules, HostAddresses};
use tls::TlsClient;

pub use crate::library_text::HandshakeProblem;
pub(in crate::engine) use address_counts::AddressCounts;
pub(in crate::engine) use address_rules::{RequestDestination, UrlOrigin};
pub(in crate::engine) use attempt_counts::AttemptCounts;
pub(in crate::engine) use lookup::{LookupFuture, NameResolver, SystemResolver};
pub(in crate::engine) use tcp_dialer::TcpDialer;
pub(in crate::engine) use tunnel::refused_by_proxy;

/// The version of HTTP spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum NegotiatedVersion {
    Http1,
    Http2,
}

/// The TLS version of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum TlsVersion {
    Tls12,
    Tls13,
}

/// What is spoken on a connection, as both sides negotiated it; shown as `HTTP/2 over TLS 1.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct NegotiatedProtocol {
    pub(in crate::engine) version: NegotiatedVersion,
    pub(in crate::engine) tls: Option<TlsVersion>,
}

impl fmt::Display for NegotiatedProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.version {
            NegotiatedVersion::Http1 => "HTTP/1.1",
            NegotiatedVersion::Http2 => "HTTP/2",
        })?;
        f.write_str(match self.tls {
            None => "",
            Some(TlsVersion::Tls12) => " over TLS 1.2",
            Some(TlsVersion::Tls13) => " over TLS 1.3",
        })
    }
}

/// A connected stream and what is spoken on it.
pub(in crate::engine) struct DialedConnection {
    pub(in crate::engine) stream: Box<dyn ByteStream>,
    pub(in crate::engine) spoken: NegotiatedProtocol,
    /// The remote address; `None` for a stream within the process.
    pub(in crate::engine) address: Option<SocketAddr>,
}

/// The result of dialling. The parts receive the time of each phase, even if dialling fails.
pub(in crate::engine) type DialFuture<'a> =
    Pin<Box<dyn Future<Output = Result<DialedConnection, ExchangeFailure>> + 'a>>;

/// Opens connections, each by a deadline.
pub(in crate::engine) trait Dialer {
    fn dial<'a>(
        &'a self,
        origin: &'a UrlOrigin,
        parts: &'a mut ExchangeParts,
        deadline: Instant,
    ) -> DialFuture<'a>;

    /// The results of name look-ups so far.
    fn lookups(&self) -> LookupMeasurement {
        LookupMeasurement::default()
    }

    /// How many attempts to connect to each address failed so far.
    fn unreached(&self) -> AddressCounts {
        AddressCounts::default()
    }

    /// The attempts to connect to hosts with several addresses so far.
    fn attempts(&self) -> AttemptCounts {
        AttemptCounts::default()
    }

    /// The proxy that forwards requests to an origin; `None` if connections are the target's own
    /// or a tunnel to it.
    fn forward_proxy(&self, _: &UrlOrigin) -> Option<Rc<ProxyPlan>> {
        None
    }

    /// Whom to ask before each request; `None` if nothing limits them.
    fn send_guard(&self) -> Option<&SendGuard> {
        None
    }
}

/// An origin's addresses if they are known without a look-up; otherwise empty.
pub(in crate::engine) fn known_addresses(
    target: &TargetPlan,
    origin: &UrlOrigin,
) -> Vec<SocketAddr> {
    let reached = reached_origin(target, origin);
    match AddressRules::new(target).addresses(&reached) {
        Ok(HostAddresses::Known(addresses)) => addresses,
        Ok(HostAddresses::LookUp(_)) | Err(_) => Vec::new(),
    }
}

/// The origin that connections to an origin are opened to: a proxy, or the origin itself.
pub(in crate::engine) fn reached_origin(target: &TargetPlan, origin: &UrlOrigin) -> UrlOrigin {
    let proxy = target.proxies.for_host(origin.secure, &origin.host);
    proxy.and_then(UrlOrigin::of_proxy).unwrap_or_else(|| origin.clone())
}

/// The addresses found for a host that a target's connections may use, each once; the error says
/// why there is none.
pub(in crate::engine) fn usable_addresses(
    target: &TargetPlan,
    host: &str,
    found: &[SocketAddr],
) -> Result<Vec<SocketAddr>, String> {
    AddressRules::new(target).usable(host, found.iter().copied())
}

/// The certificates that a handshake trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootCertificates {
    /// The number of certificates.
    pub count: usize,
    /// Whether they are Mozilla's built-in ones, because the system has none.
    pub are_built_in: bool,
    /// Why some of the system's certificates could not be read.
    pub unread: Vec<String>,
}

/// The trusted certificates; `None` if any certificate is trusted.
pub(in crate::engine) fn roots(
    trust: &CertificateTrust,
) -> Result<Option<RootCertificates>, EngineError> {
    Ok(match trust {
        CertificateTrust::AnyCertificate => None,
        CertificateTrust::File(path) => {
            let count = roots::of_file(path)?.len();
            Some(RootCertificates { count, are_built_in: false, unread: Vec::new() })
        }
        CertificateTrust::System => {
            let roots::SystemRoots { store, are_built_in, unread } = roots::of_system();
            Some(RootCertificates { count: store.len(), are_built_in, unread })
        }
    })
}

/// The terms on which a scenario's connections are opened; read once for all its lanes.
#[derive(Clone)]
pub(in crate::engine) struct ConnectionTerms {
    target: TargetPlan,
    /// Prepared if the scenario can meet an `https` origin.
    tls: Option<TlsClient>,
    /// Asked before each request; `None` if other machines may get any load.
    sends: Option<SendGuard>,
}

impl ConnectionTerms {
    /// Reads the certificates and prepares TLS. Fails if they cannot be read, or if the base URL
    /// has no usable address. If redirects are `followed`, they may lead to `https`.
    pub(in crate::engine) fn new(target: &TargetPlan, followed: bool) -> Result<Self, EngineError> {
        let url = &target.base_url;
        let bad_url = || EngineError::Target(format!("{url} names no host and port"));
        let home = UrlOrigin::of(url).ok_or_else(bad_url)?;
        AddressRules::new(target)
            .addresses(&reached_origin(target, &home))
            .map_err(|why| EngineError::Target(format!("{url}: {why}")))?;
        if home.secure {
            tls::server_name(&home.host)
                .map_err(|why| EngineError::Target(format!("{url}: {why}")))?;
        }
        let tls = (home.secure || followed).then(|| TlsClient::new(target)).transpose()?;
        Ok(Self { target: target.clone(), tls, sends: None })
    }

    /// The same terms, with requests to other machines held to a limit.
    pub(in crate::engine) fn limited(mut self, limit: Option<SendLimit>) -> Self {
        self.sends = limit.map(|limit| SendGuard::new(limit, self.target.clone()));
        self
    }

    /// The same terms for connections to only one address of an origin, with a limit for each
    /// phase.
    pub(in crate::engine) fn to_one(
        &self,
        origin: &UrlOrigin,
        address: IpAddr,
        limit: Duration,
    ) -> Self {
        let mut terms = self.clone();
        let ExchangeTimeouts { connect, tls, .. } = &mut terms.target.timeouts;
        (*connect, *tls) = ((*connect).min(limit), (*tls).min(limit));
        let UrlOrigin { host, port, .. } = reached_origin(&self.target, origin);
        if let Host::Domain(host) = host {
            let only = PinnedAddresses { host, port, addresses: vec![address] };
            terms.target.pinned_addresses.insert(0, only);
        }
        terms
    }
}

pub(in crate::engine) fn timed_out(phase: Dimension, limit: Duration) -> ExchangeFailure {
    ExchangeFailure::in_phase(
        Failure::TimedOut,
        phase,
        format!("no {phase} within {}", crate::units::format_duration(limit)),
    )
}

fn dns_failed(seen: String) -> ExchangeFailure {
    ExchangeFailure::in_phase(Failure::Dns, Dimension::Dns, seen)
}

fn connect_failed(error: &std::io::Error) -> ExchangeFailure {
    let failure = match error.kind() {
        std::io::ErrorKind::ConnectionRefused => Failure::Refused,
        std::io::ErrorKind::ConnectionReset => Failure::Reset,
        std::io::ErrorKind::TimedOut => Failure::TimedOut,
        _ if is_local_shortage(error) => Failure::Prober,
        _ => Failure::Unreachable,
    };
    ExchangeFailure::in_phase(failure, Dimension::Connect, describe_io(error))
}

/// Maximum number of addresses that a failure names.
const ADDRESSES_NAMED: usize = 4;

/// Adds the addresses to the failure, if there are any: of several, only some may fail.
fn at(failed: ExchangeFailure, addresses: &[SocketAddr]) -> ExchangeFailure {
    // A resource that this machine lacks does not depend on the address.
    if failed.failure == Failure::Prober || addresses.is_empty() {
        return failed;
    }
    let named: Vec<_> = addresses.iter().take(ADDRESSES_NAMED).map(ToString::to_string).collect();
    let more = match addresses.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    ExchangeFailure { seen: format!("{}{more}: {}", named.join(", "), failed.seen), ..failed }
}
