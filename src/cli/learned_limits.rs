//! Reads the earlier runs that budgets such as `p95 < baseline + 10%` need, before a run starts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::gate::{EarlierRuns, HistoryPlace};
use super::source;
use crate::engine::clock;
use crate::history::ENVIRONMENT_TAG;
use crate::plan::{Plan, ScenarioPlan};
use crate::record::RunRecord;
use crate::verdict::{BaselineRuns, HistoryWords};

/// The plan with the limits that earlier runs give its relative budgets. Runs that cannot be read
/// are left out with a warning.
pub(super) fn learn<'a>(
    plan: &'a Plan,
    tags: &BTreeMap<String, String>,
    place: &HistoryPlace<'_>,
) -> Cow<'a, Plan> {
    if !plan.needs_baseline() {
        return Cow::Borrowed(plan);
    }
    let tested = plan.tested_budgets();
    let mut plan = plan.clone();
    for scenario in plan.scenarios.iter_mut().filter(|scenario| scenario.needs_baseline()) {
        let environment = tags.get(ENVIRONMENT_TAG).map(String::as_str);
        let (runs, unread) = baseline_runs(scenario, environment, place);
        source::warn_left_out(&unread);
        let (place, unreadable) = (place.words(), unread.first().map(String::as_str));
        let words = HistoryWords { place: &place, unreadable };
        scenario.set_limits(|request, budget| runs.limit(request, budget, (tested, words)));
    }
    Cow::Owned(plan)
}

/// The runs that make the baseline of a scenario, and why others could not be read.
fn baseline_runs(
    scenario: &ScenarioPlan,
    environment: Option<&str>,
    place: &HistoryPlace<'_>,
) -> (BaselineRuns, Vec<String>) {
    let settings = (environment, scenario.required_version());
    let mut runs = BaselineRuns::new(&scenario.shown, settings, scenario.baseline);
    let mut unread = Vec::new();
    let now = (clock::wall_clock(), Uuid::nil());
    let name = Some(scenario.shown.name.as_str());
    let mut earlier = match scenario.baseline.since {
        Some(since) => EarlierRuns::since(since, now, name, place),
        None => EarlierRuns::before(now, name, place),
    };
    while runs.needs_more() {
        match earlier.next() {
            Some(Ok(run)) => runs.add(&run),
            Some(Err(why)) => unread.push(why),
            None => break,
        }
    }
    (runs, unread)
}

/// The plan with the limits of a run that it continues: both are judged together, so by the same.
pub(super) fn adopt<'a>(plan: &'a Plan, earlier: &RunRecord) -> Cow<'a, Plan> {
    if !plan.needs_baseline() {
        return Cow::Borrowed(plan);
    }
    let mut plan = plan.clone();
    for scenario in &mut plan.scenarios {
        let Some(planned) = earlier.planned(&scenario.shown.name) else { continue };
        scenario.set_limits(|request, budget| {
            let same = planned.requests.iter().find(|same| same.name == request.name)?;
            same.baselines.iter().find(|limit| limit.written == budget).cloned()
        });
    }
    Cow::Owned(plan)
}
