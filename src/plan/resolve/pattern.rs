//! Compiles regular expressions.

use super::template_filler::TemplateFiller;
use crate::expect::{PatternError, TextPattern};
use crate::scenario::{PatternText, ScenarioField};

/// The pattern under a key; `None` after reporting an error.
pub(super) fn resolve(
    field: &ScenarioField<PatternText>,
    filler: &mut TemplateFiller<'_>,
) -> Option<TextPattern> {
    let (location, text) = field.located()?;
    match TextPattern::new(text.as_str()) {
        Ok(pattern) => Some(pattern),
        Err(PatternError::Syntax(mistake)) => {
            let remedy = "https://docs.rs/regex/1/regex/#syntax describes the syntax";
            filler.report(
                &location.value,
                format!("this is not a regular expression: {mistake}"),
                remedy,
            )
        }
        Err(PatternError::TooLarge) => {
            let remedy = "repeat less in it, and use `[0-9]` and `[a-z]` for `\\d` and `\\w`";
            filler.report(&location.value, "this pattern needs more than 1 MiB", remedy)
        }
    }
}
