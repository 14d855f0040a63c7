//! The real program against real sockets: exit codes, output, files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use tollgate::record::{Decision, Ending, RunRecord};

/// The rehearsal target as a process of its own, ended when dropped.
struct Target {
    child: Child,
    base_url: String,
}

impl Target {
    fn start(flags: &[&str]) -> Self {
        let mut child = tollgate()
            .args(["target", "--token", "known"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base_url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, base_url }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A folder with one scenario file and room for runs.
struct Bench {
    folder: TempDir,
    scenario: PathBuf,
}

impl Bench {
    /// A scenario against `base_url`; `rest` is appended, `top` stands before the tables.
    fn new(base_url: &str, top: &str, rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scenario = folder.path().join("scenario.toml");
        let text = format!(
            "name = \"trial\"\n{top}\n[target]\nbase_url = \"{base_url}\"\ntimeout = \"2s\"\n\
             [headers]\nUser-Agent = \"Shopify POS/HotDashSyntheticCheck\"\n{rest}\n"
        );
        std::fs::write(&scenario, text).unwrap();
        Self { folder, scenario }
    }

    fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    fn command(&self) -> Command {
        let mut command = tollgate();
        command.arg("run").arg(&self.scenario).arg("--runs-dir").arg(self.runs());
        command
    }

    fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    /// The only run folder there is.
    fn run_folder(&self) -> PathBuf {
        let mut folders = std::fs::read_dir(self.runs()).unwrap().map(|entry| entry.unwrap().path());
        let folder = folders.next().unwrap();
        assert!(folders.next().is_none());
        folder
    }

    fn record(&self) -> RunRecord {
        serde_json::from_slice(&std::fs::read(self.run_folder().join("run.json")).unwrap()).unwrap()
    }
}

fn tollgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    for name in
        ["TOLLGATE_TARGET", "SYNTHETIC_CHECK_TOKEN", "TOLLGATE_RUNS_DIR", "TOLLGATE_OUTPUT", "TOLLGATE_QUIET"]
    {
        command.env_remove(name);
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const PLAIN: &str = "[[request]]\nname = \"plain\"\npath = \"/plain\"\n\
                     [load]\narrival_rate = \"100/s\"\nduration = \"1s\"\nconnections = 4\n";

#[test]
fn a_target_within_its_budget_passes_and_the_run_is_kept() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("PASS"), "{}", text(&output.stdout));
    for file in ["run.json", "intervals.jsonl", "intervals.hlog", "report.html", "report.md"] {
        assert!(bench.run_folder().join(file).metadata().unwrap().len() > 0, "{file}");
    }
    assert!(!bench.run_folder().join("run.partial.json").exists());
    let record = bench.record();
    assert_eq!(record.measurement.ending, Ending::Complete);
    assert_eq!(record.measurement.scenarios[0].requests[0].measured.tally.ok, 100);
}

#[test]
fn too_few_requests_are_inconclusive() {
    let target = Target::start(&[]);
    let rest = PLAIN.replace("100/s", "20/s");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", &rest);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("INCONCLUSIVE"));
}

#[test]
fn a_slow_target_fails() {
    let target = Target::start(&["--mock-latency", "constant:60ms"]);
    let rest = PLAIN.replace("/plain", "/app?mock=1");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 50ms\"]", &rest);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("FAIL"));
}

#[test]
fn a_live_page_behind_a_login_is_reported_as_exactly_that() {
    let target = Target::start(&["--auth", "today"]);
    let rest = PLAIN.replace("/plain", "/app?mock=0");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", &rest);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("302 redirect to /auth/login"), "{}", text(&output.stdout));
}

#[test]
fn a_target_that_is_down_fails_and_the_run_stops_early() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rest = PLAIN.replace("\"1s\"", "\"300s\"");
    let bench = Bench::new(&format!("http://{closed}"), "budgets = [\"p95 < 1s\"]", &rest);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("connection refused"), "{}", text(&output.stdout));
    assert!(matches!(bench.record().measurement.ending, Ending::TargetDown(_)));
}

#[test]
fn a_wrong_scenario_is_refused_with_its_place_and_nothing_is_written() {
    let bench = Bench::new("http://127.0.0.1:1", "budgets = [\"p999 < 1s\"]", PLAIN);
    let output = bench.run();
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("scenario.toml:2:") && message.contains("p99.9"), "{message}");
    assert!(!bench.runs().exists());
}

#[test]
fn a_missing_variable_is_an_error_on_run_and_a_warning_on_check() {
    let bench = Bench::new("${TOLLGATE_TARGET}", "budgets = [\"p95 < 1s\"]", PLAIN);
    let run = bench.run();
    assert_eq!(run.status.code(), Some(2));
    assert!(text(&run.stderr).contains("TOLLGATE_TARGET"), "{}", text(&run.stderr));
    let check = tollgate().arg("check").arg(&bench.scenario).output().unwrap();
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
    assert!(text(&check.stderr).contains("TOLLGATE_TARGET"));
}

#[test]
fn json_output_is_the_run_record_alone() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    let output = bench.command().args(["--output", "json"]).output().unwrap();
    let record: RunRecord = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record, bench.record());
    assert_eq!(record.verdict.decision, Decision::Pass);
    assert!(text(&output.stderr).contains("PASS"));
}

#[test]
fn results_that_cannot_be_kept_end_with_4_before_anything_is_sent() {
    let bench = Bench::new("http://127.0.0.1:1", "budgets = [\"p95 < 1s\"]", PLAIN);
    std::fs::write(bench.runs(), "a file where a folder should be").unwrap();
    let output = bench.run();
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("cannot write"), "{}", text(&output.stderr));
}

#[test]
fn results_that_cannot_be_printed_end_with_4_though_they_are_kept() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    let full = std::fs::File::options().write(true).open("/dev/full");
    let Ok(full) = full else { return };
    let status =
        bench.command().args(["--output", "json"]).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(4));
    assert_eq!(bench.record().verdict.decision, Decision::Pass);
}

#[test]
fn heavy_load_on_a_foreign_host_must_be_asked_for() {
    let closed = PLAIN.replace("arrival_rate = \"100/s\"\n", "");
    let warm = format!("{PLAIN}[warmup]\nconnections = 4\nrequests = 101\n");
    for rest in [&PLAIN.replace("100/s", "101/s"), &closed, &warm] {
        let bench = Bench::new("http://192.0.2.1", "budgets = [\"p95 < 1s\"]", rest);
        let output = bench.run();
        assert_eq!(output.status.code(), Some(2), "{rest}");
        assert!(text(&output.stderr).contains("--yes-load-this-host"), "{}", text(&output.stderr));
        assert!(!bench.runs().exists());
    }
}

#[test]
fn too_few_file_descriptors_are_said_before_the_run_and_not_blamed_on_the_target() {
    let rest = PLAIN.replace("connections = 4", "connections = 200");
    let bench = Bench::new("http://127.0.0.1:1", "budgets = [\"p95 < 1s\"]", &rest);
    let limited =
        format!("ulimit -n 100 && exec {} run {}", env!("CARGO_BIN_EXE_tollgate"), bench.scenario.display());
    let output = Command::new("sh").args(["-c", &limited]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("ulimit -n 264"), "{}", text(&output.stderr));
}

#[test]
fn usage_errors_end_with_2_and_help_with_0() {
    let code = |words: &[&str]| tollgate().args(words).output().unwrap().status.code();
    assert_eq!(code(&["run"]), Some(2));
    assert_eq!(code(&["run", "--no-such-flag", "x"]), Some(2));
    assert_eq!(code(&["run", "no-such-file.toml"]), Some(2));
    assert_eq!(code(&["show", "no-such-folder"]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["run", "--help"]), Some(0));
}

#[test]
fn sigterm_drains_keeps_what_was_measured_and_is_inconclusive() {
    let target = Target::start(&[]);
    let rest = PLAIN.replace("\"1s\"", "\"60s\"");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", &rest);
    let child = bench.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_intervals(&bench, 2);
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    let record = bench.record();
    assert_eq!(record.measurement.ending, Ending::Interrupted);
    let scenario = &record.measurement.scenarios[0];
    assert_eq!(scenario.requests[0].measured.tally.ok, scenario.released);
}

#[test]
fn a_killed_run_is_recognised_and_shown_as_far_as_it_went() {
    let target = Target::start(&[]);
    let rest = PLAIN.replace("\"1s\"", "\"60s\"");
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", &rest);
    let mut child = bench.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_intervals(&bench, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(bench.run_folder().join("run.partial.json").exists());

    let show = tollgate().arg("show").arg(bench.run_folder()).output().unwrap();
    assert_eq!(show.status.code(), Some(3), "{}", text(&show.stderr));
    assert!(text(&show.stderr).contains("cut off"));
    let record = bench.record();
    assert_eq!(record.measurement.ending, Ending::Recovered);
    assert!(record.measurement.scenarios[0].requests[0].measured.tally.ok >= 100);
}

#[test]
fn a_run_is_shown_again_with_the_same_figures() {
    let target = Target::start(&[]);
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    let run = bench.run();
    let before = std::fs::read_to_string(bench.run_folder().join("report.html")).unwrap();
    let show = tollgate().arg("show").arg(bench.run_folder()).output().unwrap();
    assert_eq!(show.status.code(), Some(0));
    assert_eq!(text(&show.stdout), text(&run.stdout));
    assert_eq!(std::fs::read_to_string(bench.run_folder().join("report.html")).unwrap(), before);
}

#[test]
fn a_secret_never_reaches_a_file_or_a_message() {
    const CANARY: &str = "Zebra/7f3a9c51";
    let echo = echoing_server();
    let rest = r#"X-Token = "${CANARY_TOKEN}"
        [[request]]
        name = "page"
        path = "/x?key=${CANARY_TOKEN}"
        expect = { headers = { x-echo = "other" } }
        [[request]]
        name = "redirect"
        path = "/redirect"
        [load]
        arrival_rate = "20/s"
        duration = "1s"
        connections = 1"#;
    let bench = Bench::new(&echo, "budgets = [\"p95 < 1s\"]", rest);
    for flags in [&[][..], &["--output", "json"]] {
        let output = bench.command().args(flags).env("CANARY_TOKEN", CANARY).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(!tells(&output.stdout), "{}", text(&output.stdout));
        assert!(!tells(&output.stderr), "{}", text(&output.stderr));
    }
    for folder in std::fs::read_dir(bench.runs()).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            assert!(!tells(&std::fs::read(&path).unwrap()), "{}", path.display());
        }
    }
}

/// Whether bytes hold either half of the canary, in whatever case, escaped or not.
fn tells(bytes: &[u8]) -> bool {
    let text = text(bytes).to_lowercase();
    ["zebra", "7f3a9c5"].iter().any(|half| text.contains(half) || text.contains(&escaped(half)))
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02x}"))
}

/// A server that puts what it is told into its headers and redirects, in one way of writing it after another.
fn echoing_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo_in_turns(stream));
        }
    });
    base_url
}

fn echo_in_turns(mut stream: std::net::TcpStream) -> Option<()> {
    let mut read = BufReader::new(stream.try_clone().ok()?);
    for turn in 0..1_000 {
        let (mut token, mut redirects, mut line) = (String::new(), false, String::new());
        while read.read_line(&mut line).ok()? > 2 {
            if let Some((_, value)) =
                line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("x-token"))
            {
                value.trim().clone_into(&mut token);
            }
            redirects |= line.starts_with("GET /redirect");
            line.clear();
        }
        let written = match turn % 5 {
            0 => token.clone(),
            1 => token.to_uppercase(),
            2 => token.replace('/', "%2f"),
            3 => escaped(&token),
            // Wherever evidence is cut off, the cut goes through the canary in some turn.
            _ => format!("{}{token}", "x".repeat(130 + turn)),
        };
        let head = if redirects {
            format!("302 Found\r\nlocation: http://h/login/{written}?next={token}")
        } else {
            format!("200 OK\r\nx-echo: {written}")
        };
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{token}", token.len());
        stream.write_all(answer.as_bytes()).ok()?;
    }
    None
}

#[test]
fn a_run_over_tls_trusts_the_named_certificate_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let target = Target::start(&["--tls", "--tls-ca-out", ca.to_str().unwrap()]);
    let trusting = format!("[target]\nbase_url = \"{}\"\ntls_ca = \"{}\"", target.base_url, ca.display());
    let mut bench = Bench::new(&target.base_url, "budgets = [\"p95 < 1s\"]", PLAIN);
    let strict = bench.run();
    assert_eq!(strict.status.code(), Some(1), "{}", text(&strict.stdout));
    assert!(text(&strict.stdout).contains("TLS"), "{}", text(&strict.stdout));

    let written = std::fs::read_to_string(&bench.scenario).unwrap();
    let before = format!("[target]\nbase_url = \"{}\"", target.base_url);
    bench.folder = tempfile::tempdir().unwrap();
    bench.scenario = bench.folder.path().join("scenario.toml");
    std::fs::write(&bench.scenario, written.replace(&before, &trusting)).unwrap();
    let trusted = bench.run();
    assert_eq!(trusted.status.code(), Some(0), "{}{}", text(&trusted.stdout), text(&trusted.stderr));
    let protocols = &bench.record().measurement.scenarios[0].protocols;
    assert_eq!(protocols, &["HTTP/1.1 over TLS 1.3"]);
}

#[test]
fn the_demo_passes_and_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let output = tollgate().args(["demo", "--runs-dir"]).arg(folder.path()).output().unwrap();
    let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{all}");
    for word in ["tile-loader-mock", "tile-loader-live", "PASS", "report.html"] {
        assert!(all.contains(word), "{word} in {all}");
    }
    let url = all.split("Rehearsal target: http://").nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(std::net::TcpStream::connect(url).is_err(), "the rehearsal target still listens");
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits until a run has written so many intervals.
fn wait_for_intervals(bench: &Bench, count: usize) {
    for _ in 0..400 {
        let written = if bench.runs().exists() { lines(&bench.runs()) } else { 0 };
        if written >= count {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no {count} intervals within 20 s");
}

fn lines(runs: &Path) -> usize {
    let folders = std::fs::read_dir(runs).unwrap().flatten();
    let mut text = String::new();
    for folder in folders {
        if let Ok(mut file) = std::fs::File::open(folder.path().join("intervals.jsonl")) {
            let _torn = file.read_to_string(&mut text);
        }
    }
    text.lines().count()
}
