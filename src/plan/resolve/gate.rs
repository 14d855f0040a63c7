//! The stall horizon of a scenario, and what its verdict does to the exit code.

use std::time::Duration;

use crate::plan::load_plan::LoadPlan;
use crate::record::{Budget, GatePolicy, GateRequirement, PlannedRequest, StallHorizon};
use crate::scenario::{Diagnostic, LoadModel, LoadShape, PlainText, Scenario, ScenarioField};
use crate::units::near::nearest;
use crate::verdict::evidence::default_horizon;

/// The blocks by which budgets are decided; `None` if none of them is a statement about the target,
/// or if a single arrival is sent.
pub(super) fn stalls(
    scenario: &Scenario,
    load: &LoadPlan,
    requests: &[PlannedRequest],
) -> Option<StallHorizon> {
    if scenario.load.model == LoadModel::Once {
        return None;
    }
    let judged = requests.iter().filter(|request| request.hop_of.is_none());
    let shares = judged.flat_map(|request| &request.budgets).filter_map(Budget::allowed);
    let smallest = shares.min_by(|one, other| one.as_f64().total_cmp(&other.as_f64()))?;
    let peak_rate = match load {
        LoadPlan::Open { schedule, .. } => Some(schedule.peak()),
        LoadPlan::Closed { .. } => None,
    };
    let duration = load.duration();
    let written = scenario.file.gate.value().and_then(|gate| gate.stalls.value());
    if let Some(&stalls) = written {
        return Some(StallHorizon::new(stalls, duration, peak_rate));
    }
    let planned = if is_endless(scenario, load) { Duration::ZERO } else { duration };
    let horizon = in_tens_of_millis(default_horizon(planned, smallest));
    Some(StallHorizon::new(horizon, duration, peak_rate).by_default())
}

/// What the verdict does to the exit code.
pub(super) fn policy(scenario: &Scenario) -> GatePolicy {
    let Some(gate) = scenario.file.gate.value() else { return GatePolicy::default() };
    let required = gate.require.value().into_iter().flatten();
    GatePolicy {
        on_inconclusive: gate.on_inconclusive.value().copied().unwrap_or_default(),
        stop_early: gate.stop_early.value().copied().unwrap_or_default(),
        fail_after: gate.fail_after.value().copied().unwrap_or(1),
        carry: gate.carry.value().copied().unwrap_or_default(),
        require: required.filter_map(ScenarioField::value).cloned().collect(),
        breaker: gate.breaker.value().copied().unwrap_or_default(),
    }
}

/// Warns about required names that are neither a step of the scenario nor a scenario of this run:
/// such a run cannot pass.
pub(super) fn unknown_names(scenario: &Scenario, all: &[Scenario]) -> Vec<Diagnostic> {
    let steps: Vec<&str> = scenario
        .file
        .requests()
        .filter_map(|request| request.name.value().map(PlainText::as_str))
        .collect();
    let scenarios = all.iter().map(Scenario::name);
    let known: Vec<&str> = steps.into_iter().chain(scenarios).collect();
    let required = scenario.file.gate.value().and_then(|gate| gate.require.value());
    let unknown = required.into_iter().flatten().filter_map(|field| {
        let (location, GateRequirement::Measured(name)) = field.located()? else { return None };
        if known.contains(&name.as_str()) {
            return None;
        }
        let problem = format!(
            "`{name}` is neither a step here nor a scenario of this command, so the run cannot pass"
        );
        let remedy = nearest(name, &known).map_or_else(
            || "name the file of that scenario too".to_owned(),
            |near| format!("did you mean `{near}`? Otherwise name the file of that scenario too"),
        );
        Some(Diagnostic::new(location.value.clone(), problem, remedy))
    });
    unknown.collect()
}

/// Whether only a number of arrivals ends the load: how long that takes is not known.
fn is_endless(scenario: &Scenario, load: &LoadPlan) -> bool {
    matches!(scenario.load.model, LoadModel::Closed { duration: None, .. })
        && load.duration() >= LoadShape::MAX_DURATION
}

fn in_tens_of_millis(duration: Duration) -> Duration {
    const TEN: u64 = 10;
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis / TEN * TEN)
}
