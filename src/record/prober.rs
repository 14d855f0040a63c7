//! How the prober itself fared.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Histogram, micros};

/// How the prober itself fared in the measured phase: what its figures are to be believed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProberMeasurement {
    /// How late a timer that is due every millisecond went off, over all workers. A worker that
    /// does not get round to it stands still, and stamps late whatever comes in meanwhile.
    pub hiccups: Histogram,
    /// Processor time passed by spinning towards due times, over all workers.
    #[serde(rename = "spun_us", with = "micros")]
    pub spun: Duration,
}

impl ProberMeasurement {
    /// Adds what another worker, or another prober, saw.
    pub fn add(&mut self, other: &Self) {
        self.hiccups.add(&other.hiccups);
        self.spun += other.spun;
    }
}
