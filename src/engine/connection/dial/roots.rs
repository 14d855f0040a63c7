//! The certificates that a handshake trusts: the system's, Mozilla's, or those of a file.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;

use crate::certificates::read_certificates;
use crate::engine::error::EngineError;
use crate::files;
use crate::library_text::{describe_tls, keep_on_one_line};

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
    if let Some(obstacle) = find_obstacle() {
        let mut store = RootCertStore::empty();
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return SystemRoots { store, are_built_in: true, unread: vec![obstacle] };
    }
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

/// Why reading the certificates that the environment names could wait without end.
fn find_obstacle() -> Option<String> {
    let file = PathBuf::from(std::env::var_os("SSL_CERT_FILE")?);
    files::find_obstacle(&file).map(|why| format!("SSL_CERT_FILE={}: {why}", file.display()))
}

/// The roots of a PEM file.
pub(super) fn of_file(path: &Path) -> Result<RootCertStore, EngineError> {
    let bad = |why: String| EngineError::Trust { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path).map_err(bad)? {
        roots.add(certificate).map_err(|error| bad(describe_tls(&error)))?;
    }
    Ok(roots)
}
