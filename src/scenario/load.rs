//! What a scenario's `[load]` and `[warmup]` ask for, once they are known to make sense.

use std::time::Duration;

use crate::units::Rate;

/// What `[load]` asks for, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadShape {
    /// When requests are sent.
    pub model: LoadModel,
    /// The connections that arrivals are waited with, or those that send.
    pub connections: u32,
    /// The most connections open at once.
    pub max_connections: u32,
    /// Whether every arrival opens a connection of its own.
    pub fresh: bool,
    /// Exchanges at once on one connection.
    pub streams: u32,
    /// How often the run is repeated.
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
        /// The seed, where arrivals are random.
        seed: Option<u64>,
    },
    /// Arrivals at a rate that changes linearly in stages.
    Ramping {
        /// The rate at the beginning, `None` being none.
        start: Option<Rate>,
        /// How long each stage takes and the rate at its end.
        stages: Vec<(Duration, Option<Rate>)>,
        /// The seed, where arrivals are random.
        seed: Option<u64>,
    },
    /// Connections that send again when they are answered; ends at the first of the two limits.
    Closed {
        /// When the last arrival may start.
        duration: Option<Duration>,
        /// How many arrivals there are over all connections.
        iterations: Option<u64>,
    },
}

/// What `[warmup]` asks for, defaults filled in; zeros where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WarmupShape {
    /// How many connections are opened.
    pub connections: u32,
    /// How many arrivals are carried out over them.
    pub requests: u64,
}

impl LoadShape {
    /// The most connections a scenario may ask for; one client address has no more ports towards a target.
    pub const MAX_CONNECTIONS: u32 = 60_000;
    /// The connections that arrivals are waited with where the scenario does not say.
    pub const DEFAULT_CONNECTIONS: u32 = 16;
    /// The longest load, and the longest period of repetition.
    pub const MAX_DURATION: Duration = Duration::from_hours(24);
    /// The most exchanges at once on one connection; servers seldom allow more than a few hundred.
    pub const MAX_STREAMS: u32 = 1_000;
    /// The shortest period of repetition.
    pub const MIN_PERIOD: Duration = Duration::from_secs(1);

    /// One arrival over a connection of its own.
    pub(super) fn once(fresh: bool) -> Self {
        Self {
            model: LoadModel::Once,
            connections: 1,
            max_connections: 1,
            fresh,
            streams: 1,
            every: None,
        }
    }

    /// What is sent before measuring unless the scenario says otherwise: one arrival over each connection; nothing
    /// where connections are measured as they open.
    pub(super) fn default_warmup(&self) -> WarmupShape {
        if self.fresh {
            return WarmupShape::default();
        }
        WarmupShape { connections: self.connections, requests: u64::from(self.connections) }
    }
}
