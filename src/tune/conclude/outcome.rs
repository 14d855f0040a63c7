//! The outcome of one configuration.

use super::findings;
use super::restart::{self, Restart};
use super::throttle;
use crate::record::session::{ConfigurationOutcome, FigureKind, FigureOutcome, SessionRecord};
use crate::tune::estimate::{estimate_difference, estimate_mean};
use crate::tune::steady::classify_restarts;

/// What the outcome of a configuration depends on.
pub(super) struct OutcomeContext<'a> {
    record: &'a SessionRecord,
    /// The restarts of each configuration.
    restarts: &'a [Vec<Restart<'a>>],
    /// How many configurations are compared with the first one.
    comparisons: usize,
}

impl<'a> OutcomeContext<'a> {
    pub(super) fn new(record: &'a SessionRecord, restarts: &'a [Vec<Restart<'a>>]) -> Self {
        // A configuration that was never tried is not compared, and so widens no interval.
        let tried = restarts.iter().skip(1).filter(|restarts| !restarts.is_empty());
        Self { record, restarts, comparisons: tried.count() }
    }

    pub(super) fn outcome(&self, configuration: usize) -> ConfigurationOutcome {
        let restarts = &self.restarts[configuration];
        let figures = FigureKind::ALL.iter().filter_map(|kind| self.figure(configuration, *kind));
        let figures: Vec<_> = figures.collect();
        let attempts = self.record.attempts_of(configuration).count();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        ConfigurationOutcome {
            name: self.record.plan.configurations[configuration].name.clone(),
            restarts: number(restarts.len()),
            incomplete: number(attempts.saturating_sub(restarts.len())),
            class: classify_restarts(restarts.iter().map(|restart| restart.figures.class)),
            findings: findings::findings(self.record, restarts),
            throttle: throttle::outcome(restarts),
            curves: restarts.iter().map(|restart| restart.figures.clone()).collect(),
            figures,
        }
    }

    fn figure(&self, configuration: usize, kind: FigureKind) -> Option<FigureOutcome> {
        let values = restart::values(&self.restarts[configuration], kind);
        let estimate = estimate_mean(kind, &values)?;
        let difference = (configuration > 0).then(|| {
            let first = restart::values(&self.restarts[0], kind);
            estimate_difference(kind, &values, &first, self.comparisons)
        });
        Some(FigureOutcome { kind, estimate, difference: difference.flatten() })
    }
}
