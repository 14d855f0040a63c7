//! The report as a self-contained HTML page: without scripts or other files, readable on a phone.

mod comparison;
mod gate;
mod peers;
mod plan;
mod plots;
mod server_timing;
mod session;
mod site;
mod timing;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::record::Decision;

use super::model::{FailureRole, OnceStepView, ReportFact, ReportModel, RunFinding};
use super::plot::dark_rules;
use super::words::{self, TextPiece};
pub use session::session_html;
pub use site::{index_html, scenario_html, summary_html};

const STYLE: &str = include_str!("style.css");

/// The page loads nothing and runs nothing; only its own styles apply.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// Renders the report as one page that opens from disk without scripts or other files.
///
/// A plot that cannot be drawn is replaced by an error message.
pub fn html(model: &ReportModel) -> String {
    page(&format!("{} — {}", model.lead().word, model.title), &body(model))
}

/// A page with its styles around a body.
fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(dark_rules("figure svg "))) }
            }
            body { main { (body) } }
        }
    };
    page.into_string()
}

fn body(model: &ReportModel) -> Markup {
    html! {
        (caveats(model))
        header {
            h1 { (model.title) }
            p.muted { (model.subtitle) }
            @if let Some(sharing) = &model.sharing { p { strong { (sharing) } } }
        }
        (verdict(model))
        (gate::table(model))
        (comparison::section(model))
        (once_steps(model))
        (failures(model, FailureRole::Failure, "Failures"))
        (failures(model, FailureRole::LeftOut, "Not judged"))
        (failures(model, FailureRole::Try, "Tries"))
        (plots::section(model))
        (timing::tables(model))
        (server_timing::tables(model))
        (peers::tables(model))
        (plan::sections(model))
        (prober(model))
        section {
            h2 { "Provenance" }
            div.card { (facts(&model.provenance)) }
        }
        footer.muted.small {
            p { strong { "Method. " } (model.method) }
        }
    }
}

/// Caveats at the top, where no reader can miss them.
fn caveats(model: &ReportModel) -> Markup {
    html! {
        @if !model.caveats.is_empty() {
            aside.caveats {
                p.word { "Warning" }
                ul { @for caveat in &model.caveats { li { strong { (caveat.scenario) ": " } (prose(&caveat.what)) } } }
            }
        }
    }
}

fn verdict(model: &ReportModel) -> Markup {
    let (said, further): (Vec<&RunFinding>, Vec<&RunFinding>) =
        model.findings.iter().partition(|finding| finding.one_line() == model.headline);
    let lead = model.lead();
    html! {
        section.verdict.(lead.decision.name()) {
            p.word { (lead.word) }
            p.why { (prose(&lead.reason)) }
            @if let Some(gate) = &model.gate {
                p.why { (badge(gate.decision)) " " strong { "Gate " (gate.verb) ": " } (prose(&gate.reason)) }
            }
            @for finding in said { p { (next(finding)) } }
            @if !further.is_empty() {
                ul { @for finding in further { li { (badge(finding.decision)) " " (prose(&finding.one_line())) (next(finding)) } } }
            }
            @if !model.warnings.is_empty() {
                p.why { strong { "Warnings" } }
                ul { @for warning in &model.warnings { li { (prose(&warning.one_line())) (next(warning)) } } }
            }
        }
    }
}

/// A table that scrolls within its container where the screen is too narrow for it. The keyboard
/// reaches it, and a screen reader announces its name.
fn scrolling(name: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(name) { (table) } }
}

/// A table of figures. The first cell of each row names the row.
fn figures_table(heads: &[String], rows: &[impl AsRef<[String]>]) -> Markup {
    html! {
        table {
            thead { tr { @for (at, head) in heads.iter().enumerate() {
                th.number[at > 0] scope="col" { (head) }
            } } }
            tbody { @for row in rows { tr {
                @for (at, cell) in row.as_ref().iter().enumerate() {
                    @if at == 0 { th scope="row" { (cell) } } @else { td.number { (cell) } }
                }
            } } }
        }
    }
}

/// A table of figures whose rows become blocks on a narrow screen, so that no column is out of
/// sight. The columns from `words_from` on hold words.
fn stacked_table(heads: &[String], rows: &[impl AsRef<[String]>], words_from: usize) -> Markup {
    html! {
        table.stacked {
            thead { tr { @for (at, head) in heads.iter().enumerate() {
                th.number[(1..words_from).contains(&at)] scope="col" { (head) }
            } } }
            tbody { @for row in rows { tr {
                @for (at, (head, cell)) in heads.iter().zip(row.as_ref()).enumerate() {
                    @if at == 0 { th scope="row" { (cell) } }
                    @else if at < words_from { td.number.figure.empty[cell.is_empty()] data-label=(head) { (cell) } }
                    @else { td.words.empty[cell.is_empty()] data-label=(head) { (cell) } }
                }
            } } }
        }
    }
}

/// A decision as a badge.
fn badge(decision: Decision) -> Markup {
    html! { span.badge.(decision.name()) { (decision.word()) } }
}

fn next(finding: &RunFinding) -> Markup {
    html! { @if !finding.next.is_empty() { span.next { "→ " (prose(&finding.next)) } } }
}

/// The steps of setups and teardowns.
fn once_steps(model: &ReportModel) -> Markup {
    let with_steps: Vec<_> =
        model.scenarios.iter().filter(|scenario| !scenario.once.is_empty()).collect();
    html! {
        @if !with_steps.is_empty() {
            section {
                h2 { "Setup and teardown" }
                p.muted.small { "These steps run once. They enter no figure above." }
                @for scenario in with_steps {
                    div.card {
                        h3 { (scenario.name) }
                        (scrolling(&format!("Setup and teardown: {}", scenario.name), &once_table(&scenario.once)))
                    }
                }
            }
        }
    }
}

/// The outcome comes right after the name, so that a phone shows it without scrolling.
fn once_table(steps: &[OnceStepView]) -> Markup {
    html! {
        table.once {
            thead {
                tr {
                    th scope="col" { "step" }
                    th scope="col" { "outcome" }
                    th.number scope="col" { "took" }
                    th scope="col" { "when" }
                }
            }
            tbody {
                @for step in steps {
                    tr {
                        th.words scope="row" { (step.name) }
                        td.words.outcome { (prose(&step.outcome)) }
                        td.number { (step.took) }
                        td { (step.stage) }
                    }
                }
            }
        }
    }
}

fn failures(model: &ReportModel, role: FailureRole, heading: &str) -> Markup {
    let failing: Vec<_> = model.failing(role).collect();
    html! {
        @if !failing.is_empty() {
            section {
                h2 { (heading) }
                div.card {
                    @for (scenario, request, failures) in failing {
                        h3 { (scenario.place(request)) }
                        ul.plain {
                            @for failure in failures {
                                li {
                                    strong { (words::count(failure.count)) " ×" } " " (prose(&failure.what))
                                    @if failure.in_warmup { span.muted { " (in the warm-up)" } }
                                    @if !failure.rows.is_empty() {
                                        ul {
                                            @for row in failure.rows.iter().chain(&failure.unkept_rows) {
                                                li { (row) }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How well the prober kept its schedule.
fn prober(model: &ReportModel) -> Markup {
    html! {
        @if let Some(prober) = &model.prober {
            section {
                h2 { "Prober" }
                div.card {
                    p { (prober.sentence) }
                    (facts(&prober.facts))
                }
            }
        }
    }
}

/// Text whose names in backticks become code.
fn prose(text: &str) -> Markup {
    html! {
        @for piece in words::pieces(text) {
            @match piece {
                TextPiece::Plain(text) => (text),
                TextPiece::Code(name) => code { (name) },
            }
        }
    }
}

fn facts(facts: &[ReportFact]) -> Markup {
    html! { dl { @for fact in facts { dt { (fact.name) } dd { (fact.value) } } } }
}
