//! A request prepared once, so that sending it only needs a copy.

use std::fmt;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use http_body_util::Full;
use url::{Position, Url};

/// Headers that apply to one HTTP/1.1 connection. HTTP/2 forbids them (RFC 9113, section 8.2.2) and
/// names the host in `:authority`.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HOST,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The parts of a request, independent of the HTTP version.
#[derive(Clone)]
pub(in crate::engine) struct RequestParts {
    pub(in crate::engine) method: Method,
    pub(in crate::engine) url: Url,
    /// Every header except `host` and `content-length`; secret values are marked sensitive.
    pub(in crate::engine) headers: HeaderMap,
    pub(in crate::engine) body: Bytes,
}

/// Shows no URL, header or body, as these may hold secrets.
impl fmt::Debug for RequestParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("method", &self.method).finish_non_exhaustive()
    }
}

/// The part of a request that HTTP cannot express: the path or the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct UnsendablePart(pub(in crate::engine) &'static str);

/// A request in the form of either HTTP version.
pub(in crate::engine) struct RequestMessage {
    one: Request<Full<Bytes>>,
    two: Request<()>,
    body: Bytes,
}

impl RequestMessage {
    /// Builds the request; fails if the URL's parts do not make one.
    pub(in crate::engine) fn new(parts: &RequestParts) -> Result<Self, UnsendablePart> {
        let RequestParts { method, url, headers, body } = parts;
        let path: Uri = url[Position::BeforePath..Position::AfterQuery]
            .parse()
            .map_err(|_| UnsendablePart("the request's path"))?;
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let host =
            HeaderValue::from_str(authority).map_err(|_| UnsendablePart("the target's host"))?;
        let whole = Uri::builder().scheme(url.scheme()).authority(authority);
        let whole = whole.path_and_query(path.path_and_query().map_or("/", |path| path.as_str()));

        let mut one = Request::new(Full::new(body.clone()));
        *one.method_mut() = method.clone();
        *one.uri_mut() = path;
        *one.headers_mut() = headers.clone();
        one.headers_mut().entry(HOST).or_insert(host);
        // hyper leaves out a length of 0, and many servers answer 411 without it.
        let length = (!body.is_empty() || has_body(method)).then(|| HeaderValue::from(body.len()));
        if let Some(length) = &length {
            one.headers_mut().insert(CONTENT_LENGTH, length.clone());
        }

        let mut two = Request::new(());
        *two.method_mut() = method.clone();
        *two.uri_mut() = whole.build().map_err(|_| UnsendablePart("the target's host"))?;
        *two.version_mut() = Version::HTTP_2;
        *two.headers_mut() = headers.clone();
        for name in &HOP_BY_HOP {
            two.headers_mut().remove(name);
        }
        if let Some(length) = length {
            two.headers_mut().insert(CONTENT_LENGTH, length);
        }
        Ok(Self { one, two, body: body.clone() })
    }

    /// A copy to send over HTTP/1.1.
    pub(super) fn one(&self) -> Request<Full<Bytes>> {
        self.one.clone()
    }

    /// A copy of the head to send over HTTP/2.
    pub(super) fn two(&self) -> Request<()> {
        self.two.clone()
    }

    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Whether a request of this method usually has a body, so that an empty one needs a length of 0.
fn has_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(
        method: Method,
        url: &str,
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> RequestMessage {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let url = Url::parse(url).unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        RequestMessage::new(&RequestParts { method, url, headers: headers.collect(), body })
            .unwrap()
    }

    #[test]
    fn http_2_names_the_host_in_the_authority_and_http_1_in_a_header() {
        let message = message(Method::GET, "https://example.org:8443/a?b=1", &[], "");
        assert_eq!(message.two.uri(), "https://example.org:8443/a?b=1");
        assert!(message.two.headers().get(HOST).is_none());
        assert_eq!(message.one.uri(), "/a?b=1");
        assert_eq!(message.one.headers()[HOST], "example.org:8443");
    }

    #[test]
    fn http_2_sends_no_connection_headers() {
        let headers = [("proxy-connection", "keep-alive"), ("x-kept", "1"), ("te", "gzip")];
        let message = message(Method::GET, "http://example.org/", &headers, "");
        assert_eq!(message.two.headers().len(), 1);
        assert_eq!(message.two.headers()["x-kept"], "1");
    }

    #[test]
    fn a_body_and_its_absence_where_one_is_usual_have_a_length_on_both_versions() {
        for (method, body, length) in [
            (Method::POST, "four", Some("4")),
            (Method::POST, "", Some("0")),
            (Method::PUT, "", Some("0")),
            (Method::PATCH, "", Some("0")),
            (Method::DELETE, "four", Some("4")),
            (Method::DELETE, "", None),
            (Method::GET, "", None),
        ] {
            let message = message(method.clone(), "http://a.test/", &[], body);
            for headers in [message.one.headers(), message.two.headers()] {
                let found = headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap());
                assert_eq!(found, length, "{method} {body:?}");
            }
        }
    }
}
