//! Evidence that a run takes over from an earlier one.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::binomial::{ErrorRate, ExceedanceCount};
use super::evidence::{BlockRule, BlockSeries, Outlook, RunBlocks};
use super::rule::DecisionRule;
use super::void_reasons;
use crate::record::{
    BlockCounts, Budget, BudgetEvidence, BudgetVerdict, Decision, Dimension, EarlierBlocks,
    RunEnding, RunRecord,
};

/// The blocks of earlier runs by which a run is decided too.
///
/// The bets go on from run to run, so that runs may be continued until they are decided without
/// any change of the error rate (Ville's inequality). That holds only if no run between is left
/// out.
#[derive(Debug, Clone, Default)]
pub struct EarlierEvidence {
    runs: Vec<Uuid>,
    /// By scenario, request and budget; oldest run first.
    blocks: HashMap<(String, String, String), Vec<EarlierBlocks>>,
}

impl EarlierEvidence {
    /// The evidence of a run and of those that it continues.
    pub fn of(run: &RunRecord) -> Self {
        let mut blocks = HashMap::new();
        for scenario in &run.verdict.scenarios {
            for budget in &scenario.budgets {
                let [holds, fails] = tested_ceilings(run, &scenario.scenario, budget);
                let sides = [(holds, &budget.evidence), (fails, &budget.fail_evidence)];
                for (tested, evidence) in sides {
                    let Some(evidence) = evidence else { continue };
                    let place = (scenario.scenario.clone(), budget.request.clone());
                    let key = (place.0, place.1, tested.to_string());
                    blocks.insert(key, with_own(run.id, evidence));
                }
            }
        }
        let runs = run.verdict.continues.iter().copied().chain([run.id]).collect();
        Self { runs, blocks }
    }

    /// The ids of the runs, oldest first.
    pub fn runs(&self) -> &[Uuid] {
        &self.runs
    }

    /// The blocks of one budget; empty if no earlier run has any.
    pub(super) fn blocks(&self, scenario: &str, request: &str, budget: Budget) -> &[EarlierBlocks] {
        let key = (scenario.to_owned(), request.to_owned(), budget.to_string());
        self.blocks.get(&key).map_or(&[], Vec::as_slice)
    }
}

/// What a budget was tested against to hold and to fail: the two ends of its limit if that comes
/// from earlier runs, else the budget itself.
fn tested_ceilings(run: &RunRecord, scenario: &str, verdict: &BudgetVerdict) -> [Budget; 2] {
    let requests = run.planned(scenario).into_iter().flat_map(|planned| &planned.requests);
    let mut requests = requests.filter(|request| request.name == verdict.request);
    let limit = requests.find_map(|request| request.baseline_of(&verdict.budget));
    let ends = limit.and_then(|limit| Some((limit, limit.learned?)));
    ends.map_or([verdict.budget; 2], |(limit, learned)| {
        [learned.low, learned.high].map(|end| limit.with_ceiling(end).unwrap_or(verdict.budget))
    })
}

/// The blocks of the earlier runs of a budget, then its own.
fn with_own(run: Uuid, evidence: &BudgetEvidence) -> Vec<EarlierBlocks> {
    let own = EarlierBlocks {
        run,
        at_horizon: evidence.at_horizon.clone(),
        longer: evidence.longer.clone(),
    };
    evidence.earlier.iter().cloned().chain([own]).collect()
}

/// The blocks of the earlier runs of a budget, then its own, as evidence counts them.
pub(super) fn all_blocks(evidence: &BudgetEvidence, slot: Duration) -> Vec<RunBlocks> {
    let earlier = evidence.earlier.iter();
    let earlier = earlier.map(|run| run_blocks((&run.at_horizon, run.longer.as_ref()), slot));
    let own = run_blocks((&evidence.at_horizon, evidence.longer.as_ref()), slot);
    earlier.chain([own]).collect()
}

/// The blocks of the horizon and the longer ones as evidence counts them, in slots of this length.
pub(super) fn run_blocks(
    (at_horizon, longer): (&BlockCounts, Option<&BlockCounts>),
    slot: Duration,
) -> RunBlocks {
    // Larger counts are those of a damaged record; their sums would overflow.
    let count = |count: u64| count.min(u64::from(u32::MAX) / 4);
    let series = |counts: &BlockCounts| BlockSeries {
        length: slots(counts.length, slot),
        planned_peak: counts.peak,
        blocks: (counts.blocks.iter())
            .map(|&(over, of, number)| {
                let of = count(of);
                (ExceedanceCount { over: over.min(of), of }, count(number))
            })
            .collect(),
    };
    RunBlocks { at_horizon: series(at_horizon), longer: longer.map(series) }
}

fn slots(length: Duration, slot: Duration) -> usize {
    let slots = length.as_micros() / slot.as_micros().max(1);
    usize::try_from(slots).unwrap_or(usize::MAX).max(1)
}

/// Why no run can continue this one, as the end of a sentence; `None` if one can.
///
/// Only a run that lacks nothing except evidence can be continued: a verdict is final, and data
/// that cannot support a pass alone cannot support it together with others.
pub fn continuation_obstacle(run: &RunRecord) -> Option<String> {
    match run.verdict.decision {
        Decision::Pass => return Some("it passed, and a verdict is final".to_owned()),
        Decision::Fail => return Some("it failed, and a verdict is final".to_owned()),
        Decision::Inconclusive => {}
    }
    if run.measurement.ending != RunEnding::Complete {
        let reasons = void_reasons::grounds(run.measurement.scenarios.first(), &run.measurement);
        let reason = reasons.into_iter().next().map(|reason| reason.what);
        return Some(reason.unwrap_or_else(|| "it did not run to its planned end".to_owned()));
    }
    let mut measured = run.measurement.scenarios.iter();
    let ground = measured
        .find_map(|scenario| {
            void_reasons::grounds(Some(scenario), &run.measurement).into_iter().next()
        })
        .map(|ground| ground.what);
    let late = || {
        late_budget(run).map(|budget| {
            format!("the prober was late: its lag explains exceedances of `{budget}`")
        })
    };
    let budgets = || tested_budgets(run).all(|budget| budget.evidence.is_none());
    ground
        .or_else(late)
        .or_else(|| budgets().then(|| "no budget of it was decided by blocks of time".to_owned()))
}

fn tested_budgets(run: &RunRecord) -> impl Iterator<Item = &BudgetVerdict> {
    let budgets = run.verdict.scenarios.iter().flat_map(|scenario| &scenario.budgets);
    budgets.filter(|budget| budget.allowed.is_some())
}

/// A tested budget with exceedances that only the prober's lag caused. The blocks count them as the
/// target's, so they must not prove a breach.
fn late_budget(run: &RunRecord) -> Option<Budget> {
    let verdicts = run.verdict.scenarios.iter();
    verdicts
        .flat_map(|scenario| scenario.budgets.iter().map(move |budget| (scenario, budget)))
        .filter(|(_, budget)| budget.allowed.is_some())
        .find_map(|(scenario, budget)| {
            let (dimension, ceiling) = budget.budget.ceiling()?;
            let measured = run.measurement.scenarios.iter();
            let measured = measured.filter(|measured| measured.name == scenario.scenario);
            let mut requests = measured.flat_map(|measured| &measured.requests);
            let request = requests.find(|request| request.name == budget.request)?;
            let at = request
                .ceilings
                .iter()
                .position(|known| (known.dimension, known.limit) == (dimension, ceiling))?;
            let count = request.measured.tally.ceilings.get(at)?;
            let by_lag = count.exceeded - count.exceeded_without_lag.min(count.exceeded);
            (by_lag > 0 && dimension != Dimension::Lag).then_some(budget.budget)
        })
}

/// How much longer an inconclusive run would have to be measured, together with those that it
/// continues; `None` if no practical length would settle it.
pub fn more_time(run: &RunRecord) -> Option<Duration> {
    let budgets = DecisionRule::of(&run.plan).budgets();
    let mut longest = Duration::ZERO;
    for scenario in &run.verdict.scenarios {
        let horizon = run.planned(&scenario.scenario).and_then(|planned| planned.stalls);
        let undecided = scenario
            .budgets
            .iter()
            .filter(|budget| budget.decision == Decision::Inconclusive && budget.allowed.is_some());
        for budget in undecided {
            let (horizon, evidence, allowed) =
                (horizon?, budget.evidence.as_ref()?, budget.allowed?);
            let runs = all_blocks(evidence, horizon.slot);
            let error_rate = ErrorRate::STATED;
            let rule = BlockRule { horizon: horizon.slots(), budgets, error_rate };
            let slots = match Outlook::of(&runs, allowed, rule) {
                Outlook::IfClean { slots } | Outlook::AtThisRate { slots, .. } => slots,
                Outlook::TooClose => return None,
            };
            let slots = u32::try_from(slots).unwrap_or(u32::MAX);
            longest = longest.max(horizon.slot.saturating_mul(slots));
        }
    }
    (!longest.is_zero()).then_some(longest)
}

#[cfg(test)]
mod tests;
