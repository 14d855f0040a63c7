//! Where the time goes, cold and warm.

use maud::{Markup, html};

use super::scrolling;
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
                        (scrolling(&format!("Where the time goes: {}", scenario.name), &steps_table(&steps)))
                    }
                }
            }
        }
    }
}

fn steps_table(steps: &[(&str, [String; 6])]) -> Markup {
    html! {
        table {
            thead {
                tr { th scope="col" { "step" } @for head in part_heads() { th.number scope="col" { (head) } } }
            }
            tbody { @for (name, parts) in steps { (step(name, parts)) } }
        }
    }
}

fn step(name: &str, parts: &[String]) -> Markup {
    html! { tr { th.words scope="row" { (name) } @for part in parts { td.number { (part) } } } }
}

/// The measured stage comes first, because that is what budgets judge and what a phone shows.
fn table(scenario: &ScenarioView, request: &RequestView) -> Markup {
    let timing = &request.timing;
    let place = scenario.place(request);
    let table = html! {
        table.stages {
            thead {
                tr {
                    td {}
                    th.stage scope="colgroup" colspan="5" { (timing.warm_name) }
                    th.stage scope="colgroup" colspan="3" { "cold" }
                }
                tr {
                    th scope="col" { "part" }
                    @for head in ["p50", "p95", "p99", "max", "n", "p50", "p95", "n"] {
                        th.number scope="col" { (head) }
                    }
                }
            }
            tbody { @for part in &timing.rows { (row(part)) } }
        }
    };
    html! {
        div.card {
            h3 { (place) }
            @if let Some(comparison) = &timing.comparison { p { (comparison) "." } }
            (scrolling(&format!("Where the time goes: {place}"), &table))
        }
    }
}

fn row(part: &TimingRow) -> Markup {
    let (cold, warm) = (part.cold, part.warm);
    html! {
        tr {
            th.(format!("depth-{}", part.depth)) scope="row" {
                (label(part.dimension)) " " span.meaning.muted.small { (meaning(part.dimension)) }
            }
            @for time in [warm.p50, warm.p95, warm.p99, warm.max] { td.number { (words::time(time)) } }
            td.number { (words::count(warm.n)) }
            @for time in [cold.p50, cold.p95] { td.number { (words::time(time)) } }
            td.number { (words::count(cold.n)) }
        }
    }
}
