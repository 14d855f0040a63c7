//! The comparison of a run with its baseline, or of the two sides of a duet.

use maud::{Markup, html};

use super::{prose, scrolling};
use crate::report::model::{COMPARED_COLUMNS, ComparedRequestView, ComparisonView, ReportModel};

/// What was found first, then what it leaves open, then the figures.
pub(super) fn section(model: &ReportModel) -> Markup {
    html! {
        @if let Some(view) = &model.comparison {
            section {
                h2 { (view.title) }
                div.card {
                    p { strong { (view.word()) } " " (prose(&view.headline)) }
                    @if !view.notes.is_empty() {
                        ul { @for note in &view.notes { li { (prose(note)) } } }
                    }
                    (figures(view))
                    p.muted.small { (view.method) }
                }
            }
        }
    }
}

fn figures(view: &ComparisonView) -> Markup {
    html! {
        @for request in &view.requests {
            h3 { (request.name) }
            (scrolling(&format!("Comparison: {}", request.name), &table(view, request)))
        }
    }
}

/// On a narrow screen each figure becomes a block, so that no column is out of sight.
fn table(view: &ComparisonView, request: &ComparedRequestView) -> Markup {
    let last = COMPARED_COLUMNS - 1;
    html! {
        table.stacked {
            thead { tr { @for (at, head) in view.heads.iter().enumerate() {
                th.number[(1..last).contains(&at)] scope="col" { (head) }
            } } }
            tbody { @for row in &request.rows { tr {
                @for (at, (head, cell)) in view.heads.iter().zip(&row.cells).enumerate() {
                    @if at == 0 { th scope="row" { (cell) } }
                    @else if at == last { td.words.empty[cell.is_empty()] data-label=(head) { (cell) } }
                    @else { td.number.figure.empty[cell.is_empty()] data-label=(head) { (cell) } }
                }
            } } }
        }
    }
}
