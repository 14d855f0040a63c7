//! Runs one scenario with the program against the rehearsal target, and checks its output.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use tempfile::TempDir;
use tollgate::record::{BudgetVerdict, Decision, RunRecord};
use tollgate::store::{self, FolderContent};

pub(crate) use crate::program::tollgate;

/// The variable that gives a run its reports.
pub(crate) const REPORTS: (&str, &str) = ("TOLLGATE_REPORT", "all");

/// The rehearsal target as a separate process, ended when dropped.
pub(crate) struct Target {
    child: Child,
    pub(crate) url: String,
}

impl Target {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut child =
            tollgate().arg("target").args(flags).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    /// Starts a target with a service fault.
    pub(crate) fn sick(what: &str) -> Self {
        Self::start(&["--sick", what])
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The outcome of one run.
pub(crate) struct Outcome {
    pub(crate) exit: i32,
    /// The output, stdout and stderr.
    pub(crate) printed: String,
    pub(crate) record: RunRecord,
    pub(crate) folder: TempDir,
}

impl Outcome {
    /// The folder of the run.
    pub(crate) fn run_folder(&self) -> std::path::PathBuf {
        store::run_folders(self.folder.path()).unwrap().remove(0)
    }

    pub(crate) fn decision(&self) -> Decision {
        self.record.verdict.decision
    }

    /// The reasons of the verdict and of unmet budgets with their remedies, one per line.
    pub(crate) fn reasons(&self) -> String {
        let mut reasons = String::new();
        for scenario in &self.record.verdict.scenarios {
            for reason in &scenario.reasons {
                writeln!(reasons, "{} → {}", reason.what, reason.next).unwrap();
            }
            let unmet = scenario.budgets.iter().filter(|budget| budget.decision != Decision::Pass);
            for BudgetVerdict { request, reason, .. } in unmet {
                writeln!(reasons, "`{request}`: {} → {}", reason.what, reason.next).unwrap();
            }
        }
        reasons
    }

    /// Asserts that it passed.
    pub(crate) fn passed(&self) {
        assert_eq!(
            (self.exit, self.decision()),
            (0, Decision::Pass),
            "{}\n{}",
            self.printed,
            self.reasons()
        );
    }

    /// Asserts that it failed, in these words.
    pub(crate) fn failed(&self, words: &[&str]) {
        assert_eq!(
            (self.exit, self.decision()),
            (1, Decision::Fail),
            "{}\n{}",
            self.printed,
            self.reasons()
        );
        self.says(words);
    }

    /// Asserts that nothing failed, but that these points stayed inconclusive.
    pub(crate) fn left_open(&self, words: &[&str]) {
        assert_eq!(
            (self.exit, self.decision()),
            (3, Decision::Inconclusive),
            "{}\n{}",
            self.printed,
            self.reasons()
        );
        self.says(words);
    }

    fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.reasons().contains(word), "`{word}` is not in\n{}", self.reasons());
        }
    }

    /// Asserts that neither the output nor a written file contains a text. The run needs
    /// [`REPORTS`], without which this would prove little.
    pub(crate) fn hides(&self, secret: &str) {
        assert!(self.run_folder().join("report.md").exists(), "the run has no reports");
        assert!(!self.printed.contains(secret), "printed: {}", self.printed);
        hidden_below(self.folder.path(), secret);
    }
}

fn hidden_below(folder: &Path, secret: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            hidden_below(&path, secret);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains(secret), "in {}", path.display());
        }
    }
}

/// Runs a scenario of `scenarios/` once.
pub(crate) fn run(scenario: &str, variables: &[(&str, &str)]) -> Outcome {
    run_file(Path::new(&format!("scenarios/{scenario}.toml")), variables)
}

/// Runs a scenario from this text once.
pub(crate) fn run_text(text: &str, variables: &[(&str, &str)]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, text).unwrap();
    run_file(&file, variables)
}

fn run_file(file: &Path, variables: &[(&str, &str)]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tollgate();
    command.arg("run").arg(file).arg("--runs-dir").arg(folder.path());
    if std::fs::read_to_string(file).unwrap().contains("\nevery = ") {
        command.args(["--times", "1"]);
    }
    let output =
        command.args(["--store", "none"]).envs(variables.iter().copied()).output().unwrap();
    let printed = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let run = std::fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap_or_else(|| panic!("no run: {printed}"));
    let FolderContent::Complete(record) = store::read_folder(&run.unwrap().path()).unwrap() else {
        panic!("the run is not complete: {printed}")
    };
    Outcome { exit: output.status.code().unwrap(), printed, record: *record, folder }
}
