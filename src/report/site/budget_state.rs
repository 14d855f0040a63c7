//! The state of all budgets of a site, in a sentence.

use super::SeriesPage;
use crate::record::Decision;
use crate::report::words;

/// The state of some budgets: the worst one decides.
#[derive(Debug, Clone)]
pub(in crate::report) struct BudgetState {
    /// Fail if a budget is missed, pass if all are met.
    pub(in crate::report) decision: Decision,
    /// How many are missed and undecided.
    pub(in crate::report) headline: String,
}

impl BudgetState {
    /// The state of the budgets that the newest run of each scenario has.
    pub(super) fn of(pages: &[SeriesPage]) -> Self {
        let statuses: Vec<Decision> = pages
            .iter()
            .flat_map(SeriesPage::current_budgets)
            .map(|(_, budget)| budget.status().0)
            .collect();
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count() as u64;
        let (met, missed) = (count(Decision::Pass), count(Decision::Fail));
        let undecided = count(Decision::Inconclusive);
        let open = match undecided {
            0 => String::new(),
            open => format!(" {} undecided.", words::plural(open, "budget")),
        };
        let headline = match (met, missed) {
            (0, 0) => "No budget was judged in this period.".to_owned(),
            (met, 0) => format!("{} held over the period.{open}", held_budgets(met, &open)),
            (met, missed) => {
                let judged = words::plural(met + missed, "budget");
                let missed = words::count(missed);
                format!("{missed} of {judged} did not hold over the period.{open}")
            }
        };
        let decision = match (met, missed, undecided) {
            (_, 1.., _) => Decision::Fail,
            (1.., 0, 0) => Decision::Pass,
            _ => Decision::Inconclusive,
        };
        Self { decision, headline }
    }
}

/// The budgets that held: all of them if none is `open`.
fn held_budgets(count: u64, open: &str) -> String {
    match count {
        _ if !open.is_empty() => words::plural(count, "budget"),
        1 => "The budget".to_owned(),
        2 => "Both budgets".to_owned(),
        count => format!("All {}", words::plural(count, "budget")),
    }
}
