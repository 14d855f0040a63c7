//! One HTTP exchange, as this room needs it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

/// A request. Sensitive headers go to the URL's origin only.
#[derive(Debug, Clone)]
pub struct HttpCall {
    /// The method.
    pub method: Method,
    /// The URL with its query.
    pub url: Url,
    /// Every header except `host` and `content-length`.
    pub headers: HeaderMap,
    /// The body; may be empty.
    pub body: Bytes,
    /// Limit for everything.
    pub timeout: Duration,
}

/// An answer with any status.
#[derive(Debug, Clone)]
pub struct HttpReply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportFailure {
    /// The server has not received the request: no address, nothing listens, no TLS.
    NotSent(String),
    /// The request went out, and no whole answer came back.
    NoAnswer(String),
    /// Calls are to stop. Only a call that changes nothing ends so.
    Stopped,
    /// A redirect that would need the token, or lose the body.
    Redirected {
        /// The host that it names.
        host: String,
    },
}

/// Sends requests one at a time and blocks until the answer is there.
pub trait HttpTransport {
    /// Sends a request once. A GET ends early once `is_stopped` answers true; whether a change was
    /// carried out has to be known.
    fn send(
        &mut self,
        call: &HttpCall,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<HttpReply, TransportFailure>;
}
