//! Watches a run in progress for evidence that is clear enough to end it.

use std::time::Duration;

use super::binomial::{ErrorRate, ExceedanceCount};
use super::evidence::{BetSide, BlockRule, EarlyRule, ExceedanceSlots};
use super::exceedance_timeline::RunTimelines;
use super::rule::DecisionRule;
use super::slot_series::{LagRole, SlotSeries, peak_of_slot};
use crate::record::{
    Budget, Ceiling, EarlyEnd, Interval, Measurement, PlannedRequest, PlannedScenario,
    ProvenBreach, SlotCount, Stage, StallHorizon, StopEarly, Tally,
};
use crate::units::Ratio;

/// A run is not looked at more often than this many times for each budget: a look costs as much as
/// the run has slots.
const MOST_LOOKS: u32 = 500;

/// Watches the settled intervals of a run, and ends it when its verdict is proven so clearly that
/// the rest of it could hardly change it.
///
/// One proven breach fails the run, so it ends a run of several scenarios too. Exceedances that the
/// prober's lag explains prove no breach. A pass ends a run only if every scenario asks for that,
/// and needs every budget of every scenario. A run with a scenario that must not end early does
/// not, nor does a duet: a breach of its old side decides nothing.
#[derive(Debug, Default)]
pub struct EarlyEndWatch {
    requests: Vec<WatchedRequest>,
    ends_on_pass: bool,
}

/// A request whose exchanges are judged.
#[derive(Debug)]
struct WatchedRequest {
    scenario: String,
    request: String,
    /// Planned length of the scenario's measured stage.
    planned: Duration,
    tested: Vec<WatchedBudget>,
    /// Budgets that allow none, by what they count.
    untested: Vec<SlotSeries>,
    /// Whether it has no budget at all, so that one failure fails it.
    is_by_expectations: bool,
    /// Whether a budget has no limit for want of earlier runs, so that the request cannot pass.
    lacks_limit: bool,
    exchanges: u64,
    /// Exchanges that no budget allows.
    disallowed: u64,
}

/// A budget that is a statement about the target.
#[derive(Debug)]
struct WatchedBudget {
    budget: Budget,
    /// What it can prove; `None` for both. A limit from earlier runs has an end for each.
    side: Option<BetSide>,
    allowed: Ratio,
    series: SlotSeries,
    horizon: StallHorizon,
    share: f64,
    rule: EarlyRule,
    /// All settled exchanges.
    count: ExceedanceCount,
    /// The settled time at the last look.
    looked: Duration,
    holds: bool,
}

impl EarlyEndWatch {
    /// Watches a run of these scenarios. `empty` is the run's measurement before it starts, and
    /// `durations` has the planned length of each scenario's measured stage.
    pub fn new<'a>(
        plan: impl IntoIterator<Item = &'a PlannedScenario> + Clone,
        empty: &Measurement,
        durations: impl IntoIterator<Item = Duration>,
    ) -> Self {
        let wishes: Vec<_> =
            plan.clone().into_iter().map(|planned| planned.gate.stop_early).collect();
        let is_duet = plan.clone().into_iter().any(|planned| planned.duet.is_some());
        // The others decide the exit code too if a first fail does not.
        let is_patient = |planned: &PlannedScenario| planned.gate.fail_after > 1;
        let waits_for_all = wishes.len() > 1 && plan.clone().into_iter().any(is_patient);
        if is_duet || waits_for_all || wishes.contains(&StopEarly::Never) {
            return Self::default();
        }
        let budgets = DecisionRule::of(plan.clone()).budgets();
        let scenarios = plan.into_iter().zip(durations);
        let requests = scenarios.flat_map(|(planned, duration)| {
            let own = planned.requests.iter().filter(|request| request.hop_of.is_none());
            own.map(move |request| {
                let ceilings = ceilings(empty, &planned.name, &request.name);
                WatchedRequest::new((planned, duration), request, ceilings, budgets)
            })
        });
        let ends_on_pass = wishes.iter().all(|wish| *wish == StopEarly::Both);
        Self { requests: requests.collect(), ends_on_pass }
    }

    /// The same watch for one of several probers: what it alone sees can prove that a budget does
    /// not hold, but not that the other probers see the same.
    #[must_use]
    pub fn for_breaches(self) -> Self {
        Self { ends_on_pass: false, ..self }
    }

    /// Takes in the next settled interval, which `timelines` already has, and returns what is
    /// proven by now.
    pub fn observe(&mut self, interval: &Interval, timelines: &RunTimelines) -> Option<EarlyEnd> {
        if interval.stage != Stage::Measured {
            return None;
        }
        let watched = self.requests.iter_mut().find(|watched| {
            (&watched.scenario, &watched.request) == (&interval.scenario, &interval.request)
        })?;
        watched.count(&interval.tally);
        let after = watched.settled(&interval.tally)?;
        let breach = watched.look(after, timelines, self.ends_on_pass);
        let is_proven = breach.is_some() || self.is_clear_pass();
        let planned = self.requests.iter().map(|watched| watched.planned).max()?;
        is_proven.then_some(EarlyEnd { after, planned, breach })
    }

    fn is_clear_pass(&self) -> bool {
        let tests_any = || self.requests.iter().any(|watched| !watched.tested.is_empty());
        self.ends_on_pass && tests_any() && self.requests.iter().all(WatchedRequest::holds)
    }
}

/// The ceilings that a request is counted against.
fn ceilings<'a>(empty: &'a Measurement, scenario: &str, request: &str) -> &'a [Ceiling] {
    let scenario = empty.scenarios.iter().find(|known| known.name == scenario);
    let mut requests = scenario.into_iter().flat_map(|scenario| &scenario.requests);
    requests.find(|known| known.name == request).map_or(&[], |known| &known.ceilings)
}

/// The tests of a budget: the budget, the one whose ceiling is counted, and what it can prove.
fn tests_of(request: &PlannedRequest, budget: Budget) -> Vec<(Budget, Budget, Option<BetSide>)> {
    let limit = request.baseline_of(&budget);
    let Some((limit, learned)) = limit.and_then(|limit| Some((limit, limit.learned?))) else {
        return vec![(budget, budget, None)];
    };
    let ends = [(learned.low, BetSide::Pass), (learned.high, BetSide::Fail)];
    let test = |(end, side)| Some((budget, limit.with_ceiling(end)?, Some(side)));
    ends.into_iter().filter_map(test).collect()
}

impl WatchedRequest {
    fn new(
        (planned, duration): (&PlannedScenario, Duration),
        request: &PlannedRequest,
        ceilings: &[Ceiling],
        budgets: usize,
    ) -> Self {
        let series = |budget: &Budget| SlotSeries::of(*budget, ceilings);
        let tests = request.budgets.iter().flat_map(|budget| tests_of(request, *budget));
        let tested = tests.filter_map(|(budget, tested, side)| {
            let (allowed, horizon) = (budget.allowed()?, planned.stalls?);
            let error_rate = ErrorRate::STATED.shared_by(if side.is_some() { 2 } else { 1 });
            let rule = BlockRule { horizon: horizon.slots(), budgets, error_rate };
            Some(WatchedBudget {
                budget,
                side,
                allowed,
                series: series(&tested)?,
                horizon,
                share: planned.share_of(&request.name),
                rule: EarlyRule { rule, planned: slots_of(&horizon, duration) },
                count: ExceedanceCount::default(),
                looked: Duration::ZERO,
                holds: false,
            })
        });
        let untested = request.budgets.iter().filter(|budget| budget.allowed().is_none());
        Self {
            scenario: planned.name.clone(),
            request: request.name.clone(),
            planned: duration,
            tested: tested.collect(),
            untested: untested.filter_map(series).collect(),
            is_by_expectations: request.budgets.is_empty(),
            lacks_limit: request.budgets.iter().any(Budget::lacks_limit),
            exchanges: 0,
            disallowed: 0,
        }
    }

    fn count(&mut self, tally: &Tally) {
        self.exchanges += tally.exchanges;
        if self.is_by_expectations {
            self.disallowed += tally.failed();
        }
        for series in &self.untested {
            self.disallowed += series.count(tally).over;
        }
        for budget in &mut self.tested {
            budget.count = [budget.count, budget.series.count(tally)].into_iter().sum();
        }
    }

    /// How much of the measured stage has settled: up to the end of the interval's second. `None`
    /// if nothing was due in it.
    fn settled(&self, tally: &Tally) -> Option<Duration> {
        let slot = self.tested.first().map(|budget| budget.horizon.slot)?;
        let (first, _) = tally.slots.slots().next()?;
        let start = slot.saturating_mul(u32::try_from(first).unwrap_or(u32::MAX));
        Some(Duration::from_secs(start.as_secs() + 1).min(self.planned))
    }

    /// Looks at each budget; returns the first one whose breach is clear.
    fn look(
        &mut self,
        settled: Duration,
        timelines: &RunTimelines,
        for_passes: bool,
    ) -> Option<ProvenBreach> {
        let pause = Duration::from_secs(1).max(self.planned / MOST_LOOKS);
        let (scenario, request) = (&self.scenario, &self.request);
        self.tested.iter_mut().find_map(|budget| {
            if settled < budget.looked + pause.max(budget.horizon.length) {
                return None;
            }
            budget.looked = settled;
            let slots = |lag| {
                let counts = budget.series.counts(&timelines.of(scenario, request)?.slots)?;
                Some(budget.settled_slots(counts, settled, lag))
            };
            let is_clear = |side, slots: Option<ExceedanceSlots>| {
                slots.is_some_and(|slots| budget.rule.is_clear(side, &slots, budget.allowed))
            };
            let (allowed, count) = (budget.allowed.as_f64(), budget.count);
            // Where the share is at most the allowed one, no bet on a larger one has won.
            let is_over = count.over as f64 > allowed * count.of as f64;
            let may_fail = is_over && budget.side != Some(BetSide::Pass);
            let fails = may_fail && is_clear(BetSide::Fail, slots(LagRole::Excuses));
            budget.holds = budget.side == Some(BetSide::Fail)
                || for_passes && !is_over && is_clear(BetSide::Pass, slots(LagRole::Counts));
            fails.then(|| ProvenBreach {
                scenario: scenario.clone(),
                request: request.clone(),
                budget: budget.budget.to_string(),
            })
        })
    }

    /// Whether nothing is left to prove for a pass.
    fn holds(&self) -> bool {
        let is_open = self.lacks_limit || self.exchanges == 0 || self.disallowed > 0;
        !is_open && self.tested.iter().all(|budget| budget.holds)
    }
}

impl WatchedBudget {
    /// The whole blocks of the settled time.
    fn settled_slots(
        &self,
        counts: impl Iterator<Item = SlotCount> + Clone,
        settled: Duration,
        lag: LagRole,
    ) -> ExceedanceSlots {
        let length = self.rule.rule.horizon;
        let whole = slots_of(&self.horizon, settled) / length * length;
        let peak = peak_of_slot(&self.horizon, self.share, counts.clone());
        let counts = counts.chain(std::iter::repeat(SlotCount::default())).take(whole);
        self.series.slots(counts, peak, lag)
    }
}

/// How many slots a time has.
fn slots_of(horizon: &StallHorizon, time: Duration) -> usize {
    let slots = time.as_micros() / horizon.slot.as_micros().max(1);
    usize::try_from(slots).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
