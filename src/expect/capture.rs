//! Values that later steps take from a response or from rows.

use http::HeaderName;
use serde_json::Value;

use super::json;
use super::pattern::TextPattern;
use super::response::{ResponseView, header_text};
use super::subject::{CheckFailure, CheckSubject, unexpected};
use super::unmet::UnmetExpectation;
use crate::units::ByteSize;

/// A named value that is taken from a response.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The name by which later steps use it.
    pub name: String,
    /// Where it is found.
    pub source: CaptureSource,
    /// The value to use if none is found. Without a default, that is a failure.
    pub default: Option<String>,
    /// Whether the value may be shown. It is secret otherwise.
    pub is_public: bool,
    /// As the scenario writes it: `capture.account = json "/accounts/0/id"`.
    pub written: String,
}

/// Where a captured value is found.
#[derive(Debug, Clone)]
pub enum CaptureSource {
    /// The first value of a header, as text.
    Header(HeaderName),
    /// The first match of a pattern in the lines of a header, in their order: its first group, or
    /// the whole match without a group, as text.
    HeaderMatch(HeaderName, TextPattern),
    /// A value of any type in the JSON document, by its pointer (RFC 6901).
    Json(String),
    /// The first group of the first match in the content, or the whole match without a group, as
    /// text.
    Regex(TextPattern),
}

/// All values taken from the responses to one request, or from the rows of one query.
#[derive(Debug, Clone, Default)]
pub struct CaptureSet(pub Vec<Capture>);

impl CaptureSet {
    /// The values with their names, in the order of the scenario. The error is the first value that
    /// is not found and has no default.
    ///
    /// The body is decoded as for expectations, up to `max_body`. Nothing is found in a body that
    /// cannot be decoded, or that is not JSON although a capture needs JSON.
    pub fn extract(
        &self,
        answer: &ResponseView<'_>,
        max_body: ByteSize,
    ) -> Result<Vec<(String, Value)>, UnmetExpectation> {
        self.extract_all(&mut CheckSubject::of_answer(answer, max_body), max_body)
    }

    /// The same from rows. As a JSON document they are an array; as a body, the compact text of
    /// that array. They have no headers.
    pub fn extract_from_rows(
        &self,
        rows: &[Value],
    ) -> Result<Vec<(String, Value)>, UnmetExpectation> {
        self.extract_all(&mut CheckSubject::of_rows(rows), ByteSize(u64::MAX))
    }

    /// The names of the values, in the order of the scenario.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|capture| capture.name.as_str())
    }

    /// The names of the values that may be shown.
    pub fn public(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|capture| capture.is_public).map(|capture| capture.name.as_str())
    }

    /// The names of the values without a JSON type: headers, matches of patterns, and defaults are
    /// texts.
    pub fn untyped(&self) -> impl Iterator<Item = &str> {
        let is_untyped = |capture: &&Capture| {
            capture.default.is_some() || !matches!(capture.source, CaptureSource::Json(_))
        };
        self.0.iter().filter(is_untyped).map(|capture| capture.name.as_str())
    }

    /// Whether there are no captures.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a capture looks at the body. Otherwise the body need not be kept.
    pub fn needs_body(&self) -> bool {
        self.0.iter().any(|capture| capture.source.is_in_body())
    }

    fn extract_all(
        &self,
        subject: &mut CheckSubject<'_>,
        max_body: ByteSize,
    ) -> Result<Vec<(String, Value)>, UnmetExpectation> {
        let take = |capture: &Capture| {
            let value = match (capture.source.find(subject), &capture.default) {
                (Err(CheckFailure::Mismatch(..)), Some(default)) => {
                    Ok(Value::String(default.clone()))
                }
                (found, _) => found,
            };
            let value =
                value.map_err(|wrong| UnmetExpectation::of(wrong, &capture.written, max_body))?;
            Ok((capture.name.clone(), value))
        };
        self.0.iter().map(take).collect()
    }
}

impl CaptureSource {
    fn is_in_body(&self) -> bool {
        match self {
            Self::Header(_) | Self::HeaderMatch(..) => false,
            Self::Json(_) | Self::Regex(_) => true,
        }
    }

    fn find(&self, subject: &mut CheckSubject<'_>) -> Result<Value, CheckFailure> {
        match self {
            Self::Header(name) => {
                let value = subject.answer()?.headers.get(name);
                value
                    .map(|value| Value::String(header_text(value).into_owned()))
                    .ok_or_else(|| unexpected("no such header"))
            }
            Self::HeaderMatch(name, pattern) => {
                let mut lines = subject.answer()?.headers.get_all(name).iter().peekable();
                if lines.peek().is_none() {
                    return Err(unexpected("no such header"));
                }
                let found =
                    lines.find_map(|line| pattern.first_in(header_text(line).as_bytes()).map(text));
                found.ok_or_else(|| unexpected("no match in the header"))
            }
            Self::Json(pointer) => {
                let value = subject.document()?.pointer(pointer);
                value.cloned().ok_or_else(|| unexpected(json::nothing_at(pointer)))
            }
            Self::Regex(pattern) => match pattern.first_in(subject.content()?) {
                Some(found) => Ok(text(found)),
                None => Err(unexpected(format!("no match in {}", subject.size()?))),
            },
        }
    }
}

/// Text from a target, which may not be UTF-8.
fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
    use http::{HeaderMap, HeaderValue, StatusCode};
    use proptest::prelude::*;
    use serde_json::json;
    use url::Url;

    use super::*;
    use crate::record::Failure;

    const LIMIT: ByteSize = ByteSize(1024);

    fn capture(source: CaptureSource, default: Option<&str>) -> CaptureSet {
        let (name, written) = ("name".to_owned(), "as written".to_owned());
        CaptureSet(vec![Capture {
            name,
            source,
            default: default.map(str::to_owned),
            is_public: false,
            written,
        }])
    }

    fn header(name: &'static str) -> CaptureSource {
        CaptureSource::Header(HeaderName::from_static(name))
    }

    fn at(pointer: &str) -> CaptureSource {
        CaptureSource::Json(pointer.to_owned())
    }

    fn regex(pattern: &str) -> CaptureSource {
        CaptureSource::Regex(TextPattern::new(pattern).unwrap())
    }

    fn take(
        captures: &CaptureSet,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<(String, Value)>, UnmetExpectation> {
        let url = Url::parse("https://example.org/").unwrap();
        captures.extract(&ResponseView { status: StatusCode::OK, url: &url, headers, body }, LIMIT)
    }

    fn extract_all(source: CaptureSource, body: &[u8]) -> Value {
        let mut headers = HeaderMap::new();
        headers.append("mcp-session-id", HeaderValue::from_bytes(b"7f\xff").unwrap());
        headers.append("mcp-session-id", HeaderValue::from_static("second"));
        let mut values = take(&capture(source, None), &headers, body).unwrap();
        assert_eq!(values.len(), 1);
        values.remove(0).1
    }

    fn missed(source: CaptureSource, body: &[u8]) -> String {
        let headers = HeaderMap::new();
        let unmet = take(&capture(source.clone(), None), &headers, body).unwrap_err();
        assert_eq!((unmet.failure, unmet.expected.as_str()), (Failure::Unexpected, "as written"));
        let defaulted = take(&capture(source, Some("instead")), &headers, body).unwrap();
        assert_eq!(defaulted, [("name".to_owned(), json!("instead"))]);
        unmet.seen
    }

    #[test]
    fn values_are_captured_from_headers_documents_and_texts() {
        assert_eq!(extract_all(header("mcp-session-id"), b""), json!("7f\u{ff}"));
        let body = br#"{"accounts": [{"id": 7, "tags": ["a"]}], "none": null}"#;
        assert_eq!(extract_all(at("/accounts/0/id"), body), json!(7));
        assert_eq!(extract_all(at("/accounts/0/tags"), body), json!(["a"]));
        assert_eq!(extract_all(at("/none"), body), json!(null));
        assert_eq!(extract_all(regex("\"id\": ([0-9]+)"), body), json!("7"));
        assert_eq!(extract_all(regex("tag."), body), json!("tags"));
    }

    #[test]
    fn a_pattern_finds_a_part_of_a_header_in_whichever_of_its_lines_matches() {
        let mut headers = HeaderMap::new();
        for line in ["theme=dark", "session=7f3a; Path=/", "session=later"] {
            headers.append("set-cookie", HeaderValue::from_static(line));
        }
        let find = |name: &'static str, pattern: &str| {
            let pattern = TextPattern::new(pattern).unwrap();
            let source = CaptureSource::HeaderMatch(HeaderName::from_static(name), pattern);
            let captures = capture(source, None);
            assert!(!captures.needs_body());
            assert_eq!(captures.untyped().count(), 1);
            take(&captures, &headers, b"session=body").map(|values| values[0].1.clone())
        };
        assert_eq!(find("set-cookie", "session=([^;]+)"), Ok(json!("7f3a")));
        assert_eq!(find("set-cookie", "theme=[a-z]+"), Ok(json!("theme=dark")));
        let missed = find("set-cookie", "token=(.+)").unwrap_err();
        assert_eq!(missed.seen, "no match in the header");
        assert_eq!(find("location", "code=(.+)").unwrap_err().seen, "no such header");
    }

    #[test]
    fn a_missing_value_without_a_default_is_reported_without_the_body() {
        assert_eq!(missed(header("mcp-session-id"), b""), "no such header");
        assert_eq!(
            missed(at("/accounts/0/id"), b"{\"accounts\": []}"),
            "nothing at /accounts/0/id"
        );
        assert_eq!(
            missed(at("/id"), b"<html>"),
            "6 bytes that are not JSON (see line 1, column 1)"
        );
        let page = "x".repeat(1_000);
        assert_eq!(missed(regex("y"), page.as_bytes()), "no match in the 1,000 bytes of the body");
    }

    #[test]
    fn either_all_values_are_captured_or_none() {
        let both = |second: &str| {
            let all = [capture(at("/a"), None), capture(at(second), None)];
            take(
                &CaptureSet(all.into_iter().flat_map(|one| one.0).collect()),
                &HeaderMap::new(),
                br#"{"a":1,"b":2}"#,
            )
        };
        assert_eq!(
            both("/b").unwrap(),
            [("name".to_owned(), json!(1)), ("name".to_owned(), json!(2))]
        );
        assert_eq!(both("/c").unwrap_err().seen, "nothing at /c");
    }

    #[test]
    fn an_event_stream_is_read_as_its_last_event() {
        let headers: HeaderMap =
            [(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))].into_iter().collect();
        let body = b"event: message\ndata: {\"result\":{\"tools\":[{\"name\":\"search\"}]}}\n\n";
        let values = take(&capture(at("/result/tools/0/name"), None), &headers, body).unwrap();
        assert_eq!(values[0].1, json!("search"));
    }

    #[test]
    fn nothing_is_found_in_a_body_that_is_too_large_or_cannot_be_decoded() {
        let encoded = |encoding: &'static str| -> HeaderMap {
            [(CONTENT_ENCODING, HeaderValue::from_static(encoding))].into_iter().collect()
        };
        let unmet = take(&capture(at("/a"), None), &encoded("br"), b"body").unwrap_err();
        assert!(unmet.seen.contains("encoded with `br`"), "{}", unmet.seen);
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut bomb, &[b' '; 2048]).unwrap();
        let bomb = bomb.finish().unwrap();
        // A default replaces a missing value, not one in a body above the limit.
        let unmet = take(&capture(at("/a"), Some("instead")), &encoded("gzip"), &bomb).unwrap_err();
        assert_eq!(unmet.expected, "max_body = \"1 KiB\"");
    }

    #[test]
    fn rows_are_a_document_and_a_text_and_have_no_headers() {
        let rows = [json!({ "id": 7, "name": "leads" })];
        let take = |source| {
            capture(source, None).extract_from_rows(&rows).map(|values| values[0].1.clone())
        };
        assert_eq!(take(at("/0/id")), Ok(json!(7)));
        assert_eq!(take(regex("\"name\":\"([^\"]*)\"")), Ok(json!("leads")));
        assert_eq!(take(at("/1/id")).unwrap_err().seen, "nothing at /1/id");
        assert_eq!(take(regex("x")).unwrap_err().seen, "no match in the 25 bytes of the rows");
        assert_eq!(
            take(header("etag")).unwrap_err().seen,
            "rows, which have no status, URL and headers"
        );
    }

    #[test]
    fn a_body_is_needed_if_a_capture_looks_at_it() {
        assert!(!CaptureSet::default().needs_body());
        assert!(!capture(header("etag"), None).needs_body());
        assert!(capture(at(""), None).needs_body() && capture(regex("a"), None).needs_body());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_response_makes_the_captures_panic_or_exceed_their_limit(
            body in prop::collection::vec(any::<u8>(), 0..300),
            kind in "(text/event-stream|application/json|[\\x20-\\x7e]{0,20})",
            encoding in "(gzip|deflate|identity|br)?",
        ) {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(&kind).unwrap());
            headers.insert(CONTENT_ENCODING, HeaderValue::from_str(&encoding).unwrap());
            for source in [header("content-type"), header("etag"), at("/a"), at(""), regex("(a|b)(.*)"), regex("^.$")] {
                if let Err(unmet) = take(&capture(source, None), &headers, &body) {
                    prop_assert!(unmet.seen.chars().count() <= 160, "{}", unmet.seen);
                }
            }
        }
    }
}
