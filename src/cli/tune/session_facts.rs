//! A session's plan and provenance as its record keeps them.

use crate::cli::session::RunFlags;
use crate::cli::{log, provenance};
use crate::plan::Plan;
use crate::record::session::{
    Attempt, Configuration, SessionPlanFacts, SessionProvenance, SessionRecord,
};
use crate::record::{Budget, PlannedScenario, RunProvenance};
use crate::tune::plan_file::{ConfigurationPlan, SessionPlan};
use crate::units::duration_literal;

/// Where and by whom a session is made now.
pub(super) fn session_provenance(load: &Plan, flags: &RunFlags) -> SessionProvenance {
    let commit = flags.commit().filter(|commit| !commit.is_empty()).map(str::to_owned);
    let RunProvenance { started, tollgate, host, command, git_commit, .. } =
        provenance::now(commit, &load.secrets);
    let tags = flags.tags();
    SessionProvenance {
        started,
        tollgate,
        host,
        command,
        git_commit,
        tags,
        imported_from: None,
        import_notes: Vec::new(),
    }
}

/// The plan in words and without secrets.
pub(super) fn plan_facts(plan: &SessionPlan, load: &Plan) -> SessionPlanFacts {
    let shown = &load.scenarios[0].shown;
    let configuration = |planned: &ConfigurationPlan| Configuration {
        name: planned.name.clone(),
        hypothesis: planned.hypothesis.clone(),
        change: log::redact(&planned.change.to_string()),
        size: String::new(),
    };
    SessionPlanFacts {
        app: plan.app.clone(),
        scenario: shown.name.clone(),
        base_url: shown.base_url.clone(),
        cold: plan.cold,
        rounds: plan.rounds,
        seed: plan.seed,
        curve_rate: plan.curve.rate.as_per_second(),
        curve_limit: plan.curve.limit,
        steady_load: shown.load.clone(),
        budgets: latency_budgets(shown),
        configurations: plan.configurations.iter().map(configuration).collect(),
    }
}

/// The latency budgets of a scenario's requests, each once.
fn latency_budgets(shown: &PlannedScenario) -> Vec<Budget> {
    let mut budgets: Vec<Budget> = Vec::new();
    for budget in shown.requests.iter().flat_map(|request| &request.budgets) {
        if matches!(budget, Budget::Quantile { .. }) && !budgets.contains(budget) {
            budgets.push(*budget);
        }
    }
    budgets
}

/// What makes attempts of two plans incomparable. The number of rounds may grow.
pub(super) fn plan_difference(
    earlier: &SessionPlanFacts,
    now: &SessionPlanFacts,
) -> Option<String> {
    let differs = |what: &str, before: &dyn std::fmt::Display, after: &dyn std::fmt::Display| {
        let (before, after) = (before.to_string(), after.to_string());
        (before != after).then(|| format!("{what} was `{before}` and is `{after}`"))
    };
    let text = |app: &Option<String>| app.clone().unwrap_or_else(|| "none".to_owned());
    let list = |facts: &SessionPlanFacts| {
        let line = |one: &Configuration| format!("{} ({})", one.name, one.change);
        facts.configurations.iter().map(line).collect::<Vec<_>>().join(", ")
    };
    let fewer = (now.rounds < earlier.rounds)
        .then(|| format!("it was planned for {} rounds; name as many or more", earlier.rounds));
    differs("the app", &text(&earlier.app), &text(&now.app))
        .or_else(|| differs("the scenario", &earlier.scenario, &now.scenario))
        .or_else(|| differs("the base URL", &earlier.base_url, &now.base_url))
        .or_else(|| differs("the cold state", &earlier.cold, &now.cold))
        .or_else(|| differs("the seed", &earlier.seed, &now.seed))
        .or_else(|| differs("the curve's rate", &earlier.curve_rate, &now.curve_rate))
        .or_else(|| {
            let limit = |facts: &SessionPlanFacts| duration_literal(facts.curve_limit);
            differs("the curve's limit", &limit(earlier), &limit(now))
        })
        .or_else(|| differs("the steady load", &earlier.steady_load, &now.steady_load))
        .or_else(|| differs("the list of configurations", &list(earlier), &list(now)))
        .or(fewer)
}

/// Notes the size of a configuration's machines once an attempt shows it.
pub(super) fn note_size(record: &mut SessionRecord, attempt: &Attempt) {
    let Some(machine) = attempt.machines_before.first() else { return };
    let size = format!("{}, {} MB", machine.size, machine.memory_mb);
    if let Some(configuration) = record.plan.configurations.get_mut(attempt.configuration) {
        configuration.size = size;
    }
}
