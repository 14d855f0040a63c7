//! A small line: one figure of a request over the period, with its budget.

use std::time::Duration;

use maud::{Markup, html};

use crate::history::TimeBin;
use crate::report::site::{BudgetHistoryRow, LeadingFigure, RequestPanel};
use crate::report::words;

const WIDTH: f64 = 160.0;
const HEIGHT: f64 = 36.0;

/// One figure over the period as a line, with its budgets as dashed ones. Gaps break the line.
///
/// It is the quantile that `budget` limits, if most points have it.
pub(super) fn trend(panel: &RequestPanel, budget: Option<&BudgetHistoryRow>) -> Markup {
    let history = &panel.history;
    let figure = match budget {
        Some(budget) => LeadingFigure::limited_by(&budget.written, history),
        None => LeadingFigure::of(history),
    };
    let newest = figure.values(history).last();
    let name = figure.name();
    let words = format!("{} {name} over the period, newest {}", panel.name, words::time(newest));
    let Some(line) = TrendLine::new(panel, figure) else { return html! {} };
    html! {
        svg.trend viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } width=(WIDTH) height=(HEIGHT) role="img" aria-label=(words) {
            @for limit in line.limits() { polyline.limit points=(limit) {} }
            @for stretch in line.lines(|bin| figure.value(bin)) { polyline.line points=(stretch) {} }
        }
        span.muted.small.nowrap { (name) " " (words::time(newest)) }
    }
}

struct TrendLine<'a> {
    panel: &'a RequestPanel,
    figure: LeadingFigure,
    first: &'a TimeBin,
    /// Length of the time axis in seconds.
    length: f64,
    /// The end of the vertical axis in seconds; it starts at zero.
    high: f64,
}

impl<'a> TrendLine<'a> {
    /// `None` if there is nothing to draw.
    fn new(panel: &'a RequestPanel, figure: LeadingFigure) -> Option<Self> {
        let bins = &panel.history.bins.bins;
        let (first, last) = (bins.first()?, bins.last()?);
        let spans = panel.history.budget_spans.iter().filter(|span| figure.is_limit(&span.budget));
        let ceilings = spans.flat_map(|span| &span.ceilings).map(|(_, ceiling)| *ceiling);
        let highest = figure.values(&panel.history).chain(ceilings).max()?;
        Some(Self {
            panel,
            figure,
            first,
            length: (last.middle() - first.middle()).as_seconds_f64().max(1.0),
            high: highest.as_secs_f64().max(1e-6) * 1.1,
        })
    }

    fn spot(&self, bin: &TimeBin, value: Duration) -> String {
        let along = (bin.middle() - self.first.middle()).as_seconds_f64() / self.length;
        let up = value.as_secs_f64() / self.high;
        format!("{:.1},{:.1}", 3.0 + (WIDTH - 6.0) * along, HEIGHT - 2.0 - (HEIGHT - 4.0) * up)
    }

    /// The lines through a value of each point; gaps break them.
    fn lines(&self, value: impl Fn(&TimeBin) -> Option<Duration>) -> Vec<String> {
        let spot = |bin: &TimeBin| Some(self.spot(bin, value(bin)?));
        let stretches = self.panel.history.bins.stretches();
        stretches.iter().filter_map(|bins| points(bins.iter().filter_map(spot))).collect()
    }

    fn limits(&self) -> Vec<String> {
        let spans = self.panel.history.budget_spans.iter();
        let spans = spans.filter(|span| self.figure.is_limit(&span.budget));
        spans.flat_map(|span| self.lines(|bin| span.ceiling_of(bin))).collect()
    }
}

/// The points of a line. A single one is repeated: a line needs two.
fn points(spots: impl Iterator<Item = String>) -> Option<String> {
    let spots: Vec<String> = spots.collect();
    match spots.as_slice() {
        [] => None,
        [alone] => Some(format!("{alone} {alone}")),
        all => Some(all.join(" ")),
    }
}
