//! Opening a connection: name, TCP and TLS, each timed.

mod address_counts;
mod address_rules;
mod lookup;
mod roots;
mod rotation;
mod tls;
mod verifiers;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout_at;
use url::Host;

use crate::engine::connection::socket_peek::PeekableStream;
use crate::engine::connection::wire::ByteStream;
use crate::engine::error::EngineError;
use crate::engine::time::clock::{self, Instant};
use crate::library_text::describe_io;
use crate::plan::{CertificateTrust, ExchangeTimeouts, HttpProtocol, PinnedAddresses, TargetPlan};
use crate::record::{Dimension, Failure, LookupMeasurement};
use crate::recorder::{ExchangeFailure, ExchangeParts};
use address_rules::{AddressRules, HostAddresses};
use lookup::AddressCache;
use rotation::AddressRotation;
use tls::TlsClient;

pub use crate::library_text::HandshakeProblem;
pub(in crate::engine) use address_counts::AddressCounts;
pub(in crate::engine) use address_rules::{RequestDestination, UrlOrigin};
pub(in crate::engine) use lookup::{LookupFuture, NameResolver, SystemResolver};

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
}

/// An origin's addresses if they are known without a look-up; otherwise empty.
pub(in crate::engine) fn known_addresses(
    target: &TargetPlan,
    origin: &UrlOrigin,
) -> Vec<SocketAddr> {
    match AddressRules::new(target).addresses(origin) {
        Ok(HostAddresses::Known(addresses)) => addresses,
        Ok(HostAddresses::LookUp(_)) | Err(_) => Vec::new(),
    }
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
}

impl ConnectionTerms {
    /// Reads the certificates and prepares TLS. Fails if they cannot be read, or if the base URL
    /// has no usable address. If redirects are `followed`, they may lead to `https`.
    pub(in crate::engine) fn new(target: &TargetPlan, followed: bool) -> Result<Self, EngineError> {
        let url = &target.base_url;
        let bad_url = || EngineError::Target(format!("{url} names no host and port"));
        let home = UrlOrigin::of(url).ok_or_else(bad_url)?;
        AddressRules::new(target)
            .addresses(&home)
            .map_err(|why| EngineError::Target(format!("{url}: {why}")))?;
        if home.secure {
            tls::server_name(&home.host)
                .map_err(|why| EngineError::Target(format!("{url}: {why}")))?;
        }
        let tls = (home.secure || followed).then(|| TlsClient::new(target)).transpose()?;
        Ok(Self { target: target.clone(), tls })
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
        if let Host::Domain(name) = &origin.host {
            let only =
                PinnedAddresses { host: name.clone(), port: origin.port, addresses: vec![address] };
            terms.target.pinned_addresses.insert(0, only);
        }
        terms
    }
}

/// Opens TCP connections, with TLS for `https`.
pub(in crate::engine) struct TcpDialer {
    names: AddressRules,
    directory: AddressCache,
    turns: AddressRotation,
    tls: Option<TlsClient>,
    protocol: HttpProtocol,
    timeouts: ExchangeTimeouts,
}

impl TcpDialer {
    /// How long an address is tried last after a failed attempt to connect.
    const PENALTY: Duration = Duration::from_secs(30);

    /// Opens the connections of one lane; the first one starts with the address at `turn`.
    pub(in crate::engine) fn new(
        terms: ConnectionTerms,
        turn: u32,
        resolver: Box<dyn NameResolver>,
    ) -> Self {
        let ConnectionTerms { target, tls } = terms;
        Self {
            names: AddressRules::new(&target),
            directory: AddressCache::new(&target, resolver),
            turns: AddressRotation::new(usize::try_from(turn).unwrap_or(0), Self::PENALTY),
            tls,
            protocol: target.protocol,
            timeouts: target.timeouts,
        }
    }

    /// Why the last failed TLS handshake failed; `None` if that is not known.
    pub(in crate::engine) fn trouble(&self) -> Option<HandshakeProblem> {
        self.tls.as_ref().and_then(TlsClient::trouble)
    }

    async fn connect(
        &self,
        origin: &UrlOrigin,
        phases: &mut PhaseTimer<'_>,
    ) -> Result<DialedConnection, ExchangeFailure> {
        let addresses = self.addresses(origin, phases).await?;
        let (tcp, address) = self.tcp(origin, &addresses, phases).await?;
        let address = Some(address);
        let Some(tls) = self.tls.as_ref().filter(|_| origin.secure) else {
            return Ok(DialedConnection {
                stream: Box::new(tcp),
                spoken: self.spoken_in_plain(),
                address,
            });
        };
        let shaking = tls.shake_hands(&origin.host, tcp);
        let shaken = phases.timed(Dimension::Tls, self.timeouts.tls, shaking).await?;
        phases.record_handshake_kind(shaken.resumed);
        Ok(DialedConnection { stream: Box::new(shaken.stream), spoken: shaken.spoken, address })
    }

    fn spoken_in_plain(&self) -> NegotiatedProtocol {
        let version = match self.protocol {
            HttpProtocol::Http2 => NegotiatedVersion::Http2,
            HttpProtocol::Negotiated | HttpProtocol::Http1 => NegotiatedVersion::Http1,
        };
        NegotiatedProtocol { version, tls: None }
    }

    /// The origin's addresses. Only the wait for a look-up enters the phase `dns`.
    async fn addresses(
        &self,
        origin: &UrlOrigin,
        phases: &mut PhaseTimer<'_>,
    ) -> Result<Rc<[SocketAddr]>, ExchangeFailure> {
        let name = match self.names.addresses(origin) {
            Ok(HostAddresses::Known(addresses)) => return Ok(addresses.into()),
            Ok(HostAddresses::LookUp(name)) => name,
            Err(why) => return Err(dns_failed(why)),
        };
        if let Some(known) = self.directory.known(name, origin.port) {
            return Ok(known);
        }
        let found = async { self.directory.find(name, origin.port).await.map_err(dns_failed) };
        phases.timed(Dimension::Dns, self.timeouts.dns, found).await
    }

    /// Connects to the first address that can be reached.
    async fn tcp(
        &self,
        origin: &UrlOrigin,
        addresses: &[SocketAddr],
        phases: &mut PhaseTimer<'_>,
    ) -> Result<(PeekableStream, SocketAddr), ExchangeFailure> {
        let under_way = Cell::new(None);
        let connected = async {
            let mut failed = None;
            for address in self.turns.order(&origin.host, origin.port, addresses) {
                under_way.set(Some(address));
                let attempted = self.attempt(address).await;
                under_way.set(None);
                match attempted {
                    Ok(stream) => return Ok((stream, address)),
                    Err(error) => failed = Some(worse(failed, error)),
                }
            }
            Err(failed
                .unwrap_or_else(|| connect_failed(&std::io::ErrorKind::HostUnreachable.into())))
        };
        let connected = phases.timed(Dimension::Connect, self.timeouts.connect, connected).await;
        // An attempt that the timeout cut off does not name its address.
        let connected = connected.map_err(|failed| match under_way.get() {
            Some(address) => at(failed, address),
            None => failed,
        });
        if let (Err(_), Host::Domain(name)) = (&connected, &origin.host) {
            // The addresses may have changed: the next connection must not use the old ones.
            self.directory.forget(name, origin.port);
        }
        let (stream, address) = connected?;
        // Only a socket that is already gone refuses this option, and the first write then reports
        // it.
        let _gone = stream.set_nodelay(true);
        Ok((PeekableStream::new(stream), address))
    }
}

impl TcpDialer {
    /// Connects to one address. A failed attempt is counted, and the address is tried last for a
    /// while, unless the prober itself was at fault.
    async fn attempt(&self, address: SocketAddr) -> Result<TcpStream, ExchangeFailure> {
        let attempt = self.turns.attempt(address);
        let error = match TcpStream::connect(address).await {
            Ok(stream) => {
                attempt.reached();
                return Ok(stream);
            }
            Err(error) => at(connect_failed(&error), address),
        };
        if error.failure == Failure::Prober {
            attempt.excused();
        }
        Err(error)
    }
}

/// Which of two failures to report. A failure of the target outranks one of this machine, which is
/// not blamed on the target.
fn worse(before: Option<ExchangeFailure>, failed: ExchangeFailure) -> ExchangeFailure {
    match before {
        Some(before) if failed.failure == Failure::Prober => before,
        _ => failed,
    }
}

impl Dialer for TcpDialer {
    fn dial<'a>(
        &'a self,
        origin: &'a UrlOrigin,
        parts: &'a mut ExchangeParts,
        deadline: Instant,
    ) -> DialFuture<'a> {
        Box::pin(async move { self.connect(origin, &mut PhaseTimer { parts, deadline }).await })
    }

    fn lookups(&self) -> LookupMeasurement {
        self.directory.lookups()
    }

    fn unreached(&self) -> AddressCounts {
        self.turns.unreached()
    }
}

/// The phases of one connection: each has its own timeout, and none outlasts the exchange.
struct PhaseTimer<'a> {
    parts: &'a mut ExchangeParts,
    deadline: Instant,
}

impl PhaseTimer<'_> {
    /// Runs one phase within its timeout and records how long it took, or that it failed.
    async fn timed<T>(
        &mut self,
        phase: Dimension,
        limit: Duration,
        work: impl Future<Output = Result<T, ExchangeFailure>>,
    ) -> Result<T, ExchangeFailure> {
        let started = clock::now();
        let by = self.deadline.min(started + limit);
        let result =
            timeout_at(by, work).await.unwrap_or_else(|_| Err(timed_out(phase, by - started)));
        self.parts.set_outcome(phase, result.is_ok().then(|| clock::now() - started));
        result
    }

    /// Also records the handshake under its kind, full or resumed.
    fn record_handshake_kind(&mut self, resumed: bool) {
        let kind = if resumed { Dimension::TlsResumed } else { Dimension::TlsFull };
        self.parts.set_duration(kind, self.parts.duration(Dimension::Tls));
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
        _ if is_ours(error) => Failure::Prober,
        _ => Failure::Unreachable,
    };
    ExchangeFailure::in_phase(failure, Dimension::Connect, describe_io(error))
}

/// Adds the address to the failure: of several addresses, only one may fail.
fn at(failed: ExchangeFailure, address: SocketAddr) -> ExchangeFailure {
    match failed.failure {
        // A resource that this machine lacks does not depend on the address.
        Failure::Prober => failed,
        _ => ExchangeFailure { seen: format!("{address}: {}", failed.seen), ..failed },
    }
}

/// Whether this machine ran out of descriptors, local ports or buffers: not a fault of the target.
fn is_ours(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
    Errno::from_io_error(error).is_some_and(|errno| ours.contains(&errno))
}
