//! The answer of a search: an interval of rates, and why it ends there.

use serde::Serialize;

use crate::units::Rate;

/// What a search found out: the largest rate proven within budget, and the smallest proven over it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateInterval {
    /// How the search ended.
    pub ending: SearchEnding,
    /// The largest rate proven within budget, and again at the end of the search if it was the
    /// largest of all; `None` if there is none.
    pub within: Option<Rate>,
    /// The smallest rate proven over budget, and what broke there; `None` if there is none.
    pub over: Option<RateReason>,
    /// The rates between the two that were measured and stayed undecided, ascending.
    pub undecided: Vec<RateReason>,
    /// What a last step at the largest rate within budget showed; `None` if there was none.
    pub confirmation: Option<Confirmation>,
}

/// A rate, and why its step ended as it did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateReason {
    /// The rate.
    pub rate: Rate,
    /// The verdict's own reason.
    pub reason: String,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchEnding {
    /// A rate is proven within budget and a higher one over it.
    Found,
    /// The highest rate that the user allows is within budget.
    LimitHolds,
    /// Not even the lowest rate is within budget.
    LowestFails,
    /// The rate that was within budget no longer was at the end.
    NoLongerHolds,
    /// One end of the interval, or both, could not be proven.
    Undecided,
    /// The search was interrupted.
    Interrupted,
}

/// What measuring the largest rate within budget again showed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Confirmation {
    /// It is still within budget.
    Holds,
    /// It is now over budget.
    Fails(RateReason),
    /// It stayed undecided.
    Undecided(RateReason),
}

impl RateInterval {
    /// The answer in one sentence.
    pub fn answer(&self) -> String {
        let within = self.within.map(|rate| rate.to_string());
        let over = self.over.as_ref().map(|over| over.rate.to_string());
        match (self.ending, within, over) {
            (SearchEnding::Interrupted, within, over) => {
                format!("Interrupted: so far {}", ends(within, over))
            }
            (SearchEnding::LimitHolds, Some(rate), _) => {
                format!("{rate} is within budget, and no higher rate was allowed")
            }
            (SearchEnding::LowestFails, _, Some(rate)) => {
                format!("Not even {rate}, the lowest rate, is within budget")
            }
            (SearchEnding::NoLongerHolds, ..) => match &self.confirmation {
                Some(Confirmation::Fails(at)) => format!(
                    "No rate holds for long: {} was within budget at first and over it at the end",
                    at.rate
                ),
                _ => "No rate holds for long".to_owned(),
            },
            (SearchEnding::Found, Some(within), Some(over)) => {
                format!("The largest rate within budget lies between {within} and {over}")
            }
            (_, within, over) => format!("Undecided: {}", ends(within, over)),
        }
    }

    /// Why the interval ends where it does, and what is uncertain about it: one sentence each.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(Confirmation::Fails(RateReason { rate, reason })) = &self.confirmation {
            reasons.push(format!("{rate} at the end: {reason}"));
        }
        if let Some(RateReason { rate, reason }) = &self.over {
            reasons.push(format!("over budget at {rate}: {reason}"));
        }
        for RateReason { rate, reason } in &self.undecided {
            reasons.push(format!("undecided at {rate}, so the interval is wider: {reason}"));
        }
        if let Some(Confirmation::Undecided(RateReason { rate, reason })) = &self.confirmation {
            reasons.push(format!(
                "{rate} was within budget at first and undecided at the end, so it is not the lower \
                 end: {reason}"
            ));
        }
        reasons
    }
}

/// What is proven of an interval that is open.
fn ends(within: Option<String>, over: Option<String>) -> String {
    match (within, over) {
        (Some(within), Some(over)) => format!("{within} is within budget and {over} is over it"),
        (Some(within), None) => format!("{within} is within budget; no rate is proven over it"),
        (None, Some(over)) => format!("{over} is over budget; no rate is proven within it"),
        (None, None) => "no rate is proven within budget or over it".to_owned(),
    }
}
