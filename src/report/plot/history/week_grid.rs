//! Latency by hour and weekday, as a table of coloured cells.

use std::time::Duration;

use time::Weekday;

use super::super::axis::PlotFrame;
use super::super::raster::CellRaster;
use super::super::scene::{Scene, TextAnchor};
use super::super::sheet::PlotSheet;
use super::super::style::{LABEL, SHADE, TICK};
use super::super::table::PlotTable;
use super::HistoryPlot;
use crate::history::WeekGrid;
use crate::report::site::{RequestPanel, SiteLabels};
use crate::report::words;
use crate::units::format_duration;

/// A cell that has a value: weekday, hour and the value.
type GridValue = (Weekday, usize, Duration);

/// The fewest cells with a value: fewer show no pattern.
const FEWEST: usize = 8;

/// The plot of a request; `None` if too few hours have a value.
pub(super) fn plot<'a>(panel: &'a RequestPanel, labels: SiteLabels<'a>) -> Option<HistoryPlot<'a>> {
    let grid = &panel.history.grid;
    let (low, high) = ends(grid)?;
    if grid.values().count() < FEWEST {
        return None;
    }
    let when = |(day, hour, _): GridValue| format!("{day} {hour:02}:00");
    let title = format!(
        "{} {} by hour: slowest {} ({}), fastest {} ({})",
        panel.name,
        grid.quantile,
        when(high),
        format_duration(high.2),
        when(low),
        format_duration(low.2),
    );
    let zone = labels.options.scope.zone.to_string();
    Some(HistoryPlot {
        alt: format!(
            "{} of added histograms for each hour of each weekday in {zone}: from {} on {} to {} on {}",
            grid.quantile,
            format_duration(low.2),
            when(low),
            format_duration(high.2),
            when(high),
        ),
        title,
        table: Box::new(move || table(grid)),
        scene: Box::new(move |sheet| scene(grid, &zone, sheet)),
    })
}

/// The cells with the lowest and the highest value.
fn ends(grid: &WeekGrid) -> Option<(GridValue, GridValue)> {
    let low = grid.values().min_by_key(|(.., value)| *value)?;
    let high = grid.values().max_by_key(|(.., value)| *value)?;
    Some((low, high))
}

/// The figures: one row per hour, one column per weekday.
fn table(grid: &WeekGrid) -> PlotTable {
    let days: Vec<String> = grid.days.iter().map(|(day, _)| short(*day)).collect();
    let mut table = PlotTable::new(std::iter::once("hour").chain(days.iter().map(String::as_str)));
    for hour in 0..24 {
        let cell = |(_, hours): &(Weekday, Vec<crate::history::GridCell>)| {
            let cell = &hours[hour];
            match grid.value(cell) {
                Some(value) => format_duration(value),
                None if cell.runs > 0 => "too few".to_owned(),
                None => "–".to_owned(),
            }
        };
        let cells = grid.days.iter().map(cell);
        table.rows.push(std::iter::once(format!("{hour:02}:00")).chain(cells).collect());
    }
    table
}

fn short(day: Weekday) -> String {
    day.to_string().chars().take(3).collect()
}

fn scene(grid: &WeekGrid, zone: &str, sheet: PlotSheet<'_>) -> Scene {
    let subtitle = format!(
        "{} of ok exchanges by the start of the run; grey: too few exchanges, empty: no runs",
        grid.quantile
    );
    let (mut scene, below) = sheet.headed(&subtitle);
    let Some((low, high)) = ends(grid) else { return scene };
    let below = scale(&mut scene, below, (low.2, high.2));
    let frame = PlotFrame::below(&mut scene, below, 0.8);
    let row = (frame.bottom - frame.top) / 7.0;
    let column = (frame.right - frame.left) / 24.0;
    for (at, (day, hours)) in grid.days.iter().enumerate() {
        let top = frame.top + at as f64 * row;
        scene.text((frame.left - 8.0, top + row / 2.0), TextAnchor::End, &short(*day), TICK);
        for (hour, cell) in hours.iter().enumerate().filter(|(_, cell)| cell.runs > 0) {
            let left = frame.left + hour as f64 * column;
            if grid.value(cell).is_none() {
                scene.rect((left, top), (left + column, top + row), SHADE, 1.0);
            }
        }
    }
    let level = |value: Option<Duration>| value.map_or(0, |value| level(value, (low.2, high.2)));
    let levels = grid.days.iter().flat_map(|(_, hours)| hours).map(|cell| level(grid.value(cell)));
    scene.cells(CellRaster {
        from: (frame.left, frame.top),
        to: (frame.right, frame.bottom),
        columns: 24,
        levels: levels.collect(),
    });
    let step = if scene.paper.ticks > 5 { 3 } else { 6 };
    let ticks: Vec<(f64, String)> = (0..24)
        .step_by(step)
        .map(|hour| (frame.left + (f64::from(hour) + 0.5) * column, format!("{hour:02}")))
        .collect();
    frame.floor(&mut scene, &ticks, &format!("hour of the day, {zone}"));
    scene
}

/// The colour of a value on a logarithmic scale between the ends.
fn level(value: Duration, (low, high): (Duration, Duration)) -> u8 {
    let ln = |value: Duration| value.as_secs_f64().max(1e-6).ln();
    let span = (ln(high) - ln(low)).max(1e-9);
    let share = ((ln(value) - ln(low)) / span).clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 255"
    )]
    let level = (1.0 + share * 254.0).round() as u8;
    level
}

/// Draws the colour scale; returns the position of the next row.
fn scale(scene: &mut Scene, middle: f64, (low, high): (Duration, Duration)) -> f64 {
    let low = words::time(Some(low));
    let mut x = scene.text((scene.paper.edge, middle), TextAnchor::Start, &low, LABEL) + 7.0;
    let levels: Vec<u8> = (0..=50).map(|step| 1 + step * 5).collect();
    scene.cells(CellRaster {
        from: (x, middle - 6.0),
        to: (x + 120.0, middle + 6.0),
        columns: levels.len(),
        levels,
    });
    x += 127.0;
    scene.text((x, middle), TextAnchor::Start, &words::time(Some(high)), LABEL);
    middle + 18.0
}
