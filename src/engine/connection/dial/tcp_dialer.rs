//! Opens the connections of one lane, each phase within its timeout.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use url::Host;

use super::address_counts::AddressCounts;
use super::address_rules::{AddressRules, HostAddresses, UrlOrigin};
use super::attempt_counts::AttemptCounts;
use super::lookup::{AddressCache, NameResolver};
use super::race::ConnectionRace;
use super::rotation::AddressRotation;
use super::tls::TlsClient;
use super::{
    ConnectionTerms, DialFuture, DialedConnection, Dialer, NegotiatedProtocol, NegotiatedVersion,
    at, dns_failed, timed_out, tunnel, unix_socket,
};
use crate::engine::connection::sends::SendGuard;
use crate::engine::connection::socket_peek::PeekableStream;
use crate::engine::time::clock::{self, Instant};
use crate::library_text::HandshakeProblem;
use crate::plan::{ExchangeTimeouts, HttpProtocol, ProxyChoice, ProxyPlan};
use crate::record::{Dimension, Failure, LookupMeasurement};
use crate::recorder::{ExchangeFailure, ExchangeParts};

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
    sends: Option<SendGuard>,
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
        let ConnectionTerms { target, tls, sends } = terms;
        Self {
            names: AddressRules::new(&target),
            directory: AddressCache::new(&target, resolver),
            turns: AddressRotation::new(usize::try_from(turn).unwrap_or(0), Self::PENALTY),
            socket: UrlOrigin::of(&target.base_url).zip(target.unix_socket),
            proxies: target.proxies,
            sends,
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
            let limit = phases.limit(self.timeouts.connect);
            phases.timed(Dimension::Proxy, limit, opening).await.map_err(|failed| match failed
                .failure
            {
                Failure::TimedOut => tunnel::silent(proxy, limit, failed),
                _ => failed,
            })?;
        }
        Ok((tcp, address, is_choice))
    }

    /// Whether a proxy would forward requests to an origin, one by one, instead of opening a
    /// tunnel.
    fn is_forwarded(&self, origin: &UrlOrigin) -> bool {
        !origin.secure && self.protocol != HttpProtocol::Http2
    }

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
        // Only a socket that is already gone refuses these options, and the first write then
        // reports it. Urgent data belongs to the stream (RFC 6093); without the second option the
        // kernel would take a byte out of an answer that is sent as urgent.
        let _gone = stream.set_nodelay(true);
        let _gone = SockRef::from(&stream).set_out_of_band_inline(true);
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

    fn send_guard(&self) -> Option<&SendGuard> {
        self.sends.as_ref()
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
