//! Requests due and answered per second, with failures and drops below on the same time axis.

use crate::report::model::{ScenarioView, Timeline, TimelinePoint};
use crate::report::words;

use super::axis::{NumberAxis, PlotFrame, rate};
use super::scene::{LegendMark, Scene, TextAnchor};
use super::sheet::PlotSheet;
use super::style::{ALARM, DROPPED, LABEL, MAX, P50, SHADE};
use super::table::PlotTable;
use super::time_axis::TimeAxis;
use super::{PlotFunctions, PlotKind, PlotSubject};

/// The kind of plot that this file draws.
pub(super) const KIND: PlotKind = PlotKind {
    stem: "load",
    title: "Requests due and answered",
    suits_checks: false,
    subject: PlotSubject::EachScenario(PlotFunctions { has_data, alt, table, scene }),
};

fn has_data(scenario: &ScenarioView) -> bool {
    scenario.timeline.reached_measured_stage()
}

/// The plot in words.
fn alt(scenario: &ScenarioView) -> String {
    let line = &scenario.timeline;
    let total = |of: PointCount| words::count(line.measured.iter().map(of).sum());
    let rates = |of: PointCount| {
        let rates = line.whole_bins().iter().map(|point| point.per_second(of(point)));
        let (low, high) = rates
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        match (rate(low), rate(high)) {
            _ if low > high => "none".to_owned(),
            (low, high) if low == high => low,
            (low, high) => format!("{low} to {high}"),
        }
    };
    format!(
        "In the measured stage {} requests were due, {} per second, and {} of them were ok, {} per \
         second; {} failed and {} were dropped",
        total(|point| point.n),
        rates(|point| point.n),
        total(ok),
        rates(ok),
        total(errors),
        total(|point| point.dropped),
    )
}

/// The figure in figures.
fn table(scenario: &ScenarioView) -> PlotTable {
    PlotTable::over_time(
        &scenario.timeline,
        ["due /s", "ok /s", "failed /s", "dropped /s"],
        |point| {
            let counts = [point.n, ok(point), errors(point), point.dropped];
            counts.map(|count| rate(point.per_second(count))).to_vec()
        },
    )
}

/// One of the counts of a bin.
type PointCount = fn(&TimelinePoint) -> u64;

fn ok(point: &TimelinePoint) -> u64 {
    point.n - point.failed
}

/// Failures without drops, which the plot shows separately.
fn errors(point: &TimelinePoint) -> u64 {
    point.failed - point.dropped.min(point.failed)
}

/// The figure.
fn scene(scenario: &ScenarioView, peers: &[&ScenarioView], sheet: PlotSheet<'_>) -> Scene {
    let line = &scenario.timeline;
    let lines: Vec<&Timeline> = peers.iter().map(|scenario| &scenario.timeline).collect();
    let end = TimeAxis::end(lines.iter().copied());
    let failing = line.points().any(|point| point.failed > 0);
    let subtitle = format!(
        "requests per second by due time, one point {}{}",
        TimeAxis::each(line),
        match line.points().map(|point| point.n).sum::<u64>() {
            0 => " · no request was counted",
            _ if failing => "",
            _ => " · none failed or dropped",
        }
    );
    let (mut scene, below) = sheet.headed(&subtitle);
    let below = legend(&mut scene, below, line);
    let upper = PlotFrame::below(&mut scene, below + 2.0, if failing { 0.62 } else { 0.8 });
    let asked = TimeAxis { line, end, frame: upper };
    throughput(&mut scene, &asked, &lines);
    if failing {
        let lower = PlotFrame::below(&mut scene, upper.bottom + 34.0, 0.34);
        let failed = TimeAxis { line, end, frame: lower };
        failures(&mut scene, &failed, &lines);
        failed.floor(&mut scene);
    } else {
        asked.floor(&mut scene);
    }
    scene
}

fn legend(scene: &mut Scene, top: f64, line: &Timeline) -> f64 {
    let mut entries = vec![
        (LegendMark::Line(MAX), "due: planned requests"),
        (LegendMark::Line(P50), "ok: met every expectation"),
    ];
    entries.extend(
        line.points().any(|point| errors(point) > 0).then_some((LegendMark::Box(ALARM), "failed")),
    );
    let dropped = line.points().any(|point| point.dropped > 0);
    entries
        .extend(dropped.then_some((LegendMark::Box(DROPPED), "dropped: no connection was free")));
    entries.extend(
        (!line.warmup.is_empty()).then_some((LegendMark::Box(SHADE), "warm-up, not judged")),
    );
    scene.legend(top, &entries)
}

fn throughput(scene: &mut Scene, clock: &TimeAxis<'_>, lines: &[&Timeline]) {
    let points = lines.iter().flat_map(|line| line.points());
    let heights = NumberAxis::over(points.map(|point| point.per_second(point.n)), 4.0);
    clock.shade(scene, 0.0);
    heights.grid(scene, &clock.frame);
    let due: PointCount = |point| point.n;
    for (colour, width, of) in [(MAX, 5.0, due), (P50, 2.0, ok)] {
        for points in [clock.line.warmup.as_slice(), clock.line.whole_bins()] {
            let height = |point: &TimelinePoint| {
                Some(clock.frame.up(heights.share(point.per_second(of(point)))))
            };
            for run in clock.runs(points, height) {
                scene.line_or_dot(run, width, colour);
            }
        }
    }
}

/// Draws failures as bars with drops on top.
fn failures(scene: &mut Scene, clock: &TimeAxis<'_>, lines: &[&Timeline]) {
    let frame = &clock.frame;
    let points = lines.iter().flat_map(|line| line.points());
    let heights = NumberAxis::over(points.map(|point| point.per_second(point.failed)), 2.0);
    clock.shade(scene, 0.0);
    heights.grid(scene, frame);
    scene.text(
        (frame.left, frame.top - 12.0),
        TextAnchor::Start,
        "failed and dropped per second",
        LABEL,
    );
    for point in clock.line.points().filter(|point| point.failed > 0) {
        let (left, right) = clock.bar(point);
        let at = |count: u64| frame.up(heights.share(point.per_second(count)));
        let (first, second) = (at(errors(point)), at(point.failed));
        if first < frame.bottom {
            scene.rect((left, first), (right, frame.bottom), ALARM, 1.0);
        }
        if second < first {
            scene.rect((left, second), (right, first), DROPPED, 1.0);
        }
    }
}
