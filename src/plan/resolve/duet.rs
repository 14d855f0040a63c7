//! The two sides of a duet: each pair of scenarios shares the arrivals of one schedule.

use super::template_filler::TemplateFiller;
use crate::plan::load_plan::LoadPlan;
use crate::plan::scenario_plan::ScenarioPlan;
use crate::record::{DuetSide, PlannedDuet};
use crate::scenario::{Diagnostic, KeyLocation, LoadModel, Scenario};

/// The side of the scenario at a position: the target as it was comes first.
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
/// has no other half. Warns about policies, which do not decide a duet.
pub(super) fn check(scenario: &Scenario, plan: &ScenarioPlan, filler: &mut TemplateFiller<'_>) {
    // Both sides are made from one file, so one of them reports it.
    if plan.shown.duet.as_ref().is_none_or(|duet| duet.side == DuetSide::B) {
        return;
    }
    filler.warnings.extend(policies(scenario));
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

/// One warning for each policy of the scenario.
fn policies(scenario: &Scenario) -> Vec<Diagnostic> {
    let Some(gate) = scenario.file.gate.value() else { return Vec::new() };
    let keys = [
        ("on_inconclusive", gate.on_inconclusive.location()),
        ("stop_early", gate.stop_early.location()),
        ("fail_after", gate.fail_after.location()),
        ("carry", gate.carry.location()),
        ("require", gate.require.location()),
    ];
    let written = keys.into_iter().filter_map(|(key, location)| Some((key, location?)));
    let warning = |(key, location): (&str, &KeyLocation)| {
        let problem = format!("`{key}` has no effect in a duet");
        let remedy = "remove it: the difference and the budgets of B decide a duet";
        Diagnostic::new(location.key.clone(), problem, remedy)
    };
    written.map(warning).collect()
}
