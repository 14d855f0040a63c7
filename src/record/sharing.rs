//! How a run was shared out over several probers.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// How a run was shared out over several probers: each took every `of`-th arrival of the same
/// schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardSharing {
    /// Over how many.
    pub of: u32,
    /// When the measured phase started, on every prober's own calendar clock (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    pub start: OffsetDateTime,
    /// The parts that are in this measurement: one in a prober's own, all of them in a merged one.
    /// Of a shard that is named more than once, only the first part was counted.
    pub parts: Vec<ShardRecord>,
}

impl ShardSharing {
    /// When the measured phase started, as it is typed.
    pub fn start_text(&self) -> String {
        self.start.format(&Rfc3339).unwrap_or_else(|_| self.start.to_string())
    }

    /// The shards that are in no part, counted from 1.
    pub fn missing_shards(&self) -> Vec<u32> {
        (1..=self.of).filter(|shard| self.times(*shard) == 0).collect()
    }

    /// The shards that are in more than one part, each with how often it is there.
    pub fn repeated_shards(&self) -> Vec<(u32, usize)> {
        let times = (1..=self.of).map(|shard| (shard, self.times(shard)));
        times.filter(|(_, times)| *times > 1).collect()
    }

    fn times(&self, shard: u32) -> usize {
        self.parts.iter().filter(|part| part.shard == shard).count()
    }
}

/// One prober's part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// Which part, counted from 1.
    pub shard: u32,
    /// The run it was measured in.
    pub run: Uuid,
    /// The name of the machine.
    pub host: String,
}
