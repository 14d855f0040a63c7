//! Appends an entry for each run to a markdown file.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::exit::{CommandError, ExitStatus};
use super::outputs::{FinishedRun, OutputDelivery};
use super::{log, next_steps, provenance, quick, results};
use crate::files;
use crate::plan::SecretSet;
use crate::record::session::SessionRecord;
use crate::report::{self, AttemptEntry, EntryOutcome, EvidenceEntry, RunArtifact};
use crate::store;

/// The file that a command's entries go to.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Evidence")]
#[group(skip)]
pub(super) struct Flags {
    /// Append an entry to this markdown file, whatever the outcome of the run: time, command,
    /// artifacts with their SHA-256, commit, outcome, notes
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// A note for the entry, placed before the run's own notes; may be repeated. Notes are stored
    /// as typed: do not put secrets in them
    #[arg(long, value_name = "TEXT")]
    evidence_note: Vec<String>,
}

/// The file that entries go to, if one was named.
#[derive(Default)]
pub(super) struct EvidenceFile {
    path: Option<PathBuf>,
    notes: Vec<String>,
    /// The URLs and files of the command line.
    sources: Vec<String>,
    /// The commit, if one was given.
    commit: Option<String>,
    /// Whether the error that ends the command has its entry.
    has_problem: Cell<bool>,
}

impl Flags {
    /// Opens the file for appending, so that a wrong path is reported before anything is sent.
    pub(super) fn open(
        &self,
        sources: &[OsString],
        commit: Option<&str>,
    ) -> Result<EvidenceFile, CommandError> {
        if self.evidence.is_none() && !self.evidence_note.is_empty() {
            return Err(CommandError::usage(
                "error: --evidence-note needs --evidence: name the file, such as `--evidence log.md`",
            ));
        }
        if let Some(path) = &self.evidence {
            store::can_append(path).map_err(|error| {
                CommandError::usage(format!(
                    "error: --evidence: {error}; nothing was sent; name a writable file"
                ))
            })?;
        }
        Ok(EvidenceFile {
            path: self.evidence.clone(),
            notes: self.evidence_note.clone(),
            sources: sources.iter().map(|source| redact_user(&source.to_string_lossy())).collect(),
            commit: commit.filter(|commit| !commit.is_empty()).map(str::to_owned),
            has_problem: Cell::new(false),
        })
    }
}

impl EvidenceFile {
    /// Appends the entry of a finished run and returns how the program ends: with 4 if the entry
    /// could not be added, or with the exit code of the `problem` that printing the run or writing
    /// its reports had.
    pub(super) fn append_run(
        &self,
        run: &FinishedRun,
        mut delivery: OutputDelivery,
        problem: Option<&CommandError>,
    ) -> ExitStatus {
        if let Some(problem) = problem {
            delivery.exit = problem.exit();
            delivery.notes.push(plain_text(problem));
            self.has_problem.set(true);
        }
        let Some(path) = &self.path else { return delivery.exit };
        let entry = run_entry(run, delivery.exit, self.notes(), delivery.notes);
        match store::append_entry(path, &report::evidence_entry(&entry)) {
            Ok(()) => {
                tracing::info!("Added an entry to {}", path.display());
                delivery.exit
            }
            Err(error) => {
                let folder = run.folder.display();
                tracing::warn!(
                    "WARNING: no entry was added: {error}\n  The run is complete in {folder}/; add its entry yourself."
                );
                ExitStatus::Internal
            }
        }
    }

    /// Appends the entry of a session's attempt, with the files that it wrote. A failure is a
    /// warning: the session has the attempt.
    pub(super) fn append_attempt(&self, record: &SessionRecord, number: u32, files: &[PathBuf]) {
        let Some(path) = &self.path else { return };
        let entry = AttemptEntry {
            command: shell_command(record.provenance.command.iter().cloned()),
            artifacts: files.iter().map(|file| artifact(file)).collect(),
            notes: self.notes(),
        };
        let Some(text) = report::attempt_entry(record, number, &entry) else { return };
        if let Err(error) = store::append_entry(path, &text) {
            tracing::warn!("WARNING: no entry was added: {error}");
        }
    }

    /// Passes an error on that prevented the run, and appends its entry.
    pub(super) fn after_failure(&self, problem: CommandError) -> CommandError {
        if let Some(path) = self.path.as_ref().filter(|_| !self.has_problem.get()) {
            let provenance = provenance::now(self.commit.clone(), &SecretSet::default());
            let command = provenance.command.iter().map(|word| redact_user(word));
            let entry = EvidenceEntry {
                at: provenance.started,
                command: shell_command(command),
                artifacts: Vec::new(),
                exit: problem.exit() as u8,
                outcome: EntryOutcome::Problem {
                    named: self.sources.iter().map(|name| log::redact(name)).collect(),
                    problem: plain_text(&problem),
                },
                notes: self.notes(),
                follow_up: Vec::new(),
                commit: provenance.git_commit,
            };
            self.append_failure(path, &entry);
        }
        problem
    }

    /// The user's notes with secrets redacted. Call it once the secrets are known.
    fn notes(&self) -> Vec<String> {
        let on_one_line = |note: &String| note.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        self.notes.iter().map(|note| log::redact(on_one_line(note).trim())).collect()
    }

    /// Appends an entry. If that fails, it only warns: the error keeps its exit code.
    fn append_failure(&self, path: &Path, entry: &EvidenceEntry<'_>) {
        self.has_problem.set(true);
        if let Err(error) = store::append_entry(path, &report::evidence_entry(entry)) {
            tracing::warn!("WARNING: no entry was added: {error}");
        }
    }
}

fn run_entry(
    run: &FinishedRun,
    exit: ExitStatus,
    notes: Vec<String>,
    afterwards: Vec<String>,
) -> EvidenceEntry<'_> {
    let (record, provenance) = (&run.record, &run.record.provenance);
    let figures = record.measurement.scenarios.iter();
    let figures = figures
        .map(|scenario| (scenario.name.clone(), results::scenario_figures(record, scenario)));
    EvidenceEntry {
        at: provenance.started,
        command: shell_command(provenance.command.iter().cloned()),
        artifacts: artifacts(run),
        commit: provenance.git_commit.clone(),
        exit: exit as u8,
        outcome: EntryOutcome::Run { record, figures: figures.collect() },
        notes,
        follow_up: afterwards,
    }
}

/// The record and the reports that the run was to get, with their checksums.
fn artifacts(run: &FinishedRun) -> Vec<RunArtifact> {
    let names = std::iter::once(&"run.json").chain(run.reports.names());
    names.map(|name| artifact(&run.folder.join(name))).collect()
}

fn artifact(path: &Path) -> RunArtifact {
    RunArtifact { path: path.display().to_string(), sha256: sha256(path).ok() }
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let (mut digest, mut file) = (Sha256::new(), BufReader::new(files::open_regular(path)?));
    loop {
        let bytes = file.fill_buf()?;
        let length = bytes.len();
        if length == 0 {
            break;
        }
        digest.update(bytes);
        file.consume(length);
    }
    Ok(format!("{:x}", digest.finalize()))
}

fn shell_command(words: impl Iterator<Item = String>) -> String {
    words.map(|word| next_steps::shell_quote(&word)).collect::<Vec<_>>().join(" ")
}

/// An error without secrets and colours.
fn plain_text(problem: &CommandError) -> String {
    log::redact(&::console::strip_ansi_codes(&problem.to_string()))
}

/// Redacts the user name and password of a URL. They end at the last `@`, because they may contain
/// one.
fn redact_user(word: &str) -> String {
    let is_url = quick::is_url(word.as_ref());
    match (word.find(':'), word.rfind('@')) {
        (Some(colon), Some(at)) if is_url && colon < at => {
            format!("{}://•••{}", &word[..colon], &word[at..])
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_password_in_a_url_are_redacted() {
        for (typed, redacted) in [
            ("http://u:p@h/x", "http://•••@h/x"),
            ("HTTPS:/u:p/@q@h", "HTTPS://•••@h"),
            ("http://h/x?a=b", "http://h/x?a=b"),
            ("scenarios/a@b.toml", "scenarios/a@b.toml"),
        ] {
            assert_eq!(redact_user(typed), redacted);
        }
    }
}
