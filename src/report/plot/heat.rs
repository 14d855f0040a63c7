//! A heat map of latency over the run: colour shows the number of exchanges.

use std::time::Duration;

use crate::report::model::{BudgetMark, RequestView, Timeline, TimelinePoint};
use crate::report::words;

use super::axis::{DurationAxis, PlotFrame};
use super::budget;
use super::raster::{CellRaster, level};
use super::scene::{LegendMark, Scene, TextAnchor, along};
use super::sheet::PlotSheet;
use super::style::{ALARM, LABEL, PaperSpot, PlotPaper, WARNING};
use super::table::PlotTable;
use super::time_axis::{STRIP, TimeAxis};
use super::{PlotFunctions, PlotKind, PlotSubject};

/// Approximate height of a cell.
const CELL: f64 = 6.0;

/// The kind of plot that this file draws.
pub(super) const KIND: PlotKind = PlotKind {
    stem: "heat-map",
    title: "Latency over time, every exchange",
    suits_checks: false,
    subject: PlotSubject::EachRequest(PlotFunctions { has_data, alt, table, scene }),
};

fn has_data(request: &RequestView) -> bool {
    request.timeline.points().any(|point| point.latency.n > 0)
}

/// The plot in words.
fn alt(request: &RequestView) -> String {
    let line = &request.timeline;
    let shortest =
        line.points().filter_map(|point| point.spread.steps().next()).map(|(value, _)| value).min();
    let n: u64 = line.points().map(|point| point.latency.n).sum();
    let latency = request.latency;
    let phase = if line.reached_measured_stage() {
        let (half, most) = (words::time(latency.p50), words::time(latency.p95));
        format!("in the measured stage half took {half} or less, and one in twenty {most} or more")
    } else {
        "all of them belong to the warm-up, where the run ended".to_owned()
    };
    format!(
        "{} over {}, warm-up included, took {} to {}; {phase}",
        words::plural(n, "ok exchange"),
        words::time(Some(line.end)),
        words::time(shortest),
        words::time(line.points().filter_map(|point| point.latency.max).max()),
    )
}

/// The figures: rows are time, columns are latency bands.
fn table(request: &RequestView) -> PlotTable {
    let edges = heights(std::iter::once(&request.timeline)).ticks();
    let shown = |edge: &Duration| words::time(Some(*edge));
    let mut heads: Vec<String> =
        edges.first().map(|first| format!("< {}", shown(first))).into_iter().collect();
    heads.extend(edges.windows(2).map(|pair| format!("{} – {}", shown(&pair[0]), shown(&pair[1]))));
    heads.extend(edges.last().map(|last| format!("≥ {}", shown(last))));
    heads.push("failed".to_owned());
    PlotTable::over_time(&request.timeline, heads.iter().map(String::as_str), |point| {
        let mut counts = vec![0; edges.len() + 1];
        for (value, count) in point.spread.steps() {
            counts[edges.partition_point(|edge| *edge <= value)] += count;
        }
        counts.push(point.failed);
        counts.into_iter().map(words::count).collect()
    })
}

/// The figure.
fn scene(request: &RequestView, peers: &[&RequestView], sheet: PlotSheet<'_>) -> Scene {
    let line = &request.timeline;
    let lines = || peers.iter().map(|request| &request.timeline);
    let heights = heights(lines());
    let subtitle =
        format!("ok exchanges {}, by due time and latency · logarithmic scale", in_each(line));
    let (mut scene, below) = sheet.headed(&subtitle);
    let right = scale(&mut scene, below, most(line, &heights, rows(sheet.paper)));
    let below = legend(&mut scene, (right + 18.0, below), request, &heights);
    let frame = PlotFrame::below(&mut scene, below + STRIP, 1.0);
    let figure = HeatMap {
        clock: TimeAxis { line, end: TimeAxis::end(lines()), frame },
        heights,
        rows: rows(sheet.paper),
    };
    figure.clock.shade(&mut scene, STRIP);
    figure.heights.grid(&mut scene, &frame);
    figure.cells(&mut scene);
    figure.clock.floor(&mut scene);
    figure.clock.failures(&mut scene);
    figure.budgets(&mut scene, request);
    scene
}

fn in_each(line: &Timeline) -> String {
    format!("of {}", TimeAxis::each(line))
}

fn heights<'a>(lines: impl Iterator<Item = &'a Timeline>) -> DurationAxis {
    let ends = |point: &TimelinePoint| {
        [point.spread.steps().next().map(|(value, _)| value), point.latency.max]
    };
    let values: Vec<Duration> = lines.flat_map(Timeline::points).flat_map(ends).flatten().collect();
    DurationAxis::tenfolds(values.into_iter())
}

fn rows(paper: PlotPaper) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen")]
    let rows = (paper.depth / CELL).round() as usize;
    rows.max(1)
}

/// Number of a bin's exchanges in each row, from the top.
fn column(point: &TimelinePoint, heights: &DurationAxis, rows: usize) -> Vec<u64> {
    let mut counts = vec![0; rows];
    for (value, count) in point.spread.steps() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a row's number"
        )]
        let from_below = (heights.share(value).clamp(0.0, 1.0) * rows as f64) as usize;
        counts[rows - 1 - from_below.min(rows - 1)] += count;
    }
    counts
}

/// Number of exchanges in the fullest cell.
fn most(line: &Timeline, heights: &DurationAxis, rows: usize) -> u64 {
    line.points().flat_map(|point| column(point, heights, rows)).max().unwrap_or(1)
}

/// Draws the colour scale; returns its right end.
fn scale(scene: &mut Scene, middle: f64, most: u64) -> f64 {
    const LENGTH: f64 = 120.0;
    let words = "exchanges per cell";
    let mut x = scene.text((scene.paper.edge, middle), TextAnchor::Start, words, LABEL) + 12.0;
    x = scene.text((x, middle), TextAnchor::Start, "1", LABEL) + 7.0;
    let length = if most > 1 { LENGTH } else { 14.0 };
    let levels: Vec<u8> =
        if most > 1 { (0..=50).map(|step| 1 + step * 5).collect() } else { vec![1] };
    scene.cells(CellRaster {
        from: (x, middle - 6.0),
        to: (x + length, middle + 6.0),
        columns: levels.len(),
        levels,
    });
    let end = x + length;
    if most > 1 {
        scene.text((end + 7.0, middle), TextAnchor::Start, &words::count(most), LABEL)
    } else {
        end
    }
}

/// The legend; it names the budgets whose lines lie outside the plot, where they cover no data.
fn legend(
    scene: &mut Scene,
    (left, top): PaperSpot,
    request: &RequestView,
    heights: &DurationAxis,
) -> f64 {
    let away = |mark: BudgetMark| {
        let share = heights.share(mark.ceiling);
        let away = if share > 1.0 { "above" } else { "below" };
        (!(0.0..=1.0).contains(&share))
            .then(|| format!("{}, {away} this range", budget::words(&mark)))
    };
    let outside: Vec<String> =
        request.budgets.iter().filter_map(|row| row.mark).filter_map(away).collect();
    let mut entries: Vec<(LegendMark, &str)> = TimeAxis::signs(&request.timeline).collect();
    entries.extend(outside.iter().map(|words| (LegendMark::Dashes(ALARM), words.as_str())));
    scene.legend_from(left, top, &entries)
}

/// The axes and rows of the heat map.
struct HeatMap<'a> {
    clock: TimeAxis<'a>,
    heights: DurationAxis,
    rows: usize,
}

impl HeatMap<'_> {
    /// Draws the cells of the warm-up and of the measured stage, whose bins need not align.
    fn cells(&self, scene: &mut Scene) {
        let line = self.clock.line;
        let most = most(line, &self.heights, self.rows);
        for (points, from) in [(&line.warmup, Duration::ZERO), (&line.measured, line.measured_from)]
        {
            let Some(last) = points.last() else { continue };
            let index = |point: &TimelinePoint| bins(point.from.saturating_sub(from), line.bin);
            let columns = index(last) + 1;
            let mut levels = vec![0; columns * self.rows];
            for point in points {
                for (row, count) in column(point, &self.heights, self.rows).into_iter().enumerate()
                {
                    levels[row * columns + index(point)] = level(count, most);
                }
            }
            let mut end = from + line.bin * u32::try_from(columns).unwrap_or(u32::MAX);
            if last.in_warmup && !line.measured.is_empty() {
                // The warm-up's last bin may overlap the measured stage, where it must cover
                // nothing.
                end = end.min(line.measured_from);
            }
            let (top, bottom) = (self.clock.frame.top, self.clock.frame.bottom);
            let (from, to) = ((self.clock.x(from), top), (self.clock.x(end), bottom));
            scene.cells(CellRaster { from, to, columns, levels });
        }
    }

    fn budgets(&self, scene: &mut Scene, request: &RequestView) {
        let frame = &self.clock.frame;
        let taken = self.occupied_spots();
        for mark in request.budgets.iter().filter_map(|row| row.mark) {
            let share = self.heights.share(mark.ceiling);
            if !(0.0..=1.0).contains(&share) {
                continue;
            }
            let y = frame.up(share);
            scene.dashed((frame.left, y), (frame.right, y), 1.5, ALARM);
            let words = budget::words(&mark);
            scene.tag_where_free(&frame.label_spots(y), &words, WARNING, &taken);
        }
    }

    /// Spots along the non-empty cells.
    fn occupied_spots(&self) -> Vec<PaperSpot> {
        let frame = &self.clock.frame;
        let step = (frame.bottom - frame.top) / self.rows as f64;
        let mut spots = Vec::new();
        for point in self.clock.line.points() {
            let (left, right) =
                (self.clock.x(point.from), self.clock.x(point.from + self.clock.line.bin));
            let counts = column(point, &self.heights, self.rows).into_iter().enumerate();
            for (row, _) in counts.filter(|(_, n)| *n > 0) {
                let y = frame.top + (row as f64 + 0.5) * step;
                spots.extend(along(&[(left, y), (right, y)]));
            }
        }
        spots
    }
}

fn bins(time: Duration, bin: Duration) -> usize {
    usize::try_from(time.as_millis() / bin.as_millis().max(1)).unwrap_or(0)
}
