//! Exit codes, and the errors that lead to them.

use std::fmt;
use std::process::ExitCode;

use super::console::colours_errors;
use super::{log, tips};
use crate::engine::EngineError;
use crate::record::Decision;
use crate::store::{DatabaseError, StoreError};

/// How the program ends; the numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: every budget holds.
    Pass = 0,
    /// 1: a budget or an expectation does not hold.
    Fail = 1,
    /// 2: a flag or a scenario is wrong.
    Usage = 2,
    /// 3: the data cannot tell.
    Inconclusive = 3,
    /// 4: the prober could not do its job.
    Internal = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Decision> for Exit {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Pass => Self::Pass,
            Decision::Fail => Self::Fail,
            Decision::Inconclusive => Self::Inconclusive,
        }
    }
}

/// Why a command ended without doing what it was asked to.
#[derive(Debug)]
pub struct Problem {
    exit: Exit,
    kind: &'static str,
    message: String,
}

impl Problem {
    /// What was typed or written in a file is wrong.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, kind: "usage", message: message.into() }
    }

    /// The prober could not do its job.
    pub(super) fn internal(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Internal, kind: "internal", message: format!("error: {message}") }
    }

    /// The same with the exit code 1, for the command that has no other for what goes wrong.
    pub(super) fn into_failure(self) -> Self {
        Self { exit: Exit::Fail, ..self }
    }

    /// The code to end with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Tells it on stderr, in the format that was asked for.
    pub fn tell(&self) {
        log::fatal(self);
    }

    /// Whose doing it is, for programs.
    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.trim_end())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::internal(error)
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        Self::internal(error)
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Target(_)
            | EngineError::Trust { .. }
            | EngineError::Identity { .. }
            | EngineError::Descriptors { .. }
            | EngineError::Ports { .. } => Self::usage(format!("error: {error}")),
            EngineError::TooLate { .. }
            | EngineError::Thread(_)
            | EngineError::ThreadLost
            | EngineError::Observer(_) => Self::internal(error),
        }
    }
}

/// Help and version are asked for and end well; anything else clap says is a usage error.
///
/// `variable` is where the value at fault came from, where it was not typed.
pub(super) fn of_clap(error: &clap::Error, variable: Option<&str>) -> Result<Exit, Problem> {
    if error.use_stderr() {
        let text = error.render();
        let text = if colours_errors() { text.ansi().to_string() } else { text.to_string() };
        let of_variable = variable
            .map(|name| format!("the value is that of the variable `{name}`: correct or unset it"));
        let tip = of_variable.or_else(|| tips::of(error).map(str::to_owned));
        let tip = tip.map(|tip| format!("\n  tip: {tip}\n")).unwrap_or_default();
        return Err(Problem::usage(format!("{}{tip}", text.trim_end())));
    }
    match error.print() {
        // Where stdout is closed there is nobody to read the help.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Problem::internal(format!("the help could not be printed: {error}")))
        }
        _ => Ok(Exit::Pass),
    }
}
