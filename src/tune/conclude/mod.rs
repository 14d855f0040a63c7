//! What follows from the attempts of a session.
//!
//! [`conclude`] is a pure function of the record: a session that is shown again, resumed or
//! imported gets its conclusion anew. An attempt that did not complete enters no estimate. If an
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
use crate::tune::steady::curve::curve_figures;
use outcome::OutcomeContext;
use restart::Restart;

/// What follows from a session's attempts.
pub fn conclude(record: &SessionRecord) -> SessionConclusion {
    conclude_with(record, curve_figures)
}

/// What follows from a session's attempts if `figures` are those of an attempt's curve. Simulations
/// with a known steady state save the search for it.
pub fn conclude_with(
    record: &SessionRecord,
    figures: fn(&Attempt) -> CurveFigures,
) -> SessionConclusion {
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
