//! The load and the warm-up that a scenario describes, after they were checked.

use std::time::Duration;

use crate::units::Rate;

/// The load that `[load]` describes, with defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadShape {
    /// When requests are sent.
    pub model: LoadModel,
    /// The connections that are open from the start; in a closed load, those that send.
    pub connections: u32,
    /// The maximum number of open connections.
    pub max_connections: u32,
    /// Whether every arrival opens its own connection.
    pub fresh: bool,
    /// How many exchanges share one connection at a time.
    pub streams: u32,
    /// The length of the periods whose arrivals are sent together.
    pub batch_every: Option<Duration>,
    /// The period at which the run is repeated.
    pub every: Option<Duration>,
}

/// When requests are sent.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadModel {
    /// One arrival.
    Once,
    /// Arrivals at one rate.
    Constant {
        /// The rate.
        rate: Rate,
        /// For how long.
        duration: Duration,
        /// The seed, if arrivals are random.
        seed: Option<u64>,
    },
    /// Arrivals at a rate that changes linearly in each ramp step.
    Ramping {
        /// The rate at the start; `None` for no arrivals.
        start: Option<Rate>,
        /// The duration of each ramp step, and the rate at its end.
        stages: Vec<(Duration, Option<Rate>)>,
        /// The seed, if arrivals are random.
        seed: Option<u64>,
    },
    /// Connections that send again after each response. The load ends at the first of the two
    /// limits.
    Closed {
        /// When the last arrival may start.
        duration: Option<Duration>,
        /// The number of arrivals over all connections.
        iterations: Option<u64>,
    },
}

/// The warm-up that `[warmup]` describes, with defaults filled in; zeros for no warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WarmupShape {
    /// How many connections are opened.
    pub connections: u32,
    /// How many arrivals are sent over them.
    pub requests: u64,
}

impl LoadShape {
    /// The maximum number of connections. One client address has no more ports towards a target.
    pub const MAX_CONNECTIONS: u32 = 60_000;
    /// The default number of connections of an open load.
    pub const DEFAULT_CONNECTIONS: u32 = 16;
    /// The longest load, and the longest period of repetition.
    pub const MAX_DURATION: Duration = Duration::from_hours(24);
    /// The maximum number of exchanges on one connection. Servers seldom allow more than a few
    /// hundred.
    pub const MAX_STREAMS: u32 = 1_000;
    /// The shortest period of repetition.
    pub const MIN_PERIOD: Duration = Duration::from_secs(1);
    /// The shortest time between two batches.
    pub const MIN_BATCH_PERIOD: Duration = Duration::from_micros(100);
    /// The longest time between two batches, and a multiple of every other: slots and default
    /// stall horizons are multiples of it, so each of them has whole batches.
    pub const MAX_BATCH_PERIOD: Duration = Duration::from_millis(10);

    /// One arrival over its own connection.
    pub(super) fn once(fresh: bool) -> Self {
        Self {
            model: LoadModel::Once,
            connections: 1,
            max_connections: 1,
            fresh,
            streams: 1,
            batch_every: None,
            every: None,
        }
    }

    /// The default warm-up: one arrival over each connection; none if every arrival opens its own
    /// connection, because opening is then measured.
    pub(super) fn default_warmup(&self) -> WarmupShape {
        if self.fresh {
            return WarmupShape::default();
        }
        WarmupShape { connections: self.connections, requests: u64::from(self.connections) }
    }
}
