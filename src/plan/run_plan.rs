//! What one run will do.

use std::time::Duration;

use time::OffsetDateTime;

use super::scenario_plan::ScenarioPlan;
use super::schedule::Shard;
use super::secrets::SecretSet;
use crate::record::{Measurement, RunEnding, ShardClock};

/// Everything one run will do. Its scenarios run at the same time.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The scenarios, in the order of the command. Their names are unique.
    pub scenarios: Vec<ScenarioPlan>,
    /// The values that must never be shown. They are redacted from everything that a target or an
    /// error may echo.
    pub secrets: SecretSet,
    /// The period at which the plan is repeated, each time as a separate run; `None` for one run.
    pub every: Option<Duration>,
    /// How the prober waits for due times.
    pub pacing: PacingMode,
    /// Whether other machines may be loaded beyond [`FOREIGN_LIMIT`].
    pub consent: LoadConsent,
    /// The part of the run that this prober executes; `None` for the whole run.
    pub shard_plan: Option<ShardPlan>,
}

/// How many requests per second, and how many at once, a host other than this machine may get
/// without the user's consent.
pub const FOREIGN_LIMIT: u32 = 100;

/// Whether the user allows more requests to other machines than [`FOREIGN_LIMIT`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoadConsent {
    /// No.
    #[default]
    Missing,
    /// Yes, with `--yes-load-this-host`.
    Given,
}

impl LoadConsent {
    /// The consent of a flag.
    pub fn of_flag(is_set: bool) -> Self {
        if is_set { Self::Given } else { Self::Missing }
    }
}

/// How the prober waits for due times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PacingMode {
    /// With a timer that fires shortly before the due time, then by spinning. The spinning is
    /// bounded.
    #[default]
    Spin,
    /// With a timer alone.
    Sleep,
}

/// The part of a run that one of several probers executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardPlan {
    /// The arrivals of each schedule that belong to this part.
    pub shard: Shard,
    /// When the measured stage starts, by the clock that the probers share.
    pub start: OffsetDateTime,
    /// How this prober's clock differs from that clock; `None` if each prober goes by its own.
    pub clock: Option<ShardClock>,
}

impl ShardPlan {
    /// The shared clock's time when this prober's clock shows `own`.
    pub fn common_clock(&self, own: OffsetDateTime) -> OffsetDateTime {
        let offset = self.clock.map_or(time::Duration::ZERO, ShardClock::offset);
        own.checked_add(offset).unwrap_or(own)
    }
}

impl Plan {
    /// A plan that runs these scenarios once, without sharding or secrets.
    pub fn from_scenarios(scenarios: Vec<ScenarioPlan>) -> Self {
        Self { scenarios, ..Self::default() }
    }

    /// The measurement of a run that has not started: every scenario and request, with all counts
    /// at zero.
    ///
    /// If the run is split across probers, only the arrivals of this prober are planned.
    pub fn empty_measurement(&self) -> Measurement {
        let scenarios =
            self.scenarios.iter().map(|scenario| scenario.nothing_measured(self.shard()));
        Measurement::with_scenarios(scenarios.collect(), RunEnding::Recovered)
    }

    /// The arrivals of each schedule that this prober sends.
    pub fn shard(&self) -> Shard {
        self.shard_plan.map_or(Shard::WHOLE, |part| part.shard)
    }
}
