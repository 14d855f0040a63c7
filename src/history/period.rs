//! What a period says of one request: verdicts, added histograms and budgets.

use std::time::Duration;

use super::{DaySum, QuantileFigures, SeriesRun};
use crate::record::{ActualQuantile, Budget, Decision, Dimension, Histogram, HistogramError};

/// How many runs had each decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunAttainment {
    /// Runs that passed.
    pub passed: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that could not tell.
    pub inconclusive: u64,
}

impl RunAttainment {
    /// Counts a decision.
    pub fn add(&mut self, decision: Decision) {
        match decision {
            Decision::Pass => self.passed += 1,
            Decision::Fail => self.failed += 1,
            Decision::Inconclusive => self.inconclusive += 1,
        }
    }

    /// Runs in total.
    pub fn runs(&self) -> u64 {
        self.passed + self.failed + self.inconclusive
    }

    /// Runs that passed or failed.
    pub fn decided(&self) -> u64 {
        self.passed + self.failed
    }
}

/// One request over a period.
#[derive(Debug, Clone, Default)]
pub struct PeriodFigures {
    /// The decisions on its scenario.
    pub attainment: RunAttainment,
    /// Finished exchanges.
    pub exchanges: u64,
    /// The exchanges that met every expectation.
    pub ok: u64,
    /// The latency of the ok exchanges: the sum of the runs' histograms.
    pub latency: Histogram,
    /// The latency of first exchanges on warm-up connections: the sum of the runs' histograms.
    pub cold: Histogram,
    /// Its budgets, those of the newest runs first.
    pub budgets: Vec<BudgetPeriod>,
}

/// One budget over a period.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetPeriod {
    /// The budget as it is written: one that is relative to a baseline has another limit in each
    /// run, and is one budget.
    pub budget: Budget,
    /// The ceiling in its newest run; `None` for a budget on a count, and without a limit.
    pub ceiling: Option<Duration>,
    /// The decisions on it.
    pub attainment: RunAttainment,
    /// Exchanges judged in all runs.
    pub judged: u64,
    /// The judged exchanges that exceeded it.
    pub exceeded: u64,
    /// Whether the newest run has it.
    pub is_current: bool,
}

impl PeriodFigures {
    /// The figures of some runs, the newest last, and of the days with their histograms.
    pub fn of(runs: &[SeriesRun], days: &[DaySum]) -> Result<Self, HistogramError> {
        let mut period = Self::default();
        for day in days {
            day.latency.add_to(&mut period.latency)?;
            day.cold.add_to(&mut period.cold)?;
        }
        for run in runs {
            period.count(run);
        }
        period.mark_current(runs.last());
        Ok(period)
    }

    fn count(&mut self, run: &SeriesRun) {
        self.attainment.add(run.decision);
        self.exchanges = self.exchanges.saturating_add(run.exchanges);
        self.ok = self.ok.saturating_add(run.ok);
        for of_run in run.figures.iter().flat_map(|figures| &figures.budgets) {
            let known = self.budgets.iter().position(|period| period.budget == of_run.written);
            let place = known.unwrap_or_else(|| {
                self.budgets.push(BudgetPeriod::new(of_run.written));
                self.budgets.len() - 1
            });
            let period = &mut self.budgets[place];
            period.ceiling = of_run.budget.ceiling().map(|(_, ceiling)| ceiling);
            period.attainment.add(of_run.decision);
            period.judged = period.judged.saturating_add(of_run.judged);
            period.exceeded = period.exceeded.saturating_add(of_run.exceeded);
        }
    }

    fn mark_current(&mut self, newest: Option<&SeriesRun>) {
        let budgets =
            || newest.and_then(|run| run.figures.as_ref()).map(|figures| &figures.budgets);
        for period in &mut self.budgets {
            period.is_current =
                budgets().is_some_and(|all| all.iter().any(|one| one.written == period.budget));
        }
        self.budgets.sort_by_key(|period| !period.is_current);
    }

    /// Exchanges that failed or were dropped.
    pub fn failed(&self) -> u64 {
        self.exchanges.saturating_sub(self.ok)
    }

    /// The quantiles that its exchanges can carry.
    pub fn figures(&self) -> QuantileFigures {
        QuantileFigures::of(&self.latency)
    }

    /// The value that a budget on latency limits, over all exchanges of the period, with failures
    /// at +∞; `None` for other budgets, and with fewer exchanges than the quantile needs.
    pub fn actual(&self, budget: &Budget) -> Option<ActualQuantile> {
        let failed = self.failed();
        let all = self.latency.count() + failed;
        match *budget {
            Budget::Quantile { quantile, dimension: Dimension::Latency, .. }
            | Budget::Relative { quantile, dimension: Dimension::Latency, .. } => {
                let rank = Histogram::rank_of(quantile, all);
                let value = self.latency.at_rank(rank);
                (all >= quantile.fewest_values())
                    .then(|| value.map_or(ActualQuantile::Unbounded, ActualQuantile::At))
            }
            Budget::Max { dimension: Dimension::Latency, .. } if failed > 0 => {
                Some(ActualQuantile::Unbounded)
            }
            Budget::Max { dimension: Dimension::Latency, .. } => {
                self.latency.max().map(ActualQuantile::At)
            }
            _ => None,
        }
    }
}

impl BudgetPeriod {
    fn new(budget: Budget) -> Self {
        let attainment = RunAttainment::default();
        let (ceiling, is_current) = (None, false);
        Self { budget, ceiling, attainment, judged: 0, exceeded: 0, is_current }
    }

    /// The share of the exchanges that exceeded it; `None` if none was judged.
    pub fn exceeded_share(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.exceeded as f64 / self.judged as f64)
    }

    /// The error budget left, as a share: 1 if nothing exceeded the budget, 0 if exactly the
    /// allowed share did, negative if more did. `None` if nothing was judged.
    ///
    /// It is `1 − exceeded / (allowed · judged)` (Beyer et al., *Site Reliability Engineering*,
    /// 2016, chapter 3). A budget that allows nothing is whole until the first exceedance.
    pub fn left(&self) -> Option<f64> {
        let share = self.exceeded_share()?;
        Some(match self.budget.allowed() {
            Some(allowed) => 1.0 - share / allowed.as_f64(),
            None if self.exceeded == 0 => 1.0,
            None => 0.0,
        })
    }

    /// Whether the exchanges of the whole period held it; `None` if nothing was judged.
    pub fn is_met(&self) -> Option<bool> {
        let left = self.left()?;
        Some(if self.budget.allowed().is_some() { left >= 0.0 } else { self.exceeded == 0 })
    }
}
