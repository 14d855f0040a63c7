//! `[alert]`: one message when runs keep failing, and one when they hold again.

use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::bench::{Bench, read_request, text, wait_until, words};
use crate::closed_port::ClosedPort;
use crate::status_server::StatusServer;

const STEP: &str = "[[request]]\nname = \"page\"\npath = \"/\"\nwhen_absent = \"report\"\n";
const CANARY: &str = "Zebra7f3a9c51";

/// A web service that keeps what is posted to it, and answers with a status that a test changes, or
/// never while that is [`SILENT`].
struct Webhook {
    url: String,
    status: Arc<AtomicU16>,
    received: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Webhook {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let hook = Self {
            url: format!("{origin}/services/T0123/{CANARY}?key={CANARY}"),
            status: Arc::new(AtomicU16::new(200)),
            received: Arc::default(),
        };
        let (status, received) = (Arc::clone(&hook.status), Arc::clone(&hook.received));
        std::thread::spawn(move || {
            let mut unanswered = Vec::new();
            for mut stream in listener.incoming().flatten() {
                let mut read = BufReader::new(stream.try_clone().unwrap());
                let Some((head, body)) = read_request(&mut read) else { continue };
                // As a proxy it also gets the request to the target, which fails.
                let is_post = head.starts_with("POST ");
                let status = if is_post { status.load(Ordering::SeqCst) } else { 500 };
                let message = serde_json::from_slice(&body).unwrap_or_default();
                if is_post {
                    received.lock().unwrap().push((head, message));
                }
                if status == SILENT {
                    unanswered.push(stream);
                    continue;
                }
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nlocation: {origin}/elsewhere\r\n\
                     retry-after: 30\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _gone = stream.write_all(answer.as_bytes());
            }
        });
        hook
    }

    fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    fn last(&self) -> (String, Value) {
        self.received.lock().unwrap().last().unwrap().clone()
    }
}

/// The status of a webhook that does not answer.
const SILENT: u16 = 0;

/// A scenario whose verdict the target's status decides: 200 passes, 500 fails, 404 is
/// inconclusive.
struct AlertBench {
    bench: Bench,
    target: StatusServer,
}

impl AlertBench {
    fn new(alert: &str) -> Self {
        let target = StatusServer::start();
        let rest = format!("{STEP}[alert]\n{alert}\n");
        Self { bench: Bench::new(&target.base_url, "budgets = [\"errors = 0\"]", &rest), target }
    }

    fn command(&self, status: u16, hook: &str) -> Command {
        self.target.set(status);
        let mut command = self.bench.command();
        command.env("SLACK_WEBHOOK", hook);
        command
    }

    fn run(&self, status: u16, hook: &str) -> Output {
        let output = self.command(status, hook).output().unwrap();
        let exit = match status {
            200 => 0,
            500 => 1,
            _ => 3,
        };
        assert_eq!(output.status.code(), Some(exit), "{}", text(&output.stderr));
        assert_no_canary(&output);
        output
    }
}

fn assert_no_canary(output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        assert!(!text(bytes).contains(CANARY), "{}", text(bytes));
    }
}

/// Whether no file below a folder holds the canary.
fn has_no_canary(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().all(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return has_no_canary(&path);
        }
        !text(&std::fs::read(path).unwrap()).contains(CANARY)
    })
}

const TO_SLACK: &str = "after = \"2 of 2\"\nwebhook = \"${SLACK_WEBHOOK}\"";

#[test]
fn one_message_says_that_runs_fail_and_one_that_they_hold_again() {
    let (bench, hook) = (AlertBench::new(TO_SLACK), Webhook::start());
    for (status, sent) in [(500, 0), (404, 0), (500, 1), (500, 1), (404, 1), (200, 2), (200, 2)] {
        bench.run(status, &hook.url);
        assert_eq!(hook.count(), sent, "after {status}");
        if (status, sent) == (500, 1) {
            let (head, body) = hook.last();
            assert!(head.starts_with("POST /services/T0123/"), "{head}");
            assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
            let said = body["text"].as_str().unwrap();
            assert!(said.starts_with("trial is failing: 2 of the latest 2 runs failed."), "{said}");
            assert_eq!(body.as_object().unwrap().len(), 1);
        }
    }
    let (_, body) = hook.last();
    assert!(body["text"].as_str().unwrap().starts_with("trial holds again: "), "{body}");
    assert!(has_no_canary(&bench.bench.runs()));
}

#[test]
fn environments_have_alerts_of_their_own() {
    let (bench, hook) = (AlertBench::new(TO_SLACK), Webhook::start());
    for (environment, sent) in [("staging", 0), ("live", 0), ("staging", 1), ("live", 2)] {
        let mut command = bench.command(500, &hook.url);
        let output = command.args(["--environment", environment]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert_eq!(hook.count(), sent, "{environment}");
    }
    assert!(hook.last().1["text"].as_str().unwrap().starts_with("trial in live is failing"));
}

#[test]
fn a_webhook_that_fails_is_a_warning_and_the_next_run_tries_again() {
    let (bench, hook) = (AlertBench::new(TO_SLACK), Webhook::start());
    bench.run(500, &hook.url);
    let closed = ClosedPort::new();
    for (url, status, why) in [
        (format!("http://{closed}/{CANARY}"), 200, "the webhook: "),
        (hook.url.clone(), 500, "the webhook answered 500"),
        (hook.url.clone(), 302, "answered 302, and a redirect is not followed"),
        (hook.url.clone(), 429, "the webhook answered 429, and asks to wait 30 s"),
    ] {
        hook.status.store(status, Ordering::SeqCst);
        let said = words(&bench.run(500, &url).stderr);
        assert!(
            said.contains("WARNING: the alert about trial was not sent: ") && said.contains(why),
            "{said}"
        );
        assert!(said.contains("the next run tries again"), "{said}");
    }
    assert_eq!(hook.count(), 3, "one message for each run");
    hook.status.store(204, Ordering::SeqCst);
    bench.run(500, &hook.url);
    bench.run(500, &hook.url);
    assert_eq!(hook.count(), 4);
    assert!(has_no_canary(&bench.bench.runs()));
    assert!(hook.received.lock().unwrap().iter().all(|(head, _)| head.contains("/services/")));
}

#[test]
fn a_prober_that_is_killed_while_it_sends_leaves_the_message_to_a_later_run() {
    let (bench, hook) = (AlertBench::new(TO_SLACK), Webhook::start());
    bench.run(500, &hook.url);
    hook.status.store(SILENT, Ordering::SeqCst);
    let mut killed = bench.command(500, &hook.url).stderr(Stdio::null()).spawn().unwrap();
    wait_until("a message", || {
        assert_eq!(killed.try_wait().unwrap(), None, "the run ended before it sent");
        hook.count() > 0
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    hook.status.store(200, Ordering::SeqCst);
    let said = text(&bench.run(500, &hook.url).stderr);
    assert_eq!(hook.count(), 1, "the killed run may still send: {said}");
    end_claims(&bench.bench.runs().join(".alerts.json"));
    bench.run(500, &hook.url);
    bench.run(500, &hook.url);
    assert_eq!(hook.count(), 2);
}

/// Lets the right to send end, as it does a minute after it was claimed.
fn end_claims(states: &Path) {
    let mut file: Value = serde_json::from_slice(&std::fs::read(states).unwrap()).unwrap();
    let claim = &mut file["alerts"][0]["state"]["claim"];
    assert!(claim.is_object(), "{claim}");
    claim["until"] = Value::from("2026-01-01T00:00:00Z");
    std::fs::write(states, file.to_string()).unwrap();
}

#[test]
fn scenarios_of_one_run_each_send_their_own_message() {
    let (bench, hook) =
        (AlertBench::new("after = \"1 of 1\"\nwebhook = \"${SLACK_WEBHOOK}\""), Webhook::start());
    let other = bench.bench.scenario.with_file_name("other.toml");
    let scenario = std::fs::read_to_string(&bench.bench.scenario).unwrap();
    std::fs::write(&other, scenario.replace("name = \"trial\"", "name = \"other\"")).unwrap();
    let output = bench.command(500, &hook.url).arg(&other).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let received = hook.received.lock().unwrap();
    let said = received.iter().map(|(_, body)| body["text"].as_str().unwrap());
    let named: Vec<&str> = said.filter_map(|said| said.split(' ').next()).collect();
    assert_eq!(named, ["trial", "other"]);
}

#[test]
fn a_message_goes_through_the_proxy_of_the_run() {
    let (bench, proxy) = (AlertBench::new(TO_SLACK), Webhook::start());
    let scenario = std::fs::read_to_string(&bench.bench.scenario).unwrap();
    let origin = proxy.url.split("/services").next().unwrap();
    let through = format!("[target]\nproxy = \"{origin}\"\n");
    std::fs::write(&bench.bench.scenario, scenario.replace("[target]\n", &through)).unwrap();
    for _ in 0..2 {
        bench.run(500, &format!("http://hooks.example/{CANARY}"));
    }
    let (head, _) = proxy.last();
    assert!(head.starts_with(&format!("POST http://hooks.example/{CANARY} ")), "{head}");
}

#[test]
fn a_command_gets_every_fact_on_stdin() {
    let bench = AlertBench::new("after = \"1 of 1\"\ncommand = [\"./page.sh\", \"a b\"]");
    let folder = bench.bench.folder.path();
    let script = folder.join("page.sh");
    let keep = format!("#!/bin/sh\ncat > '{0}/message.json'\necho \"$1\"\n", folder.display());
    std::fs::write(&script, keep).unwrap();
    let mut command = Command::new("chmod");
    assert!(command.arg("+x").arg(&script).status().unwrap().success());
    let output = bench.run(500, "");
    let message = std::fs::read(folder.join("message.json")).unwrap_or_else(|error| {
        panic!("{error}: {}", text(&output.stderr));
    });
    let message: Value = serde_json::from_slice(&message).unwrap();
    for (field, value) in
        [("event", "failing"), ("scenario", "trial"), ("rule", "1 of 1"), ("verdict", "fail")]
    {
        assert_eq!(message[field], value, "{message}");
    }
    assert!(message["reason"].as_str().unwrap().contains("errors = 0"), "{message}");
    std::fs::write(&script, "#!/bin/sh\nexit 3\n").unwrap();
    let said = words(&bench.run(200, "").stderr);
    assert!(said.contains("page.sh` failed (exit status: 3); the next run tries again"), "{said}");
}

#[test]
fn repeated_runs_send_after_the_tick_that_makes_it_due() {
    let (bench, hook) = (AlertBench::new(TO_SLACK), Webhook::start());
    let mut command = bench.command(500, &hook.url);
    let output = command.args(["--every", "1s", "--times", "3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(hook.count(), 1, "{}", text(&output.stderr));
}

#[test]
fn check_shows_the_alert_without_its_url() {
    let bench = AlertBench::new(TO_SLACK);
    let mut check = crate::bench::tollgate();
    let check = check.arg("check").arg(&bench.bench.scenario);
    let output = check.env("SLACK_WEBHOOK", format!("https://h/{CANARY}")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("alert: after 2 of 2 failing runs, to a webhook, as slack"), "{shown}");
    assert_no_canary(&output);
}
