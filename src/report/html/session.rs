//! A tuning session as a self-contained HTML page.

use maud::{Markup, html};

use super::plots::{figure, rows};
use super::{facts, figures_table, page, prose, scrolling};
use crate::record::session::FigureKind;
use crate::report::plot::session_sketches;
use crate::report::session::{
    ConfigurationView, DifferenceView, FigureView, INVENTORY_HEADS, InventoryRow, ReasonedText,
    SessionModel,
};

/// Maximum number of machines in the inventory; `session.json` has all of them.
const MACHINES: usize = 200;

/// Renders a session as one page that opens from disk without scripts or other files.
///
/// A plot that cannot be drawn is replaced by an error message.
pub fn session_html(model: &SessionModel) -> String {
    page(&format!("{} — tuning session", model.title), &body(model))
}

fn body(model: &SessionModel) -> Markup {
    html! {
        header {
            h1 { (model.title) }
            p.muted { (model.subtitle) }
        }
        (answer(model))
        (figures(model))
        (caveats(model))
        (differences(model))
        (plots(model))
        (quota(model))
        (configurations(model))
        (attempts(model))
        (inventory(model))
        section {
            h2 { "Plan" }
            div.card { (facts(&model.plan)) }
        }
        section {
            h2 { "Provenance" }
            div.card { (facts(&model.provenance)) }
        }
        footer.muted.small {
            p { strong { "Method. " } (model.method) }
        }
    }
}

/// The headline and what to do.
fn answer(model: &SessionModel) -> Markup {
    html! {
        section.verdict.answer {
            @if !model.is_complete { p { span.badge.inconclusive { "NOT COMPLETE" } } }
            @for sentence in &model.headline { p.why { (prose(sentence)) } }
            @if !model.advice.is_empty() {
                p.why { strong { "What to do" } }
                ul { @for line in &model.advice { li { (reasoned(line)) } } }
            }
        }
    }
}

/// A statement with the figures that it rests on below it.
fn reasoned(line: &ReasonedText) -> Markup {
    html! {
        (prose(&line.what))
        @if !line.because.is_empty() { br; span.muted.small { (prose(&line.because)) } }
    }
}

fn caveats(model: &SessionModel) -> Markup {
    let caveats: Vec<String> = model.all_caveats().collect();
    html! {
        @if !caveats.is_empty() {
            aside.caveats {
                p.word { "Caveats" }
                ul { @for caveat in &caveats { li { (prose(caveat)) } } }
            }
        }
    }
}

/// One row for each configuration, its intervals below its figures; a block on a narrow screen.
fn figures(model: &SessionModel) -> Markup {
    let kinds: Vec<FigureKind> = model.kinds().collect();
    let table = html! {
        table.session.stacked {
            thead { tr {
                th scope="col" { "configuration" }
                @for kind in &kinds { th.number scope="col" { (kind.name()) } }
                th scope="col" { "class" }
                th.number scope="col" { "restarts" }
            } }
            tbody { @for it in &model.configurations { tr {
                (place(it))
                @for kind in &kinds { td.number.figure data-label=(kind.name()) { (estimate(it.figure(*kind))) } }
                // A line breaks between words, but not at the hyphen of `warm-up`.
                td.narrow-words data-label="class" { @for word in it.class_name().split(' ') { span.nowrap { (word) } " " } }
                td.number.figure.narrow-words[it.incomplete > 0] data-label="restarts" { (it.restarts_words()) }
            } } }
        }
    };
    html! {
        section {
            h2 { "Figures" }
            div.card {
                (scrolling("Figures", &table))
                p.muted.small {
                    "Each figure is the mean over restarts"
                    @if let Some(confidence) = model.confidence() { ", with its " (confidence) " interval" }
                    "."
                }
            }
        }
    }
}

/// The heading of a configuration's row.
fn place(it: &ConfigurationView) -> Markup {
    html! { th.words scope="row" { strong { (it.key) } " " (it.name) } }
}

fn estimate(figure: Option<&FigureView>) -> Markup {
    html! {
        @match figure {
            Some(figure) => {
                strong { (figure.value) }
                @if !figure.interval.is_empty() { br; " " span.interval.small { (figure.interval) } }
            },
            None => "–",
        }
    }
}

/// On a narrow screen each difference becomes a block, with its outcome right after the names.
fn differences(model: &SessionModel) -> Markup {
    let rows: Vec<_> = model.all_differences().collect();
    let table = html! {
        table.session.stacked {
            thead { tr {
                th scope="col" { "figure" } th scope="col" { "configuration" }
                th scope="col" { "outcome" }
                th.number scope="col" { "difference" } th.number scope="col" { "interval" }
                th.number scope="col" { "seen above" }
            } }
            tbody { @for (kind, it, by) in &rows { tr {
                th.narrow-words scope="row" { (kind.name()) }
                td.words data-label="configuration" { strong { (it.key) } " " (it.name) }
                td data-label="outcome" { (outcome(by)) }
                td.number.figure data-label="difference" { strong { (by.value) } }
                td.number.figure.empty[by.interval.is_empty()] data-label="interval" { (by.interval) }
                td.number.figure.empty[by.seen_above.is_empty()] data-label="seen above" { (by.seen_above) }
            } } }
        }
    };
    html! {
        @if !rows.is_empty() {
            section {
                h2 { (model.differences_heading()) }
                div.card {
                    (scrolling("Differences", &table))
                    p.muted.small { (model.seen_above_note()) }
                }
            }
        }
    }
}

fn outcome(by: &DifferenceView) -> Markup {
    html! {
        @match by.is_better() {
            Some(true) => span.badge.pass { (by.outcome) },
            Some(false) => span.badge.fail { (by.outcome) },
            None => span.muted { (by.outcome) },
        }
    }
}

fn plots(model: &SessionModel) -> Markup {
    let sketches = session_sketches(model);
    html! {
        @if !sketches.is_empty() {
            section {
                h2 { "Plots" }
                @for row in rows(&sketches) { div.plots { @for sketch in row { (figure(sketch)) } } }
            }
        }
    }
}

/// What the CPU quota did, and findings about configurations.
fn quota(model: &SessionModel) -> Markup {
    html! {
        section {
            h2 { "CPU quota and findings" }
            div.card {
                ul.plain {
                    @for (is_throttled, keys, words) in model.quota_lines() { li {
                        strong { (keys) } " "
                        @if is_throttled { strong.fail { (words) } } @else { (words) }
                    } }
                    @for (it, line) in model.findings() { li {
                        strong { (it.key) } " " (reasoned(line))
                    } }
                }
            }
        }
    }
}

fn configurations(model: &SessionModel) -> Markup {
    let table = html! {
        table.session {
            thead { tr {
                @for head in ["configuration", "machines", "change", "hypothesis"] { th scope="col" { (head) } }
            } }
            tbody { @for it in &model.configurations { tr {
                (place(it))
                td { (it.size) }
                td.words { @if it.change.is_empty() { "nothing" } @else { code { (it.change) } } }
                td.words { (prose(&it.hypothesis)) }
            } } }
        }
    };
    html! {
        section {
            h2 { "Configurations" }
            div.card { (scrolling("Configurations", &table)) }
        }
    }
}

fn attempts(model: &SessionModel) -> Markup {
    let rows: Vec<Vec<String>> = model.attempt_rows().collect();
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "Attempts" }
                div.card { (scrolling("Attempts", &figures_table(&model.attempt_heads(), &rows))) }
            }
        }
    }
}

/// The machines of each attempt. What changed during the attempt is marked.
fn inventory(model: &SessionModel) -> Markup {
    let rows = &model.inventory[..model.inventory.len().min(MACHINES)];
    let more = model.inventory.len() - rows.len();
    let table = html! {
        table.session {
            thead { tr { @for head in INVENTORY_HEADS { th scope="col" { (head) } } } }
            tbody { @for row in rows { (machine(row)) } }
        }
    };
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "Machines before and after each attempt" }
                div.card {
                    (scrolling("Machines", &table))
                    p.muted.small {
                        "Marked cells changed during the attempt: before → after. Limits: soft / hard."
                        @if more > 0 { " " (more) " more rows are in session.json." }
                    }
                }
            }
        }
    }
}

fn machine(row: &InventoryRow) -> Markup {
    html! {
        tr { @for (at, cell) in row.cells.iter().enumerate() {
            @if at == 0 { th scope="row" { (cell.text) } }
            @else { td { @if cell.has_changed { mark { (cell.text) } } @else { (cell.text) } } }
        } }
    }
}
