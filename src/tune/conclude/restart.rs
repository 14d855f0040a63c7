//! Attempts as restarts: what one of them adds to each figure.

use std::collections::BTreeMap;

use crate::record::session::{Attempt, CurveFigures, FigureKind, SessionRecord};
use crate::tune::estimate::RestartValue;

/// A completed attempt and its figures.
#[derive(Debug, Clone)]
pub(super) struct Restart<'a> {
    pub(super) attempt: &'a Attempt,
    pub(super) figures: CurveFigures,
}

impl Restart<'_> {
    /// The value of a figure, if the restart has it.
    pub(super) fn value(&self, kind: FigureKind) -> Option<f64> {
        self.figures.values.iter().find(|(own, _)| *own == kind).map(|(_, value)| *value)
    }
}

/// The completed attempts at a configuration, in the order of time: one a round, the last one if
/// it was made several times. `figures` are those of each attempt of the session.
pub(super) fn completed<'a>(
    record: &'a SessionRecord,
    configuration: usize,
    figures: &[CurveFigures],
) -> Vec<Restart<'a>> {
    let attempts = record.attempts.iter().zip(figures);
    let own =
        attempts.filter(|(one, _)| one.configuration == configuration && one.problem.is_none());
    let by_round: BTreeMap<u32, _> =
        own.map(|(one, figures)| (one.round, (one, figures))).collect();
    let mut attempts: Vec<_> = by_round.into_values().collect();
    attempts.sort_by_key(|(attempt, _)| attempt.number);
    let restart = |(attempt, figures): (&'a Attempt, &CurveFigures)| Restart {
        attempt,
        figures: with_stage(figures.clone(), attempt),
    };
    attempts.into_iter().map(restart).collect()
}

/// The values of one figure over restarts.
pub(super) fn values(restarts: &[Restart<'_>], kind: FigureKind) -> Vec<RestartValue> {
    let of = |restart: &Restart<'_>| {
        let value = restart.value(kind)?;
        Some(RestartValue { round: restart.attempt.round, value })
    };
    restarts.iter().filter_map(of).collect()
}

/// The figures of a curve, with those of the steady stage if it has none that became steady.
fn with_stage(mut figures: CurveFigures, attempt: &Attempt) -> CurveFigures {
    let is_there =
        |kind, figures: &CurveFigures| figures.values.iter().any(|(own, _)| *own == kind);
    for (kind, value) in stage_figures(attempt) {
        if !is_there(kind, &figures) {
            figures.values.push((kind, value));
        }
    }
    figures.values.sort_by_key(|(kind, _)| *kind);
    figures
}

fn stage_figures(attempt: &Attempt) -> Vec<(FigureKind, f64)> {
    let Some(stage) = &attempt.steady else { return Vec::new() };
    let quantiles = [(FigureKind::SteadyP50, 0.5), (FigureKind::SteadyP95, 0.95)];
    let figure = |(kind, share)| Some((kind, stage.latency.at_share(share)?.as_secs_f64()));
    quantiles.into_iter().filter_map(figure).collect()
}
