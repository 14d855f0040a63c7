//! Tests the rehearsal target over real sockets, byte by byte.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking, as the tests do")]

#[path = "target/by_hand.rs"]
mod by_hand;
#[path = "target/chatwoot.rs"]
mod chatwoot;
#[path = "support/cluster/mod.rs"]
mod cluster;
#[path = "target/docs.rs"]
mod docs;
#[path = "target/embed.rs"]
mod embed;
#[path = "target/fly.rs"]
mod fly;
#[path = "target/fly_client.rs"]
mod fly_client;
#[path = "target/http2.rs"]
mod http2;
#[path = "target/mcp.rs"]
mod mcp;
#[path = "target/occ_log.rs"]
mod occ_log;
#[path = "target/supabase.rs"]
mod supabase;
#[path = "target/tls.rs"]
mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use tollgate::target::{BackgroundTarget, TargetError, TargetServer, TargetSettings};

const FAST: [&str; 4] = ["--mock-latency", "constant:0ms", "--upstream-latency", "constant:0ms"];

fn start(flags: &[&str]) -> BackgroundTarget {
    let flags = [&FAST, flags].concat();
    BackgroundTarget::start(&TargetSettings::from_flags(&flags).unwrap()).unwrap()
}

fn host(target: &BackgroundTarget) -> &str {
    target.base_url().split_once("://").unwrap().1
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }
}

/// A keep-alive connection.
struct Client<S>(BufReader<S>);

impl Client<TcpStream> {
    fn connect(target: &BackgroundTarget) -> Self {
        Self(BufReader::new(TcpStream::connect(host(target)).unwrap()))
    }
}

impl<S: Read + Write> Client<S> {
    fn get(&mut self, path: &str) -> Answer {
        self.get_with(path, "")
    }

    fn get_with(&mut self, path: &str, headers: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
        self.answer(true)
    }

    fn post(&mut self, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ));
        self.answer(true)
    }

    fn send(&mut self, request: &str) {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    fn answer(&mut self, with_body: bool) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "closed after {head:?}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        let length = answer.header("content-length").unwrap().parse().unwrap();
        if with_body {
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).unwrap();
            answer.body = String::from_utf8(body).unwrap();
        }
        answer
    }
}

#[expect(clippy::disallowed_methods, reason = "only lower bounds are held against it")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn the_sample_page_carries_the_six_markers() {
    let target = start(&[]);
    let page = Client::connect(&target).get("/app?mock=1");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("x-tile-source"), None);
    assert!(page.body.contains("Displaying sample data"));
    for tile in [
        "ops-metrics",
        "sales-pulse",
        "fulfillment-health",
        "inventory-heatmap",
        "cx-escalations",
        "seo-content",
    ] {
        assert!(page.body.contains(&format!("data-testid=\"tile-{tile}\"")), "{tile}");
    }
}

#[test]
fn the_token_opens_the_live_page_and_nothing_else_does() {
    let target = start(&["--token", "right"]);
    let mut client = Client::connect(&target);
    let live = client.get_with("/app?mock=0", "X-Hotdash-Synthetic: right\r\n");
    assert_eq!((live.status, live.header("x-tile-source")), (200, Some("live")));
    assert!(
        live.body.contains("tile-ops-metrics") && !live.body.contains("Displaying sample data")
    );
    for headers in
        ["", "X-Hotdash-Synthetic: wrong\r\n", "X-Hotdash-Synthetic: righ\r\n", "Cookie: a=b\r\n"]
    {
        let redirect = client.get_with("/app", headers);
        assert_eq!(
            (redirect.status, redirect.header("location")),
            (302, Some("/auth/login")),
            "{headers}"
        );
    }
    let login = client.get("/auth/login");
    assert_eq!(login.status, 200);
    assert!(login.body.contains("<form") && !login.body.contains("tile-"));
}

#[test]
fn the_app_of_today_does_not_know_the_token() {
    let target = start(&["--auth", "today", "--token", "right"]);
    let mut client = Client::connect(&target);
    assert_eq!(client.get_with("/app?mock=0", "X-Hotdash-Synthetic: right\r\n").status, 302);
    assert_eq!(client.get("/app?mock=1").status, 200);
}

#[test]
fn bots_get_410() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    assert_eq!(client.get_with("/app?mock=1", "user-agent: curl/8.5.0\r\n").status, 410);
    assert_eq!(client.get_with("/app", "user-agent: Googlebot/2.1\r\n").status, 410);
    let check = "user-agent: Shopify POS/HotDashSyntheticCheck\r\n";
    assert_eq!(client.get_with("/app?mock=1", check).status, 200);
    assert_eq!(client.get_with("/health", "user-agent: curl/8.5.0\r\n").status, 200);
}

#[test]
fn one_connection_carries_every_kind_of_request() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    let health = client.get("/health");
    assert_eq!((health.status, health.body.as_str()), (200, r#"{"status":"ok"}"#));
    let plain = client.get("/plain");
    assert_eq!((plain.status, plain.body.len()), (200, 1024));
    assert_eq!(client.get("/").status, 404);
    client.send("POST /app?mock=1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\nbody");
    let refused = client.answer(true);
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    client.send("HEAD /plain HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(client.answer(false).header("content-length"), Some("1024"));
    assert_eq!(client.get("/health").status, 200);
}

#[test]
fn a_failing_tile_still_answers_200() {
    let target = start(&["--tile-state", "error"]);
    let page = Client::connect(&target).get("/app?mock=1");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Attention needed") && !page.body.contains("Healthy"));
}

#[test]
fn a_seed_repeats_its_errors() {
    let statuses = |seed: &str| -> Vec<u16> {
        let target = start(&["--error-rate", "30%", "--seed", seed]);
        let mut client = Client::connect(&target);
        (0..200).map(|_| client.get("/app?mock=1").status).collect()
    };
    let first = statuses("7");
    assert_eq!(first, statuses("7"));
    assert_ne!(first, statuses("8"));
    let errors = first.iter().filter(|&&status| status == 500).count();
    assert!((30..=90).contains(&errors), "{errors} of 200");
    assert!(first.iter().all(|status| [200, 500].contains(status)));
}

#[test]
fn errors_spare_everything_but_the_page() {
    let target = start(&["--error-rate", "100%"]);
    let mut client = Client::connect(&target);
    assert_eq!(client.get("/app?mock=1").status, 500);
    assert_eq!(client.get_with("/app", "X-Hotdash-Synthetic: staging\r\n").status, 500);
    for (path, status) in
        [("/app", 302), ("/plain", 200), ("/health", 200), ("/auth/login", 200), ("/x", 404)]
    {
        assert_eq!(client.get(path).status, status, "{path}");
    }
}

#[test]
fn the_arrival_log_has_a_line_for_every_request_in_order() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let flags = ["--arrival-log", path, "--stall", "1ms", "--every", "1h", "--token", "t"];
    let flags =
        [&flags[..], &["--mock-latency", "constant:2ms", "--upstream-latency", "constant:1ms"]]
            .concat();
    let target = BackgroundTarget::start(&TargetSettings::from_flags(&flags).unwrap()).unwrap();
    let (mut first, mut second) = (Client::connect(&target), Client::connect(&target));
    first.get("/app?mock=1");
    second.get_with("/app?mock=0", "X-Hotdash-Synthetic: t\r\n");
    first.get("/plain?a=b");
    target.stop().unwrap();

    let text = std::fs::read_to_string(path).unwrap();
    let (head, lines) = text.split_once('\n').unwrap();
    assert!(
        head.starts_with("# format=2 start_unix_ns=")
            && head.ends_with(" stall_us=1000 every_us=3600000000"),
        "{head}"
    );
    let lines: Vec<Vec<&str>> = lines.lines().map(|line| line.split('\t').collect()).collect();
    let rest: Vec<&[&str]> = lines.iter().map(|fields| &fields[1..]).collect();
    assert_eq!(
        rest,
        [
            ["1", "/app?mock=1", "2000", "1.1"],
            ["2", "/app?mock=0", "6000", "1.1"],
            ["1", "/plain?a=b", "0", "1.1"]
        ]
    );
    let arrivals: Vec<u64> = lines.iter().map(|fields| fields[0].parse().unwrap()).collect();
    assert!(
        arrivals[1] >= arrivals[0] + 2_000 && arrivals[2] >= arrivals[1] + 6_000,
        "{arrivals:?}"
    );
}

#[test]
fn a_stalled_answer_never_comes_before_the_windows_end() {
    let before = now();
    let target = start(&["--stall", "299999us", "--every", "300ms"]);
    for path in ["/plain", "/health", "/app?mock=1"] {
        let status = Client::connect(&target).get(path).status;
        assert_eq!(status, 200);
        assert!(
            before.elapsed() >= Duration::from_millis(299),
            "{path} after {:?}",
            before.elapsed()
        );
    }
}

#[test]
fn a_cold_server_holds_the_first_requests_until_it_has_booted() {
    let target = start(&["--cold-after", "1h", "--cold-start", "50ms"]);
    let before = now();
    assert_eq!(Client::connect(&target).get("/app?mock=1").status, 200);
    assert!(before.elapsed() >= Duration::from_millis(50));
}

fn shake_hands(
    target: &BackgroundTarget,
    roots: RootCertStore,
) -> Client<StreamOwned<ClientConnection, TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    Client(BufReader::new(StreamOwned::new(session, TcpStream::connect(host(target)).unwrap())))
}

#[test]
fn a_client_that_trusts_the_written_authority_can_connect() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let target = start(&["--tls", "--tls-ca-out", file.path().to_str().unwrap()]);
    assert!(target.base_url().starts_with("https://127.0.0.1:"));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file.path()).unwrap()).unwrap();
    let mut client = shake_hands(&target, roots);
    assert_eq!(client.get("/app?mock=1").status, 200);
    assert_eq!(client.get("/plain").body.len(), 1024);
}

#[test]
fn a_client_without_trust_fails_and_affects_no_other() {
    let target = start(&["--tls"]);
    let mut stranger = shake_hands(&target, RootCertStore::empty());
    assert!(stranger.0.get_mut().write_all(b"GET /plain HTTP/1.1\r\n\r\n").is_err());
    let mut plain = TcpStream::connect(host(&target)).unwrap();
    plain.write_all(b"GET /plain HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let _ = plain.read_to_end(&mut Vec::new());
    target.stop().unwrap();
}

#[test]
fn nothing_a_client_sends_ends_the_server() {
    let target = start(&[]);
    let mut half_open = TcpStream::connect(host(&target)).unwrap();
    half_open.write_all(b"GET /app?mock=1 HTTP/1.1\r\nhost:").unwrap();
    let overlong = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20));
    for garbage in [
        &b"\0\xff\xfe\r\n\r\n"[..],
        b"GET /app?mock=\xff\t HTTP/1.1\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"POST /app HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"CONNECT localhost:1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        overlong.as_bytes(),
    ] {
        let mut stream = TcpStream::connect(host(&target)).unwrap();
        // The server may close before it has read everything, which is an answer too.
        let _ = stream.write_all(garbage);
        let _ = stream.read_to_end(&mut Vec::new());
        assert_eq!(Client::connect(&target).get("/health").status, 200);
    }
    drop(half_open);
    assert_eq!(Client::connect(&target).get("/health").status, 200);
}

#[tokio::test]
async fn it_serves_on_the_callers_runtime_until_stopped() {
    let server = TargetServer::bind(&TargetSettings::from_flags(&FAST).unwrap()).unwrap();
    let address = server.local_addr();
    assert_eq!(server.base_url(), format!("http://{address}"));
    let client = tokio::task::spawn_blocking(move || {
        let mut client = Client(BufReader::new(TcpStream::connect(address).unwrap()));
        (client.get("/plain").status, client)
    });
    let until = async {
        let (status, open) = client.await.unwrap();
        assert_eq!(status, 200);
        drop(open);
    };
    server.run(until).await.unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn impossible_settings_are_refused_before_the_start() {
    let refusal = |flags: &[&str]| {
        TargetServer::bind(&TargetSettings::from_flags(flags).unwrap()).err().unwrap()
    };
    assert!(refusal(&["--listen", "0.0.0.0:0"]).is_usage());
    assert!(refusal(&["--stall", "2s", "--every", "1s"]).is_usage());
    let running = start(&[]);
    assert!(matches!(refusal(&["--listen", host(&running)]), TargetError::Listen { .. }));
    assert!(matches!(
        refusal(&["--arrival-log", "/no/such/folder/log"]),
        TargetError::Write { .. }
    ));
    assert!(matches!(
        refusal(&["--tls", "--tls-ca-out", "/no/such/folder/ca"]),
        TargetError::Write { .. }
    ));
}
