//! A machine's configuration: kept whole, read in part.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::super::merge_patch::merge_patch;
use super::lenient;

/// The configuration as the API gave it. An update sends all of it back, so that fields that this
/// client does not know are never lost.
#[derive(Clone, PartialEq)]
pub struct MachineConfig(Value);

impl MachineConfig {
    /// A configuration that was read from an answer or a file; `None` if it is not an object.
    pub fn new(json: Value) -> Option<Self> {
        json.is_object().then_some(Self(json))
    }

    /// The whole configuration. It may contain secrets: `env` and `files` are the app's own.
    pub fn as_json(&self) -> &Value {
        &self.0
    }

    /// The configuration after a merge patch (RFC 7396); `None` if that is not an object.
    pub fn patched(&self, patch: &Value) -> Option<Self> {
        let mut json = self.0.clone();
        merge_patch(&mut json, patch);
        Self::new(json)
    }

    /// The machine's size.
    pub fn guest(&self) -> MachineGuest {
        self.read("guest")
    }

    /// How the proxy reaches the machine; empty if it has no services.
    pub fn services(&self) -> Vec<MachineService> {
        self.read("services")
    }

    /// The image to run.
    pub fn image(&self) -> Option<&str> {
        self.0.get("image")?.as_str()
    }

    /// What the app's owner, or flyctl, noted: `fly_process_group`, for instance.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.0.get("metadata")?.get(key)?.as_str()
    }

    fn read<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        let value = self.0.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value).unwrap_or_default()
    }
}

/// Hides the values: an app's environment may contain secrets.
impl fmt::Debug for MachineConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MachineConfig({:?}, ***)", self.guest())
    }
}

impl Serialize for MachineConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MachineConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?;
        Self::new(json).ok_or_else(|| serde::de::Error::custom("expected an object"))
    }
}

/// A machine's size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct MachineGuest {
    /// `shared` or `performance`.
    #[serde(default, deserialize_with = "lenient")]
    pub cpu_kind: Option<String>,
    /// The number of virtual CPUs.
    #[serde(default, deserialize_with = "lenient")]
    pub cpus: Option<u32>,
    /// The memory, in MB (MiB, as Fly counts).
    #[serde(default, deserialize_with = "lenient")]
    pub memory_mb: Option<u32>,
}

impl MachineGuest {
    /// The size's name: `shared-cpu-2x`, as `fly platform vm-sizes` lists it.
    pub fn size_name(&self) -> Option<String> {
        let (kind, cpus) = (self.cpu_kind.as_deref()?, self.cpus?);
        Some(if kind == "shared" {
            format!("shared-cpu-{cpus}x")
        } else {
            format!("{kind}-{cpus}x")
        })
    }

    /// Whether the CPUs have a quota.
    pub fn is_shared(&self) -> Option<bool> {
        self.cpu_kind.as_deref().map(|kind| kind == "shared")
    }
}

/// How the proxy reaches a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct MachineService {
    /// The port that the app listens on.
    #[serde(default, deserialize_with = "lenient")]
    pub internal_port: Option<u16>,
    /// `tcp` or `udp`.
    #[serde(default, deserialize_with = "lenient")]
    pub protocol: Option<String>,
    /// Whether the proxy starts the machine for a request.
    #[serde(default, deserialize_with = "lenient")]
    pub autostart: Option<bool>,
    /// What the proxy does with a surplus machine.
    #[serde(default, deserialize_with = "lenient")]
    pub autostop: Option<AutostopMode>,
    /// How many machines of the primary region the proxy leaves running.
    #[serde(default, deserialize_with = "lenient")]
    pub min_machines_running: Option<u32>,
    /// When the proxy prefers other machines, and when it sends no more.
    #[serde(default, deserialize_with = "lenient")]
    pub concurrency: ServiceConcurrency,
}

/// How much a machine is sent at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct ServiceConcurrency {
    /// What is counted: `connections` or `requests`.
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    pub counted: Option<String>,
    /// Above it, the proxy prefers other machines, and starts one.
    #[serde(default, deserialize_with = "lenient")]
    pub soft_limit: Option<u32>,
    /// At it, the machine gets nothing more.
    #[serde(default, deserialize_with = "lenient")]
    pub hard_limit: Option<u32>,
}

/// What the proxy does with a surplus machine. Answers also write `false` for off and `true` for
/// stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutostopMode {
    /// Leaves it running.
    Off,
    /// Stops it.
    Stop,
    /// Suspends it, or stops it if that is not possible.
    Suspend,
}

impl AutostopMode {
    /// Reads either form; `None` if it is neither.
    pub fn from_json(json: &Value) -> Option<Self> {
        match json {
            Value::Bool(stops) => Some(if *stops { Self::Stop } else { Self::Off }),
            Value::String(text) => match text.as_str() {
                "off" | "false" => Some(Self::Off),
                "stop" | "true" => Some(Self::Stop),
                "suspend" => Some(Self::Suspend),
                _ => None,
            },
            _ => None,
        }
    }

    /// The mode as `fly.toml` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Stop => "stop",
            Self::Suspend => "suspend",
        }
    }
}

impl<'de> Deserialize<'de> for AutostopMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?;
        Self::from_json(&json)
            .ok_or_else(|| serde::de::Error::custom("expected off, stop or suspend"))
    }
}
