//! The certificates that a handshake trusts: the system's, Mozilla's, or those of a file.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::engine::error::EngineError;
use crate::library_text::{describe_pem, describe_tls, keep_on_one_line};

/// The root certificates of a machine.
pub(super) struct SystemRoots {
    pub(super) store: RootCertStore,
    /// Whether they are Mozilla's, because the system has none.
    pub(super) are_built_in: bool,
    /// Why some of the system's certificates could not be read.
    pub(super) unread: Vec<String>,
}

/// The system's roots, or Mozilla's if the system has none, as in a bare container.
pub(super) fn of_system() -> SystemRoots {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    let are_built_in = store.is_empty();
    if are_built_in {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    SystemRoots {
        store,
        are_built_in,
        unread: found.errors.iter().map(|error| keep_on_one_line(&error.to_string())).collect(),
    }
}

/// The roots of a PEM file.
pub(super) fn of_file(path: &Path) -> Result<RootCertStore, EngineError> {
    let bad = |why: String| EngineError::Trust { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path).map_err(bad)? {
        roots.add(certificate).map_err(|error| bad(describe_tls(&error)))?;
    }
    Ok(roots)
}

/// The certificates of a PEM file, at least one; the error says what is wrong with it.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err("it holds no certificate".to_owned()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(describe_pem(&error, "certificate")),
    }
}
