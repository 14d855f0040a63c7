//! Connections over TLS: nothing is sent to a server that is not verified.

use tollgate::library_text::HandshakeProblem;
use tollgate::postgres::{DatabaseAddress, PgError, PgErrorKind, PgSession};

use crate::bench::{output_text, tollgate_with_reports};
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
    let other = connect(&format!("{}?sslmode=verify-full&sslrootcert={ca}", cluster.url()));
    let other = other.unwrap_err();
    assert_eq!(other.kind, PgErrorKind::Handshake(HandshakeProblem::OtherName), "{other}");
    assert!(other.message.ends_with("localhost, not for 127.0.0.1"), "{other}");
    connect(&format!("{}?sslmode=verify-ca&sslrootcert={ca}", cluster.url())).unwrap();
    connect(&format!("{by_name}?sslmode=require")).unwrap();
    // With a file of authorities, `require` means `verify-ca`, as with psql.
    connect(&format!("{}?sslmode=require&sslrootcert={ca}", cluster.url())).unwrap();
    let strange = Cluster::with_tls(&[]);
    is_tls(&format!("{}?sslmode=require&sslrootcert={ca}", strange.url()));
}

#[test]
fn a_user_logs_in_with_a_client_certificate() {
    if cluster::is_left_out() {
        return;
    }
    let mut cluster = Cluster::with_tls(&["ssl_ca_file = '../ca.pem'"]);
    cluster.sql("postgres", "create role holder login");
    let rules = cluster.folder().join("data/pg_hba.conf");
    let others = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("hostssl all holder 127.0.0.1/32 cert\n{others}")).unwrap();
    cluster.restart();
    let [certificate, key] = ["crt", "key"]
        .map(|kind| cluster.ca().with_file_name("holder").with_extension(kind))
        .map(|file| file.to_str().unwrap().to_owned());
    let url = cluster.url_as("holder", "none", "postgres");
    let url = format!("{url}?sslmode=verify-ca&sslrootcert={}", cluster.ca().display());
    connect(&format!("{url}&sslcert={certificate}&sslkey={key}")).unwrap();
    assert_eq!(connect(&url).unwrap_err().kind, PgErrorKind::NotLetIn);
    let unread = connect(&format!("{url}&sslcert={certificate}&sslkey=missing.key")).unwrap_err();
    assert_eq!(unread.message, "cannot use sslkey missing.key: there is no such file");
    assert!(unread.to_string().contains("`sslcert` and `sslkey` in the URL"), "{unread}");
    let status = |variables: &[(&str, &str)]| {
        let mut command = tollgate_with_reports();
        command.args(["db", "status"]).env("DATABASE_URL", &url);
        output_text(&command.envs(variables.iter().copied()).output().unwrap())
    };
    assert!(status(&[]).contains("does not let this user in"));
    let text = status(&[("PGSSLCERT", &certificate), ("PGSSLKEY", &key)]);
    assert!(text.contains("db migrate"), "{text}");
    let text = status(&[("PGSSLCERT", &certificate)]);
    assert!(text.contains("must be named together"), "{text}");
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

/// As with psql, a password that `SASLprep` refuses is sent as it is.
#[test]
fn a_password_that_saslprep_forbids_logs_in_and_none_of_it_is_shown_or_kept() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    cluster.sql("postgres", "create role emoji login password 'p\u{1f600}ss'");
    let scenario = "name = \"emoji\"\nbudgets = [\"errors = 0\"]\n[databases]\nmain = \"${DBURL}\"\n\
                    [[request]]\nname = \"one\"\nsql = \"select 1 as one\"\n";
    std::fs::write(folder.path().join("emoji.toml"), scenario).unwrap();
    let mut texts = String::new();
    for (password, is_right) in [("p\u{1f600}ss", true), ("p\u{1f600}zz", false)] {
        let url = cluster.url_as("emoji", password, "postgres");
        for words in [
            &["run", "emoji.toml", "--store", "none", "--runs-dir", "runs"][..],
            &["doctor", "emoji.toml"],
            &["db", "status"],
        ] {
            let mut command = tollgate_with_reports();
            command.current_dir(folder.path()).args(words).env("DBURL", &url);
            let output = command.env("DATABASE_URL", &url).output().unwrap();
            let text = output_text(&output);
            assert_ne!(text.contains("rejects the user name or password"), is_right, "{text}");
            if words[0] == "run" {
                assert_eq!(output.status.success(), is_right, "{text}");
            }
            texts += &text;
        }
    }
    let kept = std::fs::read_dir(folder.path().join("runs")).unwrap();
    for run in kept.map(|run| run.unwrap().path()) {
        for file in std::fs::read_dir(run).unwrap().map(|file| file.unwrap().path()) {
            texts += &String::from_utf8_lossy(&std::fs::read(file).unwrap());
        }
    }
    for hidden in ["\u{1f600}", "1f600", "p%F0"] {
        assert!(!texts.contains(hidden), "{hidden}");
    }
}
