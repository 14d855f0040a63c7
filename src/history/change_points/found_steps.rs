//! Where a step was, how large it is, and how sure that is.

use super::prepared_series::PreparedSeries;
use super::segmentation::{neighbours, possible_places};
use super::step_scan::{FittedStep, StepScan};
use super::{ChangeEffect, ChangePoint, ChangeScale};

/// Limit of logarithms of ratios. It is far beyond what is measured and keeps every result finite.
const LARGEST_LOGARITHM: f64 = 100.0;
/// Places on each side among which the place of a change is chosen.
const PLACE_RANGE: usize = 25;
/// Places this close to the true one are nearly as good, less by a share for each run between.
const PLACE_MARGIN: usize = 5;
const PLACE_LOSS: f64 = 0.05;
/// Fewest values after a change that is confirmed.
const CONFIRMED_AFTER: usize = 5;
/// The normal quantile of 95 % intervals.
const EFFECT_QUANTILE: f64 = 1.96;

/// The steps of a series.
pub(super) struct FoundSteps<'a> {
    series: &'a PreparedSeries,
    /// With the noise that a step is tested against.
    scan: StepScan<'a>,
    /// With the noise as it is estimated.
    effects: StepScan<'a>,
    /// The most likely place of each.
    places: &'a [usize],
}

impl<'a> FoundSteps<'a> {
    pub(super) fn of(series: &'a PreparedSeries, places: &'a [usize]) -> Self {
        let (scan, effects) = (series.scan_tested(), series.scan_estimated());
        Self { series, scan, effects, places }
    }

    /// The changes, in order.
    pub(super) fn change_points(&self) -> Vec<ChangePoint> {
        let mut earliest = 0;
        let mut point = |at: usize| {
            let place = self.likely_place(at, earliest);
            earliest = place + 1;
            self.change_point(at, self.series.values[place].index)
        };
        (0..self.places.len()).map(&mut point).collect()
    }

    /// The place that is close to the true one with the largest probability, not before `earliest`.
    ///
    /// With every place equally likely beforehand, the probability of each is proportional to
    /// exp(evidence / 2). In autocorrelated noise the most likely single place is often a lonely
    /// one.
    fn likely_place(&self, at: usize, earliest: usize) -> usize {
        let stretch = neighbours(self.places, at, self.scan.len());
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

    /// The change at the most likely place, reported at the run `index`.
    pub(super) fn change_point(&self, at: usize, index: usize) -> ChangePoint {
        let stretch = neighbours(self.places, at, self.scan.len());
        let place = self.places[at];
        let tested = self.scan.stretch(stretch.start, stretch.end).fit(place);
        let fitted = self.effects.stretch(stretch.start, stretch.end).fit(place);
        let spare = tested.evidence - self.series.need.at(&stretch, place, self.scan.len());
        ChangePoint {
            index,
            effect: effect_of(fitted, self.series),
            false_rate: self.series.limit.rate_with(spare),
            is_confirmed: tested.evidence > self.series.need.full
                && self.scan.len() - place >= CONFIRMED_AFTER,
        }
    }
}

fn effect_of(fitted: FittedStep, series: &PreparedSeries) -> ChangeEffect {
    let reach = EFFECT_QUANTILE * fitted.variance.sqrt();
    let outward = |size: f64| match series.scale {
        ChangeScale::Ratio => size.clamp(-LARGEST_LOGARITHM, LARGEST_LOGARITHM).exp(),
        ChangeScale::Difference => size * series.unit,
    };
    ChangeEffect {
        size: outward(fitted.size),
        low: outward(fitted.size - reach),
        high: outward(fitted.size + reach),
    }
}
