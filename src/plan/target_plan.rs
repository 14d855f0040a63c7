//! How a target is reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use crate::scenario::ResolveEntry;
use crate::units::UnitError;

/// Where requests go, and on what terms.
#[derive(Debug, Clone)]
pub struct TargetPlan {
    /// Scheme, host and port, with a path that requests are appended to; no user information. Where every request names a
    /// whole URL, the first of these.
    pub base_url: Url,
    /// Which version of HTTP is spoken.
    pub protocol: Protocol,
    /// Which certificates are believed.
    pub trust: Trust,
    /// The certificate that the prober shows, where the target asks for one.
    pub identity: Option<ClientIdentity>,
    /// Which addresses of a name are used.
    pub family: Family,
    /// Names whose addresses are given here and not looked up; the first that fits counts.
    pub resolve: Vec<Resolve>,
    /// Further hosts that redirects may lead to, lower case; the base URL's own is always allowed.
    pub allowed_hosts: Vec<String>,
    /// How old the addresses found for a name may be before they are looked up again; zero looks them up for each
    /// connection.
    pub dns_refresh: Duration,
    /// Whether TLS sessions are resumed; each handshake is a full one otherwise.
    pub tls_resumption: bool,
    /// How long each phase, and an exchange as a whole, may take.
    pub timeouts: Timeouts,
}

/// Which version of HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Over TLS what the target chooses by ALPN (HTTP/2 is offered first), else HTTP/1.1.
    Negotiated,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone: over TLS by ALPN, else with prior knowledge. A target that does not speak it fails.
    Http2,
}

/// Which certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The system's roots, or Mozilla's where the system has none.
    System,
    /// The certificates of a PEM file and no others.
    File(PathBuf),
    /// Any certificate: nobody knows who answers.
    Anything,
}

/// The certificate and key that the prober shows to a target that asks for one: PEM files, the chain leaf first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key; may be the same file.
    pub key: PathBuf,
}

/// Which addresses of a name are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// All of them, in the order of the resolver.
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// The addresses of one host and port, given instead of looked up, as by curl's `--resolve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// The name, lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The addresses, at least one.
    pub addresses: Vec<IpAddr>,
}

/// How long an exchange and its phases may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup.
    pub dns: Duration,
    /// The TCP handshake.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From sent to the first byte of the answer.
    pub first_byte: Duration,
    /// From the moment a connection takes the arrival to done, opening the connection included. An arrival that
    /// waited this long for a connection in vain is dropped.
    pub whole: Duration,
}

impl Resolve {
    /// Whether these are the addresses of a URL's host and port.
    pub(super) fn is_of(&self, url: &Url) -> bool {
        matches!(url.host(), Some(url::Host::Domain(name)) if name == self.host)
            && url.port_or_known_default() == Some(self.port)
    }
}

impl From<&ResolveEntry> for Resolve {
    fn from(given: &ResolveEntry) -> Self {
        let ResolveEntry { host, port, addresses } = given;
        Self { host: host.as_str().to_owned(), port: *port, addresses: addresses.clone() }
    }
}

impl FromStr for Resolve {
    type Err = UnitError;

    /// Reads `example.org:443:127.0.0.1,[::1]`: a host, a port and one address or more.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.parse::<ResolveEntry>().map(|given| Self::from(&given))
    }
}
