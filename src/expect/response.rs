//! A response as expectations see it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

/// A response as expectations see it.
#[derive(Debug, Clone, Copy)]
pub struct ResponseView<'a> {
    /// The status.
    pub status: StatusCode,
    /// The URL that it came from; after redirects, the last one.
    pub url: &'a Url,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The complete body as it was received, before decoding. It may be empty if neither
    /// [`ExpectationSet::needs_body`](super::ExpectationSet::needs_body) nor
    /// [`CaptureSet::needs_body`](super::CaptureSet::needs_body) is true.
    pub body: &'a [u8],
}

/// The value of a header as text: UTF-8, or otherwise Latin-1, which HTTP once specified (RFC 9110,
/// section 5.5).
pub(super) fn header_text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().copied().map(char::from).collect()),
    }
}
