//! What was found when a machine, a target or a store was looked at before a run.

use std::fmt;

use serde::Serialize;

/// How one thing was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// Good enough to run, but figures or limits are touched.
    Warn,
    /// A run could not do its job.
    Fail,
}

impl CheckState {
    /// The word for it: `warn`.
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

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckFinding {
    /// What it belongs to, such as `this machine`; findings of one group stand together.
    pub group: String,
    /// What was looked at: `file descriptors`.
    pub name: String,
    /// How it was found to be.
    pub state: CheckState,
    /// What was measured or read, with its units; never a secret.
    pub what: String,
    /// What to do about it; `None` where nothing needs to be done.
    pub remedy: Option<String>,
}

impl CheckFinding {
    /// A thing that is as it should be.
    pub fn ok(group: impl Into<String>, name: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            name: name.into(),
            state: CheckState::Ok,
            what: what.into(),
            remedy: None,
        }
    }

    /// The same, but good enough at best.
    #[must_use]
    pub fn warn(self, remedy: impl Into<String>) -> Self {
        Self { state: CheckState::Warn, remedy: Some(remedy.into()), ..self }
    }

    /// The same, but not good enough to run.
    #[must_use]
    pub fn fail(self, remedy: impl Into<String>) -> Self {
        Self { state: CheckState::Fail, remedy: Some(remedy.into()), ..self }
    }

    /// Rewrites every text of it, to take out what must not be shown.
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
