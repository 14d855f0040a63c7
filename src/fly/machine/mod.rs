//! A machine as the Machines API describes it.
//!
//! Fields that an answer lacks, or gives in a form that this client does not know, are `None` or
//! empty. Only a machine without an id is not a machine.

mod config;
mod event;
mod start;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use config::{AutostopMode, MachineConfig, MachineGuest, MachineService, ServiceConcurrency};
pub use event::MachineEvent;
pub use start::{LastStart, StartKind, last_start};

/// A machine.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Machine {
    /// Stays the same for the machine's life.
    pub id: String,
    /// A name that Fly or its owner chose.
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    /// What it is doing.
    #[serde(default, deserialize_with = "lenient")]
    pub state: MachineState,
    /// The region's three letters.
    #[serde(default, deserialize_with = "lenient")]
    pub region: String,
    /// Identifies the version of the machine; any update changes it.
    #[serde(default, deserialize_with = "lenient")]
    pub instance_id: String,
    /// The whole configuration; `None` while the machine's host cannot be reached.
    #[serde(default, deserialize_with = "lenient")]
    pub config: Option<MachineConfig>,
    /// What is known of the configuration of an unreachable machine. An update must not start from
    /// it: what it lacks would be lost.
    #[serde(default, deserialize_with = "lenient")]
    pub incomplete_config: Option<MachineConfig>,
    /// What happened to it, the latest first.
    #[serde(default, deserialize_with = "lenient_list")]
    pub events: Vec<MachineEvent>,
    /// The image that it runs.
    #[serde(default, deserialize_with = "lenient")]
    pub image_ref: ImageRef,
}

/// What a machine is doing.
///
/// <https://fly.io/docs/machines/machine-states/>
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the state of the same name in Fly's documentation")]
pub enum MachineState {
    Created,
    Starting,
    Started,
    Stopping,
    Stopped,
    Suspending,
    Suspended,
    Replacing,
    Replaced,
    Destroying,
    Destroyed,
    Failed,
    /// The answer has no state.
    #[default]
    Unknown,
    /// A state that this client does not know.
    Other(String),
}

impl MachineState {
    fn from_text(text: &str) -> Self {
        match text {
            "created" => Self::Created,
            "starting" => Self::Starting,
            "started" => Self::Started,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            "suspending" => Self::Suspending,
            "suspended" => Self::Suspended,
            "replacing" => Self::Replacing,
            "replaced" => Self::Replaced,
            "destroying" => Self::Destroying,
            "destroyed" => Self::Destroyed,
            "failed" => Self::Failed,
            "" => Self::Unknown,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether the machine leaves the state by itself. Meanwhile Fly refuses most changes.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Starting
            | Self::Stopping
            | Self::Suspending
            | Self::Replacing
            | Self::Destroying => true,
            Self::Other(other) => other.ends_with("ing"),
            _ => false,
        }
    }

    /// The state as the API writes it; `unknown` if the answer has none.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Suspending => "suspending",
            Self::Suspended => "suspended",
            Self::Replacing => "replacing",
            Self::Replaced => "replaced",
            Self::Destroying => "destroying",
            Self::Destroyed => "destroyed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Other(other) => other,
        }
    }
}

impl fmt::Display for MachineState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for MachineState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_text(&String::deserialize(deserializer)?))
    }
}

/// The image that a machine runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct ImageRef {
    /// The registry: `registry.fly.io`.
    #[serde(default, deserialize_with = "lenient")]
    pub registry: String,
    /// The repository: the app's name, usually.
    #[serde(default, deserialize_with = "lenient")]
    pub repository: String,
    /// The tag: `deployment-01J…`.
    #[serde(default, deserialize_with = "lenient")]
    pub tag: String,
    /// The digest: `sha256:…`.
    #[serde(default, deserialize_with = "lenient")]
    pub digest: String,
}

/// A field whose absent, `null` or unknown form counts as its default.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// A list without the items whose form is unknown.
fn lenient_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let Value::Array(items) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}

#[cfg(test)]
mod tests;
