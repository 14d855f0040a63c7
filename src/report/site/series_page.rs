//! The page of one scenario in one environment.

use super::budget_row::attainment;
use super::labels::SeriesName;
use super::{BudgetHistoryRow, RequestPanel, SeriesCaveats, SiteLabels, SiteOptions};
use crate::history::{ConditionSpan, RunAttainment, ScenarioHistory};
use crate::record::Decision;
use crate::report::words;

/// How many stretches of equal settings a page lists.
const SPANS: usize = 12;

/// What a page shows of one scenario.
#[derive(Debug)]
pub(in crate::report) struct SeriesPage {
    /// File stem.
    pub(in crate::report) slug: String,
    /// The scenario and the environment.
    pub(in crate::report) title: String,
    /// Whether its runs were imported from another tool.
    pub(in crate::report) is_imported: bool,
    /// The newest run: its decision and its start.
    pub(in crate::report) newest: Option<(Decision, String)>,
    /// The decisions of the period.
    pub(in crate::report) verdicts: RunAttainment,
    /// The decisions of the period in words.
    pub(in crate::report) attainment: String,
    /// What a reader must know before the figures.
    pub(in crate::report) caveats: SeriesCaveats,
    /// What the runs were measured under: from, to, runs, load, warm-up, protocols and, for the
    /// team, the target.
    pub(in crate::report) conditions: Vec<Vec<String>>,
    /// Its requests.
    pub(in crate::report) panels: Vec<RequestPanel>,
}

/// The headings of [`SeriesPage::conditions`]; a partner does not see the last one.
pub(in crate::report) const CONDITION_HEADS: [&str; 7] =
    ["from", "to", "runs", "load", "warm-up", "protocols", "target"];

impl SeriesPage {
    pub(super) fn new(history: ScenarioHistory, name: SeriesName, options: &SiteOptions) -> Self {
        let labels = SiteLabels::new(options);
        let SeriesName { title, slug } = name;
        let spans = history.requests.first().map(|first| first.conditions.clone());
        let spans = spans.unwrap_or_default();
        Self {
            is_imported: history.key.imported.is_some(),
            newest: history.newest().map(|(at, decision)| (decision, labels.minute(at))),
            verdicts: history.attainment,
            attainment: attainment(&history.attainment),
            caveats: SeriesCaveats::of(&spans, options),
            conditions: conditions(&spans, labels),
            panels: history
                .requests
                .into_iter()
                .map(|request| RequestPanel::new(request, &title, labels))
                .collect(),
            title,
            slug,
        }
    }

    /// The budgets that its newest run has, each with its request.
    pub(in crate::report) fn current_budgets(
        &self,
    ) -> impl Iterator<Item = (&RequestPanel, &BudgetHistoryRow)> {
        let of = |panel| RequestPanel::current_budgets(panel).map(move |budget| (panel, budget));
        self.panels.iter().flat_map(of)
    }

    /// The budget to look at first, with its request: one that is missed, else one that is
    /// undecided, else the first.
    pub(in crate::report) fn main_budget(&self) -> Option<(&RequestPanel, &BudgetHistoryRow)> {
        self.current_budgets().min_by_key(|(_, budget)| budget.urgency())
    }

    /// How many budgets share the status of the main one: `2 of 4`. `None` for a single budget.
    pub(in crate::report) fn budget_share(&self) -> Option<String> {
        let main = self.main_budget()?.1.status();
        let all = self.current_budgets().count();
        let alike = self.current_budgets().filter(|(_, budget)| budget.status() == main).count();
        (all > 1).then(|| format!("{alike} of {all}"))
    }
}

fn conditions(spans: &[ConditionSpan], labels: SiteLabels<'_>) -> Vec<Vec<String>> {
    let is_team = labels.options.audience == super::SiteAudience::Team;
    let row = |span: &ConditionSpan| {
        let line = |text: &str| words::display(text, words::NAME);
        let of = &span.conditions;
        let mut cells = vec![
            labels.minute(span.from),
            labels.minute(span.to),
            words::count(span.runs),
            line(&of.load),
            line(&of.warmup),
            line(&of.protocols.join(", ")),
        ];
        cells.extend(is_team.then(|| line(&of.base_url)));
        cells
    };
    spans.iter().rev().take(SPANS).map(row).collect()
}
