//! How the body of an answer over HTTP/1.1 is framed, as far as hyper does not check it.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Method, StatusCode, Version, response};

use crate::engine::connection::library_limit::LibraryLimit;
use crate::library_text::CODING_IN_HTTP_1_0;
use crate::record::{Dimension, Failure};
use crate::recorder::ExchangeFailure;

/// Where the body of an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// Every recipient finds the same end.
    Clear,
    /// The answer has a length and a transfer coding. The coding counts (RFC 9112, section 6.3),
    /// but a recipient between may go by the length and keep bytes back for the next answer.
    Ambiguous,
}

/// The transfer codings of RFC 9112, section 7, and `identity`, which RFC 2616 had.
const KNOWN: [&str; 7] =
    ["chunked", "gzip", "x-gzip", "deflate", "compress", "x-compress", "identity"];

const UNKNOWN: &str = "the answer's `Transfer-Encoding` names a coding that nobody asked for, or \
                       that does not exist (RFC 9112, section 7)";
const REPEATED: &str =
    "the answer's `Transfer-Encoding` names `chunked` more than once (RFC 9112, section 6.1)";
const NOT_LAST: &str =
    "the answer's `Transfer-Encoding` names a coding after `chunked` (RFC 9112, section 6.1)";

/// RFC 9110, section 5.6.1, has a recipient ignore empty elements. hyper would read the chunks as
/// the body.
const EMPTY_AT_END: LibraryLimit = LibraryLimit::new(
    "the HTTP library does not read a `Transfer-Encoding` that ends in a comma or an empty line",
);

impl BodyEnd {
    /// Where the body of an answer to a request of this method ends; fails if its transfer codings
    /// are wrong.
    pub(super) fn of(head: &response::Parts, method: &Method) -> Result<Self, ExchangeFailure> {
        if !head.headers.contains_key(TRANSFER_ENCODING) {
            return Ok(Self::Clear);
        }
        if head.version < Version::HTTP_11 {
            return Err(malformed(CODING_IN_HTTP_1_0));
        }
        // Such an answer ends with its head, whatever that says.
        if *method == Method::HEAD
            || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status)
        {
            return Ok(Self::Clear);
        }
        check_codings(head)?;
        let has_length = head.headers.contains_key(CONTENT_LENGTH);
        Ok(if has_length { Self::Ambiguous } else { Self::Clear })
    }
}

fn check_codings(head: &response::Parts) -> Result<(), ExchangeFailure> {
    let lines = head.headers.get_all(TRANSFER_ENCODING).iter();
    let all = lines.map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b',');
    let elements: Vec<_> = all.split(|byte| *byte == b',').map(trim_blanks).collect();
    let codings: Vec<_> = elements.iter().filter(|coding| !coding.is_empty()).collect();
    let is = |coding: &[u8], name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
    if codings.iter().any(|coding| !KNOWN.iter().any(|name| is(coding, name))) {
        return Err(malformed(UNKNOWN));
    }
    let chunked = codings.iter().filter(|coding| is(coding, "chunked")).count();
    if chunked > 1 {
        return Err(malformed(REPEATED));
    }
    if chunked == 1 && !codings.last().is_some_and(|coding| is(coding, "chunked")) {
        return Err(malformed(NOT_LAST));
    }
    if chunked == 1 && elements.last().is_some_and(|element| element.is_empty()) {
        return Err(EMPTY_AT_END.failed(Dimension::Body));
    }
    Ok(())
}

/// Without the blanks that HTTP allows around an element (RFC 9110, section 5.6.3).
fn trim_blanks(mut element: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = element {
        element = rest;
    }
    element
}

fn malformed(seen: &str) -> ExchangeFailure {
    ExchangeFailure::in_phase(Failure::Malformed, Dimension::Body, seen)
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    /// What becomes of an answer with these lines: its end, or the beginning of a failure.
    fn framing(lines: &[&str], status: u16, version: Version, method: &Method) -> String {
        let answer = Response::builder().status(status).version(version);
        let answer = lines.iter().fold(answer, |answer, line| {
            let (name, value) = line.split_once(':').unwrap();
            answer.header(name, value.as_bytes())
        });
        match BodyEnd::of(&answer.body(()).unwrap().into_parts().0, method) {
            Ok(end) => format!("{end:?}"),
            Err(failed) => format!("{:?}: {}", failed.failure, failed.seen),
        }
    }

    #[test]
    fn each_list_of_codings_is_decided_as_rfc_9112_says() {
        const GOOD: &str = "Clear";
        let limit = format!("OwnLimit: {}", "the HTTP library does not read");
        for (lines, outcome) in [
            (&[][..], GOOD),
            (&["transfer-encoding:chunked"], GOOD),
            (&["transfer-encoding: \t CHUNKED \t"], GOOD),
            (&["transfer-encoding:gzip, chunked"], GOOD),
            (&["transfer-encoding:X-Gzip\t,\tchunked"], GOOD),
            (&["transfer-encoding:, ,chunked"], GOOD),
            (&["transfer-encoding:gzip", "transfer-encoding:chunked"], GOOD),
            (&["transfer-encoding:gzip"], GOOD),
            (&["transfer-encoding:identity"], GOOD),
            (&["transfer-encoding:identity, chunked"], GOOD),
            (&["transfer-encoding:compress, deflate"], GOOD),
            (&["transfer-encoding:"], GOOD),
            (&["transfer-encoding:chunked", "content-length:3"], "Ambiguous"),
            (&["transfer-encoding:identity", "content-length:3"], "Ambiguous"),
            (&["transfer-encoding:chunked, chunked"], REPEATED),
            (&["transfer-encoding:chunked,CHUNKED", "content-length:3"], REPEATED),
            (&["transfer-encoding:chunked", "transfer-encoding:chunked"], REPEATED),
            (&["transfer-encoding:chunked, gzip, chunked"], REPEATED),
            (&["transfer-encoding:chunked, , chunked"], REPEATED),
            (&["transfer-encoding:chunked, gzip"], NOT_LAST),
            (&["transfer-encoding:chunked, identity"], NOT_LAST),
            (&["transfer-encoding:chunked", "transfer-encoding:gzip"], NOT_LAST),
            (&["transfer-encoding:xchunked"], UNKNOWN),
            (&["transfer-encoding:br, chunked"], UNKNOWN),
            (&["transfer-encoding:chunked, x"], UNKNOWN),
            (&["transfer-encoding:chunked;a=b"], UNKNOWN),
            (&["transfer-encoding:\"chunked\""], UNKNOWN),
            (&["transfer-encoding:x;a=\"b,chunked"], UNKNOWN),
            (&["transfer-encoding:chunked chunked"], UNKNOWN),
            (&["transfer-encoding:\u{a0}chunked"], UNKNOWN),
            (&["transfer-encoding:chunked,"], &limit),
            (&["transfer-encoding:chunked", "transfer-encoding:"], &limit),
        ] {
            let seen = framing(lines, 200, Version::HTTP_11, &Method::GET);
            assert!(seen.contains(outcome), "{lines:?}: {seen}");
        }
    }

    #[test]
    fn what_has_no_body_needs_no_coding_and_http_1_0_has_none() {
        let twice = &["transfer-encoding:chunked, chunked", "content-length:3"];
        let one = Version::HTTP_11;
        for (status, method, outcome) in [
            (204, Method::GET, "Clear"),
            (304, Method::GET, "Clear"),
            (200, Method::HEAD, "Clear"),
            (205, Method::GET, REPEATED),
            (404, Method::GET, REPEATED),
            (200, Method::POST, REPEATED),
        ] {
            let seen = framing(twice, status, one, &method);
            assert!(seen.contains(outcome), "{status} {method}: {seen}");
            let seen = framing(twice, status, Version::HTTP_10, &method);
            assert!(seen.contains(CODING_IN_HTTP_1_0), "{status} {method}: {seen}");
        }
        assert_eq!(framing(&["content-length:3"], 200, Version::HTTP_10, &Method::GET), "Clear");
    }
}
