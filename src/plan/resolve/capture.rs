//! Resolves the captures of a request.

use http::HeaderName;

use super::pattern;
use super::template_filler::TemplateFiller;
use super::toml_text::quoted;
use crate::expect::{Capture, CaptureSet, CaptureSource};
use crate::scenario::file::{self, RequestSection};
use crate::scenario::{PlainText, ScenarioField};

/// The captures of a request; `None` after reporting an error.
pub(super) fn resolve(
    request: &RequestSection,
    filler: &mut TemplateFiller<'_>,
) -> Option<CaptureSet> {
    let entries = request.capture.value().into_iter().flatten();
    let all: Vec<_> = entries.map(|(name, field)| one(name, field, filler)).collect();
    all.into_iter().collect::<Option<_>>().map(CaptureSet)
}

fn one(
    name: &str,
    field: &ScenarioField<file::CaptureSection>,
    filler: &mut TemplateFiller<'_>,
) -> Option<Capture> {
    let capture = field.value()?;
    let (source, written) = source(capture, filler)?;
    Some(Capture {
        name: name.to_owned(),
        source,
        default: capture.default.value().map(|default| default.as_str().to_owned()),
        is_public: capture.public.value() == Some(&true),
        written: format!("capture.{name} = {written}"),
    })
}

/// The source of a captured value, and how the scenario writes it.
fn source(
    capture: &file::CaptureSection,
    filler: &mut TemplateFiller<'_>,
) -> Option<(CaptureSource, String)> {
    let written = |key: &str, value: &str| format!("{key} {}", quoted(value));
    if let Some(header) = capture.header.value().map(PlainText::as_str) {
        let name = HeaderName::from_bytes(header.as_bytes()).ok()?;
        if let Some(text) = capture.regex.value() {
            let pattern = pattern::resolve(&capture.regex, filler)?;
            let written =
                format!("{}, {}", written("header", header), written("regex", text.as_str()));
            return Some((CaptureSource::HeaderMatch(name, pattern), written));
        }
        return Some((CaptureSource::Header(name), written("header", header)));
    }
    if let Some(pointer) = capture.json.value().map(PlainText::as_str) {
        return Some((CaptureSource::Json(pointer.to_owned()), written("json", pointer)));
    }
    let text = capture.regex.value()?.as_str();
    Some((CaptureSource::Regex(pattern::resolve(&capture.regex, filler)?), written("regex", text)))
}
