//! How several probers share a run.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::units::format_duration;

/// How several probers shared a run: each took every `of`-th arrival of the same schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShardSharing {
    /// The number of shards.
    pub of: u32,
    /// When the measured stage started (RFC 3339, UTC): by each prober's own calendar clock, or by
    /// the store's clock for probers whose records have a `clock`.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub start: OffsetDateTime,
    /// The shard records in this measurement: one in a prober's own, all of them in a merged one.
    /// If a shard occurs more than once, only its first record was counted.
    pub parts: Vec<ShardRecord>,
    /// The shards that are known to be lost, in a merged measurement, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostShard>,
}

impl ShardSharing {
    /// When the measured stage started, as the command line takes it.
    pub fn start_text(&self) -> String {
        self.start.format(&Rfc3339).unwrap_or_else(|_| self.start.to_string())
    }

    /// Whether a run is a part of a run rather than the whole: a shard's own, even if it is the
    /// only one, or a merged run that lacks shards.
    pub fn is_part(&self, run: Uuid) -> bool {
        !self.missing_shards().is_empty() || self.parts.iter().any(|part| part.run == run)
    }

    /// The shards without a record, counted from 1.
    pub fn missing_shards(&self) -> Vec<u32> {
        (1..=self.of).filter(|shard| self.times(*shard) == 0).collect()
    }

    /// The shards with more than one record, each with the number of its records.
    pub fn repeated_shards(&self) -> Vec<(u32, usize)> {
        let times = (1..=self.of).map(|shard| (shard, self.times(shard)));
        times.filter(|(_, times)| *times > 1).collect()
    }

    fn times(&self, shard: u32) -> usize {
        self.parts.iter().filter(|part| part.shard == shard).count()
    }
}

/// One shard, measured by one prober.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShardRecord {
    /// The shard's number, counted from 1.
    pub shard: u32,
    /// The id of the prober's own run.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub run: Uuid,
    /// The name of the machine.
    pub host: String,
    /// How its clock differed from that of the store, which gave the start; `None` if the prober
    /// started by its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ShardClock>,
}

/// A shard without a run that could be merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostShard {
    /// The shard's number, counted from 1.
    pub shard: u32,
    /// The name of the machine that registered for it; `None` if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Why it is lost: what its machine did, or that there was none.
    pub why: String,
    /// Whether the machine still has the shard's run, which it only did not store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub can_be_stored: bool,
}

impl LostShard {
    /// The machine and why its shard is lost: `web-2 was cut off`.
    pub fn words(&self) -> String {
        let host = self.host.iter().map(|host| format!("{host} "));
        host.chain([self.why.clone()]).collect()
    }
}

/// How a prober's calendar clock differs from the clock that several probers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShardClock {
    /// What must be added to the prober's clock, in microseconds.
    pub offset_us: i64,
    /// The most by which that may be wrong, in microseconds.
    pub error_us: u64,
}

impl ShardClock {
    /// The largest error with which a start counts as common to all probers.
    const TOLERANCE: Duration = Duration::from_millis(5);

    /// From one question to the shared clock: the prober's own clock showed `asked` before it, and
    /// the answer `shared` came after `round_trip`.
    ///
    /// Half-way between question and answer is at most half of the round trip wrong (Cristian's
    /// algorithm, <https://doi.org/10.1007/BF01784024>).
    pub fn of_question(
        asked: OffsetDateTime,
        shared: OffsetDateTime,
        round_trip: Duration,
    ) -> Self {
        let half = round_trip / 2;
        let offset = shared - (asked + half);
        let micros = |time: i128| i64::try_from(time).unwrap_or(i64::MAX);
        // One more for what is lost by rounding to whole microseconds.
        let error_us = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        Self { offset_us: micros(offset.whole_microseconds()), error_us }
    }

    /// What must be added to the prober's clock.
    pub fn offset(self) -> time::Duration {
        time::Duration::microseconds(self.offset_us)
    }

    /// Whether the error is so large that the probers may not have started together.
    pub fn is_vague(self) -> bool {
        Duration::from_micros(self.error_us) > Self::TOLERANCE
    }

    /// `84 ms behind, ± 400 µs`, as a statement about the prober's clock.
    pub fn words(self) -> String {
        let way = if self.offset_us < 0 { "ahead" } else { "behind" };
        let offset = format_duration(Duration::from_micros(self.offset_us.unsigned_abs()));
        let error = format_duration(Duration::from_micros(self.error_us));
        format!("{offset} {way}, ± {error}")
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_offset_of_a_clock_is_half_a_round_trip_wrong_at_most() {
        let asked = datetime!(2026-11-29 12:00 UTC);
        for true_offset_ms in [-90_000, -3, 0, 3, 90_000] {
            for (there_us, back_us) in [(0, 900), (900, 0), (450, 450), (12_345, 1)] {
                let truth = time::Duration::milliseconds(true_offset_ms);
                let shared = asked + Duration::from_micros(there_us) + truth;
                let round_trip = Duration::from_micros(there_us + back_us);
                let clock = ShardClock::of_question(asked, shared, round_trip);
                let wrong = (clock.offset() - truth).whole_microseconds().unsigned_abs();
                assert!(wrong <= u128::from(clock.error_us), "{clock:?}");
                assert!(clock.error_us <= u64::midpoint(there_us, back_us) + 2, "{clock:?}");
            }
        }
    }

    #[test]
    fn more_than_five_milliseconds_of_error_are_vague_however_large_the_offset() {
        let clock = |offset_us, error_us| ShardClock { offset_us, error_us };
        assert!(!clock(90_000_000, 5_000).is_vague());
        assert!(clock(0, 5_001).is_vague());
        assert_eq!(clock(-84_000, 400).words(), "84 ms ahead, ± 400 µs");
    }
}
