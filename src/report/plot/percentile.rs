//! Latency by percentile on an axis that stretches the tail; budgets are areas that a curve must
//! avoid.

use std::time::Duration;

use crate::record::ActualQuantile;
use crate::report::model::{BudgetMark, LatencyCurve, RequestView, ScenarioView, tail};
use crate::report::words;
use crate::units::Quantile;

use super::axis::{DurationAxis, PlotFrame};
use super::budget;
use super::scene::{LegendMark, Scene, TextAnchor, along};
use super::sheet::PlotSheet;
use super::style::{ALARM, LABEL, PaperSpot, RgbColour, SERIES, STRONG, WARNING};
use super::table::PlotTable;
use super::whisker::QuantileWhiskers;
use super::{PlotFunctions, PlotKind, PlotSubject};

/// The kind of plot that this file draws.
pub(super) const KIND: PlotKind = PlotKind {
    stem: "percentiles",
    title: "Latency by percentile",
    suits_checks: false,
    subject: PlotSubject::EachScenario(PlotFunctions { has_data, alt, table, scene }),
};

fn has_data(scenario: &ScenarioView) -> bool {
    scenario.own_requests().any(|request| request.curve.total > 0)
}

/// The plot in words.
fn alt(scenario: &ScenarioView) -> String {
    let words = |request: &RequestView| {
        let latency = request.latency;
        let failed = if request.failed > 0 {
            format!(", {} failed", request.errors())
        } else {
            String::new()
        };
        format!(
            "{}: p50 {}, p95 {}, p99 {}, longest {}, of {}{failed}",
            request.name,
            words::time(latency.p50),
            words::time(latency.p95),
            words::time(latency.p99),
            words::time(latency.max),
            words::plural(request.n, "exchange"),
        )
    };
    plotted_requests(scenario).iter().map(|request| words(request)).collect::<Vec<_>>().join("; ")
}

/// The requests with a curve, as many as there are distinct colours.
fn plotted_requests(scenario: &ScenarioView) -> Vec<&RequestView> {
    scenario.own_requests().filter(|request| request.curve.total > 0).take(SERIES.len()).collect()
}

/// The figures: one column per request, with failures ranked above every latency.
fn table(scenario: &ScenarioView) -> PlotTable {
    const SHARES: [(f64, &str); 8] = [
        (0.25, "25 %"),
        (0.5, "50 %"),
        (0.75, "75 %"),
        (0.9, "90 %"),
        (0.95, "95 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (1.0, "100 %"),
    ];
    let requests = plotted_requests(scenario);
    let names = requests.iter().map(|request| request.name.as_str());
    let mut table = PlotTable::new(std::iter::once("share of the requests").chain(names));
    for (share, name) in SHARES {
        let cells = requests.iter().map(|request| words::actual(request.curve.at(share)));
        table.rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    table
}

/// The figure.
fn scene(scenario: &ScenarioView, peers: &[&ScenarioView], sheet: PlotSheet<'_>) -> Scene {
    let requests = plotted_requests(scenario);
    let all: Vec<_> = peers.iter().flat_map(|scenario| plotted_requests(scenario)).collect();
    let heights = heights(&all);
    let subtitle = subtitle(scenario, &requests) + heights.note();
    let (mut scene, below) = sheet.headed(&subtitle);
    let below = legend(&mut scene, below, &requests);
    let frame = PlotFrame::below(&mut scene, below + 8.0, 1.0);
    let figure = PercentilePlot {
        tenfolds: tenfolds(&all),
        most: all.iter().map(|request| request.curve.total).max().unwrap_or(1),
        heights,
        several: requests.len() > 1,
        frame,
    };
    figure.heights.grid(&mut scene, &frame);
    figure.budgets(&mut scene, &requests);
    frame.floor(
        &mut scene,
        &figure.ticks(&all),
        "share of the requests that were at least as fast",
    );
    for (request, colour) in requests.iter().zip(SERIES) {
        figure.stair(&mut scene, &request.curve, colour);
    }
    let whiskers = figure.whiskers(&requests);
    whiskers.draw(&mut scene);
    let mut highest_first: Vec<(&&RequestView, RgbColour)> = requests.iter().zip(SERIES).collect();
    highest_first.sort_by_key(|(request, _)| std::cmp::Reverse(request.latency.p95));
    for (request, colour) in &highest_first {
        figure.markers(&mut scene, request, *colour);
    }
    let mut taken = figure.occupied_spots(&requests);
    taken.extend(whiskers.spots());
    figure.budget_words(&mut scene, &requests, &taken);
    for (request, _) in highest_first {
        figure.quantile_words(&mut scene, request, &taken);
    }
    figure.failures(&mut scene, &requests, &taken);
    scene
}

fn subtitle(scenario: &ScenarioView, requests: &[&RequestView]) -> String {
    let n: u64 = requests.iter().map(|request| request.curve.total).sum();
    let hidden =
        scenario.own_requests().filter(|request| request.curve.total > 0).count() - requests.len();
    let more =
        if hidden > 0 { format!(" · {hidden} more requests in the table") } else { String::new() };
    format!(
        "measured stage, n {}, from due to done; failures rank above every latency{more}",
        words::count(n)
    )
}

fn legend(scene: &mut Scene, top: f64, requests: &[&RequestView]) -> f64 {
    let room = if requests.len() <= 3 { 220.0 } else { 120.0 };
    let names: Vec<String> =
        requests.iter().map(|request| scene.fit_text(&request.name, room, LABEL)).collect();
    let mut entries: Vec<(LegendMark, &str)> = names
        .iter()
        .zip(SERIES)
        .map(|(name, colour)| (LegendMark::Line(colour), name.as_str()))
        .collect();
    if requests.len() <= 3 && requests.iter().any(|request| marks(request).next().is_some()) {
        entries.push((LegendMark::Tint(ALARM), "where a budget is breached"));
        let known = requests
            .iter()
            .flat_map(|request| marks(request))
            .any(|budget| matches!(budget.interval, Some((ActualQuantile::At(_), _))));
        let colour = if requests.len() > 1 { LABEL.colour } else { SERIES[0] };
        entries.extend(known.then_some((LegendMark::Whisker(colour), "90 % interval")));
    }
    scene.legend(top, &entries)
}

fn heights(requests: &[&RequestView]) -> DurationAxis {
    let values = requests.iter().flat_map(|request| {
        let ceilings = marks(request).map(|budget| budget.ceiling);
        ceilings.chain(request.latency.max)
    });
    let lowest =
        requests.iter().filter_map(|request| request.curve.steps.first()).map(|(_, value)| *value);
    let low = lowest
        .chain(requests.iter().flat_map(|request| marks(request)).map(|budget| budget.ceiling));
    DurationAxis::over(values, low)
}

/// Number of decades of the tail that the axis shows.
fn tenfolds(requests: &[&RequestView]) -> f64 {
    let most = requests.iter().map(|request| request.curve.total).max().unwrap_or(1);
    let judged =
        requests.iter().flat_map(|request| marks(request)).filter_map(|budget| budget.quantile);
    let deepest = judged.map(|quantile| tail(quantile.as_f64())).fold(1.0, f64::max);
    (most as f64).log10().max(deepest) + 0.18
}

/// Positions of the plot's parts.
struct PercentilePlot {
    /// Number of decades of the tail that the axis shows.
    tenfolds: f64,
    /// The number of exchanges of the request with the most.
    most: u64,
    heights: DurationAxis,
    /// Whether there is more than one curve.
    several: bool,
    frame: PlotFrame,
}

impl PercentilePlot {
    fn x(&self, share: f64) -> f64 {
        self.frame.across(tail(share) / self.tenfolds)
    }

    fn y(&self, latency: Duration) -> f64 {
        self.frame.up(self.heights.share(latency))
    }

    /// The ticks, those that matter most first. A share is labelled only if there are enough
    /// exchanges to have one beyond it, or if a budget judges it: one sample has no 90 %.
    fn ticks(&self, requests: &[&RequestView]) -> Vec<(f64, String)> {
        let mut shares = vec![(0.95, "95 %".to_owned()), (0.5, "50 %".to_owned())];
        for nines in 1..=9_u8 {
            let decimals = usize::from(nines.saturating_sub(2));
            let share = 1.0 - 10_f64.powi(-i32::from(nines));
            shares.push((share, format!("{:.decimals$} %", share * 100.0)));
        }
        shares.extend([(0.0, "0 %".to_owned()), (0.75, "75 %".to_owned())]);
        let judged: Vec<f64> = budgets(requests)
            .iter()
            .filter_map(|budget| budget.quantile)
            .map(Quantile::as_f64)
            .collect();
        let is_known = |share: f64| (1.0 - share) * self.most as f64 >= 1.0 - 1e-9;
        let is_judged = |share: f64| judged.iter().any(|judged| (judged - share).abs() < 1e-9);
        let shown = shares.into_iter().filter(|(share, _)| {
            tail(*share) < self.tenfolds && (is_known(*share) || is_judged(*share))
        });
        shown.map(|(share, label)| (self.x(share), label)).collect()
    }

    /// The area each budget forbids, and its ceiling as a line.
    fn budgets(&self, scene: &mut Scene, requests: &[&RequestView]) {
        for budget in budgets(requests) {
            let y = self.y(budget.ceiling);
            let end =
                budget.quantile.map_or(self.frame.right, |quantile| self.x(quantile.as_f64()));
            scene.rect((self.frame.left, self.frame.top), (end, y), ALARM, 0.06);
            scene.dashed((self.frame.left, y), (self.frame.right, y), 1.5, ALARM);
            scene.dashed((end, self.frame.top), (end, y), 1.0, ALARM);
        }
    }

    /// Labels the budget lines where the labels cover the least of the curves.
    fn budget_words(&self, scene: &mut Scene, requests: &[&RequestView], taken: &[PaperSpot]) {
        for budget in budgets(requests) {
            let y = self.y(budget.ceiling);
            let mut spots = vec![((self.frame.left + 8.0, y - 11.0), TextAnchor::Start)];
            spots.extend(self.frame.label_spots(y));
            let end = budget.quantile.map(|quantile| self.x(quantile.as_f64()));
            let edge = end.map(|x| along(&[(x, self.frame.top), (x, y)])).unwrap_or_default();
            let taken = [taken, &edge].concat();
            scene.tag_where_free(&spots, &budget::words(budget), WARNING, &taken);
        }
    }

    /// Draws the distribution as a step curve that leaves the plot at the top where failures begin.
    fn stair(&self, scene: &mut Scene, curve: &LatencyCurve, colour: RgbColour) {
        let mut points = self.corners(curve);
        let Some((x, last)) = points.last().copied() else { return };
        if curve.ok < curve.total {
            scene.arrow_up((x, self.frame.top - 5.0), colour);
        } else {
            // Beyond the last request's share, only the maximum is known.
            let x = self.frame.across((curve.total as f64).log10() / self.tenfolds);
            points.push((x, last));
            scene.dashed((x, last), (self.frame.right, last), 2.5, colour);
        }
        scene.line(points, 2.5, colour);
    }

    /// The corners of the step curve, including its rise to the failures.
    fn corners(&self, curve: &LatencyCurve) -> Vec<PaperSpot> {
        let mut corners = Vec::with_capacity(curve.steps.len() * 2 + 2);
        let mut last = None;
        for (share, value) in &curve.steps {
            let (x, y) = (self.x(*share), self.y(*value));
            corners.extend(last.map(|last| (x, last)));
            corners.push((x, y));
            last = Some(y);
        }
        if let Some(last) = last.filter(|_| curve.ok < curve.total) {
            let x = self.x(curve.ok as f64 / curve.total as f64);
            corners.extend([(x, last), (x, self.frame.top)]);
        }
        corners
    }

    /// Spots along all step curves.
    fn occupied_spots(&self, requests: &[&RequestView]) -> Vec<PaperSpot> {
        requests.iter().flat_map(|request| along(&self.corners(&request.curve))).collect()
    }

    /// Marks the judged quantiles.
    fn markers(&self, scene: &mut Scene, request: &RequestView, colour: RgbColour) {
        for (quantile, actual) in actual_quantiles(request) {
            scene.disc((self.x(quantile.as_f64()), self.y(actual)), 4.5, colour);
        }
    }

    /// Labels the judged quantiles and the maximum, clear of curves and intervals.
    fn quantile_words(&self, scene: &mut Scene, request: &RequestView, taken: &[PaperSpot]) {
        let whose = if self.several {
            scene.fit_text(&request.name, 120.0, STRONG) + " "
        } else {
            String::new()
        };
        for (quantile, actual) in actual_quantiles(request) {
            let (x, y) = (self.x(quantile.as_f64()), self.y(actual));
            let words = format!("{whose}{quantile} {}", words::time(Some(actual)));
            let right =
                [15.0, -15.0, 30.0, -30.0].map(|down| ((x + 12.0, y + down), TextAnchor::Start));
            let left = [15.0, -15.0, 30.0].map(|down| ((x - 12.0, y + down), TextAnchor::End));
            let on_paper = |((_, y), _): &(PaperSpot, TextAnchor)| {
                (self.frame.top - 6.0..self.frame.bottom - 8.0).contains(y)
            };
            let spots: Vec<_> = right.into_iter().chain(left).filter(on_paper).collect();
            scene.tag_where_free(&spots, &words, STRONG, taken);
        }
        if let (Some(max), true) = (request.latency.max, request.failed == 0 && !self.several) {
            let words = format!("longest {}", words::time(Some(max)));
            scene.tag((self.frame.right - 2.0, self.y(max) - 13.0), TextAnchor::End, &words, LABEL);
        }
    }

    /// The intervals of the judged quantiles.
    fn whiskers(&self, requests: &[&RequestView]) -> QuantileWhiskers {
        let mut whiskers = QuantileWhiskers::new(self.frame);
        for (request, colour) in requests.iter().zip(SERIES) {
            for budget in marks(request) {
                if let (Some(quantile), Some((ActualQuantile::At(low), high))) =
                    (budget.quantile, budget.interval)
                {
                    let high = match high {
                        ActualQuantile::At(high) => Some(self.y(high)),
                        _ => None,
                    };
                    whiskers.add(self.x(quantile.as_f64()), (self.y(low), high), colour);
                }
            }
        }
        whiskers
    }

    /// Labels where failures begin.
    fn failures(&self, scene: &mut Scene, requests: &[&RequestView], taken: &[PaperSpot]) {
        for request in requests.iter().filter(|request| request.curve.ok < request.curve.total) {
            let mut words = self.failure_words(scene, request);
            let spots = if request.curve.ok == 0 {
                words += ": there is no latency to show";
                self.frame.middle_spots()
            } else {
                let x = self.x(request.curve.ok as f64 / request.curve.total as f64);
                let width = scene.measure(&words, WARNING) + 22.0;
                let right = (x + width < scene.width).then_some((x + 10.0, TextAnchor::Start));
                let left = (right.is_none() || x - width > self.frame.left)
                    .then_some((x - 10.0, TextAnchor::End));
                let at = |down: f64| {
                    right
                        .into_iter()
                        .chain(left)
                        .map(move |(x, side)| ((x, self.frame.top + down), side))
                };
                at(12.0).chain(at(34.0)).chain(at(56.0)).collect()
            };
            scene.tag_where_free(&spots, &words, WARNING, taken);
        }
    }

    fn failure_words(&self, scene: &Scene, request: &RequestView) -> String {
        let curve = &request.curve;
        let failed = format!(
            "{} of {} failed",
            words::count(curve.total - curve.ok),
            words::count(curve.total)
        );
        if self.several {
            format!("{}: {failed}", scene.fit_text(&request.name, 160.0, WARNING))
        } else {
            failed
        }
    }
}

/// The distinct latency budgets of the requests, lowest first.
fn budgets<'a>(requests: &[&'a RequestView]) -> Vec<&'a BudgetMark> {
    let mut budgets: Vec<&BudgetMark> =
        requests.iter().flat_map(|request| marks(request)).collect();
    budgets.sort_by_key(|budget| (budget.ceiling, budget.quantile));
    budgets.dedup_by_key(|budget| (budget.ceiling, budget.quantile));
    budgets
}

/// The latency budgets of a request.
fn marks(request: &RequestView) -> impl Iterator<Item = &BudgetMark> {
    request.budgets.iter().filter_map(|row| row.mark.as_ref())
}

/// The judged quantiles of a request that were measured.
fn actual_quantiles(request: &RequestView) -> Vec<(Quantile, Duration)> {
    let mut actual: Vec<(Quantile, Duration)> = marks(request)
        .filter_map(|budget| match (budget.quantile, budget.actual) {
            (Some(quantile), ActualQuantile::At(actual)) => Some((quantile, actual)),
            _ => None,
        })
        .collect();
    actual.dedup();
    actual
}
