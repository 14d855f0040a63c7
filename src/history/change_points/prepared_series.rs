//! A series in which levels can be looked for: without spikes and without the cycle of the day.

use super::ChangeScale;
use super::TailValue;
use super::day_cycle::DayCycle;
use super::day_wave::DayWave;
use super::false_rate::FalseLimit;
use super::noise::SeriesNoise;
use super::scaled_series::{ScaledSeries, subtract_cycle};
use super::segmentation::{EvidenceNeed, Segmentation};
use super::spikes::without_spikes;
use super::step_scan::StepScan;

/// How much more evidence a change needs where the shape of a cycle was taken out: the shape is an
/// estimate, and its errors return every day.
const MORE_WITH_SHAPE: f64 = 2.0;
/// The same for a wave, which has fewer errors.
const MORE_WITH_WAVE: f64 = 1.0;
/// The amplitude of a usual wave of the day, as the logarithm of a ratio.
const USUAL_WAVE: f64 = 0.2;
/// The same in median deviations of the series.
const USUAL_DIFFERENCE: f64 = 1.0;
/// How often a wave and the levels are fitted to each other.
const ROUNDS: usize = 2;

/// The values of a series and their noise.
#[derive(Debug, Clone)]
pub(super) struct PreparedSeries {
    pub(super) values: Vec<TailValue>,
    pub(super) scale: ChangeScale,
    /// What a value of 1 is in differences of the series' unit.
    pub(super) unit: f64,
    pub(super) limit: FalseLimit,
    /// How much evidence a change needs.
    pub(super) need: EvidenceNeed,
    noise: SeriesNoise,
    floor: f64,
    /// Whether the values may have a wave.
    may_have_wave: bool,
}

impl PreparedSeries {
    /// Takes spikes out, and the cycle of the day if its shape is known.
    pub(super) fn of(mut series: ScaledSeries, cycle: &DayCycle, limit: FalseLimit) -> Self {
        let ScaledSeries { scale, unit, floor, .. } = series;
        if let DayCycle::Shape(shape) = cycle {
            let unit = if scale == ChangeScale::Ratio { 1.0 } else { unit };
            subtract_cycle(&mut series.values, |started| shape.at(started) / unit);
        }
        let values = without_spikes(&series.values, floor);
        let noise = SeriesNoise::estimate(&values, floor);
        let need = EvidenceNeed::of(values.len(), limit);
        let need = match cycle {
            DayCycle::Unknown => need,
            DayCycle::Unclear => need.raised_by(MORE_WITH_WAVE),
            DayCycle::Shape(_) => need.raised_by(MORE_WITH_SHAPE),
        };
        let may_have_wave = matches!(cycle, DayCycle::Unclear);
        Self { values, scale, unit, limit, need, noise, floor, may_have_wave }
    }

    /// With the noise that a step is tested against.
    pub(super) fn scan_tested(&self) -> StepScan<'_> {
        StepScan::of(&self.values, self.noise.doubted(self.values.len()))
    }

    /// With the noise as it is estimated.
    pub(super) fn scan_estimated(&self) -> StepScan<'_> {
        StepScan::of(&self.values, self.noise)
    }

    /// Takes out the wave that fits best in addition to the levels, which begin at the runs
    /// `starts`. The series itself, if it may have none.
    pub(super) fn without_wave(&self, starts: &[usize]) -> Self {
        let mut series = self.clone();
        if self.may_have_wave {
            let is_ratio = self.scale == ChangeScale::Ratio;
            let usual = if is_ratio { USUAL_WAVE } else { USUAL_DIFFERENCE };
            let wave = DayWave::fit(&self.values, starts, usual, self.noise.variance);
            subtract_cycle(&mut series.values, |started| wave.at(started));
            series.noise = SeriesNoise::estimate(&series.values, self.floor);
        }
        series
    }

    /// Finds the levels, and takes out the wave that the series has in addition to them.
    ///
    /// A wave that is fitted first takes a part of the changes, and changes that are found first
    /// take a part of the wave. Both are tried, and what explains the values best stays.
    pub(super) fn find_levels(self) -> LeveledSeries {
        if !self.may_have_wave {
            return LeveledSeries::of(self);
        }
        let levels_first = LeveledSeries::of(self.clone());
        let best = self.fit_wave(&[], None);
        if levels_first.places.is_empty() {
            return best;
        }
        self.fit_wave(&levels_first.starts(), Some(best))
    }

    /// Fits a wave and the levels to each other, at first with levels that begin at `starts`.
    /// Returns the best of these fits and `best`.
    fn fit_wave(&self, starts: &[usize], best: Option<LeveledSeries>) -> LeveledSeries {
        let mut next = LeveledSeries::of(self.without_wave(starts));
        let mut best =
            best.filter(|best| !next.is_better_than(best)).unwrap_or_else(|| next.clone());
        for _ in 1..ROUNDS {
            if next.places.is_empty() {
                break;
            }
            next = LeveledSeries::of(self.without_wave(&next.starts()));
            if next.is_better_than(&best) {
                best = next.clone();
            }
        }
        best
    }
}

/// A series and the places of its values before which the level changes.
#[derive(Debug, Clone)]
pub(super) struct LeveledSeries {
    pub(super) series: PreparedSeries,
    pub(super) places: Vec<usize>,
}

impl LeveledSeries {
    fn of(series: PreparedSeries) -> Self {
        let places = Segmentation::find(&series.scan_tested(), series.need);
        Self { series, places }
    }

    /// The runs with which new levels begin.
    fn starts(&self) -> Vec<usize> {
        self.places.iter().map(|place| self.series.values[*place].index).collect()
    }

    /// Whether it explains the same values better. Each change has to be worth the evidence that it
    /// needs.
    fn is_better_than(&self, other: &Self) -> bool {
        let noise = [self, other].map(|one| one.series.noise);
        let [own, others] = noise;
        let usual = if own.variance < others.variance { own } else { others };
        let cost = |one: &Self| {
            let needed = one.series.need.full * one.places.len() as f64;
            one.squares_left(usual.correlation) / usual.variance + needed
        };
        cost(self) < cost(other)
    }

    /// The weighted sum of squares of what neither the levels nor the values before explain.
    fn squares_left(&self, correlation: f64) -> f64 {
        let values = &self.series.values;
        let ends = self.places.iter().copied().chain([values.len()]);
        let (mut start, mut before, mut sum) = (0, 0.0, 0.0);
        for end in ends {
            let level = &values[start..end];
            let weights: f64 = level.iter().map(|value| value.weight).sum();
            let mean = level.iter().map(|one| one.weight * one.value).sum::<f64>() / weights;
            for value in level {
                let distance = value.value - mean;
                sum += value.weight * (distance - correlation * before).powi(2);
                before = distance;
            }
            start = end;
        }
        sum
    }
}
