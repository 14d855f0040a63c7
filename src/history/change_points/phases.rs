//! Which phase of an exchange a change of latency comes from.

use std::ops::Range;

use super::false_rate::FalseLimit;
use super::spikes::median;
use super::tail::SeriesTail;
use super::{ChangePoint, ChangeScale, RunFigure, find_change_points, find_within};
use crate::record::Dimension;

/// Changes of two series this many runs apart are one change.
const SAME_CHANGE: usize = 5;

/// The series of one phase. Its runs are those of the latency series, its unit is the same.
#[derive(Debug, Clone, Copy)]
pub struct PhaseSeries<'a> {
    /// The phase; [`Dimension::PARTS`] add up to the latency.
    pub dimension: Dimension,
    /// What each run measured of it.
    pub figures: &'a [RunFigure],
}

/// A change of the latency, of phases, or of both.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedChange {
    /// The first run after it: that of the latency's change, or of the strongest phase's.
    pub index: usize,
    /// The change of the latency; `None` if only phases changed.
    pub latency: Option<ChangePoint>,
    /// The phases that changed with it, the one with the largest difference first: it explains the
    /// change. If the latency changed and this is empty, no phase shows it by itself.
    pub phases: Vec<ChangedPhase>,
}

/// What a phase did at a change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangedPhase {
    /// The phase.
    pub dimension: Dimension,
    /// Its own change.
    pub change: ChangePoint,
    /// The median of its values between the change before and this one.
    pub before: f64,
    /// `before` times the ratio of its own change, which is without the cycles of the day and the
    /// week. The median from this change to the next if `before` is zero.
    pub after: f64,
    /// Its difference as a share of that of the latency, which is found in the same way. It can be
    /// above 1 or below 0 where phases change in both directions; `None` if the latency did not
    /// change.
    pub share: Option<f64>,
}

/// Finds the changes of a latency series and of its phases, in the order of the runs.
///
/// A phase's change that is lost in the noise of the whole latency is found in the phase. The
/// phases are searched as one family: together they have as few false changes as one series.
pub fn find_changes_by_phase(latency: &[RunFigure], phases: &[PhaseSeries]) -> Vec<PlacedChange> {
    let of_latency = find_change_points(latency, ChangeScale::Ratio);
    let mut changes: Vec<PlacedChange> = of_latency
        .into_iter()
        .map(|point| PlacedChange { index: point.index, latency: Some(point), phases: Vec::new() })
        .collect();
    let limit = FalseLimit::of_family(phases.len());
    let mut of_phases: Vec<(Dimension, ChangePoint)> = phases
        .iter()
        .flat_map(|phase| {
            let points = find_within(phase.figures, ChangeScale::Ratio, limit);
            points.into_iter().map(|point| (phase.dimension, point))
        })
        .collect();
    // The strongest first: weaker changes nearby join it.
    of_phases.sort_by(|one, other| one.1.false_rate.total_cmp(&other.1.false_rate));
    for (dimension, change) in of_phases {
        add_phase(&mut changes, ChangedPhase::of(dimension, change));
    }
    changes.sort_by_key(|change| change.index);
    let places: Vec<usize> = changes.iter().map(|change| change.index).collect();
    for (at, change) in changes.iter_mut().enumerate() {
        let start = if at == 0 { 0 } else { places[at - 1] };
        let end = places.get(at + 1).copied().unwrap_or(latency.len());
        change.add_weak_phases(phases, start..end);
        change.measure(latency, phases, &[start..change.index, change.index..end]);
    }
    changes
}

/// Runs on each side of a change that are looked at for a phase's part in it.
const LOOKED_AT: usize = 200;

/// Adds the change of a phase to the nearest change, if one is near.
fn add_phase(changes: &mut Vec<PlacedChange>, phase: ChangedPhase) {
    let index = phase.change.index;
    let has_it = |change: &PlacedChange| {
        change.phases.iter().any(|known| known.dimension == phase.dimension)
    };
    let nearest = changes
        .iter_mut()
        .filter(|change| change.index.abs_diff(index) <= SAME_CHANGE && !has_it(change))
        .min_by_key(|change| change.index.abs_diff(index));
    match nearest {
        Some(change) => change.phases.push(phase),
        None => changes.push(PlacedChange { index, latency: None, phases: vec![phase] }),
    }
}

impl ChangedPhase {
    /// Without its levels.
    fn of(dimension: Dimension, change: ChangePoint) -> Self {
        Self { dimension, change, before: 0.0, after: 0.0, share: None }
    }
}

impl PlacedChange {
    /// Adds the phases that show a change only if its place is known from the latency.
    fn add_weak_phases(&mut self, series: &[PhaseSeries], stretch: Range<usize>) {
        if self.latency.is_none() {
            return;
        }
        let start = stretch.start.max(self.index.saturating_sub(LOOKED_AT));
        let end = stretch.end.min(self.index + LOOKED_AT);
        for phase in series {
            if self.phases.iter().any(|known| known.dimension == phase.dimension) {
                continue;
            }
            let mut tail = SeriesTail::new(ChangeScale::Ratio, FalseLimit::of_family(series.len()));
            for figure in phase.figures.get(start..end).unwrap_or_default() {
                tail.append(*figure);
            }
            if let Some(mut change) = tail.change_near(self.index - start, SAME_CHANGE) {
                change.index += start;
                self.phases.push(ChangedPhase::of(phase.dimension, change));
            }
        }
    }

    /// Fills in the levels around the change and sorts the phases by their differences.
    fn measure(
        &mut self,
        latency: &[RunFigure],
        series: &[PhaseSeries],
        around: &[Range<usize>; 2],
    ) {
        let levels = |figures: &[RunFigure]| around.clone().map(|range| level(figures, range));
        let whole = self.latency.map(|change| difference(levels(latency), &change));
        for phase in &mut self.phases {
            let own = series.iter().find(|series| series.dimension == phase.dimension);
            let around = own.map_or([0.0; 2], |series| levels(series.figures));
            let own = difference(around, &phase.change);
            (phase.before, phase.after) = (around[0], around[0] + own);
            phase.share = whole.map(|whole| own / whole).filter(|share| share.is_finite());
        }
        let size = |phase: &ChangedPhase| (phase.after - phase.before).abs();
        self.phases.sort_by(|one, other| size(other).total_cmp(&size(one)));
    }
}

/// By how much a series changed, if these are its medians before the change and after it.
///
/// The medians alone would not do: a few hours of runs have another part of the cycle of the day.
fn difference([before, after]: [f64; 2], change: &ChangePoint) -> f64 {
    if before > 0.0 { before * (change.effect.size - 1.0) } else { after - before }
}

/// The median of the values in a range.
fn level(figures: &[RunFigure], range: Range<usize>) -> f64 {
    let figures = figures.get(range).unwrap_or_default();
    median(figures.iter().filter_map(|figure| figure.value).filter(|value| value.is_finite()))
}
