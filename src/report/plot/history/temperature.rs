//! First exchanges on new connections against later ones, by week.

use std::time::Duration;

use super::super::axis::{DurationAxis, PlotFrame};
use super::super::scene::{LegendMark, Scene};
use super::super::sheet::PlotSheet;
use super::super::style::{GRID, P50, P95};
use super::super::table::PlotTable;
use super::HistoryPlot;
use super::week_axis::WeekAxis;
use crate::history::{QuantileFigures, WeekSum};
use crate::report::site::RequestPanel;
use crate::report::words;
use crate::units::format_duration;

/// The plot of a request; `None` if no week has both.
pub(super) fn plot(panel: &RequestPanel) -> Option<HistoryPlot<'_>> {
    let weeks = &panel.history.weeks;
    weeks.iter().find(|week| week.cold.p50.is_some() && week.latency.p50.is_some())?;
    let (cold, warm) =
        (QuantileFigures::of(&panel.history.period.cold).p50?, panel.history.period.figures().p50?);
    let times =
        words::times_as_long(cold, warm).map(|times| format!("{times}: ")).unwrap_or_default();
    let title = format!(
        "{} cold and warm: a first exchange takes {times}{} against {}",
        panel.name,
        format_duration(cold),
        format_duration(warm)
    );
    Some(HistoryPlot {
        alt: format!(
            "Median of the first exchange of each warm-up connection, {}, against the median of the measured exchanges, {}, for {}",
            format_duration(cold),
            format_duration(warm),
            words::plural(weeks.len() as u64, "week")
        ),
        title,
        table: Box::new(move || table(weeks)),
        scene: Box::new(move |sheet| scene(weeks, sheet)),
    })
}

fn table(weeks: &[WeekSum]) -> PlotTable {
    let mut table =
        PlotTable::new(["week of", "cold n", "cold p50", "cold longest", "warm n", "warm p50"]);
    for week in weeks {
        let [cold, warm] = [week.cold, week.latency];
        table.rows.push(vec![
            week.monday.to_string(),
            words::count(cold.count),
            words::time(cold.p50),
            words::time(cold.max),
            words::count(warm.count),
            words::time(warm.p50),
        ]);
    }
    table
}

fn scene(weeks: &[WeekSum], sheet: PlotSheet<'_>) -> Scene {
    let values = || weeks.iter().flat_map(|week| [week.cold.p50, week.latency.p50]).flatten();
    let heights = DurationAxis::over(values(), values());
    let subtitle = format!("medians of the added histograms of each week{}", heights.note());
    let (mut scene, below) = sheet.headed(&subtitle);
    let signs = [
        (LegendMark::Dot(P95), "first exchange of a connection"),
        (LegendMark::Dot(P50), "measured exchanges"),
    ];
    let below = scene.legend(below, &signs);
    let frame = PlotFrame::below(&mut scene, below, 0.7);
    heights.grid(&mut scene, &frame);
    let axis = WeekAxis { frame, weeks };
    let y = |value: Duration| frame.up(heights.share(value));
    for (x, week) in axis.places() {
        if let (Some(cold), Some(warm)) = (week.cold.p50, week.latency.p50) {
            scene.line(vec![(x, y(cold)), (x, y(warm))], 3.0, GRID);
        }
        if let Some(cold) = week.cold.p50 {
            scene.dot((x, y(cold)), 3.6, P95);
        }
        if let Some(warm) = week.latency.p50 {
            scene.dot((x, y(warm)), 3.6, P50);
        }
    }
    axis.floor(&mut scene);
    scene
}
