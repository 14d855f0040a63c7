//! The median of each part of latency, stacked, cold against warm.

use std::time::Duration;

use crate::record::Dimension;
use crate::report::model::{Quantiles, RequestView, ScenarioView, TimingRow, label};
use crate::report::words;

use super::axis::heading;
use super::font::Fonts;
use super::scene::{Scene, Side};
use super::style::{self, EDGE, LABEL, STRONG, SUBTITLE, TICK, WIDTH};

/// The parts that add up to latency, in the order an exchange goes through them.
const PARTS: [Dimension; 7] = [
    Dimension::Lag,
    Dimension::Wait,
    Dimension::Dns,
    Dimension::Connect,
    Dimension::Tls,
    Dimension::FirstByte,
    Dimension::Body,
];

/// The most requests a plot shows.
const MOST: usize = 5;
const TOP: f64 = 76.0;
const HEADING: f64 = 26.0;
const BAR: f64 = 26.0;
const ROW: f64 = 68.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = WIDTH - 110.0;

/// One bar: a stage of a request.
pub(super) struct Bar {
    name: String,
    latency: Quantiles,
    parts: Vec<(Dimension, Duration)>,
}

impl Bar {
    fn new(request: &RequestView, name: &str, of: fn(&TimingRow) -> Quantiles) -> Option<Self> {
        let latency = of(request.timing.latency()?);
        let median = |dimension| {
            let row = request.timing.rows.iter().find(|row| row.dimension == dimension)?;
            // What fewer than half went through has no part in what the half did.
            let entered = of(row).n * 2 >= latency.n;
            of(row).p50.filter(|_| entered).map(|value| (dimension, value))
        };
        let parts = PARTS.into_iter().filter_map(median).collect();
        (latency.n > 0).then(|| Self { name: name.to_owned(), latency, parts })
    }

    fn total(&self) -> Duration {
        self.parts.iter().map(|(_, value)| *value).sum()
    }

    fn words(&self) -> String {
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|(part, value)| format!("{} {}", label(*part), words::time(Some(*value))))
            .collect();
        format!("{} {} ({})", self.name, words::time(self.latency.p50), parts.join(", "))
    }
}

/// The bars of a request: cold, then warm, where they have ok exchanges.
pub(super) fn bars(request: &RequestView) -> Vec<Bar> {
    let cold = Bar::new(request, "cold", |row| row.cold);
    let warm = Bar::new(request, request.timing.warm_name, |row| row.warm);
    cold.into_iter().chain(warm).collect()
}

/// The figure in words.
pub(super) fn alt(scenario: &ScenarioView) -> String {
    let of = |request: &RequestView| {
        let bars: Vec<String> = bars(request).iter().map(Bar::words).collect();
        format!("{}: {}", request.name, bars.join("; "))
    };
    drawn(scenario).into_iter().map(of).collect::<Vec<_>>().join(". ")
}

fn drawn(scenario: &ScenarioView) -> Vec<&RequestView> {
    scenario.requests.iter().filter(|request| !bars(request).is_empty()).take(MOST).collect()
}

/// The figure.
pub(super) fn scene(scenario: &ScenarioView, title: &str, fonts: &'static Fonts) -> Scene {
    let groups: Vec<(&RequestView, Vec<Bar>)> =
        drawn(scenario).into_iter().map(|request| (request, bars(request))).collect();
    let rows: usize = groups.iter().map(|(_, bars)| bars.len()).sum();
    let named = if scenario.requests.len() > 1 { HEADING } else { 0.0 };
    let height = TOP + groups.len() as f64 * named + rows as f64 * ROW + 44.0;
    let longest = groups.iter().flat_map(|(_, bars)| bars).map(Bar::total).max().unwrap_or_default();
    let mut scene = Scene::new(WIDTH, height, fonts);
    heading(
        &mut scene,
        title,
        "median of each part of an exchange, cold (first on its connection) against the measured phase",
    );
    let mut y = TOP;
    for (request, bars) in &groups {
        if named > 0.0 {
            let name = scene.fitted(&request.name, WIDTH - 2.0 * EDGE, STRONG);
            scene.text((EDGE, y + 10.0), Side::Start, &name, STRONG);
            y += named;
        }
        for bar in bars {
            draw(&mut scene, bar, y, longest);
            y += ROW;
        }
    }
    scene.text((EDGE, height - 22.0), Side::Start, &note(scenario, groups.len()), TICK);
    scene
}

fn note(scenario: &ScenarioView, shown: usize) -> String {
    let all = scenario.requests.iter().filter(|request| !bars(request).is_empty()).count();
    let more =
        if all > shown { format!(" · {} more requests in the table", all - shown) } else { String::new() };
    format!("Medians of the parts need not add up to the median of the whole.{more}")
}

fn draw(scene: &mut Scene, bar: &Bar, y: f64, longest: Duration) {
    let middle = y + BAR / 2.0;
    scene.text((EDGE, middle - 7.0), Side::Start, &bar.name, STRONG);
    scene.text((EDGE, middle + 8.0), Side::Start, &format!("n {}", words::count(bar.latency.n)), TICK);
    let scale = (RIGHT - LEFT) / longest.as_secs_f64().max(1e-9);
    let mut x = LEFT;
    for (part, value) in &bar.parts {
        let end = x + value.as_secs_f64() * scale;
        scene.rect((x, y), (end, y + BAR), style::part(*part), 1.0);
        x = end;
    }
    scene.text((x + 10.0, middle), Side::Start, &words::time(bar.latency.p50), STRONG);
    key(scene, bar, y + BAR + 13.0);
}

/// The parts of a bar below it, each with its colour and value.
fn key(scene: &mut Scene, bar: &Bar, y: f64) {
    let face = style::Face { size: 12.5, ..LABEL };
    let mut x = LEFT;
    for (part, value) in &bar.parts {
        scene.rect((x, y - 4.5), (x + 9.0, y + 4.5), style::part(*part), 1.0);
        let words = format!("{} {}", label(*part), words::time(Some(*value)));
        let end =
            scene.text((x + 13.0, y), Side::Start, &words, style::Face { colour: SUBTITLE.colour, ..face });
        x = end + 12.0;
    }
}
