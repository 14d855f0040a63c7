//! Certificates for one run of the server, signed by authorities generated for it, and their
//! faults.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::TargetError;
use super::settings::{HttpVersions, TargetSettings, TlsFault};
use crate::certificates::read_certificates;

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The name in the certificate for another name.
const WRONG_NAME: &str = "elsewhere.invalid";

type CertificateAuthority = CertifiedIssuer<'static, KeyPair>;

/// What a TLS server and its clients need.
pub(super) struct ServerIdentity {
    /// Accepts TLS connections.
    pub(super) acceptor: TlsAcceptor,
    /// The certificate of the authority to trust, as PEM.
    pub(super) authority: String,
    /// A certificate that the server accepts from a client, and its key, as PEM; empty unless the
    /// settings ask for one.
    pub(super) client: String,
}

impl ServerIdentity {
    /// Makes an authority and has it sign a certificate for localhost, 127.0.0.1, `::1` and the
    /// address listened on, broken as the settings say.
    pub(super) fn make(settings: &TargetSettings) -> Result<Self, TargetError> {
        let authority = make_authority()?;
        let stranger = make_authority()?;
        let signer =
            if settings.tls_fault == Some(TlsFault::Untrusted) { &stranger } else { &authority };
        let key = KeyPair::generate()?;
        let certificate =
            leaf(settings.listen.ip(), settings.tls_fault)?.signed_by(&key, signer)?;
        let verifier = client_verifier(settings, &authority)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut config = server_config(certificate.into(), key, verifier)?;
        config.alpn_protocols = offered(settings.http, settings.tls_fault);
        let client = if settings.tls_client_out.is_some() {
            client_pair(&authority)?
        } else {
            String::new()
        };
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            authority: authority.pem(),
            client,
        })
    }
}

/// What the server offers by ALPN, its favourite first.
fn offered(http: HttpVersions, fault: Option<TlsFault>) -> Vec<Vec<u8>> {
    let names: &[&[u8]] = match (fault, http) {
        (Some(TlsFault::NoAlpn), _) => &[],
        (Some(TlsFault::OtherAlpn), _) => &[b"other/1"],
        (_, HttpVersions::Both) => &[b"h2", b"http/1.1"],
        (_, HttpVersions::Http1) => &[b"http/1.1"],
        (_, HttpVersions::Http2) => &[b"h2"],
    };
    names.iter().map(|name| name.to_vec()).collect()
}

fn make_authority() -> Result<CertificateAuthority, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "tollgate rehearsal authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn leaf(listen: IpAddr, fault: Option<TlsFault>) -> Result<CertificateParams, rcgen::Error> {
    let mut names: Vec<String> = NAMES.map(str::to_owned).into();
    if !listen.is_unspecified() && !NAMES.contains(&listen.to_string().as_str()) {
        names.push(listen.to_string());
    }
    if fault == Some(TlsFault::WrongName) {
        names = vec![WRONG_NAME.to_owned()];
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "tollgate rehearsal target");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    match fault {
        Some(TlsFault::Expired) => params.not_after = date_time_ymd(2000, 1, 1),
        Some(TlsFault::NotYetValid) => params.not_before = date_time_ymd(4000, 1, 1),
        _ => {}
    }
    Ok(params)
}

/// A certificate that the authority signed for a client, and its key.
fn client_pair(authority: &CertificateAuthority) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "tollgate rehearsal prober");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

/// The verifier of client certificates; `None` if the server asks for none.
fn client_verifier(
    settings: &TargetSettings,
    authority: &CertificateAuthority,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TargetError> {
    let mut roots = RootCertStore::empty();
    if settings.tls_client_out.is_some() {
        roots.add(authority.der().clone())?;
    }
    if let Some(path) = &settings.tls_client_ca {
        for certificate in certificates(path)? {
            roots.add(certificate)?;
        }
    }
    if roots.is_empty() {
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    Ok(Some(verifier.map_err(|error| rustls::Error::General(error.to_string()))?))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    read_certificates(path)
        .map_err(|why| TargetError::ClientAuthority { path: path.to_owned(), why })
}

fn server_config(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let config = match verifier {
        Some(verifier) => config.with_client_cert_verifier(verifier),
        None => config.with_no_client_auth(),
    };
    let mut config = config.with_single_cert(vec![certificate], key)?;
    // Clients store the sessions (tickets): the server-side cache of rustls soon evicts them for
    // other connections.
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}
