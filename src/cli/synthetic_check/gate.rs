//! The command that makes a gate of a check; pure.

use std::time::Duration;

use super::super::next::quoted;
use super::budget::meant_for;
use super::settings::{DEFAULT_TOKEN, Settings, TOKEN, TOKEN_HEADER};
use crate::units::written;

/// How long `tollgate run` waits for an exchange unless it is told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest budget that a gate is proposed for.
const MOST: Duration = Duration::from_hours(1);

/// The command, fit for a shell: it sends what the check sends, to the same URL. Where the token would stand, its variable does.
pub(super) fn command(settings: &Settings) -> String {
    let budget = Some(settings.budget).filter(|budget| *budget <= MOST);
    let budget = budget.unwrap_or_else(|| meant_for(&settings.question.url));
    let mut words = vec![
        open(settings, &settings.target),
        "-H".to_owned(),
        format!("X-Hotdash-Synthetic: {}", variable(settings)),
        "-H".to_owned(),
        format!("User-Agent: {}", open(settings, settings.agent.trim())),
        "--budget".to_owned(),
        format!("p95 < {}", written(budget)),
    ];
    if budget >= TIMEOUT {
        words.extend(["--timeout".to_owned(), written(budget)]);
    }
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    format!("tollgate run {}", words.join(" "))
}

/// The token as `tollgate run` reads it from the environment.
fn variable(settings: &Settings) -> String {
    let default =
        if settings.secrets.are_none() { format!(":-{DEFAULT_TOKEN}") } else { String::new() };
    format!("${{{TOKEN}{default}}}")
}

/// Signs that mean something else in a URL than in a token, so that a variable cannot stand for what is escaped there.
const ESCAPED: [char; 8] = ['&', '#', '+', '%', '?', '"', '<', '>'];

/// A text as `tollgate run` reads it, with the variable in the token's place, or a blot where no variable can stand.
fn open(settings: &Settings, text: &str) -> String {
    let text = text.replace("${", "$${");
    let token = settings.question.headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok());
    let is_sign = |sign: char| sign.is_whitespace() || ESCAPED.contains(&sign);
    let has_signs = token.is_none_or(|token| token.contains(is_sign));
    if has_signs {
        return settings.secrets.blot(&text).into_owned();
    }
    settings.secrets.replace(&text, &variable(settings)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::read;
    use super::*;

    const REST: &str = "-H 'User-Agent: Shopify POS/HotDashSyntheticCheck' --budget";

    fn of(words: &[&str], variables: &[(&str, &str)]) -> String {
        command(&read(words, variables).unwrap())
    }

    #[test]
    fn the_command_sends_the_token_by_its_variable_and_the_user_agent() {
        assert_eq!(
            of(&["http://shop.example/app"], &[]),
            format!(
                "tollgate run http://shop.example/app -H 'X-Hotdash-Synthetic: ${{SYNTHETIC_CHECK_TOKEN:-staging}}' \
                 {REST} 'p95 < 800ms'"
            )
        );
        assert_eq!(
            of(&["http://shop.example/?a=ze%2Fbra&b=${C}"], &[("SYNTHETIC_CHECK_TOKEN", "ze/bra")]),
            format!(
                "tollgate run 'http://shop.example/?a=${{SYNTHETIC_CHECK_TOKEN}}&b=$${{C}}' \
                 -H 'X-Hotdash-Synthetic: ${{SYNTHETIC_CHECK_TOKEN}}' {REST} 'p95 < 800ms'"
            )
        );
        // A variable would stand for `a&b=9` as two parameters.
        assert!(
            of(&["http://h/?a=a%26b%3D9"], &[("SYNTHETIC_CHECK_TOKEN", "a&b=9")])
                .starts_with("tollgate run 'http://h/?a=•••' -H")
        );
        assert!(
            of(&["http://h/"], &[("SYNTHETIC_CHECK_USER_AGENT", "a'b")])
                .contains(r"'User-Agent: a'\''b'")
        );
    }

    #[test]
    fn a_budget_beyond_the_usual_timeout_comes_with_a_timeout_and_none_is_without_end() {
        let ends = |budget: &str, end: &str| {
            let command = of(&["http://shop.example/app?mock=1", "--budget", budget], &[]);
            assert!(command.ends_with(&format!("{REST} {end}")), "{command}");
        };
        ends("9999", "'p95 < 9s 999ms'");
        ends("20s", "'p95 < 20s' --timeout 20s");
        ends("Infinity", "'p95 < 300ms'");
    }
}
