//! Runs the real programs: a target that freezes, and the prober.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::Result;
use crate::truth::TargetLog;

/// Service time is log-normal with a median of 5 ms. The last second of every ten is frozen.
const TARGET: [&str; 6] =
    ["--mock-latency", "lognormal:5ms,0.3", "--stall", "1s", "--every", "10s"];

/// A target with a folder of its own, which is removed when this is dropped.
pub(crate) struct Target {
    child: Child,
    folder: TempDir,
    pub(crate) base_url: String,
}

impl Target {
    pub(crate) fn start(tls: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.arg("target").args(TARGET).arg("--with-stdin");
        command.arg("--arrival-log").arg(folder.path().join("arrivals.tsv"));
        if tls {
            command.arg("--tls").arg("--tls-ca-out").arg(folder.path().join("ca.pem"));
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
        let base_url = line.trim().trim_start_matches("listening on ").to_owned();
        Ok(Self { child, folder, base_url })
    }

    /// The folder for all files of the run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate to trust if the target uses TLS.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Stops the target and reads its log without the first `warmup` requests.
    pub(crate) fn stop(mut self, warmup: usize) -> Result<TargetLog> {
        // It serves until its standard input ends.
        drop(self.child.stdin.take());
        self.child.wait()?;
        TargetLog::parse(&fs::read_to_string(self.folder.path().join("arrivals.tsv"))?, warmup)
    }
}

/// Runs a scenario and returns its record.
pub(crate) fn run_scenario(folder: &Path, scenario: &str) -> Result<Value> {
    let file = folder.join("oracle.toml");
    fs::write(&file, scenario)?;
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["run", "--output", "json", "--runs-dir"])
        .arg(folder.join("runs"))
        .arg(file)
        .output()?;
    let record = serde_json::from_slice(&output.stdout);
    record.map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
