//! Tables of steps that ran once.

use super::{escape, sign, table};
use crate::report::model::{BudgetRow, ReportModel, RequestView, ScenarioView, part_heads};

/// Each step's duration and verdicts: one row per budget.
pub(super) fn gate(model: &ReportModel) -> String {
    let shape = model.shape();
    let actual = if model.has_intervals() { "actual (90 % interval)" } else { "actual" };
    let mut heads = vec![shape.place_head()];
    heads.extend(shape.heads().iter().chain(&["budget", actual, "verdict"]));
    table(&heads, model.requests().flat_map(|(scenario, step)| rows(model, scenario, step)))
}

fn rows(model: &ReportModel, scenario: &ScenarioView, step: &RequestView) -> Vec<Vec<String>> {
    let shape = model.shape();
    let indent = if step.hop.is_some() { "&emsp;" } else { "" };
    let mut lead = vec![format!("{indent}{}", escape(&step.row_name(scenario.place(step))))];
    lead.extend(shape.figures(step).into_iter().map(|(_, figure)| figure));
    let mut judged: Vec<[String; 3]> = step.budgets.iter().map(budget).collect();
    if judged.is_empty() {
        let [none, not_judged] = shape.no_budget(step).map(str::to_owned);
        judged.push([none, not_judged, String::new()]);
    }
    let empty = vec![String::new(); lead.len()];
    let leads = [lead].into_iter().chain(std::iter::repeat(empty));
    leads.zip(judged).map(|(lead, judged)| [lead, judged.to_vec()].concat()).collect()
}

fn budget(row: &BudgetRow) -> [String; 3] {
    [
        row.budget.clone(),
        row.actual_with_interval(),
        format!("{} {}", sign(row.decision), row.decision),
    ]
}

/// Where the time of each step went: one table per scenario.
pub(super) fn timing(model: &ReportModel) -> String {
    let mut heads = vec!["step"];
    heads.extend(part_heads());
    let of = |scenario: &ScenarioView| {
        let rows = scenario.step_timings();
        let rows =
            rows.into_iter().map(|(name, parts)| [vec![escape(name)], parts.to_vec()].concat());
        let table = table(&heads, rows.clone());
        let heading = format!("### Where the time goes: {}\n\n", escape(&scenario.name));
        (rows.len() > 0).then(|| heading + &table)
    };
    model.scenarios.iter().filter_map(of).collect::<Vec<_>>().join("\n")
}
