//! p50, p95 and p99 over time, with budgets, verdicts, change points and gaps.

use std::time::Duration;

use super::super::axis::{DurationAxis, PlotFrame};
use super::super::scene::{LegendMark, Scene, along};
use super::super::sheet::PlotSheet;
use super::super::style::{
    ALARM, INK, LABEL, MUTED, P50, P95, P99, PaperSpot, RgbColour, SERIES, SHADE, WARNING,
};
use super::super::table::PlotTable;
use super::HistoryPlot;
use super::date_axis::DateAxis;
use super::mark_place::MarkPlace;
use crate::history::{BudgetSpan, ChangeMark, RunAttainment, TimeBin};
use crate::record::Dimension;
use crate::report::model::label;
use crate::report::site::{BudgetHistoryRow, RequestPanel, SiteLabels, percent_change};
use crate::report::words;
use crate::units::format_duration;

/// Height of the strip of verdicts above the frame.
const STRIP: f64 = 24.0;

/// A quantile as a line, the widest first.
struct HistoryLine {
    name: &'static str,
    colour: RgbColour,
    width: f64,
    of: fn(&TimeBin) -> Option<Duration>,
}

const LINES: [HistoryLine; 3] = [
    HistoryLine { name: "p99", colour: P99, width: 2.2, of: |bin| bin.latency.p99 },
    HistoryLine { name: "p95", colour: P95, width: 2.0, of: |bin| bin.latency.p95 },
    HistoryLine { name: "p50", colour: P50, width: 1.8, of: |bin| bin.latency.p50 },
];

/// The plot of a request.
pub(super) fn plot<'a>(panel: &'a RequestPanel, labels: SiteLabels<'a>) -> Option<HistoryPlot<'a>> {
    let bins = &panel.history.bins.bins;
    bins.first()?;
    Some(HistoryPlot {
        title: format!("{}: {}", panel.place, panel.finding),
        alt: alt(panel, labels),
        table: Box::new(move || table(panel, labels)),
        scene: Box::new(move |sheet| scene(panel, labels, sheet)),
    })
}

fn alt(panel: &RequestPanel, labels: SiteLabels<'_>) -> String {
    let history = &panel.history;
    let ranges: Vec<String> = LINES
        .iter()
        .rev()
        .filter_map(|line| {
            let values = || history.bins.bins.iter().filter_map(line.of);
            let [low, high] = [values().min()?, values().max()?].map(format_duration);
            Some(format!("{} {}", line.name, words::between(&low, &high)))
        })
        .collect();
    let ranges = if ranges.is_empty() { "no quantiles".to_owned() } else { ranges.join(", ") };
    let changes = match panel.change_points.len() as u64 {
        0 => String::new(),
        count => format!(
            "; {}: {}",
            words::plural(count, "change point"),
            panel.change_points.join("; ")
        ),
    };
    format!("{}: {ranges}; {} passed{changes}", labels.period(), panel.attainment())
}

fn table(panel: &RequestPanel, labels: SiteLabels<'_>) -> PlotTable {
    let heads = [
        "from",
        "runs",
        "passed",
        "failed",
        "inconclusive",
        "n",
        "failed n",
        "p50",
        "p95",
        "p99",
        "longest",
    ];
    let mut table = PlotTable::new(heads);
    for bin in &panel.history.bins.bins {
        let RunAttainment { passed, failed, inconclusive } = bin.attainment;
        let counts =
            [bin.attainment.runs(), passed, failed, inconclusive, bin.exchanges, bin.failed];
        let latency = bin.latency;
        let times = [latency.p50, latency.p95, latency.p99, latency.max].map(words::time);
        let cells = counts.map(words::count).into_iter().chain(times);
        table.rows.push(std::iter::once(labels.minute(bin.first)).chain(cells).collect());
    }
    table
}

/// A single budget is named next to its line. If its label would cover the data, the legend names
/// it.
fn scene(panel: &RequestPanel, labels: SiteLabels<'_>, sheet: PlotSheet<'_>) -> Scene {
    let (scene, covers_data) = composed(panel, labels, sheet, None);
    match &newest_spans(panel)[..] {
        [only] if covers_data => composed(panel, labels, sheet, Some(only)).0,
        _ => scene,
    }
}

/// The picture, and whether the label of a budget covers data. The legend names `in_legend`.
fn composed(
    panel: &RequestPanel,
    labels: SiteLabels<'_>,
    sheet: PlotSheet<'_>,
    in_legend: Option<&BudgetSpan>,
) -> (Scene, bool) {
    let heights = heights(panel);
    let bins = &panel.history.bins;
    let each = bins.length.map_or_else(
        || "each point is a run".to_owned(),
        |length| format!("each point adds the runs of {}", length_words(length)),
    );
    let (mut scene, below) =
        sheet.headed(&format!("latency of ok exchanges; {each}{}", heights.note()));
    let budget = in_legend.map_or_else(|| "budget".to_owned(), |span| budget_words(panel, span));
    let signs = signs(panel, &budget);
    let signs: Vec<_> = signs.iter().map(|(mark, words)| (*mark, words.as_str())).collect();
    let below = scene.legend(below, &signs);
    let frame = PlotFrame::below(&mut scene, below + STRIP, 1.0);
    let figure = TrendPlot { panel, axis: DateAxis::new(labels, frame, bins), heights };
    figure.axis.gaps(&mut scene, bins);
    figure.heights.grid(&mut scene, &frame);
    figure.verdicts(&mut scene);
    figure.budgets(&mut scene);
    figure.marks(&mut scene);
    figure.lines(&mut scene);
    figure.singles(&mut scene);
    figure.failures(&mut scene);
    let covers_data = figure.words(&mut scene, in_legend.is_none());
    figure.axis.floor(&mut scene);
    (scene, covers_data)
}

/// The length of a bin: `6 h`, `1 day`, `2 weeks`.
fn length_words(length: Duration) -> String {
    match length.as_secs() / 3_600 {
        168 => "a week".to_owned(),
        hours if hours % 168 == 0 => format!("{} weeks", hours / 168),
        24 => "a day".to_owned(),
        hours if hours % 24 == 0 => format!("{} days", hours / 24),
        1 => "an hour".to_owned(),
        hours => format!("{hours} h"),
    }
}

fn heights(panel: &RequestPanel) -> DurationAxis {
    let bins = || panel.history.bins.bins.iter();
    let values = || {
        let quantiles = LINES.iter().flat_map(move |line| bins().filter_map(line.of));
        quantiles.chain(bins().filter_map(|bin| bin.latency.single()))
    };
    let ceilings = || spans(panel).flat_map(|span| span.ceilings.iter().map(|(_, limit)| *limit));
    DurationAxis::over(values().chain(ceilings()), values().chain(ceilings()))
}

/// The budgets on latency itself: those on a part of it belong to another axis.
fn spans(panel: &RequestPanel) -> impl Iterator<Item = &BudgetSpan> {
    let on_latency = |span: &&BudgetSpan| span.budget.dimension() == Some(Dimension::Latency);
    panel.history.budget_spans.iter().filter(on_latency)
}

/// The newest span of each budget: one label is enough.
fn newest_spans(panel: &RequestPanel) -> Vec<&BudgetSpan> {
    let mut newest: Vec<&BudgetSpan> = Vec::new();
    for span in panel.history.budget_spans.iter().rev() {
        if newest.iter().all(|known| known.budget != span.budget) {
            newest.push(span);
        }
    }
    newest.retain(|span| span.budget.dimension() == Some(Dimension::Latency));
    newest
}

/// `budget p95 < 300ms`, or with the limit that earlier runs gave.
fn budget_words(panel: &RequestPanel, span: &BudgetSpan) -> String {
    let written = span.budget.to_string();
    let row = panel.budgets.iter().find(|row| row.budget == written);
    format!("budget {}", row.map_or(written, BudgetHistoryRow::with_limit))
}

fn signs(panel: &RequestPanel, budget: &str) -> Vec<(LegendMark, String)> {
    let bins = &panel.history.bins.bins;
    let lines = LINES.iter().rev().filter(|line| bins.iter().any(|bin| (line.of)(bin).is_some()));
    let mut signs: Vec<_> =
        lines.map(|line| (LegendMark::Line(line.colour), line.name.to_owned())).collect();
    let any = |is: fn(&TimeBin) -> bool| bins.iter().any(is);
    let mut add = |is: bool, mark, words: &str| signs.extend(is.then(|| (mark, words.to_owned())));
    add(any(|bin| bin.latency.single().is_some()), LegendMark::Dot(INK), "ring: a single exchange");
    add(spans(panel).next().is_some(), LegendMark::Dashes(ALARM), budget);
    add(
        any(|bin| bin.attainment.passed > 0),
        LegendMark::Box(VERDICTS[0]),
        "passed (bars above, low)",
    );
    add(
        any(|bin| bin.attainment.inconclusive > 0),
        LegendMark::Box(VERDICTS[1]),
        "inconclusive (middle)",
    );
    add(any(|bin| bin.attainment.failed > 0), LegendMark::Box(VERDICTS[2]), "failed (top)");
    add(any(|bin| bin.failed > 0), LegendMark::Box(ALARM), "share of requests that failed (below)");
    add(!panel.history.bins.gaps.is_empty(), LegendMark::Box(SHADE), "no runs");
    add(!panel.history.change_points.is_empty(), LegendMark::Dashes(INK), "change point");
    signs
}

/// The colours of passed, inconclusive and failed runs. Heights repeat what they say.
const VERDICTS: [RgbColour; 3] = [SERIES[1], SERIES[4], ALARM];
/// The height of a full bar of verdicts.
const HIGHEST: f64 = 18.0;
/// The heights of the bar of a single run.
const SINGLE_HEIGHTS: [f64; 3] = [5.0, 11.0, HIGHEST];

struct TrendPlot<'a> {
    panel: &'a RequestPanel,
    axis: DateAxis<'a>,
    heights: DurationAxis,
}

impl TrendPlot<'_> {
    fn y(&self, value: Duration) -> f64 {
        self.axis.frame.up(self.heights.share(value))
    }

    /// The strip of verdicts. A run's bar is low if it passed, of middle height if it was
    /// inconclusive, and high if it failed; a bar of several runs shows their shares in this order
    /// from below.
    fn verdicts(&self, scene: &mut Scene) {
        let bins = &self.panel.history.bins.bins;
        let frame = &self.axis.frame;
        let width = (frame.right - frame.left) / bins.len().max(1) as f64;
        let half = (width / 2.0 - 0.4).clamp(0.8, 5.0);
        let floor = frame.top - 4.0;
        for bin in bins {
            let x = self.axis.x(bin.middle());
            let (left, right) = ((x - half).max(frame.left), (x + half).min(frame.right));
            let RunAttainment { passed, failed, inconclusive } = bin.attainment;
            let counts = [passed, inconclusive, failed];
            let mut base = floor;
            for (at, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                let height = match bin.runs() {
                    1 => SINGLE_HEIGHTS[at],
                    runs => (HIGHEST * count as f64 / runs as f64).max(1.5),
                };
                scene.rect((left, base - height), (right, base), VERDICTS[at], 1.0);
                base -= height;
            }
        }
    }

    fn budgets(&self, scene: &mut Scene) {
        for span in spans(self.panel) {
            for line in self.ceiling_lines(span) {
                scene.dashed_path(&line, 1.5, ALARM);
            }
        }
    }

    /// The lines of a budget: one for a fixed ceiling. A ceiling that earlier runs give goes from
    /// point to point; it is unknown between stretches of runs.
    fn ceiling_lines(&self, span: &BudgetSpan) -> Vec<Vec<PaperSpot>> {
        let frame = &self.axis.frame;
        if let [(_, only)] = span.ceilings[..] {
            let y = self.y(only);
            // A budget of a single run is visible too.
            let left = (self.axis.x(span.from) - 8.0).max(frame.left);
            let right = (self.axis.x(span.to) + 8.0).min(frame.right);
            return vec![vec![(left, y), (right, y)]];
        }
        let height = |bin: &TimeBin| span.ceiling_of(bin).map(|ceiling| self.y(ceiling));
        let mut lines = self.axis.lines(&self.panel.history.bins, height);
        for line in &mut lines {
            if let [(x, y)] = line[..] {
                *line = vec![(x - 4.0, y), (x + 4.0, y)];
            }
        }
        lines
    }

    fn lines(&self, scene: &mut Scene) {
        for line in &LINES {
            for spots in self.spots(line) {
                scene.line_or_dot(spots, line.width, line.colour);
            }
        }
    }

    fn spots(&self, line: &HistoryLine) -> Vec<Vec<PaperSpot>> {
        self.axis.lines(&self.panel.history.bins, |bin| (line.of)(bin).map(|value| self.y(value)))
    }

    /// The share of failures of each bin, as bars on the floor.
    fn failures(&self, scene: &mut Scene) {
        let frame = &self.axis.frame;
        for bin in self.panel.history.bins.bins.iter().filter(|bin| bin.failed > 0) {
            let (x, share) = (self.axis.x(bin.middle()), bin.failed as f64 / bin.exchanges as f64);
            let top = frame.bottom - 3.0 - 27.0 * share.min(1.0);
            scene.rect((x - 1.5, top), (x + 1.5, frame.bottom), ALARM, 1.0);
        }
    }

    /// Points of a single exchange: rings, not joined by a line.
    fn singles(&self, scene: &mut Scene) {
        for bin in &self.panel.history.bins.bins {
            if let Some(value) = bin.latency.single() {
                scene.ring((self.axis.x(bin.middle()), self.y(value)), 3.2, INK);
            }
        }
    }

    fn mark_x(&self, mark: &ChangeMark) -> Option<f64> {
        let run = self.panel.history.runs.get(mark.run)?;
        Some(self.axis.x(run.started()))
    }

    fn marks(&self, scene: &mut Scene) {
        let frame = &self.axis.frame;
        for mark in &self.panel.history.change_points {
            let Some(x) = self.mark_x(mark) else { continue };
            let colour = if mark.is_confirmed { INK } else { MUTED };
            scene.dashed((x, frame.top), (x, frame.bottom), 1.5, colour);
        }
    }

    /// The labels of change points and, if wanted, of budgets, where they cover the least. Returns
    /// whether the label of a budget covers data.
    fn words(&self, scene: &mut Scene, has_budgets: bool) -> bool {
        let mut covers_data = false;
        let taken: Vec<PaperSpot> = LINES
            .iter()
            .flat_map(|line| self.spots(line))
            .flat_map(|spots| along(&spots))
            .collect();
        self.mark_labels(scene, &taken);
        for span in newest_spans(self.panel).into_iter().filter(|_| has_budgets) {
            let Some(line) = self.ceiling_lines(span).pop() else { continue };
            let text = budget_words(self.panel, span);
            let spots = self.axis.frame.line_label_spots(&line, scene.tag_width(&text, WARNING));
            covers_data |= scene.tag_where_free(&spots, &text, WARNING, &taken);
        }
        if taken.is_empty() && self.panel.history.period.latency.count() == 0 {
            scene.tag_where_free(
                &self.axis.frame.middle_spots(),
                "no request succeeded: there is no latency to show",
                WARNING,
                &[],
            );
        }
        covers_data
    }

    /// Labels each change point next to its own line: a label across another change point's line
    /// would seem to belong to that one.
    fn mark_labels(&self, scene: &mut Scene, taken: &[PaperSpot]) {
        let frame = &self.axis.frame;
        let marks = &self.panel.history.change_points;
        let placed: Vec<(f64, &ChangeMark)> =
            marks.iter().filter_map(|mark| Some((self.mark_x(mark)?, mark))).collect();
        for (at, (x, mark)) in placed.iter().enumerate() {
            let others = placed.iter().enumerate().filter(|(other, _)| *other != at);
            let others =
                others.flat_map(|(_, (x, _))| along(&[(*x, frame.top), (*x, frame.bottom)]));
            let covered: Vec<PaperSpot> = taken.iter().copied().chain(others).collect();
            let place = MarkPlace { frame, x: *x };
            let texts = self.mark_words(mark);
            let fits = |text: &&String| place.fits(scene.tag_width(text, LABEL));
            let Some(text) = texts.iter().find(fits).or(texts.last()) else { continue };
            let spots = place.label_spots(scene.tag_width(text, LABEL));
            scene.tag_where_free(&spots, text, LABEL, &covered);
        }
    }

    /// `+18 %, deploy 61`, with a question mark if it is not confirmed, and shorter texts for less
    /// room.
    fn mark_words(&self, mark: &ChangeMark) -> Vec<String> {
        let sure = if mark.is_confirmed { "" } else { "?" };
        let what = match mark.dimension {
            Dimension::Latency => String::new(),
            part => format!("{} ", label(part)),
        };
        let change = format!("{what}{}{sure}", percent_change(mark.ratio));
        let cause = self.axis.labels.cause(&self.panel.history.runs, mark.run);
        let causes = cause
            .iter()
            .flat_map(|cause| std::iter::once(cause.words()).chain(cause.shorter_words()));
        let mut texts: Vec<String> = causes.map(|cause| format!("{change}, {cause}")).collect();
        texts.push(change);
        texts
    }
}
