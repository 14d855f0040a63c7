//! The search for the largest rate within budget: upward in steps, then between the last rate
//! within budget and the first one over it, and at the end once more at the rate that it found.
//!
//! The search knows nothing of runs. It says what to measure next and takes in how that was judged.
//!
//! **Errors.** A search states that one rate is within budget and another over it. Each step is
//! judged by the verdict's own rule at an error rate of α / k, with k the largest number of steps
//! that the search may take ([`SearchBounds::most_steps`]). By the union bound, all statements of a
//! search are right together in at least 1 − α of all searches. Neither the order of the rates nor
//! the search's own choices matter to that: a step's evidence comes from its own requests alone. A
//! step that is measured longer adds to its evidence and stays one statement (Ville's inequality).

mod bounds;
mod interval;
mod trend;

use std::time::Duration;

use serde::Serialize;

pub use self::bounds::SearchBounds;
use self::bounds::{between, ratio};
pub use self::interval::{Confirmation, RateInterval, RateReason, SearchEnding};
pub use self::trend::RisingLatency;
use crate::record::Decision;
use crate::units::Rate;

/// How many rates in a row may stay undecided on the way up.
const MOST_UNDECIDED: usize = 2;

/// A search in progress.
#[derive(Debug, Clone)]
pub struct RateSearch {
    bounds: SearchBounds,
    /// The rates on the way up that are still to be measured, the next one last.
    rungs: Vec<Rate>,
    /// The rates that were within budget, ascending.
    within: Vec<Rate>,
    over: Option<RateReason>,
    /// Ascending, all of them between the rate within budget and the one over it.
    undecided: Vec<RateReason>,
    confirmation: Option<Confirmation>,
    narrowed: usize,
    steps: usize,
    step: Option<SearchStep>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum NextStep {
    /// Measure at a rate.
    Measure(SearchStep),
    /// Nothing: this is the answer.
    Done(RateInterval),
}

/// One measurement of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchStep {
    /// The step's number, from 1. A longer measurement of the same rate keeps it.
    pub number: usize,
    /// The rate to measure at.
    pub rate: Rate,
    /// How long to measure.
    pub duration: Duration,
    /// What the step is for.
    pub purpose: StepPurpose,
    /// Whether it adds to the evidence of the measurement before it, which was inconclusive.
    pub continues: bool,
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepPurpose {
    /// To find a rate over budget.
    Rise,
    /// To bring the two ends closer together.
    Narrow,
    /// To see whether the rate that was found still holds.
    Confirm,
}

impl RateSearch {
    /// A search that has measured nothing yet.
    pub fn new(bounds: SearchBounds) -> Self {
        let mut rungs = bounds.rungs();
        rungs.reverse();
        let mut search = Self {
            bounds,
            rungs,
            within: Vec::new(),
            over: None,
            undecided: Vec::new(),
            confirmation: None,
            narrowed: 0,
            steps: 0,
            step: None,
        };
        search.step = search.choose();
        search
    }

    /// What to do next. It stays the same until the step is [judged](Self::judged).
    pub fn next(&self) -> NextStep {
        match self.step {
            Some(step) => NextStep::Measure(step),
            None => NextStep::Done(self.interval(self.ending())),
        }
    }

    /// Takes in how the step was judged, with the verdict's reason.
    pub fn judged(&mut self, decision: Decision, reason: String) {
        let Some(step) = self.step.take() else { return };
        if decision == Decision::Inconclusive && !step.continues {
            let duration = self.bounds.continuation();
            self.step = Some(SearchStep { duration, continues: true, ..step });
            return;
        }
        let at = RateReason { rate: step.rate, reason };
        match step.purpose {
            StepPurpose::Confirm => self.confirm(decision, at),
            StepPurpose::Rise | StepPurpose::Narrow => self.note(decision, at),
        }
        self.step = self.choose();
    }

    /// The answer of a search that ends now, by the user's wish.
    pub fn interrupted(&self) -> RateInterval {
        self.interval(SearchEnding::Interrupted)
    }

    fn note(&mut self, decision: Decision, at: RateReason) {
        let per_second = at.rate.as_per_second();
        match decision {
            Decision::Pass => {
                self.within.push(at.rate);
                self.undecided.retain(|known| known.rate.as_per_second() > per_second);
            }
            Decision::Fail => {
                self.undecided.retain(|known| known.rate.as_per_second() < per_second);
                self.over = Some(at);
            }
            Decision::Inconclusive => {
                self.undecided.push(at);
                self.undecided.sort_by(|one, two| {
                    one.rate.as_per_second().total_cmp(&two.rate.as_per_second())
                });
            }
        }
    }

    /// Takes in what a second look at the largest rate within budget showed. If that was not the
    /// same, its first look is no proof of it.
    fn confirm(&mut self, decision: Decision, at: RateReason) {
        self.confirmation = Some(match decision {
            Decision::Pass => Confirmation::Holds,
            Decision::Fail => Confirmation::Fails(at),
            Decision::Inconclusive => Confirmation::Undecided(at),
        });
        match decision {
            Decision::Pass => {}
            Decision::Fail => self.within.clear(),
            Decision::Inconclusive => self.within.truncate(self.within.len().saturating_sub(1)),
        }
    }

    /// The next step; `None` at the end.
    fn choose(&mut self) -> Option<SearchStep> {
        if self.confirmation.is_some() {
            return None;
        }
        let rising = self.over.is_none() && self.undecided.len() < MOST_UNDECIDED;
        if rising && let Some(rate) = self.rungs.pop() {
            return Some(self.fresh_step(rate, StepPurpose::Rise));
        }
        let within = self.within.last().copied()?;
        if self.narrowed < self.bounds.narrowings()
            && let Some(rate) = self.widest_gap(within)
        {
            self.narrowed += 1;
            return Some(self.fresh_step(rate, StepPurpose::Narrow));
        }
        Some(self.fresh_step(within, StepPurpose::Confirm))
    }

    fn fresh_step(&mut self, rate: Rate, purpose: StepPurpose) -> SearchStep {
        self.steps += 1;
        let duration = self.bounds.step();
        SearchStep { number: self.steps, rate, duration, purpose, continues: false }
    }

    /// The rate in the middle of the wider of two gaps: above the rate within budget, and below the
    /// one over it. They differ only if a rate between stayed undecided. `None` if both are as
    /// narrow as they should be.
    fn widest_gap(&self, within: Rate) -> Option<Rate> {
        let over = self.over.as_ref().map(|over| over.rate);
        let undecided = || self.undecided.iter().map(|at| at.rate);
        let above = undecided().next().or(over).map(|upper| (within, upper));
        let below = undecided().next_back().zip(over);
        let gaps = above.into_iter().chain(below);
        let (lower, upper) = gaps
            .filter(|&(lower, upper)| ratio(lower, upper) > self.bounds.resolution())
            .max_by(|one, two| ratio(one.0, one.1).total_cmp(&ratio(two.0, two.1)))?;
        between(lower, upper)
    }

    fn ending(&self) -> SearchEnding {
        let over = self.over.as_ref().map(|over| over.rate);
        match (self.within.last().copied(), over) {
            _ if matches!(self.confirmation, Some(Confirmation::Fails(_))) => {
                SearchEnding::NoLongerHolds
            }
            (Some(_), Some(_)) => SearchEnding::Found,
            (Some(rate), None) if rate == self.bounds.limit() => SearchEnding::LimitHolds,
            (None, Some(rate)) if rate == self.bounds.lowest() => SearchEnding::LowestFails,
            _ => SearchEnding::Undecided,
        }
    }

    fn interval(&self, ending: SearchEnding) -> RateInterval {
        RateInterval {
            ending,
            within: self.within.last().copied(),
            over: self.over.clone(),
            undecided: self.undecided.clone(),
            confirmation: self.confirmation.clone(),
        }
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
