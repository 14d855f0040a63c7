//! `tollgate synthetic-check`: the contract of the old check, and warnings about what it hid.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::bench::{Target, recording_server, text, tollgate};

mod beside_node;
mod gate;
mod places;

const CANARY: &str = "Zebra/7f3a9c51";

/// The working directory of a check.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, words: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = tollgate();
        command.arg("synthetic-check").args(words).envs(variables.iter().copied());
        command.current_dir(self.0.path());
        command
    }

    fn check(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        self.command(words, variables).output().unwrap()
    }

    /// The artifacts in the default folder, sorted by name.
    fn artifacts(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.0.path().join("artifacts/monitoring")) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// The one artifact's text.
    fn artifact(&self) -> String {
        let artifacts = self.artifacts();
        assert_eq!(artifacts.len(), 1, "{artifacts:?}");
        std::fs::read_to_string(&artifacts[0]).unwrap()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// A fast target that accepts the default token.
fn target(flags: &[&str]) -> Target {
    let fast = [
        "--token",
        "staging",
        "--mock-latency",
        "constant:1ms",
        "--upstream-latency",
        "constant:1ms",
    ];
    Target::start(&[&fast[..], flags].concat())
}

/// A URL at which nothing listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/app?mock=0", listener.local_addr().unwrap())
}

/// The URL of a server that gives this answer to every request.
fn answering(answer: impl Into<String>) -> String {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let _gone = stream.read(&mut head).and_then(|_| stream.write_all(answer.as_bytes()));
        }
    });
    base_url
}

/// The URL of a server that never completes an answer, except for `/there`. It repeats `rest` until
/// the client closes the connection; with an empty `rest` it keeps the connection open.
fn without_end(answer: &'static str, rest: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move |mut stream: TcpStream| {
        let mut head = [0; 4096];
        let read = stream.read(&mut head).unwrap_or(0);
        if head[..read].starts_with(b"GET /there ") {
            let _gone = stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 2\r\n\r\nok");
            return;
        }
        let _gone = stream.write_all(answer.as_bytes());
        while !rest.is_empty() && stream.write_all(rest.as_bytes()).is_ok() {}
        let _gone = stream.read(&mut head);
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    base_url
}

#[test]
fn a_check_in_time_ends_with_0_and_leaves_only_its_line_and_its_artifact() {
    let (target, place) = (target(&[]), Place::new());
    let url = format!("{}/app?mock=0", target.base_url);
    let output =
        place.check(&[], &[("SYNTHETIC_CHECK_URL", &url), ("SYNTHETIC_CHECK_BUDGET_MS", "20000")]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let artifact = place.artifact();
    let written: Value = serde_json::from_str(&artifact).unwrap();
    let duration = &written["durationMs"];
    let name = place.artifacts()[0].strip_prefix(place.0.path()).unwrap().display().to_string();
    assert_eq!(
        text(&output.stdout),
        format!(
            "[synthetic-check] {url} status=200 duration={duration}ms budget=20000ms artifact={name}\n"
        )
    );
    let time = written["timestamp"].as_str().unwrap();
    assert_eq!(
        name,
        format!("artifacts/monitoring/synthetic-check-{}.json", time.replace(':', "-"))
    );
    assert_eq!(
        artifact,
        format!(
            "{{\n  \"timestamp\": \"{time}\",\n  \"target\": \"{url}\",\n  \"budgetMs\": 20000,\n  \"durationMs\": \
             {duration},\n  \"status\": 200,\n  \"ok\": true,\n  \"error\": null,\n  \"tool\": \"tollgate {}\"\n}}",
            env!("CARGO_PKG_VERSION")
        )
    );
    assert_eq!(std::fs::read_dir(place.0.path()).unwrap().count(), 1);
    let notes = text(&output.stderr);
    assert!(!notes.contains("redirect") && !notes.contains("[synthetic-check]"), "{notes}");
}

#[test]
fn what_the_old_check_hid_is_reported_and_its_verdict_stays() {
    let target = target(&["--auth", "today"]);
    let url = |path: &str| format!("{}{path}", target.base_url);
    let agent = ("SYNTHETIC_CHECK_USER_AGENT", "curl/8.5.0");
    for (url, variables, exit, status, expected) in [
        (url("/app?mock=0"), &[][..], 0, "200", "redirect followed: 302 /app?mock=0 → /auth/login"),
        (url("/app?mock=0"), &[], 0, "200", "this is the login page"),
        (url("/app?mock=1"), &[], 0, "200", "`--budget auto` chooses by the URL"),
        (url("/app?mock=1"), &[agent], 1, "410", "Check failed (status or budget overrun)."),
        (
            url("/fault/no-such-page"),
            &[],
            1,
            "404",
            "[synthetic-check] Check failed (status or budget overrun).",
        ),
        (nowhere(), &[], 1, "null", "connection refused"),
        (url("/fault/reset"), &[], 1, "null", "connection reset"),
        (
            nowhere(),
            &[],
            1,
            "null",
            "[synthetic-check] Failed: fetch failed\n[synthetic-check] Artifact: ",
        ),
        (url("/fault/redirect-loop"), &[], 1, "null", "302 redirect to"),
    ] {
        let place = Place::new();
        let budget = ("SYNTHETIC_CHECK_BUDGET_MS", "20000");
        let variables = [&[("SYNTHETIC_CHECK_URL", url.as_str()), budget], variables].concat();
        let output = place.check(&[], &variables);
        assert_eq!(code(&output), exit, "{url}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(expected), "{expected} in {}", text(&output.stderr));
        let line = text(&output.stdout);
        let is_right = if status == "null" {
            line.is_empty()
        } else {
            line.contains(&format!(" status={status} "))
        };
        assert!(is_right, "{line}");
        let written: Value = serde_json::from_str(&place.artifact()).unwrap();
        assert_eq!(
            written["error"],
            if status == "null" { "fetch failed".into() } else { Value::Null }
        );
    }
}

#[test]
fn every_mistake_ends_with_1_and_leaves_no_artifact() {
    let url = ("SYNTHETIC_CHECK_URL", "http://127.0.0.1:1/");
    for (words, variables, expected) in [
        (&[][..], &[][..], "no URL to check"),
        (&["--no-such-flag"], &[url], "--no-such-flag"),
        (&["--samples", "0"], &[url], "--samples"),
        (&["--log-format", "neither"], &[url], "--log-format"),
        (&["--host", "shop.example"], &[], "--mode live"),
        (&[], &[("SYNTHETIC_CHECK_URL", ""), ("STAGING_SMOKE_TEST_URL", url.1)], "no URL to check"),
        (&["--budget", "abc"], &[url], "is not a budget"),
        (&["--timeout", "9999999999years"], &[url], "--timeout"),
        (&[], &[("SYNTHETIC_CHECK_URL", "/app?mock=0")], "SYNTHETIC_CHECK_URL is not a URL"),
        (&[], &[url, ("TOLLGATE_SYNTHETIC_CHECK_SAMPLES", "many")], "--samples"),
    ] {
        let place = Place::new();
        let output = place.check(words, variables);
        assert_eq!((code(&output), text(&output.stdout).as_str()), (1, ""), "{words:?}");
        assert!(text(&output.stderr).contains(expected), "{expected} in {}", text(&output.stderr));
        assert_eq!(std::fs::read_dir(place.0.path()).unwrap().count(), 0);
    }
    assert_eq!(code(&Place::new().check(&["--help"], &[])), 0);
    // `import synthetic-check` has the same name, but the usual exit codes.
    assert_eq!(
        tollgate().args(["import", "synthetic-check"]).output().unwrap().status.code(),
        Some(2)
    );
}

#[test]
fn flags_that_the_old_check_ignored_have_their_effect() {
    let (target, place) = (target(&[]), Place::new());
    let host = format!("--host={}", target.base_url);
    let words = [
        &host,
        "--mode=live",
        "--budget",
        "20s",
        "--samples",
        "3",
        "--json",
        "--out",
        "a/live.json",
    ];
    let output = place.check(&words, &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let printed: Vec<Value> = serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(place.0.path().join(name)).unwrap()).unwrap()
    };
    assert_eq!(printed, ["a/live.json", "a/live-2.json", "a/live-3.json"].map(read));
    assert_eq!(printed[0]["target"], format!("{}/app?mock=0", target.base_url));
    let messages = text(&output.stderr);
    assert!(
        messages.contains("3 of 3 requests") && messages.contains("tollgate run 'http"),
        "{messages}"
    );
}

#[test]
fn each_of_several_requests_has_an_artifact_and_a_late_one_fails_the_check() {
    let (target, place) = (target(&["--mock-latency", "constant:30ms"]), Place::new());
    let url = format!("{}/app?mock=1", target.base_url);
    let output = place.check(&["--url", &url, "--samples=4", "--budget=1"], &[]);
    assert_eq!((code(&output), text(&output.stdout).lines().count()), (1, 4));
    assert!(text(&output.stderr).contains("0 of 4 requests"), "{}", text(&output.stderr));
    assert_eq!(place.artifacts().len(), 4);
    let mut import = tollgate();
    let import = import.args(["import", "synthetic-check", "artifacts/monitoring"]);
    let imported = import.current_dir(place.0.path()).output().unwrap();
    assert!(text(&imported.stdout).contains("4 runs imported"), "{}", text(&imported.stderr));
}

#[test]
fn the_request_is_that_of_the_old_check() {
    let ((base_url, requests), place) = (recording_server(), Place::new());
    let output = place.check(&["--url", &base_url], &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let requests = requests.lock().unwrap();
    let request = requests[0].to_lowercase();
    assert_eq!(requests.len(), 1);
    assert!(request.starts_with("get / http/1.1\r\n"), "{request}");
    for header in [
        "accept: text/html,application/json\r\n",
        "user-agent: shopify pos/hotdashsyntheticcheck\r\n",
        "x-hotdash-synthetic: staging\r\n",
    ] {
        assert!(request.contains(header), "{header} in {request}");
    }
}

#[test]
fn neither_token_nor_password_reaches_output_or_artifact() {
    let token = ("SYNTHETIC_CHECK_TOKEN", CANARY);
    let echo = answering(
        "HTTP/1.1 302 x\r\nlocation: /login/Zebra/7f3a9c51?t=Zebra%2F7f3a9c51\r\ncontent-length: 0\r\n\r\n",
    );
    let url = format!("{echo}/app?mock=0&key={CANARY}");
    let password = format!("http://probe:{CANARY}@127.0.0.1:1/");
    for (words, url) in [
        (&[][..], url.as_str()),
        (&["--json", "--log-format", "pino"], &url),
        (&["--samples", "2", "--log-level", "debug"], &url),
        (&["--out", &format!("{CANARY}.json")], &url),
        (&[], &password),
        (&[&password], &url),
        (&["--budget", CANARY], &url),
    ] {
        let place = Place::new();
        let output = place.check(words, &[token, ("SYNTHETIC_CHECK_URL", url)]);
        assert_eq!(code(&output), 1);
        // Errors show the typed value of `--budget`, as of other flags.
        let typed = words.contains(&CANARY);
        assert!(typed || !contains_canary(&output.stderr), "{}", text(&output.stderr));
        assert!(!contains_canary(&output.stdout), "{}", text(&output.stdout));
        for artifact in place.artifacts() {
            assert!(!contains_canary(&std::fs::read(&artifact).unwrap()), "{}", artifact.display());
        }
    }
}

#[test]
fn a_token_in_the_url_is_sent_and_warned_of() {
    let warning = "the URL contains a token, and proxies and servers write URLs to their logs";
    let target = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let token = ("SYNTHETIC_CHECK_TOKEN", CANARY);
    for (path, is_warned) in [
        (format!("/x?mock=0&t={CANARY}"), true),
        (format!("/{CANARY}/x"), true),
        ("/x?token=abc".to_owned(), true),
        ("/x?api_key=abc&mock=1".to_owned(), true),
        ("/x?token=".to_owned(), false),
        ("/x?mock=1&page=2".to_owned(), false),
    ] {
        let place = Place::new();
        let output = place.check(&[&format!("{target}{path}")], &[token]);
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        let said = text(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(said.matches(warning).count(), usize::from(is_warned), "{path}: {said}");
        assert!(!contains_canary(&output.stderr), "{said}");
    }
}

fn contains_canary(bytes: &[u8]) -> bool {
    let text = text(bytes).to_lowercase();
    text.contains("zebra") || text.contains("7f3a9c5")
}

#[test]
fn a_page_that_breaks_off_is_reported_without_changing_the_verdict() {
    let page = without_end("HTTP/1.1 200 x\r\ncontent-length: 9999\r\n\r\nhalf", "");
    let place = Place::new();
    let words = ["--url", &format!("{page}/app?mock=0"), "--budget", "20s", "--timeout", "1h"];
    let output = place.check(&words, &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("the page broke off"), "{}", text(&output.stderr));
}
