//! Plots of a site of latency history: latency over time, by week and by hour, its parts, and cold
//! against warm.

mod date_axis;
mod mark_place;
mod phases;
mod temperature;
mod trend;
mod week_axis;
mod week_grid;
mod weeks;

use super::scene::Scene;
use super::sheet::PlotSheet;
use super::{FileStems, PlotError, PlotSketch, PlotTable};
use crate::report::site::{HistorySite, RequestPanel, SeriesPage, SiteLabels};

/// A plot of a site, drawn only on demand.
pub struct SitePlot<'a> {
    /// File stem: that of its page and its own.
    pub name: String,
    sketch: PlotSketch<'a>,
}

impl SitePlot<'_> {
    /// The plot as an SVG file.
    pub fn svg(&self) -> Result<String, PlotError> {
        self.sketch.svg_file()
    }

    /// The plot as a PNG file.
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        self.sketch.png()
    }
}

/// All plots of a site. A plot without data is left out.
pub fn history_plots(site: &HistorySite) -> impl Iterator<Item = SitePlot<'_>> {
    site.pages.iter().flat_map(move |page| {
        let plots = history_sketches(site, page).into_iter();
        plots.map(move |sketch| SitePlot { name: format!("{}-{}", page.slug, sketch.name), sketch })
    })
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
        Some(PlotSketch { kind, name, title, alt, caveats: page.caveats.note(), table, scene })
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
