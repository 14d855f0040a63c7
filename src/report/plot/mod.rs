//! Plots: figures compose scenes of shapes, plotters draws each scene as SVG and as PNG.

mod axis;
mod draw;
mod font;
mod over_time;
mod percentile;
mod phases;
mod scene;
mod style;

use std::collections::HashSet;

use plotters::style::{FontStyle, register_font};

use super::model::{Model, RequestView, ScenarioView};
use super::words;
use font::Fonts;
use scene::Scene;

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
    #[error("the plot `{name}` could not be drawn: {why}; this is a fault of tollgate, please report it")]
    Draw {
        /// The plot's file stem.
        name: String,
        /// What went wrong.
        why: String,
    },
}

/// The plots of a run: for each scenario latency by percentile, over time, and by phase.
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

enum Figure<'a> {
    Percentile(&'a ScenarioView),
    OverTime(&'a RequestView),
    Phases(&'a ScenarioView),
}

/// The plots that a model has, without drawing them: by percentile, then over time, then by phase.
pub(super) fn sketches(model: &Model) -> Vec<Sketch<'_>> {
    let mut names = Names::default();
    let percentiles = model.scenarios.iter().filter_map(|scenario| by_percentile(scenario, &mut names));
    let mut sketches: Vec<Sketch<'_>> = percentiles.collect();
    sketches
        .extend(model.requests().filter_map(|(scenario, request)| over_time(scenario, request, &mut names)));
    sketches.extend(model.scenarios.iter().filter_map(|scenario| by_phase(scenario, &mut names)));
    sketches
}

fn by_percentile<'a>(scenario: &'a ScenarioView, names: &mut Names) -> Option<Sketch<'a>> {
    scenario.requests.iter().any(|request| request.curve.total > 0).then(|| Sketch {
        name: names.unique(&["percentiles", &scenario.name]),
        title: format!("Latency by percentile: {}", scenario.name),
        alt: percentile::alt(scenario),
        figure: Figure::Percentile(scenario),
    })
}

fn over_time<'a>(scenario: &ScenarioView, request: &'a RequestView, names: &mut Names) -> Option<Sketch<'a>> {
    (!request.timeline.is_empty()).then(|| Sketch {
        name: names.unique(&["over-time", &scenario.name, &request.name]),
        title: format!("Latency over time: {}", scenario.place(request)),
        alt: over_time::alt(request),
        figure: Figure::OverTime(request),
    })
}

fn by_phase<'a>(scenario: &'a ScenarioView, names: &mut Names) -> Option<Sketch<'a>> {
    scenario.requests.iter().any(|request| !phases::bars(request).is_empty()).then(|| Sketch {
        name: names.unique(&["phases", &scenario.name]),
        title: format!("Where the time goes: {}", scenario.name),
        alt: phases::alt(scenario),
        figure: Figure::Phases(scenario),
    })
}

impl Sketch<'_> {
    fn scene(&self, fonts: &'static Fonts) -> Scene {
        match self.figure {
            Figure::Percentile(scenario) => percentile::scene(scenario, &self.title, fonts),
            Figure::OverTime(request) => over_time::scene(request, &self.title, fonts),
            Figure::Phases(scenario) => phases::scene(scenario, &self.title, fonts),
        }
    }

    /// The picture as SVG alone, which takes a hundredth of the time of both.
    pub(super) fn svg(&self) -> Result<String, PlotError> {
        self.vector(&self.scene(fonts()?))
    }

    fn vector(&self, scene: &Scene) -> Result<String, PlotError> {
        draw::svg(scene, &self.title, &self.alt).map_err(|why| self.failed(why))
    }

    fn drawn(&self, fonts: &'static Fonts) -> Result<Plot, PlotError> {
        let scene = self.scene(fonts);
        Ok(Plot {
            name: self.name.clone(),
            title: self.title.clone(),
            alt: self.alt.clone(),
            svg: self.vector(&scene)?,
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
        let free = std::iter::once(stem.clone()).chain(numbered).find(|name| !self.0.contains(name));
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
                let scene = sketch.scene(fonts().unwrap());
                for shape in &scene.shapes {
                    if let Shape::Text { left, width, baseline, text, .. } = shape {
                        let inside = *left >= 0.0 && left + width <= scene.width && *baseline < scene.height;
                        assert!(inside, "{}: {text}", sketch.name);
                    }
                }
            }
        }
    }

    #[test]
    fn file_stems_are_safe_and_differ() {
        let mut names = Names::default();
        let given = ["a b", "A/B", "../../etc", "", "ünï", "a-b"].map(|name| names.unique(&["phases", name]));
        assert_eq!(given, ["phases-a-b", "phases-a-b-2", "phases-etc", "phases", "phases-n", "phases-a-b-3"]);
        assert!(names.unique(&["phases", &"x".repeat(10_000)]).len() < 60);
    }

    #[test]
    fn tags_at_one_spot_are_set_below_one_another() {
        let mut scene = Scene::new(400.0, 300.0, fonts().unwrap());
        (0..3).for_each(|_| scene.tag((50.0, 50.0), scene::Side::Start, "p95", style::LABEL));
        let heights: Vec<f64> = scene
            .shapes
            .iter()
            .filter_map(|shape| if let Shape::Text { baseline, .. } = shape { Some(*baseline) } else { None })
            .collect();
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] > style::LABEL.size), "{heights:?}");
    }
}
