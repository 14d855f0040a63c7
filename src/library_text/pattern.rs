//! Mistakes in a regular expression, by the crate `regex`.

use super::keep_on_one_line;

/// What is wrong with a pattern, as a clause: `unclosed group`.
///
/// The crate draws the pattern, which may hold a secret, with a mark under the mistake. Only the
/// last line, which names the mistake, is kept.
pub fn describe_pattern(error: &regex::Error) -> String {
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        return "it is too large".to_owned();
    }
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    match last.strip_prefix("error: ") {
        Some(mistake) => keep_on_one_line(mistake),
        None => "its syntax is wrong".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_a_pattern_is_named_without_the_pattern() {
        for (pattern, words) in [
            ("hunter2(", "unclosed group"),
            ("hunter2[z-a]", "invalid character class range"),
            (r"hunter2\k", "unrecognized escape sequence"),
            ("hunter2(?=b)", "look-around"),
            (r"hunter2\p{hunter2}", "property not found"),
            ("(?P<hunter2>a)(?P<hunter2>b)", "duplicate capture group name"),
        ] {
            let words_of = describe_pattern(&regex::Regex::new(pattern).unwrap_err());
            assert!(words_of.contains(words), "{pattern}: {words_of}");
            assert!(!words_of.contains("hunter2") && !words_of.contains('\n'), "{words_of}");
        }
    }
}
