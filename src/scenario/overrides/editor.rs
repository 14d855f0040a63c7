//! Replaces values of a file that was read, and notes each replacement.

use super::super::diagnostic::{Diagnostic, Span};
use super::super::field::{KeyLocation, ScenarioField};
use super::super::file::{RequestSection, ScenarioFile};
use super::super::load::LoadModel;

/// A scenario file whose values are being replaced.
pub(super) struct ScenarioEditor {
    pub(super) file: ScenarioFile,
    /// The load that the file describes.
    pub(super) model: LoadModel,
    /// What was replaced by what, one sentence each.
    pub(super) overridden: Vec<String>,
    /// The overrides that this scenario cannot have.
    pub(super) refusals: Vec<Diagnostic>,
}

impl ScenarioEditor {
    pub(super) fn new(file: ScenarioFile, model: LoadModel) -> Self {
        Self { file, model, overridden: Vec::new(), refusals: Vec::new() }
    }

    /// Notes that `origin` sets `key`, unless it was the same before.
    pub(super) fn note(&mut self, origin: &str, key: &str, new: &str, before: &str) {
        if new != before {
            self.note_anyway(origin, key, new, before);
        }
    }

    /// Notes that `origin` sets `key`, although the same words may describe what it was before.
    pub(super) fn note_anyway(&mut self, origin: &str, key: &str, new: &str, before: &str) {
        self.overridden.push(format!("`{origin}` sets {key} to {new}; the file has {before}"));
    }

    /// Refuses an override: `why` is a sentence about the scenario.
    pub(super) fn refuse(&mut self, origin: &str, at: Span, why: &str, instead: &str) {
        let problem = format!("`{origin}` cannot change this scenario: {why}");
        let remedy = format!("{} `{origin}`, or {instead}", leave_out(origin));
        self.refusals.push(Diagnostic::new(at, problem, remedy));
    }
}

/// The verb for leaving out a flag or a variable.
fn leave_out(origin: &str) -> &'static str {
    if origin.starts_with('-') { "remove" } else { "unset" }
}

/// Replaces the value of a field and returns the old one. A new value keeps the place of the old
/// one, so that a mistake points at the line that it concerns; else it gets that of `section`.
pub(super) fn replace<T>(
    field: &mut ScenarioField<T>,
    section: &KeyLocation,
    value: T,
) -> Option<T> {
    let location = field.location().unwrap_or(section).clone();
    match std::mem::replace(field, ScenarioField::Present(location, value)) {
        ScenarioField::Present(_, old) => Some(old),
        ScenarioField::Absent | ScenarioField::Invalid => None,
    }
}

/// The start of the file.
pub(super) const START: KeyLocation = KeyLocation { key: 0..0, value: 0..0 };

/// The location and the value of a section, which is added if the file has none.
pub(super) fn section<T: Default>(field: &mut ScenarioField<T>) -> Option<(KeyLocation, &mut T)> {
    if !field.is_written() {
        *field = ScenarioField::Present(START, T::default());
    }
    match field {
        ScenarioField::Present(location, value) => Some((location.clone(), value)),
        ScenarioField::Absent | ScenarioField::Invalid => None,
    }
}

/// The requests of a file that are sent over HTTP.
pub(super) fn http_requests(file: &mut ScenarioFile) -> impl Iterator<Item = &mut RequestSection> {
    sent_over_http(&mut file.request)
}

/// The steps of a file that are sent over HTTP: its setup, its requests and its teardown.
pub(super) fn http_steps(file: &mut ScenarioFile) -> impl Iterator<Item = &mut RequestSection> {
    let ScenarioFile { setup, request, teardown, .. } = file;
    [setup, request, teardown].into_iter().flat_map(sent_over_http)
}

/// The steps of one section that are sent over HTTP.
fn sent_over_http(
    steps: &mut ScenarioField<Vec<ScenarioField<RequestSection>>>,
) -> impl Iterator<Item = &mut RequestSection> {
    let list = match steps {
        ScenarioField::Present(_, list) => Some(list),
        ScenarioField::Absent | ScenarioField::Invalid => None,
    };
    let steps = list.into_iter().flatten().filter_map(|field| match field {
        ScenarioField::Present(_, step) => Some(step),
        ScenarioField::Absent | ScenarioField::Invalid => None,
    });
    steps.filter(|step| !step.sql.is_written())
}
