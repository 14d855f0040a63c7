//! Reads the earlier runs that budgets such as `p95 < baseline + 10%` need, before a run starts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use time::OffsetDateTime;
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
    let environment = tags.get(ENVIRONMENT_TAG).map(String::as_str);
    let mut plan = plan.clone();
    for mut scenarios in by_window_start(&mut plan) {
        let (baselines, unread) = read_baselines(&scenarios, environment, place);
        source::warn_left_out(&unread);
        let (place, unreadable) = (place.words(), unread.first().map(String::as_str));
        let words = HistoryWords { place: &place, unreadable };
        for (scenario, runs) in scenarios.iter_mut().zip(&baselines) {
            scenario.set_limits(|request, budget| runs.limit(request, budget, (tested, words)));
        }
    }
    Cow::Owned(plan)
}

/// The scenarios that need limits, together if their windows begin at the same time.
fn by_window_start(plan: &mut Plan) -> Vec<Vec<&mut ScenarioPlan>> {
    let mut groups: BTreeMap<Option<OffsetDateTime>, Vec<&mut ScenarioPlan>> = BTreeMap::new();
    for scenario in plan.scenarios.iter_mut().filter(|scenario| scenario.needs_baseline()) {
        groups.entry(scenario.baseline.since).or_default().push(scenario);
    }
    groups.into_values().collect()
}

/// The runs that make the baseline of each scenario, and why others could not be read. Each run is
/// read once.
fn read_baselines(
    scenarios: &[&mut ScenarioPlan],
    environment: Option<&str>,
    place: &HistoryPlace<'_>,
) -> (Vec<BaselineRuns>, Vec<String>) {
    let baseline = |scenario: &&mut ScenarioPlan| {
        let settings = (environment, scenario.required_version());
        BaselineRuns::new(&scenario.shown, settings, scenario.baseline)
    };
    let mut baselines: Vec<BaselineRuns> = scenarios.iter().map(baseline).collect();
    let names: Vec<&str> = scenarios.iter().map(|one| one.shown.name.as_str()).collect();
    let now = (clock::wall_clock(), Uuid::nil());
    let mut earlier = match scenarios.first().and_then(|one| one.baseline.since) {
        Some(since) => EarlierRuns::since(since, now, &names, place),
        None => EarlierRuns::before(now, &names, place),
    };
    let mut unread = Vec::new();
    while baselines.iter().any(BaselineRuns::needs_more) {
        match earlier.next() {
            Some(Ok(run)) => baselines.iter_mut().for_each(|baseline| baseline.add(&run)),
            Some(Err(why)) => unread.push(why),
            None => break,
        }
    }
    (baselines, unread)
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
