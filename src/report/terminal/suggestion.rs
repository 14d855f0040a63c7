//! Budgets that earlier runs would have held, for a terminal.

use super::ansi::AnsiStyle;
use super::layout::wrap;
use super::{MOST_NARROW, words};
use crate::record::{Budget, RequestSuggestion, SuggestedBudget};

/// By which rule the runs were judged, and what it leaves out.
const RULE: &str = "Each limit is the smallest round one that at least 95 % of the runs would have passed \
                    by the exact binomial test of their counts, which assumes independent requests. \
                    A new run is decided by blocks of time: `tollgate check` says whether it has \
                    enough of them.";

/// Renders suggestions for a terminal `width` columns wide, each with the line to paste. Lines of
/// TOML are never wrapped.
pub fn suggestion_text(suggestions: &[RequestSuggestion], width: u16, colour: bool) -> String {
    let width = usize::from(width).max(MOST_NARROW);
    let style = AnsiStyle::new(colour);
    let mut text = String::new();
    for suggestion in suggestions {
        let name =
            format!("{} · {}", words::name(&suggestion.scenario), words::name(&suggestion.request));
        wrap(&name, width, 0).lines().for_each(|line| text += &format!("{}\n", style.bold(line)));
        text += &wrap(&counted(suggestion), width, 2);
        if !suggestion.budgets.is_empty() {
            text += &format!("\n{}\n\n", toml_line(&suggestion.budgets));
        }
        suggestion.budgets.iter().for_each(|one| text += &wrap(&held(one), width, 2));
        suggestion.left_out.iter().for_each(|why| text += &wrap(why, width, 2));
        text += "\n";
    }
    text + &wrap(RULE, width, 0)
}

/// `budgets = ["p50 < 120ms", "p95 < 240ms"]`
fn toml_line(budgets: &[SuggestedBudget]) -> String {
    let quoted: Vec<_> = budgets.iter().map(|one| format!("\"{}\"", one.budget)).collect();
    format!("budgets = [{}]", quoted.join(", "))
}

/// How many runs there are, and how many of them carry nothing.
fn counted(suggestion: &RequestSuggestion) -> String {
    let RequestSuggestion { runs, imported_singles, .. } = suggestion;
    let runs = words::plural(*runs as u64, "run");
    match imported_singles {
        0 => runs,
        singles => format!(
            "{runs}, {singles} of them imported with a single request each, which cannot carry a budget"
        ),
    }
}

/// `p95 < 240ms: 39 of 40 runs would have passed; the worst run, 2026-…, needs 420ms`
fn held(one: &SuggestedBudget) -> String {
    let SuggestedBudget { budget, held, of, worst, worst_needs, .. } = one;
    let needs = match worst_needs {
        Some(needs) if needs == budget => "needs this limit too".to_owned(),
        Some(needs) => format!("needs {}", limit_of(needs)),
        None => "failed too often for any limit".to_owned(),
    };
    format!("{budget}: {held} of {of} runs would have passed; the worst run, {worst}, {needs}")
}

/// The limit of a budget: `240ms`.
fn limit_of(budget: &Budget) -> String {
    let text = budget.to_string();
    text.split_once("< ").map_or(text.clone(), |(_, limit)| limit.to_owned())
}
