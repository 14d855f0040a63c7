//! The distribution of latency by week: a box for the middle half, a whisker up to p95, a dot for
//! p99.

use std::time::Duration;

use super::super::axis::{DurationAxis, PlotFrame};
use super::super::scene::{LegendMark, Scene};
use super::super::sheet::PlotSheet;
use super::super::style::{INK, P50, P99};
use super::super::table::PlotTable;
use super::HistoryPlot;
use super::week_axis::{WeekAxis, first_day};
use crate::history::WeekSum;
use crate::report::site::RequestPanel;
use crate::report::words;
use crate::units::format_duration;

/// The plot of a request; `None` for fewer than two weeks with a median.
pub(super) fn plot(panel: &RequestPanel) -> Option<HistoryPlot<'_>> {
    let weeks = &panel.history.weeks;
    let medians = || weeks.iter().filter_map(|week| Some((week, week.latency.p50?)));
    if medians().count() < 2 {
        return None;
    }
    let (slow, high) = medians().max_by_key(|(_, median)| *median)?;
    let (fast, low) = medians().min_by_key(|(_, median)| *median)?;
    let [high, low] = [high, low].map(format_duration);
    let title = format!(
        "{} by week: median from {low} (week of {}) to {high} (week of {})",
        panel.name,
        first_day(fast),
        first_day(slow)
    );
    let alt = format!(
        "Quarters, p95 and p99 of added histograms for {}; the median is lowest, {low}, in the week of {}, and highest, {high}, in the week of {}",
        words::plural(weeks.len() as u64, "week"),
        first_day(fast),
        first_day(slow)
    );
    Some(HistoryPlot {
        title,
        alt,
        table: Box::new(move || table(weeks)),
        scene: Box::new(move |sheet| scene(weeks, sheet)),
    })
}

fn table(weeks: &[WeekSum]) -> PlotTable {
    let heads = ["week of", "runs", "n", "failed", "p25", "p50", "p75", "p95", "p99", "longest"];
    let mut table = PlotTable::new(heads);
    for week in weeks {
        let counts = [week.runs, week.latency.count, week.failed].map(words::count);
        let of = week.latency;
        let times = [week.p25, of.p50, week.p75, of.p95, of.p99, of.max].map(words::time);
        let cells = counts.into_iter().chain(times);
        table.rows.push(std::iter::once(week.monday.to_string()).chain(cells).collect());
    }
    table
}

fn scene(weeks: &[WeekSum], sheet: PlotSheet<'_>) -> Scene {
    let all = || {
        weeks
            .iter()
            .flat_map(|week| [week.p25, week.latency.p50, week.latency.p95, week.latency.p99])
    };
    let values = || all().flatten();
    let heights = DurationAxis::over(values(), values());
    let subtitle = format!("latency of ok exchanges, added histograms of a week{}", heights.note());
    let (mut scene, below) = sheet.headed(&subtitle);
    let signs = [
        (LegendMark::Tint(P50), "middle half"),
        (LegendMark::Line(P50), "p50"),
        (LegendMark::Whisker(INK), "up to p95"),
        (LegendMark::Dot(P99), "p99"),
    ];
    let below = scene.legend(below, &signs);
    let frame = PlotFrame::below(&mut scene, below, 0.9);
    heights.grid(&mut scene, &frame);
    let axis = WeekAxis { frame, weeks };
    let half = (axis.width() * 0.36).clamp(1.5, 16.0);
    for (x, week) in axis.places() {
        draw_week(&mut scene, (x, half), week, |value| frame.up(heights.share(value)));
    }
    axis.floor(&mut scene);
    scene
}

fn draw_week(
    scene: &mut Scene,
    (x, half): (f64, f64),
    week: &WeekSum,
    y: impl Fn(Duration) -> f64,
) {
    let of = week.latency;
    if let (Some(p75), Some(p95)) = (week.p75, of.p95) {
        scene.line(vec![(x, y(p75)), (x, y(p95))], 1.2, INK);
        scene.line(vec![(x - half * 0.6, y(p95)), (x + half * 0.6, y(p95))], 1.5, INK);
    }
    if let (Some(p25), Some(p75)) = (week.p25, week.p75) {
        scene.rect((x - half, y(p75)), (x + half, y(p25)), P50, 0.3);
    }
    if let Some(p50) = of.p50 {
        scene.line(vec![(x - half, y(p50)), (x + half, y(p50))], 2.2, P50);
    }
    if let Some(p99) = of.p99 {
        scene.dot((x, y(p99)), 2.4, P99);
    }
}
