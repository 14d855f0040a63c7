//! Regular expressions for data that a target sends.

use regex::bytes::{Regex, RegexBuilder};

use crate::library_text::describe_pattern;

/// The memory limit, in bytes, of a compiled pattern and of the automaton that grows while it
/// searches.
const LARGEST: usize = 1 << 20;

/// A regular expression of the crate `regex`, whose search time is linear in any text.
///
/// It searches bytes, so that a body that is not UTF-8 can be searched too.
#[derive(Debug, Clone)]
pub struct TextPattern(Regex);

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The syntax is wrong; holds the mistake.
    #[error("{0}")]
    Syntax(String),
    /// The compiled pattern takes more than 1 MiB.
    #[error("it is too large")]
    TooLarge,
}

impl TextPattern {
    /// Compiles a pattern.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let built = RegexBuilder::new(text).size_limit(LARGEST).dfa_size_limit(LARGEST).build();
        built.map(Self).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
            error => PatternError::Syntax(describe_pattern(&error)),
        })
    }

    /// Whether the pattern matches in a text.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// The first group of the first match, or the whole match if the pattern has no group.
    pub(super) fn first_in<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let group = usize::from(self.0.captures_len() > 1);
        self.0.captures(text)?.get(group).map(|found| found.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(pattern: &str, text: &[u8]) -> Option<Vec<u8>> {
        TextPattern::new(pattern).unwrap().first_in(text).map(<[u8]>::to_vec)
    }

    #[test]
    fn the_first_group_is_captured_or_the_whole_match_without_a_group() {
        assert_eq!(first("value=\"([^\"]+)\"", b"x value=\"7f\" y").unwrap(), b"7f");
        assert_eq!(first("[0-9]+", b"a 12 34").unwrap(), b"12");
        assert_eq!(first("(?:a|b)c", b"\xff\xfebc").unwrap(), b"bc");
        // A group that takes no part in the match captures nothing.
        assert_eq!(first("(a)|b", b"b"), None);
        assert_eq!(first("a", b""), None);
    }

    #[test]
    fn characters_are_unicode_and_case_can_be_ignored() {
        assert!(TextPattern::new("(?i)^ÄRGER$").unwrap().is_in("ärger".as_bytes()));
        assert!(TextPattern::new(r"^\w{5}$").unwrap().is_in("ärger".as_bytes()));
    }

    #[test]
    fn a_wrong_pattern_explains_its_mistake_in_one_line() {
        let syntax = |text: &str| TextPattern::new(text).unwrap_err().to_string();
        assert_eq!(syntax("("), "unclosed group");
        assert!(syntax("a(?=b)").contains("look-around"));
        assert!(syntax(r"(a)\1").contains("backreferences are not supported"));
        for text in ["[", "*", "(?P<a", "x{3", "a\n(\n"] {
            assert!(!syntax(text).contains('\n'));
        }
    }

    #[test]
    fn a_pattern_that_would_fill_the_memory_is_refused() {
        assert_eq!(TextPattern::new("((a{100}){100}){100}").unwrap_err(), PatternError::TooLarge);
        assert!(TextPattern::new(&"(".repeat(10_000)).is_err());
    }
}
