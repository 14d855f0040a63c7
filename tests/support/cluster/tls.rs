//! A certificate that is only for `localhost`, issued by its own authority.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};

use super::programs;

/// The settings that point a server to the files that [`place`] writes into its data folder.
pub(super) const SETTINGS: [&str; 3] =
    ["ssl = on", "ssl_cert_file = 'server.crt'", "ssl_key_file = 'server.key'"];

/// Writes key and certificate into the data folder; next to it the authority's certificate, and key
/// and certificate of the user `holder`. Returns the path of the authority's certificate.
pub(super) fn place(data: &Path) -> PathBuf {
    let authority = authority();
    let issue = |params: CertificateParams, path: &Path| {
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &authority).unwrap();
        write(&path.with_extension("key"), &key.serialize_pem());
        write(&path.with_extension("crt"), &leaf.pem());
    };
    issue(CertificateParams::new(["localhost".to_owned()]).unwrap(), &data.join("server"));
    let mut holder = CertificateParams::default();
    holder.distinguished_name = DistinguishedName::new();
    holder.distinguished_name.push(DnType::CommonName, "holder");
    issue(holder, &data.with_file_name("holder"));
    let ca = data.with_file_name("ca.pem");
    write(&ca, &authority.pem());
    ca
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "tollgate's tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// PostgreSQL refuses a key that others may read.
fn write(path: &Path, pem: &str) {
    let mut file =
        std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, pem.as_bytes()).unwrap();
    programs::give_to_owner(path);
}
