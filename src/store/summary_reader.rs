//! Reads the part of a `run.json` that a summary needs and skips the rest.
//!
//! The bulk of a record (plan texts, histograms other than latency, evidence) is never allocated.
//! Small parts are read into the types of the record itself.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use uuid::Uuid;

use crate::record::{
    Decision, EncodedHistogram, RequestSummary, RunProvenance, RunSummary, ShardSharing, Tally,
    micros,
};

/// The fields of a [`RunRecord`](crate::record::RunRecord) that its summary needs.
#[derive(Deserialize)]
pub(super) struct SummaryReader<'a> {
    pub(super) format: u32,
    id: Uuid,
    provenance: RunProvenance,
    #[serde(borrow)]
    plan: Vec<SummaryPlan<'a>>,
    measurement: SummaryMeasurement<'a>,
    verdict: SummaryVerdict<'a>,
}

#[derive(Deserialize)]
struct SummaryPlan<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    requests: Vec<SummaryPlanRequest<'a>>,
}

#[derive(Deserialize)]
struct SummaryPlanRequest<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    hop_of: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct SummaryMeasurement<'a> {
    #[serde(borrow)]
    scenarios: Vec<SummaryScenario<'a>>,
    #[serde(rename = "elapsed_us", with = "micros")]
    elapsed: Duration,
    #[serde(default)]
    sharing: Option<ShardSharing>,
}

#[derive(Deserialize)]
struct SummaryScenario<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    requests: Vec<SummaryRequest<'a>>,
}

#[derive(Deserialize)]
struct SummaryRequest<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    measured: SummaryStage,
}

#[derive(Deserialize)]
struct SummaryStage {
    tally: Tally,
    series: SummarySeries,
}

#[derive(Deserialize)]
struct SummarySeries {
    #[serde(default)]
    latency: EncodedHistogram,
}

#[derive(Deserialize)]
struct SummaryVerdict<'a> {
    decision: Decision,
    #[serde(borrow)]
    scenarios: Vec<SummaryScenarioVerdict<'a>>,
}

#[derive(Deserialize)]
struct SummaryScenarioVerdict<'a> {
    #[serde(borrow)]
    scenario: Cow<'a, str>,
    decision: Decision,
}

impl From<SummaryReader<'_>> for RunSummary {
    fn from(reader: SummaryReader<'_>) -> Self {
        let SummaryReader { id, plan, measurement, verdict, .. } = reader;
        let from = reader.provenance;
        let scenarios = measurement.scenarios.into_iter();
        let parts = measurement.sharing.into_iter().flat_map(|sharing| sharing.parts);
        Self {
            id,
            started: from.started,
            elapsed: measurement.elapsed,
            host: from.host.name,
            git_commit: from.git_commit,
            tags: from.tags,
            parts: parts.map(|part| part.run).filter(|part| *part != id).collect(),
            decision: verdict.decision,
            requests: scenarios.flat_map(|scenario| scenario.summaries(&plan, &verdict)).collect(),
        }
    }
}

impl SummaryScenario<'_> {
    fn summaries(
        self,
        plan: &[SummaryPlan<'_>],
        verdict: &SummaryVerdict<'_>,
    ) -> Vec<RequestSummary> {
        let Self { name, requests } = self;
        let judged = verdict.scenarios.iter().find(|judged| judged.scenario == name);
        let decision = judged.map_or(Decision::Inconclusive, |judged| judged.decision);
        let planned = plan.iter().find(|planned| planned.name == name);
        let is_hop = |request: &SummaryRequest<'_>| {
            let mut planned = planned.into_iter().flat_map(|planned| &planned.requests);
            planned.any(|planned| planned.hop_of.is_some() && planned.name == request.name)
        };
        let own = requests.into_iter().filter(|request| !is_hop(request));
        own.map(|request| request.summary(&name, decision)).collect()
    }
}

impl SummaryRequest<'_> {
    fn summary(self, scenario: &str, decision: Decision) -> RequestSummary {
        let SummaryStage { tally, series } = self.measured;
        RequestSummary {
            scenario: scenario.to_owned(),
            request: self.name.into_owned(),
            decision,
            exchanges: tally.exchanges,
            ok: tally.ok,
            latency: series.latency,
        }
    }
}
