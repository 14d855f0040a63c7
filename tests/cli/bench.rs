//! Starts the program and the rehearsal target, and sets up a folder for a scenario and its runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tollgate::record::RunRecord;

pub(crate) use crate::program::tollgate;

/// The rehearsal target as a child process, ended on drop.
pub(crate) struct Target {
    pub(crate) child: Child,
    pub(crate) base_url: String,
}

impl Target {
    pub(crate) fn start(flags: &[&str]) -> Self {
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

/// A command that runs the program with the reports that a user gets.
pub(crate) fn tollgate_with_reports() -> Command {
    let mut command = tollgate();
    command.env_remove("TOLLGATE_REPORT");
    command
}

/// A folder for one scenario file and its runs, which have no reports.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) scenario: PathBuf,
    has_reports: bool,
}

impl Bench {
    /// A scenario against `base_url`, with `top` before the tables and `rest` after them.
    pub(crate) fn new(base_url: &str, top: &str, rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scenario = folder.path().join("scenario.toml");
        let text = format!(
            "name = \"trial\"\n{top}\n[target]\nbase_url = \"{base_url}\"\ntimeout = \"2s\"\n\
             [headers]\nUser-Agent = \"Shopify POS/HotDashSyntheticCheck\"\n{rest}\n"
        );
        std::fs::write(&scenario, text).unwrap();
        Self { folder, scenario, has_reports: false }
    }

    /// The same, with the reports that a user gets.
    pub(crate) fn with_reports(self) -> Self {
        Self { has_reports: true, ..self }
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = if self.has_reports { tollgate_with_reports() } else { tollgate() };
        command.arg("run").arg(&self.scenario).arg("--runs-dir").arg(self.runs());
        command
    }

    pub(crate) fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    /// All run folders.
    pub(crate) fn run_folders(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.runs()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// The only run folder; panics if there is not exactly one.
    pub(crate) fn run_folder(&self) -> PathBuf {
        let mut folders =
            std::fs::read_dir(self.runs()).unwrap().map(|entry| entry.unwrap().path());
        let folder = folders.next().unwrap();
        assert!(folders.next().is_none());
        folder
    }

    pub(crate) fn record(&self) -> RunRecord {
        record(&self.run_folder())
    }
}

/// The record in a run's folder.
pub(crate) fn record(folder: &Path) -> RunRecord {
    serde_json::from_slice(&std::fs::read(folder.join("run.json")).unwrap()).unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Output in one line, however it was wrapped.
pub(crate) fn words(output: &[u8]) -> String {
    text(output).split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) const PLAIN: &str = "[[request]]\nname = \"plain\"\npath = \"/plain\"\n\
                     [gate]\nstalls = \"10ms\"\n\
                     [load]\narrival_rate = \"100/s\"\nduration = \"1s\"\nconnections = 4\n";

/// A command that a shell starts, in the same environment.
pub(crate) fn through_shell(start: &str, typed: &Command) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", start, "sh"]).arg(typed.get_program()).args(typed.get_args());
    for (name, value) in typed.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

pub(crate) fn signal(child: &Child, name: &str) {
    let status =
        Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits until something holds; panics after 90 s, which only a busy machine needs.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..18_000 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("{what} did not come within 90 s");
}

/// Waits until a run has written at least `count` intervals.
pub(crate) fn wait_for_intervals(bench: &Bench, count: usize) {
    for _ in 0..400 {
        let written = if bench.runs().exists() { lines(&bench.runs()) } else { 0 };
        if written >= count {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no {count} intervals within 20 s");
}

pub(crate) fn lines(runs: &Path) -> usize {
    let folders = std::fs::read_dir(runs).unwrap().flatten();
    let mut text = String::new();
    for folder in folders {
        if let Ok(mut file) = std::fs::File::open(folder.path().join("intervals.jsonl")) {
            let _torn = file.read_to_string(&mut text);
        }
    }
    text.lines().count()
}

/// The URL of a server that answers 200 to everything, and the head and body of each request that
/// it received.
pub(crate) fn recording_server() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let received = Arc::clone(&received);
            std::thread::spawn(move || keep_requests(stream, &received));
        }
    });
    (base_url, requests)
}

fn keep_requests(mut stream: TcpStream, requests: &Mutex<Vec<String>>) -> Option<()> {
    let mut read = BufReader::new(stream.try_clone().ok()?);
    loop {
        let (head, body) = read_request(&mut read)?;
        requests.lock().unwrap().push(head + &text(&body));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").ok()?;
    }
}

/// The head of the next request with its empty line, and its body; `None` once the connection ends.
pub(crate) fn read_request(read: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    while read.read_line(&mut head).ok().filter(|&read| read > 0)? > 2 {
        let line = head.lines().last()?.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).ok()?;
    Some((head, body))
}
