//! A small line: one figure of a request over the period, with its budget.

use std::time::Duration;

use maud::{Markup, html};
use time::OffsetDateTime;

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
            @for limit in line.limits() { polyline.limit points=(points(&limit)) {} }
            @for stretch in line.lines(|bin| figure.value(bin)) { (stroke(&stretch)) }
        }
        span.muted.small.nowrap { (name) " " (words::time(newest)) }
    }
}

/// A place in the picture, from its top left corner.
type TrendSpot = (f64, f64);

/// A line, or a dot for a single point.
fn stroke(spots: &[TrendSpot]) -> Markup {
    html! {
        @match spots {
            [(x, y)] => circle.dot cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="2.5" {},
            spots => polyline.line points=(points(spots)) {},
        }
    }
}

/// The points of a line as SVG writes them.
fn points(spots: &[TrendSpot]) -> String {
    let spots: Vec<String> = spots.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    spots.join(" ")
}

struct TrendLine<'a> {
    panel: &'a RequestPanel,
    figure: LeadingFigure,
    /// The start of the time axis.
    from: OffsetDateTime,
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
        let length = (last.middle() - first.middle()).as_seconds_f64();
        // A single point is in the middle.
        let aside =
            if length < 1.0 { time::Duration::milliseconds(500) } else { time::Duration::ZERO };
        Some(Self {
            panel,
            figure,
            from: first.middle() - aside,
            length: length.max(1.0),
            high: highest.as_secs_f64().max(1e-6) * 1.1,
        })
    }

    fn spot(&self, bin: &TimeBin, value: Duration) -> TrendSpot {
        let along = (bin.middle() - self.from).as_seconds_f64() / self.length;
        let up = value.as_secs_f64() / self.high;
        (3.0 + (WIDTH - 6.0) * along, HEIGHT - 2.0 - (HEIGHT - 4.0) * up)
    }

    /// The lines through a value of each point; gaps break them.
    fn lines(&self, value: impl Fn(&TimeBin) -> Option<Duration>) -> Vec<Vec<TrendSpot>> {
        let spot = |bin: &TimeBin| Some(self.spot(bin, value(bin)?));
        let stretches = self.panel.history.bins.stretches();
        let mut lines: Vec<Vec<TrendSpot>> =
            stretches.iter().map(|bins| bins.iter().filter_map(spot).collect()).collect();
        lines.retain(|line| !line.is_empty());
        lines
    }

    /// The lines of the limits; that of a single point is as wide as two dashes.
    fn limits(&self) -> Vec<Vec<TrendSpot>> {
        let spans = self.panel.history.budget_spans.iter();
        let spans = spans.filter(|span| self.figure.is_limit(&span.budget));
        let lines = spans.flat_map(|span| self.lines(|bin| span.ceiling_of(bin)));
        let widened = |line: Vec<TrendSpot>| match line[..] {
            [(x, y)] => vec![(x - 5.5, y), (x + 5.5, y)],
            _ => line,
        };
        lines.map(widened).collect()
    }
}
