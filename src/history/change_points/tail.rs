//! The newest runs of a series, and the changes among them.

use super::false_rate::false_rate;
use super::noise::SeriesNoise;
use super::segmentation::{
    EvidenceNeed, SHORTEST, SHORTEST_END, Segmentation, neighbours, possible_places,
};
use super::spikes::{median, without_spikes};
use super::step_scan::{FittedStep, StepScan};
use super::{ChangeDirection, ChangeEffect, ChangePoint, ChangeScale, RunFigure, TailValue};

/// Fewest runs that are looked at again.
const KEPT: usize = 384;
/// So many more have come when runs become final.
const FINAL_AT_ONCE: usize = 128;
/// Final runs that stay as context, unless the level changed since.
const CONTEXT: usize = 128;
/// No change lies as close as this to where the final runs end, because its place may still move.
const GUARD: usize = 10;
/// The standard deviation of noise is never taken to be smaller: histograms have three digits.
const RATIO_FLOOR: f64 = 1e-3;
/// The same in median deviations of the series.
const DIFFERENCE_FLOOR: f64 = 1e-2;
/// The smallest ratio to the median that is told from zero.
const SMALLEST_RATIO: f64 = 1e-3;
/// Limits of scaled values, of given ones, and of logarithms of ratios. They are far beyond what is
/// measured and keep every result finite.
const LARGEST: f64 = 1e9;
const LARGEST_GIVEN: f64 = 1e150;
const LARGEST_LOGARITHM: f64 = 100.0;
/// Places on each side among which the place of a change is chosen.
const PLACE_RANGE: usize = 25;
/// Places this close to the true one are nearly as good, less by a share for each run between.
const PLACE_MARGIN: usize = 3;
const PLACE_LOSS: f64 = 0.05;
/// Fewest values after a change that is confirmed.
const CONFIRMED_AFTER: usize = 5;
/// The normal quantile of [`EFFECT_CONFIDENCE`](super::EFFECT_CONFIDENCE).
const EFFECT_QUANTILE: f64 = 1.96;

/// A run of the tail that has a value.
#[derive(Debug, Clone, Copy)]
struct TailRun {
    index: usize,
    value: f64,
    samples: u64,
}

/// The newest runs.
#[derive(Debug, Clone)]
pub(super) struct SeriesTail {
    scale: ChangeScale,
    family: usize,
    /// Runs so far, gaps included.
    length: usize,
    runs: Vec<TailRun>,
    /// The first run that is not final.
    open_from: usize,
}

impl SeriesTail {
    pub(super) fn new(scale: ChangeScale, family: usize) -> Self {
        Self { scale, family, length: 0, runs: Vec::new(), open_from: 0 }
    }

    /// Appends a run, and returns the changes that are final by it.
    pub(super) fn append(&mut self, figure: RunFigure) -> Vec<ChangePoint> {
        let index = self.length;
        self.length += 1;
        let is_gap =
            |value: f64| !value.is_finite() || (self.scale == ChangeScale::Ratio && value < 0.0);
        let Some(value) = figure.value.filter(|value| !is_gap(*value)) else { return Vec::new() };
        let value = value.clamp(-LARGEST_GIVEN, LARGEST_GIVEN);
        self.runs.push(TailRun { index, value, samples: figure.samples.max(1) });
        let open = self.runs.len() - self.runs.partition_point(|run| run.index < self.open_from);
        if open < KEPT + FINAL_AT_ONCE { Vec::new() } else { self.finalize() }
    }

    fn finalize(&mut self) -> Vec<ChangePoint> {
        let mut points = self.change_points();
        let places = points.iter().map(|point| self.position(point.index)).collect::<Vec<_>>();
        let first = self.position(self.open_from);
        let cut = free_cut(first, first + FINAL_AT_ONCE, &places);
        self.open_from = self.runs[cut].index;
        points.retain(|point| point.index < self.open_from);
        let last = points.last().map_or(0, |point| self.position(point.index));
        self.runs.drain(..last.max(cut.saturating_sub(CONTEXT)));
        points
    }

    /// The place in the tail of the run with this index.
    fn position(&self, index: usize) -> usize {
        self.runs.partition_point(|run| run.index < index)
    }

    /// The changes that are not final.
    pub(super) fn change_points(&self) -> Vec<ChangePoint> {
        let Some(prepared) = self.prepare() else { return Vec::new() };
        let need = EvidenceNeed::of(prepared.values.len(), self.family);
        let scan = prepared.scan_tested();
        let places = Segmentation::find(&scan, need);
        let found = FoundSteps { scan, effects: prepared.scan_estimated(), need, places };
        let mut points = Vec::with_capacity(found.places.len());
        let mut earliest = 0;
        for at in 0..found.places.len() {
            let place = found.likely_place(at, earliest);
            earliest = place + 1;
            let index = prepared.values[place].index;
            if index >= self.open_from {
                points.push(found.change_point(at, index, self.scale, prepared.unit));
            }
        }
        points
    }

    /// The change of the whole series at the best place within `margin` runs of a known one. It
    /// needs no more than a change at the end, because few places are tested.
    pub(super) fn change_near(&self, index: usize, margin: usize) -> Option<ChangePoint> {
        let prepared = self.prepare()?;
        let values = &prepared.values;
        let scan = prepared.scan_tested();
        let stretch = scan.stretch(0, values.len());
        let place = possible_places(&(0..values.len()), values.len())
            .filter(|place| values[*place].index.abs_diff(index) <= margin)
            .map(|place| (place, stretch.evidence(place)))
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        let need = EvidenceNeed::of(values.len(), self.family).at_known_place();
        let (place, _) = place.filter(|(_, evidence)| *evidence > need.full)?;
        let places = vec![place];
        let found = FoundSteps { scan, effects: prepared.scan_estimated(), need, places };
        Some(found.change_point(0, values[place].index, self.scale, prepared.unit))
    }

    /// The values without spikes, and their noise; `None` if all are equal or there are too few.
    fn prepare(&self) -> Option<PreparedTail> {
        if self.runs.len() < SHORTEST + SHORTEST_END {
            return None;
        }
        let (values, unit, floor) = self.scaled_values()?;
        let values = without_spikes(&values, floor);
        let noise = SeriesNoise::estimate(&values, floor);
        Some(PreparedTail { values, noise, unit })
    }

    /// The runs as values with noise of the same size at every level, their unit, and the smallest
    /// standard deviation of their noise; `None` if all are equal.
    fn scaled_values(&self) -> Option<(Vec<TailValue>, f64, f64)> {
        let first = self.runs.first()?.value;
        if self.runs.iter().all(|run| run.value.to_bits() == first.to_bits()) {
            return None;
        }
        let given = || self.runs.iter().map(|run| run.value);
        let middle = median(given());
        let usual = median(self.runs.iter().map(|run| run.samples as f64));
        let (unit, floor) = match self.scale {
            ChangeScale::Ratio if middle > 0.0 => (middle, RATIO_FLOOR),
            ChangeScale::Ratio => (smallest_positive(given()), RATIO_FLOOR),
            ChangeScale::Difference => (spread_around(middle, given()), DIFFERENCE_FLOOR),
        };
        let least = if middle > 0.0 { SMALLEST_RATIO } else { 1.0 };
        let scaled = |run: &TailRun| TailValue {
            index: run.index,
            value: match self.scale {
                ChangeScale::Ratio => (run.value / unit).clamp(least, LARGEST).ln(),
                ChangeScale::Difference => ((run.value - middle) / unit).clamp(-LARGEST, LARGEST),
            },
            weight: weight(run.samples as f64, usual),
        };
        Some((self.runs.iter().map(scaled).collect(), unit, floor))
    }
}

/// A tail in which steps can be looked for.
struct PreparedTail {
    values: Vec<TailValue>,
    noise: SeriesNoise,
    /// The unit of differences.
    unit: f64,
}

impl PreparedTail {
    /// With the noise that a step is tested against.
    fn scan_tested(&self) -> StepScan<'_> {
        StepScan::of(&self.values, self.noise.doubted(self.values.len()))
    }

    /// With the noise as it is estimated.
    fn scan_estimated(&self) -> StepScan<'_> {
        StepScan::of(&self.values, self.noise)
    }
}

fn smallest_positive(values: impl Iterator<Item = f64>) -> f64 {
    values.filter(|value| *value > 0.0).fold(f64::MAX, f64::min)
}

/// The precision of a value relative to one with the usual number of samples.
///
/// Half of the usual variance is taken to come from sampling, and half from how runs differ, which
/// more samples do not change. More than the usual samples count as the usual number.
fn weight(samples: f64, usual: f64) -> f64 {
    (2.0 * samples / (samples + usual)).min(1.0)
}

/// The median deviation, or the mean deviation where most values are equal. Values must not all be
/// equal.
fn spread_around(middle: f64, values: impl Iterator<Item = f64> + Clone) -> f64 {
    let deviations = values.map(|value| (value - middle).abs());
    let common = median(deviations.clone());
    if common > 0.0 {
        return common;
    }
    let count = deviations.clone().count() as f64;
    deviations.map(|deviation| deviation / count).sum::<f64>().max(f64::MIN_POSITIVE)
}

/// The place before `cut` with no change near it, or `cut` itself.
fn free_cut(first: usize, cut: usize, places: &[usize]) -> usize {
    let mut free = cut;
    for place in places.iter().rev() {
        if place.abs_diff(free) <= GUARD {
            free = place.saturating_sub(GUARD + 1);
        }
    }
    if free > first { free } else { cut }
}

/// The steps of a tail.
struct FoundSteps<'a> {
    /// With the noise that a step is tested against.
    scan: StepScan<'a>,
    /// With the noise as it is estimated.
    effects: StepScan<'a>,
    need: EvidenceNeed,
    /// The most likely place of each.
    places: Vec<usize>,
}

impl FoundSteps<'_> {
    /// The place that is close to the true one with the largest probability, not before `earliest`.
    ///
    /// With every place equally likely beforehand, the probability of each is proportional to
    /// exp(evidence / 2). In autocorrelated noise the most likely single place is often a lonely
    /// one.
    fn likely_place(&self, at: usize, earliest: usize) -> usize {
        let stretch = neighbours(&self.places, at, self.scan.len());
        let best = self.places[at];
        let fitted = self.scan.stretch(stretch.start, stretch.end);
        let possible = possible_places(&stretch, self.scan.len());
        let start = possible.start.max(best.saturating_sub(PLACE_RANGE)).max(earliest);
        let end = possible.end.min(best + PLACE_RANGE + 1);
        let most = fitted.evidence(best);
        let likelihoods: Vec<f64> =
            (start..end).map(|place| ((fitted.evidence(place) - most) / 2.0).exp()).collect();
        let closeness = |place: usize| -> f64 {
            let near =
                place.saturating_sub(PLACE_MARGIN).max(start)..(place + PLACE_MARGIN + 1).min(end);
            near.map(|other| {
                likelihoods[other - start] * (1.0 - PLACE_LOSS * other.abs_diff(place) as f64)
            })
            .sum()
        };
        let better = |one: (usize, f64), other: (usize, f64)| {
            if other.1 > one.1 * (1.0 + 1e-9) { other } else { one }
        };
        (start..end).map(|place| (place, closeness(place))).reduce(better).map_or(best, |one| one.0)
    }

    fn change_point(&self, at: usize, index: usize, scale: ChangeScale, unit: f64) -> ChangePoint {
        let stretch = neighbours(&self.places, at, self.scan.len());
        let place = self.places[at];
        let tested = self.scan.stretch(stretch.start, stretch.end).fit(place);
        let fitted = self.effects.stretch(stretch.start, stretch.end).fit(place);
        let spare = tested.evidence - self.need.at(&stretch, place, self.scan.len());
        ChangePoint {
            index,
            direction: if fitted.size > 0.0 { ChangeDirection::Up } else { ChangeDirection::Down },
            effect: effect_of(fitted, scale, unit),
            false_rate: false_rate(spare),
            is_confirmed: tested.evidence > self.need.full
                && self.scan.len() - place >= CONFIRMED_AFTER,
        }
    }
}

fn effect_of(fitted: FittedStep, scale: ChangeScale, unit: f64) -> ChangeEffect {
    let reach = EFFECT_QUANTILE * fitted.variance.sqrt();
    let outward = |size: f64| match scale {
        ChangeScale::Ratio => size.clamp(-LARGEST_LOGARITHM, LARGEST_LOGARITHM).exp(),
        ChangeScale::Difference => size * unit,
    };
    ChangeEffect {
        size: outward(fitted.size),
        low: outward(fitted.size - reach),
        high: outward(fitted.size + reach),
    }
}
