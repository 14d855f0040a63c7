//! When, where and by what a run is carried out.

use std::process::{Command, Stdio};

use crate::engine::{clock, cores};
use crate::plan::Secrets;
use crate::record::{Host, Provenance};

/// The provenance of a run that starts now.
pub(super) fn now(commit: Option<String>, secrets: &Secrets) -> Provenance {
    let command = std::env::args_os().map(|word| secrets.blot(&word.to_string_lossy()).into_owned());
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

/// The commit checked out in the working directory, if git knows one.
fn checked_out() -> Option<String> {
    let git =
        Command::new("git").args(["rev-parse", "HEAD"]).stderr(Stdio::null()).stdin(Stdio::null()).output();
    let output = git.ok().filter(|output| output.status.success())?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(commit)
}
