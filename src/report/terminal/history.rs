//! Latency over many runs, for a terminal.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;

use super::ansi::AnsiStyle;
use super::layout::{cut, wrap};
use super::table::{TableColumn, fit_columns};
use super::{MOST_NARROW, words};
use crate::history::{History, LatencyFigures, RequestTrend, TrendRow, sparkline};
use crate::record::in_utc;
use crate::units::Ratio;

/// Maximum number of bars in a sparkline.
const BARS: usize = 60;
/// A note on what the figures cover.
const OF_THE_OK: &str = "times cover ok exchanges only";
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
        for caveat in trend.caveats() {
            text += &wrap(&words::display(&caveat, words::REASON), self.width, 2);
        }
        let shown = &trend.rows[trend.rows.len().saturating_sub(self.most)..];
        let figures = ShownFigures::of(shown);
        let rows: Vec<Vec<String>> = shown.iter().map(|row| self.row(row, &figures)).collect();
        let table = fit_columns(&figures.columns(), &rows, self.width - 2, &self.style);
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

    /// The sparkline: one bar per run, for its p95, or for its longest exchange if most runs have
    /// too few for a p95; `None` if no run has one.
    fn bars(&self, trend: &RequestTrend) -> Option<String> {
        let shown = &trend.rows[trend.rows.len().saturating_sub(BARS.min(self.width - 40))..];
        let filled = |of: fn(&LatencyFigures) -> Option<u64>| {
            shown.iter().filter(|row| of(&row.latency).is_some()).count()
        };
        let has_p95 = filled(|latency| latency.p95_us) * 2 > filled(|latency| latency.max_us);
        let is_single = shown.iter().all(|row| row.latency.count <= 1);
        let name = match (has_p95, is_single) {
            (true, _) => "p95",
            (false, true) => "the time",
            (false, false) => "the longest",
        };
        let figure = |row: &TrendRow| {
            let LatencyFigures { p95_us, max_us, .. } = row.latency;
            let micros = if has_p95 { p95_us } else { max_us };
            micros.map(Duration::from_micros)
        };
        let highest = shown.iter().filter_map(figure).max()?;
        let of = if shown.len() < trend.rows.len() { "of the newest " } else { "of " };
        let runs = words::plural(shown.len() as u64, "run");
        let note = format!("{name} {of}{runs}, █ {}", words::time(Some(highest)));
        Some(format!("{}  {}", sparkline(shown.iter().map(figure)), self.style.dim(&note)))
    }

    fn row(&self, row: &TrendRow, figures: &ShownFigures) -> Vec<String> {
        let run = &row.run;
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
        cells.extend(figures.cells(&row.latency));
        cells.push(self.style.decision(row.decision));
        let budgets = row.imported.as_ref().map(|facts| facts.budgets.join(", "));
        cells.push(words::display(&budgets.unwrap_or_default(), words::NAME));
        cells
    }
}

/// Which figures the listed runs have.
struct ShownFigures {
    quantiles: [bool; 3],
    /// Whether no run has more than one exchange.
    is_single: bool,
}

impl ShownFigures {
    fn of(rows: &[TrendRow]) -> Self {
        let has = |of: fn(&LatencyFigures) -> Option<u64>| {
            rows.iter().any(|row| of(&row.latency).is_some())
        };
        Self {
            quantiles: [has(|it| it.p50_us), has(|it| it.p95_us), has(|it| it.p99_us)],
            is_single: rows.iter().all(|row| row.latency.count <= 1),
        }
    }

    /// The cells of a run. A quantile that no run has enough exchanges for has no column.
    fn cells(&self, latency: &LatencyFigures) -> [String; 4] {
        let [p50, p95, p99] = self.quantiles;
        let cell = |is_shown: bool, figure| if is_shown { time(figure) } else { String::new() };
        [
            cell(p50, latency.p50_us),
            cell(p95, latency.p95_us),
            cell(p99, latency.p99_us),
            time(latency.max_us),
        ]
    }

    /// The columns. The longest time takes the place of a missing p95.
    fn columns(&self) -> [TableColumn<'static>; 13] {
        let has_p95 = self.quantiles[1];
        let max = if self.is_single { "took" } else { "max" };
        [
            TableColumn::left("started (UTC)", 8),
            TableColumn::left("run", 0),
            TableColumn::left("environment", 5),
            TableColumn::left("deploy", 1),
            TableColumn::left("commit", 6),
            TableColumn::right("n", 3),
            TableColumn::right("failed", 2),
            TableColumn::right("p50", 4),
            TableColumn::right("p95", u8::from(!has_p95)),
            TableColumn::right("p99", 1),
            TableColumn::right(max, if has_p95 { 7 } else { 0 }),
            TableColumn::left("verdict", 0),
            TableColumn::left("judged by", 9),
        ]
    }
}

/// The figures of all runs together.
fn figures(trend: &RequestTrend) -> String {
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
    format!("{runs}, {ok}: {}; {failed}", quantiles(&trend.figures()))
}

/// The figures that are quantiles of enough exchanges, and the longest time: `p50 43 ms, max 1 s`.
fn quantiles(of: &LatencyFigures) -> String {
    let LatencyFigures { p50_us, p95_us, p99_us, max_us, .. } = *of;
    let longest = if of.count == 1 { "it took" } else { "max" };
    let named = [("p50", p50_us), ("p95", p95_us), ("p99", p99_us), (longest, max_us)];
    let known = named.into_iter().filter_map(|(name, micros)| Some((name, micros?)));
    let words = known.map(|(name, micros)| format!("{name} {}", time(Some(micros))));
    words.collect::<Vec<_>>().join(", ")
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
