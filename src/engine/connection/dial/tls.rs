//! The TLS handshake: trusted authorities, client identity, and negotiation of the HTTP version.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, ClientConfig, HandshakeKind, PeerMisbehaved, ProtocolVersion, RootCertStore,
};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use super::{NegotiatedProtocol, NegotiatedVersion, TlsVersion, roots};
use crate::certificates::{
    Exception, ExceptionVerifier, UncheckedVerifier, read_certificates, read_private_key,
};
use crate::engine::connection::flood::Flood;
use crate::engine::connection::library_limit::LibraryLimit;
use crate::engine::connection::socket_peek::PeekableStream;
use crate::engine::error::EngineError;
use crate::library_text::{
    HandshakeProblem, describe_io, describe_tls, find_tls_error, is_authority_as_server,
};
use crate::plan::{CertificateTrust, ClientIdentity, HttpProtocol, TargetPlan};
use crate::record::{Dimension, Failure};
use crate::recorder::ExchangeFailure;

/// The names of the HTTP versions in ALPN.
const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// How many sessions are kept for resumption; rustls keeps the last eight of each host.
const SESSIONS: usize = 256;

/// What a handshake needs, read once.
#[derive(Clone)]
pub(super) struct TlsClient {
    connector: TlsConnector,
    protocol: HttpProtocol,
    /// Why the last failed handshake failed, if that is known.
    trouble: Cell<Option<HandshakeProblem>>,
}

/// A stream after its TLS handshake.
pub(super) struct TlsConnection {
    pub(super) stream: TlsStream<PeekableStream>,
    pub(super) spoken: NegotiatedProtocol,
    /// Whether an earlier session was resumed.
    pub(super) resumed: bool,
}

impl TlsClient {
    /// Reads the certificates; fails if they cannot be read.
    pub(super) fn new(target: &TargetPlan) -> Result<Self, EngineError> {
        let config = config(target)?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            protocol: target.protocol,
            trouble: Cell::default(),
        })
    }

    /// Why the last failed handshake failed; `None` if that is not known.
    pub(super) fn trouble(&self) -> Option<HandshakeProblem> {
        self.trouble.get()
    }

    /// Performs the handshake with a host over a connected stream.
    pub(super) async fn shake_hands(
        &self,
        host: &Host,
        tcp: PeekableStream,
    ) -> Result<TlsConnection, ExchangeFailure> {
        let name = server_name(host).map_err(|why| failed(Failure::Tls, why))?;
        tcp.limit_records();
        let shaken = self.connector.connect(name, tcp).await;
        let stream = shaken.map_err(|error| {
            self.trouble.set(HandshakeProblem::of(&error));
            handshake_failed(&error, self.protocol)
        })?;
        let session = stream.get_ref().1;
        let version = match (self.protocol, session.alpn_protocol()) {
            (_, Some(H2)) => NegotiatedVersion::Http2,
            (HttpProtocol::Http2, Some(_)) => {
                return Err(other_protocol("the target chose HTTP/1.1"));
            }
            (HttpProtocol::Http2, None) => {
                return Err(other_protocol(
                    "the target agreed on no protocol, so HTTP/1.1 at best",
                ));
            }
            (HttpProtocol::Negotiated | HttpProtocol::Http1, _) => NegotiatedVersion::Http1,
        };
        let tls = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
            _ => TlsVersion::Tls13,
        };
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        Ok(TlsConnection {
            stream,
            spoken: NegotiatedProtocol { version, tls: Some(tls) },
            resumed,
        })
    }
}

/// A host's name for certificate checks; the error says why there is none.
pub(super) fn server_name(host: &Host) -> Result<ServerName<'static>, String> {
    match host {
        Host::Ipv4(ip) => Ok(ServerName::from(std::net::IpAddr::V4(*ip))),
        Host::Ipv6(ip) => Ok(ServerName::from(std::net::IpAddr::V6(*ip))),
        Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_| format!("{name} is not a name that a certificate can contain")),
    }
}

fn failed(failure: Failure, seen: impl Into<String>) -> ExchangeFailure {
    ExchangeFailure::in_phase(failure, Dimension::Tls, seen)
}

fn other_protocol(seen: impl Into<String>) -> ExchangeFailure {
    failed(Failure::Protocol, seen)
}

fn handshake_failed(error: &io::Error, protocol: HttpProtocol) -> ExchangeFailure {
    use rustls::Error::{AlertReceived, PeerMisbehaved as Misbehaved};
    if let Some(flood) = Flood::of_io(error) {
        return flood.failed(Dimension::Tls);
    }
    if let Some(limit) = LibraryLimit::of_tls(error) {
        return limit.failed(Dimension::Tls);
    }
    let asked = match protocol {
        HttpProtocol::Http1 => "HTTP/1.1",
        HttpProtocol::Http2 => "HTTP/2",
        HttpProtocol::Negotiated => "HTTP/2 or HTTP/1.1",
    };
    match find_tls_error(error) {
        Some(AlertReceived(AlertDescription::NoApplicationProtocol)) => other_protocol(format!(
            "the target does not speak {asked} (TLS alert no_application_protocol)"
        )),
        Some(Misbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol)) => {
            other_protocol(format!("the target chose another protocol than {asked}"))
        }
        _ => ExchangeFailure {
            next: HandshakeProblem::of(error).map(HandshakeProblem::remedy),
            ..failed(Failure::Tls, describe_io(error))
        },
    }
}

/// Accepts a certificate of the file itself that a server presents although it is an authority's.
///
/// `openssl req -x509` makes such certificates, and whoever names exactly one of them trusts it.
/// Dates, host name and signature of the handshake are still checked.
fn accept_named(named: Vec<CertificateDer<'static>>) -> Exception {
    Box::new(move |certificate, name, refused| {
        // webpki checks the dates before it reports this.
        if is_authority_as_server(&refused) && named.contains(certificate) {
            return verify_server_name(&ParsedCertificate::try_from(certificate)?, name);
        }
        Err(refused)
    })
}

fn config(target: &TargetPlan) -> Result<ClientConfig, EngineError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| EngineError::Target(format!("no TLS: {}", describe_tls(&error))))?;
    let verifier: Arc<dyn ServerCertVerifier> = match &target.trust {
        CertificateTrust::AnyCertificate => Arc::new(UncheckedVerifier(Arc::clone(&provider))),
        CertificateTrust::File(path) => {
            let named = read_certificates(path)
                .map_err(|why| EngineError::Trust { path: path.clone(), why })?;
            let inner = verifier_of(roots::of_file(path)?, provider)?;
            Arc::new(ExceptionVerifier { inner, exception: accept_named(named) })
        }
        CertificateTrust::System => verifier_of(roots::of_system().store, provider)?,
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &target.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = read_identity(identity)?;
            let unfit = |error: rustls::Error| EngineError::Identity {
                path: identity.key.clone(),
                why: format!(
                    "this key does not go with {}: {}",
                    identity.certificate.display(),
                    describe_tls(&error)
                ),
            };
            builder.with_client_auth_cert(chain, key).map_err(unfit)?
        }
    };
    config.alpn_protocols = offered(target.protocol);
    // A resumed handshake is cheaper than the one a first visitor pays for, so sessions are resumed
    // only if the scenario requires it.
    config.resumption = if target.tls_resumption {
        Resumption::in_memory_sessions(SESSIONS)
    } else {
        Resumption::disabled()
    };
    Ok(config)
}

fn verifier_of(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, EngineError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|_| EngineError::Target("no TLS: there is no root certificate".to_owned()))
}

fn offered(protocol: HttpProtocol) -> Vec<Vec<u8>> {
    let offered: &[&[u8]] = match protocol {
        HttpProtocol::Negotiated => &[H2, HTTP1],
        HttpProtocol::Http1 => &[HTTP1],
        HttpProtocol::Http2 => &[H2],
    };
    offered.iter().map(|name| name.to_vec()).collect()
}

fn read_identity(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), EngineError> {
    let bad = |path: &Path, why: String| EngineError::Identity { path: path.to_owned(), why };
    let chain =
        read_certificates(&identity.certificate).map_err(|why| bad(&identity.certificate, why))?;
    let key = read_private_key(&identity.key).map_err(|why| bad(&identity.key, why))?;
    Ok((chain, key))
}
