//! Where the time goes, cold and warm.

use maud::{Markup, html};

use crate::report::model::{
    ReportModel, RequestView, ScenarioView, TimingRow, label, meaning, part_heads,
};
use crate::report::words;

/// One table for each request with ok exchanges, and one for all steps that ran once.
pub(super) fn tables(model: &ReportModel) -> Markup {
    let is_timed = |(scenario, request): &(&ScenarioView, &RequestView)| {
        !scenario.is_single && !request.timing.rows.is_empty()
    };
    let timed: Vec<_> = model.requests().filter(is_timed).collect();
    html! {
        @if !timed.is_empty() {
            section {
                h2 { "Where the time goes, cold and warm" }
                p.muted.small {
                    "Cold is the first exchange of each connection in the warm-up, which is not judged. "
                    "Figures cover the ok exchanges that entered the part; lag, wait and setup "
                    "also cover exchanges that failed later. "
                    "The quantiles of the parts need not add up to the quantile of the whole."
                }
                @if model.requests().any(|(_, request)| request.timing.has_variants()) {
                    p.muted.small {
                        "Rows that begin with “if” compare kinds of connections and handshakes: "
                        "they divide the exchanges, not their time."
                    }
                }
                @for (scenario, request) in timed { (table(scenario, request)) }
            }
        }
        (steps(model))
    }
}

/// Where the time of steps that ran once went.
fn steps(model: &ReportModel) -> Markup {
    let timed: Vec<_> = model
        .scenarios
        .iter()
        .map(|scenario| (scenario, scenario.step_timings()))
        .filter(|(_, steps)| !steps.is_empty())
        .collect();
    html! {
        @if !timed.is_empty() {
            section {
                h2 { "Where the time goes" }
                p.muted.small { "Covers ok steps only. Lag is the prober's own lateness; setup is the time to open a connection." }
                @for (scenario, steps) in timed {
                    div.card {
                        @if model.scenarios.len() > 1 { h3 { (scenario.name) } }
                        div.scroll {
                            table {
                                thead { tr { th { "step" } @for head in part_heads() { th.number { (head) } } } }
                                tbody { @for (name, parts) in steps { (step(name, &parts)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn step(name: &str, parts: &[String]) -> Markup {
    html! { tr { td.words { (name) } @for part in parts { td.number { (part) } } } }
}

fn table(scenario: &ScenarioView, request: &RequestView) -> Markup {
    let timing = &request.timing;
    html! {
        div.card {
            h3 { (scenario.place(request)) }
            @if let Some(comparison) = &timing.comparison { p { (comparison) "." } }
            div.scroll {
                table {
                    thead {
                        tr {
                            th { "part" }
                            @for head in ["n", "p50", "p95"] { th.number { "cold " (head) } }
                            @for head in ["n", "p50", "p95", "p99", "max"] { th.number { (timing.warm_name) " " (head) } }
                        }
                    }
                    tbody { @for part in &timing.rows { (row(part)) } }
                }
            }
        }
    }
}

fn row(part: &TimingRow) -> Markup {
    let (cold, warm) = (part.cold, part.warm);
    html! {
        tr {
            td.(format!("depth-{}", part.depth)) {
                (label(part.dimension)) " " span.meaning.muted.small { (meaning(part.dimension)) }
            }
            td.number { (words::count(cold.n)) }
            @for time in [cold.p50, cold.p95] { td.number { (words::time(time)) } }
            td.number { (words::count(warm.n)) }
            @for time in [warm.p50, warm.p95, warm.p99, warm.max] { td.number { (words::time(time)) } }
        }
    }
}
