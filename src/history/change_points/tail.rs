//! The newest runs of a series, and the changes among them.

use time::OffsetDateTime;

use super::day_cycle::DayTable;
use super::false_rate::FalseLimit;
use super::found_steps::FoundSteps;
use super::prepared_series::{LeveledSeries, PreparedSeries};
use super::scaled_series::{ScaledSeries, TailRun};
use super::segmentation::{SHORTEST, SHORTEST_END, possible_places};
use super::{ChangePoint, ChangeScale, RunFigure};

/// Fewest runs that are looked at again.
const KEPT: usize = 384;
/// So many more have come when runs become final.
const FINAL_AT_ONCE: usize = 128;
/// Final runs that stay as context, unless the level changed since.
const CONTEXT: usize = 128;
/// No change lies as close as this to where the final runs end, because its place may still move.
const GUARD: usize = 10;
/// Limit of given values. It is far beyond what is measured and keeps every result finite.
const LARGEST_GIVEN: f64 = 1e150;

/// The newest runs.
#[derive(Debug, Clone)]
pub(super) struct SeriesTail {
    scale: ChangeScale,
    limit: FalseLimit,
    /// Runs so far, gaps included.
    length: usize,
    runs: Vec<TailRun>,
    days: DayTable,
    /// The first run that is not final.
    open_from: usize,
}

impl SeriesTail {
    pub(super) fn new(scale: ChangeScale, limit: FalseLimit) -> Self {
        let (runs, days) = (Vec::new(), DayTable::default());
        Self { scale, limit, length: 0, runs, days, open_from: 0 }
    }

    /// Appends a run, and returns the changes that are final by it.
    pub(super) fn append(&mut self, figure: RunFigure) -> Vec<ChangePoint> {
        let index = self.length;
        self.length += 1;
        let is_gap =
            |value: f64| !value.is_finite() || (self.scale == ChangeScale::Ratio && value < 0.0);
        let Some(value) = figure.value.filter(|value| !is_gap(*value)) else { return Vec::new() };
        let value = value.clamp(-LARGEST_GIVEN, LARGEST_GIVEN);
        let started = figure.started.map(OffsetDateTime::unix_timestamp);
        self.runs.push(TailRun { index, value, samples: figure.samples.max(1), started });
        if let Some(started) = started {
            self.days.add(started, self.additive(value));
        }
        let open = self.runs.len() - self.runs.partition_point(|run| run.index < self.open_from);
        if open < KEPT + FINAL_AT_ONCE { Vec::new() } else { self.finalize() }
    }

    /// A value on the scale on which noise is added, in its own unit; `None` for zero, which
    /// has no logarithm.
    fn additive(&self, value: f64) -> Option<f64> {
        match self.scale {
            ChangeScale::Ratio => (value > 0.0).then(|| value.ln()),
            ChangeScale::Difference => Some(value),
        }
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
        let Some(series) = self.prepare() else { return Vec::new() };
        let LeveledSeries { series, places } = series.find_levels();
        let mut points = FoundSteps::of(&series, &places).change_points();
        points.retain(|point| point.index >= self.open_from);
        points
    }

    /// The change of the whole series at the best place within `margin` runs of a known one. It
    /// needs no more than a change at the end, because few places are tested.
    pub(super) fn change_near(&self, index: usize, margin: usize) -> Option<ChangePoint> {
        let mut series = self.prepare()?.without_wave(&[index]);
        series.need = series.need.at_known_place();
        let (values, scan) = (&series.values, series.scan_tested());
        let stretch = scan.stretch(0, values.len());
        let place = possible_places(&(0..values.len()), values.len())
            .filter(|place| values[*place].index.abs_diff(index) <= margin)
            .map(|place| (place, stretch.evidence(place)))
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        let (place, _) = place.filter(|(_, evidence)| *evidence > series.need.full)?;
        Some(FoundSteps::of(&series, &[place]).change_point(0, values[place].index))
    }

    /// The values without spikes and without a cycle of known shape; `None` if all are equal or
    /// there are too few.
    fn prepare(&self) -> Option<PreparedSeries> {
        if self.runs.len() < SHORTEST + SHORTEST_END {
            return None;
        }
        let scaled = ScaledSeries::of(&self.runs, self.scale)?;
        let cycle = self.days.cycle(scaled.zero);
        Some(PreparedSeries::of(scaled, &cycle, self.limit))
    }
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
