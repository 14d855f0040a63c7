//! Plots of a site of latency history: latency over time, by week and by hour, its parts, and cold
//! against warm.

mod date_axis;
mod phases;
mod temperature;
mod trend;
mod week_grid;
mod weeks;

use super::scene::Scene;
use super::sheet::PlotSheet;
use super::{FileStems, Plot, PlotError, PlotFonts, PlotSketch, PlotTable};
use crate::report::site::{HistorySite, RequestPanel, SeriesPage, SiteLabels};

/// Draws all plots of a site. A plot without data is left out.
pub fn history_plots(site: &HistorySite) -> Result<Vec<Plot>, PlotError> {
    let fonts = PlotFonts::embedded()?;
    let mut plots = Vec::new();
    for page in &site.pages {
        for sketch in history_sketches(site, page) {
            let mut plot = sketch.draw(fonts)?;
            plot.name = format!("{}-{}", page.slug, plot.name);
            plots.push(plot);
        }
    }
    Ok(plots)
}

/// The plots of a page, not drawn yet, request by request. Their names are unique on the page.
pub(in crate::report) fn history_sketches<'a>(
    site: &'a HistorySite,
    page: &'a SeriesPage,
) -> Vec<PlotSketch<'a>> {
    let mut stems = FileStems::default();
    let panels = page.panels.iter();
    panels.flat_map(|panel| panel_sketches(site, page, panel, &mut stems)).collect()
}

/// The plots of one request.
pub(in crate::report) fn panel_sketches<'a>(
    site: &'a HistorySite,
    page: &'a SeriesPage,
    panel: &'a RequestPanel,
    stems: &mut FileStems,
) -> Vec<PlotSketch<'a>> {
    let labels = SiteLabels::new(&site.options);
    let plots = [
        ("history", trend::plot(panel, labels)),
        ("by-hour", week_grid::plot(panel, labels)),
        ("by-week", weeks::plot(panel)),
        ("parts", phases::plot(panel, labels)),
        ("cold", temperature::plot(panel)),
    ];
    let sketch = |(kind, plot): (&'static str, Option<HistoryPlot<'a>>)| {
        let HistoryPlot { title, alt, table, scene } = plot?;
        let name = stems.unique(&[kind, &panel.name]);
        Some(PlotSketch { kind, name, title, alt, caveats: &page.caveats, table, scene })
    };
    plots.into_iter().filter_map(sketch).collect()
}

/// A plot before it has a name.
struct HistoryPlot<'a> {
    /// What the plot shows, with its finding.
    title: String,
    /// Description for readers who cannot see it.
    alt: String,
    table: Box<dyn Fn() -> PlotTable + 'a>,
    scene: Box<dyn Fn(PlotSheet<'_>) -> Scene + 'a>,
}
