//! Certificates and keys in PEM files, and verifiers that accept more than the usual rules.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use crate::files;
use crate::library_text::{describe_pem, describe_reading};
use crate::units::ByteSize;

/// The largest PEM file that is read; a system's whole list of authorities takes 250 KB.
const MAX_PEM: ByteSize = ByteSize(16 << 20);

/// The certificates of a PEM file, at least one; the error says what is wrong with it.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = files::read_regular(path, MAX_PEM).map_err(|error| describe_reading(&error))?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if certificates.is_empty() => Err("it holds no certificate".to_owned()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(describe_pem(&error, "certificate")),
    }
}

/// The private key of a PEM file; the error says what is wrong with it.
pub fn read_private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let pem = files::read_regular(path, MAX_PEM).map_err(|error| describe_reading(&error))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| describe_pem(&error, "private key"))
}

/// Accepts any certificate, but still checks that the server holds its key.
#[derive(Debug)]
pub struct UncheckedVerifier(pub Arc<CryptoProvider>);

impl ServerCertVerifier for UncheckedVerifier {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Decides on a certificate that the usual rules refuse for a server's name: accepts it, or returns
/// the error.
pub type Exception = Box<
    dyn Fn(&CertificateDer<'_>, &ServerName<'_>, rustls::Error) -> Result<(), rustls::Error>
        + Send
        + Sync,
>;

/// Accepts what the usual rules accept, and what an exception from them does.
pub struct ExceptionVerifier {
    /// The usual rules.
    pub inner: Arc<WebPkiServerVerifier>,
    /// Sees only what these refuse.
    pub exception: Exception,
}

impl fmt::Debug for ExceptionVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExceptionVerifier").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for ExceptionVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner.verify_server_cert(certificate, intermediates, name, ocsp, now).or_else(
            |refused| {
                (self.exception)(certificate, name, refused)?;
                Ok(ServerCertVerified::assertion())
            },
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
