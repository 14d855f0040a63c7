//! The target's `Server-Timing` report next to tollgate's own measurements.

use maud::{Markup, html};

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
    let warm = request.timing.warm_name;
    html! {
        div.card {
            h3 { (scenario.place(request)) }
            div.scroll {
                table {
                    thead {
                        tr {
                            th { "metric" }
                            @if scenario.is_single {
                                th.number { "took" }
                            } @else {
                                @for head in ["n", "p50", "p95"] { th.number { "cold " (head) } }
                                @for head in ["n", "p50", "p95", "p99"] { th.number { (warm) " " (head) } }
                            }
                        }
                    }
                    tbody {
                        @for metric in &request.server_timing.rows {
                            @if scenario.is_single { (row_of_one(metric)) } @else { (row(metric)) }
                        }
                    }
                }
            }
        }
    }
}

fn row_of_one(metric: &ServerTimingRow) -> Markup {
    html! { tr { td.muted[metric.is_ours] { (metric.name) } td.number { (words::time(metric.warm.max)) } } }
}

fn row(metric: &ServerTimingRow) -> Markup {
    let (cold, warm) = (metric.cold, metric.warm);
    html! {
        tr {
            td.muted[metric.is_ours] { (metric.name) }
            td.number { (words::count(cold.n)) }
            @for time in [cold.p50, cold.p95] { td.number { (words::time(time)) } }
            td.number { (words::count(warm.n)) }
            @for time in [warm.p50, warm.p95, warm.p99] { td.number { (words::time(time)) } }
        }
    }
}
