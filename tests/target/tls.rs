//! The rehearsal target's handshake: negotiation and client certificates.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tollgate::target::{BackgroundTarget, TargetServer, TargetSettings};

use super::{host, start};

/// A folder with the authority's file and, if requested, the client's.
struct Files(tempfile::TempDir);

impl Files {
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

fn serve(flags: &[&str]) -> (BackgroundTarget, Files) {
    let files = Files(tempfile::tempdir().unwrap());
    let (ca, client) = (files.path("ca.pem"), files.path("client.pem"));
    let mut all = vec!["--tls", "--tls-ca-out", &ca];
    for flag in flags {
        all.push(flag);
        if *flag == "--tls-client-out" {
            all.push(&client);
        }
    }
    (start(&all), files)
}

/// A client that trusts the target, offers these protocols and presents this certificate.
fn visitor(files: &Files, offered: &[&str], client: Option<&Path>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(files.path("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config.with_root_certificates(roots);
    let mut config = match client {
        None => config.with_no_client_auth(),
        Some(path) => {
            let chain = CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect();
            config
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(path).unwrap())
                .unwrap()
        }
    };
    config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn shake_as(
    visitor: &TlsConnector,
    target: &BackgroundTarget,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(host(target)).await.unwrap();
    visitor.connect(ServerName::try_from("127.0.0.1").unwrap(), tcp).await
}

/// Shakes hands, offering these protocols and presenting this certificate.
async fn shake(
    target: &BackgroundTarget,
    files: &Files,
    offered: &[&str],
    client: Option<&Path>,
) -> std::io::Result<TlsStream<TcpStream>> {
    shake_as(&visitor(files, offered, client), target).await
}

/// The status of `/plain` over HTTP/2, or the error.
async fn plain(stream: TlsStream<TcpStream>) -> Result<u16, h2::Error> {
    let (client, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(connection);
    let request = http::Request::get("https://127.0.0.1/plain").body(()).unwrap();
    let answer = client.ready().await?.send_request(request, true)?.0.await?;
    Ok(answer.status().as_u16())
}

#[tokio::test]
async fn alpn_negotiates_and_prefers_http_2() {
    let cases: [(&[&str], &[&str], Option<&str>); 6] = [
        (&[], &["http/1.1", "h2"], Some("h2")),
        (&[], &["http/1.1"], Some("http/1.1")),
        (&[], &[], None),
        (&["--http", "1.1"], &["h2", "http/1.1"], Some("http/1.1")),
        (&["--http", "2"], &["h2", "http/1.1"], Some("h2")),
        (&["--tls-fault", "no-alpn"], &["h2", "http/1.1"], None),
    ];
    for (flags, offered, chosen) in cases {
        let (target, files) = serve(flags);
        let stream = shake(&target, &files, offered, None).await.unwrap();
        let negotiated = stream
            .get_ref()
            .1
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned());
        assert_eq!(negotiated.as_deref(), chosen, "{flags:?} {offered:?}");
        if chosen == Some("h2") {
            assert_eq!(plain(stream).await.unwrap(), 200);
        }
    }
    let (target, files) = serve(&["--http", "2"]);
    assert!(shake(&target, &files, &["http/1.1"], None).await.is_err());
}

#[tokio::test]
async fn a_session_resumes_after_many_other_clients() {
    let (target, files) = serve(&[]);
    let returning = visitor(&files, &["h2"], None);
    // The session ticket arrives with the first answer.
    assert_eq!(plain(shake_as(&returning, &target).await.unwrap()).await.unwrap(), 200);
    let others = visitor(&files, &["h2"], None);
    for _ in 0..300 {
        shake_as(&others, &target).await.unwrap();
    }
    let resumed = shake_as(&returning, &target).await.unwrap();
    assert_eq!(resumed.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
    assert_eq!(plain(resumed).await.unwrap(), 200);
}

#[tokio::test]
async fn only_the_written_client_certificate_is_accepted() {
    let (target, files) = serve(&["--tls-client-out"]);
    let client = files.path("client.pem");
    let known = shake(&target, &files, &["h2"], Some(Path::new(&client))).await.unwrap();
    assert_eq!(plain(known).await.unwrap(), 200);
    let served = match shake(&target, &files, &["h2"], None).await {
        Ok(stranger) => plain(stranger).await.is_ok(),
        Err(_) => false,
    };
    assert!(!served);
}

#[tokio::test]
async fn certificates_of_a_given_authority_are_accepted() {
    let (other, files) = serve(&["--tls-client-out"]);
    let (ca, client) = (files.path("ca.pem"), files.path("client.pem"));
    let (target, own) = serve(&["--tls-client-ca", &ca]);
    let known = shake(&target, &own, &["h2"], Some(Path::new(&client))).await.unwrap();
    assert_eq!(plain(known).await.unwrap(), 200);
    drop(other);
}

#[test]
fn a_file_without_authorities_is_refused_with_the_remedy() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in [empty.path().to_str().unwrap(), "/no/such/file.pem"] {
        let flags = TargetSettings::from_flags(&["--tls", "--tls-client-ca", path]).unwrap();
        let refused = TargetServer::bind(&flags).err().unwrap();
        assert!(
            refused.is_usage() && refused.to_string().contains("--tls-client-ca names a PEM file"),
            "{refused}"
        );
    }
}

#[test]
#[cfg(unix)]
fn only_the_owner_may_read_the_key() {
    use std::os::unix::fs::PermissionsExt;
    let (target, files) = serve(&["--tls-client-out"]);
    let mode = std::fs::metadata(files.path("client.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(target);
}
