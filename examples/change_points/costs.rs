//! What finding change points costs.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tollgate::history::change_points::{
    ChangeDetector, ChangePoint, ChangeScale, RunFigure, find_change_points,
};

use super::simulated_series::{DaySine, NoiseKind, simulate_series};

const RUNS: usize = 100_000;
const APPENDED: usize = 1_000;

/// The time of a whole series, and of one more run, by the kind of noise.
pub(super) fn table() -> String {
    let mut table = format!(
        "| noise | {RUNS} runs at once, s | false points per 1,000 runs | one more run, median, ms \
         |\n|---|--:|--:|--:|\n"
    );
    let untimed = NoiseKind::STATED.map(|kind| (kind.to_string(), kind, None));
    let cycles = [0.0, 0.1].map(|amplitude| {
        let name = format!("independent, ± {:.0} % a day, 96 runs a day", amplitude * 100.0);
        let cycle = DaySine { amplitude, runs_per_day: 96 };
        (name, NoiseKind::Independent, Some(cycle))
    });
    for (kind, noise, cycle) in untimed.into_iter().chain(cycles) {
        let latencies = simulate_series(noise, RUNS + APPENDED, 0.1, (usize::MAX, 1.0), 1);
        let series: Vec<RunFigure> =
            latencies.into_iter().enumerate().map(|run| figure(run, cycle)).collect();
        let (points, whole) = timed(|| find_change_points(&series[..RUNS], ChangeScale::Ratio));
        let appended = append(&series);
        let _ = writeln!(
            table,
            "| {kind} | {:.2} | {:.3} | {:.2} |",
            whole.as_secs_f64(),
            points.len() as f64 * 1_000.0 / RUNS as f64,
            appended[APPENDED / 2].as_secs_f64() * 1e3,
        );
    }
    table.push('\n');
    table
}

fn figure((run, value): (usize, f64), cycle: Option<DaySine>) -> RunFigure {
    let started = cycle.map(|cycle| cycle.started(run, 0));
    let factor = cycle.zip(started).map_or(1.0, |(cycle, started)| cycle.factor(started));
    RunFigure { value: Some(value * factor), samples: 1_000, started }
}

/// How long it takes to append each of the last runs and to look at the newest points, shortest
/// first.
fn append(series: &[RunFigure]) -> Vec<Duration> {
    let mut detector = ChangeDetector::new(ChangeScale::Ratio);
    series[..RUNS].iter().for_each(|figure| detector.append(*figure));
    let mut one_more = |figure: &RunFigure| {
        let (_, took) = timed(|| {
            detector.append(*figure);
            detector.recent_points()
        });
        took
    };
    let mut all: Vec<Duration> = series[RUNS..].iter().map(&mut one_more).collect();
    all.sort_unstable();
    all
}

#[expect(clippy::disallowed_methods, reason = "measures time")]
fn timed(find: impl FnOnce() -> Vec<ChangePoint>) -> (Vec<ChangePoint>, Duration) {
    let started = Instant::now();
    let points = find();
    (points, started.elapsed())
}
