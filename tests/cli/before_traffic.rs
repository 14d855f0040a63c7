//! The recipes of docs/fly.md: a check of every deploy, and `deploy/fly/warm-gate-uncordon.sh`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::{Target, signal, text, tollgate};

const DOCUMENT: &str = include_str!("../../docs/fly.md");

/// Opens the rehearsal, and must appear nowhere.
const TOKEN: &str = "fm2_canary0token";

/// An app whose pages take 100 ms from the first one on.
const STEADY: &str = "latency = \"lognormal:1s,0.05\"\nwarming = 0";

/// The code blocks of a language in the document.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after = DOCUMENT.split(&fence).skip(1);
    after.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn block_with(language: &str, part: &str) -> String {
    blocks(language).into_iter().find(|block| block.contains(part)).unwrap()
}

/// Replaces parts of a text that must be in it.
fn replaced(text: String, parts: &[(&str, &str)]) -> String {
    parts.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "{old} in {text}");
        text.replace(old, new)
    })
}

/// The documented scenario for an app at this port.
fn documented_scenario(port: &str) -> String {
    let port = format!("]:{port}");
    replaced(block_with("toml", "FLY_TEST_MACHINE_IP"), &[("]:3000", &port)])
}

/// What makes the scenario short, the same number of blocks in a tenth of the time, and leaves room
/// for a busy machine.
const SHORT: [(&str, &str); 5] = [
    ("duration = \"45s\"", "duration = \"4500ms\""),
    ("\"5/s\"", "\"20/s\""),
    ("stalls = \"500ms\"", "stalls = \"50ms\""),
    ("connections = 4", "connections = 64"),
    ("p90 < 300ms", "p90 < 1s"),
];

fn port(base_url: &str) -> &str {
    base_url.rsplit(':').next().unwrap()
}

/// The documented command of the check, in a folder with the scenario.
fn check_command(folder: &Path, scenario: &str) -> Command {
    std::fs::write(folder.join("before-traffic.toml"), scenario).unwrap();
    let fly: toml::Table = toml::from_str(&block_with("toml", "machine_checks")).unwrap();
    let words = fly["http_service"]["machine_checks"][0]["command"].as_array().unwrap();
    let mut command = tollgate();
    command.args(words.iter().map(|word| word.as_str().unwrap()));
    command.current_dir(folder).env("FLY_TEST_MACHINE_IP", "::1");
    command
}

#[test]
fn the_documented_check_passes_a_fast_machine_and_fails_a_slow_one() {
    for (latency, code) in [("constant:20ms", 0), ("constant:2s", 1)] {
        let target = Target::start(&["--listen", "[::1]:0", "--mock-latency", latency]);
        let folder = tempfile::tempdir().unwrap();
        let scenario = documented_scenario(port(&target.base_url));
        let scenario = replaced(scenario, &SHORT);
        let output = check_command(folder.path(), &scenario).output().unwrap();
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{shown}");
    }
}

#[test]
fn the_documented_check_ends_within_its_kill_timeout_and_stops_the_deploy() {
    let fly: toml::Table = toml::from_str(&block_with("toml", "machine_checks")).unwrap();
    let check = &fly["http_service"]["machine_checks"][0];
    let seconds = check["kill_timeout"].as_str().unwrap().strip_suffix('s').unwrap();
    let kill_timeout = Duration::from_secs(seconds.parse().unwrap());
    let name = check["kill_signal"].as_str().unwrap().strip_prefix("SIG").unwrap();
    // Requests are on their way whenever the signal comes.
    let target = Target::start(&["--listen", "[::1]:0", "--mock-latency", "constant:900ms"]);
    let folder = tempfile::tempdir().unwrap();
    let scenario = documented_scenario(port(&target.base_url));
    let scenario = replaced(scenario, &[("p90 < 300ms", "p90 < 5s")]);
    let mut child = check_command(folder.path(), &scenario).spawn().unwrap();
    let begun = || {
        folder.path().join("reports/runs").read_dir().is_ok_and(|mut runs| {
            runs.any(|run| run.unwrap().path().join("intervals.jsonl").exists())
        })
    };
    wait_until("a run has begun", Duration::from_secs(30), begun);
    signal(&child, name);
    wait_until("the run has ended", kill_timeout, || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let pause = Duration::from_millis(50);
    let looks = limit.as_millis() / pause.as_millis();
    let is_reached = (0..looks).any(|_| {
        let reached = is_so();
        if !reached {
            std::thread::sleep(pause);
        }
        reached
    });
    assert!(is_reached, "{what} within {limit:?}");
}

/// A rehearsal of Fly, and a folder with the files of the script.
struct Rehearsal {
    target: Target,
    folder: TempDir,
}

impl Rehearsal {
    /// One machine runs, ten times as fast as a real one. `work` says what its app is like.
    fn start(work: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = format!(
            "token = \"{TOKEN}\"\nscale = 10.0\n\
             [work]\nrequest_cpu = \"0ms\"\ncache_cost = \"0ms\"\n{work}\n\
             [[effect]]\nenv = {{ SLOW = \"1\" }}\nlatency = \"20s\"\n"
        );
        std::fs::write(folder.path().join("fly.toml"), file).unwrap();
        let path = folder.path().join("fly.toml");
        let target = Target::start(&["--fly", path.to_str().unwrap()]);
        let rehearsal = Self { target, folder };
        let scenario = documented_scenario(port(&rehearsal.target.base_url));
        rehearsal.write("before-traffic.toml", &replaced(scenario, &SHORT));
        rehearsal.write_machine(&json!({}));
        rehearsal.write_tools();
        rehearsal
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// The body of Create Machine: the running machine's configuration with other variables.
    fn write_machine(&self, env: &Value) {
        let mut config = self.machines()[0]["config"].clone();
        config["env"] = env.clone();
        let body = json!({"region": "ord", "config": config, "skip_service_registration": true});
        self.write("new-machine.json", &serde_json::to_string_pretty(&body).unwrap());
    }

    /// Programs that write down how they were called, before the real ones.
    fn write_tools(&self) {
        let program = tollgate().get_program().to_str().unwrap().to_owned();
        for (name, real) in [("curl", "/usr/bin/curl"), ("tollgate", &program)] {
            let log = self.folder.path().join("calls").display().to_string();
            let script =
                format!("#!/bin/sh\n{{ echo {name} \"$*\"; env; }} >>{log}\nexec {real} \"$@\"\n");
            let path = self.write(name, &script);
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
        }
    }

    fn script(&self, words: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/fly/warm-gate-uncordon.sh");
        let search = std::env::var("PATH").unwrap();
        let mut command = Command::new(script);
        command
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{search}", self.folder.path().display()))
            .env("FLY_API_TOKEN", TOKEN)
            .env("FLY_FLAPS_BASE_URL", &self.target.base_url)
            .env("WARM_FLAGS", "--rate=20/s")
            .args(["--app", "rehearsal"])
            .args(words)
            .args(["before-traffic.toml", "--store", "none"])
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        let output = self.script(words).output().unwrap();
        self.assert_token_is_secret(&output.stdout, &output.stderr);
        output
    }

    fn assert_token_is_secret(&self, stdout: &[u8], stderr: &[u8]) {
        let everything = text(stdout) + &text(stderr) + &self.read("calls");
        assert!(!everything.contains(TOKEN), "{everything}");
        assert!(self.read("calls").contains("curl -q"), "the calls were written down");
    }

    fn get(&self, path: &str, headers: &str) -> (u16, String) {
        let host = self.target.base_url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        stream.write_all(format!("{head}{headers}\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The app's machines, the oldest first.
    fn machines(&self) -> Vec<Value> {
        let headers = format!("authorization: Bearer {TOKEN}\r\n");
        let (status, body) = self.get("/v1/apps/rehearsal/machines", &headers);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Whether Fly's proxy sends requests to the machine.
    fn has_traffic(&self, machine: &Value) -> bool {
        let id = machine["id"].as_str().unwrap();
        self.get("/app?mock=1", &format!("fly-force-instance-id: {id}\r\n")).0 == 200
    }
}

#[test]
fn a_new_machine_that_passes_gets_traffic_and_none_before() {
    let fly = Rehearsal::start(STEADY);
    let output = fly.run(&["--create", "new-machine.json"]);
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{shown}{said}");
    let machines = fly.machines();
    assert_eq!(machines.len(), 2);
    assert!(machines[1]["private_ip"].as_str().unwrap().starts_with("::ffff:127.6.0.2"));
    assert!(fly.has_traffic(&machines[1]), "{said}");
    let calls = fly.read("calls");
    let order = ["tollgate warm --rate=20/s", "tollgate run before-traffic.toml", "/uncordon"];
    let places = order.map(|call| calls.find(call).unwrap());
    assert!(places.is_sorted(), "{calls}");
    assert!(said.contains("passed, and gets traffic now"), "{said}");
}

#[test]
fn a_machine_that_is_too_slow_gets_no_traffic_and_is_removed_if_wished() {
    let fly = Rehearsal::start(STEADY);
    fly.write_machine(&json!({"SLOW": "1"}));
    for (flags, left) in [(&["--destroy"][..], 1), (&[], 2)] {
        let output = fly.run(&[flags, &["--create", "new-machine.json"]].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}{said}", text(&output.stdout));
        assert!(said.contains("does not pass the gate"), "{said}");
        let machines = fly.machines();
        assert_eq!(machines.len(), left, "{said}");
        assert!(fly.has_traffic(&machines[0]));
        if let Some(new) = machines.get(1) {
            assert!(!fly.has_traffic(new));
            let remedy = format!("fly machine destroy --force {}", new["id"].as_str().unwrap());
            assert!(said.contains(&remedy), "{said}");
        }
    }
}

#[test]
fn a_machine_that_does_not_become_steady_is_not_gated() {
    let fly =
        Rehearsal::start("latency = \"lognormal:50ms,0.05\"\nwarming = 200\nwarming_factor = 40.0");
    let mut script = fly.script(&["--create", "new-machine.json"]);
    let output = script.env("WARM_FLAGS", "--rate=40/s --limit=3s").output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{}{said}", text(&output.stdout));
    assert!(said.contains("is not warm") && said.contains("fly machine destroy"), "{said}");
    assert!(!fly.has_traffic(&fly.machines()[1]));
    assert!(!fly.read("calls").contains("tollgate run"));
}

#[test]
fn an_interruption_while_warming_or_gating_leaves_the_machine_without_traffic() {
    let fly = Rehearsal::start(STEADY);
    for (number, (moment, name)) in
        [("warming machine", "TERM"), ("gating machine", "INT")].into_iter().enumerate()
    {
        let mut child = fly.script(&["--create", "new-machine.json"]);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = read_until(&mut child, moment);
        signal(&child, name);
        let mut messages = child.stderr.take().unwrap();
        messages.read_to_string(&mut said).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}{said}", text(&output.stdout));
        assert!(said.contains("interrupted") && said.contains("fly machine destroy"), "{said}");
        assert!(!fly.has_traffic(&fly.machines()[number + 1]), "{said}");
    }
}

/// Reads the child's messages byte by byte up to `part`, so that the rest can be read later.
fn read_until(child: &mut Child, part: &str) -> String {
    let mut said = Vec::new();
    let mut reader = BufReader::with_capacity(1, child.stderr.as_mut().unwrap());
    while !text(&said).contains(part) {
        assert_ne!(reader.read_until(b'\n', &mut said).unwrap(), 0, "{}", text(&said));
    }
    text(&said)
}

#[test]
fn a_machine_that_may_have_traffic_is_left_alone() {
    let fly = Rehearsal::start(STEADY);
    let machine = fly.machines()[0].clone();
    let id = machine["id"].as_str().unwrap();
    let output = fly.run(&["--machine", id, "--destroy"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is not cordoned"), "{}", text(&output.stderr));
    assert!(fly.has_traffic(&machine));
    let body = fly.read("new-machine.json").replace("true", "false");
    fly.write("new-machine.json", &body);
    let output = fly.run(&["--create", "new-machine.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("would get traffic"), "{}", text(&output.stderr));
    assert_eq!(fly.machines().len(), 1);
}

#[test]
fn a_refused_token_or_address_is_a_mistake_of_usage() {
    let fly = Rehearsal::start(STEADY);
    for (name, value, says) in [
        ("FLY_API_TOKEN", "another", "401"),
        ("FLY_API_TOKEN", "a\nb", "line break"),
        ("FLY_FLAPS_BASE_URL", "http://fly.example", "unencrypted"),
        ("FLY_FLAPS_BASE_URL", "http://fly.example/.internal", "unencrypted"),
    ] {
        let mut script = fly.script(&["--create", "new-machine.json"]);
        let output = script.env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{says}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
    }
    assert_eq!(fly.machines().len(), 1);
}
