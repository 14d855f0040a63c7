//! From what a scenario takes from answers to captures.

use http::HeaderName;

use super::expectation::quoted;
use super::filling::Filler;
use super::pattern;
use crate::expect::{Capture, CaptureSource, Captures};
use crate::scenario::file::{self, Request};
use crate::scenario::{Field, Words};

/// What is taken from a request's answer; nothing where something is wrong.
pub(super) fn resolve(request: &Request, filler: &mut Filler<'_>) -> Option<Captures> {
    let entries = request.capture.given().into_iter().flatten();
    let all: Vec<_> = entries.map(|(name, field)| one(name, field, filler)).collect();
    all.into_iter().collect::<Option<_>>().map(Captures)
}

fn one(name: &str, field: &Field<file::Capture>, filler: &mut Filler<'_>) -> Option<Capture> {
    let capture = field.given()?;
    let (source, written) = source(capture, filler)?;
    Some(Capture {
        name: name.to_owned(),
        source,
        default: capture.default.given().map(|default| default.as_str().to_owned()),
        is_public: capture.public.given() == Some(&true),
        written: format!("capture.{name} = {written}"),
    })
}

/// Where a value is found, and how that is written.
fn source(capture: &file::Capture, filler: &mut Filler<'_>) -> Option<(CaptureSource, String)> {
    let written = |key: &str, value: &str| format!("{key} {}", quoted(value));
    if let Some(header) = capture.header.given().map(Words::as_str) {
        let name = HeaderName::from_bytes(header.as_bytes()).ok()?;
        return Some((CaptureSource::Header(name), written("header", header)));
    }
    if let Some(pointer) = capture.json.given().map(Words::as_str) {
        return Some((CaptureSource::Json(pointer.to_owned()), written("json", pointer)));
    }
    let text = capture.regex.given()?.as_str();
    Some((CaptureSource::Regex(pattern::resolve(&capture.regex, filler)?), written("regex", text)))
}
