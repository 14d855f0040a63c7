//! How many requests warm an app up after a deploy.

use crate::record::session::{Advice, ConfigurationOutcome, CurveClass, FigureKind};
use crate::tune::words;

/// Fewer requests than this are not worth a step of their own.
const FEWEST: f64 = 5.0;

/// An interval over fewer restarts is too wide to act on.
const FEWEST_RESTARTS: u32 = 3;

/// The number of requests after which the app is steady: the upper end of the interval, or the most
/// that any restart needed, if that is more.
pub(super) fn requests_after_deploy(own: &ConfigurationOutcome) -> Option<Advice> {
    if !matches!(own.class, Some(CurveClass::WarmUp | CurveClass::Inconsistent)) {
        return None;
    }
    let kind = FigureKind::RequestsToSteady;
    let figure = own.figure(kind)?;
    let (_, upper) = figure.estimate.interval?;
    if figure.estimate.restarts < FEWEST_RESTARTS {
        return None;
    }
    let most = own.curves.iter().flat_map(|curve| &curve.values);
    let most = most.filter(|(own, _)| *own == kind).map(|(_, value)| *value);
    let most = most.fold(0.0, f64::max);
    let requests = upper.max(most).ceil();
    // A restart that never became steady within its curve proves that this number is not enough.
    let is_contradicted =
        own.curves.iter().any(|curve| curve.class == Some(CurveClass::NoSteadyState));
    (requests >= FEWEST && !is_contradicted).then(|| Advice {
        what: format!(
            "After a deploy, send {requests:.0} requests before the gate measures. `tollgate \
             warm` with the session's scenario file sends until latency is steady."
        ),
        because: format!(
            "in {}, `{}` was steady after {}, at the latest after {most:.0}",
            words::count(figure.estimate.restarts as usize, "restart"),
            own.name,
            words::estimate(kind, &figure.estimate)
        ),
    })
}
