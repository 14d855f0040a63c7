//! What follows from the attempts of a session.
//!
//! [`conclude`] depends on the attempts alone: a session that is shown again, resumed or imported
//! gets its conclusion anew. An attempt that did not complete enters no estimate. If an
//! attempt was made again, the completed one counts.

mod caveats;
mod findings;
mod headline;
mod outcome;
mod restart;
mod throttle;

#[cfg(test)]
mod tests;

use crate::record::session::{Attempt, CurveFigures, SessionConclusion, SessionRecord};
use crate::tune::advice;
use crate::tune::heat::label_attempt;
use crate::tune::steady::curve::curve_figures;
use outcome::OutcomeContext;
use restart::Restart;

/// Concludes from a session's attempts: confirms how their machines started, labels their samples,
/// and sets the conclusion.
pub fn conclude(record: &mut SessionRecord) {
    conclude_with(record, curve_figures);
}

/// [`conclude`] if `figures` are those of an attempt's curve. Simulations with a known steady state
/// save the search for it.
pub fn conclude_with(record: &mut SessionRecord, figures: fn(&Attempt) -> CurveFigures) {
    let figures: Vec<CurveFigures> = record.attempts.iter().map(figures).collect();
    for (attempt, figures) in record.attempts.iter_mut().zip(&figures) {
        label_attempt(attempt, figures);
    }
    record.conclusion = Some(conclusion(record, &figures));
}

/// The conclusion; `figures` are those of each attempt.
fn conclusion(record: &SessionRecord, figures: &[CurveFigures]) -> SessionConclusion {
    let restarts: Vec<Vec<Restart<'_>>> = (0..record.plan.configurations.len())
        .map(|configuration| restart::completed(record, configuration, figures))
        .collect();
    let context = OutcomeContext::new(record, &restarts);
    let configurations: Vec<_> =
        (0..restarts.len()).map(|configuration| context.outcome(configuration)).collect();
    SessionConclusion {
        headline: headline::headline(record, &configurations),
        advice: advice::advice(record, &configurations),
        caveats: caveats::caveats(record, &configurations),
        configurations,
    }
}
