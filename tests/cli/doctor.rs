//! `tollgate doctor`: its findings about this machine, and about targets in every state.
//!
//! How busy this machine is during the tests must not decide them. So they require findings about
//! timers and processors, but in any state.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};

use serde_json::Value;

use crate::bench::{Bench, PLAIN, Target, text, tollgate};
use crate::closed_port::ClosedPort;

/// The document of `--output json`, and the exit code.
struct Checkup {
    document: Value,
    exit: Option<i32>,
}

impl Checkup {
    fn of(command: &mut Command) -> Self {
        let output = command.args(["--output", "json"]).output().unwrap();
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {} {}", text(&output.stdout), text(&output.stderr))
        });
        Self { document, exit: output.status.code() }
    }

    /// The state and the text of each finding of a name, over all groups.
    fn lines(&self, name: &str) -> Vec<(&str, &str)> {
        let findings = self.document["findings"].as_array().unwrap().iter();
        let named = findings.filter(|finding| finding["name"] == name);
        named
            .map(|finding| (finding["state"].as_str().unwrap(), finding["what"].as_str().unwrap()))
            .collect()
    }

    /// The state and the text of the only finding of a name.
    fn line(&self, name: &str) -> (&str, &str) {
        let lines = self.lines(name);
        assert_eq!(lines.len(), 1, "{name} in {:#}", self.document);
        lines[0]
    }

    fn remedy(&self, name: &str) -> &str {
        let mut findings = self.document["findings"].as_array().unwrap().iter();
        findings.find(|finding| finding["name"] == name).unwrap()["remedy"].as_str().unwrap()
    }
}

fn doctor(sources: &[&str]) -> Command {
    let mut command = tollgate();
    command.arg("doctor").args(sources);
    command
}

/// Asserts the state and a part of the text of the only connection to a URL.
fn assert_connection(url: &str, flags: &[&str], state: &str, expected: &str) {
    let checkup = Checkup::of(doctor(&[url]).args(flags));
    let line = checkup.line("connection");
    assert!(line.0 == state && line.1.contains(expected), "{line:?} of {url}");
    assert!(state != "fail" || checkup.exit == Some(1) && !checkup.remedy("connection").is_empty());
}

#[test]
fn without_a_plan_only_this_machine_is_examined_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = doctor(&[]);
    command.env("TOLLGATE_RUNS_DIR", folder.path().join("runs"));
    let checkup = Checkup::of(&mut command);
    for name in [
        "processors",
        "timer lag",
        "standstills",
        "file descriptors",
        "clock",
        "TLS roots",
        "free space",
    ] {
        assert!(!checkup.line(name).1.is_empty());
    }
    assert_eq!(checkup.line("runs folder").0, "ok");
    assert!(checkup.line("runs folder").1.contains("does not exist yet"));
    assert_eq!(checkup.lines("connection"), []);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_exit_code_and_the_last_line_follow_the_worst_line() {
    let output = doctor(&[]).args(["--runs-dir", "/dev/null/runs"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let page = text(&output.stdout);
    assert!(page.contains("→ name a folder that may be written"), "{page}");
    assert!(page.trim_end().lines().last().unwrap().starts_with("fail  "), "{page}");
    let checkup = Checkup::of(&mut doctor(&[]));
    assert_eq!(checkup.exit, Some(i32::from(checkup.document["state"] == "fail")));
}

#[test]
fn a_plain_target_is_reached_and_gets_no_request() {
    let (target, requests) = crate::bench::recording_server();
    assert_connection(&target, &[], "ok", "open; TCP");
    assert!(requests.lock().unwrap().is_empty());
}

#[test]
fn a_tls_targets_protocol_is_named_and_an_unknown_authority_fails() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let target = Target::start(&["--tls", "--tls-ca-out", ca.to_str().unwrap()]);
    let trusting = format!("tls_ca = \"{}\"\n{PLAIN}", ca.display()).replacen(
        "[[request]]",
        "[headers]\n[[request]]",
        1,
    );
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", "");
    let written = std::fs::read_to_string(&bench.scenario).unwrap();
    let written = written.split("[headers]").next().unwrap().to_owned() + &trusting;
    std::fs::write(&bench.scenario, written).unwrap();
    let file = bench.scenario.to_str().unwrap();
    assert_connection(file, &[], "ok", "HTTP/2 over TLS 1.3; TCP ");
    assert_connection(file, &["--http", "1.1"], "ok", "HTTP/1.1 over TLS 1.3");
    assert_connection(&target.base_url, &[], "fail", "not issued by a trusted authority");
    let insecure = Checkup::of(doctor(&[&target.base_url]).arg("--insecure"));
    assert_eq!((insecure.line("certificates").0, insecure.line("connection").0), ("warn", "ok"));
}

#[test]
fn each_handshake_fault_is_reported_with_its_remedy() {
    let faults = [
        ("expired", "the certificate expired on 20", "renew"),
        ("not-yet-valid", "is not valid before 4000-01-01T00:00:00Z", "clock"),
        ("wrong-name", "the certificate is for elsewhere.invalid, not for 127.0.0.1", "--resolve"),
        ("handshake-close", "closed the connection during the handshake", "openssl"),
        ("handshake-reset", "reset", "openssl"),
        ("handshake-hang", "no tls within 300 ms", "never answers"),
        ("old-version", "offers neither TLS 1.2 nor TLS 1.3", "TLS 1.2 or 1.3"),
        ("other-alpn", "does not speak", "--http auto"),
    ];
    std::thread::scope(|scope| {
        for (fault, expected, remedy) in faults {
            scope.spawn(move || assert_handshake(fault, expected, remedy));
        }
    });
}

fn assert_handshake(fault: &str, expected: &str, remedy: &str) {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let target =
        Target::start(&["--tls", "--tls-ca-out", ca.to_str().unwrap(), "--tls-fault", fault]);
    let timeout = if fault == "handshake-hang" { "300ms" } else { "10s" };
    let checkup =
        Checkup::of(doctor(&[&target.base_url, "--timeout", timeout]).env("SSL_CERT_FILE", &ca));
    let line = checkup.line("connection");
    assert!(line.0 == "fail" && line.1.contains(expected), "{fault}: {line:?}");
    assert!(
        checkup.remedy("connection").contains(remedy),
        "{fault}: {}",
        checkup.remedy("connection")
    );
}

#[test]
fn a_target_that_requires_a_client_certificate_fails_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let client = folder.path().join("client.pem");
    let target = Target::start(&["--tls", "--tls-client-out", client.to_str().unwrap()]);
    let checkup = Checkup::of(doctor(&[&target.base_url]).arg("--insecure"));
    assert_eq!(checkup.line("connection").0, "fail", "{:#}", checkup.document);
    assert!(checkup.remedy("connection").contains("`tls_cert`"));
}

#[test]
fn http2_works_with_prior_knowledge_and_an_unsupported_version_fails() {
    let target = Target::start(&["--http", "2"]);
    assert_connection(&target.base_url, &["--http", "2"], "ok", "open; TCP");
    let target = Target::start(&["--tls", "--http", "1.1"]);
    assert_connection(&target.base_url, &["--http", "2", "--insecure"], "fail", "HTTP/2");
}

#[test]
fn a_closed_port_a_name_without_an_address_and_another_services_port_fail() {
    let closed = ClosedPort::new();
    assert_connection(&format!("http://{closed}/"), &[], "fail", "refused");
    let checkup = Checkup::of(&mut doctor(&["http://no-such-name.invalid/"]));
    assert_eq!((checkup.line("name").0, checkup.exit), ("fail", Some(1)));
    assert!(checkup.remedy("name").contains("--resolve"));
    assert_eq!(checkup.lines("connection"), []);
    assert_connection(
        &serving(|stream| stream.write_all(b"SSH-2.0-x\r\n")),
        &[],
        "fail",
        "before any request",
    );
    let plain =
        serving(|stream| stream.write_all(b"nonsense, and much of it")).replace("http:", "https:");
    assert_connection(&plain, &[], "fail", "TLS failed");
    assert_connection(
        &serving(|stream| stream.shutdown(std::net::Shutdown::Both)),
        &[],
        "fail",
        "at once",
    );
}

#[test]
fn each_address_has_a_finding_and_one_that_answers_is_enough() {
    let target = Target::start(&[]);
    let port = target.base_url.rsplit(':').next().unwrap().to_owned();
    let resolve = format!("name.test:{port}:127.0.0.1,127.0.0.9");
    let checkup =
        Checkup::of(doctor(&[&format!("http://name.test:{port}/")]).args(["--resolve", &resolve]));
    assert_eq!(
        checkup.line("name"),
        ("ok", "no look-up is needed: 127.0.0.1, 127.0.0.9 by `resolve`")
    );
    let states: Vec<_> = checkup.lines("connection").into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["ok", "warn"]);
    let looked_up = Checkup::of(&mut doctor(&["-4", &format!("http://localhost:{port}/")]));
    assert!(looked_up.line("name").1.contains(": 127.0.0.1"), "{:#}", looked_up.document);
    assert_eq!(looked_up.line("connection").0, "ok");
}

#[test]
fn a_silent_target_ends_with_the_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    assert_connection(&url, &["--timeout", "200ms"], "fail", "timed out: no tls within 200 ms");
    let bench = Bench::new(&url, "budgets = [\"p95 < 1s\"]", PLAIN);
    assert_connection(
        bench.scenario.to_str().unwrap(),
        &[],
        "fail",
        "timed out: no tls within 2 s",
    );
}

#[test]
fn more_connections_than_descriptors_fail_with_the_limit_to_set() {
    let (hard, target) = ("200", Target::start(&[]));
    let limited = format!("ulimit -n {hard}; exec \"$0\" doctor \"$@\" --output json");
    let program = tollgate().get_program().to_owned();
    let mut command = Command::new("sh");
    command.arg("-c").arg(limited).arg(program).args([&target.base_url, "--connections", "500"]);
    let output = command.output().unwrap();
    let checkup = Checkup {
        document: serde_json::from_slice(&output.stdout).unwrap(),
        exit: output.status.code(),
    };
    assert_eq!(
        checkup.line("file descriptors"),
        ("fail", "200 may be open; 564 needed with 500 connections")
    );
    assert!(checkup.remedy("file descriptors").contains("ulimit -n 564"));
    assert_eq!(checkup.exit, Some(1));
}

#[test]
fn an_unset_variable_fails_and_everything_else_is_examined() {
    let target = Target::start(&[]);
    let header = format!("X-Token = \"${{DOCTOR_TOKEN}}\"\n{PLAIN}");
    let known = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", &header);
    let unknown = Bench::new("${DOCTOR_TARGET}", "budgets = [\"p95 < 1s\"]", PLAIN);
    let renamed = std::fs::read_to_string(&unknown.scenario).unwrap().replacen("trial", "other", 1);
    std::fs::write(&unknown.scenario, renamed).unwrap();
    let sources = [known.scenario.to_str().unwrap(), unknown.scenario.to_str().unwrap()];
    let checkup = Checkup::of(&mut doctor(&sources));
    let variables: Vec<_> = checkup.lines("variables");
    assert_eq!(variables.len(), 2, "{:#}", checkup.document);
    assert!(
        variables[0].0 == "fail" && variables[0].1.ends_with("variable `DOCTOR_TOKEN` is not set")
    );
    assert_eq!(checkup.line("address").0, "warn");
    assert_eq!(checkup.line("connection").0, "ok");
    assert_eq!(checkup.exit, Some(1));
}

#[test]
fn a_wrong_scenario_or_flag_ends_with_2_and_nothing_is_examined() {
    let bench = Bench::new("http://127.0.0.1:1", "budgets = [\"p999 < 1s\"]", PLAIN);
    let file = bench.scenario.to_str().unwrap();
    for (words, expected) in [
        (&[file][..], "unknown quantile"),
        (&["no-such-file.toml"], "no-such-file.toml"),
        (&["http://127.0.0.1:1", "--print-scenario"], "prints no scenario"),
        (&["--rate", "9/s"], "--rate changes a plan, and there is none"),
        (&["--no-such-flag"], "unexpected argument"),
    ] {
        let output = doctor(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
}

const CANARY: &str = "Zebra-7f3a9c51";

#[test]
fn a_secret_is_in_no_finding_even_if_a_path_or_a_flag_contains_it() {
    let target = Target::start(&[]);
    let rest = format!("X-Token = \"${{CANARY_TOKEN}}\"\n{PLAIN}")
        .replace("/plain", "/plain?key=${CANARY_TOKEN}");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", &rest);
    let runs = bench.folder.path().join(CANARY);
    for flags in [&[][..], &["--output", "json"], &["--log-format", "pino", "--log-level", "debug"]]
    {
        let mut command = doctor(&[bench.scenario.to_str().unwrap(), &target.base_url]);
        command.args(["-H", &format!("X-Key: {CANARY}"), "--runs-dir"]).arg(&runs);
        let output = command.args(flags).env("CANARY_TOKEN", CANARY).output().unwrap();
        assert!(text(&output.stdout).contains("•••"), "{}", text(&output.stdout));
        assert_no_canary(&output);
    }
}

fn assert_no_canary(output: &Output) {
    for printed in [text(&output.stdout), text(&output.stderr)] {
        assert!(
            !printed.to_lowercase().contains("zebra") && !printed.contains("7f3a9c5"),
            "{printed}"
        );
    }
}

/// The URL of a server that calls `act` on each connection and keeps it open.
fn serving(act: fn(&mut TcpStream) -> std::io::Result<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut connections = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _gone = act(&mut stream);
            connections.push(stream);
        }
    });
    url
}

#[test]
fn a_queried_database_is_examined_by_name_unless_its_url_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asks.toml");
    let scenario = "name = \"asks\"\nbudgets = [\"errors = 0\"]\n[databases]\nmain = \"${ASKED_URL}\"\n\
                    [[request]]\nname = \"one\"\nsql = \"select 1 as one\"\n";
    std::fs::write(&file, scenario).unwrap();
    let doctor = || doctor(&[file.to_str().unwrap(), "--store", "none"]);
    let refused =
        Checkup::of(doctor().env("ASKED_URL", "postgresql://user:canary-41@127.0.0.1:1/app"));
    let (state, document) = refused.line("session");
    assert!(state == "fail" && document.contains("user@127.0.0.1:1/app"), "{document}");
    assert!(
        refused.exit == Some(1) && !refused.document.to_string().contains("canary-41"),
        "{:#}",
        refused.document
    );
    let unknown = Checkup::of(&mut doctor());
    assert_eq!(unknown.line("session").0, "warn");
}
