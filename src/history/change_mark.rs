//! Change points of a series as a site of latency history shows them.

use std::time::Duration;

use super::change_points::{
    ChangePoint, ChangedPhase, PhaseSeries, PlacedChange, RunFigure, find_changes_by_phase,
};
use super::{QuantileFigures, RequestSeries, SeriesRun};
use crate::record::{Dimension, PhaseFigures};

/// A run from which latency, or a part of it, stayed at another level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangeMark {
    /// The place of the first run at the new level.
    pub run: usize,
    /// What changed: latency, or a part of it if latency as a whole does not show the change.
    pub dimension: Dimension,
    /// The new level divided by the old one.
    pub ratio: f64,
    /// The 95 % interval of the ratio.
    pub interval: (f64, f64),
    /// Whether enough runs followed to be sure.
    pub is_confirmed: bool,
    /// The part of latency that explains at least half of the change; `None` if none does.
    pub explained_by: Option<Dimension>,
}

/// Parts that stay below this are not searched for changes: the prober's own lateness would be.
const SMALLEST_PART: Duration = Duration::from_micros(500);
/// The smallest change of a part alone, as a share of the usual latency, that is shown.
const SMALLEST_SHARE: f64 = 0.01;

/// The change points of a series, in the order of its runs: of the medians of latency, and of the
/// medians of its parts.
pub fn change_marks(series: &RequestSeries) -> Vec<ChangeMark> {
    let latency: Vec<RunFigure> = series.runs.iter().map(latency_figure).collect();
    let parts: Vec<(Dimension, Vec<RunFigure>)> =
        Dimension::PARTS.into_iter().filter_map(|part| part_figures(series, part)).collect();
    let phases: Vec<PhaseSeries<'_>> = parts
        .iter()
        .map(|(dimension, figures)| PhaseSeries { dimension: *dimension, figures })
        .collect();
    let mut values: Vec<f64> = latency.iter().filter_map(|figure| figure.value).collect();
    values.sort_by(f64::total_cmp);
    let usual = values.get(values.len() / 2).copied().unwrap_or_default();
    let changes = find_changes_by_phase(&latency, &phases);
    changes.iter().filter_map(|change| ChangeMark::of(change, usual)).collect()
}

impl ChangeMark {
    /// The mark of a change; `None` if only a part changed, by too little to matter.
    fn of(change: &PlacedChange, usual: f64) -> Option<Self> {
        let Some(latency) = &change.latency else {
            let strongest = change.phases.first()?;
            let ChangedPhase { dimension, change: point, before, after, .. } = strongest;
            let matters = (after - before).abs() >= usual * SMALLEST_SHARE;
            return matters.then(|| Self::at(change.index, *dimension, point));
        };
        let explains = |phase: &&ChangedPhase| phase.share.is_some_and(|share| share >= 0.5);
        let explained_by = change.phases.iter().find(explains).map(|phase| phase.dimension);
        Some(Self { explained_by, ..Self::at(change.index, Dimension::Latency, latency) })
    }

    fn at(run: usize, dimension: Dimension, point: &ChangePoint) -> Self {
        let effect = point.effect;
        Self {
            run,
            dimension,
            ratio: effect.size,
            interval: (effect.low, effect.high),
            is_confirmed: point.is_confirmed,
            explained_by: None,
        }
    }
}

/// The median of a run, or the value of its only exchange, in microseconds.
fn latency_figure(run: &SeriesRun) -> RunFigure {
    let figures = QuantileFigures::of_encoded(&run.latency);
    let value = figures.p50.or(figures.single()).map(|value| value.as_secs_f64() * 1e6);
    RunFigure { value, samples: figures.count, started: Some(run.started()) }
}

/// The medians of a part; `None` if it is always short.
fn part_figures(series: &RequestSeries, part: Dimension) -> Option<(Dimension, Vec<RunFigure>)> {
    let of = |run: &SeriesRun| -> Option<PhaseFigures> {
        run.figures.as_ref()?.phases.iter().find(|phase| phase.dimension == part).copied()
    };
    let median = |phase: &PhaseFigures| phase.p50_us.map(Duration::from_micros);
    let is_visible =
        |run: &SeriesRun| of(run).as_ref().and_then(median).is_some_and(|it| it >= SMALLEST_PART);
    series.runs.iter().any(is_visible).then(|| {
        let figure = |run: &SeriesRun| {
            let phase = of(run);
            let value = phase.as_ref().and_then(median).map(|value| value.as_secs_f64() * 1e6);
            let samples = phase.map_or(0, |phase| phase.count);
            RunFigure { value, samples, started: Some(run.started()) }
        };
        (part, series.runs.iter().map(figure).collect())
    })
}
