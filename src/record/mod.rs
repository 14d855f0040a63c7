//! Measurements and verdicts as data.
//!
//! The engine produces these types; stores, reports and histories read only them. The types have
//! only behaviour that keeps them consistent: adding, counting, reading a quantile.

mod address_attempts;
mod alert_rule;
mod baseline_limit;
mod block_figures;
mod buckets;
mod budget;
pub mod checkup;
mod comparison;
mod continuation;
pub mod cpu_quota;
mod data;
mod dimension;
mod early_end;
mod encoded;
mod encoded_histogram;
mod failure;
mod failure_evidence;
mod figures;
mod gate_policy;
mod histogram;
mod json_type;
mod measurement;
mod merge;
mod peer;
mod prober;
mod run;
mod run_schema;
mod server_timings;
pub mod session;
mod sharing;
mod slot_counts;
mod stall_horizon;
mod step;
mod suggestion;
mod summary;
mod tally;
mod v2_format;
mod v2_reader;
mod verdict;

pub use address_attempts::AddressAttempts;
pub use alert_rule::{AlertFormat, AlertRule};
pub use baseline_limit::{BaselineLimit, BaselineWindow, LearnedLimit};
pub use block_figures::{BlockFigures, FiguresWithout};
pub use budget::{BaselineMargin, Budget, CountLimit};
pub use comparison::{
    BeforeAfter, BlameChange, BudgetChange, ChangeVerdict, ComparedRun, Comparison, ProberHealth,
    QuantileChange, QuantileDifference, RequestComparison, RequestName, ShareChange,
};
pub use continuation::{continuation_differences, without_length};
pub use data::{DuetSide, PlannedData, PlannedDraw, PlannedDuet, PlannedWeight, RowOrder};
pub use dimension::Dimension;
pub use early_end::{EarlyEnd, ProvenBreach};
pub use encoded::HistogramError;
pub use encoded_histogram::EncodedHistogram;
pub use failure::Failure;
pub use failure_evidence::{AnswerDetail, EvidenceLog, FailureEvidence, IdleTimes};
pub use figures::{BudgetFigures, ConditionPool, PhaseFigures, RequestFigures, RunConditions};
pub use gate_policy::{
    BreakerPolicy, GateDecision, GatePolicy, GateRequirement, OnInconclusive, StopEarly, is_tag_key,
};
pub use histogram::{DimensionHistograms, Histogram};
pub use json_type::JsonType;
pub use measurement::{
    ActualQuantile, ConnectionCounts, Interval, LookupMeasurement, Measurement, RequestMeasurement,
    RunEnding, ScenarioMeasurement, Stage, StageMeasurement,
};
pub use merge::{merge_obstacle, plan_differences};
pub use peer::{PeerConnection, PeerCounts, PeerMeasurement};
pub use prober::ProberMeasurement;
pub use run::{
    CapacityEstimate, ENVIRONMENT_TAG, FORMAT, HostFacts, IMPORTED_TAG, NODE_CHECK,
    NODE_FETCH_START, OWN_CHECK, PlannedRequest, PlannedScenario, RunProvenance, RunRecord, in_utc,
    is_run_name, run_name,
};
pub use run_schema::run_schema;
pub use server_timings::ServerTimings;
pub use sharing::{LostShard, ShardClock, ShardRecord, ShardSharing};
pub use slot_counts::{SlotCount, SlotCounts};
pub use stall_horizon::StallHorizon;
pub use step::{StepRecord, is_teardown_owed};
pub use suggestion::{RequestSuggestion, SuggestedBudget};
pub use summary::{ImportedFacts, RequestSummary, RunSummary};
pub use tally::{Ceiling, CeilingCount, Tally};
pub use verdict::{
    BlockCounts, BudgetEvidence, BudgetVerdict, Decision, EarlierBlocks, ScenarioVerdict, Verdict,
    VerdictReason,
};

/// Counts in files. A count that is greater than any run can reach is refused where it stands: a
/// file may come from anywhere, and exact tests take time that grows with the counts.
pub mod counts {
    use std::collections::BTreeMap;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer};

    /// The greatest count. A run of 24 hours would have to send 12 million requests a second.
    pub const MOST: u64 = 1 << 40;

    fn check<E: Error>(count: u64) -> Result<u64, E> {
        if count > MOST { Err(E::custom("a count that no run can reach")) } else { Ok(count) }
    }

    /// Reads a count.
    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        u64::deserialize(deserializer).and_then(check)
    }

    /// Reads counts by name.
    pub fn read_map<'de, D: Deserializer<'de>, K: Deserialize<'de> + Ord>(
        deserializer: D,
    ) -> Result<BTreeMap<K, u64>, D::Error> {
        let counts: BTreeMap<K, u64> = BTreeMap::deserialize(deserializer)?;
        counts.values().try_for_each(|count| check(*count).map(drop))?;
        Ok(counts)
    }
}

/// Durations as whole microseconds in files, under field names that end in `_us`.
pub mod micros {
    use std::time::Duration;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::units::LONGEST_DURATION;

    /// A duration in whole microseconds, saturating at `u64::MAX`.
    pub fn whole(duration: Duration) -> u64 {
        u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
    }

    /// Writes a duration as microseconds, saturating at `u64::MAX`.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(whole(*duration))
    }

    /// Reads a duration from microseconds. One that is longer than [`LONGEST_DURATION`] is refused.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let duration = Duration::from_micros(u64::deserialize(deserializer)?);
        let is_too_long = duration > LONGEST_DURATION;
        if is_too_long { Err(D::Error::custom("a duration above ten years")) } else { Ok(duration) }
    }
}
