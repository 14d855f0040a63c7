//! A budget over a period, in words.

use crate::history::{BudgetPeriod, PeriodFigures};
use crate::record::{ActualQuantile, Budget, Decision};
use crate::report::words;
use crate::units::{Ratio, format_duration};

/// One budget of one request over the period.
#[derive(Debug, Clone)]
pub(in crate::report) struct BudgetHistoryRow {
    /// The budget as it is written.
    pub(in crate::report) written: Budget,
    /// The same as text: `p95 < 300ms`.
    pub(in crate::report) budget: String,
    /// Its limit, if earlier runs give it: `77.5 ms now`. Otherwise empty.
    pub(in crate::report) limit: String,
    /// What it limits, over all exchanges of the period: `243 ms`, or the share that exceeded it.
    pub(in crate::report) actual: String,
    /// Whether the exchanges of the whole period held it; `None` if nothing was judged.
    is_met: Option<bool>,
    /// Whether a run passed or failed it: without one, the figures prove neither.
    is_decided: bool,
    /// The share of decided runs that held it.
    pub(in crate::report) attainment: String,
    /// The error budget left.
    pub(in crate::report) left: String,
    /// Whether the newest run has it.
    pub(in crate::report) is_current: bool,
}

impl BudgetHistoryRow {
    /// The row of a budget.
    pub(super) fn new(of: &BudgetPeriod, period: &PeriodFigures) -> Self {
        Self {
            written: of.budget,
            budget: of.budget.to_string(),
            limit: learned_limit(of),
            actual: actual(of, period),
            is_met: of.is_met(),
            is_decided: of.attainment.decided() > 0,
            attainment: attainment(&of.attainment),
            left: left(of),
            is_current: of.is_current,
        }
    }

    /// The budget with its learned limit: `p95 < baseline + 10% (77.5 ms now)`.
    pub(in crate::report) fn with_limit(&self) -> String {
        match self.limit.as_str() {
            "" => self.budget.clone(),
            limit => format!("{} ({limit})", self.budget),
        }
    }

    /// Its place in the order of attention: what is missed comes first.
    pub(super) fn urgency(&self) -> u8 {
        match self.status().0 {
            Decision::Fail => 0,
            Decision::Inconclusive => 1,
            Decision::Pass => 2,
        }
    }

    /// The status as a decision for badges, and in words.
    pub(in crate::report) fn status(&self) -> (Decision, &'static str) {
        match self.is_met {
            Some(_) if !self.is_decided => (Decision::Inconclusive, "undecided"),
            Some(true) => (Decision::Pass, "met"),
            Some(false) => (Decision::Fail, "missed"),
            None => (Decision::Inconclusive, "no data"),
        }
    }
}

fn learned_limit(of: &BudgetPeriod) -> String {
    match of.ceiling {
        _ if !of.budget.lacks_limit() => String::new(),
        Some(ceiling) if of.is_current => format!("{} now", format_duration(ceiling)),
        Some(ceiling) => format!("{} in its last run", format_duration(ceiling)),
        None => "no limit yet".to_owned(),
    }
}

fn actual(of: &BudgetPeriod, period: &PeriodFigures) -> String {
    let share = match of.judged {
        0 => "no data".to_owned(),
        judged => words::share(Ratio::of(of.exceeded, judged)),
    };
    match of.budget {
        Budget::Errors(_) | Budget::Dropped(_) => share,
        _ => match period.actual(&of.budget) {
            Some(ActualQuantile::Unbounded) => "∞ (failures)".to_owned(),
            Some(value) => words::actual(value),
            None if of.judged > 0 => format!("{share} above"),
            None => share,
        },
    }
}

/// The share of decided runs that passed, in words.
pub(super) fn attainment(of: &crate::history::RunAttainment) -> String {
    let inconclusive = match of.inconclusive {
        0 => String::new(),
        count => format!(", {} inconclusive", words::count(count)),
    };
    if of.decided() == 0 {
        return format!("no run decided{inconclusive}");
    }
    let share = words::share(Ratio::of(of.passed, of.decided()));
    let [passed, decided] = [of.passed, of.decided()].map(words::count);
    let noun = if of.inconclusive > 0 { "decided runs" } else { "runs" };
    format!("{share} ({passed} of {decided} {noun}{inconclusive})")
}

fn left(of: &BudgetPeriod) -> String {
    let Some(left) = of.left() else { return "no data".to_owned() };
    match of.budget.allowed() {
        None if of.exceeded == 0 => "whole: none exceeded it".to_owned(),
        None => format!("none: {} exceeded it", words::count(of.exceeded)),
        Some(_) if left < 0.0 => format!("none: {:.1}× spent", 1.0 - left),
        Some(_) => format!("{:.0} %", left * 100.0),
    }
}
