//! When, where and by which command a run was made.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use time::OffsetDateTime;

use super::{quick, store_flags};
use crate::engine::{clock, cores};
use crate::plan::SecretSet;
use crate::record::{HostFacts, RunProvenance};
use crate::units::format_duration;

/// The provenance of a run that starts now. The default commit is the one checked out here, unless
/// it is tollgate's own.
pub(super) fn now(commit: Option<String>, secrets: &SecretSet) -> RunProvenance {
    here(CommitLookup::start(commit).finish(), secrets)
}

/// The provenance of this command on this machine.
pub(super) fn here(git_commit: Option<String>, secrets: &SecretSet) -> RunProvenance {
    let command = typed_command().into_iter().map(|word| secrets.redact_tokens(&word).into_owned());
    RunProvenance {
        started: in_micros(clock::wall_clock()),
        tollgate: env!("CARGO_PKG_VERSION").to_owned(),
        host: HostFacts {
            name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cores: cores(),
        },
        command: command.collect(),
        git_commit,
        tags: BTreeMap::new(),
    }
}

/// Truncates a time to microseconds, as a database does, so that folder and database agree.
fn in_micros(moment: OffsetDateTime) -> OffsetDateTime {
    moment.replace_nanosecond(moment.microsecond() * 1_000).unwrap_or(moment)
}

/// The command as typed, with bodies, tokens, and the headers that may be secret redacted.
fn typed_command() -> Vec<String> {
    redact_words(std::env::args_os().map(|word| word.to_string_lossy().into_owned()))
}

const REDACTED: &str = "•••";

/// Redacts the value of one flag.
type ValueRedactor = fn(&str) -> String;

fn redact_words(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut of_next_word: Option<ValueRedactor> = None;
    let redacted = |word: String| match (of_next_word.take(), secret_value(&word)) {
        (Some(show), _) => show(&word),
        (None, None) => word,
        (None, Some((at, show))) if at == word.len() => {
            of_next_word = Some(show);
            word
        }
        (None, Some((at, show))) => format!("{}{}", &word[..at], show(&word[at..])),
    };
    words.map(redacted).collect()
}

/// Where a value begins in a word that may be secret, and how it is redacted. At the end of the
/// word means that the value is the next word.
fn secret_value(word: &str) -> Option<(usize, ValueRedactor)> {
    let hide: ValueRedactor = |_| REDACTED.to_owned();
    for (flag, show) in [
        ("--body", hide),
        ("--token", hide),
        ("--header", quick::redact_header),
        ("--proxy", quick::redact_proxy),
        ("--store", store_flags::redact_url),
    ] {
        match word.strip_prefix(flag) {
            Some("") => return Some((word.len(), show)),
            Some(rest) if rest.starts_with('=') => return Some((flag.len() + 1, show)),
            _ => {}
        }
    }
    let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?;
    let header = letters
        .find('H')
        .filter(|&at| letters[..at].chars().all(|letter| SHORT_SWITCHES.contains(letter)))?;
    let sign = usize::from(letters[header + 1..].starts_with('='));
    Some((header + 2 + sign, quick::redact_header))
}

/// The short flags without a value. Others may follow them in the same word.
const SHORT_SWITCHES: &str = "46hqvV";

/// The commit of the software under test: the one on the command line, or the answer of a git that
/// runs meanwhile.
pub(super) enum CommitLookup {
    Explicit(String),
    FromGit(GitQuery),
    /// git could not be started, or named no commit before.
    Unknown,
}

impl CommitLookup {
    /// How long git may take. Without an answer by then, the run has no commit.
    const LIMIT: Duration = Duration::from_secs(2);

    /// Asks git for the commit checked out in the working directory, unless one is given.
    pub(super) fn start(given: Option<String>) -> Self {
        given.map_or_else(|| Self::ask(Command::new("git")), Self::Explicit)
    }

    /// The commit that an earlier lookup found, without another.
    pub(super) fn known(commit: Option<String>) -> Self {
        commit.map_or(Self::Unknown, Self::Explicit)
    }

    fn ask(mut git: Command) -> Self {
        git.args(["rev-parse", "HEAD", "--show-toplevel"]);
        GitQuery::start(git).map_or(Self::Unknown, Self::FromGit)
    }

    /// Waits for git, if it was asked. `None` if it knows no commit.
    ///
    /// tollgate's own repository names no commit: what is checked out there is the prober and not
    /// the software that it probes.
    pub(super) fn finish(self) -> Option<String> {
        match self {
            Self::Explicit(commit) => Some(commit),
            Self::FromGit(query) => parse_answer(&query.finish_within(Self::LIMIT)?),
            Self::Unknown => None,
        }
    }
}

/// A git that is running. Dropped, it is killed with everything that it started.
pub(super) struct GitQuery {
    /// Its process group; `None` once it has ended.
    group: Option<Pid>,
    /// What it printed if it succeeded; sent after it has been reaped.
    answer: mpsc::Receiver<Option<Vec<u8>>>,
}

impl GitQuery {
    /// Maximum number of bytes read of an answer: a commit and a path.
    const MAX_ANSWER: u64 = 16 << 10;

    fn start(mut command: Command) -> io::Result<Self> {
        // A group of its own, so that what git starts can be ended with it.
        let git = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let group = Some(Pid::from_child(&git));
        let (send, answer) = mpsc::sync_channel(1);
        let read = move || {
            let _late = send.send(read_answer(git));
        };
        // Without the thread, the answer never comes.
        let _unread = thread::Builder::new().name("git".to_owned()).spawn(read);
        Ok(Self { group, answer })
    }

    /// Waits for the answer; `None` if git failed or took too long.
    fn finish_within(mut self, limit: Duration) -> Option<Vec<u8>> {
        match self.answer.recv_timeout(limit) {
            Ok(answer) => {
                self.group = None;
                answer
            }
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!(
                    "WARNING: git did not name the commit within {}, so none is recorded. Name it \
                     with --git-commit.",
                    format_duration(limit)
                );
                None
            }
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }
}

impl Drop for GitQuery {
    fn drop(&mut self) {
        // After the answer, the id may be that of another process.
        if let Some(group) = self.group.filter(|_| self.answer.try_recv().is_err()) {
            let _ended = kill_process_group(group, Signal::KILL);
        }
    }
}

/// What git prints, once it has succeeded.
fn read_answer(mut git: Child) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let stdout = git.stdout.take();
    // What cannot be read is not a commit.
    let _read = stdout.map(|stdout| stdout.take(GitQuery::MAX_ANSWER).read_to_end(&mut text));
    git.wait().is_ok_and(|status| status.success()).then_some(text)
}

/// The commit in git's answer, unless the repository is tollgate's own.
fn parse_answer(text: &[u8]) -> Option<String> {
    let (commit, top) = std::str::from_utf8(text).ok()?.trim().split_once('\n')?;
    let is_commit = !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_commit && !is_own_repository(Path::new(top))).then(|| commit.to_owned())
}

/// Whether a repository is tollgate's own: its root has the manifest of this package.
fn is_own_repository(top: &Path) -> bool {
    let manifest = top.join("Cargo.toml");
    // A pipe of that name would wait for a writer.
    let text = manifest.is_file().then(|| std::fs::read_to_string(&manifest).ok()).flatten();
    let name = concat!("name = \"", env!("CARGO_PKG_NAME"), "\"");
    text.is_some_and(|text| text.lines().take(20).any(|line| line.trim() == name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn the_commit_of_tollgates_own_repository_is_not_that_of_the_target() {
        assert!(is_own_repository(Path::new(env!("CARGO_MANIFEST_DIR"))));
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_own_repository(folder.path()));
        let manifest = "[package]\nname = \"shop\"\n[dependencies]\ntollgate = \"1\"\n";
        std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        assert!(!is_own_repository(folder.path()));
    }

    fn sh(script: &str) -> GitQuery {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        GitQuery::start(command).unwrap()
    }

    /// Long enough for a process to start or end on a busy machine.
    const PATIENCE: Duration = Duration::from_mins(1);

    #[test]
    fn a_git_that_hangs_is_killed_with_what_it_started_and_the_run_has_no_commit() {
        for hanging in ["exec sleep 1000", "sleep 1000 & wait", "exec >/dev/null; sleep 1000"] {
            let mut query = sh(hanging);
            let (_silent, silent) = mpsc::sync_channel(1);
            let answer = std::mem::replace(&mut query.answer, silent);
            assert_eq!(query.finish_within(Duration::from_millis(20)), None, "{hanging}");
            // Sent after the process was reaped, and after all writers of its output are gone.
            assert_eq!(answer.recv_timeout(PATIENCE), Ok(None), "{hanging}");
        }
    }

    #[test]
    fn a_git_that_nobody_waits_for_is_killed() {
        let mut sleep = Command::new("sleep");
        let mut child = sleep.arg("1000").process_group(0).spawn().unwrap();
        let (_silent, answer) = mpsc::sync_channel(1);
        drop(GitQuery { group: Some(Pid::from_child(&child)), answer });
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    }

    #[test]
    fn an_answer_without_end_and_one_of_a_git_that_fails_are_none() {
        for wrong in ["while echo more; do :; done", "echo 1f0c; exit 1"] {
            assert_eq!(sh(wrong).finish_within(PATIENCE), None, "{wrong}");
        }
        assert_eq!(sh("echo 1f0c").finish_within(PATIENCE).as_deref(), Some(&b"1f0c\n"[..]));
    }

    #[test]
    fn the_answer_of_git_is_a_commit_and_the_root_of_its_repository() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().display();
        assert_eq!(parse_answer(format!("1f0c\n{top}\n").as_bytes()).as_deref(), Some("1f0c"));
        for wrong in [format!("HEAD\n{top}\n"), format!("\n{top}\n"), "1f0c\n".to_owned()] {
            assert_eq!(parse_answer(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(CommitLookup::ask(Command::new("/missing/git")).finish(), None);
        assert_eq!(CommitLookup::start(Some("1f".to_owned())).finish().as_deref(), Some("1f"));
    }

    #[test]
    fn bodies_tokens_and_secret_headers_are_redacted_in_the_command() {
        for (typed, redacted) in [
            (&["--body", "pass=1"][..], &["--body", "•••"][..]),
            (&["--body=pass=1", "--rate", "2/s"], &["--body=•••", "--rate", "2/s"]),
            (&["--token", "x", "--token=x"], &["--token", "•••", "--token=•••"]),
            (&["--store", "postgres://u:p@h/x"], &["--store", "postgresql://u@h:5432/x"]),
            (
                &["--proxy=http://u:p@h:1", "--proxy-from-env"],
                &["--proxy=http://u:•••@h:1", "--proxy-from-env"],
            ),
            (&["--store=p", "--store", "none"], &["--store=•••", "--store", "none"]),
            (&["-H", "X-Key: a$${b"], &["-H", "X-Key: •••"]),
            (&["-HX-Key: a", "--header=X-Key: a"], &["-HX-Key: •••", "--header=X-Key: •••"]),
            (&["-H", "X-Key: secret ${HOME}"], &["-H", "X-Key: •••"]),
            (&["-H", "X-Key: ${KEY:-secret}"], &["-H", "X-Key: •••"]),
            (&["-H", "Authorization: Bearer ${T}"], &["-H", "Authorization: Bearer ${T}"]),
            (&["-H", "Accept: text/html"], &["-H", "Accept: text/html"]),
            (&["-H", "no colon"], &["-H", "•••"]),
            (
                &["-4H", "X-Key: a", "-6vHX-Key: a", "-H=X-Key: a"],
                &["-4H", "X-Key: •••", "-6vHX-Key: •••", "-H=X-Key: •••"],
            ),
            (&["-x", "--rate=H: a", "-"], &["-x", "--rate=H: a", "-"]),
        ] {
            assert_eq!(
                redact_words(typed.iter().map(|&word| word.to_owned())),
                redacted,
                "{typed:?}"
            );
        }
    }
}
