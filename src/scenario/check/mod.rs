//! Checks what the values of a file mean together: what is missing, what contradicts itself, and
//! which budgets can never be decided.

mod alert;
mod baseline;
mod budgets;
mod capture;
mod data;
mod expect;
mod gate;
mod load;
mod machine;
mod once;
mod request;
mod steps;
mod target;
mod warmup;
mod weights;

use http::HeaderName;

use super::diagnostic::{Diagnostic, Diagnostics, Span};
use super::field::{ScenarioField, TableEntries};
use super::file::{RequestSection, ScenarioFile};
use super::leaf::PlainText;
use super::load::{LoadShape, WarmupShape};
use super::references::variables;
use super::template::Template;
use crate::units::near::nearest;

/// The maximum length of a name: names are used in tables and file names.
const LONGEST_NAME: usize = 80;

/// Headers that the prober sets from the request itself.
const OWN_HEADERS: [&str; 7] =
    ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te"];

/// Reports everything that makes no sense in a file whose single values are valid. Returns its load
/// and warm-up.
pub(super) fn file(
    file: &ScenarioFile,
    diagnostics: &mut Diagnostics,
) -> Option<(LoadShape, WarmupShape)> {
    name(&file.name, "the scenario", 0..0, diagnostics);
    target::all(file, diagnostics);
    if let Some(entries) = file.headers.value() {
        headers(entries, diagnostics);
    }
    request::all(file, diagnostics);
    once::all(file, diagnostics);
    steps::databases(file, diagnostics);
    public(file, diagnostics);
    data::all(file, diagnostics);
    machine::all(file, diagnostics);
    let load = load::shape(file, diagnostics);
    weights::all(file, load.as_ref(), diagnostics);
    budgets::all(file, load.as_ref(), diagnostics);
    gate::all(file, load.as_ref(), diagnostics);
    alert::all(file, diagnostics);
    baseline::all(file, diagnostics);
    let load = load?;
    let warmup = warmup::shape(&file.warmup, &load, diagnostics)?;
    Some((load, warmup))
}

/// Reports a missing key; `at` is the span of its section.
fn require<T>(
    field: &ScenarioField<T>,
    key: &str,
    example: &str,
    at: Span,
    diagnostics: &mut Diagnostics,
) {
    if !field.is_written() {
        diagnostics.add(Diagnostic::new(
            at,
            format!("no `{key}` is given"),
            format!("write `{key} = {example}`"),
        ));
    }
}

fn name(field: &ScenarioField<PlainText>, of: &str, at: Span, diagnostics: &mut Diagnostics) {
    require(field, "name", "\"…\"", at, diagnostics);
    let Some((location, name)) = field.located() else { return };
    let name = name.as_str();
    let remedy =
        format!("write a name of 1 to {LONGEST_NAME} characters without control characters");
    let problem = match name {
        "" => format!("{of} has an empty name"),
        name if name.chars().count() > LONGEST_NAME => format!("the name of {of} is too long"),
        name if name.chars().any(char::is_control) => {
            format!("the name of {of} has control characters")
        }
        name if name.trim() != name => format!("the name of {of} starts or ends with blanks"),
        _ => return,
    };
    diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
}

/// Maximum number of headers in one table. The HTTP library panics at 24,577.
const MOST_HEADERS: usize = 1_000;

/// Reports header names that are invalid, set by the prober, or repeated.
fn headers(entries: &TableEntries<Template>, diagnostics: &mut Diagnostics) {
    if let Some((_, field)) = entries.get(MOST_HEADERS)
        && let Some(location) = field.location()
    {
        let problem = format!("{} headers are more than any server reads", entries.len());
        let remedy = format!("write at most {MOST_HEADERS}");
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
        return;
    }
    let mut seen: Vec<String> = Vec::new();
    for (name, field) in entries {
        let Some(location) = field.location() else { continue };
        let lower = name.to_ascii_lowercase();
        let (problem, remedy) = if HeaderName::from_bytes(name.as_bytes()).is_err() {
            ("is not a valid header name", "use letters, digits and `-`")
        } else if OWN_HEADERS.contains(&lower.as_str()) {
            ("is set by the prober", "remove it")
        } else if seen.contains(&lower) {
            ("is given twice: header names ignore case", "remove one of the two")
        } else {
            seen.push(lower);
            continue;
        };
        diagnostics.add(Diagnostic::new(
            location.key.clone(),
            format!("`{name}` {problem}"),
            remedy,
        ));
    }
}

/// Reports public variables that are never used. They are probably misspelt, and the intended
/// variable stays secret.
fn public(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let used = variables(file);
    let used: Vec<&str> = used.iter().map(String::as_str).collect();
    for (location, name) in
        file.public.value().into_iter().flatten().filter_map(ScenarioField::located)
    {
        let name = name.as_str();
        if !used.contains(&name) {
            let remedy = match nearest(name, &used) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "remove it".to_owned(),
            };
            let problem = format!("no variable `{name}` is used in this file");
            diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
        }
    }
}

impl ScenarioFile {
    /// The valid requests.
    pub fn requests(&self) -> impl Iterator<Item = &RequestSection> {
        self.request.value().into_iter().flatten().filter_map(ScenarioField::value)
    }

    /// The valid steps of `[[setup]]`.
    pub fn setup(&self) -> impl Iterator<Item = &RequestSection> {
        self.setup.value().into_iter().flatten().filter_map(ScenarioField::value)
    }

    /// The valid steps of `[[teardown]]`.
    pub fn teardown(&self) -> impl Iterator<Item = &RequestSection> {
        self.teardown.value().into_iter().flatten().filter_map(ScenarioField::value)
    }

    /// All valid steps in the order in which they run: setup, requests, teardown.
    pub fn steps(&self) -> impl Iterator<Item = &RequestSection> {
        self.setup().chain(self.requests()).chain(self.teardown())
    }
}
