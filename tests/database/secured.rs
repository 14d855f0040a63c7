//! Connections over TLS: nothing is sent to a server that is not verified.

use tollgate::postgres::{DatabaseAddress, PgError, PgErrorKind, PgSession};

use crate::cluster::{self, Cluster};

fn connect(url: &str) -> Result<(), PgError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        PgSession::connect(&DatabaseAddress::parse(url).unwrap()).await?.close().await;
        Ok(())
    })
}

#[test]
fn a_database_is_verified_by_the_given_authority_and_by_its_name() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::with_tls(&["log_connections = on"]);
    let by_name = cluster.url().replace("127.0.0.1", "localhost");
    let ca = cluster.ca().display();
    connect(&format!("{by_name}?sslmode=verify-full&sslrootcert={ca}")).unwrap();
    assert!(cluster.log().contains("SSL enabled"), "{}", cluster.log());
    let is_tls = |url: &str| {
        let error = connect(url).unwrap_err();
        assert_eq!(error.kind, PgErrorKind::Tls, "{error}");
        assert!(error.to_string().contains("sslrootcert=FILE"), "{error}");
    };
    is_tls(&format!("{by_name}?sslmode=verify-full"));
    // The certificate is only for `localhost`.
    is_tls(&format!("{}?sslmode=verify-full&sslrootcert={ca}", cluster.url()));
    connect(&format!("{}?sslmode=verify-ca&sslrootcert={ca}", cluster.url())).unwrap();
    connect(&format!("{by_name}?sslmode=require")).unwrap();
}

#[test]
fn a_database_without_tls_receives_nothing_if_tls_is_required() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = connect(&format!("{}?sslmode={mode}", cluster.url())).unwrap_err();
        assert_eq!(error.kind, PgErrorKind::NoTls, "{error}");
    }
}

#[test]
fn an_invalid_file_of_authorities_is_an_error_with_the_remedy() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::with_tls(&[]);
    let by_name = cluster.url().replace("127.0.0.1", "localhost");
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.crt");
    std::fs::write(&empty, "nothing").unwrap();
    for file in [empty, folder.path().join("missing.crt")] {
        let error =
            connect(&format!("{by_name}?sslmode=verify-full&sslrootcert={}", file.display()))
                .unwrap_err();
        assert!(error.to_string().contains("sslrootcert"), "{error}");
    }
}

#[test]
fn a_database_is_reached_by_an_ipv6_address_too() {
    if cluster::is_left_out() || std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let cluster = Cluster::with_settings(&["listen_addresses = '127.0.0.1, ::1'"]);
    connect(&cluster.url().replace("127.0.0.1", "[::1]")).unwrap();
}
