//! The earlier runs of one scenario's plan, as far as a policy needs them.

use uuid::Uuid;

use super::budget_log::{BudgetLog, ln_evidence};
use crate::record::{
    Decision, ENVIRONMENT_TAG, GatePolicy, PlannedRequest, PlannedScenario, RunRecord,
    ScenarioVerdict, without_length,
};
use crate::verdict::rule::DecisionRule;

/// The earlier runs of one scenario's plan, the newest first, as far back as a policy needs.
#[derive(Debug)]
pub(super) struct PlanHistory {
    planned: PlannedScenario,
    environment: Option<String>,
    /// Runs that this one or a later one continues: their evidence is part of that one.
    continued: Vec<Uuid>,
    /// Whether this run continues another, so that the length of its load may differ.
    continues: bool,
    /// How many of the latest runs must have failed, without this one.
    wanted: usize,
    /// Whether evidence is needed as far back as the last pass.
    is_carried: bool,
    /// Number of budgets of the whole run that are statements about the target.
    pub(super) budgets: usize,
    /// The evidence of this run.
    pub(super) own: BudgetLog,
    pub(super) earlier: Vec<EarlierVerdict>,
    unreadable: Option<String>,
}

/// The verdict of one earlier run on the scenario.
#[derive(Debug)]
pub(super) struct EarlierVerdict {
    pub(super) decision: Decision,
    pub(super) evidence: BudgetLog,
}

/// How a row of failures ends, read from the newest run to older ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreakEnd<'a> {
    /// At a run that did not fail.
    Broken,
    /// At the oldest run that is known.
    NoMore,
    /// At a run that cannot be read, for this reason.
    Unreadable(&'a str),
}

impl PlanHistory {
    /// The history that the policy of a scenario needs after this verdict, still empty.
    pub(super) fn needed_by(
        record: &RunRecord,
        planned: &PlannedScenario,
        verdict: &ScenarioVerdict,
    ) -> Self {
        let gate = &planned.gate;
        let can_decide = match verdict.decision {
            Decision::Pass => false,
            Decision::Fail => gate.fail_after > 1,
            Decision::Inconclusive => gate.carry,
        };
        let wanted = if can_decide { gate.fail_after.saturating_sub(1) } else { 0 };
        let budgets = DecisionRule::of(&record.plan).budgets();
        Self {
            planned: comparable(planned),
            environment: record.provenance.tags.get(ENVIRONMENT_TAG).cloned(),
            continued: record.verdict.continues.clone(),
            continues: !record.verdict.continues.is_empty(),
            wanted: usize::try_from(wanted).unwrap_or(usize::MAX),
            is_carried: gate.carry && can_decide,
            budgets,
            own: ln_evidence(verdict, budgets),
            earlier: Vec::new(),
            unreadable: None,
        }
    }

    /// Whether an older run can still matter.
    pub(super) fn needs_more(&self) -> bool {
        let newest_failed = self.failures();
        let streak_is_open = newest_failed == self.earlier.len() && newest_failed < self.wanted;
        let carries_on =
            self.earlier.last().is_none_or(|earlier| earlier.decision != Decision::Pass);
        self.unreadable.is_none() && (streak_is_open || (self.is_carried && carries_on))
    }

    /// Adds the next older run, if it is one of the same plan and matters.
    pub(super) fn add(&mut self, earlier: &Result<RunRecord, String>) {
        if !self.needs_more() {
            return;
        }
        match earlier {
            Ok(record) if self.continued.contains(&record.id) => {}
            Ok(record) => {
                self.continued.extend(&record.verdict.continues);
                self.earlier.extend(self.verdict_of(record));
            }
            Err(why) => self.unreadable = Some(why.clone()),
        }
    }

    /// How many of the latest earlier runs failed in a row, and what came before them.
    pub(super) fn streak(&self) -> (u32, StreakEnd<'_>) {
        let failed = self.failures();
        let end = match &self.unreadable {
            Some(why) => StreakEnd::Unreadable(why),
            None if failed < self.earlier.len() => StreakEnd::Broken,
            None => StreakEnd::NoMore,
        };
        (u32::try_from(failed).unwrap_or(u32::MAX), end)
    }

    fn failures(&self) -> usize {
        self.earlier.iter().take_while(|earlier| earlier.decision == Decision::Fail).count()
    }

    /// Whether a plan is this one. The length of the load may differ if either run continues
    /// another.
    fn is_same_plan(&self, planned: &PlannedScenario, continues: bool) -> bool {
        let mut theirs = comparable(planned);
        if (continues || self.continues)
            && differ_at_most_in_length(&theirs.load, &self.planned.load)
        {
            theirs.load.clone_from(&self.planned.load);
        }
        theirs == self.planned
    }

    /// What a run decided on this plan; `None` if it is one of another plan or environment, or a
    /// part of a run.
    fn verdict_of(&self, record: &RunRecord) -> Option<EarlierVerdict> {
        let planned = record.planned(&self.planned.name)?;
        let is_part =
            record.measurement.sharing.as_ref().is_some_and(|sharing| sharing.is_part(record.id));
        let is_same = !is_part
            // Failures in one environment say nothing about another.
            && record.provenance.tags.get(ENVIRONMENT_TAG) == self.environment.as_ref()
            && self.is_same_plan(planned, !record.verdict.continues.is_empty());
        let mut verdicts = record.verdict.scenarios.iter().filter(|_| is_same);
        let verdict = verdicts.find(|verdict| verdict.scenario == planned.name)?;
        let budgets = DecisionRule::of(&record.plan).budgets();
        let evidence = ln_evidence(verdict, budgets);
        Some(EarlierVerdict { decision: verdict.decision, evidence })
    }
}

/// Whether two loads are equal except for their lengths.
fn differ_at_most_in_length(one: &str, other: &str) -> bool {
    without_length(one) == without_length(other)
}

/// A request with its budgets as they are written: limits from earlier runs move from run to run.
fn as_written(request: &PlannedRequest) -> PlannedRequest {
    PlannedRequest {
        budgets: request.written_budgets().collect(),
        baselines: Vec::new(),
        ..request.clone()
    }
}

/// The plan as it is kept in files, without what does not change its verdict: texts, the name of
/// the file, and the policy. A value that was just parsed may be finer than the one in a file.
fn comparable(planned: &PlannedScenario) -> PlannedScenario {
    let plan = PlannedScenario {
        description: String::new(),
        source: String::new(),
        caveats: Vec::new(),
        capacity: None,
        gate: GatePolicy::default(),
        requests: planned.requests.iter().map(as_written).collect(),
        ..planned.clone()
    };
    let kept = serde_json::to_value(&plan).and_then(serde_json::from_value);
    kept.unwrap_or(plan)
}
