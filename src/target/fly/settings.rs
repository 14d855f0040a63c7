//! What the rehearsal of Fly simulates, resolved.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use super::effects::{ConfigEffect, WorkCost};
use super::machine::{JobEnd, MachineState};
use crate::units::Ratio;

use super::super::warmth::WarmingCurve;

/// The simulated app with its machines.
#[derive(Debug, Clone)]
pub(super) struct FlySettings {
    pub(super) app: String,
    pub(super) org: String,
    pub(super) region: String,
    /// Regions in which machines can be made, in addition to that one.
    pub(super) regions: Vec<String>,
    /// Those of all regions that have no room for another machine.
    pub(super) full_regions: Vec<String>,
    /// The names of the app's secrets.
    pub(super) secrets: Vec<String>,
    /// How machines without a service end by themselves; `None` if they do not.
    pub(super) job: Option<JobEnd>,
    pub(super) token: SecretString,
    pub(super) seed: u64,
    pub(super) scale: TimeScale,
    /// Between two samples of a machine's metrics, in simulated time.
    pub(super) metrics_every: Duration,
    pub(super) machines: Vec<FirstMachine>,
    /// After which the proxy stops a surplus machine.
    pub(super) idle: Duration,
    /// How often the app requests itself; `None` if it does not.
    pub(super) self_ping: Option<Duration>,
    pub(super) work: WorkSettings,
    pub(super) effects: Vec<ConfigEffect>,
    pub(super) faults: ApiFaults,
}

/// A machine that exists from the start.
#[derive(Debug, Clone)]
pub(super) struct FirstMachine {
    pub(super) config: Value,
    pub(super) state: MachineState,
    /// Saved CPU time of each vCPU.
    pub(super) balance: Duration,
}

/// The work of the app.
#[derive(Debug, Clone)]
pub(super) struct WorkSettings {
    pub(super) cost: WorkCost,
    pub(super) warming: Option<WarmingCurve>,
    pub(super) cache_lifetime: Duration,
    pub(super) cache_cost: Duration,
}

/// What goes wrong with the Machines API.
#[derive(Debug, Clone)]
pub(super) struct ApiFaults {
    pub(super) error_rate: Ratio,
    pub(super) slow_wait: Duration,
    pub(super) rate_limits: bool,
}

/// Simulated seconds in one real second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TimeScale(pub(super) f64);

impl TimeScale {
    /// The simulated time in a real one.
    pub(super) fn simulated(self, real: Duration) -> Duration {
        multiplied(real, self.0)
    }

    /// The real time in a simulated one, rounded up: whoever waits for it does not wake too early.
    pub(super) fn real(self, simulated: Duration) -> Duration {
        multiplied(simulated, 1.0 / self.0) + Duration::from_nanos(1)
    }
}

fn multiplied(time: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(Duration::MAX / 4)
}
