//! What a history of latency needs of a request in addition to its latency.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    BaselineLimit, Budget, BudgetVerdict, Decision, Dimension, EncodedHistogram, PlannedScenario,
    RunRecord, ScenarioMeasurement, StageMeasurement,
};

/// The figures of one request in one run that are not its latency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestFigures {
    /// What it was measured under. Runs with the same conditions share them.
    #[serde(serialize_with = "write_conditions", deserialize_with = "read_conditions")]
    pub conditions: Arc<RunConditions>,
    /// The latency of the first exchange of each connection in the warm-up; empty without one.
    pub cold: EncodedHistogram,
    /// The parts of latency ([`Dimension::PARTS`]) that any exchange entered, in their order.
    pub phases: Vec<PhaseFigures>,
    /// Its budgets and their outcomes, in the order of the verdict.
    pub budgets: Vec<BudgetFigures>,
}

/// What a scenario was measured under.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunConditions {
    /// The target's base URL.
    pub base_url: String,
    /// The load in one line.
    pub load: String,
    /// The warm-up in one line.
    pub warmup: String,
    /// The protocols used.
    pub protocols: Vec<String>,
    /// What a reader of its figures must know, one sentence each.
    pub caveats: Vec<String>,
}

/// The quantiles of one part of latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseFigures {
    /// The part.
    pub dimension: Dimension,
    /// Exchanges that entered it.
    pub count: u64,
    /// The median in microseconds.
    pub p50_us: Option<u64>,
}

/// The outcome of one budget in one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetFigures {
    /// The budget as the scenario has it: `p95 < baseline + 10%`.
    pub written: Budget,
    /// The budget that was judged: with the limit of this run, `p95 < 231ms`.
    pub budget: Budget,
    /// The decision on it.
    pub decision: Decision,
    /// Exchanges judged.
    pub judged: u64,
    /// The judged exchanges that exceeded it.
    pub exceeded: u64,
}

/// The conditions read so far. Thousands of runs usually have a few different ones.
#[derive(Debug, Default)]
pub struct ConditionPool(HashSet<Arc<RunConditions>>);

impl ConditionPool {
    /// The shared copy of some conditions.
    pub fn share(&mut self, conditions: RunConditions) -> Arc<RunConditions> {
        let mut shared = Arc::new(conditions);
        self.unify(&mut shared);
        shared
    }

    /// Replaces conditions by the shared copy of equal ones.
    pub fn unify(&mut self, conditions: &mut Arc<RunConditions>) {
        match self.0.get(conditions) {
            Some(known) => *conditions = Arc::clone(known),
            None => drop(self.0.insert(Arc::clone(conditions))),
        }
    }
}

impl RunConditions {
    /// The conditions of a scenario; what its plan does not say is empty.
    pub fn of(planned: Option<&PlannedScenario>, measured: &ScenarioMeasurement) -> Self {
        let protocols = measured.protocols.clone();
        let Some(plan) = planned else { return Self { protocols, ..Self::default() } };
        Self {
            base_url: plan.base_url.clone(),
            load: plan.load.clone(),
            warmup: plan.warmup.clone(),
            caveats: plan.caveats.clone(),
            protocols,
        }
    }
}

impl RequestFigures {
    /// The figures of a request in a record; `None` if the record does not have the request.
    pub(super) fn of(
        record: &RunRecord,
        scenario: &ScenarioMeasurement,
        request: &str,
        pool: &mut ConditionPool,
    ) -> Option<Self> {
        let measured = scenario.requests.iter().find(|measured| measured.name == request)?;
        let judged = record.verdict.scenarios.iter().find(|one| one.scenario == scenario.name);
        let budgets = judged.into_iter().flat_map(|judged| &judged.budgets);
        let planned = record.planned(&scenario.name).map(|plan| &plan.requests);
        let planned = planned.into_iter().flatten().find(|planned| planned.name == request);
        let limits = planned.map(|planned| planned.baselines.as_slice()).unwrap_or_default();
        Some(Self {
            conditions: pool.share(RunConditions::of(record.planned(&scenario.name), scenario)),
            cold: latency_of(&measured.cold),
            phases: phases_of(&measured.measured),
            budgets: budgets
                .filter(|budget| budget.request == request)
                .map(|budget| BudgetFigures::of(budget, limits))
                .collect(),
        })
    }
}

impl BudgetFigures {
    fn of(verdict: &BudgetVerdict, limits: &[BaselineLimit]) -> Self {
        let &BudgetVerdict { budget, decision, judged, exceeded, .. } = verdict;
        let written = BaselineLimit::written_budget(limits, budget);
        Self { written, budget, decision, judged, exceeded }
    }
}

fn write_conditions<S: Serializer>(
    conditions: &Arc<RunConditions>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    conditions.as_ref().serialize(serializer)
}

fn read_conditions<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Arc<RunConditions>, D::Error> {
    RunConditions::deserialize(deserializer).map(Arc::new)
}

fn latency_of(stage: &StageMeasurement) -> EncodedHistogram {
    stage.series.get(Dimension::Latency).map(EncodedHistogram::of).unwrap_or_default()
}

fn phases_of(stage: &StageMeasurement) -> Vec<PhaseFigures> {
    let phase = |dimension| {
        let EncodedHistogram { count, p50_us, .. } =
            EncodedHistogram::of(stage.series.get(dimension)?);
        Some(PhaseFigures { dimension, count, p50_us })
    };
    Dimension::PARTS.into_iter().filter_map(phase).collect()
}
