//! Where the level of a series changes.

use std::f64::consts::SQRT_2;
use std::ops::Range;

use super::false_rate::{FalseLimit, HALVED_BY};
use super::step_scan::StepScan;

/// Fewest values between two changes, and before the first.
pub(super) const SHORTEST: usize = 5;
/// Fewest values after the newest change: one or two slow runs are no new level.
pub(super) const SHORTEST_END: usize = 3;
/// The evidence that a change needs in a series of [`CALIBRATED`] values.
const FULL_EVIDENCE: f64 = 16.0;
const CALIBRATED: f64 = 120.0;
/// The evidence that a change needs with up to [`NEWEST`] values after it.
const NEWEST_EVIDENCE: f64 = 8.0;
const NEWEST: usize = 5;
/// How much more it needs with each further value after it.
const MORE_PER_VALUE: f64 = 1.0;
/// How much more it needs to be looked for between two places that are not changes.
const MORE_WITHIN: f64 = 4.0;

/// How much evidence a change needs.
///
/// A level that lasts is tested at every place it may begin, so much evidence is needed for few
/// false changes. The newest few places are few tests, and less is enough there. A longer series
/// has more places, and several series more still, each with its own chance of a false change.
#[derive(Debug, Clone, Copy)]
pub(super) struct EvidenceNeed {
    /// At any place.
    pub(super) full: f64,
    newest: f64,
}

impl EvidenceNeed {
    /// For a series with `count` values.
    pub(super) fn of(count: usize, limit: FalseLimit) -> Self {
        let longer = HALVED_BY * (count as f64 / CALIBRATED).max(1.0).log2();
        let more = limit.more_evidence();
        Self { full: FULL_EVIDENCE + longer + more, newest: NEWEST_EVIDENCE + more }
    }

    /// The same with so much more.
    pub(super) fn raised_by(self, more: f64) -> Self {
        Self { full: self.full + more, newest: self.newest + more }
    }

    /// For a change at a place that is known from elsewhere.
    pub(super) fn at_known_place(self) -> Self {
        Self { full: self.newest, ..self }
    }

    /// For a change at a place of a stretch of a series with `count` values.
    pub(super) fn at(&self, stretch: &Range<usize>, place: usize, count: usize) -> f64 {
        if stretch.end == count { self.at_end(stretch.end - place) } else { self.full }
    }

    /// With this many values after the change, up to the newest.
    fn at_end(self, after: usize) -> f64 {
        let further = after.saturating_sub(NEWEST) as f64;
        (self.newest + MORE_PER_VALUE * further).min(self.full)
    }
}

/// A place and how much more evidence than it needs a step there has.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    place: usize,
    excess: f64,
}

/// The changes of level of one series.
#[derive(Debug)]
pub(super) struct Segmentation<'a> {
    scan: &'a StepScan<'a>,
    need: EvidenceNeed,
    /// Stretches of all lengths with the best place in each.
    stretches: Vec<(Range<usize>, Candidate)>,
}

impl<'a> Segmentation<'a> {
    /// The places before which the level changes, in order.
    ///
    /// Binary segmentation over the whole and over seeded stretches, in which a level that comes
    /// and goes is not hidden by what surrounds it (Kovács, Bühlmann, Li and Munk, "Seeded binary
    /// segmentation", Biometrika 2023). Every place is then tested again between its neighbours,
    /// and the weakest is dropped until all have the evidence they need.
    pub(super) fn find(scan: &'a StepScan<'a>, need: EvidenceNeed) -> Vec<usize> {
        let mut found = Self { scan, need, stretches: Vec::new() };
        let stretches = seeded_stretches(scan.len()).into_iter();
        let with_best = |stretch: Range<usize>| {
            let best = found.best_place(&stretch)?;
            let best = Candidate { excess: best.excess - MORE_WITHIN, ..best };
            (best.excess > 0.0).then_some((stretch, best))
        };
        found.stretches = stretches.filter_map(with_best).collect();
        let mut places = Vec::new();
        found.split(0..scan.len(), &mut places);
        places.sort_unstable();
        found.move_places(&mut places);
        found.drop_weak(&mut places);
        places
    }

    /// The place in a stretch with the most evidence above what it needs.
    fn best_place(&self, range: &Range<usize>) -> Option<Candidate> {
        let stretch = self.scan.stretch(range.start, range.end);
        let candidate = |place| Candidate {
            place,
            excess: stretch.evidence(place) - self.need.at(range, place, self.scan.len()),
        };
        // The first of equals, so that the answer depends on nothing else.
        let better = |best: Candidate, next: Candidate| {
            if next.excess > best.excess { next } else { best }
        };
        possible_places(range, self.scan.len()).map(candidate).reduce(better)
    }

    fn excess(&self, range: &Range<usize>, place: usize) -> f64 {
        let evidence = self.scan.stretch(range.start, range.end).evidence(place);
        evidence - self.need.at(range, place, self.scan.len())
    }

    fn split(&self, stretch: Range<usize>, places: &mut Vec<usize>) {
        let whole = self.best_place(&stretch).filter(|best| best.excess > 0.0);
        let is_within =
            |inner: &Range<usize>| inner.start >= stretch.start && inner.end <= stretch.end;
        let within = self.stretches.iter().filter(|(inner, _)| is_within(inner));
        let best = whole
            .into_iter()
            .chain(within.map(|(_, best)| *best))
            .reduce(|best, next| if next.excess > best.excess { next } else { best });
        if let Some(best) = best {
            places.push(best.place);
            self.split(stretch.start..best.place, places);
            self.split(best.place..stretch.end, places);
        }
    }

    /// Moves each place to the best one between its neighbours.
    fn move_places(&self, places: &mut [usize]) {
        const SWEEPS: usize = 2;
        let count = places.len();
        for at in (0..SWEEPS).flat_map(|_| 0..count) {
            if let Some(best) = self.best_place(&neighbours(places, at, self.scan.len())) {
                places[at] = best.place;
            }
        }
    }

    fn drop_weak(&self, places: &mut Vec<usize>) {
        let excess = |places: &[usize], at: usize| {
            self.excess(&neighbours(places, at, self.scan.len()), places[at])
        };
        loop {
            let each = (0..places.len()).map(|at| (at, excess(places, at)));
            let weakest = each.min_by(|one, other| one.1.total_cmp(&other.1));
            match weakest {
                Some((at, excess)) if excess <= 0.0 => places.remove(at),
                _ => return,
            };
        }
    }
}

/// The places in a stretch at which a change leaves enough values on both sides.
pub(super) fn possible_places(stretch: &Range<usize>, count: usize) -> Range<usize> {
    let after = if stretch.end == count { SHORTEST_END } else { SHORTEST };
    stretch.start + SHORTEST..(stretch.end + 1).saturating_sub(after)
}

/// The stretch from the change before to the change after.
pub(super) fn neighbours(places: &[usize], at: usize, count: usize) -> Range<usize> {
    let start = if at == 0 { 0 } else { places[at - 1] };
    start..places.get(at + 1).copied().unwrap_or(count)
}

/// Stretches that overlap by half or more, each length shorter by √2 than the one before.
fn seeded_stretches(count: usize) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let mut length = count as f64 / SQRT_2;
    while length >= (2 * SHORTEST) as f64 {
        let pieces = 2.0 * (count as f64 / length).ceil() - 1.0;
        let rounded = length.ceil();
        let shift = (count as f64 - rounded) / (pieces - 1.0);
        let mut piece = 0.0;
        while piece < pieces {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "indices")]
            let (start, width) = ((piece * shift) as usize, rounded as usize);
            stretches.push(start..(start + width).min(count));
            piece += 1.0;
        }
        length /= SQRT_2;
    }
    stretches
}
