//! Histories with a cycle of the day: false and missed change points.

use std::fmt::Write as _;

use tollgate::history::change_points::{ChangeScale, RunFigure, find_change_points};

use super::simulated_series::{DaySine, NoiseKind, simulate_series};
use super::tables::{MARGIN, STEP, VARIATIONS, share};

const AMPLITUDES: [f64; 3] = [0.0, 0.1, 0.3];
/// Runs and runs a day: from a little more than one day to a month.
const HISTORIES: [(usize, u32); 5] = [(120, 96), (288, 96), (672, 96), (120, 24), (120, 4)];

/// Flat and stepped histories, for each kind of noise under the cycle.
pub(super) fn table(series: u64) -> String {
    let mut table = format!(
        "| cycle | runs | runs a day | variation | flat with a point, % | +{:.0} %: recall within \
         {MARGIN} | within {} | with another point, % |\n|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        (STEP - 1.0) * 100.0,
        2 * MARGIN,
    );
    for amplitude in AMPLITUDES {
        for (runs, runs_per_day) in HISTORIES {
            for variation in VARIATIONS {
                let cycle = DaySine { amplitude, runs_per_day };
                let cells = NoiseKind::STATED
                    .map(|kind| CycleHistory { cycle, kind, runs, variation }.measure(series));
                let join = |at: usize| cells.each_ref().map(|cell| cell[at].clone()).join(", ");
                let (amplitude, variation) = (amplitude * 100.0, variation * 100.0);
                let _ = writeln!(
                    table,
                    "| ± {amplitude:.0} % | {runs} | {runs_per_day} | {variation:.0} % | {} | {} | {} \
                     | {} |",
                    join(0),
                    join(1),
                    join(2),
                    join(3),
                );
            }
        }
    }
    table + "\n"
}

#[derive(Clone, Copy)]
struct CycleHistory {
    cycle: DaySine,
    kind: NoiseKind,
    runs: usize,
    variation: f64,
}

impl CycleHistory {
    /// The share of flat histories with a point, and of stepped ones with a point within five runs
    /// of the step, within ten, and elsewhere.
    fn measure(&self, series: u64) -> [String; 4] {
        let has_point = |seed| !self.find((self.runs, 1.0), seed).is_empty();
        let flat = share((0..series).map(has_point));
        let distances: Vec<Vec<usize>> = (0..series)
            .map(|seed| {
                let places = self.runs as u64 / 2;
                let change =
                    self.runs / 4 + usize::try_from(seed * 37 % places).unwrap_or_default();
                let found = self.find((change, STEP), seed);
                found.into_iter().map(|place| place.abs_diff(change)).collect()
            })
            .collect();
        let any = |is: &dyn Fn(usize) -> bool| {
            share(distances.iter().map(|each| each.iter().any(|distance| is(*distance))))
        };
        let near = any(&|distance| distance <= MARGIN);
        let nearby = any(&|distance| distance <= 2 * MARGIN);
        let elsewhere = any(&|distance| distance > 2 * MARGIN);
        [
            format!("{:.1}", flat * 100.0),
            format!("{near:.3}"),
            format!("{nearby:.3}"),
            format!("{:.1}", elsewhere * 100.0),
        ]
    }

    fn find(&self, change: (usize, f64), seed: u64) -> Vec<usize> {
        let latencies =
            simulate_series(self.kind, self.runs, self.variation, change, 3_000_000 + seed);
        let figure = |(run, latency): (usize, f64)| {
            let started = self.cycle.started(run, seed);
            let value = Some(latency * self.cycle.factor(started));
            RunFigure { value, samples: 1_000, started: Some(started) }
        };
        let figures: Vec<RunFigure> = latencies.into_iter().enumerate().map(figure).collect();
        let points = find_change_points(&figures, ChangeScale::Ratio);
        points.iter().map(|point| point.index).collect()
    }
}
