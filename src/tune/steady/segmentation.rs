//! Where the distribution of a sequence changes, for one penalty per change.

use std::ops::Range;

use super::normal_cost::NormalCost;

/// A sequence cut into segments.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segmentation {
    /// The index behind the last value of each segment; the last one is the sequence's length.
    pub(super) ends: Vec<usize>,
    /// Sum of the segments' costs, without penalties.
    pub(super) cost: f64,
}

impl Segmentation {
    /// Number of changes.
    pub(super) fn changes(&self) -> usize {
        self.ends.len() - 1
    }

    /// The segments, as ranges of indices.
    pub(super) fn ranges(&self) -> Vec<Range<usize>> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| *start..*end).collect()
    }

    /// The segmentation with these ends.
    fn of(cost: &NormalCost, ends: Vec<usize>) -> Self {
        let mut start = 0;
        let mut sum = 0.0;
        for &end in &ends {
            sum += cost.of_segment(start, end);
            start = end;
        }
        Self { ends, cost: sum }
    }

    /// Moves each change to its best place between its neighbours until none moves.
    ///
    /// The changes come from a choice of places; this finds the places in between.
    pub(super) fn refine(mut self, cost: &NormalCost, shortest: usize) -> Self {
        const MAX_SWEEPS: usize = 10;
        for _ in 0..MAX_SWEEPS {
            if !move_changes(&mut self.ends, cost, shortest) {
                break;
            }
        }
        Self::of(cost, self.ends)
    }
}

fn move_changes(ends: &mut [usize], cost: &NormalCost, shortest: usize) -> bool {
    let mut has_moved = false;
    for at in 0..ends.len() - 1 {
        let (start, end) = (if at == 0 { 0 } else { ends[at - 1] }, ends[at + 1]);
        let price = |place: usize| cost.of_segment(start, place) + cost.of_segment(place, end);
        let mut best = (price(ends[at]), ends[at]);
        for place in start + shortest..=end - shortest {
            let price = price(place);
            if price < best.0 {
                best = (price, place);
            }
        }
        has_moved |= best.1 != ends[at];
        ends[at] = best.1;
    }
    has_moved
}

/// One place at which the last segment may begin.
#[derive(Debug, Clone, Copy)]
struct Opening {
    place: usize,
    /// Cost of the best segmentation of everything before, and a penalty.
    before: f64,
    /// The same and the cost of the last segment up to the latest end.
    total: f64,
}

/// Places are thinned out after so many ends.
const THINNED_EVERY: usize = 64;
/// Where a segment would be this many times longer than the distance of two places, one is enough.
const PLACES_PER_LENGTH: usize = 64;

/// The segmentation with the least cost plus `penalty` per change (PELT: Killick, Fearnhead and
/// Eckley, JASA 2012). A place is dropped for good when it can no longer begin the last segment of
/// a best segmentation.
///
/// Of places close together, far back, only the better one is kept, and the changes are moved to
/// their best places at the end: a long stretch without a change would otherwise take time that
/// grows with its square. A sequence shorter than two segments of `shortest` values, which must be
/// at least 2, is one segment.
pub(super) fn best_segmentation(cost: &NormalCost, penalty: f64, shortest: usize) -> Segmentation {
    let length = cost.len();
    if length < 2 * shortest {
        return Segmentation::of(cost, vec![length]);
    }
    let mut last_start = vec![0; length + 1];
    let mut best_cost = vec![f64::INFINITY; length + 1];
    let mut openings = vec![Opening { place: 0, before: 0.0, total: 0.0 }];
    for end in shortest..=length {
        let mut best = (f64::INFINITY, 0);
        for opening in &mut openings {
            opening.total = opening.before + cost.of_segment(opening.place, end);
            if opening.total < best.0 {
                best = (opening.total, opening.place);
            }
        }
        (best_cost[end], last_start[end]) = best;
        let limit = best.0 + penalty;
        openings.retain(|opening| opening.total <= limit);
        if end.is_multiple_of(THINNED_EVERY) {
            thin_out(&mut openings, end);
        }
        let next = end + 1 - shortest;
        if next >= shortest {
            openings.push(Opening { place: next, before: best_cost[next] + penalty, total: 0.0 });
        }
    }
    Segmentation::of(cost, follow_back(&last_start)).refine(cost, shortest)
}

/// Keeps the better one of two places that are close together for the length of their segments.
fn thin_out(openings: &mut Vec<Opening>, end: usize) {
    openings.dedup_by(|next, kept| {
        let is_close = next.place - kept.place < (end - next.place) / PLACES_PER_LENGTH;
        if is_close && next.total < kept.total {
            *kept = *next;
        }
        is_close
    });
}

/// The ends of the segments, from the start of the best last segment for each end.
pub(super) fn follow_back(last_start: &[usize]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut end = last_start.len() - 1;
    while end > 0 {
        ends.push(end);
        end = last_start[end];
    }
    ends.reverse();
    ends
}
