//! An entry of each run in a log that people keep.

use std::cell::Cell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::exit::{Exit, Problem};
use super::keeping::Stored;
use super::session::Kept;
use super::{log, next, provenance, quick, reporting};
use crate::plan::Secrets;
use crate::report::{self, Artifact, Ended, Entry};
use crate::store;

/// The log that a command's runs go to.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Evidence")]
#[group(skip)]
pub(super) struct Flags {
    /// Append an entry to this markdown file, whatever comes of the run: time, command, artifacts with their SHA-256, commit,
    /// outcome, notes
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// A note for the entry, before those of the run; may be repeated. Notes are shown, and no place for secrets
    #[arg(long, value_name = "TEXT")]
    evidence_note: Vec<String>,
}

/// The files of a run that an entry names, beside their folder.
const ARTIFACTS: [&str; 3] = ["run.json", "report.html", "report.md"];

/// Where entries go, if anywhere.
#[derive(Default)]
pub(super) struct Log {
    path: Option<PathBuf>,
    notes: Vec<String>,
    /// What was named on the command line.
    named: Vec<String>,
    /// The commit, where one was given.
    commit: Option<String>,
    /// Whether the problem that ends the command stands in an entry.
    has_problem: Cell<bool>,
}

impl Flags {
    /// The log, which can be written to: what is wrong with it is told before anything is sent.
    pub(super) fn log(&self, sources: &[OsString], commit: Option<&str>) -> Result<Log, Problem> {
        if self.evidence.is_none() && !self.evidence_note.is_empty() {
            return Err(Problem::usage(
                "error: --evidence-note is for an entry; name its file, such as `--evidence log.md`",
            ));
        }
        if let Some(path) = &self.evidence {
            store::can_append(path).map_err(|error| {
                Problem::usage(format!(
                    "error: --evidence: {error}; nothing was sent: name a file that can be written"
                ))
            })?;
        }
        Ok(Log {
            path: self.evidence.clone(),
            notes: self.evidence_note.clone(),
            named: sources.iter().map(|source| without_user(&source.to_string_lossy())).collect(),
            commit: commit.filter(|commit| !commit.is_empty()).map(str::to_owned),
            has_problem: Cell::new(false),
        })
    }
}

impl Log {
    /// Adds the entry of a run that was carried out, and says how the program ends: by 4 where it could not be added.
    pub(super) fn of_run(&self, kept: &Kept, stored: Stored) -> Exit {
        let Some(path) = &self.path else { return stored.exit };
        let entry = of_run(kept, stored.exit, self.notes(), stored.told.into_iter().collect());
        match store::append(path, &report::evidence(&entry)) {
            Ok(()) => {
                tracing::info!("Added an entry to {}", path.display());
                stored.exit
            }
            Err(error) => {
                let folder = kept.folder.display();
                tracing::warn!(
                    "WARNING: no entry was added: {error}\n  The run is whole in {folder}/; add its entry by hand."
                );
                Exit::Internal
            }
        }
    }

    /// Hands on how a run's reports were written; where they were not, the run has its entry all the same.
    pub(super) fn reported(
        &self,
        kept: &Kept,
        reported: Result<(), Problem>,
    ) -> Result<(), Problem> {
        let Err(problem) = reported else { return Ok(()) };
        if let Some(path) = &self.path {
            let afterwards = vec![cleaned(&problem)];
            let entry = of_run(kept, problem.exit(), self.notes(), afterwards);
            self.add_of_problem(path, &entry);
        }
        Err(problem)
    }

    /// Hands on a problem that let no run come about, once it has its entry.
    pub(super) fn of_problem(&self, problem: Problem) -> Problem {
        if let Some(path) = self.path.as_ref().filter(|_| !self.has_problem.get()) {
            let provenance = provenance::now(self.commit.clone(), &Secrets::default());
            let command = provenance.command.iter().map(|word| without_user(word));
            let entry = Entry {
                at: provenance.started,
                command: in_shell(command),
                artifacts: Vec::new(),
                exit: problem.exit() as u8,
                ended: Ended::Prevented {
                    named: self.named.iter().map(|name| log::clean(name)).collect(),
                    problem: cleaned(&problem),
                },
                notes: self.notes(),
                afterwards: Vec::new(),
                commit: provenance.git_commit,
            };
            self.add_of_problem(path, &entry);
        }
        problem
    }

    /// The user's notes, once the values that must not be shown are known.
    fn notes(&self) -> Vec<String> {
        let on_one_line = |note: &String| note.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        self.notes.iter().map(|note| log::clean(on_one_line(note).trim())).collect()
    }

    /// The problem's own exit code stands, whether or not it could be added.
    fn add_of_problem(&self, path: &Path, entry: &Entry<'_>) {
        self.has_problem.set(true);
        if let Err(error) = store::append(path, &report::evidence(entry)) {
            tracing::warn!("WARNING: no entry was added: {error}");
        }
    }
}

fn of_run(kept: &Kept, exit: Exit, notes: Vec<String>, afterwards: Vec<String>) -> Entry<'_> {
    let (record, provenance) = (&kept.record, &kept.record.provenance);
    let figures = record.measurement.scenarios.iter();
    let figures =
        figures.map(|scenario| (scenario.name.clone(), reporting::in_words(record, scenario)));
    Entry {
        at: provenance.started,
        command: in_shell(provenance.command.iter().cloned()),
        artifacts: ARTIFACTS.iter().map(|name| artifact(&kept.folder.join(name))).collect(),
        commit: provenance.git_commit.clone(),
        exit: exit as u8,
        ended: Ended::Judged { record, figures: figures.collect() },
        notes,
        afterwards,
    }
}

fn artifact(path: &Path) -> Artifact {
    let bytes = std::fs::read(path).ok();
    let sha256 = bytes.map(|bytes| format!("{:x}", Sha256::digest(bytes)));
    Artifact { path: path.display().to_string(), sha256 }
}

fn in_shell(words: impl Iterator<Item = String>) -> String {
    words.map(|word| next::quoted(&word)).collect::<Vec<_>>().join(" ")
}

/// A problem as it may be kept, without colours.
fn cleaned(problem: &Problem) -> String {
    log::clean(&::console::strip_ansi_codes(&problem.to_string()))
}

/// A URL without a user name and a password, which no run takes; whatever they hold, they end before the last `@`.
fn without_user(word: &str) -> String {
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
    fn whoever_may_be_named_in_a_url_is_in_no_entry() {
        for (typed, shown) in [
            ("http://u:p@h/x", "http://•••@h/x"),
            ("HTTPS:/u:p/@q@h", "HTTPS://•••@h"),
            ("http://h/x?a=b", "http://h/x?a=b"),
            ("scenarios/a@b.toml", "scenarios/a@b.toml"),
        ] {
            assert_eq!(without_user(typed), shown);
        }
    }
}
