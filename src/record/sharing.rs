//! How several probers share a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// How several probers shared a run: each took every `of`-th arrival of the same schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShardSharing {
    /// The number of shards.
    pub of: u32,
    /// When the measured stage started, by each prober's own calendar clock (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub start: OffsetDateTime,
    /// The shard records in this measurement: one in a prober's own, all of them in a merged one.
    /// If a shard occurs more than once, only its first record was counted.
    pub parts: Vec<ShardRecord>,
}

impl ShardSharing {
    /// When the measured stage started, as the command line takes it.
    pub fn start_text(&self) -> String {
        self.start.format(&Rfc3339).unwrap_or_else(|_| self.start.to_string())
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
}
