//! The plots, each followed by a table of its figures.

use maud::{Markup, PreEscaped, html};

use super::{figures_table, scrolling};
use crate::report::model::ReportModel;
use crate::report::plot::{PlotError, PlotPaper, PlotSketch, PlotTable, sketches};

/// The plots; phones show narrow versions.
pub(super) fn section(model: &ReportModel) -> Markup {
    let sketches = sketches(model);
    html! {
        @if !sketches.is_empty() {
            section {
                h2 { "Plots" }
                @for row in rows(&sketches) { div.plots { @for sketch in row { (figure(sketch)) } } }
            }
        }
    }
}

/// The plots in rows of a kind, so that those to compare are side by side. Kinds with one plot
/// share rows.
pub(super) fn rows<'a, 'b>(sketches: &'a [PlotSketch<'b>]) -> Vec<&'a [PlotSketch<'b>]> {
    let is_alone = |kind: &str| sketches.iter().filter(|other| other.kind == kind).count() == 1;
    sketches.chunk_by(|a, b| a.kind == b.kind || (is_alone(a.kind) && is_alone(b.kind))).collect()
}

pub(super) fn figure(sketch: &PlotSketch<'_>) -> Markup {
    html! {
        @match pictures(sketch) {
            Ok(pictures) => figure id=(sketch.name) { (pictures) (figures(sketch)) },
            Err(error) => p.fail { "A plot is missing: " (error) },
        }
    }
}

/// The wide and the narrow picture; the style sheet shows one of them. The SVG text is escaped
/// already.
fn pictures(sketch: &PlotSketch<'_>) -> Result<Markup, PlotError> {
    let (wide, narrow) = (sketch.svg(PlotPaper::WIDE)?, sketch.svg(PlotPaper::NARROW)?);
    Ok(html! {
        div.wide { (PreEscaped(wide)) }
        div.narrow { (PreEscaped(narrow)) }
    })
}

fn figures(sketch: &PlotSketch<'_>) -> Markup {
    let PlotTable { heads, rows } = sketch.table();
    let table = figures_table(&heads, &rows);
    html! {
        details {
            summary { "Figures" }
            p.small { (sketch.alt) "." }
            (scrolling(&format!("Figures: {}", sketch.title), &table))
        }
    }
}
