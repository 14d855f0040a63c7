//! Imports the artifacts of `synthetic-check`, each of one request.
//!
//! `{timestamp, target, budgetMs, durationMs, status|null, ok, error|null}`. The check sent one GET
//! on a new connection, followed redirects, and stopped its clock at the answer's headers. Without
//! an answer it wrote `fetch failed`, for any failure of name, connection or TLS. A duration equal
//! to the budget passed there and exceeds here; that is rare, because durations have two decimals.
//!
//! The durations of the old check also hold the start of Node's `fetch`, some 50 to 90 ms; those of
//! `tollgate synthetic-check`, which adds the field `tool`, do not. The two are separate scenarios,
//! so that no history adds them.

mod artifact;
mod caveats;
mod redaction;

pub use artifact::{CheckAnswer, CheckTool, ImportedArtifact};

use std::time::Duration;

use crate::record::{
    Budget, Ceiling, CeilingCount, ConnectionCounts, CountLimit, Dimension, DimensionHistograms,
    Failure, FailureEvidence, GatePolicy, Histogram, Interval, PlannedRequest, PlannedScenario,
    RequestMeasurement, RunRecord, ScenarioMeasurement, ServerTimings, Stage, Tally,
};

use super::{ImportSource, record};

/// The check's expectation of an answer.
const EXPECTED: &str = "status = 2xx";

impl ImportedArtifact {
    /// The run that this artifact describes, and its only second.
    pub fn run(&self) -> (RunRecord, Interval) {
        let second = self.second();
        let mut request = RequestMeasurement::new(self.line(), vec![self.ceiling()]);
        request.measured.add(&second);
        self.evidence().into_iter().for_each(|evidence| request.measured.evidence.add(evidence));
        // Without an answer the artifact does not say whether a connection was opened.
        let opened = u64::from(self.answer != CheckAnswer::None);
        let measured = ScenarioMeasurement {
            planned: Some(1),
            released: 1,
            connections: ConnectionCounts { opened, ..ConnectionCounts::default() },
            ..ScenarioMeasurement::new(self.scenario(), vec![request])
        };
        let origin = ImportSource {
            id: self.id(),
            started: self.started,
            kind: self.tool.name(),
            command: self.tool.command(),
            missing_facts: caveats::missing_facts(self.answer).to_owned(),
        };
        // A run with a duration of zero would have no measured stage.
        let elapsed = self.took.max(Duration::from_micros(1));
        (record(origin, vec![(self.planned(), measured)], elapsed), second)
    }

    /// The scenario's name, which identifies the runs of one target by one tool: `synthetic-check
    /// shop.example/app?mock=1`.
    fn scenario(&self) -> String {
        let origin = self.base_url();
        let host = origin.split_once("://").map_or(origin.as_str(), |(_, host)| host);
        format!("{} {host}{}", self.tool.name(), self.path())
    }

    /// The request as it is shown: `GET /app?mock=1`.
    fn line(&self) -> String {
        format!("GET {}", self.path())
    }

    fn planned(&self) -> PlannedScenario {
        PlannedScenario {
            name: self.scenario(),
            description: String::new(),
            source: format!("an artifact of {}", self.tool.name()),
            base_url: self.base_url(),
            load: "one request".to_owned(),
            warmup: "none".to_owned(),
            caveats: caveats::caveats(self),
            capacity: None,
            stalls: None,
            gate: GatePolicy::default(),
            setup: Vec::new(),
            teardown: Vec::new(),
            data: None,
            draw: None,
            duet: None,
            requests: vec![PlannedRequest {
                name: self.line(),
                line: self.line(),
                headers: Vec::new(),
                expectations: vec![EXPECTED.to_owned()],
                budgets: vec![
                    Budget::Max { dimension: Dimension::Latency, ceiling: self.budget },
                    Budget::Errors(CountLimit::None),
                ],
                baselines: Vec::new(),
                hop_of: None,
                accepts: Vec::new(),
                terms: Vec::new(),
            }],
        }
    }

    fn ceiling(&self) -> Ceiling {
        Ceiling { dimension: Dimension::Latency, limit: self.budget }
    }

    fn second(&self) -> Interval {
        let failure = self.failure();
        let exceeded = u64::from(failure.is_some() || self.took >= self.budget);
        let mut series = DimensionHistograms::default();
        if failure.is_none() {
            let mut latency = Histogram::default();
            latency.record(self.took);
            series.add(Dimension::Latency, &latency);
            series.add(Dimension::Fresh, &latency);
        }
        Interval {
            scenario: self.scenario(),
            request: self.line(),
            stage: Stage::Measured,
            start: Duration::ZERO,
            tally: Tally {
                exchanges: 1,
                ok: u64::from(failure.is_none()),
                failures: failure.map(|failure| (failure, 1)).into_iter().collect(),
                ceilings: vec![CeilingCount {
                    judged: 1,
                    exceeded,
                    exceeded_without_lag: exceeded,
                    exceeded_without_wait: exceeded,
                }],
                fresh: u64::from(self.answer != CheckAnswer::None),
                body_bytes: 0,
                ..Tally::default()
            },
            series,
            server_timings: ServerTimings::default(),
            samples: Vec::new(),
        }
    }

    fn failure(&self) -> Option<Failure> {
        match self.answer {
            CheckAnswer::Status(200..=299) => None,
            CheckAnswer::Status(_) => Some(Failure::Status),
            CheckAnswer::None => Some(Failure::NoAnswer),
        }
    }

    fn evidence(&self) -> Option<FailureEvidence> {
        let failure = self.failure()?;
        let (expected, seen) = match self.answer {
            CheckAnswer::Status(status) => (EXPECTED.to_owned(), status.to_string()),
            CheckAnswer::None => (String::new(), caveats::no_answer(self)),
        };
        let (phase, next, idle, detail) = (None, None, None, None);
        Some(FailureEvidence { failure, phase, expected, seen, next, idle, count: 1, detail })
    }
}

#[cfg(test)]
mod tests;
