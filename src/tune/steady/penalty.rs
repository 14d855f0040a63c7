//! Which penalty per change: the elbow of the number of changes over the penalty.

use super::normal_cost::NormalCost;
use super::segmentation::{Segmentation, best_segmentation, follow_back};

/// Fewest values in a segment: one value has no variance.
const SHORTEST: usize = 2;
/// The range of penalties that is searched, in logarithms of the sequence's length.
const SEARCHED: (f64, f64) = (4.0, 100_000.0);
/// The penalty without an elbow, in the same unit.
const WITHOUT_ELBOW: f64 = 15.0;
/// Segmentations looked for along the range; series of 3,000 values need up to 300.
const MAX_RUNS: usize = 2_000;
/// Segmentations with at most this many changes are refined before the elbow is looked for.
const REFINED_CHANGES: usize = 30;

/// The segmentation at the elbow of changes over penalty.
///
/// Every penalty from 4 to 100,000 · ln(n) has its best segmentation; few of them are different
/// (CROPS: Haynes, Eckley and Fearnhead, "Computationally efficient changepoint detection for a
/// range of penalties", JCGS 2017). The elbow of that curve is the penalty beyond which leaving out
/// changes makes the fit much worse (Kneedle: Satopää et al., "Finding a 'Kneedle' in a Haystack",
/// ICDCS Workshops 2011, sensitivity 1). Range, elbow and the penalty without one are those of
/// Traini et al. (EMSE 2023).
///
/// The whole range is searched among the changes that are best at the smallest penalty: a change
/// that is worth a large penalty is, within a few values, one that is worth a small one. So the
/// sequence is segmented once and not a hundred times. What a place is off by is mended by moving
/// each change to its best place.
pub(super) fn segment_at_elbow(cost: &NormalCost) -> Segmentation {
    let unit = (cost.len() as f64).ln();
    let finest = best_segmentation(cost, SEARCHED.0 * unit, SHORTEST);
    let mut places = finest.ends;
    for _ in 0..2 {
        let found = PenaltyPath::search(&RestrictedCost::of(cost, &places), unit);
        let few = found.0.iter().filter(|step| step.changes() <= REFINED_CHANGES);
        let refined = few.flat_map(|step| step.segmentation.clone().refine(cost, SHORTEST).ends);
        places.extend(refined);
        places.sort_unstable();
        places.dedup();
    }
    let restricted = RestrictedCost::of(cost, &places);
    let path = PenaltyPath::search(&restricted, unit);
    let penalty = path.elbow().unwrap_or(WITHOUT_ELBOW * unit);
    restricted.best_segmentation(penalty).refine(cost, SHORTEST)
}

/// The costs of all segments between chosen places.
struct RestrictedCost {
    /// 0, the places at which a change is allowed, and the sequence's length.
    places: Vec<usize>,
    /// For each place the costs of the segments that end there, by the place where they begin.
    costs: Vec<Vec<f64>>,
}

impl RestrictedCost {
    fn of(cost: &NormalCost, places: &[usize]) -> Self {
        let places: Vec<usize> = std::iter::once(0).chain(places.iter().copied()).collect();
        let of_segment = |start: usize, end: usize| {
            if end - start < SHORTEST { f64::INFINITY } else { cost.of_segment(start, end) }
        };
        let costs = (0..places.len())
            .map(|end| places[..end].iter().map(|start| of_segment(*start, places[end])).collect())
            .collect();
        Self { places, costs }
    }

    /// As [`best_segmentation`], with changes at the chosen places only.
    fn best_segmentation(&self, penalty: f64) -> Segmentation {
        let mut last_start = vec![0; self.places.len()];
        let mut best_cost = vec![0.0; self.places.len()];
        let mut openings = vec![0];
        let mut totals = Vec::new();
        for (end, costs) in self.costs.iter().enumerate().skip(1) {
            totals.clear();
            totals.extend(openings.iter().map(|start| best_cost[*start] + costs[*start]));
            let mut best = (f64::INFINITY, 0);
            for (start, total) in openings.iter().zip(&totals) {
                if *total < best.0 {
                    best = (*total, *start);
                }
            }
            last_start[end] = best.1;
            best_cost[end] = best.0 + penalty;
            let mut total = totals.iter();
            // A segment that is still too short has an infinite cost and may become the best.
            openings.retain(|_| {
                total.next().is_some_and(|t| *t <= best.0 + penalty || t.is_infinite())
            });
            openings.push(end);
        }
        let steps = follow_back(&last_start);
        let cost = best_cost.last().map_or(0.0, |total| total - steps.len() as f64 * penalty);
        Segmentation { ends: steps.into_iter().map(|step| self.places[step]).collect(), cost }
    }
}

/// One segmentation, and the smallest known penalty at which it is the best.
struct PathStep {
    penalty: f64,
    segmentation: Segmentation,
}

impl PathStep {
    fn changes(&self) -> usize {
        self.segmentation.changes()
    }
}

/// The best segmentations for a range of penalties, from many changes to few.
struct PenaltyPath(Vec<PathStep>);

impl PenaltyPath {
    fn search(cost: &RestrictedCost, unit: f64) -> Self {
        let mut steps: Vec<PathStep> = Vec::new();
        let mut untried = vec![SEARCHED.0 * unit, SEARCHED.1 * unit];
        while !untried.is_empty() && steps.len() < MAX_RUNS {
            steps.extend(untried.drain(..).map(|penalty| PathStep {
                penalty,
                segmentation: cost.best_segmentation(penalty),
            }));
            steps.sort_by(|one, other| one.penalty.total_cmp(&other.penalty));
            for pair in steps.windows(2) {
                let crossing = crossing(&pair[0], &pair[1]);
                let is_known = |step: &PathStep| is_close(step.penalty, crossing);
                if pair[0].changes() > pair[1].changes() + 1 && !steps.iter().any(is_known) {
                    untried.push(crossing);
                }
            }
        }
        steps.dedup_by_key(|step| step.changes());
        let starts: Vec<f64> = steps.windows(2).map(|pair| crossing(&pair[0], &pair[1])).collect();
        for (step, start) in steps.iter_mut().skip(1).zip(starts) {
            step.penalty = start;
        }
        Self(steps)
    }

    /// The penalty at the elbow: going from the largest penalty down, the first that lies clearly
    /// further below the straight line between both ends than the next one.
    fn elbow(&self) -> Option<f64> {
        let (fine, coarse) = (self.0.first()?, self.0.last()?);
        if self.0.len() < 2 {
            return Some(fine.penalty);
        }
        let (most, fewest) = (fine.changes() as f64, coarse.changes() as f64);
        let below = |step: &PathStep| {
            let changes = (step.changes() as f64 - fewest) / (most - fewest);
            let penalty = (step.penalty - fine.penalty) / (coarse.penalty - fine.penalty);
            1.0 - changes - penalty
        };
        let below: Vec<f64> = self.0.iter().rev().map(below).collect();
        first_knee(&below).map(|at| self.0[self.0.len() - 1 - at].penalty)
    }
}

/// The penalty at which two segmentations are equally good.
fn crossing(more: &PathStep, fewer: &PathStep) -> f64 {
    let changes = more.changes() as f64 - fewer.changes() as f64;
    (fewer.segmentation.cost - more.segmentation.cost) / changes
}

fn is_close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1.5e-8 * other.abs()
}

/// Kneedle's rule: the first local maximum after which the curve falls by more than one mean step
/// before it reaches a local minimum, or below zero after one.
fn first_knee(curve: &[f64]) -> Option<usize> {
    let mean_step = 1.0 / (curve.len() - 1) as f64;
    let mut knee: Option<(usize, f64)> = None;
    for at in 0..curve.len() - 1 {
        let (before, here, after) = (curve[at.saturating_sub(1)], curve[at], curve[at + 1]);
        if here >= before && here >= after {
            knee = Some((at, here - mean_step));
        }
        if let Some((_, threshold)) = &mut knee
            && here <= before
            && here <= after
        {
            *threshold = 0.0;
        }
        if let Some((maximum, threshold)) = knee
            && after < threshold
        {
            return Some(maximum);
        }
    }
    None
}
