//! Canaries: a secret reaches no file and no message, in any form that a target may echo.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use crate::bench::{Bench, text, tollgate, tollgate_with_reports};
use crate::closed_port::ClosedPort;
use crate::outputs::code_host::FakeCodeHost;

const CANARY: &str = "Zebra/7f3a9c51";

#[test]
fn a_secret_never_reaches_a_file_or_a_message() {
    let echo = echoing_server();
    let rest = r#"X-Token = "${CANARY_TOKEN}"
        [[request]]
        name = "page"
        path = "/x?key=${CANARY_TOKEN}"
        expect = { headers = { x-echo = "other" } }
        [[request]]
        name = "redirect"
        path = "/redirect"
        [[request]]
        name = "told"
        path = "/told"
        [load]
        arrival_rate = "20/s"
        duration = "1s"
        connections = 1"#;
    let bench = Bench::new(&echo, "budgets = [\"p95 < 1s\"]", rest).with_reports();
    for flags in FORMS {
        let log = bench.folder.path().join("log.md");
        let note = format!("the token was {CANARY}");
        let mut command = bench.command();
        command.args(flags).arg("--evidence").arg(&log).args(["--evidence-note", &note]);
        let output = command.env("CANARY_TOKEN", CANARY).output().unwrap();
        let entries = std::fs::read(&log).unwrap();
        assert!(
            text(&entries).contains("FAIL") && !contains_canary(&entries),
            "{}",
            text(&entries)
        );
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert_no_canary(&output);
    }
    let mut warm = tollgate();
    warm.arg("warm").arg(&bench.scenario).args(["--rate", "40/s", "--limit", "1s"]);
    let warmed = warm.args(["--output", "json"]).env("CANARY_TOKEN", CANARY).output().unwrap();
    assert_eq!(warmed.status.code(), Some(1), "{}", text(&warmed.stderr));
    assert!(text(&warmed.stdout).contains("•••"), "{}", text(&warmed.stdout));
    assert_no_canary(&warmed);
    assert_no_canary_in_files(&bench.runs(), FORMS.len());
    no_canary_in_a_site(&bench);
    for folder in std::fs::read_dir(bench.runs()).unwrap() {
        let log = std::fs::read_to_string(folder.unwrap().path().join("intervals.hlog")).unwrap();
        assert!(log.contains("/told/measured/server-timing:app,"), "{log}");
    }
}

#[test]
fn the_url_of_a_webhook_reaches_no_file_and_no_message_even_if_it_stands_in_the_scenario() {
    let closed = ClosedPort::new();
    let step = "[[request]]\nname = \"page\"\npath = \"/\"";
    let url = format!("http://{closed}/services/{CANARY}?key={CANARY}");
    for written in ["${CANARY_WEBHOOK}", &url] {
        let rest = format!("{step}\n[alert]\nafter = \"1 of 1\"\nwebhook = \"{written}\"");
        let target = format!("http://{closed}");
        let bench = Bench::new(&target, "budgets = [\"errors = 0\"]", &rest).with_reports();
        for flags in FORMS {
            let mut command = bench.command();
            command.args(flags).env("CANARY_WEBHOOK", &url);
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
            assert!(
                text(&output.stderr).contains("the alert about trial was not sent"),
                "{output:?}"
            );
            assert_no_canary(&output);
        }
        assert_no_canary_in_files(&bench.runs(), FORMS.len());
        let mut check = tollgate();
        let check = check.arg("check").arg(&bench.scenario).env("CANARY_WEBHOOK", &url);
        assert_no_canary(&check.output().unwrap());
    }
}

#[test]
fn a_secret_is_in_no_output_for_ci_and_monitoring() {
    let rest = r#"X-Token = "${CANARY_TOKEN}"
        [[request]]
        name = "page"
        path = "/x?key=${CANARY_TOKEN}"
        expect = { headers = { x-echo = "other" } }
        [[request]]
        name = "redirect"
        path = "/redirect""#;
    let bench = Bench::new(&echoing_server(), "budgets = [\"errors = 0\"]", rest).with_reports();
    let host = FakeCodeHost::start(200);
    let folder = bench.folder.path().join("out");
    let token = format!("{CANARY}-of-the-host");
    let header = "Zebra-of-the-collector-7f3a9c51";
    let mut command = bench.command();
    command.arg("--junit").arg(folder.join("a.xml")).arg("--metrics").arg(folder.join("a.txt"));
    command.args(["--ci", "github", "--comment", "--otlp", &host.url]).env("CANARY_TOKEN", CANARY);
    command.args(["--tag", &format!("host={token}"), "--tag", &format!("collector={header}")]);
    let output = command
        .env("GITHUB_STEP_SUMMARY", folder.join("summary.md"))
        .env("GITHUB_REPOSITORY", "shop/app")
        .env("GITHUB_REF", "refs/pull/7/merge")
        .env("GITHUB_TOKEN", &token)
        .env("GITHUB_API_URL", &host.url)
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{header}"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_no_canary(&output);
    assert_no_canary_in_files(&bench.runs(), 1);
    for name in ["a.xml", "a.txt", "summary.md"] {
        let file = std::fs::read(folder.join(name)).unwrap();
        assert!(!contains_canary(&file) && !file.is_empty(), "{}", text(&file));
    }
    let bodies = host.bodies();
    assert!(bodies.iter().filter(|body| !body.is_empty()).count() >= 2);
    assert!(bodies.iter().all(|body| !contains_canary(body)));
}

#[test]
fn the_values_of_data_rows_never_reach_a_file_or_a_message() {
    let echo = echoing_server();
    let rest = r#"X-Token = "${{data.token}}"
        [data]
        file = "rows.csv"
        [[request]]
        name = "page"
        path = "/x?key=${{data.token}}"
        method = "POST"
        body_json = { token = "${{data.token}}" }
        expect = { headers = { x-echo = "other" } }
        [[request]]
        name = "redirect"
        path = "/redirect"
        [[request]]
        name = "told"
        path = "/told"
        expect = { json = { "/token" = "${{data.token}}!" } }
        [load]
        arrival_rate = "20/s"
        duration = "1s"
        connections = 1"#;
    let bench = Bench::new(&echo, "budgets = [\"p95 < 1s\"]", rest).with_reports();
    let rows = format!("id,token\n1,{CANARY}\n2,\"{CANARY}\"\n");
    std::fs::write(bench.folder.path().join("rows.csv"), rows).unwrap();
    for flags in FORMS {
        let output = bench.command().args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert_no_canary(&output);
    }
    assert_no_canary_in_files(&bench.runs(), FORMS.len());
}

/// The flags for every form of output.
const FORMS: [&[&str]; 5] = [
    &[],
    &["--output", "json"],
    &["--log-level", "debug"],
    &["--log-format", "pino", "--log-level", "debug"],
    &[
        "--every",
        "1s",
        "--times",
        "1",
        "--log-format",
        "pino",
        "--log-level",
        "debug",
        "--output",
        "json",
    ],
];

#[test]
fn a_credential_typed_on_the_command_line_never_reaches_a_file_or_a_message() {
    let echo = echoing_server();
    let folder = tempfile::tempdir().unwrap();
    let run = |flags: &[&str]| {
        let mut command = tollgate_with_reports();
        command
            .args([
                "run",
                &format!("{echo}/redirect"),
                "--duration",
                "1s",
                "--rate",
                "20/s",
                "-c",
                "1",
            ])
            .args([
                "-H",
                &format!("X-Token: {CANARY}"),
                "-H",
                &format!("Authorization: Bearer {CANARY}"),
            ])
            .args([
                &format!("--header=Cookie: sid={CANARY}; other=${{OTHER}}"),
                "--body",
                &body(),
                "--runs-dir",
            ])
            .arg(folder.path())
            .env("OTHER", "nothing")
            .args(flags);
        command.output().unwrap()
    };
    for flags in FORMS {
        let output = run(flags);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert_no_canary(&output);
    }
    assert_no_canary_in_files(folder.path(), FORMS.len());
}

#[test]
fn the_stores_password_is_in_no_run_and_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.md");
    let password = "Zebra-7f3a9c51";
    let output = tollgate_with_reports()
        .args(["run", "http://127.0.0.1:1", "--duration", "1s", "--tag"])
        .args([
            &format!("database={password}"),
            "--evidence-note",
            &format!("with {password}"),
            "--runs-dir",
        ])
        .arg(folder.path().join("runs"))
        .arg("--evidence")
        .arg(&log)
        .env("DATABASE_URL", format!("postgresql://u:{password}@127.0.0.1:1/x"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_no_canary(&output);
    assert_no_canary_in_files(&folder.path().join("runs"), 1);
    let entry = std::fs::read(log).unwrap();
    assert!(!contains_canary(&entry) && text(&entry).contains("with •••"), "{}", text(&entry));
}

fn body() -> String {
    format!("{{\"password\": \"{CANARY}\"}}")
}

#[test]
fn a_credential_is_in_no_error_and_in_no_printed_scenario() {
    let header = format!("X-Token: {CANARY}");
    let password = format!("http://probe:{CANARY}@127.0.0.1:1/");
    for (words, code) in [
        (&["run", "http://127.0.0.1:1", "--print-scenario", "-H", &header][..], 0),
        (&["run", &password], 2),
        (&["run", "http://127.0.0.1:1", "-H", CANARY], 2),
        (&["run", "http://127.0.0.1:1", "-H", &format!("X Token: {CANARY}")], 2),
        (&["run", "http://127.0.0.1:1", "-H", &format!("X-Token: {CANARY}${{")], 2),
        (&["run", "http://127.0.0.1:1", "--body", &format!("{CANARY}${{")], 2),
        (&["run", "http://127.0.0.1:1", "-H", &header, "--budget", "p95 < 30s"], 2),
    ] {
        let log = tempfile::NamedTempFile::new().unwrap();
        let output = tollgate().args(words).arg("--evidence").arg(log.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert_no_canary(&output);
        let entry = std::fs::read(log.path()).unwrap();
        assert!(!contains_canary(&entry), "{}", text(&entry));
        // An invalid value of a flag is reported before the log is opened, so without an entry.
        assert!(
            words[1] != password || text(&entry).contains("•••@127.0.0.1:1"),
            "{}",
            text(&entry)
        );
        let variable =
            tollgate().args(["run", "http://127.0.0.1:1"]).env("TOLLGATE_HEADER", CANARY).output();
        assert_no_canary(&variable.unwrap());
    }
    let help = tollgate().args(["run", "--help"]).env("TOLLGATE_HEADER", &header).output().unwrap();
    assert_no_canary(&help);
}

fn assert_no_canary(output: &Output) {
    assert!(!contains_canary(&output.stdout), "{}", text(&output.stdout));
    assert!(!contains_canary(&output.stderr), "{}", text(&output.stderr));
}

fn assert_no_canary_in_files(runs: &Path, count: usize) {
    let mut folders = 0;
    for folder in std::fs::read_dir(runs).unwrap() {
        let folder = folder.unwrap().path();
        if folder.is_file() {
            assert!(!contains_canary(&std::fs::read(&folder).unwrap()), "{}", folder.display());
            continue;
        }
        folders += 1;
        assert!(folder.join("report.md").exists(), "without reports this would prove little");
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            assert!(!contains_canary(&std::fs::read(&path).unwrap()), "{}", path.display());
        }
    }
    assert_eq!(folders, count);
}

/// A site of these runs, in every format of text, and the reports in it.
fn no_canary_in_a_site(bench: &Bench) {
    let out = bench.folder.path().join("site");
    let formats = ["html", "md", "csv", "json"].map(|format| ["--format", format]).concat();
    let mut report = tollgate();
    report.args(["report", "--since", "12h", "--store", "none"]).args(formats);
    let output =
        report.arg("--runs-dir").arg(bench.runs()).arg("--out").arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_no_canary(&output);
    for folder in [out.clone(), out.join("scenarios"), out.join("runs")] {
        for path in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            let is_harmless = path.is_dir() || !contains_canary(&std::fs::read(&path).unwrap());
            assert!(is_harmless, "{}", path.display());
        }
    }
}

/// Whether bytes contain either half of the canary, in any case, escaped or not.
fn contains_canary(bytes: &[u8]) -> bool {
    let text = text(bytes).to_lowercase();
    ["zebra", "7f3a9c5"].iter().any(|half| text.contains(half) || text.contains(&escaped(half)))
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02x}"))
}

/// The URL of a server that echoes the token of each request in headers and redirects. It changes
/// the notation of the token with each request of a connection.
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
        let (mut token, mut length, mut redirects, mut line) =
            (String::new(), 0, false, String::new());
        while read.read_line(&mut line).ok()? > 2 {
            if let Some((_, value)) =
                line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("x-token"))
            {
                value.trim().clone_into(&mut token);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            }
            redirects |= line.contains(" /redirect");
            line.clear();
        }
        read.read_exact(&mut vec![0; length]).ok()?;
        let written = match turn % 5 {
            0 => token.clone(),
            1 => token.to_uppercase(),
            2 => token.replace('/', "%2f"),
            3 => escaped(&token),
            // In one of the turns, the canary spans the point at which evidence is shortened.
            _ => format!("{}{token}", "x".repeat(130 + turn)),
        };
        let head = if redirects {
            format!("302 Found\r\nlocation: http://h/login/{written}?next={token}")
        } else {
            let timings = format!(
                "server-timing: {written};dur=1, x;desc=\"{token}\";dur=2, y-{written}-{turn};dur=3"
            );
            format!("200 OK\r\nx-echo: {written}\r\nserver-timing: app;dur=4\r\n{timings}")
        };
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{token}", token.len());
        stream.write_all(answer.as_bytes()).ok()?;
    }
    None
}

#[test]
fn a_short_or_common_secret_redacts_none_of_our_own_words() {
    let target = crate::bench::Target::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let run = |headers: &[&str], flags: &[&str]| {
        let mut command = tollgate_with_reports();
        command.args(["run", &format!("{}/plain", target.base_url), "--runs-dir"]);
        command.arg(folder.path()).args(["--duration", "100ms", "--expect-status", "418"]);
        command.args(headers.iter().flat_map(|header| ["-H", header])).args(flags);
        command.output().unwrap()
    };
    let weak = ["X-Key: plain", "X-Token: fail", "Api-Key: inconclusive", "Cookie: connection"];
    for headers in [&weak[..], &["X-Kind: api", "X-Mode: fail"], &["X-Api-Key: unexpected"]] {
        let output = run(headers, &["--log-level", "debug"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        let without_command: Vec<_> = said.lines().filter(|line| !line.contains("-H")).collect();
        let blotted: Vec<_> = without_command.iter().filter(|line| line.contains("•••")).collect();
        assert!(blotted.is_empty(), "{blotted:?}");
        assert!(said.contains("/plain") && said.contains("FAIL"), "{said}");
    }
    for folder in std::fs::read_dir(folder.path()).unwrap() {
        let report = folder.unwrap().path().join("report.md");
        let report = std::fs::read_to_string(report).unwrap();
        let shown = report.lines().filter(|line| line.contains("•••") && !line.contains("-H"));
        assert_eq!(shown.count(), 0, "{report}");
    }
}

#[test]
fn a_short_secret_is_shown_by_its_variable_and_warned_of() {
    let bench = Bench::new(
        "http://127.0.0.1:1",
        "budgets = [\"errors = 0\"]",
        "X-Token = \"${SHORT_TOKEN}\"\n[[request]]\nname = \"a\"\npath = \"/x?key=${SHORT_TOKEN}\"\n",
    );
    let output = bench.command().env("SHORT_TOKEN", "zb7").output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("the secret `SHORT_TOKEN` is short").count(), 1, "{said}");
    let record = std::fs::read_to_string(bench.run_folder().join("run.json")).unwrap();
    assert!(record.contains("/x?key=${SHORT_TOKEN}") && record.contains("X-Token: ${SHORT_TOKEN}"));
    for printed in [said, text(&output.stdout), record] {
        assert!(!printed.contains("zb7"), "{printed}");
    }
    let checked = tollgate().arg("check").arg(&bench.scenario).env("SHORT_TOKEN", "zb7").output();
    assert!(text(&checked.unwrap().stderr).contains("the secret `SHORT_TOKEN` is short"));
}
