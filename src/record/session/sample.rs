//! Single exchanges, kept one by one where their order matters.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Dimension, Failure, micros};

/// One exchange, kept on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExchangeSample {
    /// The request's name.
    pub request: String,
    /// When it was due, counted from the start of the stage.
    #[serde(rename = "due_us", with = "micros")]
    #[schemars(with = "u64")]
    pub due: Duration,
    /// From due until it ended, even if it failed.
    #[serde(rename = "latency_us", with = "micros")]
    #[schemars(with = "u64")]
    pub latency: Duration,
    /// How long each part took that it completed, in microseconds: lag, wait, dns, connect, proxy,
    /// tls, `first_byte`, body. Redirect hops are included. Those of an ok exchange add up to its
    /// latency in whole microseconds; sums such as setup and service are left out.
    #[serde(rename = "parts_us", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<Dimension, u64>,
    /// How it failed; `None` if it met every expectation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether a connection was opened for it.
    #[serde(default)]
    pub fresh: bool,
    /// The state of what answered it; `None` outside of sessions, and until a conclusion is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub heat: Option<SampleHeat>,
}

impl ExchangeSample {
    /// The maximum number that one scenario of a run keeps.
    pub const MAX_KEPT: usize = 10_000;

    /// How long a part took; zero if it did not complete it.
    pub fn part(&self, dimension: Dimension) -> Duration {
        Duration::from_micros(self.parts.get(&dimension).copied().unwrap_or_default())
    }

    /// The target's part of the latency: first byte and body.
    pub fn service(&self) -> Duration {
        self.part(Dimension::FirstByte) + self.part(Dimension::Body)
    }
}

/// The state of what answered a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleHeat {
    /// A machine that had just booted, before it was steady.
    Cold,
    /// A machine that had resumed from a snapshot, before it was steady.
    Resumed,
    /// A machine that had reached its steady state.
    Warm,
    /// Not known: how the machine started, which one answered, or why a running one was not steady.
    Unknown,
}

impl SampleHeat {
    /// Every state; *warm* comes last, as in reports.
    pub const ALL: [Self; 4] = [Self::Cold, Self::Resumed, Self::Unknown, Self::Warm];

    /// The word that is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Resumed => "resumed",
            Self::Warm => "warm",
            Self::Unknown => "unknown",
        }
    }
}
