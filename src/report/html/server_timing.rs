//! The target's `Server-Timing` report next to tollgate's own measurements.

use maud::{Markup, html};

use super::scrolling;
use crate::report::model::{
    ReportModel, RequestView, SERVER_TIMING_NOTE, ScenarioView, ServerTimingRow,
};
use crate::report::words;

/// One table for each request with `Server-Timing` metrics.
pub(super) fn tables(model: &ReportModel) -> Markup {
    let reported: Vec<_> = model
        .requests()
        .filter(|(scenario, request)| scenario.has_server_timing(request))
        .collect();
    html! {
        @if !reported.is_empty() {
            section {
                h2 { "The target's Server-Timing report" }
                p.muted.small { (SERVER_TIMING_NOTE) }
                @for (scenario, request) in reported { (table(scenario, request)) }
            }
        }
    }
}

fn table(scenario: &ScenarioView, request: &RequestView) -> Markup {
    let place = scenario.place(request);
    let rows = &request.server_timing.rows;
    let table = html! {
        table.stages {
            @if scenario.is_single {
                thead { tr { th scope="col" { "metric" } th.number scope="col" { "took" } } }
                tbody { @for metric in rows { (row_of_one(metric)) } }
            } @else {
                thead { (stage_heads(request.timing.warm_name)) }
                tbody { @for metric in rows { (row(metric)) } }
            }
        }
    };
    html! {
        div.card {
            h3 { (place) }
            (scrolling(&format!("The target's Server-Timing report: {place}"), &table))
        }
    }
}

fn stage_heads(warm: &str) -> Markup {
    html! {
        tr {
            td {}
            th.stage scope="colgroup" colspan="4" { (warm) }
            th.stage scope="colgroup" colspan="3" { "cold" }
        }
        tr {
            th scope="col" { "metric" }
            @for head in ["p50", "p95", "p99", "n", "p50", "p95", "n"] {
                th.number scope="col" { (head) }
            }
        }
    }
}

fn row_of_one(metric: &ServerTimingRow) -> Markup {
    html! { tr { (name(metric)) td.number { (words::time(metric.warm.max)) } } }
}

fn name(metric: &ServerTimingRow) -> Markup {
    html! { th.words.muted[metric.is_ours] scope="row" { (metric.name) } }
}

fn row(metric: &ServerTimingRow) -> Markup {
    let (cold, warm) = (metric.cold, metric.warm);
    html! {
        tr {
            (name(metric))
            @for time in [warm.p50, warm.p95, warm.p99] { td.number { (words::time(time)) } }
            td.number { (words::count(warm.n)) }
            @for time in [cold.p50, cold.p95] { td.number { (words::time(time)) } }
            td.number { (words::count(cold.n)) }
        }
    }
}
