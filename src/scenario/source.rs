//! A scenario's text and where it came from.

use std::path::{Path, PathBuf};

use super::diagnostic::Span;

/// A scenario's text and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioSource {
    name: String,
    text: String,
}

impl ScenarioSource {
    /// The text of a file with this name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The name that errors show: the path as the caller gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A path that the file contains, relative to the folder of the file.
    pub fn resolve(&self, path: &str) -> PathBuf {
        Path::new(&self.name).parent().unwrap_or_else(|| Path::new("")).join(path)
    }

    /// The line and column of an offset, both from 1. Columns count characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.boundary(offset)];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
    }

    /// The start of the line that contains an offset, and the line without its line end.
    pub(super) fn line(&self, offset: usize) -> (usize, &str) {
        let offset = self.boundary(offset);
        let start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[offset..].find('\n').map_or(self.text.len(), |at| offset + at);
        (start, self.text[start..end].trim_end_matches('\r'))
    }

    /// Narrows a span to the text that the problem quotes first in backticks, if the span contains
    /// it on one line.
    pub(super) fn narrow(&self, span: &Span, problem: &str) -> Span {
        let written = self.text.get(span.clone()).unwrap_or_default();
        let quoted = problem.split('`').nth(1).filter(|quoted| !quoted.is_empty());
        match quoted.and_then(|quoted| written.find(quoted).map(|at| (at, quoted.len()))) {
            Some((at, length)) if !written.contains('\n') => {
                span.start + at..span.start + at + length
            }
            _ => span.clone(),
        }
    }

    pub(super) fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset)
    }
}
