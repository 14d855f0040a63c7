//! Everything measured in one run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::session::ExchangeSample;
use super::{
    AddressAttempts, BlockFigures, Ceiling, DimensionHistograms, EarlyEnd, EvidenceLog, Failure,
    Histogram, PeerMeasurement, ProberMeasurement, ServerTimings, ShardSharing, StepRecord, Tally,
    counts, micros,
};

/// The part of a run that an exchange belongs to. The first two together are the run's warm-up.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The first exchange of a connection in the warm-up, which pays for name, TCP and TLS.
    Cold,
    /// The later exchanges of a connection in the warm-up.
    Warmup,
    /// After the warm-up. Only this stage is judged.
    Measured,
}

impl Stage {
    /// Every stage, in the order of a run.
    pub const ALL: [Self; 3] = [Self::Cold, Self::Warmup, Self::Measured];

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warmup => "warmup",
            Self::Measured => "measured",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The exchanges of one request and stage that were due in one second.
///
/// Intervals are settled: every exchange is done, failed, dropped or timed out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The scenario's name.
    pub scenario: String,
    /// The request's name.
    pub request: String,
    /// The stage of the run.
    pub stage: Stage,
    /// The start of the second, counted from the start of the run.
    #[serde(rename = "start_us", with = "micros")]
    #[schemars(with = "u64")]
    pub start: Duration,
    /// Counts of the exchanges.
    pub tally: Tally,
    /// Histograms by dimension, stored in the interval log and not next to the counts. Those of
    /// latency, service, first byte and body cover the ok exchanges; the others also cover
    /// exchanges that failed later.
    #[serde(skip)]
    pub series: DimensionHistograms,
    /// The target's `Server-Timing` report, also stored in the interval log.
    #[serde(skip)]
    pub server_timings: ServerTimings,
    /// Its exchanges one by one, in the order of due times, if the plan keeps them: those of the
    /// tally, and those that the prober's own side ended. A scenario keeps only its first
    /// [`ExchangeSample::MAX_KEPT`]. The database does not store them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<ExchangeSample>,
}

/// One stage of one request over the whole run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageMeasurement {
    /// Counts of the exchanges.
    pub tally: Tally,
    /// Histograms by dimension. Those of latency, service, first byte and body cover the ok
    /// exchanges; the others also cover exchanges that failed later.
    pub series: DimensionHistograms,
    /// The target's `Server-Timing` report in the answers of the ok exchanges.
    #[serde(default, skip_serializing_if = "ServerTimings::is_empty")]
    pub server_timings: ServerTimings,
    /// The failures that occurred.
    pub evidence: EvidenceLog,
}

impl StageMeasurement {
    /// Adds an interval's counts and histograms.
    pub fn add(&mut self, interval: &Interval) {
        self.tally.add(&interval.tally);
        self.series.merge(&interval.series);
        self.server_timings.merge(&interval.server_timings);
    }
}

/// One request over the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequestMeasurement {
    /// The request's name.
    pub name: String,
    /// The ceilings whose exceedances were counted.
    pub ceilings: Vec<Ceiling>,
    /// The first exchange of each connection in the warm-up.
    pub cold: StageMeasurement,
    /// The later exchanges of each connection in the warm-up.
    pub warmup: StageMeasurement,
    /// The measured stage.
    pub measured: StageMeasurement,
    /// The measured stage by address and connection; absent from records of earlier versions and
    /// from recovered ones.
    #[serde(default, skip_serializing_if = "PeerMeasurement::is_empty")]
    pub peers: PeerMeasurement,
    /// The figures of the measured stage without one block of time each, for comparisons; absent
    /// from records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BlockFigures>,
}

impl RequestMeasurement {
    /// A request for which nothing is measured yet.
    pub fn new(name: String, ceilings: Vec<Ceiling>) -> Self {
        let [cold, warmup, measured] = [(); 3].map(|()| StageMeasurement::default());
        let peers = PeerMeasurement::default();
        Self { name, ceilings, cold, warmup, measured, peers, blocks: None }
    }

    /// The measurement of one stage.
    pub fn stage(&self, stage: Stage) -> &StageMeasurement {
        match stage {
            Stage::Cold => &self.cold,
            Stage::Warmup => &self.warmup,
            Stage::Measured => &self.measured,
        }
    }

    /// The measurement of one stage, to add to it.
    pub fn stage_mut(&mut self, stage: Stage) -> &mut StageMeasurement {
        match stage {
            Stage::Cold => &mut self.cold,
            Stage::Warmup => &mut self.warmup,
            Stage::Measured => &mut self.measured,
        }
    }
}

/// How many connections a scenario opened, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionCounts {
    /// Connections opened in total.
    #[serde(deserialize_with = "counts::read")]
    pub opened: u64,
    /// Connections opened because the target had closed the previous one between two exchanges:
    /// while it was idle, with its last answer (`Connection: close`, HTTP/1.0), or without
    /// processing an exchange (GOAWAY without error).
    #[serde(deserialize_with = "counts::read")]
    pub reopened_after_idle_close: u64,
    /// Connections opened because tollgate gave the previous one up: the target answered before all
    /// of the request was sent, its answer had both a length and a transfer coding, or a limit of
    /// the HTTP/2 library was near.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[serde(deserialize_with = "counts::read")]
    pub replaced: u64,
    /// Attempts to connect that failed.
    #[serde(deserialize_with = "counts::read")]
    pub failed: u64,
}

impl ConnectionCounts {
    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.opened += other.opened;
        self.reopened_after_idle_close += other.reopened_after_idle_close;
        self.replaced += other.replaced;
        self.failed += other.failed;
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One scenario over the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioMeasurement {
    /// The scenario's name.
    pub name: String,
    /// The steps of its setup that ran or were left out, in order; older records have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<StepRecord>,
    /// The steps of its teardown that ran or were left out, in order; older records have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teardown: Vec<StepRecord>,
    /// Its requests, in the order of the scenario file.
    pub requests: Vec<RequestMeasurement>,
    /// Arrivals in the schedule up to the end of the measured stage; `None` in the closed model.
    pub planned: Option<u64>,
    /// Arrivals that the prober released, without those that failed on its own side.
    #[serde(deserialize_with = "counts::read")]
    pub released: u64,
    /// Arrivals that were due and that the prober did not release by the end of the run, or that
    /// failed on its own side, which includes its proxy.
    #[serde(deserialize_with = "counts::read")]
    pub unreleased: u64,
    /// How many of the unreleased arrivals failed, by failure; the rest were never released. Absent
    /// from records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_failures: Option<BTreeMap<Failure, u64>>,
    /// Arrivals that the end of the run cut off before they were sent or answered. They have no
    /// outcome and enter no tally.
    #[serde(deserialize_with = "counts::read")]
    pub abandoned: u64,
    /// Counts of connections.
    pub connections: ConnectionCounts,
    /// The protocols used: `HTTP/1.1`, `HTTP/2 over TLS 1.3`; empty if no connection was opened.
    pub protocols: Vec<String>,
    /// How many connections were opened to each address, as `192.0.2.1:443`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(deserialize_with = "counts::read_map")]
    pub addresses: BTreeMap<String, u64>,
    /// How many attempts to connect to each address failed, including those after which another
    /// address answered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(deserialize_with = "counts::read_map")]
    pub unreached: BTreeMap<String, u64>,
    /// The attempts to connect, by host and then by address, of hosts with several addresses;
    /// absent from records of earlier versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attempts: BTreeMap<String, BTreeMap<String, AddressAttempts>>,
    /// Look-ups of the target's names, in the background or during an exchange; empty if addresses
    /// were given.
    #[serde(default, skip_serializing_if = "LookupMeasurement::is_empty")]
    pub lookups: LookupMeasurement,
}

impl ScenarioMeasurement {
    /// How many of the unreleased arrivals ended at a limit of tollgate itself.
    pub fn ended_at_limits(&self) -> u64 {
        self.unreleased_by(Failure::OwnLimit)
    }

    /// How many of the unreleased arrivals were ended by a defect of tollgate.
    pub fn ended_by_defects(&self) -> u64 {
        self.unreleased_by(Failure::Defect)
    }

    /// How many of the unreleased arrivals the proxy did not let through to the target.
    pub fn ended_at_proxy(&self) -> u64 {
        self.unreleased_by(Failure::Proxy)
    }

    /// How many of the unreleased arrivals the prober or its machine did not send.
    pub fn never_sent(&self) -> u64 {
        let explained = self.ended_at_limits() + self.ended_at_proxy() + self.ended_by_defects();
        self.unreleased.saturating_sub(explained)
    }

    /// How many of the unreleased arrivals ended by a failure of the prober's own side.
    fn unreleased_by(&self, failure: Failure) -> u64 {
        let counts = self.known_own_failures();
        counts.get(&failure).copied().unwrap_or_default().min(self.unreleased)
    }

    /// How many of the unreleased arrivals failed, by failure. A record of an earlier version does
    /// not state it: its evidence shows those that ended at limits, and also counts hops and tries.
    pub(super) fn known_own_failures(&self) -> BTreeMap<Failure, u64> {
        if let Some(counts) = &self.own_failures {
            return counts.clone();
        }
        let all = self.requests.iter().flat_map(|request| request.measured.evidence.by_count());
        let of_limits = all.filter(|evidence| evidence.failure == Failure::OwnLimit);
        let count: u64 = of_limits.map(|evidence| evidence.count).sum();
        BTreeMap::from([(Failure::OwnLimit, count.min(self.unreleased))])
    }

    /// Adds failures of further arrivals on the prober's own side. `unreleased` does not change.
    pub fn add_own_failures(&mut self, counts: &BTreeMap<Failure, u64>) {
        let mine = self.own_failures.get_or_insert_default();
        for (failure, count) in counts.iter().filter(|(_, count)| **count > 0) {
            *mine.entry(*failure).or_default() += count;
        }
    }

    /// A scenario for which nothing is counted yet.
    pub fn new(name: String, requests: Vec<RequestMeasurement>) -> Self {
        Self {
            name,
            setup: Vec::new(),
            teardown: Vec::new(),
            requests,
            planned: None,
            released: 0,
            unreleased: 0,
            own_failures: Some(BTreeMap::new()),
            abandoned: 0,
            connections: ConnectionCounts::default(),
            protocols: Vec::new(),
            addresses: BTreeMap::new(),
            unreached: BTreeMap::new(),
            attempts: BTreeMap::new(),
            lookups: LookupMeasurement::default(),
        }
    }
}

/// Look-ups of the target's names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LookupMeasurement {
    /// The durations of the look-ups that found an address.
    pub took: Histogram,
    /// How many look-ups found no address.
    #[serde(deserialize_with = "counts::read")]
    pub failed: u64,
}

impl LookupMeasurement {
    /// Whether nothing was looked up.
    pub fn is_empty(&self) -> bool {
        self.took.count() == 0 && self.failed == 0
    }

    /// Adds other look-ups.
    pub fn add(&mut self, other: &Self) {
        self.took.add(&other.took);
        self.failed += other.failed;
    }
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "ended", content = "why")]
pub enum RunEnding {
    /// Every planned arrival was executed.
    Complete,
    /// A step of `[[setup]]` failed, so nothing was measured: by this prober, or, in a merged run,
    /// by the probers of the shards in which it failed. The text names its scenario.
    SetupFailed(String),
    /// A signal stopped the run. The prober waited for the exchanges in progress.
    Interrupted,
    /// The prober stopped because the target was clearly down. The text states how that showed.
    TargetDown(String),
    /// The prober stopped because the evidence for the verdict was clear. The content states what
    /// was proven, and after how much of the planned time.
    ProvenEarly(EarlyEnd),
    /// Whoever watched the run had seen enough. Runs that are judged never end so.
    SeenEnough,
    /// The record was rebuilt from the folder of a run that did not finish writing.
    Recovered,
    /// The record was made from another tool's files. The text states what they do not contain.
    Imported(String),
}

/// Everything measured in one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// The scenarios, in the order of the command.
    pub scenarios: Vec<ScenarioMeasurement>,
    /// The start of the measured stage, counted from the start of the run.
    #[serde(rename = "measured_from_us", with = "micros")]
    #[schemars(with = "u64")]
    pub measured_from: Duration,
    /// How long the run took, warm-up and draining included.
    #[serde(rename = "elapsed_us", with = "micros")]
    #[schemars(with = "u64")]
    pub elapsed: Duration,
    /// Why it ended.
    pub ending: RunEnding,
    /// Measurements of the prober itself.
    #[serde(default)]
    pub prober: ProberMeasurement,
    /// How several probers shared the run; `None` if one prober executed all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<ShardSharing>,
}

impl Measurement {
    /// A measurement of these scenarios by one prober, with an ending and no times.
    pub fn with_scenarios(scenarios: Vec<ScenarioMeasurement>, ending: RunEnding) -> Self {
        Self {
            scenarios,
            measured_from: Duration::ZERO,
            elapsed: Duration::ZERO,
            ending,
            prober: ProberMeasurement::default(),
            sharing: None,
        }
    }

    /// Whether the run ended in its warm-up, before anything that is judged.
    pub fn ended_in_warmup(&self) -> bool {
        self.measured_from >= self.elapsed
    }

    /// Whether anything that is judged was measured. Also true if one shard's setup failed and
    /// another shard measured.
    pub fn has_measured(&self) -> bool {
        let mut requests = self.scenarios.iter().flat_map(|scenario| &scenario.requests);
        requests.any(|request| request.measured.tally.exchanges > 0)
    }

    /// Adds a settled interval to the totals of its request. Intervals of unknown requests are left
    /// out.
    pub fn add(&mut self, interval: &Interval) {
        let scenario =
            self.scenarios.iter_mut().find(|scenario| scenario.name == interval.scenario);
        let requests = scenario.map(|scenario| &mut scenario.requests).into_iter().flatten();
        for request in requests.filter(|request| request.name == interval.request) {
            request.stage_mut(interval.stage).add(interval);
        }
        self.elapsed = self.elapsed.max(interval.start + Duration::from_secs(1));
    }

    /// Rewrites every text that a target can influence, to redact secrets; `rewrite_row` is for
    /// the kept rows of queries.
    pub fn rewrite_evidence(
        &mut self,
        rewrite: impl Fn(&str) -> String,
        rewrite_row: impl Fn(&str) -> String,
    ) {
        for scenario in &mut self.scenarios {
            let steps = scenario.setup.iter_mut().chain(&mut scenario.teardown);
            steps.for_each(|step| step.rewrite_evidence(&rewrite, &rewrite_row));
        }
        let requests = self.scenarios.iter_mut().flat_map(|scenario| &mut scenario.requests);
        for request in requests {
            for stage in Stage::ALL {
                let stage = request.stage_mut(stage);
                stage.evidence.rewrite(&rewrite);
                stage.evidence.rewrite_rows(&rewrite_row);
                stage.server_timings.rewrite(&rewrite);
            }
        }
    }
}

/// A quantile in which failures rank at +∞.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind", content = "us")]
pub enum ActualQuantile {
    /// No exchange was judged.
    NoData,
    /// The quantile is the value of a success.
    At(
        #[serde(with = "micros")]
        #[schemars(with = "u64")]
        Duration,
    ),
    /// The quantile falls among the failures.
    Unbounded,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FailureEvidence;

    fn limit_evidence() -> FailureEvidence {
        serde_json::from_str(
            r#"{"failure":"own_limit","phase":null,"expected":"","seen":"a long head","count":1}"#,
        )
        .unwrap()
    }

    #[test]
    fn an_arrival_whose_hop_also_ended_at_a_limit_is_counted_once() {
        let limited = |name: &str| {
            let mut request = RequestMeasurement::new(name.to_owned(), Vec::new());
            request.measured.evidence.add(limit_evidence());
            request
        };
        let requests = vec![limited("page"), limited("page, hop 1")];
        let mut scenario = ScenarioMeasurement::new("shop".to_owned(), requests);
        scenario.unreleased = 5;
        for (counts, ended) in [
            (vec![(Failure::OwnLimit, 1)], 1),
            (vec![(Failure::Prober, 5)], 0),
            // Five arrivals that the prober never released.
            (Vec::new(), 0),
        ] {
            scenario.own_failures = Some(counts.into_iter().collect());
            assert_eq!(scenario.ended_at_limits(), ended);
        }
    }

    #[test]
    fn only_a_record_of_an_earlier_version_is_counted_by_its_evidence() {
        let mut request = RequestMeasurement::new("page".to_owned(), Vec::new());
        request.measured.evidence.add(limit_evidence());
        let mut old = ScenarioMeasurement::new("shop".to_owned(), vec![request]);
        (old.unreleased, old.own_failures) = (5, None);
        assert_eq!((old.ended_at_limits(), old.never_sent()), (1, 4));
        let written = serde_json::to_value(&old).unwrap();
        assert!(written.get("own_failures").is_none());
        let read: ScenarioMeasurement = serde_json::from_value(written).unwrap();
        assert_eq!(read, old);

        // The sum of an old and a new shard keeps what each of them knows.
        let of = |scenario| Measurement::with_scenarios(vec![scenario], RunEnding::Complete);
        let mut new = ScenarioMeasurement::new("shop".to_owned(), Vec::new());
        (new.unreleased, new.own_failures) = (2, Some(BTreeMap::from([(Failure::OwnLimit, 2)])));
        let mut merged = of(old.clone()).without_counts();
        merged.merge(&of(old));
        merged.merge(&of(new));
        assert_eq!(merged.scenarios[0].ended_at_limits(), 3);
    }
}
