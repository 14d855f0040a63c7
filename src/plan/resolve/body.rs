//! The body of a request: as it is written, as JSON, or from a file.

use std::path::Path;

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::attached_file;
use super::template_filler::TemplateFiller;
use crate::plan::live::LiveBody;
use crate::scenario::Scenario;
use crate::scenario::file::RequestSection;

/// The type of a JSON body.
const JSON: &str = "application/json";

/// The body of a request.
#[derive(Default)]
pub(super) struct RequestBody {
    pub(super) bytes: Bytes,
    /// Its `Content-Type`, unless the scenario writes one; `None` without a body.
    pub(super) media_type: Option<&'static str>,
    /// The body with its live values, if it is known only during the run.
    pub(super) live: Option<LiveBody>,
}

/// The body of a request, empty if none is written; `None` after reporting an error.
pub(super) fn resolve(
    scenario: &Scenario,
    request: &RequestSection,
    filler: &mut TemplateFiller<'_>,
) -> Option<RequestBody> {
    if let Some((location, text)) = request.body.located() {
        let text = filler.fill_live(&location.value, text)?;
        let media_type = media_type_of_text(&text.value, text.live.is_some());
        let live = text.live.map(LiveBody::Text);
        return Some(RequestBody { bytes: Bytes::from(text.value), media_type, live });
    }
    if let Some((location, json)) = request.body_json.located() {
        if json.is_json_as_text() {
            let problem =
                "`body_json` is a string that holds JSON: it is sent as a quoted JSON string";
            filler.warn(
                &location.value,
                problem,
                "write it as a TOML table or list, or use `body`",
            );
        }
        let (value, _) = filler.fill_live_json(&location.value, json)?;
        let (bytes, live) = match value.fixed() {
            Some(fixed) => (Bytes::from(fixed.to_string()), None),
            None => (Bytes::new(), Some(LiveBody::Json(value.pieces()))),
        };
        return Some(RequestBody { bytes, media_type: Some(JSON), live });
    }
    let Some((location, path)) = request.body_file.located() else {
        return Some(RequestBody::default());
    };
    let path = scenario.source.resolve(path.as_str());
    match attached_file::read(&path) {
        Ok(bytes) => Some(RequestBody {
            media_type: (!bytes.is_empty()).then(|| media_type_of_file(&path)),
            bytes: Bytes::from(bytes),
            live: None,
        }),
        Err((problem, remedy)) => filler.report(&location.value, problem, remedy),
    }
}

/// The type of a body that is written as text (RFC 9110, section 8.3, asks for one): an object or a
/// list of JSON, the fields of a form, or any other text.
fn media_type_of_text(text: &str, has_live_values: bool) -> Option<&'static str> {
    let trimmed = text.trim();
    let is_bracketed = [('{', '}'), ('[', ']')]
        .iter()
        .any(|&(first, last)| trimmed.starts_with(first) && trimmed.ends_with(last));
    let is_json = || has_live_values || serde_json::from_str::<IgnoredAny>(trimmed).is_ok();
    match text {
        "" if !has_live_values => None,
        _ if is_bracketed && is_json() => Some(JSON),
        _ if is_form(trimmed) => Some("application/x-www-form-urlencoded"),
        _ => Some("text/plain; charset=utf-8"),
    }
}

/// Whether a text is `a=1&b=2`: names and values without space, quote or bracket.
fn is_form(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%+*=".contains(&byte);
    let is_field =
        |field: &str| field.find('=').is_some_and(|at| at > 0) && field.bytes().all(is_plain);
    text.split('&').all(is_field)
}

fn media_type_of_file(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
        "json" => JSON,
        "xml" => "application/xml",
        "csv" => "text/csv; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_written_as_text_has_a_type() {
        for (text, media_type) in [
            ("", None),
            (" {\"a\": [1]}\n", Some("application/json")),
            ("[]", Some("application/json")),
            ("{ users { id } }", Some("text/plain; charset=utf-8")),
            ("a=1&b=%20x+y", Some("application/x-www-form-urlencoded")),
            ("a=1&b", Some("text/plain; charset=utf-8")),
            ("x = 1", Some("text/plain; charset=utf-8")),
            ("<a/>", Some("text/plain; charset=utf-8")),
        ] {
            assert_eq!(media_type_of_text(text, false), media_type, "{text:?}");
        }
        assert_eq!(media_type_of_text("{\"id\": }", true), Some("application/json"));
    }

    #[test]
    fn a_file_has_the_type_of_its_extension() {
        for (name, media_type) in [
            ("a.JSON", "application/json"),
            ("a.xml", "application/xml"),
            ("a.csv", "text/csv; charset=utf-8"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("a.bin", "application/octet-stream"),
            ("a", "application/octet-stream"),
        ] {
            assert_eq!(media_type_of_file(Path::new(name)), media_type, "{name}");
        }
    }
}
