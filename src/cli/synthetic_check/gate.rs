//! The `tollgate run` command that decides what a check cannot; pure.

use std::time::Duration;

use super::super::next_steps::shell_quote;
use super::settings::{CheckSettings, DEFAULT_TOKEN, TOKEN, TOKEN_HEADER, url_budget};
use crate::units::duration_literal;

/// Default timeout of an exchange in `tollgate run`.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest budget for which a gate is proposed.
const MAX_BUDGET: Duration = Duration::from_hours(1);

/// The command, quoted for a shell; the token's variable replaces the token.
pub(super) fn gate_command(settings: &CheckSettings) -> String {
    let duration = |millis: f64| Duration::try_from_secs_f64(millis / 1e3).ok();
    let sensible = Duration::from_micros(1)..=MAX_BUDGET;
    let budget = duration(settings.budget)
        .filter(|budget| sensible.contains(budget))
        .or_else(|| duration(url_budget(&settings.request.url)))
        .unwrap_or_default();
    let mut words = vec![
        with_variable(settings, &settings.target),
        "-H".to_owned(),
        format!("X-Hotdash-Synthetic: {}", token_variable(settings)),
        "-H".to_owned(),
        format!("User-Agent: {}", with_variable(settings, settings.agent.trim())),
        "--budget".to_owned(),
        format!("p95 < {}", duration_literal(budget)),
    ];
    if budget >= TIMEOUT {
        words.extend(["--timeout".to_owned(), duration_literal(budget)]);
    }
    let words: Vec<_> = words.iter().map(|word| shell_quote(word)).collect();
    format!("tollgate run {}", words.join(" "))
}

/// The token as `tollgate run` reads it from the environment.
fn token_variable(settings: &CheckSettings) -> String {
    let is_default =
        settings.request.headers.get(TOKEN_HEADER).is_none_or(|token| token == DEFAULT_TOKEN);
    let default = if is_default { format!(":-{DEFAULT_TOKEN}") } else { String::new() };
    format!("${{{TOKEN}{default}}}")
}

/// The text with the token replaced by its variable, or redacted if a URL would escape the token.
fn with_variable(settings: &CheckSettings, text: &str) -> String {
    let text = text.replace("${", "$${");
    let token = settings.request.headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok());
    let is_escaped = |c: char| c.is_whitespace() || "&#+%?\"<>".contains(c);
    if token.is_none_or(|token| token.contains(is_escaped)) {
        return settings.secrets.redact(&text).into_owned();
    }
    settings.secrets.redact_with(&text, &token_variable(settings)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::read;
    use super::*;

    const REST: &str = "-H 'User-Agent: Shopify POS/HotDashSyntheticCheck' --budget";

    fn gate(words: &[&str], variables: &[(&str, &str)]) -> String {
        gate_command(&read(words, variables).unwrap())
    }

    #[test]
    fn the_command_sends_the_token_by_its_variable_and_the_user_agent() {
        assert_eq!(
            gate(&["http://shop.example/app"], &[]),
            format!(
                "tollgate run http://shop.example/app -H 'X-Hotdash-Synthetic: ${{SYNTHETIC_CHECK_TOKEN:-staging}}' \
                 {REST} 'p95 < 800ms'"
            )
        );
        assert_eq!(
            gate(
                &["http://shop.example/?a=zebra%2F7f3a&b=${C}"],
                &[("SYNTHETIC_CHECK_TOKEN", "zebra/7f3a")]
            ),
            format!(
                "tollgate run 'http://shop.example/?a=${{SYNTHETIC_CHECK_TOKEN}}&b=$${{C}}' \
                 -H 'X-Hotdash-Synthetic: ${{SYNTHETIC_CHECK_TOKEN}}' {REST} 'p95 < 800ms'"
            )
        );
        // `tollgate run` would read the variable's `a&b=9zebra` as two parameters.
        assert!(
            gate(&["http://h/?a=a%26b%3D9zebra"], &[("SYNTHETIC_CHECK_TOKEN", "a&b=9zebra")])
                .starts_with("tollgate run 'http://h/?a=•••' -H")
        );
        assert!(
            gate(&["http://h/"], &[("SYNTHETIC_CHECK_USER_AGENT", "a'b")])
                .contains(r"'User-Agent: a'\''b'")
        );
    }

    #[test]
    fn a_budget_beyond_the_default_timeout_adds_a_timeout_and_an_absurd_one_is_replaced() {
        let ends = |budget: &str, end: &str| {
            let command = gate(&["http://shop.example/app?mock=1", "--budget", budget], &[]);
            assert!(command.ends_with(&format!("{REST} {end}")), "{command}");
        };
        ends("9999", "'p95 < 9s 999ms'");
        ends("20s", "'p95 < 20s' --timeout 20s");
        ends("1e99", "'p95 < 300ms'");
    }
}
