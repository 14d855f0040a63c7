//! How often answers about simulated curves are wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate::record::session::CurveClass::{Flat, NoSteadyState, Slowdown, WarmUp};
use tollgate::record::session::ExchangeSample;
use tollgate::tune::steady::{SequenceKind, SteadyState, find_steady_state, is_steady_now};

use crate::simulated_curve::{CurveShape, SimulatedCurve};

const SHAPES: [(&str, CurveShape); 8] = [
    ("flat", CurveShape::Flat),
    ("straight line of 40", CurveShape::Line(40.0)),
    ("exponential of 40", CurveShape::Exponential(40.0)),
    ("exponential of 100", CurveShape::Exponential(100.0)),
    ("two steps of 20", CurveShape::TwoSteps(20.0)),
    ("slower by 30 % after 60", CurveShape::Slowdown(60.0)),
    ("endless drift", CurveShape::EndlessDrift),
    ("cycles of 20 and 20", CurveShape::Cycles(20.0)),
];
const VARIATIONS: [f64; 3] = [0.1, 0.2, 0.3];
const LENGTHS: [usize; 5] = [20, 60, 100, 300, 600];
/// A start counts as found within this many requests.
const DISTANCE: usize = 15;
/// The length of a curve that is ended when it is steady.
const LIMIT: usize = 240;

/// All tables, with this many curves in each cell.
pub(crate) fn tables(curves: u64) -> String {
    let mut page = format!("\n## Whole curves, {curves} a cell\n");
    page += "\nflat / warm-up / slowdown / no steady state / not known yet, and how many starts are \
             within 15 requests of the truth, in percent.\n";
    page += "\n| | variation | 20 | 60 | 100 | 300 | 600 |\n|---|--:|--:|--:|--:|--:|--:|\n";
    for (name, shape) in SHAPES {
        for variation in VARIATIONS {
            let cells = LENGTHS.map(|length| whole_curves(shape, length, variation, curves));
            page.extend([format!(
                "| {name} | {:.0} % | {} |\n",
                variation * 100.0,
                cells.join(" | ")
            )]);
        }
    }
    page.extend([format!("\n## Ending a curve when it is steady, {curves} a cell\n")]);
    page += "\nRequests at the end in 5, 50 and 95 % of curves, and in percent: not ended within 240 \
             requests; ended while the mean was more than 5 % and more than 10 % off.\n";
    page += "\n| | variation | ended after | not ended | > 5 % off | > 10 % off |\n\
             |---|--:|--:|--:|--:|--:|\n";
    for (name, shape) in SHAPES {
        for variation in VARIATIONS {
            let row = ended_curves(shape, variation, curves);
            page.extend([format!("| {name} | {:.0} % | {row} |\n", variation * 100.0)]);
        }
    }
    page
}

fn percent(count: u64, of: u64) -> String {
    format!("{:.0}", 100.0 * count as f64 / of as f64)
}

fn whole_curves(shape: CurveShape, length: usize, variation: f64, curves: u64) -> String {
    let curve = SimulatedCurve::new(shape, length, variation);
    let found: Vec<SteadyState> = (0..curves)
        .map(|seed| find_steady_state(&curve.draw(seed), SequenceKind::Requests))
        .collect();
    let classes = [Some(Flat), Some(WarmUp), Some(Slowdown), Some(NoSteadyState), None];
    let counts = classes.map(|class| {
        percent(found.iter().filter(|found| found.class == class).count() as u64, curves)
    });
    let truth = curve.steady_from();
    let is_near = |found: &&SteadyState| {
        found.steady_from.is_some_and(|from| from.abs_diff(truth) <= DISTANCE)
    };
    let near = found.iter().filter(is_near).count() as u64;
    format!("{}; {}", counts.join(" / "), percent(near, curves))
}

fn ended_curves(shape: CurveShape, variation: f64, curves: u64) -> String {
    let boot = if shape == CurveShape::Flat { 1.0 } else { 100.0 };
    let curve = SimulatedCurve { boot, ..SimulatedCurve::new(shape, LIMIT, variation) };
    let mut ends: Vec<usize> = (0..curves).filter_map(|seed| end_of(&curve.draw(seed))).collect();
    ends.sort_unstable();
    let quantile = |percent: usize| {
        ends.get(ends.len() * percent / 100).map_or_else(|| "–".to_owned(), usize::to_string)
    };
    // A drift and cycles have no steady mean, so that every end is a wrong one.
    let is_endless = matches!(shape, CurveShape::EndlessDrift | CurveShape::Cycles(_));
    let last = curve.mean(LIMIT - 1);
    let off = |limit: f64| {
        let is_off = |end: &&usize| is_endless || (curve.mean(**end) / last - 1.0).abs() > limit;
        percent(ends.iter().filter(is_off).count() as u64, curves)
    };
    let never = percent(curves - ends.len() as u64, curves);
    let ended = [5, 50, 95].map(quantile).join(" / ");
    format!("{ended} | {never} | {} | {}", off(0.05), off(0.1))
}

/// After how many requests a curve is ended.
fn end_of(seconds: &[f64]) -> Option<usize> {
    let sample = |seconds: &f64| ExchangeSample {
        request: "tile".to_owned(),
        due: Duration::ZERO,
        latency: Duration::from_secs_f64(*seconds),
        parts: BTreeMap::new(),
        failure: None,
        fresh: false,
        heat: None,
    };
    let samples: Vec<ExchangeSample> = seconds.iter().map(sample).collect();
    (1..=samples.len()).find(|count| is_steady_now(&samples[..*count]))
}
