//! One-line measurements for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use time::macros::datetime;
use uuid::Uuid;

use super::judge;
use crate::record::{
    Budget, BudgetVerdict, Ceiling, CeilingCount, Dimension, DimensionHistograms, FORMAT, Failure,
    FailureEvidence, GatePolicy, Histogram, HostFacts, Interval, Measurement, PlannedRequest,
    PlannedScenario, RequestMeasurement, RunEnding, RunProvenance, RunRecord, ScenarioMeasurement,
    ServerTimings, Stage, Tally, Verdict,
};

/// A request with budgets, and what its exchanges did.
#[derive(Debug, Clone)]
pub(super) struct FixtureRequest {
    name: &'static str,
    budgets: Vec<Budget>,
    took: Vec<u64>,
    failed: Vec<(Failure, u64)>,
    not_judged: Vec<Failure>,
    accepts: Vec<Failure>,
    by_lag: u64,
    by_wait: u64,
    hop_of: Option<&'static str>,
}

impl FixtureRequest {
    pub(super) fn new(name: &'static str, budgets: &[&str]) -> Self {
        let budgets = budgets.iter().map(|text| text.parse().unwrap()).collect();
        let (took, failed, not_judged, accepts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self {
            name,
            budgets,
            took,
            failed,
            not_judged,
            accepts,
            by_lag: 0,
            by_wait: 0,
            hop_of: None,
        }
    }

    /// Successes with these latencies in microseconds.
    pub(super) fn took(mut self, micros: &[u64]) -> Self {
        self.took.extend(micros);
        self
    }

    pub(super) fn refused(self, count: u64) -> Self {
        self.failed(Failure::Refused, count)
    }

    pub(super) fn redirected(self, count: u64) -> Self {
        self.failed(Failure::Redirected, count)
    }

    pub(super) fn dropped(self, count: u64) -> Self {
        self.failed(Failure::Dropped, count)
    }

    /// Adds one exchange that could not be judged.
    pub(super) fn not_judged(mut self, failure: Failure) -> Self {
        self.not_judged.push(failure);
        self
    }

    /// Accepts this outcome without preventing a pass.
    pub(super) fn accepting(mut self, failure: Failure) -> Self {
        self.accepts.push(failure);
        self
    }

    /// Marks it as a hop or a try of another request.
    pub(super) fn part_of(mut self, whole: &'static str) -> Self {
        self.hop_of = Some(whole);
        self
    }

    /// How many of the exceedances only the prober's lag caused.
    pub(super) fn of_which_lag_explains(mut self, count: u64) -> Self {
        self.by_lag = count;
        self
    }

    /// How many of the exceedances only the wait for a connection caused.
    pub(super) fn of_which_wait_explains(mut self, count: u64) -> Self {
        self.by_wait = count;
        self
    }

    fn failed(mut self, failure: Failure, count: u64) -> Self {
        self.failed.push((failure, count));
        self
    }

    pub(super) fn planned(&self) -> PlannedRequest {
        PlannedRequest {
            name: self.name.to_owned(),
            line: "GET /".to_owned(),
            headers: Vec::new(),
            expectations: vec!["status = 200".to_owned()],
            budgets: self.budgets.clone(),
            baselines: Vec::new(),
            hop_of: self.hop_of.map(str::to_owned),
            accepts: self.accepts.clone(),
            terms: Vec::new(),
        }
    }

    /// The measurement that the recorder would have made.
    pub(super) fn measured(&self) -> RequestMeasurement {
        let failures: u64 = self.failed.iter().map(|(_, count)| count).sum();
        let ok = self.took.len() as u64;
        let ceilings: Vec<_> = self.budgets.iter().filter_map(Budget::ceiling).collect();
        let as_ceiling = |&(dimension, limit): &(Dimension, Duration)| Ceiling { dimension, limit };
        let mut request = RequestMeasurement::new(
            self.name.to_owned(),
            ceilings.iter().map(as_ceiling).collect(),
        );
        let measured = &mut request.measured;
        measured.tally.exchanges = ok + failures;
        measured.tally.ok = ok;
        measured.tally.ceilings = ceilings
            .iter()
            .map(|(dimension, limit)| self.count(*dimension, *limit, failures))
            .collect();
        for (failure, count) in self.failed.iter().filter(|(_, count)| *count > 0) {
            *measured.tally.failures.entry(*failure).or_default() += count;
            measured.evidence.add(evidence(*failure, *count));
        }
        self.not_judged.iter().for_each(|failure| measured.evidence.add(evidence(*failure, 1)));
        let mut latency = Histogram::default();
        self.took.iter().for_each(|micros| latency.record(Duration::from_micros(*micros)));
        measured.series.add(Dimension::Latency, &latency);
        let mut lag = Histogram::default();
        (0..ok)
            .for_each(|n| lag.record(Duration::from_millis(if n < self.by_lag { 400 } else { 0 })));
        measured.series.add(Dimension::Lag, &lag);
        request
    }

    /// The measured stage in seconds. The exchanges are due in a random order.
    pub(super) fn intervals(&self, scenario: &str, seconds: u64) -> Vec<Interval> {
        let mut intervals: Vec<Interval> = (0..seconds)
            .map(|second| Interval {
                scenario: scenario.to_owned(),
                request: self.name.to_owned(),
                stage: Stage::Measured,
                start: Duration::from_secs(second),
                tally: Tally::default(),
                series: DimensionHistograms::default(),
                server_timings: ServerTimings::default(),
                samples: Vec::new(),
            })
            .collect();
        let failures: u64 = self.failed.iter().map(|(_, count)| count).sum();
        let failed = (0..failures).map(|_| None);
        let mut all: Vec<_> = self.took.iter().map(Some).chain(failed).collect();
        all.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
        for (at, took) in all.into_iter().enumerate() {
            let interval = &mut intervals[at % usize::try_from(seconds).unwrap()];
            interval.tally.exchanges += 1;
            interval.tally.ok += u64::from(took.is_some());
            let mut latency = Histogram::default();
            if let Some(micros) = took {
                latency.record(Duration::from_micros(*micros));
            }
            interval.series.add(Dimension::Latency, &latency);
        }
        intervals
    }

    /// This fixture records only the latency.
    fn count(&self, dimension: Dimension, limit: Duration, failures: u64) -> CeilingCount {
        if dimension != Dimension::Latency {
            return CeilingCount::default();
        }
        let slow =
            self.took.iter().filter(|micros| Duration::from_micros(**micros) >= limit).count()
                as u64;
        let dropped = self.failed.iter().filter(|(failure, _)| *failure == Failure::Dropped);
        let dropped: u64 = dropped.map(|(_, count)| count).sum();
        CeilingCount {
            judged: self.took.len() as u64 + failures,
            exceeded: slow + failures,
            exceeded_without_lag: slow.saturating_sub(self.by_lag) + failures,
            exceeded_without_wait: slow.saturating_sub(self.by_wait) + failures - dropped,
        }
    }
}

fn evidence(failure: Failure, count: u64) -> FailureEvidence {
    let (phase, expected, seen) = match failure {
        Failure::Redirected => (None, "status = 200", "302 to /auth/login"),
        Failure::Refused => (Some(Dimension::Connect), "", ""),
        Failure::Absent => (None, "status = 200", "404"),
        Failure::NotConfigured => (None, "", "variable `KEY` is not set"),
        _ => (None, "", ""),
    };
    FailureEvidence {
        failure,
        phase,
        expected: expected.to_owned(),
        seen: seen.to_owned(),
        next: None,
        idle: None,
        count,
        detail: None,
    }
}

/// One scenario, planned and measured.
pub(super) fn scenario(
    name: &str,
    requests: &[FixtureRequest],
) -> (PlannedScenario, ScenarioMeasurement) {
    let measured: Vec<_> = requests.iter().map(FixtureRequest::measured).collect();
    let released = measured.iter().map(|request| request.measured.tally.exchanges).sum();
    let planned = PlannedScenario {
        name: name.to_owned(),
        description: String::new(),
        source: format!("{name}.toml"),
        base_url: "http://tiles.test".to_owned(),
        load: "open, 20/s constant for 10s".to_owned(),
        warmup: "none".to_owned(),
        caveats: Vec::new(),
        capacity: None,
        stalls: None,
        gate: GatePolicy::default(),
        setup: Vec::new(),
        teardown: Vec::new(),
        data: None,
        draw: None,
        duet: None,
        requests: requests.iter().map(FixtureRequest::planned).collect(),
    };
    let measured = ScenarioMeasurement {
        planned: Some(released),
        released,
        protocols: vec!["HTTP/1.1".to_owned()],
        ..ScenarioMeasurement::new(name.to_owned(), measured)
    };
    (planned, measured)
}

/// A complete run of scenarios.
pub(super) fn run(
    scenarios: Vec<(PlannedScenario, ScenarioMeasurement)>,
) -> (Vec<PlannedScenario>, Measurement) {
    let (plan, scenarios) = scenarios.into_iter().unzip();
    let elapsed = Duration::from_secs(12);
    let measurement =
        Measurement { elapsed, ..Measurement::with_scenarios(scenarios, RunEnding::Complete) };
    (plan, measurement)
}

/// The verdict on the one budget of one request.
pub(super) fn one_budget(request: FixtureRequest) -> BudgetVerdict {
    let (plan, measurement) = run(vec![scenario("tiles", &[request])]);
    judge(&plan, &measurement).scenarios.remove(0).budgets.remove(0)
}

/// The record of a run with this verdict.
pub(super) fn record_of(
    id: u128,
    (plan, measurement): (Vec<PlannedScenario>, Measurement),
    verdict: Verdict,
) -> RunRecord {
    let host = HostFacts {
        name: "h".to_owned(),
        os: "linux".to_owned(),
        arch: "x86_64".to_owned(),
        cores: 2,
    };
    let provenance = RunProvenance {
        started: datetime!(2026-11-23 18:00 UTC),
        tollgate: "0.1.0".to_owned(),
        host,
        command: Vec::new(),
        git_commit: None,
        tags: BTreeMap::new(),
    };
    RunRecord {
        format: FORMAT,
        id: Uuid::from_u128(id),
        provenance,
        plan,
        measurement,
        verdict,
        gate: None,
        comparison: None,
    }
}
