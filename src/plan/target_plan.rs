//! How a target is reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::{Host, Url};

use super::proxy::ProxyChoice;
use crate::scenario::ResolveEntry;
use crate::units::UnitError;

/// How a target is reached.
#[derive(Debug, Clone)]
pub struct TargetPlan {
    /// Scheme, host and port, with a path that request paths are appended to. It has no user
    /// information. If every request has a complete URL, this is the first of them.
    pub base_url: Url,
    /// The HTTP version.
    pub protocol: HttpProtocol,
    /// Which certificates are accepted.
    pub trust: CertificateTrust,
    /// The client certificate, sent if the target asks for one.
    pub identity: Option<ClientIdentity>,
    /// The Unix socket that connections to the base URL's origin go to, instead of its host.
    pub unix_socket: Option<PathBuf>,
    /// The proxies that connections go through.
    pub proxies: ProxyChoice,
    /// Which addresses of a name are used.
    pub family: AddressFamily,
    /// Names whose addresses are set here instead of looked up. The first match wins.
    pub pinned_addresses: Vec<PinnedAddresses>,
    /// Additional hosts that redirects may lead to, in lower case. The host of the base URL is
    /// always allowed.
    pub allowed_hosts: Vec<String>,
    /// How old the addresses of a name may be before they are looked up again. With zero, every
    /// connection looks them up.
    pub dns_refresh: Duration,
    /// Whether TLS sessions are resumed. Otherwise every handshake is a full one.
    pub tls_resumption: bool,
    /// How long each phase and the whole exchange may take.
    pub timeouts: ExchangeTimeouts,
}

/// The HTTP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpProtocol {
    /// Over TLS, the version that the target chooses by ALPN, with HTTP/2 offered first; HTTP/1.1
    /// otherwise.
    Negotiated,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone: by ALPN over TLS, with prior knowledge otherwise. A target that does not speak
    /// it fails.
    Http2,
}

/// Which certificates are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateTrust {
    /// Those that lead to the system's roots, or to Mozilla's if the system has none.
    System,
    /// Only those that lead to the certificates of a PEM file.
    File(PathBuf),
    /// Any certificate, so that the identity of the target is unknown.
    AnyCertificate,
}

/// A client certificate and its key: PEM files, with the leaf first in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate and the chain to its authority.
    pub certificate: PathBuf,
    /// The private key. It may be the same file.
    pub key: PathBuf,
}

/// Which addresses of a name are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFamily {
    /// All addresses, in the order of the resolver.
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// The addresses of one host and port, set instead of looked up, like curl's `--resolve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedAddresses {
    /// The name, in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The addresses; at least one.
    pub addresses: Vec<IpAddr>,
}

/// How long an exchange and its phases may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeTimeouts {
    /// The name lookup.
    pub dns: Duration,
    /// The TCP handshake.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From sent to the first byte of the response.
    pub first_byte: Duration,
    /// From the moment a connection takes the arrival to done, including the time to open the
    /// connection. An arrival that waits longer than this for a connection is dropped.
    pub whole: Duration,
}

impl TargetPlan {
    /// Whether a host is this machine: by the addresses given for the base URL's port, else by its
    /// name. One given address elsewhere makes the host foreign.
    pub fn is_own_machine(&self, host: &str) -> bool {
        let pinned: Vec<_> = self
            .pinned_addresses
            .iter()
            .filter(|pinned| pinned.host.eq_ignore_ascii_case(host))
            .collect();
        let port = self.base_url.port_or_known_default();
        let local = pinned.iter().all(|pinned| pinned.addresses.iter().all(IpAddr::is_loopback));
        local && (is_loopback_name(host) || pinned.iter().any(|pinned| Some(pinned.port) == port))
    }
}

fn is_loopback_name(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(ip)) => ip.is_loopback(),
        Ok(Host::Ipv6(ip)) => ip.is_loopback(),
        Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Err(_) => false,
    }
}

impl PinnedAddresses {
    /// Whether these addresses belong to the host and port of a URL.
    pub(super) fn is_of(&self, url: &Url) -> bool {
        matches!(url.host(), Some(Host::Domain(name)) if name == self.host)
            && url.port_or_known_default() == Some(self.port)
    }
}

impl From<&ResolveEntry> for PinnedAddresses {
    fn from(given: &ResolveEntry) -> Self {
        let ResolveEntry { host, port, addresses } = given;
        Self { host: host.as_str().to_owned(), port: *port, addresses: addresses.clone() }
    }
}

impl FromStr for PinnedAddresses {
    type Err = UnitError;

    /// Reads `example.org:443:127.0.0.1,[::1]`: a host, a port, and one or more addresses.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.parse::<ResolveEntry>().map(|given| Self::from(&given))
    }
}
