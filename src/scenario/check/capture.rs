//! Checks captures.

use http::Method;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::KeyLocation;
use super::super::file::{CaptureSection, RequestSection, ScenarioFile};
use super::super::template;
use super::expect::{header_name, no_body, pointer};

/// Names of built-in values.
const BUILT_IN: [&str; 1] = ["uuid"];

pub(super) fn all(request: &RequestSection, diagnostics: &mut Diagnostics) {
    for (name, field) in request.capture.value().into_iter().flatten() {
        let Some(location) = field.location() else { continue };
        self::name(name, location, diagnostics);
        let Some(capture) = field.value() else { continue };
        source(capture, location, diagnostics);
        if request.method.value() == Some(&Method::HEAD) {
            let regex = capture.regex.location().filter(|_| !capture.header.is_written());
            let bodily = [("json", capture.json.location()), ("regex", regex)];
            let written = bodily.into_iter().filter_map(|(key, location)| Some((key, location?)));
            no_body("found", written, diagnostics);
        }
        if let Some((location, header)) = capture.header.located() {
            header_name(header.as_str(), &location.value, diagnostics);
        }
        if let Some((location, json)) = capture.json.located() {
            pointer(json.as_str(), &location.value, diagnostics);
        }
    }
}

/// Reports names that two steps capture: which value a later step sends would depend on which of
/// the two failed.
pub(super) fn names(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let mut known: Vec<&str> = Vec::new();
    for (name, field) in
        file.steps().flat_map(|request| request.capture.value().into_iter().flatten())
    {
        if known.contains(&name.as_str())
            && let Some(location) = field.location()
        {
            let problem = format!("another step already captures `{name}`");
            diagnostics.add(Diagnostic::new(
                location.key.clone(),
                problem,
                "give each value its own name",
            ));
        }
        known.push(name);
    }
}

fn name(name: &str, location: &KeyLocation, diagnostics: &mut Diagnostics) {
    let (problem, remedy) = if BUILT_IN.contains(&name) {
        (format!("`{name}` is the name of a built-in value"), "choose another name")
    } else if !template::is_name(name) {
        (
            format!("`{name}` is not a valid name for a captured value"),
            "use letters, digits and `_`, and do not start with a digit",
        )
    } else {
        return;
    };
    diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
}

/// Reports a capture without exactly one source. A pattern may search a header.
fn source(capture: &CaptureSection, location: &KeyLocation, diagnostics: &mut Diagnostics) {
    let searches_a_header = capture.header.is_written();
    let sources = [
        ("header", capture.header.is_written(), capture.header.location()),
        ("json", capture.json.is_written(), capture.json.location()),
        ("regex", capture.regex.is_written() && !searches_a_header, capture.regex.location()),
    ];
    let mut written = sources.into_iter().filter(|(_, is_written, _)| *is_written);
    let Some((first, ..)) = written.next() else {
        let remedy =
            "write one of `{ header = \"…\" }`, `{ json = \"/…\" }` and `{ regex = \"…\" }`";
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            "the capture does not say where the value is found",
            remedy,
        ));
        return;
    };
    for (key, location) in written.filter_map(|(key, _, location)| Some((key, location?))) {
        let problem = format!("`{key}` cannot be combined with `{first}`");
        diagnostics.add(Diagnostic::new(
            location.key.clone(),
            problem,
            "a capture has one source: remove one of the two",
        ));
    }
}
