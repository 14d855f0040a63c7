//! The part of a `run.json` that its summary is made of: all else is skipped as it is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::record::{Decision, Packed, RequestSummary, RunSummary, micros};

/// What is read of a [`RunRecord`](crate::record::RunRecord): the fields have its names.
#[derive(Deserialize)]
pub(super) struct Brief<'a> {
    pub(super) format: u32,
    id: Uuid,
    #[serde(borrow)]
    provenance: Provenance<'a>,
    plan: Vec<Planned<'a>>,
    measurement: Measurement<'a>,
    verdict: Verdict<'a>,
}

#[derive(Deserialize)]
struct Provenance<'a> {
    #[serde(with = "time::serde::rfc3339")]
    started: OffsetDateTime,
    #[serde(borrow)]
    host: Host<'a>,
    git_commit: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Host<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Planned<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    requests: Vec<PlannedRequest<'a>>,
}

#[derive(Deserialize)]
struct PlannedRequest<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    hop_of: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Measurement<'a> {
    #[serde(borrow)]
    scenarios: Vec<Scenario<'a>>,
    #[serde(rename = "elapsed_us", with = "micros")]
    elapsed: Duration,
    #[serde(default)]
    sharing: Option<Sharing>,
}

#[derive(Deserialize)]
struct Sharing {
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    run: Uuid,
}

#[derive(Deserialize)]
struct Scenario<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    requests: Vec<Request<'a>>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    measured: Measured,
}

#[derive(Deserialize)]
struct Measured {
    tally: Tally,
    series: Series,
}

#[derive(Deserialize)]
struct Tally {
    exchanges: u64,
    ok: u64,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    latency: Packed,
}

#[derive(Deserialize)]
struct Verdict<'a> {
    decision: Decision,
    #[serde(borrow)]
    scenarios: Vec<Judged<'a>>,
}

#[derive(Deserialize)]
struct Judged<'a> {
    #[serde(borrow)]
    scenario: Cow<'a, str>,
    decision: Decision,
}

impl From<Brief<'_>> for RunSummary {
    fn from(brief: Brief<'_>) -> Self {
        let Brief { id, plan, measurement, verdict, .. } = brief;
        let from = brief.provenance;
        let scenarios = measurement.scenarios.into_iter();
        let parts = measurement.sharing.into_iter().flat_map(|sharing| sharing.parts);
        Self {
            id,
            started: from.started,
            elapsed: measurement.elapsed,
            host: from.host.name.into_owned(),
            git_commit: from.git_commit,
            tags: from.tags,
            parts: parts.map(|part| part.run).filter(|part| *part != id).collect(),
            decision: verdict.decision,
            requests: scenarios.flat_map(|scenario| scenario.summaries(&plan, &verdict)).collect(),
        }
    }
}

impl Scenario<'_> {
    fn summaries(self, plan: &[Planned<'_>], verdict: &Verdict<'_>) -> Vec<RequestSummary> {
        let Self { name, requests } = self;
        let judged = verdict.scenarios.iter().find(|judged| judged.scenario == name);
        let decision = judged.map_or(Decision::Inconclusive, |judged| judged.decision);
        let planned = plan.iter().find(|planned| planned.name == name);
        let is_hop = |request: &Request<'_>| {
            let mut planned = planned.into_iter().flat_map(|planned| &planned.requests);
            planned.any(|planned| planned.hop_of.is_some() && planned.name == request.name)
        };
        let own = requests.into_iter().filter(|request| !is_hop(request));
        own.map(|request| request.summary(&name, decision)).collect()
    }
}

impl Request<'_> {
    fn summary(self, scenario: &str, decision: Decision) -> RequestSummary {
        let Measured { tally, series } = self.measured;
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
