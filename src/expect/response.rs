//! A response as expectations see it.

use http::{HeaderMap, StatusCode};
use url::Url;

/// An answer as expectations see it.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its status.
    pub status: StatusCode,
    /// The URL it came from: where redirects were followed, the last one's.
    pub url: &'a Url,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, complete and as it came, encoded or not; empty where neither [`Expectations::needs_body`] nor
    /// [`Captures::needs_body`] asks for it.
    pub body: &'a [u8],
}
