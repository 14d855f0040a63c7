//! The machines behind a scenario, and what its load does to their CPU quota.

use crate::plan::machine_plan::MachinePlan;
use crate::plan::quota_forecast::QuotaForecast;
use crate::plan::scenario_plan::ScenarioPlan;
use crate::scenario::{Diagnostic, Scenario};

/// The machines that the scenario names.
pub(super) fn plan(scenario: &Scenario) -> Option<MachinePlan> {
    let machine = scenario.file.machine.value()?;
    Some(MachinePlan {
        size: *machine.size.value()?,
        count: machine.count.value().copied().unwrap_or(1),
        cpu_per_request: machine.cpu_per_request.value().copied(),
    })
}

/// What the scenario itself says about its load and the quota.
fn forecast(plan: &ScenarioPlan) -> Option<QuotaForecast> {
    let machines = plan.machines?;
    QuotaForecast::of(plan, machines, machines.cpu_per_request?)
}

/// The caveat of a plan whose load spends the quota.
pub(in crate::plan) fn quota_caveat(plan: &ScenarioPlan) -> Option<String> {
    let spending = forecast(plan)?.spending()?;
    Some(format!("{spending}: from then on latency is that of a throttled machine"))
}

/// The plan with a caveat if its load spends the quota.
pub(super) fn with_caveat(mut plan: ScenarioPlan) -> ScenarioPlan {
    plan.shown.caveats.extend(quota_caveat(&plan));
    plan
}

/// Warns about a load that spends the quota before its end, or that the CPUs cannot do at all.
pub(super) fn warning(scenario: &Scenario, plan: &ScenarioPlan) -> Option<Diagnostic> {
    let forecast = forecast(plan)?;
    let machine = scenario.file.machine.value()?;
    let at = machine.cpu_per_request.location()?.value.clone();
    let problem = match (forecast.shortage(), forecast.spending()) {
        (Some(shortage), _) => shortage,
        (None, Some(spending)) => format!("{spending}, before the end of the run"),
        (None, None) => return None,
    };
    Some(Diagnostic::new(at, problem, forecast.remedy()))
}
