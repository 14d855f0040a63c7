//! A site of latency history: pages that refer to each other and load nothing.

mod index;
mod scenario;
mod summary;
mod trend_line;

use maud::{Markup, html};

use super::page;
use crate::record::Decision;
use crate::report::site::{BudgetHistoryRow, HistorySite, SiteLabels};

pub use index::index_html;
pub use scenario::scenario_html;
pub use summary::summary_html;

/// Where a page is, seen from the site's folder: links of deeper pages lead up first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PageDepth {
    Top,
    Below,
}

impl PageDepth {
    /// A link to a file of the site, from its top folder.
    fn link(self, path: &str) -> String {
        match self {
            Self::Top => path.to_owned(),
            Self::Below => format!("../{path}"),
        }
    }
}

/// The links to the pages above and next to this one.
fn navigation(depth: PageDepth, here: &str) -> Markup {
    let pages = [("index.html", "All scenarios"), ("summary.html", "Summary")];
    html! {
        nav.site aria-label="Pages" {
            @for (path, name) in pages {
                @if path == here { span aria-current="page" { (name) } }
                @else { a href=(depth.link(path)) { (name) } }
            }
        }
    }
}

/// What all figures of the site rest on.
fn method(site: &HistorySite) -> Markup {
    let zone = &site.options.scope.zone;
    html! {
        footer.muted.small {
            p {
                strong { "Method. " }
                "Quantiles over several runs are those of their added histograms, never averages. They \
                 describe ok exchanges; budgets rank failures above every latency. A quantile of fewer \
                 exchanges than it needs is not shown: p50 needs two, p95 20, p99 100. Attainment is the \
                 share of passed among passed and failed runs; inconclusive runs count for neither. The \
                 error budget left is what remains of the exchanges that a budget allows above its limit. \
                 A difference to the period before has its 90 % interval, from ten groups of consecutive \
                 days or hours a period. Times are in " (zone) "."
            }
        }
    }
}

/// The period below a heading.
fn period(site: &HistorySite) -> Markup {
    html! { p.muted { (SiteLabels::new(&site.options).period()) } }
}

/// A budget as it is written, with its learned limit.
fn written_budget(row: &BudgetHistoryRow) -> Markup {
    html! {
        code { (row.budget) }
        @if !row.limit.is_empty() { " " span.muted.small { "(" (row.limit) ")" } }
    }
}

/// The state of all budgets, first on a page.
fn budget_state(decision: Decision, headline: &str) -> Markup {
    html! { section.verdict.(decision.name()) { p.why { strong { (headline) } } } }
}

/// A status with the colours of a decision.
fn status((decision, words): (Decision, &str)) -> Markup {
    html! { span.badge.(decision.name()) { (words.to_uppercase()) } }
}

/// The status of a budget over the period.
fn budget_status(row: &BudgetHistoryRow) -> Markup {
    status(row.status())
}
