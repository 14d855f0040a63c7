//! The median of each part of latency as stacked bars, cold and warm.

use std::time::Duration;

use crate::record::Dimension;
use crate::report::model::{DurationQuantiles, RequestView, ScenarioView, TimingRow, label};
use crate::report::words;

use super::scene::{Scene, TextAnchor};
use super::sheet::PlotSheet;
use super::style::{self, AXIS, LABEL, MUTED, STRONG, TICK};
use super::table::PlotTable;
use super::{PlotFunctions, PlotKind, PlotSubject};

/// Maximum number of requests in the plot.
const MOST: usize = 5;
const HEADING: f64 = 26.0;
const BAR: f64 = 26.0;
/// Space between a row of keys and the next bar.
const GAP: f64 = 16.0;

/// One bar: the cold or the warm exchanges of a request.
pub(super) struct PhaseBar {
    pub(super) name: String,
    pub(super) latency: DurationQuantiles,
    pub(super) parts: Vec<(Dimension, Duration)>,
}

impl PhaseBar {
    fn new(
        request: &RequestView,
        name: &str,
        of: fn(&TimingRow) -> DurationQuantiles,
    ) -> Option<Self> {
        let latency = of(request.timing.latency()?);
        let median = |dimension| {
            let row = request.timing.rows.iter().find(|row| row.dimension == dimension)?;
            // A part that fewer than half the exchanges entered is not part of the median exchange.
            let entered = of(row).n * 2 >= latency.n;
            of(row).p50.filter(|_| entered).map(|value| (dimension, value))
        };
        let parts = Dimension::PARTS.into_iter().filter_map(median).collect();
        (latency.n > 0).then(|| Self { name: name.to_owned(), latency, parts })
    }

    pub(super) fn total(&self) -> Duration {
        self.parts.iter().map(|(_, value)| *value).sum()
    }

    pub(super) fn words(&self) -> String {
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|(part, value)| format!("{} {}", label(*part), words::time(Some(*value))))
            .collect();
        format!("{} {} ({})", self.name, words::time(self.latency.p50), parts.join(", "))
    }
}

/// The bars of a request with ok exchanges: cold, then warm.
fn bars(request: &RequestView) -> Vec<PhaseBar> {
    let cold = PhaseBar::new(request, "cold", |row| row.cold);
    let warm = PhaseBar::new(request, request.timing.warm_name, |row| row.warm);
    cold.into_iter().chain(warm).collect()
}

/// The kind of plot that this file draws.
pub(super) const KIND: PlotKind = PlotKind {
    stem: "phases",
    title: "Where the time goes",
    suits_checks: true,
    subject: PlotSubject::EachScenario(PlotFunctions { has_data, alt, table, scene }),
};

fn has_data(scenario: &ScenarioView) -> bool {
    scenario.own_requests().any(|request| !bars(request).is_empty())
}

/// The plot in words.
fn alt(scenario: &ScenarioView) -> String {
    let of = |request: &RequestView| {
        let bars: Vec<String> = bars(request).iter().map(PhaseBar::words).collect();
        format!("{}: {}", request.name, bars.join("; "))
    };
    plotted_requests(scenario).into_iter().map(of).collect::<Vec<_>>().join(". ")
}

fn plotted_requests(scenario: &ScenarioView) -> Vec<&RequestView> {
    scenario.own_requests().filter(|request| !bars(request).is_empty()).take(MOST).collect()
}

/// The figure in figures.
fn table(scenario: &ScenarioView) -> PlotTable {
    let heads = Dimension::PARTS.iter().map(|part| label(*part));
    let mut table = PlotTable::new(["median of", "n"].into_iter().chain(heads).chain(["latency"]));
    for request in plotted_requests(scenario) {
        for bar in bars(request) {
            let part = |part: &Dimension| {
                bar.parts.iter().find(|(of, _)| of == part).map(|(_, value)| *value)
            };
            let name = format!("{}, {}", request.name, bar.name);
            let cells = Dimension::PARTS.iter().map(|of| words::time(part(of)));
            let n = words::count(bar.latency.n);
            table.rows.push(
                [name, n].into_iter().chain(cells).chain([words::time(bar.latency.p50)]).collect(),
            );
        }
    }
    table
}

/// The figure.
fn scene(scenario: &ScenarioView, peers: &[&ScenarioView], sheet: PlotSheet<'_>) -> Scene {
    let groups: Vec<(&RequestView, Vec<PhaseBar>)> =
        plotted_requests(scenario).into_iter().map(|request| (request, bars(request))).collect();
    let all = peers.iter().flat_map(|scenario| plotted_requests(scenario)).flat_map(bars);
    let longest = all.map(|bar| bar.total()).max().unwrap_or_default();
    let (mut scene, mut y) = sheet.headed(subtitle(scenario));
    for (request, bars) in &groups {
        if scenario.own_requests().count() > 1 {
            let name =
                scene.fit_text(&request.name, scene.paper.width - 2.0 * scene.paper.edge, STRONG);
            scene.text((scene.paper.edge, y + 10.0), TextAnchor::Start, &name, STRONG);
            y += HEADING;
        }
        for bar in bars {
            y = draw(&mut scene, bar, y, longest);
        }
    }
    let below = scene.paragraph(y + 8.0, &note(scenario, groups.len()), TICK, 3);
    scene.height = (below + 6.0).ceil();
    scene
}

fn subtitle(scenario: &ScenarioView) -> &'static str {
    if scenario.is_single {
        "the parts of each step's time, over a fresh or a warm connection"
    } else {
        "median of each part of an exchange: cold (first on its connection) and measured stage"
    }
}

fn note(scenario: &ScenarioView, shown: usize) -> String {
    let all = scenario.own_requests().filter(|request| !bars(request).is_empty()).count();
    let (more, medians) =
        (all - shown, "The medians of the parts need not add up to the median of the whole.");
    match (scenario.is_single, more) {
        (true, 0) => String::new(),
        (true, more) => format!("{more} more steps in the table"),
        (false, 0) => medians.to_owned(),
        (false, more) => format!("{medians} · {more} more requests in the table"),
    }
}

/// Draws a bar at a height; returns the height of the next one.
pub(super) fn draw(scene: &mut Scene, bar: &PhaseBar, y: f64, longest: Duration) -> f64 {
    let middle = y + BAR / 2.0;
    let edge = scene.paper.edge;
    // Room for a count with its thousands at the left and for a time at the right.
    let (left, right) = (edge + 66.0, scene.width - edge - 76.0);
    scene.text((edge, middle - 7.0), TextAnchor::Start, &bar.name, STRONG);
    scene.text(
        (edge, middle + 8.0),
        TextAnchor::Start,
        &format!("n {}", words::count(bar.latency.n)),
        TICK,
    );
    let scale = (right - left) / longest.as_secs_f64().max(1e-9);
    let mut x = left;
    for (part, value) in &bar.parts {
        let end = x + value.as_secs_f64() * scale;
        scene.rect((x, y), (end, y + BAR), style::part(*part), 1.0);
        x = end;
    }
    scene.line(vec![(left, y), (left, y + BAR)], 1.0, AXIS);
    scene.text((x + 8.0, middle), TextAnchor::Start, &words::time(bar.latency.p50), STRONG);
    key(scene, bar, left, y + BAR + 13.0) + GAP
}

/// Draws the key below a bar, each part with its colour and value, in as many rows as needed;
/// returns its lower end.
fn key(scene: &mut Scene, bar: &PhaseBar, left: f64, y: f64) -> f64 {
    const ROW: f64 = 17.0;
    let face = style::TextFace { size: 12.5, colour: MUTED, ..LABEL };
    let (mut x, mut y) = (left, y);
    for (part, value) in &bar.parts {
        let words = format!("{} {}", label(*part), words::time(Some(*value)));
        let width = 13.0 + scene.measure(&words, face) * Scene::WIDE_FONT;
        if x > left && x + width > scene.width - scene.paper.edge {
            (x, y) = (left, y + ROW);
        }
        scene.rect((x, y - 4.5), (x + 9.0, y + 4.5), style::part(*part), 1.0);
        scene.text((x + 13.0, y), TextAnchor::Start, &words, face);
        x += width + 12.0;
    }
    y + ROW / 2.0
}
