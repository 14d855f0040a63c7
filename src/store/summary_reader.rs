//! Reads the part of a `run.json` that a summary needs and skips the rest.
//!
//! The bulk of a record (plan texts, histograms other than latency, evidence) is never allocated.
//! Small parts are read into the types of the record itself.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use uuid::Uuid;

use crate::record::{
    BaselineLimit, Budget, BudgetFigures, ConditionPool, Decision, Dimension, EncodedHistogram,
    IMPORTED_TAG, ImportedFacts, PhaseFigures, RequestFigures, RequestSummary, RunConditions,
    RunProvenance, RunRecord, RunSummary, ShardSharing, Tally, micros,
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
    base_url: String,
    load: String,
    warmup: String,
    #[serde(default)]
    caveats: Vec<String>,
    requests: Vec<SummaryPlanRequest<'a>>,
}

#[derive(Deserialize)]
struct SummaryPlanRequest<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    hop_of: Option<Cow<'a, str>>,
    #[serde(default)]
    budgets: Vec<String>,
    #[serde(default)]
    baselines: Vec<BaselineLimit>,
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
    protocols: Vec<String>,
}

#[derive(Deserialize)]
struct SummaryRequest<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    cold: ColdStage,
    measured: SummaryStage,
}

#[derive(Deserialize)]
struct ColdStage {
    series: ColdSeries,
}

#[derive(Deserialize)]
struct ColdSeries {
    #[serde(default)]
    latency: EncodedHistogram,
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
    lag: Option<SummaryPhase>,
    wait: Option<SummaryPhase>,
    dns: Option<SummaryPhase>,
    connect: Option<SummaryPhase>,
    proxy: Option<SummaryPhase>,
    tls: Option<SummaryPhase>,
    first_byte: Option<SummaryPhase>,
    body: Option<SummaryPhase>,
}

/// The figures of a part of latency; its bytes are skipped.
#[derive(Deserialize)]
struct SummaryPhase {
    count: u64,
    p50_us: Option<u64>,
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
    #[serde(borrow)]
    budgets: Vec<SummaryBudget<'a>>,
}

#[derive(Deserialize)]
struct SummaryBudget<'a> {
    #[serde(borrow)]
    request: Cow<'a, str>,
    budget: Budget,
    decision: Decision,
    judged: u64,
    exceeded: u64,
}

impl SummaryReader<'_> {
    /// What the record has more of than a run has, in words.
    pub(super) fn surplus(&self) -> Option<String> {
        let planned = self.plan.iter().map(|scenario| scenario.requests.len());
        let measured = self.measurement.scenarios.iter().map(|scenario| scenario.requests.len());
        RunRecord::surplus(planned).or_else(|| RunRecord::surplus(measured))
    }

    /// The summary; `pool` has the conditions of the runs read before.
    pub(super) fn summary(self, pool: &mut ConditionPool) -> RunSummary {
        let Self { id, mut plan, measurement, verdict, provenance: from, .. } = self;
        let is_imported = from.tags.contains_key(IMPORTED_TAG);
        let mut requests = Vec::new();
        for scenario in measurement.scenarios {
            let planned = plan.iter_mut().find(|planned| planned.name == scenario.name);
            let judged = verdict.scenarios.iter().find(|judged| judged.scenario == scenario.name);
            requests.extend(scenario.summaries(planned, judged, (is_imported, &mut *pool)));
        }
        let parts = measurement.sharing.into_iter().flat_map(|sharing| sharing.parts);
        RunSummary {
            id,
            started: from.started,
            elapsed: measurement.elapsed,
            host: from.host.name,
            git_commit: from.git_commit,
            tags: from.tags,
            parts: parts.map(|part| part.run).filter(|part| *part != id).collect(),
            decision: verdict.decision,
            requests,
        }
    }
}

impl SummaryPlan<'_> {
    /// Takes the conditions out of the plan, which is not needed afterwards.
    fn take_conditions(&mut self, protocols: Vec<String>) -> RunConditions {
        RunConditions {
            base_url: std::mem::take(&mut self.base_url),
            load: std::mem::take(&mut self.load),
            warmup: std::mem::take(&mut self.warmup),
            caveats: std::mem::take(&mut self.caveats),
            protocols,
        }
    }
}

impl SummaryScenario<'_> {
    fn summaries(
        self,
        planned: Option<&mut SummaryPlan<'_>>,
        judged: Option<&SummaryScenarioVerdict<'_>>,
        (is_imported, pool): (bool, &mut ConditionPool),
    ) -> Vec<RequestSummary> {
        let Self { name, requests, protocols } = self;
        let decision = judged.map_or(Decision::Inconclusive, |judged| judged.decision);
        let (conditions, planned) = match planned {
            Some(plan) => (plan.take_conditions(protocols), plan.requests.as_slice()),
            None => (RunConditions { protocols, ..RunConditions::default() }, [].as_slice()),
        };
        let conditions = pool.share(conditions);
        let is_hop = |request: &SummaryRequest<'_>| {
            planned.iter().any(|planned| planned.hop_of.is_some() && planned.name == request.name)
        };
        let own = requests.into_iter().filter(|request| !is_hop(request));
        let facts = |name: &str| {
            let planned = planned.iter().find(|planned| planned.name == name);
            ImportedFacts {
                budgets: planned.map(|planned| planned.budgets.clone()).unwrap_or_default(),
                caveats: conditions.caveats.clone(),
            }
        };
        let summary = |request: SummaryRequest<'_>| {
            let imported = is_imported.then(|| facts(&request.name));
            let budgets = judged.into_iter().flat_map(|judged| &judged.budgets);
            let budgets = budgets.filter(|budget| budget.request == request.name);
            let planned = planned.iter().find(|planned| planned.name == request.name);
            let limits = planned.map(|planned| planned.baselines.as_slice()).unwrap_or_default();
            let budgets = budgets.map(|budget| budget.figures(limits)).collect();
            let summary = request.summary(&name, decision, (Arc::clone(&conditions), budgets));
            RequestSummary { imported, ..summary }
        };
        own.map(summary).collect()
    }
}

impl SummaryBudget<'_> {
    fn figures(&self, limits: &[BaselineLimit]) -> BudgetFigures {
        let &Self { budget, decision, judged, exceeded, .. } = self;
        let written = BaselineLimit::written_budget(limits, budget);
        BudgetFigures { written, budget, decision, judged, exceeded }
    }
}

impl SummaryRequest<'_> {
    fn summary(
        self,
        scenario: &str,
        decision: Decision,
        (conditions, budgets): (Arc<RunConditions>, Vec<BudgetFigures>),
    ) -> RequestSummary {
        let SummaryStage { tally, series } = self.measured;
        let figures = RequestFigures {
            conditions,
            cold: self.cold.series.latency,
            phases: series.phases(),
            budgets,
        };
        RequestSummary {
            scenario: scenario.to_owned(),
            request: self.name.into_owned(),
            decision,
            exchanges: tally.exchanges,
            ok: tally.ok,
            latency: series.latency,
            figures: Some(Box::new(figures)),
            imported: None,
        }
    }
}

impl SummarySeries {
    fn phases(&self) -> Vec<PhaseFigures> {
        let phase = |dimension| {
            let SummaryPhase { count, p50_us } = *self.phase(dimension)?;
            Some(PhaseFigures { dimension, count, p50_us })
        };
        Dimension::PARTS.into_iter().filter_map(phase).collect()
    }

    fn phase(&self, dimension: Dimension) -> Option<&SummaryPhase> {
        let phase = match dimension {
            Dimension::Lag => &self.lag,
            Dimension::Wait => &self.wait,
            Dimension::Dns => &self.dns,
            Dimension::Connect => &self.connect,
            Dimension::Proxy => &self.proxy,
            Dimension::Tls => &self.tls,
            Dimension::FirstByte => &self.first_byte,
            Dimension::Body => &self.body,
            _ => return None,
        };
        phase.as_ref()
    }
}
