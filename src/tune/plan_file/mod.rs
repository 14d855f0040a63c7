//! The plan file of a tuning session: what is tried, how often, and from which cold state.
//!
//! It is read as a scenario is: every mistake is found at once, with its place and a remedy.

mod check;
mod machine_patch;
pub mod sections;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::record::session::ColdState;
use crate::scenario::reading::{Diagnostics, ReadValue as _};
use crate::scenario::{FileKind, ScenarioErrors, ScenarioSource, parse_root, read_source};
use crate::units::Rate;
use sections::SessionFile;

/// What a session tries, with defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionPlan {
    /// The session's name.
    pub name: String,
    /// The scenario file, relative to the working directory.
    pub scenario: PathBuf,
    /// The Fly app; `None` if nothing needs one.
    pub app: Option<String>,
    /// The state that the app is brought into before each attempt.
    pub cold: ColdState,
    /// How many times each configuration is tried, 1 to [`Self::MAX_ROUNDS`].
    pub rounds: u32,
    /// The seed of the order of the configurations within rounds.
    pub seed: u64,
    /// The warm-up curve.
    pub curve: CurvePlan,
    /// What is tried, at least one. The first one is what the others are compared with.
    pub configurations: Vec<ConfigurationPlan>,
}

/// The warm-up curve: requests at a low constant rate until steady.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePlan {
    /// The rate.
    pub rate: Rate,
    /// How long the curve may last.
    pub limit: Duration,
}

/// One configuration of the app.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigurationPlan {
    /// Its name, unique within the session.
    pub name: String,
    /// Why it may help; may be empty.
    pub hypothesis: String,
    /// How it is applied.
    pub change: ConfigurationChange,
}

/// How a configuration is applied.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigurationChange {
    /// Nothing changes.
    None,
    /// A merge patch (RFC 7396) of the machine's config: an object that changes something.
    Machine(Value),
    /// A program and its arguments, executed without a shell.
    Command(Vec<String>),
}

impl ConfigurationPlan {
    /// The configuration of a plan that names none.
    fn as_it_is() -> Self {
        Self {
            name: "as it is".to_owned(),
            hypothesis: String::new(),
            change: ConfigurationChange::None,
        }
    }
}

impl ConfigurationChange {
    /// Whether it has values that its text does not show, because they may be secret.
    pub fn hides_values(&self) -> bool {
        matches!(self, Self::Machine(patch) if without_secrets(patch) != *patch)
    }
}

/// In one line: the patch as JSON, or the command; empty if nothing changes. The values of
/// environment variables and files are not shown, because they may be secret.
impl fmt::Display for ConfigurationChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Machine(patch) => write!(f, "{}", without_secrets(patch)),
            Self::Command(words) => f.write_str(&words.join(" ")),
        }
    }
}

/// Keys of a machine's config whose values may be secret.
const SECRET_KEYS: [&str; 4] = ["env", "files", "processes", "secrets"];

fn without_secrets(patch: &Value) -> Value {
    let keys = match patch {
        Value::Object(keys) => keys,
        Value::Array(list) => return list.iter().map(without_secrets).collect(),
        other => return other.clone(),
    };
    let entries = keys.iter().map(|(key, value)| {
        let may_be_secret = SECRET_KEYS.contains(&key.as_str());
        (key.clone(), if may_be_secret { hide_texts(value) } else { without_secrets(value) })
    });
    Value::Object(entries.collect())
}

/// The value with every text, number and boolean replaced by dots.
fn hide_texts(value: &Value) -> Value {
    match value {
        Value::Object(keys) => {
            keys.iter().map(|(key, value)| (key.clone(), hide_texts(value))).collect()
        }
        Value::Array(list) => list.iter().map(hide_texts).collect(),
        Value::Null => Value::Null,
        _ => Value::from("•••"),
    }
}

const PLAN_FILE: FileKind = FileKind {
    what: "a session's plan",
    file: "a session's plan file",
    missing: |_| "name a session's plan file that exists, such as `tune.toml`".to_owned(),
};

impl SessionPlan {
    /// The most rounds of a session.
    pub const MAX_ROUNDS: u32 = 100;
    /// The most configurations of a session.
    pub const MAX_CONFIGURATIONS: usize = 20;

    /// Reads a session's plan file. The error holds every mistake found in it.
    pub fn read(path: &Path) -> Result<Self, ScenarioErrors> {
        Self::from_source(read_source(path, &PLAN_FILE)?)
    }

    /// Reads a session's plan from text. Errors show `source_name` as the path of the file.
    pub fn parse(source_name: &str, text: &str) -> Result<Self, ScenarioErrors> {
        Self::from_source(ScenarioSource::new(source_name, text))
    }

    fn from_source(source: ScenarioSource) -> Result<Self, ScenarioErrors> {
        let source = Arc::new(source);
        let mut diagnostics = Diagnostics::default();
        let file = parse_root(&source, &mut diagnostics)
            .and_then(|root| SessionFile::read(&root, &mut diagnostics));
        let plan = file.and_then(|file| check::plan(&file, &source, &mut diagnostics));
        match plan {
            Some(plan) if diagnostics.is_empty() => Ok(plan),
            _ => Err(ScenarioErrors::of(&source, diagnostics.into_inner())),
        }
    }
}
