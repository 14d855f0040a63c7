//! When arrivals are due, and over how many connections.

use std::time::Duration;

use super::schedule::Schedule;

/// When arrivals are due.
#[derive(Debug, Clone)]
pub enum Load {
    /// Arrivals do not wait for answers.
    Open {
        /// When each arrival is due.
        schedule: Schedule,
        /// How many connections arrivals are waited with; they are the ones that are warmed up.
        connections: u32,
        /// How many may be open at once: where those above are all taken, an arrival opens another one up to here.
        max_connections: u32,
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
    /// How many connections there are to begin with.
    pub fn connections(&self) -> u32 {
        match self {
            Self::Open { connections, .. } | Self::Closed { connections, .. } => *connections,
        }
    }

    /// How many connections may be open at once.
    pub fn max_connections(&self) -> u32 {
        match self {
            Self::Open { max_connections, .. } => *max_connections,
            Self::Closed { connections, .. } => *connections,
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
