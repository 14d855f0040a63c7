//! Runs a command of the user that changes the app.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::AppProblem;
use crate::cli::signals::RunSignals;
use crate::library_text::describe_io;

/// How often a command is looked at until it ends.
const COMMAND_LOOK: Duration = Duration::from_millis(100);

/// Runs a user's command. What it prints goes to stderr.
pub(super) fn run_command(words: &[String], signals: &RunSignals) -> Result<(), AppProblem> {
    let [program, arguments @ ..] = words else { return Ok(()) };
    let shown = words.join(" ");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(std::io::stderr());
    let mut child = command.spawn().map_err(|error| {
        AppProblem(format!(
            "`{shown}` cannot be started: {}; name a program that is on the PATH",
            describe_io(&error)
        ))
    })?;
    loop {
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                return Err(AppProblem(format!("`{shown}` failed ({status}); see its message")));
            }
            Err(error) => return Err(AppProblem(format!("`{shown}`: {}", describe_io(&error)))),
        }
        if signals.stops_within(COMMAND_LOOK) {
            // It may have ended meanwhile.
            let _ended = child.kill().and_then(|()| child.wait());
            return Err(AppProblem("it was interrupted".to_owned()));
        }
    }
}
