//! Budgets that earlier runs would have held.

use serde::Serialize;
use uuid::Uuid;

use super::Budget;

/// What the runs of one request suggest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestSuggestion {
    /// The scenario's name.
    pub scenario: String,
    /// The request's name.
    pub request: String,
    /// How many runs measured it.
    pub runs: usize,
    /// Those of them that were imported with a single request each, which carry no budget.
    pub imported_singles: usize,
    /// The budgets, the median first.
    pub budgets: Vec<SuggestedBudget>,
    /// Why a measure has no suggestion, one sentence each.
    pub left_out: Vec<String>,
}

/// One budget that most runs would have held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SuggestedBudget {
    /// The budget.
    pub budget: Budget,
    /// How many runs would have passed it.
    pub held: usize,
    /// How many runs have enough requests to pass such a budget.
    pub of: usize,
    /// The run that needs the highest limit.
    pub worst_run: Uuid,
    /// The name of that run.
    pub worst: String,
    /// The budget that this run would just have passed; `None` if no limit would have done.
    pub worst_needs: Option<Budget>,
}
