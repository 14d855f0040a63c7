//! What must be true of a run for a pass.

use crate::record::{
    GateRequirement, PlannedRequest, PlannedScenario, RunRecord, ScenarioMeasurement,
};

/// One reason for each requirement of a scenario that the run does not meet.
pub(super) fn unmet(record: &RunRecord, planned: &PlannedScenario) -> Vec<String> {
    planned.gate.require.iter().filter_map(|one| obstacle(record, planned, one)).collect()
}

fn obstacle(
    record: &RunRecord,
    planned: &PlannedScenario,
    requirement: &GateRequirement,
) -> Option<String> {
    let why = match requirement {
        GateRequirement::Commit => {
            let commit = record.provenance.git_commit.as_deref().unwrap_or_default();
            commit.is_empty().then(|| "is not known: give --git-commit".to_owned())
        }
        GateRequirement::Tag(key) => {
            let is_known = record.provenance.tags.get(key).is_some_and(|value| !value.is_empty());
            let flag = match key.as_str() {
                "deploy" | "environment" => format!("--{key}"),
                _ => format!("--tag {key}=…"),
            };
            (!is_known).then(|| format!("is not known: give {flag}"))
        }
        GateRequirement::Measured(name) => unmeasured(record, planned, name),
    };
    why.map(|why| format!("`{requirement}` is required and {why}"))
}

/// Why a step or a scenario does not count as measured; `None` if it does.
fn unmeasured(record: &RunRecord, planned: &PlannedScenario, name: &str) -> Option<String> {
    if own_steps(planned).any(|step| step.name == name) {
        let is_measured = has_measured(record, &planned.name, name);
        return (!is_measured).then(|| "was not measured".to_owned());
    }
    let Some(scenario) = record.planned(name) else {
        return Some("is neither a step nor a scenario of this run: name its file too".to_owned());
    };
    let missing = own_steps(scenario).find(|step| !has_measured(record, name, &step.name));
    missing.map(|step| format!("its step `{}` was not measured", step.name))
}

/// The steps of a scenario without hops and tries.
fn own_steps(planned: &PlannedScenario) -> impl Iterator<Item = &PlannedRequest> {
    planned.requests.iter().filter(|request| request.hop_of.is_none())
}

/// Whether an exchange of a step was judged: it was neither skipped nor absent.
fn has_measured(record: &RunRecord, scenario: &str, step: &str) -> bool {
    let scenarios = record.measurement.scenarios.iter();
    let requests = scenarios
        .filter(|measured| measured.name == scenario)
        .flat_map(|measured: &ScenarioMeasurement| &measured.requests);
    let mut of_step = requests.filter(|request| request.name == step);
    of_step.any(|request| request.measured.tally.exchanges > 0)
}
