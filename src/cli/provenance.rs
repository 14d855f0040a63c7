//! When, where and by which command a run was made.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use time::OffsetDateTime;

use super::{quick, store_flags};
use crate::engine::{clock, cores};
use crate::plan::SecretSet;
use crate::record::{HostFacts, RunProvenance};

/// The provenance of a run that starts now. The default commit is the one checked out here, unless
/// it is tollgate's own.
pub(super) fn now(commit: Option<String>, secrets: &SecretSet) -> RunProvenance {
    here(commit.or_else(checked_out), secrets)
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

/// The commit checked out in the working directory, if there is a git repository.
///
/// tollgate's own repository names no commit: what is checked out there is the prober and not the
/// software that it probes.
fn checked_out() -> Option<String> {
    let git = Command::new("git")
        .args(["rev-parse", "HEAD", "--show-toplevel"])
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .output();
    let output = git.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (commit, top) = text.trim().split_once('\n')?;
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
