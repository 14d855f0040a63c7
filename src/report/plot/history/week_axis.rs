//! A horizontal axis of weeks that have runs.

use time::macros::format_description;

use super::super::axis::PlotFrame;
use super::super::scene::Scene;
use crate::history::WeekSum;

/// A frame whose width is divided among weeks.
pub(super) struct WeekAxis<'a> {
    pub(super) frame: PlotFrame,
    pub(super) weeks: &'a [WeekSum],
}

impl<'a> WeekAxis<'a> {
    /// The width of a week.
    pub(super) fn width(&self) -> f64 {
        (self.frame.right - self.frame.left) / self.weeks.len().max(1) as f64
    }

    /// Each week with the position of its middle.
    pub(super) fn places(&self) -> impl Iterator<Item = (f64, &'a WeekSum)> {
        let (left, width) = (self.frame.left, self.width());
        self.weeks
            .iter()
            .enumerate()
            .map(move |(at, week)| (left + (at as f64 + 0.5) * width, week))
    }

    /// Draws the axis, with as many labels as the paper has room for.
    pub(super) fn floor(&self, scene: &mut Scene) {
        let most = usize::try_from(scene.paper.ticks).unwrap_or(1).max(1);
        let step = self.weeks.len().div_ceil(most).max(1);
        let ticks: Vec<(f64, String)> =
            self.places().step_by(step).map(|(x, week)| (x, first_day(week))).collect();
        self.frame.floor(scene, &ticks, "week, by its Monday");
    }
}

/// The first day of a week: `2 Nov`.
pub(super) fn first_day(week: &WeekSum) -> String {
    let format = format_description!("[day padding:none] [month repr:short]");
    week.monday.format(format).unwrap_or_default()
}
