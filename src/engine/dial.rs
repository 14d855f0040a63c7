//! Opening a connection: name, TCP and TLS, each timed.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::EngineError;
use super::clock::{self, Instant};
use super::wire::Stream;
use crate::plan::{TargetPlan, Timeouts, Trust};
use crate::record::{Dimension, Failure};
use crate::recorder::{Failed, Parts};

/// A connected stream and what is spoken on it.
pub(super) struct Dialled {
    pub(super) stream: Box<dyn Stream>,
    /// `HTTP/1.1`, `HTTP/1.1 over TLSv1_3`.
    pub(super) protocol: String,
}

/// What dialling comes to; the time of each phase is noted in the parts, also when it fails.
pub(super) type Dialling<'a> = Pin<Box<dyn Future<Output = Result<Dialled, Failed>> + 'a>>;

/// Opens connections to one target, each by a deadline.
pub(super) trait Dial {
    fn dial<'a>(&'a self, parts: &'a mut Parts, deadline: Instant) -> Dialling<'a>;
}

/// Opens TCP connections, with TLS for `https`.
#[derive(Clone)]
pub(super) struct TcpDial {
    host: Host,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeouts: Timeouts,
}

impl TcpDial {
    /// Reads the trusted certificates and prepares TLS; fails where they cannot be read.
    pub(super) fn new(target: &TargetPlan) -> Result<Self, EngineError> {
        let url = &target.base_url;
        let bad_url = || EngineError::Target(format!("{url} names no host and port"));
        let host = url.host().ok_or_else(bad_url)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(bad_url)?;
        let tls = match url.scheme() {
            "https" => Some((TlsConnector::from(tls_config(&target.trust)?), server_name(url, &host)?)),
            _ => None,
        };
        Ok(Self { host, port, tls, timeouts: target.timeouts })
    }

    async fn connect(&self, phases: &mut Phases<'_>) -> Result<Dialled, Failed> {
        let addresses = self.resolve(phases).await?;
        let tcp = self.tcp(&addresses, phases).await?;
        match &self.tls {
            None => Ok(Dialled { stream: Box::new(tcp), protocol: "HTTP/1.1".to_owned() }),
            Some((connector, name)) => self.tls(connector, name.clone(), tcp, phases).await,
        }
    }

    /// The target's addresses; an address in the URL needs no look-up and enters no `dns` phase.
    async fn resolve(&self, phases: &mut Phases<'_>) -> Result<Vec<SocketAddr>, Failed> {
        let name = match &self.host {
            Host::Ipv4(ip) => return Ok(vec![SocketAddr::new(IpAddr::V4(*ip), self.port)]),
            Host::Ipv6(ip) => return Ok(vec![SocketAddr::new(IpAddr::V6(*ip), self.port)]),
            Host::Domain(name) => name.as_str(),
        };
        let looked_up = async {
            let found = tokio::net::lookup_host((name, self.port)).await;
            let addresses: Vec<_> = found.map_err(|error| dns_failed(&error.to_string()))?.collect();
            if addresses.is_empty() { Err(dns_failed("no address")) } else { Ok(addresses) }
        };
        phases.timed(Dimension::Dns, self.timeouts.dns, looked_up).await
    }

    async fn tcp(&self, addresses: &[SocketAddr], phases: &mut Phases<'_>) -> Result<TcpStream, Failed> {
        let connected = async {
            let mut failed = connect_failed(&std::io::ErrorKind::HostUnreachable.into());
            for address in addresses {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failed = connect_failed(&error),
                }
            }
            Err(failed)
        };
        let stream = phases.timed(Dimension::Connect, self.timeouts.connect, connected).await?;
        // Only a socket that is gone already refuses it, and then the first write says so.
        let _gone = stream.set_nodelay(true);
        Ok(stream)
    }

    async fn tls(
        &self,
        connector: &TlsConnector,
        name: ServerName<'static>,
        tcp: TcpStream,
        phases: &mut Phases<'_>,
    ) -> Result<Dialled, Failed> {
        let shaken = async {
            connector
                .connect(name, tcp)
                .await
                .map_err(|error| Failed::in_phase(Failure::Tls, Dimension::Tls, error.to_string()))
        };
        let stream = phases.timed(Dimension::Tls, self.timeouts.tls, shaken).await?;
        let version = stream.get_ref().1.protocol_version();
        let version = version.and_then(|version| version.as_str()).unwrap_or("TLS");
        Ok(Dialled { stream: Box::new(stream), protocol: format!("HTTP/1.1 over {version}") })
    }
}

impl Dial for TcpDial {
    fn dial<'a>(&'a self, parts: &'a mut Parts, deadline: Instant) -> Dialling<'a> {
        Box::pin(async move { self.connect(&mut Phases { parts, deadline }).await })
    }
}

/// The phases of one connection: each has a timeout of its own, and none outlasts the exchange's.
struct Phases<'a> {
    parts: &'a mut Parts,
    deadline: Instant,
}

impl Phases<'_> {
    /// Runs one phase within its timeout and notes how long it took, or that it was not survived.
    async fn timed<T>(
        &mut self,
        phase: Dimension,
        limit: Duration,
        work: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        let started = clock::now();
        let by = self.deadline.min(started + limit);
        let result = timeout_at(by, work).await.unwrap_or_else(|_| Err(timed_out(phase, by - started)));
        self.parts.note(phase, result.is_ok().then(|| clock::now() - started));
        result
    }
}

pub(super) fn timed_out(phase: Dimension, limit: Duration) -> Failed {
    Failed::in_phase(Failure::TimedOut, phase, format!("no {phase} within {}", crate::units::show(limit)))
}

fn dns_failed(seen: &str) -> Failed {
    Failed::in_phase(Failure::Dns, Dimension::Dns, seen)
}

fn connect_failed(error: &std::io::Error) -> Failed {
    let failure = match error.kind() {
        std::io::ErrorKind::ConnectionRefused => Failure::Refused,
        std::io::ErrorKind::ConnectionReset => Failure::Reset,
        std::io::ErrorKind::TimedOut => Failure::TimedOut,
        _ if is_ours(error) => Failure::Prober,
        _ => Failure::Unreachable,
    };
    Failed::in_phase(failure, Dimension::Connect, error.to_string())
}

/// Whether this machine ran out of something (descriptors, local ports, buffers): no fault of the target.
fn is_ours(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
    Errno::from_io_error(error).is_some_and(|errno| ours.contains(&errno))
}

fn server_name(url: &Url, host: &Host) -> Result<ServerName<'static>, EngineError> {
    match host {
        Host::Ipv4(ip) => Ok(ServerName::from(IpAddr::V4(*ip))),
        Host::Ipv6(ip) => Ok(ServerName::from(IpAddr::V6(*ip))),
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| {
            EngineError::Target(format!("{url}: {name} is no name that a certificate could hold"))
        }),
    }
}

fn tls_config(trust: &Trust) -> Result<Arc<ClientConfig>, EngineError> {
    let roots = match trust {
        Trust::System => system_roots(),
        Trust::File(path) => file_roots(path)?,
        Trust::Anything => RootCertStore::empty(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| EngineError::Target(format!("TLS is not available: {error}")))?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed handshake is cheaper than the one a first visitor pays for; each of ours is a full one.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// The system's roots, or Mozilla's where the system has none (a bare container).
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn file_roots(path: &std::path::Path) -> Result<RootCertStore, EngineError> {
    let bad = |why: String| EngineError::Trust { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))? {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() { Err(bad("it holds no certificate".to_owned())) } else { Ok(roots) }
}
