//! TLS: handshakes that are cut, refused or made of something else, certificates that are wrong in
//! each way, and records without data.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tollgate::record::Failure::{
    self, Closed, Flood, Malformed, OwnLimit, Protocol, Reset, TimedOut, Tls,
};

use crate::http2_frames::{OK, body, head, http2_acts};
use crate::keeper::Act::{Close, Hold, Read, Repeat, Say, Take};
use crate::keeper::Outcome::{self, Bad, Good};
use crate::keeper::{Act, Case, Keeper, perform, visit};

/// A session of a target.
type Session = StreamOwned<ServerConnection, TcpStream>;

/// A record of a type, TLS 1.2.
fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3], &length[..], payload].concat()
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

/// Sends these bytes for a `ClientHello`, and then does this.
fn says(name: &'static str, bytes: &[u8], then: Act, outcome: Outcome) -> Case {
    let acts = vec![Take(100), Say(bytes.to_vec()), then, Hold];
    Case { scheme: "https", ..Case::new(name, acts, outcome) }.with_keys("insecure = true")
}

fn alert(name: &'static str, code: u8, words: &'static str) -> Case {
    says(name, &record(ALERT, &[2, code]), Close, Bad(Tls, words))
}

#[test]
fn what_is_no_handshake() {
    let handshake =
        |kind: u8, length: u32| record(HANDSHAKE, &[&[kind], &length.to_be_bytes()[1..]].concat());
    let tls = |words| Bad(Tls, words);
    visit(&[
        says("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n", Close, tls("")),
        says("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", Close, tls("")),
        says("random bytes", &(0..=255).rev().collect::<Vec<u8>>(), Close, tls("")),
        says("zeros", &[0; 300], Close, tls("")),
        says("a record of type 99", &record(99, b"x"), Close, tls("")),
        says("a record of 65,535 bytes", &[22, 3, 3, 255, 255], Close, tls("")),
        says("SSL 2", &[0x80, 0x2e, 4, 0, 1, 0, 2], Close, tls("")),
        says("data before a handshake", &record(DATA, b"hello"), Close, tls("")),
        says("a ClientHello back", &handshake(1, 0), Close, tls("")),
        says("a Finished first", &handshake(20, 0), Close, tls("")),
        says(
            "a handshake message of 16 MiB",
            &handshake(2, 0xff_ffff),
            Close,
            Bad(OwnLimit, "64 KiB"),
        ),
        says("an empty ServerHello", &handshake(2, 0), Close, tls("")),
        says("a cut record", &[22, 3, 3, 0, 100, 2], Close, tls("")),
        says("nothing, and a close", b"", Close, tls("")),
        says("nothing, and a reset", b"", Act::Reset, tls("")),
        says("nothing, and silence", b"", Hold, Bad(TimedOut, "tls")),
        says("a warning, and silence", &record(ALERT, &[1, 112]), Hold, Bad(TimedOut, "tls")),
        says("empty records", b"", Repeat(record(HANDSHAKE, b"")), tls("")),
        alert("handshake_failure", 40, "handshake"),
        alert("protocol_version", 70, ""),
        alert("internal_error", 80, ""),
        alert("unrecognized_name", 112, ""),
        alert("an unknown alert", 199, ""),
        says(
            "no_application_protocol",
            &record(ALERT, &[2, 120]),
            Close,
            Bad(Protocol, "no_application_protocol"),
        ),
    ]);
}

/// How a certificate is made.
struct Make {
    change: fn(&mut CertificateParams),
    /// Whether its authority is another than the scenario trusts.
    is_foreign: bool,
    is_self_signed: bool,
}

fn authority() -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params, KeyPair::generate().unwrap())
}

/// A case that acts over TLS and offers these protocols, with a certificate that nobody checks.
pub(crate) fn over_tls(case: Case, protocols: &[&[u8]], acts: Vec<Act>) -> Case {
    serve_tls(case, protocols, move |stream| perform(stream, &acts))
}

/// Answers a request with key updates without end.
pub(crate) fn updates_keys(name: &'static str) -> Case {
    serve_tls(Case::new(name, Vec::new(), Good), &[], |mut stream| {
        let _request = stream.read(&mut [0; 4096])?;
        loop {
            stream.conn.refresh_traffic_keys().map_err(io::Error::other)?;
            stream.flush()?;
        }
    })
}

fn serve_tls(
    case: Case,
    protocols: &[&[u8]],
    serve: impl Fn(Session) -> io::Result<()> + Send + Sync + 'static,
) -> Case {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let chain = vec![params.self_signed(&key).unwrap().der().clone()];
    let mut config = server_config(chain, &key);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let config = Arc::new(config);
    let target: Keeper = Arc::new(move |stream| {
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        let _client_is_gone = serve(StreamOwned::new(session, stream));
    });
    Case { target, scheme: "https", ..case }.with_keys("insecure = true")
}

fn server_config(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap()
}

/// What a target does on a connection after its handshake.
type Secured = fn(Session) -> io::Result<()>;

/// A target with a certificate, which serves its connections like this.
fn secured(
    name: &'static str,
    make: &Make,
    tickets: usize,
    serve: Secured,
    outcome: Outcome,
) -> (Case, tempfile::NamedTempFile) {
    let (trusted, trusted_key) = authority();
    let ca = trusted.clone().self_signed(&trusted_key).unwrap();
    let (foreign, foreign_key) = authority();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    (make.change)(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = if make.is_self_signed {
        params.self_signed(&key)
    } else if make.is_foreign {
        params.signed_by(&key, &Issuer::new(foreign, foreign_key))
    } else {
        params.signed_by(&key, &Issuer::new(trusted, trusted_key))
    };
    let chain = vec![certificate.unwrap().der().clone()];
    let mut config = server_config(chain, &key);
    config.send_tls13_tickets = tickets;
    let config = Arc::new(config);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ca.pem()).unwrap();
    let mut case = Case::new(name, Vec::new(), outcome);
    case.scheme = "https";
    case.keys = format!("tls_ca = '{}'", file.path().display());
    case.target = Arc::new(move |stream| {
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        let _client_is_gone = serve(StreamOwned::new(session, stream));
    });
    (case, file)
}

fn visit_secured(cases: Vec<(Case, tempfile::NamedTempFile)>) {
    let (cases, _files): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    visit(&cases);
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Answers one request, and waits until the client is gone.
fn answer(mut stream: Session) -> io::Result<()> {
    let _request = stream.read(&mut [0; 4096])?;
    stream.write_all(ANSWER)?;
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Answers a request with a part of a body, and then these bytes outside the session.
fn break_body(mut stream: Session, raw: &[u8]) -> io::Result<()> {
    let _request = stream.read(&mut [0; 4096])?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok")?;
    stream.flush()?;
    stream.sock.write_all(raw)?;
    io::copy(&mut stream.sock, &mut io::sink()).map(drop)
}

/// A target over TLS that offers no protocol, or another than it speaks.
#[test]
fn protocols_that_are_negotiated() {
    let answer = || vec![Read, Say(ANSWER.to_vec()), Hold];
    let http_2 = || http2_acts(&[head(OK), body()], Hold);
    let case = |name, protocols: &[&[u8]], acts, outcome, keys: &str| {
        let case = over_tls(Case::new(name, Vec::new(), outcome), protocols, acts);
        let keys = format!("{}\n{keys}", case.keys);
        case.with_keys(&keys)
    };
    visit(&[
        case("none", &[], answer(), Good, ""),
        case("none, and HTTP/2 is wanted", &[], http_2(), Bad(Protocol, ""), "http = '2'"),
        case("HTTP/2", &[b"h2"], http_2(), Good, ""),
        case(
            "HTTP/2, and HTTP/1.1 is wanted",
            &[b"h2"],
            answer(),
            Bad(Protocol, ""),
            "http = '1.1'",
        ),
        case("another", &[b"spdy/3"], answer(), Bad(Protocol, ""), ""),
        case("HTTP/2, and HTTP/1.1 is spoken", &[b"h2"], answer(), Bad(Malformed, "HTTP/2"), ""),
        case(
            "HTTP/1.1, and HTTP/2 is spoken",
            &[b"http/1.1"],
            http_2(),
            Bad(Protocol, "HTTP/2"),
            "",
        ),
    ]);
}

#[test]
fn certificates() {
    let change = |change: fn(&mut CertificateParams)| Make {
        change,
        is_foreign: false,
        is_self_signed: false,
    };
    let good = || change(|_| {});
    let case = |name, make: &Make, outcome| secured(name, make, 2, answer, outcome);
    let bad = |words| Bad(Tls, words);
    visit_secured(vec![
        case("a good one", &good(), Good),
        case("expired", &change(|one| one.not_after = date_time_ymd(2001, 1, 1)), bad("expired")),
        case(
            "not yet valid",
            &change(|one| one.not_before = date_time_ymd(2999, 1, 1)),
            bad("is not valid before"),
        ),
        case(
            "another name",
            &change(|one| *one = CertificateParams::new(vec!["a.test".to_owned()]).unwrap()),
            bad(""),
        ),
        case("no name", &change(|one| one.subject_alt_names.clear()), bad("")),
        case(
            "for clients only",
            &change(|one| one.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            bad(""),
        ),
        case(
            "an authority's",
            &change(|one| one.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            bad(""),
        ),
        case("of an unknown authority", &Make { is_foreign: true, ..good() }, bad("")),
        case("signed by itself", &Make { is_self_signed: true, ..good() }, bad("")),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn records_after_the_handshake() {
    let good = Make { change: |_| {}, is_foreign: false, is_self_signed: false };
    let case =
        |name, tickets, serve: Secured, outcome| secured(name, &good, tickets, serve, outcome);
    let bad = |failure: Failure| Bad(failure, "");
    visit_secured(vec![
        case("no ticket", 0, answer, Good),
        case("100 tickets", 100, answer, Good),
        case("12,000 tickets", 12_000, answer, Bad(Flood, "TLS")),
        case(
            "key updates",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                for _ in 0..100 {
                    stream.conn.refresh_traffic_keys().map_err(io::Error::other)?;
                }
                stream.write_all(ANSWER)?;
                io::copy(&mut stream, &mut io::sink()).map(drop)
            },
            Bad(Flood, "key updates"),
        ),
        case(
            "one key update",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                stream.conn.refresh_traffic_keys().map_err(io::Error::other)?;
                stream.write_all(ANSWER)?;
                io::copy(&mut stream, &mut io::sink()).map(drop)
            },
            Good,
        ),
        case(
            "garbage in a record",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                stream.sock.write_all(&record(DATA, &[7; 100]))?;
                io::copy(&mut stream.sock, &mut io::sink()).map(drop)
            },
            bad(Tls),
        ),
        case(
            "plain text in a session",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                stream.sock.write_all(ANSWER)?;
                io::copy(&mut stream.sock, &mut io::sink()).map(drop)
            },
            bad(Tls),
        ),
        case(
            "a close without close_notify in a body",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok")?;
                stream.flush()
            },
            bad(Closed),
        ),
        case(
            "a body until a close without close_notify",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nok")?;
                stream.flush()
            },
            bad(Closed),
        ),
        case(
            "a body until close_notify",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nok")?;
                stream.conn.send_close_notify();
                stream.flush()
            },
            Good,
        ),
        case(
            "a close without close_notify after a whole answer",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                stream.write_all(ANSWER)?;
                stream.flush()
            },
            Good,
        ),
        case(
            "a record of another kind in a body",
            2,
            |stream| break_body(stream, &record(ALERT, &[2, 80])),
            bad(Tls),
        ),
        case(
            "an empty record in a body",
            2,
            |stream| break_body(stream, &record(DATA, b"")),
            bad(Tls),
        ),
        case(
            "a record that is too long in a body",
            2,
            |stream| break_body(stream, &[DATA, 3, 3, 255, 255]),
            bad(Tls),
        ),
        case(
            "close_notify instead of an answer",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                stream.conn.send_close_notify();
                stream.flush()
            },
            bad(Closed),
        ),
        case(
            "a reset in a session",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                socket2::SockRef::from(&stream.sock).set_linger(Some(std::time::Duration::ZERO))
            },
            bad(Reset),
        ),
        case(
            "no HTTP within TLS",
            2,
            |mut stream| {
                let _request = stream.read(&mut [0; 4096])?;
                stream.write_all(b"+OK POP3 ready\r\n")?;
                io::copy(&mut stream, &mut io::sink()).map(drop)
            },
            bad(Malformed),
        ),
    ]);
}
