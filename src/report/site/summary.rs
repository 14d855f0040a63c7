//! The summary for partners: one page with what was promised and what was measured.

use super::{BudgetHistoryRow, BudgetState, HistorySite, RequestPanel, SeriesPage, SiteLabels};
use crate::record::Decision;
use crate::report::words;

/// The headings of the summary's table.
pub(in crate::report) const SUMMARY_HEADS: [&str; 4] = ["Metric", "Target", "Actual", "Status"];

/// The summary of a site.
#[derive(Debug)]
pub(in crate::report) struct SummaryModel {
    /// The period.
    pub(in crate::report) period: String,
    /// The state of all budgets.
    pub(in crate::report) decision: Decision,
    /// The same in a sentence.
    pub(in crate::report) headline: String,
    /// The scenarios, each with its rows: metric, target, actual, and the status.
    pub(in crate::report) scenarios: Vec<SummarySection>,
    /// What to do next, the most urgent first.
    pub(in crate::report) next_steps: Vec<String>,
}

/// One scenario of the summary.
#[derive(Debug)]
pub(in crate::report) struct SummarySection {
    /// Its name.
    pub(in crate::report) title: String,
    /// The share of runs that passed.
    pub(in crate::report) attainment: String,
    /// Metric, target and actual, with the status.
    pub(in crate::report) rows: Vec<([String; 3], (Decision, &'static str))>,
    /// What a reader must know before the figures.
    pub(in crate::report) caveats: Vec<String>,
}

impl SummaryModel {
    /// The summary of a site.
    pub(in crate::report) fn new(site: &HistorySite) -> Self {
        let scenarios: Vec<SummarySection> = site.pages.iter().map(section).collect();
        let BudgetState { decision, headline } = site.budget_state();
        Self {
            period: SiteLabels::new(&site.options).period(),
            decision,
            headline,
            next_steps: next_steps(site),
            scenarios,
        }
    }
}

fn section(page: &SeriesPage) -> SummarySection {
    let several = page.panels.len() > 1;
    let mut rows = Vec::new();
    for panel in &page.panels {
        for budget in panel.current_budgets() {
            let (subject, limit) = split(&budget.with_limit());
            let metric = if several { format!("{} · {subject}", panel.name) } else { subject };
            rows.push(([metric, limit, budget.actual.clone()], budget.status()));
        }
    }
    SummarySection {
        title: page.title.clone(),
        attainment: page.attainment.clone(),
        rows,
        caveats: page.caveats.lines(),
    }
}

/// What a budget limits, and the limit: `p95 latency`, `< 300ms`.
fn split(budget: &str) -> (String, String) {
    let at = budget.find(['<', '=']).unwrap_or(budget.len());
    let subject = budget[..at].trim();
    let subject = match subject {
        "errors" => "failed requests".to_owned(),
        "dropped" => "dropped requests".to_owned(),
        "max" => "longest latency".to_owned(),
        subject if subject.contains('(') => subject.to_owned(),
        subject => format!("{subject} latency"),
    };
    (subject, budget[at..].trim().to_owned())
}

/// What follows from the figures. Every sentence names the figure it rests on.
fn next_steps(site: &HistorySite) -> Vec<String> {
    if site.pages.is_empty() {
        return vec!["Run a scenario: no run started in this period.".to_owned()];
    }
    let mut steps: Vec<String> = site.pages.iter().flat_map(steps_of).collect();
    if steps.is_empty() {
        steps.push("Nothing needs to be done: keep measuring.".to_owned());
    }
    steps
}

fn steps_of(page: &SeriesPage) -> Vec<String> {
    let (title, of) = (&page.title, page.verdicts);
    if page.is_imported && page.panels.iter().all(RequestPanel::has_single_exchanges) {
        return vec![format!(
            "{title}: measure it with `tollgate run`: single requests that another check made decide little"
        )];
    }
    let mut steps: Vec<String> = Vec::new();
    if let Some((Decision::Fail, started)) = &page.newest {
        steps.push(format!("{title}: the newest run failed ({started})"));
    }
    steps.extend(page.panels.iter().flat_map(|panel| panel_steps(title, panel)));
    // Longer runs would not help imported ones: what another tool recorded is never a pass.
    if of.inconclusive * 10 > of.runs() && !page.is_imported {
        let inconclusive = words::count(of.inconclusive);
        let runs = words::plural(of.runs(), "run");
        steps.push(format!(
            "{title}: see why runs are inconclusive ({inconclusive} of {runs}): too short, close to a limit, or stopped"
        ));
    }
    if page.panels.iter().all(|panel| panel.budgets.is_empty()) {
        let remedy = if page.is_imported {
            "name a budget when importing (`--budget`), or measure with `tollgate run`"
        } else {
            "agree on a budget"
        };
        steps.push(format!("{title}: {remedy}: none of its runs has one"));
    }
    steps
}

fn panel_steps(title: &str, panel: &RequestPanel) -> Vec<String> {
    let missed = panel.current_budgets().filter(|row| row.status().0 == Decision::Fail);
    let bring_back = |row: &BudgetHistoryRow| {
        format!(
            "{title} · {}: bring `{}` back within its limit: over the period it is {}",
            panel.name, row.budget, row.actual
        )
    };
    // What became faster needs nobody's attention.
    let is_slower = panel.history.change_points.last().is_some_and(|mark| mark.ratio > 1.0);
    let change = panel.change_points.first().filter(|_| is_slower);
    let look =
        change.map(|change| format!("{title} · {}: look at the last change: {change}", panel.name));
    missed.map(bring_back).chain(look).collect()
}
