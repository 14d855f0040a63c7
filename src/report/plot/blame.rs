//! Lag and wait beside latency over the run: whether the prober or its limit of connections made a peak.

use std::time::Duration;

use crate::record::Dimension;
use crate::report::model::{Point, Quantiles, ScenarioView, Timeline};
use crate::report::words;

use super::axis::{Durations, Frame};
use super::clock::Clock;
use super::scene::{Mark, Scene};
use super::sheet::Sheet;
use super::style::{Colour, P50, SHADE, part};
use super::table::Table;
use super::{PlotFunctions, PlotKind, PlotSubject};

/// The quantile that is compared.
struct Measure {
    name: &'static str,
    of: fn(&Quantiles) -> Option<Duration>,
}

/// The highest quantile that most bins hold enough exchanges for.
fn measure(line: &Timeline) -> Measure {
    match () {
        () if line.holds(100) => Measure { name: "p99", of: |quantiles| quantiles.p99 },
        () if line.holds(20) => Measure { name: "p95", of: |quantiles| quantiles.p95 },
        () => Measure { name: "longest", of: |quantiles| quantiles.max },
    }
}

/// What is compared: its name, colour and width.
struct Part {
    name: &'static str,
    colour: Colour,
    width: f64,
    of: fn(&Point) -> &Quantiles,
}

fn parts() -> [Part; 3] {
    [
        Part { name: "latency", colour: P50, width: 2.6, of: |point| &point.latency },
        Part {
            name: "wait for a connection",
            colour: part(Dimension::Wait),
            width: 2.2,
            of: |point| &point.wait,
        },
        Part {
            name: "lag of the prober",
            colour: part(Dimension::Lag),
            width: 1.6,
            of: |point| &point.lag,
        },
    ]
}

/// The kind of plot that this file draws.
pub(super) const KIND: PlotKind = PlotKind {
    stem: "lag-and-wait",
    title: "Lag and wait beside latency",
    suits_checks: false,
    subject: PlotSubject::EachScenario(PlotFunctions { has_data, alt, table, scene }),
};

fn has_data(scenario: &ScenarioView) -> bool {
    scenario.timeline.measured.iter().any(|point| point.wait.n + point.lag.n > 0)
}

/// The plot in words.
fn alt(scenario: &ScenarioView) -> String {
    let line = &scenario.timeline;
    let measure = measure(line);
    let highest = |part: &Part| {
        let values = line.measured.iter().filter_map(|point| (measure.of)((part.of)(point)));
        format!("{} {}", part.name, words::time(values.max()))
    };
    let all: Vec<String> = parts().iter().map(highest).collect();
    let peak = line.measured.iter().max_by_key(|point| point.latency.max);
    let peak = peak.map(|point| {
        let [latency, wait, lag] = [point.latency, point.wait, point.lag].map(|part| words::time(part.max));
        format!(
            ". In the slowest bin, {} after the start, the longest latency was {latency}, wait {wait}, lag {lag}",
            words::time(Some(point.from))
        )
    });
    format!(
        "{} {}, the highest: {}{}",
        measure.name,
        in_each(line),
        all.join(", "),
        peak.unwrap_or_default()
    )
}

fn in_each(line: &Timeline) -> String {
    format!("of {}", Clock::each(line))
}

/// The figure in figures.
fn table(scenario: &ScenarioView) -> Table {
    let line = &scenario.timeline;
    let measure = measure(line);
    let heads = ["latency", "wait", "lag"].map(|part| format!("{part} {}", measure.name));
    Table::over_time(line, heads.iter().map(String::as_str), |point| {
        parts().iter().map(|part| words::time((measure.of)((part.of)(point)))).collect()
    })
}

/// The figure.
fn scene(scenario: &ScenarioView, sheet: Sheet<'_>) -> Scene {
    let line = &scenario.timeline;
    let measure = measure(line);
    let subtitle = format!("{} {} · logarithmic heights", measure.name, in_each(line));
    let (mut scene, below) = sheet.headed(&subtitle);
    let parts = parts();
    let mut entries: Vec<(Mark, &str)> =
        parts.iter().map(|part| (Mark::Line(part.colour), part.name)).collect();
    entries.extend((!line.warmup.is_empty()).then_some((Mark::Box(SHADE), "warm-up, not judged")));
    let below = scene.legend(below, &entries);
    let frame = Frame::below(&mut scene, below + 2.0, 0.8);
    let clock = Clock { line, frame };
    let values: Vec<Duration> = line
        .points()
        .flat_map(|point| parts.iter().filter_map(|part| (measure.of)((part.of)(point))))
        .collect();
    let heights = Durations::tenfolds(values.into_iter());
    clock.shade(&mut scene, 0.0);
    heights.grid(&mut scene, &frame);
    clock.floor(&mut scene);
    for part in parts.iter().rev() {
        for points in [&line.warmup, &line.measured] {
            let height =
                |point: &Point| Some(frame.up(heights.share((measure.of)((part.of)(point))?)));
            for run in clock.runs(points, height) {
                scene.line_or_dot(run, part.width, part.colour);
            }
        }
    }
    scene
}
