//! What one run will do.

use std::time::Duration;

use time::OffsetDateTime;

use super::scenario_plan::ScenarioPlan;
use super::schedule::Shard;
use super::secrets::SecretSet;
use crate::record::{Measurement, RunEnding};

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
    /// The part of the run that this prober executes; `None` for the whole run.
    pub shard_plan: Option<ShardPlan>,
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
    /// The wall-clock time at which the measured stage starts.
    pub start: OffsetDateTime,
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
