//! What fewer false points cost: recall and delay at several settings.

use std::fmt::Write as _;

use tollgate::history::change_points::{ChangeDetector, ChangePoint, ChangeScale, RunFigure};

use super::simulated_series::NoiseKind;
use super::tables::{
    MARGIN, STEP, StepSeries, VARIATIONS, delay_text, flat_series, share, sorted, step_series,
};

/// The share of flat series that may have a point, which sets the evidence that a change needs.
const FALSE_RATES: [f64; 7] = [0.4, 0.2, 0.1, 0.05, 0.025, 0.01, 0.002];
/// Only every so many series also grows run by run.
const GROWN: usize = 4;

/// One setting: figures in the order of [`NoiseKind::STATED`].
#[derive(Default)]
struct CurveRow {
    flat: Vec<String>,
    near: Vec<String>,
    nearby: Vec<String>,
    delay: Vec<String>,
}

/// The table of the trade-off, each cell for each kind of noise.
pub(super) fn table(series: u64) -> String {
    let mut table = format!(
        "| +{:.0} %, variation | false rate set to | flat with a point, % | recall within {MARGIN} | \
         within {} | median delay |\n|--:|--:|--:|--:|--:|--:|\n",
        (STEP - 1.0) * 100.0,
        2 * MARGIN,
    );
    for (variation, rate) in VARIATIONS.iter().flat_map(|one| FALSE_RATES.map(|rate| (*one, rate)))
    {
        let mut row = CurveRow::default();
        for kind in NoiseKind::STATED {
            row.add(kind, variation, rate, series);
        }
        let CurveRow { flat, near, nearby, delay } = row;
        let [flat, near, nearby, delay] = [flat, near, nearby, delay].map(|cell| cell.join(", "));
        let (variation, rate) = (variation * 100.0, rate * 100.0);
        let _ = writeln!(
            table,
            "| {variation:.0} % | {rate} % | {flat} | {near} | {nearby} | {delay} |"
        );
    }
    table + "\n"
}

impl CurveRow {
    fn add(&mut self, kind: NoiseKind, variation: f64, rate: f64, series: u64) {
        let detector = || ChangeDetector::with_false_rate(ChangeScale::Ratio, rate);
        let has_point = |seed| !find(detector(), &flat_series(kind, variation, seed)).is_empty();
        self.flat.push(format!("{:.1}", share((0..series).map(has_point)) * 100.0));
        let steps: Vec<StepSeries> =
            (0..series).map(|seed| step_series(kind, variation, seed)).collect();
        let found: Vec<_> = steps.iter().map(|step| find(detector(), &step.runs)).collect();
        let recall = |margin| {
            let pairs = steps.iter().zip(&found);
            share(pairs.map(|(step, points)| step.has_point(points, margin)))
        };
        self.near.push(format!("{:.3}", recall(MARGIN)));
        self.nearby.push(format!("{:.3}", recall(2 * MARGIN)));
        let grown = steps.iter().take(steps.len().div_ceil(GROWN));
        let delays = sorted(grown.map(|step| step.delay(detector(), |_| true)));
        self.delay.push(delay_text(delays[delays.len() / 2]));
    }
}

fn find(mut detector: ChangeDetector, runs: &[RunFigure]) -> Vec<ChangePoint> {
    for figure in runs {
        detector.append(*figure);
    }
    detector.change_points()
}
