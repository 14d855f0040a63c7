//! TLS over real sockets: negotiation, trusted authorities, and client identity.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::harness::{Watcher, following, millis, open, scenario};
use crate::engine::{Engine, EngineError, stop_channel};
use crate::plan::{
    AddressFamily, CertificateTrust, ClientIdentity, ConnectionReuse, HttpProtocol, LoadPlan,
    PinnedAddresses, Plan, ScenarioPlan,
};
use crate::record::{Ceiling, Dimension, Failure, Histogram, ScenarioMeasurement};

/// The protocols that the server offers by ALPN; if empty, it does not negotiate.
#[derive(Clone, Copy)]
struct Offer(&'static [&'static [u8]]);

const BOTH: Offer = Offer(&[b"h2", b"http/1.1"]);
const ONE: Offer = Offer(&[b"http/1.1"]);
const TWO: Offer = Offer(&[b"h2"]);
const NONE: Offer = Offer(&[]);

/// An authority, its certificate file, and a server that it certifies as `tollgate.test`.
struct ExchangeResponse {
    folder: TempDir,
    port: u16,
    connections: Arc<AtomicU64>,
}

impl ExchangeResponse {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn serve(offer: Offer, asks_for_identity: bool) -> ExchangeResponse {
    serve_over(rustls::DEFAULT_VERSIONS, offer, asks_for_identity)
}

fn serve_over(
    versions: &[&'static SupportedProtocolVersion],
    offer: Offer,
    asks_for_identity: bool,
) -> ExchangeResponse {
    let folder = TempDir::new().unwrap();
    let authority = authority(folder.path(), "ca.pem");
    leaf(&authority, folder.path(), "client");
    let (chain, key) = leaf(&authority, folder.path(), "server");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap();
    let builder = if asks_for_identity {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(vec![chain], key).unwrap();
    config.alpn_protocols = offer.0.iter().map(|name| name.to_vec()).collect();
    let connections = Arc::new(AtomicU64::new(0));
    let port = listen(TlsAcceptor::from(Arc::new(config)), Arc::clone(&connections));
    ExchangeResponse { folder, port, connections }
}

pub(super) fn authority(folder: &Path, file: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, file);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join(file), authority.pem()).unwrap();
    authority
}

fn leaf(
    authority: &CertifiedIssuer<'static, KeyPair>,
    folder: &Path,
    name: &str,
) -> (rustls::pki_types::CertificateDer<'static>, rustls::pki_types::PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["tollgate.test".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
    std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    (certificate.der().clone(), key.serialize_der().try_into().unwrap())
}

/// Answers everything on its own thread, in the negotiated HTTP version.
pub(super) fn listen(acceptor: TlsAcceptor, connections: Arc<AtomicU64>) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, connections) = (acceptor.clone(), Arc::clone(&connections));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    connections.fetch_add(1, Ordering::Relaxed);
                    let in_two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let service = service_fn(hello);
                    let io = TokioIo::new(stream);
                    if in_two {
                        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                        let _ended = server.serve_connection(io, service).await;
                    } else {
                        let server = hyper::server::conn::http1::Builder::new();
                        let _ended = server.serve_connection(io, service).await;
                    }
                });
            }
        });
    });
    port
}

async fn hello(
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    tokio::time::sleep(millis(30)).await;
    let body = Full::new(Bytes::from(format!("{:?}", request.version())));
    Ok(match request.uri().path() {
        "/to" => {
            let to = request.headers()["x-to"].to_str().unwrap().to_owned();
            Response::builder().status(302).header("location", to).body(body).unwrap()
        }
        _ => Response::new(body),
    })
}

/// A scenario against the server, with its address given and its authority trusted.
fn against(served: &ExchangeResponse, protocol: HttpProtocol) -> ScenarioPlan {
    let mut scenario = scenario_for(served.port, protocol);
    scenario.target.trust = CertificateTrust::File(served.path("ca.pem"));
    scenario
}

/// A scenario of 20 exchanges with `tollgate.test` at a port of this machine.
pub(super) fn scenario_for(port: u16, protocol: HttpProtocol) -> ScenarioPlan {
    let load = LoadPlan::Closed { connections: 2, until: millis(60_000), iterations: Some(20) };
    let mut scenario = scenario(load);
    let url = url::Url::parse(&format!("https://tollgate.test:{port}/")).unwrap();
    scenario.target.base_url = url.clone();
    scenario.requests[0].http_mut().url = url;
    scenario.target.protocol = protocol;
    scenario.target.pinned_addresses = vec![PinnedAddresses {
        host: "tollgate.test".to_owned(),
        port,
        addresses: vec!["127.0.0.1".parse().unwrap()],
    }];
    scenario
}

fn plan(scenario: ScenarioPlan) -> Plan {
    Plan::from_scenarios(vec![scenario])
}

pub(super) fn run(scenario: ScenarioPlan) -> ScenarioMeasurement {
    let plan = plan(scenario);
    let measurement =
        Engine::prepare(&plan).unwrap().run(&mut Watcher::default(), stop_channel().1).unwrap();
    measurement.scenarios.into_iter().next().unwrap()
}

fn refusal(scenario: ScenarioPlan) -> EngineError {
    match Engine::prepare(&plan(scenario)) {
        Err(error) => error,
        Ok(_) => panic!("it was prepared"),
    }
}

/// The failure of a scenario whose exchanges all failed in the same way.
fn failed(scenario: &ScenarioMeasurement) -> (Failure, Option<Dimension>, String) {
    let stage = &scenario.requests[0].measured;
    assert_eq!((stage.tally.exchanges, stage.tally.ok), (20, 0), "{:?}", stage.tally);
    let evidence = stage.evidence.by_count();
    assert_eq!(evidence.len(), 1, "{evidence:?}");
    (evidence[0].failure, evidence[0].phase, evidence[0].seen.clone())
}

#[test]
fn both_sides_speak_the_negotiated_protocol() {
    for (offer, protocol, spoken) in [
        (BOTH, HttpProtocol::Negotiated, "HTTP/2 over TLS 1.3"),
        (ONE, HttpProtocol::Negotiated, "HTTP/1.1 over TLS 1.3"),
        (TWO, HttpProtocol::Negotiated, "HTTP/2 over TLS 1.3"),
        (NONE, HttpProtocol::Negotiated, "HTTP/1.1 over TLS 1.3"),
        (BOTH, HttpProtocol::Http1, "HTTP/1.1 over TLS 1.3"),
        (NONE, HttpProtocol::Http1, "HTTP/1.1 over TLS 1.3"),
        (BOTH, HttpProtocol::Http2, "HTTP/2 over TLS 1.3"),
    ] {
        let scenario = run(against(&serve(offer, false), protocol));
        let stage = &scenario.requests[0].measured;
        assert_eq!(stage.tally.ok, 20, "{spoken}: {:?}", stage.evidence);
        assert_eq!(scenario.protocols, [spoken]);
        // The address was given, so no name was looked up.
        assert!(stage.series.get(Dimension::Dns).is_none());
        assert!(stage.series.get(Dimension::Tls).is_some());
    }
}

#[test]
fn a_required_protocol_that_the_target_does_not_speak_is_an_error_and_never_a_fallback() {
    for (offer, protocol, why) in [
        (
            ONE,
            HttpProtocol::Http2,
            "the target does not speak HTTP/2 (TLS alert no_application_protocol)",
        ),
        (NONE, HttpProtocol::Http2, "the target agreed on no protocol, so HTTP/1.1 at best"),
        (
            TWO,
            HttpProtocol::Http1,
            "the target does not speak HTTP/1.1 (TLS alert no_application_protocol)",
        ),
    ] {
        let scenario = run(against(&serve(offer, false), protocol));
        assert_eq!(failed(&scenario), (Failure::Protocol, Some(Dimension::Tls), why.to_owned()));
        assert!(scenario.protocols.is_empty());
        assert_eq!(scenario.requests[0].measured.tally.answered(), 0);
    }
}

#[test]
fn http_2_streams_share_a_connection_over_tls() {
    let served = serve(BOTH, false);
    let mut scenario = against(&served, HttpProtocol::Http2);
    (scenario.streams, scenario.load) = (8, open(100.0, 1, 1).load);
    let scenario = run(scenario);
    assert_eq!(scenario.requests[0].measured.tally.ok, 100);
    assert_eq!((served.connections.load(Ordering::Relaxed), scenario.connections.opened), (1, 1));
}

#[test]
fn an_unknown_authority_is_not_trusted_unless_any_certificate_is() {
    let served = serve(BOTH, false);
    authority(served.folder.path(), "other.pem");
    let mut scenario = against(&served, HttpProtocol::Negotiated);
    scenario.target.trust = CertificateTrust::File(served.path("other.pem"));
    let (failure, phase, seen) = failed(&run(scenario.clone()));
    assert_eq!((failure, phase), (Failure::Tls, Some(Dimension::Tls)));
    assert!(seen.ends_with("was not issued by a trusted authority"), "{seen}");

    scenario.target.trust = CertificateTrust::AnyCertificate;
    assert_eq!(run(scenario.clone()).requests[0].measured.tally.ok, 20);
    // Even a wrong name is accepted.
    let url = url::Url::parse(&format!("https://other.test:{}/", served.port)).unwrap();
    (scenario.target.base_url, scenario.requests[0].http_mut().url) = (url.clone(), url);
    "other.test".clone_into(&mut scenario.target.pinned_addresses[0].host);
    assert_eq!(run(scenario).requests[0].measured.tally.ok, 20);
}

#[test]
fn a_target_that_requires_a_certificate_gets_the_planned_one() {
    let served = serve(BOTH, true);
    for protocol in [HttpProtocol::Http1, HttpProtocol::Http2] {
        let mut scenario = against(&served, protocol);
        // In TLS 1.3 the refusal follows the handshake, and the close after it may overtake it.
        let refused = run(scenario.clone());
        let tally = &refused.requests[0].measured.tally;
        let of_tls = tally.failed_by(Failure::Tls);
        let all = of_tls + tally.failed_by(Failure::Reset) + tally.failed_by(Failure::Closed);
        assert_eq!((all, tally.exchanges), (20, 20), "{tally:?}");

        let (certificate, key) = (served.path("client.pem"), served.path("client.key"));
        scenario.target.identity = Some(ClientIdentity { certificate, key });
        let measured = run(scenario);
        assert_eq!(
            measured.requests[0].measured.tally.ok, 20,
            "{:?}",
            measured.requests[0].measured.evidence
        );
    }
}

#[test]
fn an_unusable_identity_is_refused_before_anything_is_sent() {
    let served = serve(BOTH, false);
    std::fs::write(served.path("empty.pem"), "").unwrap();
    for (certificate, key, at_fault, why) in [
        ("absent.pem", "client.key", "absent.pem", "there is no such file"),
        ("empty.pem", "client.key", "empty.pem", "it holds no certificate"),
        ("client.pem", "client.pem", "client.pem", "it holds no private key"),
        ("client.pem", "server.key", "server.key", "this key does not go with"),
    ] {
        let mut scenario = against(&served, HttpProtocol::Negotiated);
        let (certificate, key) = (served.path(certificate), served.path(key));
        scenario.target.identity = Some(ClientIdentity { certificate, key });
        let error = refusal(scenario).to_string();
        assert!(
            error.contains(at_fault) && error.contains(why) && error.contains("`tls_key`"),
            "{error}"
        );
    }
}

#[test]
fn an_address_family_that_the_target_lacks_is_refused_before_anything_is_sent() {
    let served = serve(BOTH, false);
    let mut scenario = against(&served, HttpProtocol::Negotiated);
    scenario.target.family = AddressFamily::V6;
    let error = refusal(scenario.clone()).to_string();
    assert!(error.ends_with("no IPv6 address in what is given for tollgate.test"), "{error}");
    scenario.target.family = AddressFamily::V4;
    assert_eq!(run(scenario).requests[0].measured.tally.ok, 20);
}

#[test]
fn a_name_without_an_address_of_the_family_is_not_resolved() {
    let mut scenario = open(5.0, 1, 1);
    let url = url::Url::parse("http://no-such-name.invalid/").unwrap();
    (scenario.target.base_url, scenario.requests[0].http_mut().url) = (url.clone(), url);
    let scenario = run(scenario);
    let stage = &scenario.requests[0].measured;
    assert_eq!(stage.tally.failed_by(Failure::Dns), 5);
    assert_eq!(stage.evidence.by_count()[0].phase, Some(Dimension::Dns));
}

#[test]
fn a_redirect_to_another_origin_also_names_its_protocol() {
    let (from, to) = (serve(ONE, false), serve(BOTH, false));
    let mut scenario = following(against(&from, HttpProtocol::Negotiated), 1);
    scenario.target.trust = CertificateTrust::AnyCertificate;
    scenario.target.allowed_hosts = vec!["other.test".to_owned()];
    scenario.target.pinned_addresses.push(PinnedAddresses {
        host: "other.test".to_owned(),
        port: to.port,
        addresses: vec!["127.0.0.1".parse().unwrap()],
    });
    scenario.requests[0].http_mut().url.set_path("/to");
    let there = format!("https://other.test:{}/", to.port);
    scenario.requests[0].http_mut().headers.insert("x-to", there.parse().unwrap());
    let scenario = run(scenario);
    assert_eq!(
        scenario.requests[0].measured.tally.ok, 20,
        "{:?}",
        scenario.requests[0].measured.evidence
    );
    assert_eq!(scenario.protocols, ["HTTP/1.1 over TLS 1.3", "HTTP/2 over TLS 1.3"]);
    let opened = from.connections.load(Ordering::Relaxed) + to.connections.load(Ordering::Relaxed);
    assert_eq!(scenario.connections.opened, opened);
}

/// The number of handshakes in the measured stage: all, full and resumed.
fn handshakes(scenario: &ScenarioMeasurement) -> [u64; 3] {
    let series = &scenario.requests[0].measured.series;
    [Dimension::Tls, Dimension::TlsFull, Dimension::TlsResumed]
        .map(|kind| series.get(kind).map_or(0, Histogram::count))
}

#[test]
fn a_fresh_handshake_for_each_arrival_is_a_full_one() {
    let served = serve(BOTH, false);
    let mut scenario = against(&served, HttpProtocol::Http2);
    scenario.reuse = ConnectionReuse::Fresh;
    let scenario = run(scenario);
    assert_eq!(handshakes(&scenario), [20, 20, 0]);
    assert_eq!(served.connections.load(Ordering::Relaxed), 20);
}

#[test]
fn sessions_are_resumed_if_planned_and_counted_separately() {
    for version in [&TLS12, &TLS13] {
        for protocol in [HttpProtocol::Http1, HttpProtocol::Http2] {
            let served = serve_over(&[version], BOTH, false);
            let mut scenario = against(&served, protocol);
            scenario.load =
                LoadPlan::Closed { connections: 1, until: millis(60_000), iterations: Some(20) };
            (scenario.reuse, scenario.target.tls_resumption) = (ConnectionReuse::Fresh, true);
            let scenario = run(scenario);
            assert_eq!(scenario.requests[0].measured.tally.ok, 20);
            assert_eq!(handshakes(&scenario), [20, 1, 19], "{:?}", scenario.protocols);
            assert_eq!(served.connections.load(Ordering::Relaxed), 20);
        }
    }
}

#[test]
fn scenarios_do_not_resume_each_others_sessions() {
    let served = serve(BOTH, false);
    let mut resuming = against(&served, HttpProtocol::Http1);
    resuming.load = LoadPlan::Closed { connections: 1, until: millis(60_000), iterations: Some(5) };
    (resuming.reuse, resuming.target.tls_resumption) = (ConnectionReuse::Fresh, true);
    let mut other = resuming.clone();
    "other".clone_into(&mut other.shown.name);
    let plan = Plan::from_scenarios(vec![resuming, other]);
    let measurement =
        Engine::prepare(&plan).unwrap().run(&mut Watcher::default(), stop_channel().1).unwrap();
    for scenario in &measurement.scenarios {
        assert_eq!(handshakes(scenario), [5, 1, 4]);
    }
}

#[test]
fn a_handshake_that_fails_is_neither_full_nor_resumed() {
    let served = serve(BOTH, false);
    authority(served.folder.path(), "other.pem");
    let mut scenario = against(&served, HttpProtocol::Negotiated);
    scenario.target.trust = CertificateTrust::File(served.path("other.pem"));
    let limit = millis(500);
    scenario.requests[0].ceilings = [Dimension::Tls, Dimension::TlsFull, Dimension::TlsResumed]
        .map(|dimension| Ceiling { dimension, limit })
        .to_vec();
    let tally = &run(scenario).requests[0].measured.tally;
    assert_eq!([0, 1, 2].map(|at| tally.ceilings[at].judged), [20, 0, 0]);
}
