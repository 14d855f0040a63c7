//! Simulated histories: false, missed and late change points.

use std::fmt::{self, Write as _};

use tollgate::history::change_points::{
    ChangeDetector, ChangePoint, ChangeScale, RunFigure, find_change_points,
};

use super::simulated_series::{NoiseKind, simulate_series};

const RUNS: usize = 120;
/// Coefficients of variation.
pub(super) const VARIATIONS: [f64; 2] = [0.05, 0.1];
/// Changes of level are this large.
pub(super) const STEP: f64 = 1.2;
/// A change point this many runs away is that of the change.
pub(super) const MARGIN: usize = 5;
/// The share of flat series with a change point that is allowed.
const ALLOWED: f64 = 0.05;
/// Only every so many series also grows run by run, because that takes a hundred times as long.
const GROWN: u64 = 4;
fn kinds() -> impl Iterator<Item = NoiseKind> {
    NoiseKind::STATED.into_iter().chain(NoiseKind::BEYOND)
}

fn figures(latencies: Vec<f64>) -> Vec<RunFigure> {
    let figure = |value| RunFigure { value: Some(value), samples: 1_000, started: None };
    latencies.into_iter().map(figure).collect()
}

/// A series of the usual length without a change.
pub(super) fn flat_series(kind: NoiseKind, variation: f64, seed: u64) -> Vec<RunFigure> {
    flat_of(kind, RUNS, variation, seed)
}

fn flat_of(kind: NoiseKind, runs: usize, variation: f64, seed: u64) -> Vec<RunFigure> {
    figures(simulate_series(kind, runs, variation, (runs, 1.0), seed))
}

/// The change points of a series that grows run by run, for each length up to the whole.
fn grow(
    series: &[RunFigure],
    mut detector: ChangeDetector,
) -> impl Iterator<Item = (usize, Vec<ChangePoint>)> {
    series.iter().enumerate().map(move |(at, figure)| {
        detector.append(*figure);
        (at + 1, detector.change_points())
    })
}

fn usual() -> ChangeDetector {
    ChangeDetector::new(ChangeScale::Ratio)
}

/// Flat series with a change point.
pub(super) struct FlatTable(Vec<FlatCell>);

struct FlatCell {
    kind: NoiseKind,
    variation: f64,
    /// The share of series with a change point when all runs are there, and with a confirmed one.
    whole: [f64; 2],
    /// The same at any time while the series grew.
    ever: [f64; 2],
}

impl FlatTable {
    pub(super) fn measure(series: u64) -> Self {
        let cells = kinds().flat_map(|kind| VARIATIONS.map(|variation| (kind, variation)));
        Self(cells.map(|(kind, variation)| FlatCell::measure(kind, variation, series)).collect())
    }

    /// Whether few enough flat series have a change point, in every kind that is stated.
    pub(super) fn is_good(&self) -> bool {
        let stated = self.0.iter().filter(|cell| NoiseKind::STATED.contains(&cell.kind));
        stated.map(|cell| cell.whole[0]).fold(0.0, f64::max) <= ALLOWED
    }
}

impl FlatCell {
    fn measure(kind: NoiseKind, variation: f64, series: u64) -> Self {
        let (mut whole, mut ever) = ([0.0; 2], [0.0; 2]);
        let grown = series.div_ceil(GROWN);
        for seed in 0..series {
            let runs = flat_series(kind, variation, seed);
            add(&mut whole, has_points(&find_change_points(&runs, ChangeScale::Ratio)), series);
            if seed < grown {
                let either =
                    |one: [bool; 2], other: [bool; 2]| [0, 1].map(|at| one[at] || other[at]);
                let any =
                    grow(&runs, usual()).map(|(_, points)| has_points(&points)).reduce(either);
                add(&mut ever, any.unwrap_or_default(), grown);
            }
        }
        Self { kind, variation, whole, ever }
    }
}

/// Whether there is a change point, and a confirmed one.
fn has_points(points: &[ChangePoint]) -> [bool; 2] {
    [!points.is_empty(), points.iter().any(|point| point.is_confirmed)]
}

fn add(shares: &mut [f64; 2], is: [bool; 2], count: u64) {
    for (share, is) in shares.iter_mut().zip(is) {
        *share += f64::from(u8::from(is)) / count as f64;
    }
}

impl fmt::Display for FlatTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| flat, {RUNS} runs | variation | any point, % | confirmed, % | ever any, % | ever \
             confirmed, % |\n|---|--:|--:|--:|--:|--:|"
        )?;
        for FlatCell { kind, variation, whole, ever } in &self.0 {
            let [any, confirmed, ever_any, ever_confirmed] =
                [whole[0], whole[1], ever[0], ever[1]].map(|share| share * 100.0);
            writeln!(
                f,
                "| {kind} | {:.0} % | {any:.1} | {confirmed:.1} | {ever_any:.0} | \
                 {ever_confirmed:.0} |",
                variation * 100.0
            )?;
        }
        Ok(())
    }
}

/// Flat series of other lengths with a change point.
pub(super) fn lengths(series: u64) -> String {
    const LENGTHS: [usize; 6] = [12, 30, 60, 240, 480, 1_000];
    let mut table = "| flat, any point, % |".to_owned();
    for runs in LENGTHS {
        let _ = write!(table, " {runs} runs |");
    }
    table += "\n|---|";
    table += &"--:|".repeat(LENGTHS.len());
    for kind in NoiseKind::STATED {
        let _ = write!(table, "\n| {kind} |");
        for runs in LENGTHS {
            let has_any = |seed: &u64| {
                let flat = flat_of(kind, runs, 0.1, 1_000_000 + seed);
                !find_change_points(&flat, ChangeScale::Ratio).is_empty()
            };
            let any = (0..series.div_ceil(2)).filter(has_any).count() as f64;
            let _ = write!(table, " {:.1} |", any * 100.0 / series.div_ceil(2) as f64);
        }
    }
    table + "\n\n"
}

/// A series with a change of level, and where.
pub(super) struct StepSeries {
    pub(super) runs: Vec<RunFigure>,
    change: usize,
}

/// The change comes after a quarter to three quarters of the runs.
pub(super) fn step_series(kind: NoiseKind, variation: f64, seed: u64) -> StepSeries {
    const FIRST: u64 = 30;
    const PLACES: u64 = 61;
    let change = FIRST + seed * 37 % PLACES;
    let change = usize::try_from(change).unwrap_or_default();
    let latencies = simulate_series(kind, RUNS, variation, (change, STEP), 2_000_000 + seed);
    StepSeries { runs: figures(latencies), change }
}

impl StepSeries {
    pub(super) fn has_point(&self, points: &[ChangePoint], margin: usize) -> bool {
        points.iter().any(|point| point.index.abs_diff(self.change) <= margin)
    }

    /// How many runs of the new level were there when the change was first reported, by points that
    /// count; the largest number if never.
    pub(super) fn delay(
        &self,
        detector: ChangeDetector,
        counts: impl Fn(&ChangePoint) -> bool,
    ) -> usize {
        let reports = |points: &[ChangePoint]| {
            let near = points.iter().filter(|point| point.index.abs_diff(self.change) <= MARGIN);
            near.into_iter().any(&counts)
        };
        grow(&self.runs, detector)
            .filter(|(length, _)| *length > self.change)
            .find(|(_, points)| reports(points))
            .map_or(usize::MAX, |(length, _)| length - self.change)
    }
}

/// How often a change of level is found, where, and how soon.
pub(super) fn steps(series: u64) -> String {
    let mut table = format!(
        "| +{:.0} %, variation 10 % | within 3 runs | within {MARGIN} | within 10 | with known \
         noise, within {MARGIN} | ever within {MARGIN} | delay: quarter, half, three quarters | until \
         confirmed | effect in its interval |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        (STEP - 1.0) * 100.0
    );
    for kind in NoiseKind::STATED {
        let all: Vec<StepSeries> = (0..series).map(|seed| step_series(kind, 0.1, seed)).collect();
        let found: Vec<Vec<ChangePoint>> =
            all.iter().map(|one| find_change_points(&one.runs, ChangeScale::Ratio)).collect();
        let within = |margin: usize| {
            let pairs = all.iter().zip(&found);
            share(pairs.map(|(one, points)| one.has_point(points, margin)))
        };
        let grown = &all[..all.len().div_ceil(2)];
        let delays = sorted(grown.iter().map(|one| one.delay(usual(), |_| true)));
        let confirmed =
            sorted(grown.iter().map(|one| one.delay(usual(), |point| point.is_confirmed)));
        let ever = share(delays.iter().map(|delay| *delay < usize::MAX));
        let _ = writeln!(
            table,
            "| {kind} | {:.3} | {:.3} | {:.3} | {} | {ever:.3} | {} | {} | {:.3} |",
            within(3),
            within(MARGIN),
            within(10),
            best_share(&all, kind),
            quartiles(&delays),
            quartiles(&confirmed),
            covered(&all, &found),
        );
    }
    table + "\n"
}

/// How often the most likely place is near the change if everything else is known, which is the
/// best that can be expected. Spikes are not normal noise, so there is no such figure for them.
fn best_share(all: &[StepSeries], kind: NoiseKind) -> String {
    if kind == NoiseKind::Spikes {
        return "–".to_owned();
    }
    let near = |one: &StepSeries| one.best_place(kind).abs_diff(one.change) <= MARGIN;
    format!("{:.3}", share(all.iter().map(near)))
}

impl StepSeries {
    /// The most likely place of the change, with levels and noise known.
    fn best_place(&self, kind: NoiseKind) -> usize {
        let correlation = kind.correlation();
        let logs = self.runs.iter().map(|run| run.value.unwrap_or(1.0).ln() - 0.2_f64.ln());
        let logs: Vec<f64> = logs.collect();
        let misfit = |change: usize| -> f64 {
            let level = |run: usize| if run < change { 0.0 } else { STEP.ln() };
            let noise = |run: usize| logs[run] - level(run);
            (1..RUNS).map(|run| (noise(run) - correlation * noise(run - 1)).powi(2)).sum()
        };
        let places = (1..RUNS).map(|change| (change, misfit(change)));
        places.min_by(|one, other| one.1.total_cmp(&other.1)).map_or(0, |best| best.0)
    }
}

/// The share of found changes whose interval holds the true effect.
fn covered(all: &[StepSeries], found: &[Vec<ChangePoint>]) -> f64 {
    let near = all.iter().zip(found).filter_map(|(one, points)| {
        points.iter().find(|point| point.index.abs_diff(one.change) <= MARGIN)
    });
    share(near.map(|point| point.effect.low <= STEP && STEP <= point.effect.high))
}

pub(super) fn share(each: impl Iterator<Item = bool>) -> f64 {
    let (mut count, mut those) = (0.0_f64, 0.0);
    for is in each {
        count += 1.0;
        those += f64::from(u8::from(is));
    }
    those / count.max(1.0)
}

pub(super) fn sorted(delays: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut delays: Vec<usize> = delays.collect();
    delays.sort_unstable();
    delays
}

fn quartiles(sorted: &[usize]) -> String {
    [1, 2, 3].map(|quarter| delay_text(sorted[(sorted.len() - 1) * quarter / 4])).join(", ")
}

pub(super) fn delay_text(delay: usize) -> String {
    if delay == usize::MAX { "never".to_owned() } else { delay.to_string() }
}
