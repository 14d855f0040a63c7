//! Drift: what runs on Fly against what `fly.toml` says.
//!
//! A deploy applies the file, but `fly scale`, the Machines API and interrupted deploys change
//! machines without it. A setting that the file does not state is only compared if the next deploy
//! would remove it.

mod compare;
mod fly_toml;
mod reader;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

pub use compare::find_drift;
pub use fly_toml::FlyToml;

/// One machine as it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningMachine {
    /// Its id.
    pub id: String,
    /// Its state: `started`, `stopped` and so on.
    pub state: String,
    /// Its region.
    pub region: String,
    /// Its process group (`fly_process_group` in the metadata of its config), if it states one.
    pub group: Option<String>,
    /// `shared` or `performance`.
    pub cpu_kind: Option<String>,
    /// How many CPUs it has.
    pub cpus: Option<u32>,
    /// Its memory in MB.
    pub memory_mb: Option<u32>,
    /// What the proxy sends to it.
    pub services: Vec<RunningService>,
}

/// One service of a running machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningService {
    /// The port on which the app listens.
    pub internal_port: Option<u16>,
    /// `tcp` or `udp`; `tcp` if it is not stated.
    pub protocol: Option<String>,
    /// Whether the proxy starts the machine.
    pub autostart: Option<bool>,
    /// What the proxy does with the machine when it is idle: `off`, `stop` or `suspend`.
    pub autostop: Option<String>,
    /// How many machines the proxy keeps running in the primary region.
    pub min_machines_running: Option<u32>,
    /// What the limits count: `connections` or `requests`.
    pub counted: Option<String>,
    /// Above it, the proxy prefers other machines.
    pub soft_limit: Option<u32>,
    /// At it, the machine gets nothing more.
    pub hard_limit: Option<u32>,
}

/// The comparison of a `fly.toml` with the machines of its app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftReport {
    /// How many machines were compared.
    pub machines: usize,
    /// Every compared setting, in the order of the file.
    pub settings: Vec<ComparedSetting>,
    /// What a reader must know, one sentence each.
    pub notes: Vec<String>,
}

impl DriftReport {
    /// How many settings differ.
    pub fn count_differences(&self) -> usize {
        self.settings.iter().filter(|setting| setting.differs()).count()
    }
}

/// One setting of the file, and the machines on which it is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComparedSetting {
    /// The line of the file, from 1.
    pub line: usize,
    /// The setting as the file writes it: `memory = "2gb"`, or what the file leaves out.
    pub file: String,
    /// What follows from it: `2048 MB`.
    pub expected: String,
    /// How many machines it was compared with.
    pub compared: usize,
    /// The machines on which it is different.
    pub differing: Vec<DifferingMachine>,
    /// What is different in all of them together, if it is not one machine's setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<String>,
}

impl ComparedSetting {
    /// Whether anything differs from the file.
    pub fn differs(&self) -> bool {
        !self.differing.is_empty() || self.together.is_some()
    }
}

/// A machine on which a setting is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferingMachine {
    /// Its id.
    pub id: String,
    /// Its region.
    pub region: String,
    /// Its state.
    pub state: String,
    /// What it has instead.
    pub found: String,
}

/// `148e21 (ord, started): 1024 MB`
impl fmt::Display for DifferingMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {}): {}", self.id, self.region, self.state, self.found)
    }
}
