//! What will happen: a scenario with its environment read, its secrets wrapped and its defaults gone.

mod doubts;
mod environment;
mod expectation;
mod filling;
mod load;
mod request;
mod resolve;
mod schedule;
mod secrets;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use crate::expect::Expectations;
use crate::record::{
    Ceiling, Connections, Ending, Measurement, PlannedScenario, RequestMeasurement, ScenarioMeasurement,
};

pub use environment::Environment;
pub use resolve::Overrides;
pub use schedule::{Arrivals, Ramp, Schedule, Shard};
pub use secrets::Secrets;

/// Everything one run will do: its scenarios, carried out at the same time.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scenarios, in the order of the command; their names differ.
    pub scenarios: Vec<ScenarioPlan>,
    /// The values that must never be shown, to be blotted out of anything a target or an error may echo.
    pub secrets: Secrets,
}

impl Plan {
    /// The measurement of a run that has not begun: every scenario and request, and nothing counted.
    pub fn nothing_measured(&self) -> Measurement {
        Measurement {
            scenarios: self.scenarios.iter().map(ScenarioPlan::nothing_measured).collect(),
            measured_from: Duration::ZERO,
            elapsed: Duration::ZERO,
            ending: Ending::Recovered,
        }
    }
}

/// What one scenario will do.
#[derive(Debug, Clone)]
pub struct ScenarioPlan {
    /// The same in words and without secrets, for the record; holds the scenario's and the requests' names.
    pub shown: PlannedScenario,
    /// Where requests go, and on what terms.
    pub target: TargetPlan,
    /// The requests that each arrival carries out, in order.
    pub requests: Vec<RequestPlan>,
    /// When arrivals are due.
    pub load: Load,
    /// Whether a connection carries more than one arrival.
    pub reuse: Reuse,
    /// What is sent before measuring.
    pub warmup: Warmup,
}

impl ScenarioPlan {
    fn nothing_measured(&self) -> ScenarioMeasurement {
        let requests = self.shown.requests.iter().zip(&self.requests);
        ScenarioMeasurement {
            name: self.shown.name.clone(),
            requests: requests
                .map(|(shown, request)| RequestMeasurement::new(shown.name.clone(), request.ceilings.clone()))
                .collect(),
            planned: match &self.load {
                Load::Open { schedule, .. } => Some(schedule.count()),
                Load::Closed { .. } => None,
            },
            released: 0,
            unreleased: 0,
            abandoned: 0,
            connections: Connections::default(),
            protocols: Vec::new(),
        }
    }
}

/// Where requests go, and on what terms.
#[derive(Debug, Clone)]
pub struct TargetPlan {
    /// Scheme, host and port, with a path that requests are appended to; no user information.
    pub base_url: Url,
    /// Which certificates are believed.
    pub trust: Trust,
    /// How long each phase, and an exchange as a whole, may take.
    pub timeouts: Timeouts,
}

/// Which certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The system's roots, or Mozilla's where the system has none.
    System,
    /// The certificates of a PEM file and no others.
    File(PathBuf),
}

/// How long an exchange and its phases may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup.
    pub dns: Duration,
    /// The TCP handshake.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From sent to the first byte of the answer.
    pub first_byte: Duration,
    /// From the moment a connection takes the arrival to done, opening the connection included. An arrival that
    /// waited this long for a connection in vain is dropped.
    pub whole: Duration,
}

/// One request, ready to be sent.
#[derive(Clone)]
pub struct RequestPlan {
    /// Its method.
    pub method: Method,
    /// The full URL.
    pub url: Url,
    /// Every header but `host` and `content-length`; secret values are marked sensitive.
    pub headers: HeaderMap,
    /// Its body; may be empty.
    pub body: Bytes,
    /// What the answer must be.
    pub expectations: Expectations,
    /// The ceilings of its budgets, each once; exceedances are counted against them.
    pub ceilings: Vec<Ceiling>,
}

/// Shows no URL, header or body, as these may hold secrets.
impl fmt::Debug for RequestPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestPlan")
            .field("method", &self.method)
            .field("expectations", &self.expectations)
            .field("ceilings", &self.ceilings)
            .finish_non_exhaustive()
    }
}

/// When arrivals are due.
#[derive(Debug, Clone)]
pub enum Load {
    /// Arrivals do not wait for answers.
    Open {
        /// When each arrival is due.
        schedule: Schedule,
        /// How many connections may be open at once.
        connections: u32,
    },
    /// Each connection sends again when it is answered.
    Closed {
        /// How many connections send.
        connections: u32,
        /// When the last arrival may start.
        until: Duration,
        /// How many arrivals there are at most, over all connections.
        iterations: Option<u64>,
    },
}

impl Load {
    /// How many connections may be open at once.
    pub fn connections(&self) -> u32 {
        match self {
            Self::Open { connections, .. } | Self::Closed { connections, .. } => *connections,
        }
    }

    /// The length of the measured phase; the last answers may come later.
    pub fn duration(&self) -> Duration {
        match self {
            Self::Open { schedule, .. } => schedule.duration(),
            Self::Closed { until, .. } => *until,
        }
    }
}

/// Whether a connection carries more than one arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Connections are kept and used again.
    Keep,
    /// Every arrival opens a connection of its own (`connections = "fresh"`).
    Fresh,
}

/// What is sent before measuring; it is recorded apart and never judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warmup {
    /// How many connections are opened; at most the load's.
    pub connections: u32,
    /// How many arrivals are carried out over them, at least one a connection.
    pub requests: u64,
}
