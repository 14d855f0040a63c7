//! How long Fly's CPU quota held an attempt back.

use std::time::Duration;

use crate::record::session::{Attempt, CpuReading, QuotaReading};

/// The throttled time from which an attempt counts as throttled: one pause of a CPU that has spent
/// its balance, which stands still for 75 ms of every 80 ms. Less is the rounding of a counter.
pub(super) const THROTTLE_FLOOR: Duration = Duration::from_millis(75);

/// How long the quota held back the CPUs of the machines that served an attempt; `None` if that is
/// not known.
pub(super) fn throttled_time(attempt: &Attempt) -> Option<Duration> {
    let QuotaReading::Known(readings) = &attempt.quota else { return None };
    match &attempt.machine {
        // Other machines of the app do not slow this one's answers down.
        Some(own) => readings.get(own).map(|reading| reading.throttled),
        None => readings.values().map(|reading| reading.throttled).max(),
    }
}

/// Whether the quota held CPUs back in an attempt.
pub(super) fn is_throttled(attempt: &Attempt) -> bool {
    throttled_time(attempt).is_some_and(|time| time >= THROTTLE_FLOOR)
}

/// The reading of the machine that answered, or of the only one.
pub(super) fn own_reading(attempt: &Attempt) -> Option<&CpuReading> {
    own_entry(attempt).map(|(_, reading)| reading)
}

/// The id of the machine that answered, or of the only one, and its reading.
pub(super) fn own_entry(attempt: &Attempt) -> Option<(&str, &CpuReading)> {
    let QuotaReading::Known(readings) = &attempt.quota else { return None };
    let (id, reading) = match &attempt.machine {
        Some(own) => readings.get_key_value(own)?,
        None => readings.iter().next().filter(|_| readings.len() == 1)?,
    };
    Some((id, reading))
}
