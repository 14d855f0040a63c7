//! Where the time goes, as tollgate measured it and as the target reports it.

use super::layout::{self, CellAlign, TextGrid, wrap};
use super::{TerminalPage, words};
use crate::record::Dimension;
use crate::report::model::{
    DurationQuantiles, RequestTiming, RequestView, SERVER_TIMING_NOTE, ScenarioView,
    ServerTimingRow, TimingRow, label,
};

impl TerminalPage {
    /// Where the time of a request goes, cold and warm; `None` without measurements and for a list
    /// of checks.
    pub(super) fn timing(&self, scenario: &ScenarioView, request: &RequestView) -> Option<String> {
        let timing = &request.timing;
        let latency = timing.latency().filter(|_| !scenario.is_list_of_checks())?;
        let heading = format!("where the time goes · {}", scenario.place(request));
        let grid = if scenario.is_single {
            self.parts_of_one(timing, latency)
        } else {
            self.parts(timing, latency)
        };
        let mut text = self.headed(&heading, &grid);
        if let Some(comparison) = &timing.comparison {
            text += &wrap(&format!("{comparison}; {}", counts(timing)), self.width, 2);
        }
        Some(text)
    }

    fn parts(&self, timing: &RequestTiming, latency: &TimingRow) -> TextGrid {
        let mut grid = TextGrid::new([
            CellAlign::Left,
            CellAlign::Right,
            CellAlign::Right,
            CellAlign::Right,
            CellAlign::Right,
            CellAlign::Left,
        ]);
        let warm = format!("{} p50", timing.warm_name);
        grid.row(["", "cold p50", &warm, "p95", "p99", ""].map(|head| self.style.dim(head)));
        for row in &timing.rows {
            let [p50, p95, p99] = [row.warm.p50, row.warm.p95, row.warm.p99].map(words::time);
            let bar = self.style.dim(&bar_or_count(row, latency));
            grid.row([self.part(row), words::time(row.cold.p50), p50, p95, p99, bar]);
        }
        grid
    }

    /// The parts of a request that ran once: one figure each.
    fn parts_of_one(&self, timing: &RequestTiming, latency: &TimingRow) -> TextGrid {
        let mut grid = TextGrid::new([CellAlign::Left, CellAlign::Right, CellAlign::Left]);
        for row in &timing.rows {
            grid.row([
                self.part(row),
                words::time(row.warm.max),
                self.style.dim(&bar_or_count(row, latency)),
            ]);
        }
        grid
    }

    fn part(&self, row: &TimingRow) -> String {
        let name = format!("{}{}", "  ".repeat(row.depth), label(row.dimension));
        if row.dimension == Dimension::Latency { self.style.bold(&name) } else { name }
    }

    /// The target's `Server-Timing` report; `None` if there is none.
    pub(super) fn server_timing(
        &self,
        scenario: &ScenarioView,
        request: &RequestView,
    ) -> Option<String> {
        if !scenario.has_server_timing(request) {
            return None;
        }
        let rows = &request.server_timing.rows;
        let mut grid = TextGrid::new([CellAlign::Left].into_iter().chain([CellAlign::Right; 5]));
        if scenario.is_single {
            for row in rows {
                grid.row([self.metric(row), words::time(row.warm.max)]);
            }
        } else {
            let warm = format!("{} p50", request.timing.warm_name);
            grid.row(["", "cold p50", &warm, "p95", "p99", "n"].map(|head| self.style.dim(head)));
            for row in rows {
                grid.row(self.server_timing_row(row));
            }
        }
        let heading = format!("the target's Server-Timing report · {}", scenario.place(request));
        Some(self.headed(&heading, &grid) + &self.dimmed(&wrap(SERVER_TIMING_NOTE, self.width, 2)))
    }

    fn server_timing_row(&self, row: &ServerTimingRow) -> [String; 6] {
        [
            self.metric(row),
            words::time(row.cold.p50),
            words::time(row.warm.p50),
            words::time(row.warm.p95),
            words::time(row.warm.p99),
            words::count(row.warm.n),
        ]
    }

    fn metric(&self, row: &ServerTimingRow) -> String {
        const NAME: usize = 28;
        let name = layout::cut(&row.name, NAME);
        if row.is_ours { self.style.dim(&name) } else { name }
    }

    fn headed(&self, heading: &str, grid: &TextGrid) -> String {
        let heading = self.style.bold(&layout::cut(heading, self.width));
        let lines = grid.lines(self.width - 2);
        format!("{heading}\n{}", lines.iter().map(|line| format!("  {line}\n")).collect::<String>())
    }
}

fn counts(timing: &RequestTiming) -> String {
    let n = |quantiles: fn(&TimingRow) -> DurationQuantiles| {
        words::count(timing.latency().map_or(0, |row| quantiles(row).n))
    };
    format!("n {} cold, {} {}", n(|row| row.cold), n(|row| row.warm), timing.warm_name)
}

/// A bar for the part's share of the median latency, or the number of exchanges that entered it if
/// not all did.
fn bar_or_count(row: &TimingRow, latency: &TimingRow) -> String {
    const LONGEST: f64 = 20.0;
    if row.warm.n < latency.warm.n {
        return if row.warm.n == 0 {
            "only cold".to_owned()
        } else {
            format!("in {} of {}", row.warm.n, latency.warm.n)
        };
    }
    let (Some(part), Some(whole)) = (row.warm.p50, latency.warm.p50) else { return String::new() };
    let share = (part.as_secs_f64() / whole.as_secs_f64().max(1e-9)).min(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 20")]
    let length = (share * LONGEST).round() as usize;
    "━".repeat(length)
}
