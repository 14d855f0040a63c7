//! The plan of each scenario.

use maud::{Markup, html};

use crate::record::{Decision, VerdictReason};
use crate::report::model::{OnceStepView, ReportModel, RequestView, ScenarioView};

use super::{badge, facts, prose};

/// One card per scenario.
pub(super) fn sections(model: &ReportModel) -> Markup {
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
                (badge(scenario.decision))
            }
            @if !scenario.description.is_empty() { p { (scenario.description) } }
            (facts(&scenario.facts))
            @for step in scenario.planned_once() { (once(step)) }
            @for request in &scenario.requests { (planned(request)) }
            @for reason in notes(scenario) { p { (prose(&reason.what)) " " (prose(&reason.next)) } }
        }
    }
}

fn once(step: &OnceStepView) -> Markup {
    html! {
        h3 { (step.name) " " span.muted.small { (step.stage) } }
        @if !step.line.is_empty() { p { code { (step.line) } } }
        (lines("Headers, expected response and other rules", &step.rules))
    }
}

/// The reasons that the verdict at the top does not show: those of a scenario that passed.
fn notes(scenario: &ScenarioView) -> &[VerdictReason] {
    if scenario.decision == Decision::Pass { &scenario.reasons } else { &[] }
}

fn planned(request: &RequestView) -> Markup {
    html! {
        h3.hop[request.hop.is_some()] { (request.row_name(request.name.clone())) }
        @if !request.line.is_empty() { p { code { (request.line) } } }
        (lines("Headers sent", &request.headers))
        (lines("Expected response", &request.expectations))
        (lines("Other rules", &request.terms))
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
