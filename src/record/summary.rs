//! Summaries of runs for lists and histories.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    ConditionPool, Decision, Dimension, EncodedHistogram, IMPORTED_TAG, PlannedScenario,
    RequestFigures, RunRecord, run_name,
};

/// The part of a [`RunRecord`] that lists and histories show, small enough to hold thousands in
/// memory.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// The run's id.
    pub id: Uuid,
    /// When it started (UTC).
    pub started: OffsetDateTime,
    /// How long it took.
    pub elapsed: Duration,
    /// The machine's name.
    pub host: String,
    /// The git commit that was probed, if known.
    pub git_commit: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The runs of other machines that it was merged from; empty if it was not merged.
    pub parts: Vec<Uuid>,
    /// The decision on the whole run.
    pub decision: Decision,
    /// Its requests without hops, in the order of the command and of the scenario files.
    pub requests: Vec<RequestSummary>,
}

/// The measured stage of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestSummary {
    /// The scenario it belongs to.
    pub scenario: String,
    /// Its name.
    pub request: String,
    /// The decision on its scenario.
    pub decision: Decision,
    /// Finished exchanges.
    pub exchanges: u64,
    /// The exchanges that met every expectation.
    pub ok: u64,
    /// The latency of the ok exchanges; empty if there are none.
    pub latency: EncodedHistogram,
    /// What a site of latency history shows in addition; `None` where only lists were asked for.
    pub figures: Option<Box<RequestFigures>>,
    /// What is known of its file; `None` if the run was not imported.
    pub imported: Option<ImportedFacts>,
}

/// What a reader of an imported request's figures must know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportedFacts {
    /// The budgets that it was judged by, as written.
    pub budgets: Vec<String>,
    /// What its figures hold and what its file does not say, one sentence each.
    pub caveats: Vec<String>,
}

impl RunSummary {
    /// The summary of a record.
    pub fn of(record: &RunRecord) -> Self {
        let from = &record.provenance;
        Self {
            id: record.id,
            started: from.started,
            elapsed: record.measurement.elapsed,
            host: from.host.name.clone(),
            git_commit: from.git_commit.clone(),
            tags: from.tags.clone(),
            parts: Self::parts_of(record),
            decision: record.verdict.decision,
            requests: requests(record),
        }
    }

    /// The runs that a run was merged from. It leaves out the run itself, which a shard's own
    /// record names as its only part.
    pub fn parts_of(record: &RunRecord) -> Vec<Uuid> {
        let parts = record.measurement.sharing.iter().flat_map(|sharing| &sharing.parts);
        parts.map(|part| part.run).filter(|part| *part != record.id).collect()
    }

    /// Its name; see [`run_name`].
    pub fn name(&self) -> String {
        run_name(self.started, self.id)
    }
}

impl RequestSummary {
    /// Exchanges that failed or were dropped.
    pub fn failed(&self) -> u64 {
        self.exchanges.saturating_sub(self.ok)
    }
}

impl ImportedFacts {
    fn of(planned: &PlannedScenario, request: &str) -> Self {
        let planned_request = planned.requests.iter().find(|planned| planned.name == request);
        let budgets = planned_request.into_iter().flat_map(|planned| &planned.budgets);
        Self {
            budgets: budgets.map(ToString::to_string).collect(),
            caveats: planned.caveats.clone(),
        }
    }
}

fn requests(record: &RunRecord) -> Vec<RequestSummary> {
    let is_imported = record.provenance.tags.contains_key(IMPORTED_TAG);
    let (mut requests, mut pool) = (Vec::new(), ConditionPool::default());
    for scenario in &record.measurement.scenarios {
        let verdict =
            record.verdict.scenarios.iter().find(|verdict| verdict.scenario == scenario.name);
        let planned = record.planned(&scenario.name);
        let hops = planned.map(|planned| &planned.requests);
        let is_hop = |name: &str| {
            hops.into_iter().flatten().any(|hop| hop.name == name && hop.hop_of.is_some())
        };
        for request in scenario.requests.iter().filter(|request| !is_hop(&request.name)) {
            let measured = &request.measured;
            requests.push(RequestSummary {
                scenario: scenario.name.clone(),
                request: request.name.clone(),
                decision: verdict.map_or(Decision::Inconclusive, |verdict| verdict.decision),
                exchanges: measured.tally.exchanges,
                ok: measured.tally.ok,
                latency: measured
                    .series
                    .get(Dimension::Latency)
                    .map(EncodedHistogram::of)
                    .unwrap_or_default(),
                figures: RequestFigures::of(record, scenario, &request.name, &mut pool)
                    .map(Box::new),
                imported: planned
                    .filter(|_| is_imported)
                    .map(|planned| ImportedFacts::of(planned, &request.name)),
            });
        }
    }
    requests
}
