//! What was measured and decided, as data: the hinge between the engine and everything downstream.
//!
//! Stores, reports and histories read these types and nothing else. They hold no behaviour beyond what
//! keeps them consistent (adding, counting, reading a quantile).

mod adder;
mod budget;
pub mod checkup;
mod comparison;
mod dimension;
mod encoded;
mod histogram;
mod json_type;
mod measurement;
mod merge;
mod outcome;
mod packed;
mod prober;
mod run;
mod server_timings;
mod sharing;
mod summary;
mod tally;
mod verdict;

pub use adder::Adder;
pub use budget::{Budget, Limit};
pub use comparison::{
    BudgetChange, Change, Compared, Comparison, Difference, PartChange, ProberHealth,
    QuantileChange, RequestComparison, ShareChange, Sides,
};
pub use dimension::Dimension;
pub use encoded::HistogramError;
pub use histogram::{Histogram, Series};
pub use json_type::JsonType;
pub use measurement::{
    Actual, Connections, Ending, Interval, Lookups, Measurement, RequestMeasurement,
    ScenarioMeasurement, Stage, StageMeasurement,
};
pub use merge::{difference, told_differences};
pub use outcome::{Evidence, EvidenceLog, Failure};
pub use packed::Packed;
pub use prober::Prober;
pub use run::{
    Capacity, FORMAT, Host, PlannedRequest, PlannedScenario, Provenance, RunRecord, run_name,
};
pub use server_timings::ServerTimings;
pub use sharing::{Part, Sharing};
pub use summary::{RequestSummary, RunSummary};
pub use tally::{Ceiling, CeilingCount, Tally};
pub use verdict::{BudgetVerdict, Decision, Reason, ScenarioVerdict, Verdict};

/// Durations as whole microseconds in files, under field names that end in `_us`.
pub mod micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes a duration as microseconds, saturating at `u64::MAX`.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }

    /// Reads a duration from microseconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_micros)
    }
}
