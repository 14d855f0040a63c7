//! A response as expectations see it.

use http::{HeaderMap, StatusCode};
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
