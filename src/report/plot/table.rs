//! A plot's figures as a table.

use std::time::Duration;

use crate::report::model::{Timeline, TimelinePoint};
use crate::units;

/// A short table.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct PlotTable {
    /// Column headings.
    pub(in crate::report) heads: Vec<String>,
    /// One cell per column; the first one names the row.
    pub(in crate::report) rows: Vec<Vec<String>>,
}

impl PlotTable {
    /// An empty table with these headings.
    pub(super) fn new<'a>(heads: impl IntoIterator<Item = &'a str>) -> Self {
        Self { heads: heads.into_iter().map(str::to_owned).collect(), rows: Vec::new() }
    }

    /// One row for each row of a timeline; `cells` makes the cells after the time.
    pub(super) fn over_time<'a>(
        line: &Timeline,
        heads: impl IntoIterator<Item = &'a str>,
        cells: impl Fn(&TimelinePoint) -> Vec<String>,
    ) -> Self {
        let mut table = Self::new(std::iter::once("due").chain(heads));
        for point in &line.rows {
            table.rows.push(std::iter::once(span(point)).chain(cells(point)).collect());
        }
        table
    }
}

/// The time of a bin in words: `12 – 13 s`, `0 – 1 s, warm-up`.
fn span(point: &TimelinePoint) -> String {
    let seconds = |at: Duration| {
        let rounded = (at.as_secs_f64() * 10.0).round() / 10.0;
        rounded.to_string()
    };
    let span = if point.to < Duration::from_mins(10) {
        format!("{} – {} s", seconds(point.from), seconds(point.to))
    } else {
        format!(
            "{} – {}",
            units::duration_literal(whole(point.from)),
            units::duration_literal(whole(point.to))
        )
    };
    if point.in_warmup { span + ", warm-up" } else { span }
}

fn whole(at: Duration) -> Duration {
    Duration::from_secs(at.as_secs())
}
