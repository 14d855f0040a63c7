//! How a run was shared out over several probers.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// How a run was shared out over several probers: each took every `of`-th arrival of the same schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// Over how many.
    pub of: u32,
    /// When the measured phase started, on every prober's own calendar clock (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    pub start: OffsetDateTime,
    /// The parts that are in this measurement: one in a prober's own, all of them in a merged one.
    pub parts: Vec<Part>,
}

/// One prober's part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which part, counted from 1.
    pub shard: u32,
    /// The run it was measured in.
    pub run: Uuid,
    /// The name of the machine.
    pub host: String,
}
