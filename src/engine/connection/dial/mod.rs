//! Opening a connection: name, TCP and TLS, each timed.

mod address_counts;
mod address_rules;
mod attempt_counts;
mod handshake_problem;
mod lookup;
mod race;
mod roots;
mod rotation;
mod tls;
mod tunnel;
#[cfg(unix)]
mod unix_socket;

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
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
use crate::plan::{
    CertificateTrust, ExchangeTimeouts, HttpProtocol, PinnedAddresses, ProxyChoice, ProxyPlan,
    TargetPlan,
};
use crate::record::{Dimension, Failure, LookupMeasurement};
use crate::recorder::{ExchangeFailure, ExchangeParts};
use address_rules::{AddressRules, HostAddresses};
use lookup::AddressCache;
use race::ConnectionRace;
use rotation::AddressRotation;
use tls::TlsClient;

pub(in crate::engine) use address_counts::AddressCounts;
pub(in crate::engine) use address_rules::{RequestDestination, UrlOrigin};
pub(in crate::engine) use attempt_counts::AttemptCounts;
pub use handshake_problem::HandshakeProblem;
pub(in crate::engine) use lookup::{LookupFuture, NameResolver, SystemResolver};
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
        let UrlOrigin { host, port, .. } = reached_origin(&self.target, origin);
        if let Host::Domain(host) = host {
            let only = PinnedAddresses { host, port, addresses: vec![address] };
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
    /// The Unix socket that serves the base URL's origin, with that origin.
    socket: Option<(UrlOrigin, PathBuf)>,
    proxies: ProxyChoice,
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
            socket: UrlOrigin::of(&target.base_url).zip(target.unix_socket),
            proxies: target.proxies,
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
        if let Some((_, path)) = self.socket.as_ref().filter(|(home, _)| home == origin) {
            return self.connect_to_socket(path, phases).await;
        }
        let proxy = self.proxies.for_host(origin.secure, &origin.host);
        let (tcp, reached, is_choice) = match proxy {
            Some(proxy) => self.reach_by_proxy(origin, proxy, phases).await?,
            None => self.reach(origin, phases).await?,
        };
        let address = Some(reached);
        let Some(tls) = self.tls.as_ref().filter(|_| origin.secure) else {
            let spoken = self.spoken_in_plain();
            return Ok(DialedConnection { stream: Box::new(tcp), spoken, address });
        };
        let shaking = tls.shake_hands(&origin.host, tcp);
        let shaken = phases.timed(Dimension::Tls, self.timeouts.tls, shaking).await;
        let shaken = shaken.map_err(|failed| match (is_choice, proxy) {
            (true, None) => self.handshake_failed_at(origin, reached, failed),
            _ => failed,
        })?;
        phases.record_handshake_kind(shaken.resumed);
        Ok(DialedConnection { stream: Box::new(shaken.stream), spoken: shaken.spoken, address })
    }

    /// A TCP connection to an origin, its address, and whether the origin has several.
    async fn reach(
        &self,
        origin: &UrlOrigin,
        phases: &mut PhaseTimer<'_>,
    ) -> Result<(PeekableStream, SocketAddr, bool), ExchangeFailure> {
        let addresses = self.addresses(origin, phases).await?;
        let (tcp, reached) = self.tcp(origin, &addresses, phases).await?;
        Ok((tcp, reached, addresses.len() > 1))
    }

    /// The same by a proxy, with a tunnel unless the proxy forwards the requests.
    async fn reach_by_proxy(
        &self,
        origin: &UrlOrigin,
        proxy: &ProxyPlan,
        phases: &mut PhaseTimer<'_>,
    ) -> Result<(PeekableStream, SocketAddr, bool), ExchangeFailure> {
        let Some(hop) = UrlOrigin::of_proxy(proxy) else {
            return Err(dns_failed(format!("{proxy} names no host")));
        };
        let reached = self.reach(&hop, phases).await;
        let (mut tcp, address, is_choice) =
            reached.map_err(|failed| tunnel::not_reached(proxy, failed))?;
        if !self.is_forwarded(origin) {
            let opening = tunnel::open_tunnel(&mut tcp, origin, proxy);
            phases.timed(Dimension::Proxy, self.timeouts.connect, opening).await.map_err(
                |failed| match failed.failure {
                    Failure::TimedOut => tunnel::silent(proxy, failed),
                    _ => failed,
                },
            )?;
        }
        Ok((tcp, address, is_choice))
    }

    /// Whether a proxy would forward requests to an origin, one by one, instead of opening a
    /// tunnel.
    fn is_forwarded(&self, origin: &UrlOrigin) -> bool {
        !origin.secure && self.protocol != HttpProtocol::Http2
    }

    #[cfg(unix)]
    async fn connect_to_socket(
        &self,
        path: &Path,
        phases: &mut PhaseTimer<'_>,
    ) -> Result<DialedConnection, ExchangeFailure> {
        let connected = unix_socket::connect(path);
        let limit = self.timeouts.connect;
        let stream = phases.timed(Dimension::Connect, limit, connected).await.map_err(
            |failed| match failed.failure {
                Failure::TimedOut => {
                    let seen = format!("{}: {}", path.display(), failed.seen);
                    ExchangeFailure { seen, ..failed }
                }
                _ => failed,
            },
        )?;
        let stream = Box::new(PeekableStream::new(stream));
        Ok(DialedConnection { stream, spoken: self.spoken_in_plain(), address: None })
    }

    /// A plan for a system without Unix sockets names none.
    #[cfg(not(unix))]
    async fn connect_to_socket(
        &self,
        _: &Path,
        _: &mut PhaseTimer<'_>,
    ) -> Result<DialedConnection, ExchangeFailure> {
        Err(connect_failed(&std::io::ErrorKind::Unsupported.into()))
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

    /// Connects to one of the addresses; the phase lasts until the first one has connected.
    async fn tcp(
        &self,
        origin: &UrlOrigin,
        addresses: &[SocketAddr],
        phases: &mut PhaseTimer<'_>,
    ) -> Result<(PeekableStream, SocketAddr), ExchangeFailure> {
        let order = self.turns.order(&origin.host, origin.port, addresses);
        let race = ConnectionRace::new(order, phases.limit(self.timeouts.connect));
        let connected = race.run(TcpStream::connect);
        let connected = phases.timed(Dimension::Connect, self.timeouts.connect, connected).await;
        // Attempts that the timeout cut off do not name their addresses.
        let connected = connected.map_err(|failed| at(failed, &race.unanswered()));
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

    /// Counts the failed handshake of one of several addresses, and names the address.
    fn handshake_failed_at(
        &self,
        origin: &UrlOrigin,
        address: SocketAddr,
        failed: ExchangeFailure,
    ) -> ExchangeFailure {
        self.turns.count_failed_handshake(&origin.host, address);
        at(failed, &[address])
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

    fn attempts(&self) -> AttemptCounts {
        self.turns.attempts()
    }

    fn forward_proxy(&self, origin: &UrlOrigin) -> Option<Rc<ProxyPlan>> {
        let proxy = self.proxies.for_host(origin.secure, &origin.host)?;
        self.is_forwarded(origin).then(|| Rc::new(proxy.clone()))
    }
}

/// The phases of one connection: each has its own timeout, and none outlasts the exchange.
struct PhaseTimer<'a> {
    parts: &'a mut ExchangeParts,
    deadline: Instant,
}

impl PhaseTimer<'_> {
    /// How long a phase with this timeout may last if it starts now.
    fn limit(&self, timeout: Duration) -> Duration {
        timeout.min(self.deadline.saturating_duration_since(clock::now()))
    }

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
    ExchangeFailure::in_phase(failure, Dimension::Connect, error.to_string())
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

/// Whether this machine ran out of descriptors, local ports or buffers: not a fault of the target.
fn is_ours(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
    Errno::from_io_error(error).is_some_and(|errno| ours.contains(&errno))
}
