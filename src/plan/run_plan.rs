//! What one run will do.

use std::time::Duration;

use time::OffsetDateTime;

use super::scenario_plan::ScenarioPlan;
use super::schedule::Shard;
use super::secrets::Secrets;
use crate::record::{Ending, Measurement};

/// Everything one run will do: its scenarios, carried out at the same time.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The scenarios, in the order of the command; their names differ.
    pub scenarios: Vec<ScenarioPlan>,
    /// The values that must never be shown, to be blotted out of anything a target or an error may echo.
    pub secrets: Secrets,
    /// How often the whole is repeated, each time as a run of its own; `None` for one run.
    pub every: Option<Duration>,
    /// How the prober waits for due times.
    pub pacing: Pacing,
    /// The part of the run that this prober carries out; `None` for the whole.
    pub part: Option<PlannedPart>,
}

/// How the prober waits for due times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pacing {
    /// By a timer set short of the due time, and by spinning for the rest, within a bound.
    #[default]
    Spin,
    /// By a timer alone.
    Sleep,
}

/// The part of a run that one of several probers carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedPart {
    /// Which arrivals of each schedule.
    pub shard: Shard,
    /// When the measured phase starts, on the calendar.
    pub start: OffsetDateTime,
}

impl Plan {
    /// A plan of these scenarios, to be carried out once and whole, that knows no secrets.
    pub fn of(scenarios: Vec<ScenarioPlan>) -> Self {
        Self { scenarios, ..Self::default() }
    }

    /// The measurement of a run that has not begun: every scenario and request, and nothing counted. Where the run is
    /// shared out, as many arrivals are planned as fall to this prober.
    pub fn nothing_measured(&self) -> Measurement {
        let scenarios =
            self.scenarios.iter().map(|scenario| scenario.nothing_measured(self.shard()));
        Measurement::of(scenarios.collect(), Ending::Recovered)
    }

    /// Which arrivals of each schedule this prober carries out.
    pub fn shard(&self) -> Shard {
        self.part.map_or(Shard::WHOLE, |part| part.shard)
    }
}
