//! The table of budgets: one row a budget, the figures of a request once.

use maud::{Markup, html};

use crate::report::model::{BudgetRow, Model, RequestView, ScenarioView};
use crate::report::words;

/// The table; on a narrow screen each request becomes a block.
pub(super) fn table(model: &Model) -> Markup {
    html! {
        section {
            h2 { "Budgets" }
            div.card {
                div.scroll {
                    table.gate {
                        thead {
                            tr {
                                th { "scenario · request" }
                                @for head in ["n", "p50", "p95", "p99", "max", "errors"] { th.number { (head) } }
                                @for head in ["budget", "actual (90 % interval)", "verdict"] { th { (head) } }
                            }
                        }
                        @for (scenario, request) in model.requests() { (rows(scenario, request)) }
                    }
                }
                p.muted.small {
                    "p50 to max are of the ok exchanges of the measured phase; budgets rank the failed ones above all latencies."
                    @for (scenario, request) in model.requests() { (clipped(scenario, request)) }
                }
            }
        }
    }
}

fn rows(scenario: &ScenarioView, request: &RequestView) -> Markup {
    html! {
        tbody {
            tr {
                (figures(scenario, request))
                @if let Some(first) = request.budgets.first() { (budget(first)) } @else { (no_budget(request)) }
            }
            @for row in request.budgets.iter().skip(1) {
                tr { @for _ in 0..7 { td.empty {} } (budget(row)) }
            }
        }
    }
}

fn figures(scenario: &ScenarioView, request: &RequestView) -> Markup {
    let latency = request.latency;
    let times = [("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99), ("max", latency.max)];
    html! {
        td.words.place.hop[request.hop.is_some()] { (request.row_name(scenario.place(request))) }
        td.number.figure data-label="n" { (words::count(request.n)) }
        @for (name, time) in times { td.number.figure data-label=(name) { (words::time(time)) } }
        td.number.figure data-label="errors" { (request.errors()) }
    }
}

fn budget(row: &BudgetRow) -> Markup {
    html! {
        td.budget { code { (row.budget) } }
        td.actual {
            (row.actual)
            @if !row.interval.is_empty() { " " span.interval { "(" (row.interval) ")" } }
        }
        td.decision { span.badge.(row.decision.name()) { (row.decision.name().to_uppercase()) } }
    }
}

fn no_budget(request: &RequestView) -> Markup {
    let words = if request.hop.is_some() { "not judged" } else { "none" };
    html! { td.budget { (words) } td.empty {} td.empty {} }
}

fn clipped(scenario: &ScenarioView, request: &RequestView) -> Markup {
    html! {
        @if request.clipped > 0 {
            " " (words::counted(request.clipped, "latency value")) " of " (scenario.place(request))
            " exceeded one hour and count as one hour."
        }
    }
}
