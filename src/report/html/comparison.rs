//! The comparison of a run with its baseline, or of the two sides of a duet.

use maud::{Markup, html};

use super::{prose, scrolling, stacked_table};
use crate::report::model::{COMPARED_COLUMNS, ComparisonView, ReportModel};

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
            @let rows: Vec<&[String]> = request.rows.iter().map(|row| row.cells.as_slice()).collect();
            @let table = stacked_table(&view.heads, &rows, COMPARED_COLUMNS - 1);
            h3 { (request.name) }
            (scrolling(&format!("Comparison: {}", request.name), &table))
        }
    }
}
