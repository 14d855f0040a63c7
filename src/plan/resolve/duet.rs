//! The two sides of a duet: each two scenarios share the arrivals of one schedule.

use super::template_filler::TemplateFiller;
use crate::plan::load_plan::LoadPlan;
use crate::plan::scenario_plan::ScenarioPlan;
use crate::record::{DuetSide, PlannedDuet};
use crate::scenario::{Diagnostic, LoadModel, Scenario};

/// The side that the scenario at a position is: first comes the target as it was.
pub(super) fn planned(scenarios: &[Scenario], at: usize, seed: u64) -> Option<PlannedDuet> {
    let other = scenarios.get(at ^ 1)?.name().to_owned();
    let side = if at.is_multiple_of(2) { DuetSide::A } else { DuetSide::B };
    Some(PlannedDuet { side, other, seed })
}

/// The load with what the coin makes of it.
pub(super) fn load_words(load: String, duet: Option<&PlannedDuet>) -> String {
    match duet {
        Some(duet) => {
            format!("{load}; a coin with seed {} sends about half to this side", duet.seed)
        }
        None => load,
    }
}

/// Reports a load whose arrivals cannot be shared: a closed one has no schedule, and one arrival
/// has no other half.
pub(super) fn check(scenario: &Scenario, plan: &ScenarioPlan, filler: &mut TemplateFiller<'_>) {
    // Both sides are made from one file, so one of them reports it.
    if plan.shown.duet.as_ref().is_none_or(|duet| duet.side == DuetSide::B) {
        return;
    }
    let why = match &plan.load {
        LoadPlan::Closed { .. } => "a closed load has no schedule that two targets could share",
        LoadPlan::Open { .. } if scenario.load.model == LoadModel::Once => {
            "one arrival cannot be shared by two targets"
        }
        LoadPlan::Open { .. } => return,
    };
    let remedy = "write `arrival_rate = \"20/s\"` and `duration = \"60s\"` in `[load]`";
    let at = scenario.file.load.key_span();
    filler.diagnostics.push(Diagnostic::new(at, why.to_owned(), remedy.to_owned()));
}
