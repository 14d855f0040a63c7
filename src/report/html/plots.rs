//! The plots, each with the figures it is drawn from.

use maud::{Markup, PreEscaped, html};

use crate::report::model::Model;
use crate::report::plot::{PlotError, PlotPaper, PlotSketch, PlotTable, sketches};

/// The plots; a telephone gets narrow ones.
pub(super) fn section(model: &Model) -> Markup {
    let sketches = sketches(model);
    html! {
        @if !sketches.is_empty() {
            section {
                h2 { "Plots" }
                div.plots { @for sketch in &sketches { (figure(sketch)) } }
            }
        }
    }
}

fn figure(sketch: &PlotSketch<'_>) -> Markup {
    html! {
        @match pictures(sketch) {
            Ok(pictures) => figure id=(sketch.name) { (pictures) (figures(sketch)) },
            Err(error) => p.fail { "A plot is missing: " (error) },
        }
    }
}

/// Both pictures, of which the style shows one; their texts were escaped when they were drawn.
fn pictures(sketch: &PlotSketch<'_>) -> Result<Markup, PlotError> {
    let (wide, narrow) = (sketch.svg(PlotPaper::WIDE)?, sketch.svg(PlotPaper::NARROW)?);
    Ok(html! {
        div.wide { (PreEscaped(wide)) }
        div.narrow { (PreEscaped(narrow)) }
    })
}

fn figures(sketch: &PlotSketch<'_>) -> Markup {
    let PlotTable { heads, rows } = sketch.table();
    html! {
        details {
            summary { "Figures" }
            p.small { (sketch.alt) "." }
            div.scroll tabindex="0" role="region" aria-label={ "Figures: " (sketch.title) } {
                table {
                    thead {
                        tr { @for (at, head) in heads.iter().enumerate() { th.number[at > 0] scope="col" { (head) } } }
                    }
                    tbody { @for row in &rows { (cells(row)) } }
                }
            }
        }
    }
}

fn cells(row: &[String]) -> Markup {
    html! {
        tr {
            @for (at, cell) in row.iter().enumerate() {
                @if at == 0 { th scope="row" { (cell) } } @else { td.number { (cell) } }
            }
        }
    }
}
