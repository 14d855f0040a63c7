//! The summary for partners on one page.

use maud::{Markup, html};

use super::super::{prose, scrolling};
use super::{PageDepth, budget_state, method, navigation, page, status};
use crate::report::site::{HistorySite, SUMMARY_HEADS, SummaryModel, SummarySection};

/// Renders the summary of a site.
pub fn summary_html(site: &HistorySite) -> String {
    let model = SummaryModel::new(site);
    let body = html! {
        header {
            (navigation(PageDepth::Top, "summary.html"))
            h1 { "Latency summary" }
            p.muted { (model.period) }
        }
        (budget_state(model.decision, &model.headline))
        @for scenario in &model.scenarios { (section(scenario)) }
        section {
            h2 { "Next steps" }
            div.card { ul.plain { @for step in &model.next_steps { li { (prose(step)) } } } }
        }
        (method(site))
    };
    page("Latency summary", &body)
}

fn section(scenario: &SummarySection) -> Markup {
    let table = html! {
        table.stacked {
            thead { tr { @for (at, head) in SUMMARY_HEADS.iter().enumerate() {
                th.number[at == 1 || at == 2] scope="col" { (head) }
            } } }
            tbody { @for (cells, result) in &scenario.rows { tr {
                th.narrow-words scope="row" { (cells[0]) }
                td.number data-label="target" { (cells[1]) }
                td.number data-label="actual" { (cells[2]) }
                td data-label="status" { (status(*result)) }
            } } }
        }
    };
    html! {
        section {
            h2 { (scenario.title) }
            div.card {
                @if scenario.rows.is_empty() { p.muted { "No budget." } }
                @else { (scrolling(&format!("Budgets: {}", scenario.title), &table)) }
                p { "Passed: " (scenario.attainment) }
                @for caveat in &scenario.caveats { p.small { strong { "Caveat: " } (prose(caveat)) } }
            }
        }
    }
}
