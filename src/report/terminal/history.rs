//! Latency over many runs, for a terminal.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;

use super::ansi::AnsiStyle;
use super::layout::{cut, wrap};
use super::table::{TableColumn, fit_columns};
use super::{MOST_NARROW, words};
use crate::history::{History, RequestTrend, TrendRow, sparkline};
use crate::record::{EncodedHistogram, in_utc};
use crate::units::Ratio;

/// Maximum number of bars in a sparkline.
const BARS: usize = 60;
/// A note on what the figures cover.
const OF_THE_OK: &str = "p50 to max cover ok exchanges only";
/// Number of characters of a commit shown.
const COMMIT: usize = 8;
/// Maximum width of an environment's name.
const ENVIRONMENT: usize = 16;
/// Maximum width of a deploy's name.
const DEPLOY: usize = 24;

/// Renders a history for a terminal `width` columns wide, with ANSI colours if `colour` is set.
/// Each request has the figures of all runs and a table of its newest `most` runs.
///
/// Columns that do not fit are left out. No line is wider than `width`, or than 60 if `width` is
/// smaller.
pub fn history_text(history: &History, most: usize, width: u16, colour: bool) -> String {
    let page = HistoryPage {
        width: usize::from(width).max(MOST_NARROW),
        style: AnsiStyle::new(colour),
        most,
    };
    let parts: Vec<String> = history.trends.iter().map(|trend| page.trend(trend)).collect();
    parts.join("\n")
}

struct HistoryPage {
    width: usize,
    style: AnsiStyle,
    most: usize,
}

impl HistoryPage {
    fn trend(&self, trend: &RequestTrend) -> String {
        let name = format!("{} · {}", words::name(&trend.scenario), words::name(&trend.request));
        let mut text = self.bold(&wrap(&name, self.width, 0));
        let bars = self.bars(trend).map(|bars| cut(&bars, self.width - 2));
        text += &bars.map(|bars| format!("  {bars}\n")).unwrap_or_default();
        text += &wrap(&figures(trend), self.width, 2);
        text += &environments(trend).map(|line| wrap(&line, self.width, 2)).unwrap_or_default();
        trend.caveats().iter().for_each(|caveat| text += &wrap(caveat, self.width, 2));
        let shown = &trend.rows[trend.rows.len().saturating_sub(self.most)..];
        let rows: Vec<Vec<String>> = shown.iter().map(|row| self.row(row)).collect();
        let table = fit_columns(&columns(), &rows, self.width - 2, &self.style);
        table.lines(self.width - 2).iter().for_each(|line| text += &format!("  {line}\n"));
        if shown.iter().any(|row| row.failed() > 0) {
            text += &wrap(OF_THE_OK, self.width, 2)
                .lines()
                .map(|line| self.style.dim(line) + "\n")
                .collect::<String>();
        }
        let earlier = trend.rows.len() - shown.len();
        if earlier > 0 {
            let note = format!(
                "{} not shown; use `--limit` to show more",
                words::plural(earlier as u64, "earlier run")
            );
            text += &format!("  {}\n", self.style.dim(&note));
        }
        text
    }

    fn bold(&self, lines: &str) -> String {
        lines.lines().map(|line| self.style.bold(line) + "\n").collect()
    }

    /// The sparkline: one bar per run, for its p95; `None` if no run has one.
    fn bars(&self, trend: &RequestTrend) -> Option<String> {
        let shown = &trend.rows[trend.rows.len().saturating_sub(BARS.min(self.width - 40))..];
        let p95 = |row: &TrendRow| row.latency.p95_us.map(Duration::from_micros);
        let highest = shown.iter().filter_map(p95).max()?;
        let of = if shown.len() < trend.rows.len() { "of the newest " } else { "of " };
        let runs = words::plural(shown.len() as u64, "run");
        let note = format!("p95 {of}{runs}, █ {}", words::time(Some(highest)));
        Some(format!("{}  {}", sparkline(shown.iter().map(p95)), self.style.dim(&note)))
    }

    fn row(&self, row: &TrendRow) -> Vec<String> {
        let run = &row.run;
        let EncodedHistogram { p50_us, p95_us, p99_us, max_us, .. } = row.latency;
        let times = [p50_us, p95_us, p99_us, max_us].map(time);
        let environment = run.environment().map(|name| words::abbreviated(name, ENVIRONMENT));
        let deploy = run.deploy().map(|name| words::abbreviated(name, DEPLOY));
        let commit = run.git_commit.as_deref().map(|commit| words::display(commit, words::NAME));
        let mut cells = vec![
            started(run.started),
            run.name.clone(),
            environment.unwrap_or_default(),
            deploy.unwrap_or_default(),
            commit.map(|commit| commit.chars().take(COMMIT).collect()).unwrap_or_default(),
            words::count(row.exchanges),
            words::count(row.failed()),
        ];
        cells.extend(times);
        cells.push(self.style.decision(row.decision));
        cells
    }
}

fn columns() -> [TableColumn<'static>; 12] {
    [
        TableColumn::left("started (UTC)", 8),
        TableColumn::left("run", 0),
        TableColumn::left("environment", 5),
        TableColumn::left("deploy", 1),
        TableColumn::left("commit", 6),
        TableColumn::right("n", 3),
        TableColumn::right("failed", 2),
        TableColumn::right("p50", 4),
        TableColumn::right("p95", 0),
        TableColumn::right("p99", 1),
        TableColumn::right("max", 7),
        TableColumn::left("verdict", 0),
    ]
}

/// The figures of all runs together.
fn figures(trend: &RequestTrend) -> String {
    let of = &trend.latency;
    let [p50, p95, p99, max] = [of.p50_us, of.p95_us, of.p99_us, of.max_us].map(time);
    let failed = match trend.failed() {
        0 if trend.exchanges == 0 => "no request was sent that counts".to_owned(),
        0 => "none failed".to_owned(),
        failed => {
            let share = words::share(Ratio::of(failed, trend.exchanges));
            format!(
                "{} of {} failed ({share})",
                words::count(failed),
                words::count(trend.exchanges)
            )
        }
    };
    let runs = words::plural(trend.rows.len() as u64, "run");
    if trend.ok == 0 {
        return format!("{runs}: {failed}");
    }
    let ok = words::plural(trend.ok, "ok exchange");
    format!("{runs}, {ok}: p50 {p50}, p95 {p95}, p99 {p99}, max {max}; {failed}")
}

/// A note if the figures of several environments are combined.
fn environments(trend: &RequestTrend) -> Option<String> {
    let names = trend.environments();
    let untagged = trend.rows.iter().any(|row| row.run.environment().is_none());
    let mut shown: Vec<String> = names.iter().take(4).map(|name| words::name(name)).collect();
    shown.extend((names.len() > 4).then(|| format!("{} more", names.len() - 4)));
    shown.extend((untagged && !names.is_empty()).then(|| "untagged runs".to_owned()));
    (names.len() + usize::from(untagged) > 1).then(|| {
        format!(
            "several environments combined: {}; use `--environment` to pick one",
            shown.join(", ")
        )
    })
}

fn time(micros: Option<u64>) -> String {
    words::time(micros.map(Duration::from_micros))
}

fn started(started: OffsetDateTime) -> String {
    let utc = in_utc(started);
    utc.format(format_description!("[year]-[month]-[day] [hour]:[minute]")).unwrap_or_default()
}
