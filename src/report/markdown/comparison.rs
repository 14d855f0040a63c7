//! The comparison of a run with its baseline, or of the two sides of a duet.

use super::{escape, prose, sign, table};
use crate::report::model::{ComparedRequestView, ComparisonView};

/// What was found first, then what it leaves open, then the figures.
pub(super) fn section(view: &ComparisonView) -> String {
    let notes: String = view.notes.iter().map(|note| format!("- {}\n", prose(note))).collect();
    let requests: Vec<String> =
        view.requests.iter().map(|request| figures(view, request)).collect();
    format!(
        "### {}\n\n**{} {}** {}\n\n{notes}\n{}\n_{}_\n",
        escape(&view.title),
        sign(view.decision),
        view.word(),
        prose(&view.headline),
        requests.join("\n"),
        escape(&view.method),
    )
}

fn figures(view: &ComparisonView, request: &ComparedRequestView) -> String {
    let heads = view.heads.each_ref().map(String::as_str);
    let rows = request.rows.iter().map(|row| row.cells.each_ref().map(|cell| escape(cell)));
    format!("**{}**\n\n{}", escape(&request.name), table(&heads, rows))
}
