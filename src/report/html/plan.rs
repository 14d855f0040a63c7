//! What was planned.

use maud::{Markup, html};

use crate::report::model::{Model, RequestView, ScenarioView};

use super::{facts, prose};

/// One section a scenario.
pub(super) fn sections(model: &Model) -> Markup {
    html! {
        section {
            h2 { "Plan" }
            @for scenario in &model.scenarios { (section(scenario)) }
        }
    }
}

fn section(scenario: &ScenarioView) -> Markup {
    html! {
        div.card {
            h3 {
                (scenario.name) " "
                span.badge.(scenario.decision.name()) { (scenario.decision.name().to_uppercase()) }
            }
            @if !scenario.description.is_empty() { p { (scenario.description) } }
            (facts(&scenario.facts))
            @for request in &scenario.requests { (planned(request)) }
            @for reason in &scenario.reasons { p { (prose(&reason.what)) " " (prose(&reason.next)) } }
        }
    }
}

fn planned(request: &RequestView) -> Markup {
    html! {
        h3.hop[request.hop.is_some()] { (request.row_name(request.name.clone())) }
        @if !request.line.is_empty() { p { code { (request.line) } } }
        (lines("Headers sent", &request.headers))
        (lines("The answer must be", &request.expectations))
        (lines("On these terms", &request.terms))
    }
}

fn lines(heading: &str, lines: &[String]) -> Markup {
    html! {
        @if !lines.is_empty() {
            p.muted.small { (heading) }
            ul.plain { @for line in lines { li { code { (line) } } } }
        }
    }
}
