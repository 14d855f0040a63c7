//! Tuning a target: what its sessions prove, as pure functions of what was measured.

mod rate_search;

pub use self::rate_search::{
    Confirmation, NextStep, RateInterval, RateReason, RateSearch, RisingLatency, SearchBounds,
    SearchEnding, SearchStep, StepPurpose,
};
