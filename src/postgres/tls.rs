//! TLS with a database: what is verified, and by which certificates.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::{DatabaseAddress, PgError, PgErrorKind, PostgresTls};
use crate::certificates::{
    ExceptionVerifier, UncheckedVerifier, read_certificates, read_private_key,
};
use crate::files;
use crate::library_text::{HandshakeProblem, describe_reading, describe_tls};

/// What a handshake with a database needs; the error says what is wrong with a file.
pub(super) fn connector(address: &DatabaseAddress, at: &str) -> Result<TlsConnector, PgError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let described = |error: rustls::Error| PgError::without_tls(at, describe_tls(&error));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(described)?
        .dangerous()
        .with_custom_certificate_verifier(verifier(address, at, provider)?);
    let config = if let Some(named) = address.client_files() {
        let kind = PgErrorKind::Handshake(HandshakeProblem::WantsCertificate);
        let key = TlsFile { at, setting: "sslkey", path: &named.key, kind };
        let certificate = TlsFile { at, setting: "sslcert", path: &named.certificate, kind };
        let private = key.read(read_private_key)?;
        builder
            .with_client_auth_cert(certificate.read(read_certificates)?, private)
            .map_err(|error| key.unusable(&describe_tls(&error)))?
    } else {
        builder.with_no_client_auth()
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A file that a setting names, and the kind of an error in it.
struct TlsFile<'a> {
    at: &'a str,
    setting: &'static str,
    path: &'a Path,
    kind: PgErrorKind,
}

impl TlsFile<'_> {
    fn read<T>(&self, read: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, PgError> {
        files::open_regular(self.path).map_err(|error| {
            let message = self.describe(&describe_reading(&error));
            PgError::unread(self.at, self.kind, &error, message)
        })?;
        read(self.path).map_err(|why| self.unusable(&why))
    }

    fn unusable(&self, why: &str) -> PgError {
        PgError::without_state(self.kind, self.at, self.describe(why))
    }

    fn describe(&self, why: &str) -> String {
        format!("cannot use {} {}: {why}", self.setting, self.path.display())
    }
}

fn verifier(
    address: &DatabaseAddress,
    at: &str,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, PgError> {
    let is_verified = matches!(address.tls(), PostgresTls::VerifyCa | PostgresTls::VerifyFull);
    if !is_verified {
        return Ok(Arc::new(UncheckedVerifier(provider)));
    }
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    if let Some(path) = address.ca_file() {
        let file = TlsFile { at, setting: "sslrootcert", path, kind: PgErrorKind::Tls };
        for certificate in file.read(read_certificates)? {
            roots.add(certificate).map_err(|error| file.unusable(&describe_tls(&error)))?;
        }
    }
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|_| PgError::without_tls(at, "there is no root certificate".to_owned()))?;
    Ok(match address.tls() {
        PostgresTls::VerifyCa => {
            Arc::new(ExceptionVerifier { inner, exception: Box::new(accept_any_name) })
        }
        _ => inner,
    })
}

/// Accepts what the usual rules refuse only because of the name, which they check last.
fn accept_any_name(
    _: &CertificateDer<'_>,
    _: &ServerName<'_>,
    refused: rustls::Error,
) -> Result<(), rustls::Error> {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    match refused {
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            Ok(())
        }
        refused => Err(refused),
    }
}
