//! The table of budgets: one row per budget; each request's figures appear once.

use maud::{Markup, html};

use super::{badge, scrolling};
use crate::report::model::{BudgetRow, ReportModel, RequestView, ScenarioView, TableShape};
use crate::report::words;

/// The table; on a narrow screen each request becomes a block.
pub(super) fn table(model: &ReportModel) -> Markup {
    let shape = model.shape();
    let actual = if model.has_intervals() { "actual (90 % interval)" } else { "actual" };
    let table = html! {
        table.gate {
            thead {
                tr {
                    th scope="col" { (shape.place_head()) }
                    @for head in shape.heads() { th.number scope="col" { (head) } }
                    @for head in ["budget", actual, "verdict"] { th scope="col" { (head) } }
                }
            }
            @for (scenario, request) in model.requests() { (rows(shape, scenario, request)) }
        }
    };
    html! {
        section {
            h2 { "Budgets" }
            div.card {
                (scrolling("Budgets", &table))
                p.muted.small {
                    (of_the_ok(shape))
                    @for (scenario, request) in model.requests() { (clipped(scenario, request)) }
                }
            }
        }
    }
}

/// A note on what the figures cover.
fn of_the_ok(shape: TableShape) -> &'static str {
    match shape {
        TableShape::Load => {
            "p50 to max cover the ok exchanges of the measured stage; \
             budgets rank failures above every latency."
        }
        TableShape::Checks => {
            "“took” covers ok steps only; budgets rank a failed step above every latency."
        }
    }
}

fn rows(shape: TableShape, scenario: &ScenarioView, request: &RequestView) -> Markup {
    html! {
        tbody {
            tr {
                (figures(shape, scenario, request))
                @if let Some(first) = request.budgets.first() { (budget(first)) } @else { (no_budget(shape, request)) }
            }
            @for row in request.budgets.iter().skip(1) {
                tr { td.empty {} @for _ in shape.heads() { td.empty {} } (budget(row)) }
            }
        }
    }
}

fn figures(shape: TableShape, scenario: &ScenarioView, request: &RequestView) -> Markup {
    html! {
        th.words.place.hop[request.hop.is_some()] scope="row" title=[scenario.whole_place(request)] { (request.row_name(scenario.place(request))) }
        @for (name, figure) in shape.figures(request) { td.number.figure data-label=(name) { (figure) } }
    }
}

fn budget(row: &BudgetRow) -> Markup {
    html! {
        td.budget { code { (row.budget) } }
        td.actual {
            (row.actual)
            @if !row.interval.is_empty() { " " span.interval { "(" (row.interval) ")" } }
        }
        td.decision { (badge(row.decision)) }
    }
}

fn no_budget(shape: TableShape, request: &RequestView) -> Markup {
    let [words, not_judged] = shape.no_budget(request);
    html! {
        td.budget { (words) }
        @if not_judged.is_empty() { td.empty {} } @else { td.actual { (not_judged) } }
        td.empty {}
    }
}

fn clipped(scenario: &ScenarioView, request: &RequestView) -> Markup {
    html! {
        @if request.clipped > 0 {
            " " (words::plural(request.clipped, "latency value")) " of " (scenario.place(request))
            " exceeded one hour and count as one hour."
        }
    }
}
