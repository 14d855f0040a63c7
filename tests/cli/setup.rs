//! Log in once, load with the token and the cookie, log out, whatever ends the run.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tollgate::record::{Decision, Failure, RunEnding, StepRecord};

use crate::bench::{Bench, signal, text, tollgate, wait_for_intervals, words};

/// What the server hands out; neither may reach a file or a message.
const TOKEN: &str = "tok-Zebra7f3a9c51";
const SESSION: &str = "ses-Heron51c9a3f7";

/// What the server does besides handing out a session.
#[derive(Clone, Copy, Default)]
struct Quirks {
    /// Answers `POST /login` with 401.
    refuses_login: bool,
    /// Answers `/logout` with 500.
    refuses_logout: bool,
    /// Shows the credentials that a page got in its answer's `Location`.
    echoes: bool,
}

/// A server with a login, and how often each request line was answered with each status.
struct LoginServer {
    base_url: String,
    answered: Arc<Mutex<HashMap<String, u64>>>,
}

impl LoginServer {
    fn start(quirks: Quirks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let answered = Arc::new(Mutex::new(HashMap::new()));
        let counts = Arc::clone(&answered);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = Arc::clone(&counts);
                std::thread::spawn(move || serve(stream, quirks, &counts));
            }
        });
        Self { base_url, answered }
    }

    /// How often a request was answered: `GET /page 200`.
    fn count(&self, answer: &str) -> u64 {
        self.answered.lock().unwrap().get(answer).copied().unwrap_or_default()
    }
}

fn serve(
    mut stream: TcpStream,
    quirks: Quirks,
    counts: &Mutex<HashMap<String, u64>>,
) -> Option<()> {
    let mut read = BufReader::new(stream.try_clone().ok()?);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while read.read_line(&mut head).ok().filter(|&read| read > 0)? > 2 {
            let line = head.lines().last()?.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            }
        }
        read.read_exact(&mut vec![0; length]).ok()?;
        let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
        let (status, fields, body) = answer(&line, &head, quirks);
        *counts.lock().unwrap().entry(format!("{line} {status}")).or_default() += 1;
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status} X\r\n{fields}content-length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).ok()?;
    }
}

fn answer(line: &str, head: &str, quirks: Quirks) -> (u16, String, String) {
    let has_session = head.contains(&format!("cookie: sid={SESSION}"));
    let is_known = has_session && head.contains(&format!("authorization: Bearer {TOKEN}"));
    match line {
        "POST /login" if quirks.refuses_login => (401, String::new(), String::new()),
        "POST /login" => {
            let fields = format!(
                "set-cookie: theme=dark\r\nset-cookie: sid={SESSION}; Path=/; HttpOnly\r\n\
                 location: /in?code={TOKEN}&state=1\r\n"
            );
            (200, fields, "{}".to_owned())
        }
        "POST /logout" if quirks.refuses_logout => (500, String::new(), String::new()),
        "POST /logout" if is_known => (204, String::new(), String::new()),
        "GET /page" if is_known && quirks.echoes => {
            (302, format!("location: /x/{TOKEN}/{SESSION}\r\n"), String::new())
        }
        "GET /page" if is_known => (200, String::new(), "welcome".to_owned()),
        _ => (401, String::new(), String::new()),
    }
}

/// Logs in, loads a page and logs out. The header of all requests uses the token.
fn bench(server: &LoginServer, seconds: u32) -> Bench {
    let rest = format!(
        r#"Authorization = "Bearer ${{{{token}}}}"

[[setup]]
name = "log in"
method = "POST"
path = "/login"
body_json = {{ user = "probe", password = "${{PASSWORD:-letmein}}" }}
capture = {{ token = {{ header = "location", regex = "code=([^&]+)" }} }}

[[request]]
name = "page"
path = "/page"
expect = {{ body_contains = ["welcome"] }}

[[teardown]]
name = "log out"
method = "POST"
path = "/logout"

[load]
arrival_rate = "50/s"
duration = "{seconds}s"
connections = 2"#
    );
    Bench::new(&server.base_url, "budgets = [\"errors = 0\"]\ncookies = \"setup\"", &rest)
}

fn steps(steps: &[StepRecord]) -> Vec<(&str, Option<Failure>)> {
    let failure = |step: &StepRecord| step.failed.as_ref().map(|evidence| evidence.failure);
    steps.iter().map(|step| (step.name.as_str(), failure(step))).collect()
}

/// Neither the token nor the session is in a text or a file of the runs.
fn assert_nothing_leaks(bench: &Bench, texts: &[&[u8]]) {
    let files = bench.run_folders().into_iter().flat_map(|folder| {
        assert!(folder.join("report.md").exists(), "without reports this would prove little");
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap())
    });
    let texts = texts.iter().map(|text| text.to_vec());
    for bytes in files.chain(texts) {
        let shown = text(&bytes);
        for secret in [TOKEN, SESSION, "letmein"] {
            assert!(!shown.contains(secret), "{secret} is in\n{shown}");
        }
    }
}

#[test]
fn one_login_serves_the_whole_load_and_is_logged_out_again() {
    let server = LoginServer::start(Quirks::default());
    let bench = bench(&server, 1).with_reports();
    let output = bench.command().args(["--log-level", "debug"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    // Two arrivals warm the connections up.
    assert_eq!((server.count("POST /login 200"), server.count("GET /page 200")), (1, 52));
    assert_eq!(server.count("POST /logout 204"), 1);
    let record = bench.record();
    let scenario = &record.measurement.scenarios[0];
    assert_eq!(steps(&scenario.setup), [("log in", None)]);
    assert_eq!(steps(&scenario.teardown), [("log out", None)]);
    assert_eq!(scenario.requests[0].measured.tally.ok, 50);
    assert_eq!(record.plan[0].setup[0].terms[0], "cookies = \"setup\"");
    let shown = text(&output.stdout);
    assert!(shown.contains("setup and teardown · trial"), "{shown}");
    assert!(shown.contains("log out") && shown.contains("ok"), "{shown}");
    for report in ["report.md", "report.html"] {
        let report = std::fs::read_to_string(bench.run_folder().join(report)).unwrap();
        assert!(report.contains("Setup and teardown") && report.contains("log out"), "{report}");
    }
    assert_nothing_leaks(&bench, &[&output.stdout, &output.stderr]);
}

#[test]
fn sigterm_during_the_load_still_logs_out() {
    let server = LoginServer::start(Quirks::default());
    let bench = bench(&server, 60).with_reports();
    let child = bench.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_intervals(&bench, 2);
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert_eq!((server.count("POST /login 200"), server.count("POST /logout 204")), (1, 1));
    let record = bench.record();
    assert_eq!(record.measurement.ending, RunEnding::Interrupted);
    assert_eq!(steps(&record.measurement.scenarios[0].teardown), [("log out", None)]);
    assert_nothing_leaks(&bench, &[&output.stdout, &output.stderr]);
}

#[test]
fn a_refused_login_measures_nothing_and_fails_with_the_name_of_the_step() {
    let server = LoginServer::start(Quirks { refuses_login: true, ..Quirks::default() });
    let bench = bench(&server, 1).with_reports();
    let output = bench.run();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert_eq!((server.count("POST /login 401"), server.count("GET /page 401")), (1, 0));
    let record = bench.record();
    assert_eq!(record.measurement.ending, RunEnding::SetupFailed("trial".to_owned()));
    assert_eq!(record.verdict.decision, Decision::Fail);
    let shown = words(&output.stdout);
    let reason = "setup step `log in` failed, so nothing was measured: unexpected status, 401";
    assert_eq!(shown.matches(reason).count(), 1, "{shown}");
    // Nothing was captured, so there is nothing to log out of.
    assert!(!shown.contains("WARN"), "{shown}");
    assert!(shown.contains("report.md run.json"), "files that were not written: {shown}");
}

#[test]
fn a_setup_without_its_variable_is_inconclusive_and_sends_nothing() {
    let server = LoginServer::start(Quirks::default());
    let bench = bench(&server, 1);
    let scenario = std::fs::read_to_string(&bench.scenario).unwrap();
    let needs = "when_unconfigured = \"report\"\nbody_json = { password = \"${NOT_SET}\" }";
    let body = scenario.lines().find(|line| line.starts_with("body_json")).unwrap();
    std::fs::write(&bench.scenario, scenario.replace(body, needs)).unwrap();
    let output = bench.run();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(server.answered.lock().unwrap().is_empty());
    let shown = words(&output.stdout);
    let reason = "setup step `log in` could not run, so nothing was measured: not configured, \
                  variable `NOT_SET` is not set";
    assert!(shown.contains(reason), "{shown}");
}

#[test]
fn a_failed_logout_is_a_warning_and_does_not_change_the_verdict() {
    let server = LoginServer::start(Quirks { refuses_logout: true, ..Quirks::default() });
    let bench = bench(&server, 1).with_reports();
    let output = bench.run();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let warnings = &bench.record().verdict.scenarios[0].warnings;
    assert_eq!(
        warnings[0].what,
        "teardown step `log out`: unexpected status, 500 Internal Server Error instead of status = 2xx"
    );
    assert!(text(&output.stdout).contains("WARN"));
    let report = std::fs::read_to_string(bench.run_folder().join("report.md")).unwrap();
    assert!(report.contains("teardown step `log out`"), "{report}");
}

#[test]
fn what_the_target_echoes_of_token_and_cookie_reaches_no_file() {
    let server = LoginServer::start(Quirks { echoes: true, ..Quirks::default() });
    let bench = bench(&server, 1).with_reports();
    let output = bench.command().args(["--log-format", "pino"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert_eq!(server.count("GET /page 302"), 52);
    assert_nothing_leaks(&bench, &[&output.stdout, &output.stderr]);
    let evidence = format!("{:?}", bench.record().measurement);
    assert!(evidence.contains("/x/•••/•••"), "{evidence}");
}

#[test]
fn each_repetition_sets_up_and_tears_down_anew() {
    let server = LoginServer::start(Quirks::default());
    let bench = bench(&server, 1);
    let output = bench.command().args(["--every", "2s", "--times", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!((server.count("POST /login 200"), server.count("POST /logout 204")), (2, 2));
}

#[test]
fn check_names_the_steps_that_run_once() {
    let server = LoginServer::start(Quirks::default());
    let bench = bench(&server, 1);
    let output = tollgate().arg("check").arg(&bench.scenario).output().unwrap();
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(shown.contains("setup, once: `log in`"), "{shown}");
    assert!(shown.contains("teardown, once: `log out`"), "{shown}");
    assert!(server.answered.lock().unwrap().is_empty());
}
