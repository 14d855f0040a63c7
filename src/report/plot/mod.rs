//! Plots of a run. Each kind of plot composes a scene of shapes, which plotters draws as SVG and
//! tiny-skia as PNG.

mod axis;
mod bitmap;
mod blame;
mod budget;
mod font;
mod heat;
mod history;
mod load;
mod over_time;
mod palette;
mod percentile;
mod phases;
mod raster;
mod scene;
mod session;
mod sheet;
mod style;
mod svg;
mod table;
mod time_axis;
mod whisker;

use std::collections::HashSet;
use std::rc::Rc;

use super::model::{ReportModel, RequestView, ScenarioView};
use super::words;
use font::PlotFonts;
pub(super) use history::panel_sketches;
pub use history::{SitePlot, history_plots};
use scene::Scene;
pub use session::session_plots;
pub(super) use session::session_sketches;
use sheet::PlotSheet;
pub(super) use style::{PlotPaper, dark_rules};
use svg::PlotText;
pub(super) use table::PlotTable;

/// A drawn plot of a run.
#[derive(Debug, Clone)]
pub struct Plot {
    /// File stem, unique within the run: lower-case letters, digits and hyphens.
    pub name: String,
    /// Heading.
    pub title: String,
    /// Description for readers who cannot see the plot.
    pub alt: String,
    /// The picture as SVG.
    pub svg: String,
    /// The picture as PNG, with two pixels per SVG pixel.
    pub png: Vec<u8>,
}

/// Why a plot could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The embedded font could not be read.
    #[error("the embedded font cannot be read; this is a bug in tollgate, please report it")]
    Font,
    /// The picture could not be drawn or encoded.
    #[error(
        "the plot `{name}` could not be drawn: {why}; this is a bug in tollgate, please report it"
    )]
    Draw {
        /// The plot's file stem.
        name: String,
        /// What went wrong.
        why: String,
    },
}

/// Draws all plots of a run one by one, in the order of `PLOT_KINDS`.
///
/// A plot without data is left out; a run without exchanges has no plots.
pub fn plots(model: &ReportModel) -> impl Iterator<Item = Result<Plot, PlotError>> {
    sketches(model).into_iter().map(|sketch| sketch.draw(PlotFonts::embedded()?))
}

/// Every kind of plot, in the order of a report. A new one is a file with a `KIND` and a line here.
const PLOT_KINDS: [&PlotKind; 6] =
    [&percentile::KIND, &heat::KIND, &over_time::KIND, &load::KIND, &blame::KIND, &phases::KIND];

/// A kind of plot: its names, and what it is drawn from.
struct PlotKind {
    /// Start of the file stem.
    stem: &'static str,
    /// Start of the title.
    title: &'static str,
    /// Whether a scenario that ran once has it too: most plots of one sample would be a dot.
    suits_checks: bool,
    subject: PlotSubject,
}

/// What one plot of a kind shows.
enum PlotSubject {
    EachScenario(PlotFunctions<ScenarioView>),
    /// Hops have no separate plots.
    EachRequest(PlotFunctions<RequestView>),
}

/// The pure functions that make a plot of a subject.
struct PlotFunctions<Subject> {
    has_data: fn(&Subject) -> bool,
    /// The plot in words, for readers who cannot see it.
    alt: fn(&Subject) -> String,
    /// The plot's figures.
    table: fn(&Subject) -> PlotTable,
    /// The figure. All subjects of the kind come second: their plots share their axes, so that a
    /// reader can compare them side by side.
    scene: fn(&Subject, &[&Subject], PlotSheet<'_>) -> Scene,
}

/// What one plot shows, and the subjects of all plots of its kind.
struct PlottedSubject<'a, Subject> {
    subject: &'a Subject,
    peers: Rc<[&'a Subject]>,
}

/// A plot that is not drawn yet.
pub(super) struct PlotSketch<'a> {
    /// The kind of plot: plots of one kind belong next to each other.
    pub(super) kind: &'static str,
    /// File stem.
    pub(super) name: String,
    /// Heading.
    pub(super) title: String,
    /// Description for readers who cannot see the plot.
    pub(super) alt: String,
    /// What a reader must know before the figures; may be empty.
    caveats: String,
    table: Box<dyn Fn() -> PlotTable + 'a>,
    scene: Box<dyn Fn(PlotSheet<'_>) -> Scene + 'a>,
}

/// The plots of a model, not drawn yet, grouped by kind.
pub(super) fn sketches(model: &ReportModel) -> Vec<PlotSketch<'_>> {
    let mut names = FileStems::default();
    PLOT_KINDS.iter().flat_map(|kind| kind.sketches(model, &mut names)).collect()
}

impl PlotKind {
    fn sketches<'a>(
        &'static self,
        model: &'a ReportModel,
        names: &mut FileStems,
    ) -> Vec<PlotSketch<'a>> {
        let suits = |scenario: &ScenarioView| self.suits_checks || !scenario.is_single;
        let scenarios = model.scenarios.iter().filter(|scenario| suits(scenario));
        match &self.subject {
            PlotSubject::EachScenario(functions) => {
                let drawn: Rc<[_]> =
                    scenarios.filter(|scenario| (functions.has_data)(scenario)).collect();
                let sketch = |scenario: &&'a ScenarioView| {
                    let name = names.unique(&[self.stem, &scenario.name]);
                    let subject = PlottedSubject { subject: *scenario, peers: Rc::clone(&drawn) };
                    self.sketch(name, &scenario.name, scenario, (functions, subject))
                };
                drawn.iter().map(sketch).collect()
            }
            PlotSubject::EachRequest(functions) => {
                let drawn: Vec<(&ScenarioView, &RequestView)> = scenarios
                    .flat_map(|scenario| {
                        scenario.own_requests().map(move |request| (scenario, request))
                    })
                    .filter(|(_, request)| (functions.has_data)(request))
                    .collect();
                let peers: Rc<[_]> = drawn.iter().map(|(_, request)| *request).collect();
                let sketch = |(scenario, request): (&'a ScenarioView, &'a RequestView)| {
                    let name = names.unique(&[self.stem, &scenario.name, &request.name]);
                    let subject = PlottedSubject { subject: request, peers: Rc::clone(&peers) };
                    self.sketch(name, &scenario.place(request), scenario, (functions, subject))
                };
                drawn.into_iter().map(sketch).collect()
            }
        }
    }

    fn sketch<'a, Subject>(
        &self,
        name: String,
        place: &str,
        scenario: &'a ScenarioView,
        (functions, plotted): (&'static PlotFunctions<Subject>, PlottedSubject<'a, Subject>),
    ) -> PlotSketch<'a> {
        let PlottedSubject { subject, peers } = plotted;
        let mut alt = (functions.alt)(subject);
        if !scenario.caveats.is_empty() {
            alt += &format!(". Note: {}", scenario.caveats.join("; "));
        }
        PlotSketch {
            kind: self.stem,
            name,
            title: format!("{}: {place}", self.title),
            alt,
            caveats: scenario.caveats.join("; "),
            table: Box::new(move || (functions.table)(subject)),
            scene: Box::new(move |sheet| (functions.scene)(subject, &peers, sheet)),
        }
    }
}

impl PlotSketch<'_> {
    fn scene(&self, paper: PlotPaper, fonts: &'static PlotFonts) -> Scene {
        (self.scene)(PlotSheet { title: &self.title, caveats: &self.caveats, paper, fonts })
    }

    /// The figures that the plot shows.
    pub(super) fn table(&self) -> PlotTable {
        (self.table)()
    }

    /// The plot as SVG for a page that contains [`dark_rules`]; far cheaper than a PNG.
    pub(super) fn svg(&self, paper: PlotPaper) -> Result<String, PlotError> {
        self.vector(&self.scene(paper, PlotFonts::embedded()?), false)
    }

    fn vector(&self, scene: &Scene, on_its_own: bool) -> Result<String, PlotError> {
        let words = PlotText { title: &self.title, alt: &self.alt };
        svg::svg(scene, &words, on_its_own).map_err(|why| self.failed(why))
    }

    fn draw(&self, fonts: &'static PlotFonts) -> Result<Plot, PlotError> {
        let scene = self.scene(PlotPaper::WIDE, fonts);
        Ok(Plot {
            name: self.name.clone(),
            title: self.title.clone(),
            alt: self.alt.clone(),
            svg: self.vector(&scene, true)?,
            png: self.bitmap(&scene, fonts)?,
        })
    }

    /// The plot as an SVG file of its own.
    fn svg_file(&self) -> Result<String, PlotError> {
        self.vector(&self.scene(PlotPaper::WIDE, PlotFonts::embedded()?), true)
    }

    /// The plot as a PNG file.
    fn png(&self) -> Result<Vec<u8>, PlotError> {
        let fonts = PlotFonts::embedded()?;
        self.bitmap(&self.scene(PlotPaper::WIDE, fonts), fonts)
    }

    fn bitmap(&self, scene: &Scene, fonts: &'static PlotFonts) -> Result<Vec<u8>, PlotError> {
        bitmap::png(scene, fonts).map_err(|why| self.failed(why))
    }

    fn failed(&self, why: String) -> PlotError {
        PlotError::Draw { name: self.name.clone(), why }
    }
}

/// File stems already in use.
#[derive(Default)]
pub(super) struct FileStems(HashSet<String>);

impl FileStems {
    /// A unique stem made of `parts` that is safe on every file system.
    fn unique(&mut self, parts: &[&str]) -> String {
        let parts: Vec<String> =
            parts.iter().map(|part| safe(part)).filter(|part| !part.is_empty()).collect();
        let stem = parts.join("-");
        let numbered = (2..).map(|n| format!("{stem}-{n}"));
        let free =
            std::iter::once(stem.clone()).chain(numbered).find(|name| !self.0.contains(name));
        let name = free.unwrap_or(stem);
        self.0.insert(name.clone());
        name
    }
}

/// Text as part of a file stem: at most 40 lower-case letters, digits and single hyphens.
fn safe(text: &str) -> String {
    let mut safe = String::new();
    for c in words::display(text, words::NAME).chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => safe.push(c),
            _ if !safe.is_empty() && !safe.ends_with('-') => safe.push('-'),
            _ => {}
        }
    }
    safe.truncate(40);
    safe.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests;
