//! From a regular expression as it is written to one that is looked for.

use super::template_filler::TemplateFiller;
use crate::expect::{Pattern, PatternError};
use crate::scenario::{Field, PatternText};

/// The pattern under a key; a complaint where it is none.
pub(super) fn resolve(
    field: &Field<PatternText>,
    filler: &mut TemplateFiller<'_>,
) -> Option<Pattern> {
    let (location, text) = field.located()?;
    match Pattern::new(text.as_str()) {
        Ok(pattern) => Some(pattern),
        Err(PatternError::Syntax(mistake)) => {
            let remedy = "https://docs.rs/regex/1/regex/#syntax shows how patterns are written";
            filler.report(
                &location.value,
                format!("this is no regular expression: {mistake}"),
                remedy,
            )
        }
        Err(PatternError::TooLarge) => {
            let remedy = "repeat less in it, and use `[0-9]` and `[a-z]` for `\\d` and `\\w`";
            filler.report(&location.value, "this pattern takes more than 1 MiB", remedy)
        }
    }
}
