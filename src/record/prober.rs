//! Measurements of the prober itself.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Histogram, micros};

/// Measurements of the prober in the measured stage. They show how far its figures can be trusted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProberMeasurement {
    /// How late timers fired, over all threads: those that release arrivals, and others between
    /// them. A thread that runs a timer late also stamps late what arrived in that time.
    pub hiccups: Histogram,
    /// Processor time spent spinning until due times, over all threads.
    #[serde(rename = "spun_us", with = "micros")]
    #[schemars(with = "u64")]
    pub spun: Duration,
}

impl ProberMeasurement {
    /// Adds the measurements of another thread or another prober.
    pub fn add(&mut self, other: &Self) {
        self.hiccups.add(&other.hiccups);
        self.spun += other.spun;
    }
}
