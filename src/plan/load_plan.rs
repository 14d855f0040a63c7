//! When arrivals are due, and over how many connections.

use std::time::Duration;

use super::schedule::Schedule;

/// When arrivals are due.
#[derive(Debug, Clone)]
pub enum LoadPlan {
    /// Arrivals do not wait for responses.
    Open {
        /// When each arrival is due.
        schedule: Schedule,
        /// How many connections are open from the start. The warm-up warms these.
        connections: u32,
        /// The maximum number of open connections. An arrival that finds none free opens another
        /// one up to this limit.
        max_connections: u32,
    },
    /// Each connection sends again when its response is complete.
    Closed {
        /// How many connections send.
        connections: u32,
        /// When the last arrival may start.
        until: Duration,
        /// The maximum number of arrivals over all connections.
        iterations: Option<u64>,
    },
}

impl LoadPlan {
    /// How many connections are open from the start.
    pub fn connections(&self) -> u32 {
        match self {
            Self::Open { connections, .. } | Self::Closed { connections, .. } => *connections,
        }
    }

    /// The maximum number of open connections.
    pub fn max_connections(&self) -> u32 {
        match self {
            Self::Open { max_connections, .. } => *max_connections,
            Self::Closed { connections, .. } => *connections,
        }
    }

    /// The number of arrivals, or the largest possible number; `None` if the speed of the target
    /// decides.
    pub fn arrivals(&self) -> Option<u64> {
        match self {
            Self::Open { schedule, .. } => Some(schedule.count()),
            Self::Closed { iterations, .. } => *iterations,
        }
    }

    /// The length of the measured stage. The last responses may come later.
    pub fn duration(&self) -> Duration {
        match self {
            Self::Open { schedule, .. } => schedule.duration(),
            Self::Closed { until, .. } => *until,
        }
    }
}
