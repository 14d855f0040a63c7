//! Lag and wait next to latency over the run: did the prober or its connection limit cause a peak?

use std::time::Duration;

use crate::record::Dimension;
use crate::report::model::{DurationQuantiles, ScenarioView, Timeline, TimelinePoint};
use crate::report::words;

use super::axis::{DurationAxis, PlotFrame};
use super::scene::{LegendMark, Scene};
use super::sheet::PlotSheet;
use super::style::{P50, RgbColour, SHADE, part};
use super::table::PlotTable;
use super::time_axis::TimeAxis;
use super::{PlotFunctions, PlotKind, PlotSubject};

/// The quantile that the plot compares.
struct ComparedQuantile {
    name: &'static str,
    of: fn(&DurationQuantiles) -> Option<Duration>,
}

/// The highest quantile that most bins have enough exchanges for.
fn measure(line: &Timeline) -> ComparedQuantile {
    match () {
        () if line.holds(100) => ComparedQuantile { name: "p99", of: |quantiles| quantiles.p99 },
        () if line.holds(20) => ComparedQuantile { name: "p95", of: |quantiles| quantiles.p95 },
        () => ComparedQuantile { name: "longest", of: |quantiles| quantiles.max },
    }
}

/// A curve: its name, colour and width.
struct LatencyPart {
    name: &'static str,
    colour: RgbColour,
    width: f64,
    of: fn(&TimelinePoint) -> &DurationQuantiles,
}

fn parts() -> [LatencyPart; 3] {
    [
        LatencyPart { name: "latency", colour: P50, width: 2.6, of: |point| &point.latency },
        LatencyPart {
            name: "wait for a connection",
            colour: part(Dimension::Wait),
            width: 2.2,
            of: |point| &point.wait,
        },
        LatencyPart {
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
    title: "Lag and wait next to latency",
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
    let highest = |part: &LatencyPart| {
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
    format!("of {}", TimeAxis::each(line))
}

/// The figure in figures.
fn table(scenario: &ScenarioView) -> PlotTable {
    let line = &scenario.timeline;
    let measure = measure(line);
    let heads = ["latency", "wait", "lag"].map(|part| format!("{part} {}", measure.name));
    PlotTable::over_time(line, heads.iter().map(String::as_str), |point| {
        parts().iter().map(|part| words::time((measure.of)((part.of)(point)))).collect()
    })
}

/// The figure.
fn scene(scenario: &ScenarioView, peers: &[&ScenarioView], sheet: PlotSheet<'_>) -> Scene {
    let line = &scenario.timeline;
    let measure = measure(line);
    let subtitle = format!("{} {} · logarithmic scale", measure.name, in_each(line));
    let (mut scene, below) = sheet.headed(&subtitle);
    let parts = parts();
    let mut entries: Vec<(LegendMark, &str)> =
        parts.iter().map(|part| (LegendMark::Line(part.colour), part.name)).collect();
    entries.extend(
        (!line.warmup.is_empty()).then_some((LegendMark::Box(SHADE), "warm-up, not judged")),
    );
    let below = scene.legend(below, &entries);
    let frame = PlotFrame::below(&mut scene, below + 2.0, 0.8);
    let lines = || peers.iter().map(|scenario| &scenario.timeline);
    let clock = TimeAxis { line, end: TimeAxis::end(lines()), frame };
    let values: Vec<Duration> = lines()
        .flat_map(Timeline::points)
        .flat_map(|point| parts.iter().filter_map(|part| (measure.of)((part.of)(point))))
        .collect();
    let heights = DurationAxis::tenfolds(values.into_iter());
    clock.shade(&mut scene, 0.0);
    heights.grid(&mut scene, &frame);
    clock.floor(&mut scene);
    for part in parts.iter().rev() {
        for points in [&line.warmup, &line.measured] {
            let height = |point: &TimelinePoint| {
                Some(frame.up(heights.share((measure.of)((part.of)(point))?)))
            };
            for run in clock.runs(points, height) {
                scene.line_or_dot(run, part.width, part.colour);
            }
        }
    }
    scene
}
