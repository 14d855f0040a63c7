//! Latency over the run, warm-up shaded, failures at the top.

use std::time::Duration;

use crate::report::model::{Point, Quantiles, RequestView, Timeline};
use crate::report::words;
use crate::units;

use super::axis::{Durations, Frame, clock, heading};
use super::font::Fonts;
use super::scene::{Mark, Scene, Side, Spot};
use super::style::{ALARM, Colour, HEIGHT, MAX, P50, P95, P99, SHADE, WARNING, WIDTH};

const FRAME: Frame = Frame { left: 78.0, right: 764.0, top: 124.0, bottom: 392.0 };
/// How high the strip of failures above the plot is.
const STRIP: f64 = 18.0;

/// One quantile as a line.
struct Line {
    name: &'static str,
    colour: Colour,
    /// The lower ones are wider, so that a line which another one covers can still be seen.
    width: f64,
    of: fn(&Quantiles) -> Option<Duration>,
}

const LINES: [Line; 3] = [
    Line { name: "p99", colour: P99, width: 5.0, of: |latency| latency.p99 },
    Line { name: "p95", colour: P95, width: 2.8, of: |latency| latency.p95 },
    Line { name: "p50", colour: P50, width: 2.0, of: |latency| latency.p50 },
];

/// The figure in words.
pub(super) fn alt(request: &RequestView) -> String {
    let line = &request.timeline;
    let range = |of: fn(&Quantiles) -> Option<Duration>| {
        let values: Vec<Duration> = line.measured.iter().filter_map(|point| of(&point.latency)).collect();
        format!(
            "{} to {}",
            words::time(values.iter().min().copied()),
            words::time(values.iter().max().copied())
        )
    };
    let failing = line.measured.iter().filter(|point| point.failed > 0).count();
    format!(
        "In {} points of {} each, p50 moves from {} and p95 from {}; {failing} of the points hold failures",
        line.measured.len(),
        units::show(line.bin),
        range(|latency| latency.p50),
        range(|latency| latency.p95),
    )
}

/// The figure.
pub(super) fn scene(request: &RequestView, title: &str, fonts: &'static Fonts) -> Scene {
    let figure = Figure::new(request);
    let mut scene = Scene::new(WIDTH, HEIGHT, fonts);
    heading(&mut scene, title, &(subtitle(&request.timeline) + figure.heights.note()));
    figure.shade(&mut scene);
    figure.heights.grid(&mut scene, &FRAME);
    figure.budgets(&mut scene, request);
    let ticks = clock(figure.line.end).into_iter().map(|(share, label)| (FRAME.across(share), label));
    FRAME.floor(&mut scene, &ticks.collect::<Vec<_>>(), "time since the start of the run");
    for points in [&figure.line.warmup, &figure.line.measured] {
        figure.maxima(&mut scene, points);
        for line in &LINES {
            figure.quantile(&mut scene, points, line);
        }
    }
    figure.failures(&mut scene);
    figure.budget_words(&mut scene, request);
    figure.legend(&mut scene);
    scene
}

fn subtitle(line: &Timeline) -> String {
    let each = if line.bin == Duration::from_secs(1) { "second".to_owned() } else { units::show(line.bin) };
    format!("ok exchanges of each {each} in which they were due")
}

/// Where things lie.
struct Figure<'a> {
    line: &'a Timeline,
    heights: Durations,
}

impl<'a> Figure<'a> {
    fn new(request: &'a RequestView) -> Self {
        let line = &request.timeline;
        let points = || line.warmup.iter().chain(&line.measured);
        let ceilings = || request.budgets.iter().filter_map(|row| row.mark.map(|mark| mark.ceiling));
        let values = points().filter_map(|point| point.latency.max).chain(ceilings());
        let low = points().filter_map(|point| point.latency.p50).chain(ceilings());
        Self { line, heights: Durations::over(values, low) }
    }

    fn x(&self, at: Duration) -> f64 {
        FRAME.across(at.as_secs_f64() / self.line.end.as_secs_f64().max(1.0))
    }

    fn spot(&self, point: &Point, value: Duration) -> Spot {
        (self.x(point.at), FRAME.up(self.heights.share(value)))
    }

    /// The warm-up, which is not judged.
    fn shade(&self, scene: &mut Scene) {
        if !self.line.warmup.is_empty() {
            let end = self.x(self.line.measured_from.max(Duration::from_millis(1)));
            scene.rect((FRAME.left, FRAME.top - STRIP), (end, FRAME.bottom), SHADE, 1.0);
        }
    }

    /// One quantile: a line where bins follow one another, a dot where one stands alone.
    fn quantile(&self, scene: &mut Scene, points: &[Point], line: &Line) {
        let gap = self.line.bin + self.line.bin / 2;
        let mut run: Vec<Spot> = Vec::new();
        let mut last: Option<Duration> = None;
        for point in points {
            let Some(value) = (line.of)(&point.latency) else { continue };
            if last.is_some_and(|last| point.at > last + gap) {
                finish(scene, std::mem::take(&mut run), line);
            }
            run.push(self.spot(point, value));
            last = Some(point.at);
        }
        finish(scene, run, line);
    }

    fn maxima(&self, scene: &mut Scene, points: &[Point]) {
        let radius = if points.len() > 120 { 1.6 } else { 2.2 };
        for point in points {
            if let Some(max) = point.latency.max {
                scene.dot(self.spot(point, max), radius, MAX);
            }
        }
    }

    fn budgets(&self, scene: &mut Scene, request: &RequestView) {
        for mark in request.budgets.iter().filter_map(|row| row.mark) {
            let y = FRAME.up(self.heights.share(mark.ceiling));
            scene.dashed((FRAME.left, y), (FRAME.right, y), 1.5, ALARM);
        }
    }

    /// The words of the budgets at the right, those at about the same height beside one another.
    fn budget_words(&self, scene: &mut Scene, request: &RequestView) {
        let (mut right, mut last) = (FRAME.right, f64::INFINITY);
        let mut rows: Vec<_> =
            request.budgets.iter().filter_map(|row| row.mark.map(|mark| (mark.ceiling, row))).collect();
        rows.sort_by_key(|(ceiling, _)| *ceiling);
        for (ceiling, row) in rows {
            let y = FRAME.up(self.heights.share(ceiling));
            right = if (last - y).abs() > 18.0 { FRAME.right } else { right };
            let words = format!("budget {}", row.budget);
            scene.tag((right, y - 11.0), Side::End, &words, WARNING);
            right -= scene.measure(&words, WARNING) + 18.0;
            last = y;
        }
    }

    /// Failures of each bin as a strip above the plot, as high as their share.
    fn failures(&self, scene: &mut Scene) {
        let half =
            ((FRAME.right - FRAME.left) * self.line.bin.as_secs_f64() / self.line.end.as_secs_f64() / 2.0
                - 0.5)
                .clamp(1.0, 8.0);
        for point in self.line.warmup.iter().chain(&self.line.measured).filter(|point| point.failed > 0) {
            let share = point.failed as f64 / point.n.max(1) as f64;
            let (x, base) = (self.x(point.at), FRAME.top - 2.0);
            let height = 3.0 + (STRIP - 5.0) * share;
            scene.rect((x - half, base - height), (x + half, base), ALARM, 1.0);
        }
    }

    fn legend(&self, scene: &mut Scene) {
        let failed = self.line.warmup.iter().chain(&self.line.measured).any(|point| point.failed > 0);
        let mut entries: Vec<(Mark, &str)> =
            LINES.iter().rev().map(|line| (Mark::Line(line.colour), line.name)).collect();
        entries.push((Mark::Dot(MAX), "longest"));
        entries.extend((!self.line.warmup.is_empty()).then_some((Mark::Box(SHADE), "warm-up, not judged")));
        entries.extend(failed.then_some((Mark::Box(ALARM), "share that failed, above the plot")));
        scene.legend((FRAME.left - 4.0, 82.0), &entries);
    }
}

fn finish(scene: &mut Scene, run: Vec<Spot>, line: &Line) {
    match run.as_slice() {
        [alone] => scene.dot(*alone, line.width / 2.0 + 1.6, line.colour),
        _ => scene.line(run, line.width, line.colour),
    }
}
