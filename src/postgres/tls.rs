//! TLS with a database: what is verified, and by which certificates.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;

use super::{DatabaseAddress, PostgresTls};
use crate::certificates::{UncheckedVerifier, read_certificates, read_private_key};
use crate::library_text::describe_tls;

/// What a handshake with a database needs; the error says what is wrong with a file.
pub(super) fn connector(address: &DatabaseAddress) -> Result<TlsConnector, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let described = |error: rustls::Error| describe_tls(&error);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(described)?
        .dangerous()
        .with_custom_certificate_verifier(verifier(address, provider)?);
    let config = match address.identity() {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let private = read_private_key(key).map_err(|why| unread(key, &why))?;
            let chain = read_certificates(certificate).map_err(|why| unread(certificate, &why))?;
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|error| unread(key, &describe_tls(&error)))?
        }
        _ => return Err("a client certificate and its key must be named together".to_owned()),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn unread(file: &Path, why: &str) -> String {
    format!("cannot use {}: {why}", file.display())
}

fn verifier(
    address: &DatabaseAddress,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let is_verified = matches!(address.tls(), PostgresTls::VerifyCa | PostgresTls::VerifyFull);
    if !is_verified {
        return Ok(Arc::new(UncheckedVerifier(provider)));
    }
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    if let Some(file) = address.ca_file() {
        for certificate in read_certificates(file).map_err(|why| unread_ca(file, &why))? {
            roots.add(certificate).map_err(|error| unread_ca(file, &describe_tls(&error)))?;
        }
    }
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|_| "there is no root certificate".to_owned())?;
    Ok(match address.tls() {
        PostgresTls::VerifyCa => Arc::new(AnyNameVerifier(inner)),
        _ => inner,
    })
}

fn unread_ca(file: &Path, why: &str) -> String {
    format!("cannot read sslrootcert {}: {why}", file.display())
}

/// Accepts what the usual rules accept, for any name.
#[derive(Debug)]
struct AnyNameVerifier(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyNameVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        match self.0.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is checked last.
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
