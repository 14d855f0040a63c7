//! When, where and by what a run is carried out.

use std::process::{Command, Stdio};

use super::quick;
use crate::engine::{clock, cores};
use crate::plan::Secrets;
use crate::record::{Host, Provenance};

/// The provenance of a run that starts now.
pub(super) fn now(commit: Option<String>, secrets: &Secrets) -> Provenance {
    let command = typed().into_iter().map(|word| secrets.blot(&word).into_owned());
    Provenance {
        started: clock::wall_clock(),
        tollgate: env!("CARGO_PKG_VERSION").to_owned(),
        host: Host {
            name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cores: cores(),
        },
        command: command.collect(),
        git_commit: commit.or_else(checked_out),
    }
}

/// The command as typed, but for what may hold anything: bodies, tokens, and headers that are not known to be harmless.
fn typed() -> Vec<String> {
    without_secrets(std::env::args_os().map(|word| word.to_string_lossy().into_owned()))
}

const HIDDEN: &str = "•••";

/// How the value of a flag is shown, where not as it was typed.
fn shown_value(flag: &str) -> Option<fn(&str) -> String> {
    match flag {
        "--body" | "--token" => Some(|_| HIDDEN.to_owned()),
        "--header" | "-H" => Some(quick::shown_header),
        _ => None,
    }
}

fn without_secrets(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut before: Option<fn(&str) -> String> = None;
    let shown = |word: String| {
        if let Some(show) = before.take() {
            return show(&word);
        }
        before = shown_value(&word);
        if before.is_some() {
            return word;
        }
        let attached = word.strip_prefix("-H").map(|value| ("-H", "", value));
        let Some((flag, sign, value)) = word
            .split_once('=')
            .map(|(f, v)| (f, "=", v))
            .filter(|(f, ..)| shown_value(f).is_some())
            .or(attached)
        else {
            return word;
        };
        shown_value(flag).map_or_else(|| word.clone(), |show| format!("{flag}{sign}{}", show(value)))
    };
    words.map(shown).collect()
}

/// The commit checked out in the working directory, if git knows one.
fn checked_out() -> Option<String> {
    let git =
        Command::new("git").args(["rev-parse", "HEAD"]).stderr(Stdio::null()).stdin(Stdio::null()).output();
    let output = git.ok().filter(|output| output.status.success())?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_as_a_body_a_token_or_a_header_is_not_shown() {
        for (typed, shown) in [
            (&["--body", "pass=1"][..], &["--body", "•••"][..]),
            (&["--body=pass=1", "--rate", "2/s"], &["--body=•••", "--rate", "2/s"]),
            (&["--token", "x", "--token=x"], &["--token", "•••", "--token=•••"]),
            (&["-H", "X-Key: a$${b"], &["-H", "X-Key: •••"]),
            (&["-HX-Key: a", "--header=X-Key: a"], &["-HX-Key: •••", "--header=X-Key: •••"]),
            (&["-H", "X-Key: secret ${HOME}"], &["-H", "X-Key: •••"]),
            (&["-H", "X-Key: ${KEY:-secret}"], &["-H", "X-Key: •••"]),
            (&["-H", "Authorization: Bearer ${T}"], &["-H", "Authorization: Bearer ${T}"]),
            (&["-H", "Accept: text/html"], &["-H", "Accept: text/html"]),
            (&["-H", "no colon"], &["-H", "•••"]),
        ] {
            assert_eq!(without_secrets(typed.iter().map(|&word| word.to_owned())), shown, "{typed:?}");
        }
    }
}
