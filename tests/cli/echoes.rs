//! Canaries that a target echoes changed: none reaches a file, a message, a database or a service.

use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::bench::{Bench, read_request, recording_server, text, tollgate};
use crate::cluster::{self, Cluster};

/// Secrets of many shapes.
const CANARIES: [&str; 16] = [
    "Zebra/7f3a9c51",
    "okapi-4b1d-99e0",
    "GNU_quagga.2718281828",
    "s3cr3t with blanks 99",
    "\"quoted\"&<Tapir42>",
    "100%25off-Ibex+17",
    "schlüssel-Ärger-4711",
    "Ym9iOlB1bWEvODhhYjEyMzQ=",
    "Basic YWxpY2U6TGVtdXItNTVjYzc3",
    "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ5YWsifQ.sig9981",
    "2f6d8c1e-77aa-4be0-9d3c-0a1b2c3d4e5f",
    "0123456789abcdef0123456789abcdef",
    "  padded-Civet-9090\r\n",
    "-----BEGIN KEY-----\nMIIBanteng55xyzzy\nkiangQ0uaX1Bongo7\n-----END KEY-----\n",
    "correct-horse-battery-staple",
    "https://hooks.elsewhere.test/T0Z9/Numbat7788/x?key=Wombat-6655",
];

/// What a target makes of a secret.
type Echo = fn(&str) -> String;

const ECHOES: [Echo; 26] = [
    |secret| secret.to_owned(),
    |secret| secret.trim().to_owned(),
    |secret| secret.lines().nth(1).unwrap_or(secret).trim().to_owned(),
    |secret| secret.to_uppercase(),
    |secret| secret.to_lowercase(),
    percent,
    |secret| percent(&percent(secret)),
    |secret| secret.replace(' ', "+").replace('/', "%2F"),
    html,
    |secret| html(&html(secret)),
    |secret| joined(secret.chars(), |c| format!("&#{};", u32::from(c))),
    |secret| joined(secret.chars(), |c| format!("&#x{:X};", u32::from(c))),
    json,
    |secret| json(&json(secret)),
    |secret| joined(secret.encode_utf16(), |unit| format!("\\u{unit:04x}")),
    |secret| STANDARD.encode(secret),
    |secret| STANDARD_NO_PAD.encode(secret.trim()),
    |secret| URL_SAFE.encode(secret),
    |secret| URL_SAFE_NO_PAD.encode(secret.trim()),
    |secret| STANDARD.encode(format!("user:{}", secret.trim())),
    |secret| URL_SAFE_NO_PAD.encode(format!("a.longer@user.test:{secret}")),
    |secret| percent(&STANDARD.encode(format!("me:{secret}"))),
    |secret| decoded(secret).unwrap_or_else(|| secret.to_owned()),
    |secret| beginning(secret, 8),
    |secret| beginning(secret, 12),
    |secret| joined(secret.bytes(), |byte| format!("{byte:02x}")),
];

fn percent(text: &str) -> String {
    joined(text.bytes(), |byte| format!("%{byte:02X}"))
}

fn joined<T>(items: impl Iterator<Item = T>, write: impl Fn(T) -> String) -> String {
    items.map(write).collect::<Vec<_>>().concat()
}

fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].replace('/', "\\/")
}

/// The user and the password of basic authentication.
fn decoded(secret: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(secret.trim_start_matches("Basic ")).ok()?).ok()
}

/// The first characters, unless they are those of a scheme or of any key.
fn beginning(secret: &str, length: usize) -> String {
    if secret.contains("://") || secret.starts_with("-----") {
        return secret.to_owned();
    }
    let credentials = secret.split(' ').next_back().filter(|_| secret.starts_with('B'));
    let from = credentials.unwrap_or(secret);
    let begun: String = from.trim().chars().take(length).collect();
    // Letters alone may begin any word.
    if begun.chars().all(char::is_alphabetic) { secret.to_owned() } else { begun }
}

/// What the target answers to step `kind` of a canary: an echo in a header, a redirect or JSON.
fn answer(kind: &str, echo: &str) -> String {
    let one_line: String = echo.chars().filter(|c| !c.is_control()).collect();
    let (head, body) = match kind {
        "header" => (format!("200 OK\r\nx-echo: {one_line}"), String::new()),
        "redirect" => {
            let place = one_line.replace('%', "%25").replace('#', "%23").replace('?', "%3F");
            (format!("302 Found\r\nlocation: /to/{place}/x"), String::new())
        }
        "timing" => {
            let head = format!("200 OK\r\nserver-timing: {one_line};dur=1, x;desc=\"{one_line}\"");
            (head, "no".to_owned())
        }
        _ => ("200 OK".to_owned(), serde_json::json!({ "v": echo, "message": echo }).to_string()),
    };
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A target that changes the canary of each path in another way with each request.
fn echoing_target() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let turns = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let turns = Arc::clone(&turns);
            std::thread::spawn(move || echo_in_turns(stream, &turns));
        }
    });
    base_url
}

fn echo_in_turns(mut stream: TcpStream, turns: &Mutex<HashMap<String, usize>>) -> Option<()> {
    let mut read = BufReader::new(stream.try_clone().ok()?);
    loop {
        let (head, _) = read_request(&mut read)?;
        let path = head.split(' ').nth(1)?.to_owned();
        let mut parts = path.split('/').skip(1);
        let (kind, canary) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
        let turn = {
            let mut turns = turns.lock().unwrap();
            let turn = turns.entry(path.clone()).or_default();
            *turn += 1;
            *turn - 1
        };
        let echo = ECHOES[turn % ECHOES.len()](CANARIES[canary]);
        stream.write_all(answer(kind, &echo).as_bytes()).ok()?;
    }
}

/// Looks for parts of canaries in bytes.
struct CanarySearch(HashSet<Vec<u8>>);

/// A leak is at least this long. Shorter parts are not recognizable.
const LEAK: usize = 10;

impl CanarySearch {
    fn new() -> Self {
        let mut parts = HashSet::new();
        let of_url = ["Numbat7788", "Wombat-6655"];
        // The host of a URL and the blanks around a secret are not secret.
        let secrets = CANARIES.iter().filter(|canary| !canary.contains("://"));
        for secret in secrets.map(|canary| canary.trim()).chain(of_url) {
            for echo in ECHOES {
                let echoed = echo(secret).to_lowercase();
                let echoed = echoed.as_bytes();
                parts.extend(echoed.windows(LEAK.min(echoed.len())).map(<[u8]>::to_vec));
            }
        }
        Self(parts)
    }

    fn assert_absent(&self, place: &str, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "{place} is empty");
        let lower = text(bytes).to_lowercase().into_bytes();
        for length in [8, LEAK] {
            for (at, part) in lower.windows(length).enumerate() {
                if self.0.contains(part) {
                    let around = text(&lower[at.saturating_sub(60)..(at + 60).min(lower.len())]);
                    panic!("{place} has `{}` in `{around}`", text(part));
                }
            }
        }
    }

    fn assert_absent_below(&self, folder: &Path) -> usize {
        let mut files = 0;
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                files += self.assert_absent_below(&path);
            } else if std::fs::metadata(&path).unwrap().len() > 0 {
                self.assert_absent(&path.display().to_string(), &std::fs::read(&path).unwrap());
                files += 1;
            }
        }
        files
    }
}

fn scenario() -> String {
    let mut steps = Vec::new();
    for canary in 0..CANARIES.len() {
        for (kind, expect) in [
            ("header", "headers = { x-echo = \"other\" }"),
            ("redirect", "status = 200"),
            ("json", "json = { \"/v\" = \"other\" }"),
            ("missing", "json = { \"/nothing\" = \"other\" }"),
            ("timing", "body_contains = [\"yes\"]"),
        ] {
            steps.push(format!(
                "[[request]]\nname = \"{kind} {canary}\"\nmethod = \"POST\"\npath = \"/{kind}/{canary}\"\n\
                 body_json = {{ secret = \"${{CANARY_{canary}}}\" }}\nexpect = {{ {expect} }}\n"
            ));
        }
    }
    let (steps, arrivals) = (steps.concat(), ECHOES.len());
    format!(
        "{steps}[load]\narrival_rate = \"{arrivals}/s\"\nduration = \"1s\"\nconnections = 1\n\
         [gate]\nbreaker = \"off\"\nstop_early = \"never\"\n\
         [alert]\nafter = \"1 of 1\"\nwebhook = \"${{HOOK}}\"\n"
    )
}

#[test]
fn no_canary_that_comes_back_changed_reaches_any_place() {
    let (service, sent) = recording_server();
    let cluster = (!cluster::is_left_out()).then(Cluster::start);
    let bench =
        Bench::new(&echoing_target(), "budgets = [\"p95 < 1s\"]", &scenario()).with_reports();
    let folder = bench.folder.path();
    let search = CanarySearch::new();
    let store = cluster.as_ref().map(Cluster::url);
    if let Some(store) = &store {
        let migrated = tollgate().args(["db", "migrate"]).env("DATABASE_URL", store).output();
        assert!(migrated.unwrap().status.success());
    }
    let mut command = bench.command();
    for (number, canary) in CANARIES.iter().enumerate() {
        command.env(format!("CANARY_{number}"), canary);
    }
    command.envs(store.iter().map(|store| ("DATABASE_URL", store)));
    command.env("HOOK", format!("{service}/hook")).env("GITHUB_STEP_SUMMARY", folder.join("ci.md"));
    command.arg("--junit").arg(folder.join("junit.xml")).args(["--otlp", &service]);
    command.arg("--metrics").arg(folder.join("metrics.txt")).args(["--ci", "github"]);
    command.arg("--evidence").arg(folder.join("log.md")).args(["--log-level", "debug"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let record = bench.record();
    for request in &record.measurement.scenarios[0].requests {
        assert_eq!(request.measured.tally.exchanges, ECHOES.len() as u64, "{}", request.name);
    }
    search.assert_absent("stdout", &output.stdout);
    search.assert_absent("stderr", &output.stderr);
    for name in ["junit.xml", "metrics.txt", "log.md", "ci.md"] {
        search.assert_absent(name, &std::fs::read(folder.join(name)).unwrap());
    }
    assert!(search.assert_absent_below(&bench.runs()) >= 5);
    let sent = sent.lock().unwrap().concat();
    assert!(sent.contains("POST /hook") && sent.contains("/v1/metrics"));
    search.assert_absent("messages", sent.as_bytes());
    let mut report = tollgate();
    report.args(["report", "--since", "12h", "--store", "none", "--runs-dir"]).arg(bench.runs());
    report.arg("--out").arg(folder.join("site")).args(["--format", "html", "--format", "json"]);
    assert_eq!(report.output().unwrap().status.code(), Some(0));
    assert!(search.assert_absent_below(&folder.join("site")) >= 2);
    if let Some(cluster) = &cluster {
        let tables = cluster.sql(
            "postgres",
            "select table_name from information_schema.tables where table_schema = 'tollgate'",
        );
        let rows = tables.iter().flat_map(|table| {
            let rows = format!("select row_to_json(t)::text from tollgate.\"{}\" t", table[0]);
            cluster.sql("postgres", &rows)
        });
        let rows: Vec<_> = rows.flatten().collect();
        assert!(rows.iter().any(|row| row.contains(&record.id.to_string())), "the run is stored");
        search.assert_absent("database", rows.join("\n").as_bytes());
    }
}
