//! Plots of a tuning session: warm-up curves, the figures of its configurations and attempts, the
//! parts of requests, and the time in which the CPU quota held the target back.

mod attempts;
mod comparison;
mod curves;
mod figure_axis;
mod phases;
mod throttled;

use std::time::Duration;

use super::scene::{LegendMark, Scene};
use super::sheet::PlotSheet;
use super::style::{RgbColour, SERIES};
use super::{FileStems, Plot, PlotError, PlotFonts, PlotSketch, PlotTable};
use crate::record::session::FigureKind;
use crate::report::session::{ConfigurationView, SessionModel};

/// The figures that have plots. Tables have the others too.
const PLOTTED: [FigureKind; 5] = [
    FigureKind::FirstAnswer,
    FigureKind::SteadyP50,
    FigureKind::SteadyP95,
    FigureKind::RequestsToSteady,
    FigureKind::ColdCost,
];

/// Draws all plots of a session. A plot without data is left out.
pub fn session_plots(model: &SessionModel) -> Result<Vec<Plot>, PlotError> {
    let fonts = PlotFonts::embedded()?;
    session_sketches(model).iter().map(|sketch| sketch.draw(fonts)).collect()
}

/// The plots of a session, not drawn yet: warm-up curves first, because they show most at one look.
/// Plots of one kind belong next to each other.
pub(in crate::report) fn session_sketches<'a>(model: &'a SessionModel) -> Vec<PlotSketch<'a>> {
    let mut stems = FileStems::default();
    let mut sketches = Vec::new();
    let mut add = |kind, stem: &[&str], plot: Option<SessionPlot<'a>>| {
        sketches.extend(plot.map(|plot| plot.into_sketch(kind, stems.unique(stem))));
    };
    for (at, configuration) in model.configurations.iter().enumerate() {
        add("curve", &["curve", &configuration.key, &configuration.name], curves::plot(model, at));
    }
    for kind in PLOTTED {
        add(stem(kind), &["configurations", stem(kind)], comparison::plot(model, kind));
        add(stem(kind), &["attempts", stem(kind)], attempts::plot(model, kind));
    }
    add("phases", &["phases-first"], phases::first(model));
    add("phases", &["phases-warming"], phases::warming(model));
    add("throttled", &["throttled"], throttled::plot(model));
    sketches
}

/// A plot of a session before it has a name.
struct SessionPlot<'a> {
    /// What the plot shows, with its finding.
    title: String,
    /// Description for readers who cannot see it.
    alt: String,
    table: Box<dyn Fn() -> PlotTable + 'a>,
    scene: Box<dyn Fn(PlotSheet<'_>) -> Scene + 'a>,
}

impl<'a> SessionPlot<'a> {
    fn into_sketch(self, kind: &'static str, name: String) -> PlotSketch<'a> {
        let Self { title, alt, table, scene } = self;
        PlotSketch { kind, name, title, alt, caveats: String::new(), table, scene }
    }
}

/// The part of a file stem that stands for a figure.
fn stem(kind: FigureKind) -> &'static str {
    match kind {
        FigureKind::FirstAnswer => "first-answer",
        FigureKind::ConnectionSetup => "connection",
        FigureKind::RequestsToSteady => "requests-to-steady",
        FigureKind::TimeToSteady => "time-to-steady",
        FigureKind::ColdCost => "cold-cost",
        FigureKind::SteadyP50 => "steady-p50",
        FigureKind::SteadyP95 => "steady-p95",
    }
}

/// The median of some times, the lower one of two; `None` without any.
fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) / 2).copied()
}

/// The colour of a configuration. Letters repeat what the colour says: more than six
/// configurations share colours.
fn colour(configuration: usize) -> RgbColour {
    SERIES[configuration % SERIES.len()]
}

/// Draws a legend of the configurations, each with its key; returns the position of the next row.
fn configuration_legend(
    scene: &mut Scene,
    top: f64,
    model: &SessionModel,
    others: &[(LegendMark, &str)],
) -> f64 {
    let places: Vec<String> =
        model.configurations.iter().map(ConfigurationView::short_place).collect();
    let mut entries: Vec<(LegendMark, &str)> = places
        .iter()
        .enumerate()
        .map(|(at, place)| (LegendMark::Dot(colour(at)), place.as_str()))
        .collect();
    entries.extend(others);
    scene.legend(top, &entries)
}
