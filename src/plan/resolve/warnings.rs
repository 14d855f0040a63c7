//! Warnings about plans that can run, but probably not as intended.

use std::time::Duration;

use super::machine;
use crate::plan::block_needs::BlockNeeds;
use crate::plan::capacity;
use crate::plan::load_plan::LoadPlan;
use crate::plan::scenario_plan::ScenarioPlan;
use crate::record::{Budget, CapacityEstimate, Dimension};
use crate::scenario::file::RequestSection;
use crate::scenario::{Diagnostic, PlainText, Scenario, ScenarioField};
use crate::units::duration_literal;

/// The warnings about a plan; `adds_to_earlier` if a run of it continues another.
pub(super) fn of(
    scenario: &Scenario,
    plan: &ScenarioPlan,
    adds_to_earlier: bool,
) -> Vec<Diagnostic> {
    let mut warnings = if adds_to_earlier { Vec::new() } else { undecidable(scenario, plan) };
    warnings.extend(overlapping(scenario, plan));
    warnings.extend(crowded(scenario, plan));
    warnings.extend(hurried(scenario, plan));
    warnings.extend(machine::warning(scenario, plan));
    warnings
}

/// Warns about steps whose response may arrive in time for `within` but too late for their budget.
fn hurried(scenario: &Scenario, plan: &ScenarioPlan) -> Vec<Diagnostic> {
    let hurry = |request: &RequestSection| {
        let (location, &within) = request.poll.value()?.within.located()?;
        let name = request.name.value().map(PlainText::as_str)?;
        let planned = plan.shown.requests.iter().find(|shown| shown.name == name)?;
        let is_short = |budget: &&Budget| {
            let (dimension, ceiling) =
                budget.ceiling().unwrap_or((Dimension::Latency, Duration::MAX));
            dimension == Dimension::Latency && ceiling <= within
        };
        let budget = planned.budgets.iter().find(is_short)?;
        let problem = format!("`{budget}` fails a response that comes at the end of this time");
        let remedy = "write a ceiling above this time: the last try starts when the time is over";
        Some(Diagnostic::new(location.value.clone(), problem, remedy))
    };
    scenario.file.requests().filter_map(hurry).collect()
}

/// Warns about fewer connections than a target that just meets its budgets would occupy.
fn crowded(scenario: &Scenario, plan: &ScenarioPlan) -> Option<Diagnostic> {
    let capacity = plan.shown.capacity.as_ref()?;
    let &CapacityEstimate { places, wanted: Some(wanted), remedy: Some(ref remedy) } = capacity
    else {
        return None;
    };
    let LoadPlan::Open { schedule, max_connections, .. } = &plan.load else { return None };
    let load = scenario.file.load.value()?;
    let shown = &plan.shown;
    let busy = capacity::busy_time(schedule, &shown.requests, shown.draw.as_ref())?;
    let have = match plan.streams {
        1 if places == 1 => "1 connection is".to_owned(),
        1 => format!("{places} connections are"),
        streams => format!("{max_connections} × {streams} = {places} streams are"),
    };
    let at_once = match schedule.count() {
        all if all == wanted => format!("all {all} arrivals"),
        _ => format!("{} × {} = {wanted} arrivals", schedule.peak(), duration_literal(busy)),
    };
    let problem = format!(
        "{have} too few for {at_once} at once: some may wait even if the target meets its budgets"
    );
    let limit = load.max_connections.location();
    let at = limit
        .or(load.connections.location())
        .map_or_else(|| scenario.file.load.key_span(), |location| location.value.clone());
    Some(Diagnostic::new(at, problem, remedy.clone()))
}

/// Warns about a run that is not over when the next one is due.
fn overlapping(scenario: &Scenario, plan: &ScenarioPlan) -> Option<Diagnostic> {
    let location = scenario.file.load.value()?.every.location()?;
    let period = scenario.load.every?;
    let takes = match &plan.load {
        LoadPlan::Open { schedule, .. } if schedule.count() > 1 => schedule.duration(),
        LoadPlan::Closed { until, iterations: None, .. } => *until,
        // The target decides how long these take.
        LoadPlan::Open { .. } | LoadPlan::Closed { .. } => return None,
    };
    (takes >= period).then(|| {
        let problem = format!(
            "a run takes at least {}, so some periods are skipped",
            duration_literal(takes)
        );
        Diagnostic::new(location.value.clone(), problem, "write a longer period, or a shorter load")
    })
}

/// Warns about budgets that no run of this plan can pass.
fn undecidable(scenario: &Scenario, plan: &ScenarioPlan) -> Vec<Diagnostic> {
    let own = scenario.file.requests().map(|request| &request.budgets);
    let placed: Vec<_> = std::iter::once(&scenario.file.budgets)
        .chain(own)
        .flat_map(|budgets| budgets.value().into_iter().flatten())
        .filter_map(ScenarioField::located)
        .collect();
    // The two sides of a duet are compared, so they need no budget.
    if placed.is_empty() && plan.shown.duet.is_some() {
        return Vec::new();
    }
    if placed.is_empty() {
        let at = scenario.file.name.location().map_or(0..0, |location| location.value.clone());
        let remedy = "add `budgets = [\"p95 < 300ms\"]`, or `errors = 0` for a smoke check";
        return vec![Diagnostic::new(at, "no budget is given: there is nothing to pass", remedy)];
    }
    placed
        .into_iter()
        .filter_map(|(location, budget)| {
            let (problem, remedy) = match BlockNeeds::of(plan, budget) {
                Some(needs) => needs.is_hopeless().then(|| too_short(budget, &needs))?,
                None => no_proof(plan, budget)?,
            };
            Some(match &scenario.budget_origin {
                Some(origin) => Diagnostic::of_flag(origin, &problem, remedy),
                None => Diagnostic::new(location.value.clone(), problem, remedy),
            })
        })
        .collect()
}

/// What is said of a plan with too few blocks for a budget.
fn too_short(budget: &Budget, needs: &BlockNeeds) -> (String, String) {
    let BlockNeeds { length, fewest, recommended, planned, rarest, .. } = needs;
    let planned = planned.unwrap_or_default();
    let of = rarest.as_ref().map(|name| format!(" of `{name}`")).unwrap_or_default();
    let block = duration_literal(*length);
    let problem = format!(
        "`{}` needs at least {fewest} blocks of {block} with requests to pass; this plan fills \
         {planned}{of}",
        head(budget)
    );
    let [least, better] = [*fewest, *recommended].map(|n| duration_literal(rounded(needs.time(n))));
    let otherwise = judge_this_run(budget);
    let remedy = format!(
        "measure for at least {least}, better {better}, write shorter `stalls` in `[gate]`, or \
         {otherwise}"
    );
    (problem, remedy)
}

/// What is said of a budget on a share in a plan that sends a single arrival.
fn no_proof(plan: &ScenarioPlan, budget: &Budget) -> Option<(String, String)> {
    let is_open = budget.allowed().is_some() && plan.load.arrivals() == Some(1);
    let problem = format!("`{}` cannot be proven by a single arrival", head(budget));
    is_open
        .then(|| (problem, format!("write a load with a duration, or {}", judge_this_run(budget))))
}

/// A duration rounded up to whole seconds.
fn rounded(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}

fn head(budget: &Budget) -> String {
    let text = budget.to_string();
    text.split(" <").next().unwrap_or_default().to_owned()
}

/// How to judge the requests made instead of the target.
fn judge_this_run(budget: &Budget) -> String {
    match budget {
        Budget::Quantile { .. } | Budget::Relative { .. } | Budget::Max { .. } => {
            "judge this run alone by `max < …`".into()
        }
        Budget::Errors(_) | Budget::Dropped(_) => format!("write `{} = 0`", head(budget)),
    }
}
