//! What the policies of `[gate]` make of a verdict, and of those of earlier runs. The verdict
//! itself stays what was measured.

mod budget_log;
mod carried_evidence;
mod plan_history;
mod requirements;

#[cfg(test)]
mod tests;

use self::carried_evidence::CarriedEvidence;
use self::plan_history::{PlanHistory, StreakEnd};
use crate::record::{
    Decision, GateDecision, OnInconclusive, PlannedScenario, RunRecord, ScenarioVerdict,
};

/// The policies of one run, and what they need to know of earlier ones.
#[derive(Debug)]
pub struct PolicyJudge<'a> {
    record: &'a RunRecord,
    scenarios: Vec<ScenarioGate<'a>>,
}

/// One scenario of the run.
#[derive(Debug)]
struct ScenarioGate<'a> {
    planned: &'a PlannedScenario,
    verdict: &'a ScenarioVerdict,
    history: PlanHistory,
}

/// The decision on one scenario, and the reason if a policy applied.
type ScenarioDecision = (Decision, Option<String>);

impl<'a> PolicyJudge<'a> {
    /// The policies of a run; `None` if no scenario has any, for one of several shards, which
    /// decides nothing, and for a duet, which its difference decides.
    pub fn of(record: &'a RunRecord) -> Option<Self> {
        let mut parts = record.measurement.sharing.iter().flat_map(|sharing| &sharing.parts);
        let is_shard = parts.any(|part| part.run == record.id);
        let is_duet = record.plan.iter().any(|planned| planned.duet.is_some());
        if is_shard || is_duet || record.plan.iter().all(|planned| planned.gate.is_default()) {
            return None;
        }
        let verdicts = record.verdict.scenarios.iter();
        let scenarios = verdicts.filter_map(|verdict| {
            let planned = record.planned(&verdict.scenario)?;
            let history = PlanHistory::needed_by(record, planned, verdict);
            Some(ScenarioGate { planned, verdict, history })
        });
        Some(Self { record, scenarios: scenarios.collect() })
    }

    /// Whether the decision depends on a further earlier run.
    pub fn needs_history(&self) -> bool {
        self.scenarios.iter().any(|scenario| scenario.history.needs_more())
    }

    /// Adds the next earlier run, the newest one first, or the reason why it cannot be read. A run
    /// of another plan or environment is passed over.
    pub fn add(&mut self, earlier: &Result<RunRecord, String>) {
        for scenario in &mut self.scenarios {
            scenario.history.add(earlier);
        }
    }

    /// Decides the gate. `place` says where earlier runs were looked for: `in reports/runs`. `None`
    /// if no policy applies, so that the gate follows the verdict.
    pub fn decide(&self, place: &str) -> Option<GateDecision> {
        let decided: Vec<_> =
            self.scenarios.iter().map(|scenario| scenario.decide(self.record, place)).collect();
        let has_several = self.scenarios.len() > 1;
        let reasons = self.scenarios.iter().zip(&decided).filter_map(|(scenario, (_, reason))| {
            let reason = reason.as_ref()?;
            let name = &scenario.planned.name;
            Some(if has_several { format!("{name}: {reason}") } else { reason.clone() })
        });
        let reasons: Vec<_> = reasons.collect();
        let decision = Decision::combine(decided.iter().map(|(decision, _)| *decision));
        (!reasons.is_empty()).then(|| GateDecision { decision, reason: reasons.join("; ") })
    }
}

/// Whether a run did all that was planned: it reached its end, with all of its shards.
fn is_whole(record: &RunRecord) -> bool {
    let sharing = record.measurement.sharing.as_ref();
    let lacks_shards = sharing.is_some_and(|sharing| !sharing.missing_shards().is_empty());
    record.measurement.ending.is_planned() && !lacks_shards
}

impl ScenarioGate<'_> {
    fn decide(&self, record: &RunRecord, place: &str) -> ScenarioDecision {
        let (decision, reason) = match self.verdict.decision {
            Decision::Pass => (Decision::Pass, None),
            Decision::Fail => self.after_fail(place),
            Decision::Inconclusive => self.after_inconclusive(is_whole(record)),
        };
        let unmet = requirements::unmet(record, self.planned);
        if unmet.is_empty() {
            return (decision, reason);
        }
        let decision = Decision::combine([decision, Decision::Inconclusive]);
        let reasons: Vec<_> = unmet.into_iter().chain(reason).collect();
        (decision, Some(reasons.join("; ")))
    }

    fn after_fail(&self, place: &str) -> ScenarioDecision {
        let needed = self.planned.gate.fail_after;
        if needed <= 1 {
            return (Decision::Fail, None);
        }
        if let Some(alarm) = self.carried().and_then(|carried| carried.alarm()) {
            return (Decision::Fail, Some(alarm));
        }
        let (failed, end) = self.history.streak();
        let failed = failed + 1;
        let in_a_row = match failed {
            1 => "failed once".to_owned(),
            _ => format!("failed {failed} times in a row"),
        };
        let (decision, reason) = match end {
            _ if failed >= needed => (Decision::Fail, in_a_row),
            StreakEnd::Broken => (Decision::Pass, in_a_row),
            StreakEnd::NoMore => {
                let earlier = if failed == 1 { "" } else { " other" };
                let what = format!(
                    "{in_a_row}, and no{earlier} earlier run of this plan is {place}: keep runs there from one job to the next"
                );
                (Decision::Fail, what)
            }
            StreakEnd::Unreadable(why) => {
                (Decision::Fail, format!("{in_a_row}, and an earlier run cannot be read: {why}"))
            }
        };
        (decision, Some(format!("{reason}; fail_after = {needed}")))
    }

    /// `is_whole` says whether the run did all that was planned. Otherwise it is never only a
    /// warning: a run that was stopped at once would let a deploy pass.
    fn after_inconclusive(&self, is_whole: bool) -> ScenarioDecision {
        let carried = self.carried();
        if let Some(alarm) = carried.as_ref().and_then(CarriedEvidence::alarm) {
            return (Decision::Fail, Some(alarm));
        }
        if let (_, StreakEnd::Unreadable(why)) = self.history.streak() {
            let what =
                format!("the evidence of an earlier run cannot be read: {why}; carry = true");
            return (Decision::Fail, Some(what));
        }
        let policy = self.planned.gate.on_inconclusive;
        let (decision, what) = match policy {
            OnInconclusive::Fail => {
                (Decision::Fail, Some("an inconclusive verdict counts as a failure"))
            }
            OnInconclusive::Warn if !is_whole => {
                (Decision::Inconclusive, Some("a run that was cut short is more than a warning"))
            }
            OnInconclusive::Warn => {
                (Decision::Pass, Some("an inconclusive verdict is only a warning"))
            }
            OnInconclusive::ExitThree | OnInconclusive::Extend(_) => (Decision::Inconclusive, None),
        };
        let what = what.map(|what| format!("{what}; on_inconclusive = \"{policy}\""));
        let carried = carried.map(|carried| carried.words());
        let reasons: Vec<_> = what.into_iter().chain(carried).collect();
        (decision, (!reasons.is_empty()).then(|| reasons.join("; ")))
    }

    /// The evidence against the target that this run and those before it have; `None` unless it is
    /// carried.
    fn carried(&self) -> Option<CarriedEvidence> {
        let gate = &self.planned.gate;
        gate.carry.then(|| CarriedEvidence::of(&self.history, gate.fail_after))
    }
}
