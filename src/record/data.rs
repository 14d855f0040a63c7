//! Which rows of a data file the arrivals of a scenario use, and how they choose among requests
//! and among the two targets of a duet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The order in which arrivals use the rows of a data file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowOrder {
    /// In the order of the file, again and again.
    #[default]
    Sequential,
    /// In a random order, another one for each pass over the file.
    Shuffle,
    /// In the order of the file, each row at most once.
    Once,
}

/// The data file of a scenario. It holds no value of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedData {
    /// The file as the scenario names it.
    pub file: String,
    /// The number of rows.
    pub rows: u64,
    /// The SHA-256 of the file in hexadecimal digits; `None` unless all its columns are public,
    /// because the values of a small secret file could be guessed from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The order in which the arrivals use the rows.
    pub order: RowOrder,
    /// The seed of a random order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl PlannedData {
    /// The file, its rows and their order in one line: `users.csv, 1000 rows in the order of the
    /// file`.
    pub fn words(&self) -> String {
        let rows = if self.rows == 1 { "1 row".to_owned() } else { format!("{} rows", self.rows) };
        let order = match (self.order, self.seed) {
            (RowOrder::Sequential, _) => "in the order of the file".to_owned(),
            (RowOrder::Once, _) => "in the order of the file, each at most once".to_owned(),
            (RowOrder::Shuffle, seed) => format!("shuffled with seed {}", seed.unwrap_or_default()),
        };
        format!("{}, {rows} {order}", self.file)
    }
}

/// How each arrival of a scenario chooses the one request that it sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedDraw {
    /// The seed of the draws.
    pub seed: u64,
    /// The weight of each request, in the order of the scenario, without hops and tries.
    pub weights: Vec<PlannedWeight>,
}

/// The weight of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedWeight {
    /// The request's name.
    pub request: String,
    /// Its weight; its share is this part of all weights.
    pub weight: u32,
}

impl PlannedDraw {
    /// The share of the arrivals that send a request; `None` if it is not one of these.
    pub fn share_of(&self, request: &str) -> Option<f64> {
        let all: f64 = self.weights.iter().map(|weight| f64::from(weight.weight)).sum();
        let own = self.weights.iter().find(|weight| weight.request == request)?;
        Some(f64::from(own.weight) / all)
    }

    /// How many of some arrivals are expected to send a request.
    pub fn expected(&self, request: &str, arrivals: u64) -> Option<u64> {
        let expected = self.share_of(request)? * arrivals as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
        Some(expected.round() as u64)
    }

    /// Weights and seed in one line: `read 3, write 1, drawn with seed 0`.
    pub fn words(&self) -> String {
        let all: Vec<_> =
            self.weights.iter().map(|one| format!("{} {}", one.request, one.weight)).collect();
        format!("{}, drawn with seed {}", all.join(", "), self.seed)
    }
}

/// One side of a duet: two targets that share the arrivals of one schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedDuet {
    /// The side: the target as it was, or the new one.
    pub side: DuetSide,
    /// The scenario of the other side.
    pub other: String,
    /// The seed of the coin that draws the side of each arrival.
    pub seed: u64,
}

/// A side of a duet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuetSide {
    /// The target as it was.
    A,
    /// The new target, which is compared with the other one.
    B,
}

impl PlannedDuet {
    /// The share of the arrivals that each side sends.
    pub const SHARE: f64 = 0.5;
}
