//! When, where and by which command a run was made.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use time::OffsetDateTime;

use super::{quick, store_flags};
use crate::engine::{clock, cores};
use crate::plan::SecretSet;
use crate::record::{HostFacts, RunProvenance};

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

/// The commit of the software under test: the given one, or the one that git is asked for
/// meanwhile.
pub(super) enum CommitLookup {
    Given(String),
    Asked {
        git: Child,
        answer: mpsc::Receiver<Vec<u8>>,
    },
    /// There is no git.
    Unknown,
}

impl CommitLookup {
    /// How long git may take. Without an answer by then, the run has no commit.
    const LIMIT: Duration = Duration::from_secs(2);

    /// Asks git for the commit checked out in the working directory, unless one is given.
    pub(super) fn start(given: Option<String>) -> Self {
        given.map_or_else(|| Self::ask("git"), Self::Given)
    }

    fn ask(program: impl AsRef<OsStr>) -> Self {
        let git = Command::new(program)
            .args(["rev-parse", "HEAD", "--show-toplevel"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut git) = git else { return Self::Unknown };
        let (send, answer) = mpsc::sync_channel(1);
        let stdout = git.stdout.take();
        let read = move || {
            let mut text = Vec::new();
            // What cannot be read is not a commit.
            let _read = stdout.map(|mut stdout| stdout.read_to_end(&mut text));
            let _late = send.send(text);
        };
        // Without the thread, the answer never comes.
        let _unread = std::thread::Builder::new().name("git".to_owned()).spawn(read);
        Self::Asked { git, answer }
    }

    /// Waits for git, if it was asked. `None` if it knows no commit.
    ///
    /// tollgate's own repository names no commit: what is checked out there is the prober and not
    /// the software that it probes.
    pub(super) fn finish(self) -> Option<String> {
        self.finish_within(Self::LIMIT)
    }

    fn finish_within(self, limit: Duration) -> Option<String> {
        let (mut git, answer) = match self {
            Self::Given(commit) => return Some(commit),
            Self::Unknown => return None,
            Self::Asked { git, answer } => (git, answer),
        };
        let text = answer.recv_timeout(limit).ok();
        if text.is_none() {
            let _ended = git.kill();
        }
        let is_answer = git.wait().is_ok_and(|status| status.success());
        parse_answer(&text.filter(|_| is_answer)?)
    }
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
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

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

    #[test]
    fn a_git_that_hangs_is_ended_and_the_run_has_no_commit() {
        let folder = tempfile::tempdir().unwrap();
        let git = folder.path().join("git");
        std::fs::write(&git, "#!/bin/sh\nexec sleep 1000\n").unwrap();
        std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).unwrap();
        let asked = CommitLookup::ask(&git);
        let CommitLookup::Asked { git, .. } = &asked else { panic!("git was not started") };
        let process = PathBuf::from(format!("/proc/{}", git.id()));
        assert!(!Path::new("/proc/self").exists() || process.exists());
        assert_eq!(asked.finish_within(Duration::from_millis(20)), None);
        assert!(!process.exists());
    }

    #[test]
    fn the_answer_of_git_is_a_commit_and_the_root_of_its_repository() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().display();
        assert_eq!(parse_answer(format!("1f0c\n{top}\n").as_bytes()).as_deref(), Some("1f0c"));
        for wrong in [format!("HEAD\n{top}\n"), format!("\n{top}\n"), "1f0c\n".to_owned()] {
            assert_eq!(parse_answer(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(CommitLookup::ask("/missing/git").finish(), None);
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
