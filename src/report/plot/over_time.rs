//! Latency quantiles over the run, with the warm-up shaded and failures at the top.

use std::time::Duration;

use crate::report::model::{DurationQuantiles, RequestView, Timeline, TimelinePoint};
use crate::report::words;

use super::axis::{DurationAxis, PlotFrame};
use super::budget;
use super::scene::{LegendMark, Scene, along};
use super::sheet::PlotSheet;
use super::style::{ALARM, MAX, P50, P95, P99, PaperSpot, RgbColour, WARNING};
use super::table::PlotTable;
use super::time_axis::{STRIP, TimeAxis};
use super::{PlotFunctions, PlotKind, PlotSubject};

/// One quantile as a line.
struct QuantileLine {
    name: &'static str,
    colour: RgbColour,
    /// Lines drawn first are wider, so that a covered line stays visible.
    width: f64,
    /// Number of exchanges a bin needs for the quantile to differ from the maximum.
    least: u64,
    of: fn(&DurationQuantiles) -> Option<Duration>,
}

const LINES: [QuantileLine; 3] = [
    QuantileLine { name: "p99", colour: P99, width: 5.0, least: 100, of: |latency| latency.p99 },
    QuantileLine { name: "p95", colour: P95, width: 2.8, least: 20, of: |latency| latency.p95 },
    QuantileLine { name: "p50", colour: P50, width: 2.0, least: 1, of: |latency| latency.p50 },
];

impl QuantileLine {
    fn value(&self, point: &TimelinePoint) -> Option<Duration> {
        (self.of)(&point.latency).filter(|_| point.latency.n >= self.least)
    }
}

/// The quantiles that most bins have enough exchanges for.
fn lines(line: &Timeline) -> impl DoubleEndedIterator<Item = &'static QuantileLine> {
    let shown = LINES.each_ref().map(|quantile| quantile.least == 1 || line.holds(quantile.least));
    LINES.iter().zip(shown).filter(|(_, shown)| *shown).map(|(quantile, _)| quantile)
}

/// The kind of plot that this file draws.
pub(super) const KIND: PlotKind = PlotKind {
    stem: "over-time",
    title: "Latency over time",
    suits_checks: false,
    subject: PlotSubject::EachRequest(PlotFunctions { has_data, alt, table, scene }),
};

fn has_data(request: &RequestView) -> bool {
    request.timeline.reached_measured_stage()
}

/// The plot in words.
fn alt(request: &RequestView) -> String {
    let line = &request.timeline;
    let range = |of: fn(&TimelinePoint) -> Option<Duration>| {
        let values: Vec<Duration> = line.measured.iter().filter_map(of).collect();
        let [low, high] =
            [values.iter().min(), values.iter().max()].map(|value| words::time(value.copied()));
        format!("{low} to {high}")
    };
    let failing = line.measured.iter().filter(|point| point.failed > 0).count();
    format!(
        "In {} of {} each, p50 ranges from {} and the longest from {}; {failing} of the points have failures",
        words::plural(line.measured.len() as u64, "point"),
        crate::units::format_duration(line.bin),
        range(|point| point.latency.p50),
        range(|point| point.latency.max),
    )
}

/// The figure in figures.
fn table(request: &RequestView) -> PlotTable {
    let heads = ["n", "failed", "p50", "p95", "p99", "longest"];
    PlotTable::over_time(&request.timeline, heads, |point| {
        let DurationQuantiles { p50, p95, p99, max, .. } = point.latency;
        let counts = [point.n, point.failed].map(words::count);
        counts.into_iter().chain([p50, p95, p99, max].map(words::time)).collect()
    })
}

/// The figure.
fn scene(request: &RequestView, peers: &[&RequestView], sheet: PlotSheet<'_>) -> Scene {
    let line = &request.timeline;
    let heights = heights(peers);
    let end = TimeAxis::end(peers.iter().map(|request| &request.timeline));
    let subtitle = subtitle(line) + heights.note();
    let (mut scene, below) = sheet.headed(&subtitle);
    let below = legend(&mut scene, below, line);
    let frame = PlotFrame::below(&mut scene, below + STRIP, 1.0);
    let figure = QuantilePlot { clock: TimeAxis { line, end, frame }, heights };
    figure.clock.shade(&mut scene, STRIP);
    figure.heights.grid(&mut scene, &frame);
    figure.budgets(&mut scene, request);
    figure.clock.floor(&mut scene);
    for points in [&line.warmup, &line.measured] {
        figure.maxima(&mut scene, points);
        lines(line).for_each(|quantile| figure.quantile(&mut scene, points, quantile));
    }
    figure.clock.failures(&mut scene);
    figure.budget_words(&mut scene, request);
    figure.no_latency(&mut scene);
    scene
}

fn subtitle(line: &Timeline) -> String {
    let missing =
        LINES.iter().rev().filter(|quantile| quantile.least > 1 && !line.holds(quantile.least));
    let missing: Vec<&str> = missing.map(|quantile| quantile.name).collect();
    let missing = match missing.join(" and ") {
        names if names.is_empty() => names,
        names => format!(" · too few exchanges for {names}"),
    };
    format!("ok exchanges of {}, by due time{missing}", TimeAxis::each(line))
}

fn heights(requests: &[&RequestView]) -> DurationAxis {
    let points = || requests.iter().flat_map(|request| request.timeline.points());
    let budgets = || requests.iter().flat_map(|request| &request.budgets);
    let ceilings = || budgets().filter_map(|row| row.mark.map(|mark| mark.ceiling));
    let values = points().filter_map(|point| point.latency.max).chain(ceilings());
    let low = points().filter_map(|point| point.latency.p50).chain(ceilings());
    DurationAxis::over(values, low)
}

fn legend(scene: &mut Scene, top: f64, line: &Timeline) -> f64 {
    let mut entries: Vec<(LegendMark, &str)> = lines(line)
        .rev()
        .map(|quantile| (LegendMark::Line(quantile.colour), quantile.name))
        .collect();
    entries.push((LegendMark::Dot(MAX), "longest"));
    entries.extend(TimeAxis::signs(line));
    scene.legend(top, &entries)
}

/// The axes of the plot.
struct QuantilePlot<'a> {
    clock: TimeAxis<'a>,
    heights: DurationAxis,
}

impl QuantilePlot<'_> {
    fn y(&self, value: Duration) -> f64 {
        self.clock.frame.up(self.heights.share(value))
    }

    /// Draws one quantile: a line through adjacent bins, a dot for an isolated one.
    fn quantile(&self, scene: &mut Scene, points: &[TimelinePoint], line: &QuantileLine) {
        let runs = self.clock.runs(points, |point| line.value(point).map(|value| self.y(value)));
        for run in runs {
            scene.line_or_dot(run, line.width, line.colour);
        }
    }

    fn maxima(&self, scene: &mut Scene, points: &[TimelinePoint]) {
        let radius = if points.len() > 120 { 1.6 } else { 2.2 };
        for point in points {
            if let Some(max) = point.latency.max {
                scene.dot((self.clock.x(point.at()), self.y(max)), radius, MAX);
            }
        }
    }

    fn budgets(&self, scene: &mut Scene, request: &RequestView) {
        let frame = &self.clock.frame;
        for mark in request.budgets.iter().filter_map(|row| row.mark) {
            let y = self.y(mark.ceiling);
            scene.dashed((frame.left, y), (frame.right, y), 1.5, ALARM);
        }
    }

    /// Labels the budget lines where the labels cover the least.
    fn budget_words(&self, scene: &mut Scene, request: &RequestView) {
        let taken = self.occupied_spots();
        let mut marks: Vec<_> = request.budgets.iter().filter_map(|row| row.mark).collect();
        marks.sort_by_key(|mark| mark.ceiling);
        for mark in marks {
            let spots = self.clock.frame.label_spots(self.y(mark.ceiling));
            scene.tag_where_free(&spots, &budget::words(&mark), WARNING, &taken);
        }
    }

    /// Says why the plot is empty, if it is.
    fn no_latency(&self, scene: &mut Scene) {
        let line = self.clock.line;
        if line.points().any(|point| point.latency.n > 0) {
            return;
        }
        let count = |of: fn(&TimelinePoint) -> u64| line.points().map(of).sum::<u64>();
        let (failed, all) = (count(|point| point.failed), count(|point| point.n));
        let words = if all == 0 {
            "no request was counted: there is no latency to show".to_owned()
        } else {
            let [failed, all] = [failed, all].map(words::count);
            format!("{failed} of {all} failed: there is no latency to show")
        };
        scene.tag_where_free(&self.clock.frame.middle_spots(), &words, WARNING, &[]);
    }

    /// Spots along all lines and dots.
    fn occupied_spots(&self) -> Vec<PaperSpot> {
        let mut spots = Vec::new();
        for points in [&self.clock.line.warmup, &self.clock.line.measured] {
            let dot = |point: &TimelinePoint| {
                Some((self.clock.x(point.at()), self.y(point.latency.max?)))
            };
            spots.extend(points.iter().filter_map(dot));
            for line in lines(self.clock.line) {
                let runs =
                    self.clock.runs(points, |point| line.value(point).map(|value| self.y(value)));
                spots.extend(runs.iter().flat_map(|run| along(run)));
            }
        }
        spots
    }
}
