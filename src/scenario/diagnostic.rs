//! What is wrong with a scenario file, where, and what to write instead.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::ScenarioSource;
use super::render::{ColourChoice, Severity, place, render};
use crate::units::UnitError;

/// A range of bytes in a scenario's text.
pub type Span = Range<usize>;

/// One mistake or doubt: where, what, and what next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// Its place; `None` for a file that cannot be read at all.
    pub(super) span: Option<Span>,
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Diagnostic {
    pub(crate) fn new(span: Span, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { span: Some(span), problem: problem.into(), remedy: remedy.into() }
    }

    /// A complaint about a value that is not of its unit.
    pub(crate) fn of_unit(span: Span, error: UnitError) -> Self {
        Self::new(span, error.problem, error.remedy)
    }

    pub(super) fn of_file(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { span: None, problem: problem.into(), remedy: remedy.into() }
    }

    pub(super) fn syntax(mistake: &toml::de::Error) -> Self {
        let problem = mistake.message().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        let remedy = match problem.as_str() {
            "duplicate key" => "leave one of the two out",
            _ => "https://toml.io shows how TOML is written",
        };
        Self::new(mistake.span().unwrap_or(0..0), problem, remedy)
    }
}

/// The complaints found so far.
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

#[derive(Debug, Clone)]
struct SourceDiagnostic {
    source: Arc<ScenarioSource>,
    diagnostic: Diagnostic,
}

impl SourceDiagnostic {
    /// The complaints about one file, in its order.
    fn all(source: &Arc<ScenarioSource>, mut diagnostics: Vec<Diagnostic>) -> Vec<Self> {
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.as_ref().map_or(0, |span| span.start));
        // What several steps refer to is found wrong by each of them.
        diagnostics.dedup();
        diagnostics
            .into_iter()
            .map(|diagnostic| Self { source: Arc::clone(source), diagnostic })
            .collect()
    }

    fn point(&self) -> Point {
        let Diagnostic { span, problem, remedy } = &self.diagnostic;
        Point {
            place: place(&self.source, span.as_ref(), problem),
            problem: problem.clone(),
            remedy: remedy.clone(),
        }
    }
}

/// A mistake or a doubt in its parts, for those who lay it out themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// `file:line:column`, or the file alone.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

/// Every mistake found in one or more scenario files, at least one.
///
/// `Display` shows each as `file:line:column: what is wrong`, the line, and under it the place with the remedy,
/// without colour.
#[derive(Debug, Clone)]
pub struct ScenarioErrors(Vec<SourceDiagnostic>);

impl ScenarioErrors {
    pub(crate) fn of(source: &Arc<ScenarioSource>, diagnostics: Vec<Diagnostic>) -> Self {
        Self(SourceDiagnostic::all(source, diagnostics))
    }

    /// All the values, or all the errors of those that are none.
    pub(crate) fn gather<T>(
        results: impl IntoIterator<Item = Result<T, Self>>,
    ) -> Result<Vec<T>, Self> {
        let mut errors = Self(Vec::new());
        let mut values = Vec::new();
        for result in results {
            match result {
                Ok(value) => values.push(value),
                Err(more) => errors.0.extend(more.0),
            }
        }
        if errors.0.is_empty() { Ok(values) } else { Err(errors) }
    }

    /// How many mistakes there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Every mistake in its parts.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.0.iter().map(SourceDiagnostic::point)
    }

    /// Every mistake as a person reads it, one after the other; with terminal colours where asked for.
    pub fn render(&self, colour: bool) -> String {
        let colour = ColourChoice(colour);
        let all = self
            .0
            .iter()
            .map(|report| render(&report.source, &report.diagnostic, Severity::Error, colour));
        all.collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for ScenarioErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for ScenarioErrors {}

/// Something in a scenario that can be carried out, but hardly as it was meant.
#[derive(Debug, Clone)]
pub struct Warning(SourceDiagnostic);

impl Warning {
    /// The warnings of one file, in its order.
    pub(crate) fn all(source: &Arc<ScenarioSource>, diagnostics: Vec<Diagnostic>) -> Vec<Self> {
        SourceDiagnostic::all(source, diagnostics).into_iter().map(Self).collect()
    }

    /// The warning in its parts.
    pub fn point(&self) -> Point {
        self.0.point()
    }

    /// The warning as a person reads it; with terminal colours where asked for.
    pub fn render(&self, colour: bool) -> String {
        render(&self.0.source, &self.0.diagnostic, Severity::Warning, ColourChoice(colour))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}
