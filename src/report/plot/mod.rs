//! Plots: figures compose scenes of shapes, plotters draws each scene as SVG and as PNG.

mod axis;
mod blame;
mod clock;
mod draw;
mod font;
mod heat;
mod load;
mod over_time;
mod palette;
mod percentile;
mod phases;
mod raster;
mod scene;
mod sheet;
mod style;
mod table;

use std::collections::HashSet;

use plotters::style::{FontStyle, register_font};

use super::model::{Model, RequestView, ScenarioView};
use super::words;
use draw::Words;
use font::Fonts;
use scene::Scene;
use sheet::Sheet;
pub(super) use style::{Paper, dark_rules};
pub(super) use table::Table;

/// One picture of a run.
#[derive(Debug, Clone)]
pub struct Plot {
    /// The stem of its file name: small letters, digits and hyphens, unique within the run.
    pub name: String,
    /// What one sees.
    pub title: String,
    /// What a reader who cannot see it should know.
    pub alt: String,
    /// The picture as SVG.
    pub svg: String,
    /// The picture as PNG, two pixels to one of the SVG.
    pub png: Vec<u8>,
}

/// Why a plot could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The embedded font could not be read.
    #[error("the embedded font cannot be read; this is a fault of tollgate, please report it")]
    Font,
    /// The picture could not be drawn or encoded.
    #[error(
        "the plot `{name}` could not be drawn: {why}; this is a fault of tollgate, please report it"
    )]
    Draw {
        /// The plot's file stem.
        name: String,
        /// What went wrong.
        why: String,
    },
}

/// The plots of a run: for each scenario latency by percentile, the load, lag and wait, and latency by phase; for each of
/// its requests latency over time as a heat map and as quantiles.
///
/// What was not measured has no plot; a run without exchanges has none at all.
pub fn plots(model: &Model) -> Result<Vec<Plot>, PlotError> {
    let fonts = fonts()?;
    sketches(model).iter().map(|sketch| sketch.drawn(fonts)).collect()
}

/// A plot that is not drawn yet.
pub(super) struct Sketch<'a> {
    /// The stem of its file name.
    pub(super) name: String,
    /// What one sees.
    pub(super) title: String,
    /// What a reader who cannot see it should know.
    pub(super) alt: String,
    figure: Figure<'a>,
}

#[derive(Clone, Copy)]
enum Figure<'a> {
    Percentile(&'a ScenarioView),
    Heat(&'a ScenarioView, &'a RequestView),
    OverTime(&'a ScenarioView, &'a RequestView),
    Load(&'a ScenarioView),
    Blame(&'a ScenarioView),
    Phases(&'a ScenarioView),
}

/// The plots that a model has, without drawing them, those of a kind beside one another.
pub(super) fn sketches(model: &Model) -> Vec<Sketch<'_>> {
    let scenarios = || model.scenarios.iter();
    let requests = || model.requests().filter(|(_, request)| request.hop.is_none());
    let mut figures: Vec<Figure<'_>> = scenarios().map(Figure::Percentile).collect();
    figures.extend(requests().map(|(scenario, request)| Figure::Heat(scenario, request)));
    figures.extend(requests().map(|(scenario, request)| Figure::OverTime(scenario, request)));
    figures.extend(scenarios().map(Figure::Load));
    figures.extend(scenarios().map(Figure::Blame));
    figures.extend(scenarios().map(Figure::Phases));
    let mut names = Names::default();
    let drawn = figures.into_iter().filter(Figure::has_something_to_show);
    drawn.map(|figure| Sketch::new(figure, &mut names)).collect()
}

impl Figure<'_> {
    fn has_something_to_show(&self) -> bool {
        // Of steps that are carried out once each, one picture says where the time of all went; the others would be a dot each.
        if self.about().0.is_list_of_checks() && !matches!(self, Self::Phases(_)) {
            return false;
        }
        match self {
            Self::Percentile(scenario) => {
                scenario.own_requests().any(|request| request.curve.total > 0)
            }
            Self::Heat(_, request) => heat::is_drawn(request),
            Self::OverTime(_, request) => request.timeline.reached_the_measured_phase(),
            Self::Load(scenario) => scenario.timeline.reached_the_measured_phase(),
            Self::Blame(scenario) => blame::is_drawn(scenario),
            Self::Phases(scenario) => {
                scenario.own_requests().any(|request| !phases::bars(request).is_empty())
            }
        }
    }

    /// The stem of its file name, and its title, each without what it is about.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Percentile(_) => ("percentiles", "Latency by percentile"),
            Self::Heat(..) => ("heat-map", "Latency over time, every exchange"),
            Self::OverTime(..) => ("over-time", "Latency over time"),
            Self::Load(_) => ("load", "Asked and answered"),
            Self::Blame(_) => ("lag-and-wait", "Lag and wait beside latency"),
            Self::Phases(_) => ("phases", "Where the time goes"),
        }
    }

    fn about(&self) -> (&ScenarioView, Option<&RequestView>) {
        match self {
            Self::Heat(scenario, request) | Self::OverTime(scenario, request) => {
                (scenario, Some(request))
            }
            Self::Percentile(scenario)
            | Self::Load(scenario)
            | Self::Blame(scenario)
            | Self::Phases(scenario) => (scenario, None),
        }
    }

    fn alt(&self) -> String {
        let alt = match self {
            Self::Percentile(scenario) => percentile::alt(scenario),
            Self::Heat(_, request) => heat::alt(request),
            Self::OverTime(_, request) => over_time::alt(request),
            Self::Load(scenario) => load::alt(scenario),
            Self::Blame(scenario) => blame::alt(scenario),
            Self::Phases(scenario) => phases::alt(scenario),
        };
        let caveats = &self.about().0.caveats;
        if caveats.is_empty() { alt } else { format!("{alt}. Note: {}", caveats.join("; ")) }
    }
}

impl<'a> Sketch<'a> {
    fn new(figure: Figure<'a>, names: &mut Names) -> Self {
        let (stem, title) = figure.kind();
        let (scenario, request) = figure.about();
        let place =
            request.map_or_else(|| scenario.name.clone(), |request| scenario.place(request));
        let parts: Vec<&str> = [stem, &scenario.name]
            .into_iter()
            .chain(request.map(|request| request.name.as_str()))
            .collect();
        Self {
            name: names.unique(&parts),
            title: format!("{title}: {place}"),
            alt: figure.alt(),
            figure,
        }
    }

    fn scene(&self, paper: Paper, fonts: &'static Fonts) -> Scene {
        let sheet = Sheet { title: &self.title, paper, fonts };
        match self.figure {
            Figure::Percentile(scenario) => percentile::scene(scenario, sheet),
            Figure::Heat(scenario, request) => heat::scene((scenario, request), sheet),
            Figure::OverTime(scenario, request) => over_time::scene((scenario, request), sheet),
            Figure::Load(scenario) => load::scene(scenario, sheet),
            Figure::Blame(scenario) => blame::scene(scenario, sheet),
            Figure::Phases(scenario) => phases::scene(scenario, sheet),
        }
    }

    /// The figures it is drawn from.
    pub(super) fn table(&self) -> Table {
        match self.figure {
            Figure::Percentile(scenario) => percentile::table(scenario),
            Figure::Heat(_, request) => heat::table(request),
            Figure::OverTime(_, request) => over_time::table(request),
            Figure::Load(scenario) => load::table(scenario),
            Figure::Blame(scenario) => blame::table(scenario),
            Figure::Phases(scenario) => phases::table(scenario),
        }
    }

    /// The picture as SVG for a page that brings [`dark_rules`]; it takes a hundredth of the time of a PNG.
    pub(super) fn svg(&self, paper: Paper) -> Result<String, PlotError> {
        self.vector(&self.scene(paper, fonts()?), false)
    }

    fn vector(&self, scene: &Scene, on_its_own: bool) -> Result<String, PlotError> {
        let words = Words { title: &self.title, alt: &self.alt };
        draw::svg(scene, &words, on_its_own).map_err(|why| self.failed(why))
    }

    fn drawn(&self, fonts: &'static Fonts) -> Result<Plot, PlotError> {
        let scene = self.scene(Paper::WIDE, fonts);
        Ok(Plot {
            name: self.name.clone(),
            title: self.title.clone(),
            alt: self.alt.clone(),
            svg: self.vector(&scene, true)?,
            png: draw::png(&scene, fonts).map_err(|why| self.failed(why))?,
        })
    }

    fn failed(&self, why: String) -> PlotError {
        PlotError::Draw { name: self.name.clone(), why }
    }
}

/// The embedded font, registered with plotters under the name it falls back to.
fn fonts() -> Result<&'static Fonts, PlotError> {
    for (style, bytes) in [(FontStyle::Normal, font::REGULAR), (FontStyle::Bold, font::BOLD)] {
        register_font("sans-serif", style, bytes).map_err(|_| PlotError::Font)?;
    }
    Fonts::embedded()
}

/// File stems that were given away.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    /// A stem made of `parts` that no other plot has, fit for every file system.
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

/// Text as a part of a file stem: at most 40 small letters, digits and single hyphens.
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
mod tests {
    use super::scene::Shape;
    use super::*;
    use crate::report::fixture;

    #[test]
    fn no_text_leaves_the_paper() {
        for (record, intervals) in fixture::all() {
            let model = Model::new(&record, &intervals);
            for sketch in sketches(&model) {
                for paper in [Paper::WIDE, Paper::NARROW] {
                    let scene = sketch.scene(paper, fonts().unwrap());
                    for shape in &scene.shapes {
                        if let Shape::Text { left, width, baseline, text, .. } = shape {
                            let inside = *left >= 0.0
                                && left + width <= scene.width
                                && *baseline < scene.height;
                            assert!(inside, "{} on {}: {text}", sketch.name, paper.width);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn file_stems_are_safe_and_differ() {
        let mut names = Names::default();
        let given = ["a b", "A/B", "../../etc", "", "ünï", "a-b"]
            .map(|name| names.unique(&["phases", name]));
        assert_eq!(
            given,
            ["phases-a-b", "phases-a-b-2", "phases-etc", "phases", "phases-n", "phases-a-b-3"]
        );
        assert!(names.unique(&["phases", &"x".repeat(10_000)]).len() < 60);
    }

    #[test]
    fn tags_at_one_spot_are_set_below_one_another() {
        let mut scene = Scene::new(Paper::WIDE, fonts().unwrap());
        (0..3).for_each(|_| scene.tag((50.0, 50.0), scene::Side::Start, "p95", style::LABEL));
        let heights: Vec<f64> = scene
            .shapes
            .iter()
            .filter_map(|shape| {
                if let Shape::Text { baseline, .. } = shape { Some(*baseline) } else { None }
            })
            .collect();
        assert!(
            heights.windows(2).all(|pair| pair[1] - pair[0] > style::LABEL.size),
            "{heights:?}"
        );
    }
}
