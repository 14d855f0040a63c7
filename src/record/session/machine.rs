//! Machines as an attempt found them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::record::micros;
use crate::units::duration_literal;

/// The state that the app is brought into before an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ColdState {
    /// Every machine of the attempt is stopped.
    Stop,
    /// Every machine of the attempt is suspended.
    Suspend,
    /// Every machine of the attempt is restarted.
    Restart,
    /// No request is sent for this long.
    Idle {
        /// How long.
        #[serde(rename = "for_us", with = "micros")]
        pause: Duration,
    },
    /// The app is left as it is.
    None,
}

impl fmt::Display for ColdState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop => f.write_str("stop"),
            Self::Suspend => f.write_str("suspend"),
            Self::Restart => f.write_str("restart"),
            Self::Idle { pause } => write!(f, "idle:{}", duration_literal(*pause)),
            Self::None => f.write_str("none"),
        }
    }
}

/// One machine at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its state: `started`, `stopped`, `suspended` and so on.
    pub state: String,
    /// Its region: `ord`.
    pub region: String,
    /// Its size: `shared-cpu-1x`; `unknown` if the config does not say.
    pub size: String,
    /// Its number of CPUs.
    pub cpus: u32,
    /// Whether its CPUs are shared ones, which have a quota.
    pub shared_cpus: bool,
    /// Its memory in MB.
    pub memory_mb: u32,
    /// Its image.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Its version: any update changes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance_id: String,
    /// What the proxy does with it when it is idle: `off`, `stop`, `suspend`; empty if not stated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub autostop: String,
    /// Whether the proxy starts it; `None` if not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autostart: Option<bool>,
    /// How many machines the proxy keeps running in the primary region; `None` if not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_machines_running: Option<u32>,
    /// What its limits count: `connections` or `requests`; empty if that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub concurrency_type: String,
    /// Requests or connections at once above which the proxy prefers another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_limit: Option<u32>,
    /// Requests or connections at once above which the proxy sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_limit: Option<u32>,
    /// Its latest events, newest first, one line each: `2026-11-29T04:00:00Z start started by
    /// user`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
}

/// A machine that a command of the plan added. At the end of a session, those that are gone leave
/// its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedMachine {
    /// Its id.
    pub id: String,
    /// Its region.
    pub region: String,
    /// The index of the configuration whose command added it.
    pub configuration: usize,
}

/// How a machine came to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartKind {
    /// It booted.
    Booted,
    /// It resumed from a snapshot.
    Resumed,
    /// It ran all the time.
    Ran,
    /// Fly does not say, and events and latency do not tell either.
    Unknown,
}

/// What Fly's metrics say about the CPUs of the machines during an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "known", content = "reading")]
pub enum QuotaReading {
    /// One reading for each machine, by id.
    Known(BTreeMap<String, CpuReading>),
    /// Nothing is known; the text says why.
    NotKnown(String),
}

/// The CPU of one machine during an attempt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuReading {
    /// How long the quota held its CPUs back, added over its CPUs.
    #[serde(rename = "throttled_us", with = "micros")]
    pub throttled: Duration,
    /// When throttling was seen to rise, as spans from and to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub throttled_spans: Vec<TimeSpan>,
    /// The balance at the start, in CPU-microseconds over all its CPUs; `None` if not reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance_before_us: Option<u64>,
    /// The balance at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance_after_us: Option<u64>,
    /// CPU time that the machine used; `None` if not reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_us: Option<u64>,
    /// CPU time that other machines of the host took from it; `None` if not reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_us: Option<u64>,
    /// The smallest share of its memory that was available, 0 to 1; `None` if not reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_available: Option<f64>,
}

/// A span of wall-clock time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSpan {
    /// Its start.
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    /// Its end.
    #[serde(with = "time::serde::rfc3339")]
    pub to: OffsetDateTime,
}
