//! Finds the line in which a budget is written.

use super::Scenario;
use crate::record::Budget;

impl Scenario {
    /// The line, from 1, in which a budget of a request is written, at the request or at the top of
    /// the file; `None` if the file has no such budget. `budget` is in the form that reports show:
    /// `p95 < 300ms`.
    pub fn budget_line(&self, request: &str, budget: &str) -> Option<usize> {
        let requests = self.file.request.value().into_iter().flatten();
        let named = requests
            .filter_map(|field| field.value())
            .find(|section| section.name.value().is_some_and(|name| name.as_str() == request));
        let own = named.and_then(|section| section.budgets.value()).into_iter().flatten();
        let shared = self.file.budgets.value().into_iter().flatten();
        let is_it = |written: &Budget| written.to_string() == budget;
        let found = own.chain(shared).find(|field| field.value().is_some_and(is_it))?;
        Some(self.source.position(found.value_span().start).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_found_at_its_request_first_and_then_at_the_top() {
        let text = "name = \"a\"\nbudgets = [\n  \"errors = 0\",\n  \"p95<1s\",\n]\n[target]\n\
                    base_url = \"http://h\"\n[[request]]\nname = \"page\"\npath = \"/\"\n\
                    budgets = [\"p95 < 1000ms\"]\n[[request]]\nname = \"other\"\npath = \"/\"\n";
        let scenario = Scenario::parse("a.toml", text).unwrap();
        let line = |request, budget| scenario.budget_line(request, budget);
        assert_eq!(line("page", "p95 < 1s"), Some(11));
        assert_eq!(line("other", "p95 < 1s"), Some(4));
        assert_eq!(line("page", "errors = 0"), Some(3));
        assert_eq!(line("page", "max < 1s"), None);
    }
}
