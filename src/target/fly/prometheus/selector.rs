//! Selectors of Prometheus's query language: `name{label="value", other=~"a|b"}`.

use regex::Regex;

/// Which series a query asks for.
#[derive(Debug)]
pub(super) struct SeriesSelector {
    pub(super) metric: String,
    conditions: Vec<LabelCondition>,
}

#[derive(Debug)]
struct LabelCondition {
    label: String,
    pattern: Regex,
    matches: bool,
}

impl SeriesSelector {
    /// Reads a selector; an error says what is not understood. Functions and operators are not.
    pub(super) fn read(query: &str) -> Result<Self, String> {
        let query = query.trim();
        let (metric, rest) = query.split_once('{').unwrap_or((query, "}"));
        let metric = metric.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let rest = rest.trim_end().strip_suffix('}');
        let Some(rest) = rest.filter(|_| !metric.is_empty() && metric.chars().all(is_name)) else {
            return Err(format!(
                "cannot parse `{query}`: the rehearsal reads selectors only, such as \
                 fly_instance_cpu_balance{{app=\"name\"}}"
            ));
        };
        Ok(Self { metric: metric.to_owned(), conditions: read_conditions(rest)? })
    }

    /// Whether it asks for the series with these labels; an absent label is an empty one.
    pub(super) fn selects(&self, labels: &[(&str, String)]) -> bool {
        self.conditions.iter().all(|condition| {
            let found = labels.iter().find(|(label, _)| *label == condition.label);
            let value = found.map_or("", |(_, value)| value.as_str());
            condition.pattern.is_match(value) == condition.matches
        })
    }
}

fn read_conditions(mut rest: &str) -> Result<Vec<LabelCondition>, String> {
    let mut conditions = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if rest.is_empty() {
            return Ok(conditions);
        }
        let wrong = || format!("cannot parse the labels at `{rest}`");
        let (before, after) = rest.split_once('"').ok_or_else(wrong)?;
        let (value, next) = after.split_once('"').ok_or_else(wrong)?;
        let (label, operator) = split_operator(before.trim()).ok_or_else(wrong)?;
        let source = if operator.ends_with('~') { value.to_owned() } else { regex::escape(value) };
        let pattern = Regex::new(&format!("^(?:{source})$")).map_err(|_| wrong())?;
        let matches = !operator.starts_with('!');
        conditions.push(LabelCondition { label: label.to_owned(), pattern, matches });
        rest = next;
    }
}

fn split_operator(text: &str) -> Option<(&str, &str)> {
    let operators = ["=~", "!~", "!=", "="];
    let operator = operators.into_iter().find(|operator| text.ends_with(operator))?;
    Some((text.strip_suffix(operator)?.trim(), operator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(query: &str) -> bool {
        let labels = [("app", "a".to_owned()), ("instance", "m1".to_owned())];
        SeriesSelector::read(query).unwrap().selects(&labels)
    }

    #[test]
    fn the_four_operators_compare_whole_values() {
        for (query, selected) in [
            ("up", true),
            ("up{}", true),
            (r#"up{app="a"}"#, true),
            (r#"up{app="a", instance="m2"}"#, false),
            (r#"up{instance=~"m1|m2"}"#, true),
            (r#"up{instance=~"m"}"#, false),
            (r#"up{instance!~"m.*"}"#, false),
            (r#"up{instance!="m2",}"#, true),
            (r#"up{mode="steal"}"#, false),
            (r#"up{app="."}"#, false),
        ] {
            assert_eq!(selects(query), selected, "{query}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for query in ["", "rate(up[1m])", "up{app=\"a\"", "up{app}", "up{app=~\"(\"}", "sum(up)"] {
            assert!(SeriesSelector::read(query).is_err(), "{query}");
        }
    }
}
