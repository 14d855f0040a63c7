//! What is wrong in a scenario file, where, and what to write instead.

use std::ops::Range;

use crate::library_text::describe_toml;
use crate::units::UnitError;

/// The parser's words for a key that is there twice.
const DUPLICATE_KEY: &str = "duplicate key";

/// A range of bytes in a scenario's text.
pub type Span = Range<usize>;

/// One error or warning: where, what, and what next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// Its location; `None` for a file that cannot be read at all.
    pub(super) span: Option<Span>,
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Diagnostic {
    pub(crate) fn new(span: Span, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { span: Some(span), problem: problem.into(), remedy: remedy.into() }
    }

    /// A diagnostic about a value that does not parse.
    pub(crate) fn of_unit(span: Span, error: UnitError) -> Self {
        Self::new(span, error.problem, error.remedy)
    }

    pub(crate) fn of_file(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { span: None, problem: problem.into(), remedy: remedy.into() }
    }

    /// A diagnostic about a value of the command line, which has no place in the file.
    pub(crate) fn of_flag(origin: &str, problem: &str, remedy: impl Into<String>) -> Self {
        Self::of_file(format!("`{origin}`: {problem}"), remedy)
    }

    /// Whether the parser of TOML reports a key that is there twice.
    pub(super) fn is_duplicate_key(mistake: &toml::de::Error) -> bool {
        describe_toml(mistake) == DUPLICATE_KEY
    }

    pub(super) fn syntax(mistake: &toml::de::Error) -> Self {
        let problem = describe_toml(mistake);
        let remedy = match problem.as_str() {
            DUPLICATE_KEY => "remove one of the two",
            _ => "https://toml.io describes the syntax of TOML",
        };
        Self::new(mistake.span().unwrap_or(0..0), problem, remedy)
    }
}

/// The diagnostics found so far.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    pub(crate) fn add_all(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        self.0.extend(diagnostics);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_inner(self) -> Vec<Diagnostic> {
        self.0
    }
}
