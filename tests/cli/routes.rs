//! Targets behind a proxy or a Unix socket, and `--ca`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use tollgate::record::{Decision, Dimension, Failure, RunRecord};

use crate::bench::{Target, recording_server, text, tollgate};
use crate::closed_port::ClosedPort;

/// `me:hunter2`, as Basic authentication writes it.
const CREDENTIALS: &str = "Proxy-Authorization: Basic bWU6aHVudGVyMg==";

/// A proxy that wants [`CREDENTIALS`], and the first line of every request to it. It forwards
/// absolute URLs of `http`, and opens tunnels to 127.0.0.1.
struct Proxy {
    address: String,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&lines);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || serve(client, &log));
            }
        });
        Self { address, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

fn head(client: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while client.read_line(&mut head).ok().filter(|&read| read > 0)? > 2 {}
    Some(head)
}

fn serve(mut client: TcpStream, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    loop {
        let head = head(&mut reader)?;
        let line = head.lines().next()?.to_owned();
        log.lock().unwrap().push(line.clone());
        if !head.to_lowercase().contains(&CREDENTIALS.to_lowercase()) {
            let refused = b"HTTP/1.1 407 Authenticate\r\ncontent-length: 0\r\n\r\n";
            client.write_all(refused).ok()?;
            continue;
        }
        if let Some(destination) = line.strip_prefix("CONNECT ") {
            let server = TcpStream::connect(destination.split(' ').next()?).ok();
            let Some(server) = server else {
                client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").ok()?;
                return None;
            };
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
            relay(client, server);
            return Some(());
        }
        // Only an absolute URL names the server.
        let host = line.split(' ').nth(1)?.strip_prefix("http://")?.split('/').next()?.to_owned();
        assert!(head.to_lowercase().contains(&format!("host: {host}\r\n")), "{head}");
        client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nforwarded").ok()?;
    }
}

fn relay(client: TcpStream, server: TcpStream) {
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
    std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
    let _ended = std::io::copy(&mut from_server, &mut to_client);
}

/// Runs one request to a URL, with these further words.
fn run(runs: &Path, url: &str, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = tollgate();
    command.args(["run", url, "--budget", "errors = 0", "--duration", "50ms", "-c", "1"]);
    command.args(words).args(["--output", "json", "--runs-dir"]).arg(runs);
    command.envs(variables.iter().copied()).output().unwrap()
}

fn record(output: &Output) -> RunRecord {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

/// Whether any file below a folder contains a text.
fn is_in_files(folder: &Path, needle: &str) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| match entry.path() {
        path if path.is_dir() => is_in_files(&path, needle),
        path => text(&std::fs::read(path).unwrap()).contains(needle),
    })
}

#[test]
fn plain_http_goes_through_a_proxy_by_its_absolute_url_and_the_password_stays_secret() {
    let (proxy, runs) = (Proxy::start(), tempfile::tempdir().unwrap());
    let flag = format!("http://me:hunter2@{}", proxy.address);
    let words = ["--proxy", &flag, "--expect-body", "forwarded", "--report", "all"];
    let output = run(runs.path(), "http://svc.test/a?b=1", &words, &[]);
    let record = record(&output);
    assert_eq!(record.verdict.decision, Decision::Pass, "{}", text(&output.stderr));
    assert_eq!(proxy.lines()[0], "GET http://svc.test/a?b=1 HTTP/1.1");
    let caveat = format!("connections go through the proxy http://{}", proxy.address);
    assert!(record.plan[0].caveats[0].starts_with(&caveat), "{:?}", record.plan[0].caveats);
    for secret in ["hunter2", "bWU6aHVudGVyMg"] {
        assert!(!text(&output.stderr).contains(secret) && !text(&output.stdout).contains(secret));
        assert!(!is_in_files(runs.path(), secret));
    }
}

#[test]
fn https_and_http_2_go_through_a_tunnel_which_is_a_phase_of_its_own() {
    let (proxy, target) = (Proxy::start(), Target::start(&["--tls"]));
    let flag = format!("http://me:hunter2@{}", proxy.address);
    let runs = tempfile::tempdir().unwrap();
    let url = format!("{}/plain", target.base_url);
    let words = ["--proxy", &flag, "--insecure", "--http", "2"];
    let output = run(runs.path(), &url, &words, &[]);
    let record = record(&output);
    assert_eq!(record.verdict.decision, Decision::Pass, "{}", text(&output.stderr));
    let scenario = &record.measurement.scenarios[0];
    assert!(scenario.protocols[0].starts_with("HTTP/2 over TLS"), "{:?}", scenario.protocols);
    let cold = &scenario.requests[0].cold.series;
    let tunnels = cold.get(Dimension::Proxy).unwrap().count();
    assert_eq!(tunnels, cold.get(Dimension::Tls).unwrap().count());
    let destination = target.base_url.strip_prefix("https://").unwrap();
    assert_eq!(proxy.lines()[0], format!("CONNECT {destination} HTTP/1.1"));
}

#[test]
fn a_proxy_that_refuses_or_is_down_proves_nothing_about_the_target_and_is_named() {
    let proxy = Proxy::start();
    let with = format!("http://me:hunter2@{}", proxy.address);
    let without = format!("http://{}", proxy.address);
    let closed_port = ClosedPort::new();
    let closed = format!("http://{closed_port}");
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", mute.local_addr().unwrap());
    for (url, flag, seen) in [
        ("https://svc.test/", &without, "CONNECT svc.test:443 with 407"),
        ("http://svc.test/", &without, "answered with 407"),
        ("https://127.0.0.1:1/", &with, "CONNECT 127.0.0.1:1 with 502"),
        ("http://svc.test/", &closed, "the proxy was not reached: "),
        ("https://svc.test/", &closed, "the proxy was not reached: "),
        ("https://svc.test/", &silent, "did not answer CONNECT within "),
    ] {
        let runs = tempfile::tempdir().unwrap();
        // Long enough for a busy machine, except where it must expire.
        let timeout = if *flag == silent { "300ms" } else { "20s" };
        let output = run(runs.path(), url, &["--proxy", flag, "--timeout", timeout], &[]);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        let record = record(&output);
        let reasons = &record.verdict.scenarios[0].reasons;
        let what = "ended at the proxy and did not reach the target: ";
        assert!(reasons.iter().any(|reason| reason.what.contains(what)), "{reasons:?}");
        let shown = text(&output.stderr);
        for blame in ["target is down", "target was clearly down", "target never answered"] {
            assert!(!shown.contains(blame), "{shown}");
        }
        let measured = &record.measurement.scenarios[0].requests[0].measured;
        let evidence = measured.evidence.by_count();
        assert_eq!(evidence[0].failure, Failure::Proxy, "{evidence:?}");
        let address = flag.rsplit(['/', '@']).next().unwrap();
        assert!(evidence[0].seen.contains(seen), "{evidence:?}");
        assert!(evidence[0].seen.contains(address) && evidence[0].next.is_some(), "{evidence:?}");
    }
}

#[test]
fn the_environments_proxies_are_used_only_if_asked_and_not_for_no_proxy() {
    let (proxy, (url, requests)) = (Proxy::start(), recording_server());
    let flag = format!("me:hunter2@{}", proxy.address);
    let direct = |words: &[&str], variables: &[(&str, &str)]| {
        let runs = tempfile::tempdir().unwrap();
        let output = run(runs.path(), &url, words, variables);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    };
    direct(&[], &[("http_proxy", &flag), ("ALL_PROXY", &flag)]);
    direct(&["--proxy-from-env"], &[("HTTP_PROXY", &flag), ("no_proxy", "a.test,127.0.0.0/8")]);
    direct(&["--proxy-from-env"], &[("HTTPS_PROXY", &flag)]);
    assert_eq!((proxy.lines().len(), requests.lock().unwrap().len() >= 3), (0, true));
    direct(&["--proxy-from-env"], &[("HTTP_PROXY", &flag)]);
    direct(&["--proxy-from-env"], &[("all_proxy", &flag), ("http_proxy", "")]);
    assert!(proxy.lines().len() >= 2 && proxy.lines()[0].starts_with("GET http://127.0.0.1:"));
}

#[test]
fn the_printed_scenario_holds_proxy_and_authority_but_not_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, "").unwrap();
    let words = ["--proxy", "http://me:hunter2@proxy.test:3128", "--print-scenario", "--ca"];
    let output = tollgate().args(["run", "https://svc.test"]).args(words).arg(&ca).output();
    let (printed, messages) = output.map(|all| (text(&all.stdout), text(&all.stderr))).unwrap();
    let proxy = "proxy = \"http://me:${PROXY_PASSWORD}@proxy.test:3128\"";
    assert!(printed.contains(proxy), "{printed}{messages}");
    assert!(printed.contains(&format!("tls_ca = \"{}\"", ca.display())), "{printed}");
    assert!(!(printed + &messages).contains("hunter2"));
}

#[test]
fn a_typed_authority_is_trusted_instead_of_the_systems() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let target = Target::start(&["--tls", "--tls-ca-out", ca.to_str().unwrap()]);
    let url = format!("{}/plain", target.base_url);
    let trusting = run(folder.path(), &url, &["--ca", ca.to_str().unwrap()], &[]);
    assert_eq!(trusting.status.code(), Some(0), "{}", text(&trusting.stderr));
    let missing = run(folder.path(), &url, &["--ca", "missing.pem"], &[]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("there is no file"), "{}", text(&missing.stderr));
}

/// Serves every request at a Unix socket, and returns the requests' heads.
fn serve_at(path: &Path) -> Arc<Mutex<Vec<String>>> {
    let listener = UnixListener::bind(path).unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::clone(&requests);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let received = Arc::clone(&received);
            std::thread::spawn(move || {
                let mut request = [0; 2048];
                while let Ok(read @ 1..) = stream.read(&mut request) {
                    received.lock().unwrap().push(text(&request[..read]));
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    requests
}

#[test]
fn a_unix_socket_is_a_target_without_a_name_and_without_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("app.sock");
    let requests = serve_at(&socket);
    let encoded = socket.to_str().unwrap().replace('/', "%2F");
    let url = format!("http+unix://{encoded}/shop?page=1");
    let output = run(folder.path(), &url, &[], &[]);
    let record = record(&output);
    assert_eq!(record.verdict.decision, Decision::Pass, "{}", text(&output.stderr));
    assert_eq!(record.plan[0].base_url, format!("http+unix://{encoded}"));
    let request = requests.lock().unwrap()[0].to_lowercase();
    assert!(request.starts_with("get /shop?page=1 http/1.1\r\n"), "{request}");
    assert!(request.contains("host: localhost\r\n"), "{request}");
    let cold = &record.measurement.scenarios[0].requests[0].cold.series;
    assert!(cold.get(Dimension::Dns).is_none() && cold.get(Dimension::Connect).is_some());
    let checkup = tollgate().args(["doctor", &url]).output().unwrap();
    assert!(text(&checkup.stdout).contains("a Unix socket"), "{}", text(&checkup.stdout));
}

#[test]
fn a_socket_that_is_missing_or_left_over_is_a_refused_connection_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(folder.path().join("left.sock")).unwrap());
    for (name, seen) in [
        ("missing.sock", "there is no such socket"),
        ("left.sock", "no process listens on this socket"),
    ] {
        let encoded = folder.path().join(name).to_str().unwrap().replace('/', "%2F");
        let output = run(folder.path(), &format!("http+unix://{encoded}/"), &[], &[]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let record = record(&output);
        let measured = &record.measurement.scenarios[0].requests[0].measured;
        let evidence = measured.evidence.by_count();
        assert_eq!(evidence[0].failure, Failure::Refused, "{evidence:?}");
        assert!(evidence[0].seen.contains(seen) && evidence[0].next.is_some(), "{evidence:?}");
    }
}
