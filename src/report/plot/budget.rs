//! What the plots write next to the lines of latency budgets.

use crate::report::model::BudgetMark;
use crate::report::words;

/// A budget as every plot writes it: `budget p95 < 300 ms`.
pub(super) fn words(budget: &BudgetMark) -> String {
    let ceiling = words::time(Some(budget.ceiling));
    match budget.quantile {
        Some(quantile) => format!("budget {quantile} < {ceiling}"),
        None => format!("budget max < {ceiling}"),
    }
}
