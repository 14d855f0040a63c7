//! A request's figures without one block of time each, from which comparisons get their error.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{counts, micros};
use crate::units::Quantile;

/// The figures of one request in the measured stage, each time without one block of time.
///
/// How much they differ shows how much a figure would differ in another run of the same target
/// (jackknife). Requests cannot show it, because they are not independent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockFigures {
    /// Length of the measured time that the blocks divide.
    #[serde(rename = "measured_us", with = "micros")]
    #[schemars(with = "u64")]
    pub measured: Duration,
    /// How long latencies are correlated, at least a second. A block is at least three times as
    /// long.
    #[serde(rename = "together_us", with = "micros")]
    #[schemars(with = "u64")]
    pub together: Duration,
    /// The figures without the first block, without the second, and so on; empty if the measured
    /// time has too few blocks.
    pub without: Vec<FiguresWithout>,
}

/// The figures of a request without one block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FiguresWithout {
    /// Finished exchanges that are left.
    #[serde(deserialize_with = "counts::read")]
    pub exchanges: u64,
    /// Those that failed.
    #[serde(deserialize_with = "counts::read")]
    pub failed: u64,
    /// The median of their latencies in microseconds; `None` if it falls among the failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<u64>,
    /// The 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_us: Option<u64>,
    /// The 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<u64>,
}

impl BlockFigures {
    /// The quantiles that are compared.
    pub const QUANTILES: [Quantile; 3] = [Quantile::P50, Quantile::P95, Quantile::P99];
    /// The number of blocks, unless they would be shorter than three times as long as
    /// latencies are correlated.
    pub const MOST_BLOCKS: usize = 20;
    /// With fewer blocks, nothing is compared: the error of a difference would be a guess.
    pub const FEWEST_BLOCKS: usize = 6;
    /// A block is at least this many times as long as latencies are correlated.
    pub const TIMES_TOGETHER: u32 = 3;

    /// How long latencies are correlated at least: a shorter time is not looked for.
    pub const LEAST_TOGETHER: Duration = Duration::from_secs(1);

    /// The shortest measured time that can be compared.
    pub fn needed(&self) -> Duration {
        Self::needed_for(self.together)
    }

    /// The shortest measured time that can be compared if latencies are correlated for this long.
    pub fn needed_for(together: Duration) -> Duration {
        let blocks = u32::try_from(Self::FEWEST_BLOCKS).unwrap_or(u32::MAX);
        together.saturating_mul(Self::TIMES_TOGETHER).saturating_mul(blocks)
    }
}

impl FiguresWithout {
    /// The quantiles in microseconds, in the order of [`BlockFigures::QUANTILES`].
    pub fn quantiles(&self) -> [Option<u64>; 3] {
        [self.p50_us, self.p95_us, self.p99_us]
    }
}
