//! Findings about a machine, a target or a store, made before a run.

use std::fmt;

use serde::Serialize;

/// The result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// A run is possible, but figures or limits are affected.
    Warn,
    /// A run could not do its job.
    Fail,
}

impl CheckState {
    /// The name used in output: `warn`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One check with its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckFinding {
    /// What it belongs to, such as `this machine`; output lists the findings of a group together.
    pub group: String,
    /// What was checked: `file descriptors`.
    pub name: String,
    /// The result.
    pub state: CheckState,
    /// What was measured or read, with units; never a secret.
    pub what: String,
    /// What to do about it; `None` if nothing needs to be done.
    pub remedy: Option<String>,
}

impl CheckFinding {
    /// A finding in the state [`CheckState::Ok`].
    pub fn ok(group: impl Into<String>, name: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            name: name.into(),
            state: CheckState::Ok,
            what: what.into(),
            remedy: None,
        }
    }

    /// The same finding in the state [`CheckState::Warn`].
    #[must_use]
    pub fn warn(self, remedy: impl Into<String>) -> Self {
        Self { state: CheckState::Warn, remedy: Some(remedy.into()), ..self }
    }

    /// The same finding in the state [`CheckState::Fail`].
    #[must_use]
    pub fn fail(self, remedy: impl Into<String>) -> Self {
        Self { state: CheckState::Fail, remedy: Some(remedy.into()), ..self }
    }

    /// Rewrites every text in it, to redact secrets.
    #[must_use]
    pub fn map_text(self, rewrite: impl Fn(&str) -> String) -> Self {
        Self {
            group: rewrite(&self.group),
            name: rewrite(&self.name),
            what: rewrite(&self.what),
            remedy: self.remedy.as_deref().map(rewrite),
            ..self
        }
    }
}
