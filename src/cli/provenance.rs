//! When, where and by what a run is carried out.

use std::process::{Command, Stdio};

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

/// The command as typed, but for the body of a request, which may hold anything.
fn typed() -> Vec<String> {
    without_body(std::env::args_os().map(|word| word.to_string_lossy().into_owned()))
}

fn without_body(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut is_body = false;
    let shown = |word: String| {
        let hidden = std::mem::replace(&mut is_body, word == "--body");
        match word.strip_prefix("--body=") {
            _ if hidden => "•••".to_owned(),
            Some(_) => "--body=•••".to_owned(),
            None => word,
        }
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
    fn a_body_typed_on_the_command_line_is_not_shown() {
        let words = ["tollgate", "run", "--body", "pass=1", "--body=pass=1", "--rate", "2/s"];
        let shown = without_body(words.into_iter().map(str::to_owned));
        assert_eq!(shown, ["tollgate", "run", "--body", "•••", "--body=•••", "--rate", "2/s"]);
    }
}
