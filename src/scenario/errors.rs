//! The errors and warnings of scenario files, each with the file that it is about.

use std::fmt;
use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::render::{ColourChoice, Severity, location_of, render};
use super::source::ScenarioSource;

#[derive(Debug, Clone)]
struct SourceDiagnostic {
    source: Arc<ScenarioSource>,
    diagnostic: Diagnostic,
}

impl SourceDiagnostic {
    /// The diagnostics about one file, in the order of the file.
    fn all(source: &Arc<ScenarioSource>, mut diagnostics: Vec<Diagnostic>) -> Vec<Self> {
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.as_ref().map_or(0, |span| span.start));
        // Several steps may refer to the same value, and each reports it.
        diagnostics.dedup();
        diagnostics
            .into_iter()
            .map(|diagnostic| Self { source: Arc::clone(source), diagnostic })
            .collect()
    }

    fn point(&self) -> DiagnosticParts {
        let Diagnostic { span, problem, remedy } = &self.diagnostic;
        DiagnosticParts {
            location: location_of(&self.source, span.as_ref(), problem),
            problem: problem.clone(),
            remedy: remedy.clone(),
        }
    }
}

/// An error or a warning in its parts, for callers with their own layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosticParts {
    /// `file:line:column`, or the file alone.
    pub location: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

/// Every mistake found in one or more scenario files, at least one.
///
/// `Display` shows each as `file:line:column: what is wrong`, then the line, then an underline with
/// the remedy, without colour.
#[derive(Debug, Clone)]
pub struct ScenarioErrors(Vec<SourceDiagnostic>);

impl ScenarioErrors {
    pub(crate) fn of(source: &Arc<ScenarioSource>, diagnostics: Vec<Diagnostic>) -> Self {
        Self(SourceDiagnostic::all(source, diagnostics))
    }

    /// All values, or the errors of all that failed.
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

    /// Every error in its parts.
    pub fn parts(&self) -> impl Iterator<Item = DiagnosticParts> {
        self.0.iter().map(SourceDiagnostic::point)
    }

    /// Every error as a person reads it, one after the other, with terminal colours if `colour` is
    /// set.
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

/// Something in a scenario that can run, but probably not as intended.
#[derive(Debug, Clone)]
pub struct ScenarioWarning(SourceDiagnostic);

impl ScenarioWarning {
    /// The warnings of one file, in the order of the file.
    pub(crate) fn all(source: &Arc<ScenarioSource>, diagnostics: Vec<Diagnostic>) -> Vec<Self> {
        SourceDiagnostic::all(source, diagnostics).into_iter().map(Self).collect()
    }

    /// The warning in its parts.
    pub fn parts(&self) -> DiagnosticParts {
        self.0.point()
    }

    /// The warning as a person reads it, with terminal colours if `colour` is set.
    pub fn render(&self, colour: bool) -> String {
        render(&self.0.source, &self.0.diagnostic, Severity::Warning, ColourChoice(colour))
    }
}

impl fmt::Display for ScenarioWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}
