//! What the CPU quota did to a configuration.

use std::time::Duration;

use super::restart::Restart;
use crate::record::session::{Attempt, QuotaReading, ThrottleOutcome};

/// What the quota did over the restarts of a configuration. It is only free if the metrics of some
/// attempt are known.
pub(super) fn outcome(restarts: &[Restart<'_>]) -> ThrottleOutcome {
    let known: Vec<Duration> =
        restarts.iter().filter_map(|restart| restart.attempt.throttled_time()).collect();
    let throttled: Vec<Duration> =
        known.iter().copied().filter(|time| *time >= Attempt::THROTTLE_FLOOR).collect();
    let number = |list: &[Duration]| u32::try_from(list.len()).unwrap_or(u32::MAX);
    match throttled.iter().max() {
        Some(longest) => ThrottleOutcome::Throttled {
            attempts: number(&throttled),
            of: number(&known),
            longest: *longest,
        },
        None if known.is_empty() => ThrottleOutcome::NotKnown { why: reason(restarts) },
        None => ThrottleOutcome::Free { of: number(&known) },
    }
}

/// Why no metrics are known.
fn reason(restarts: &[Restart<'_>]) -> String {
    let mut reasons = restarts.iter().map(|restart| match &restart.attempt.quota {
        QuotaReading::NotKnown(why) if !why.is_empty() => why.as_str(),
        _ => "the metrics have no reading of its machines",
    });
    reasons.next().unwrap_or("no attempt was completed").to_owned()
}
