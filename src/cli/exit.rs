//! Exit codes, and the errors that end a command.

use std::fmt;
use std::process::ExitCode;

use crate::engine::EngineError;
use crate::record::Decision;
use crate::store::{DatabaseError, SessionError, StoreError};

/// How the program ends. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: every budget holds, or the gate passes.
    Pass = 0,
    /// 1: a budget or an expectation does not hold, or the gate fails.
    Fail = 1,
    /// 2: a flag or a scenario is wrong.
    Usage = 2,
    /// 3: the data is not sufficient for a verdict.
    Inconclusive = 3,
    /// 4: the prober could not do its job.
    Internal = 4,
}

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Decision> for ExitStatus {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Pass => Self::Pass,
            Decision::Fail => Self::Fail,
            Decision::Inconclusive => Self::Inconclusive,
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct CommandError {
    exit: ExitStatus,
    kind: &'static str,
    message: String,
}

impl CommandError {
    /// A flag, an argument or a file of the user is wrong.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { exit: ExitStatus::Usage, kind: "usage", message: message.into() }
    }

    /// The prober could not do its job.
    pub(super) fn internal(message: impl fmt::Display) -> Self {
        Self { exit: ExitStatus::Internal, kind: "internal", message: format!("error: {message}") }
    }

    /// The same error with exit code 1, for the one command whose every failure has this code.
    pub(super) fn into_failure(self) -> Self {
        Self { exit: ExitStatus::Fail, ..self }
    }

    /// The same error as an internal one: something was already made or sent.
    pub(super) fn into_internal(self) -> Self {
        Self { exit: ExitStatus::Internal, kind: "internal", ..self }
    }

    /// The program's exit code.
    pub fn exit(&self) -> ExitStatus {
        self.exit
    }

    /// The error's type in machine-readable logs: `usage` or `internal`.
    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.trim_end())
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::internal(error)
    }
}

impl From<SessionError> for CommandError {
    fn from(error: SessionError) -> Self {
        if error.is_usage() {
            Self::usage(format!("error: {error}"))
        } else {
            Self::internal(error)
        }
    }
}

impl From<DatabaseError> for CommandError {
    fn from(error: DatabaseError) -> Self {
        Self::internal(error)
    }
}

impl From<EngineError> for CommandError {
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
