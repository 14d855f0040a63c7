//! A request prepared once, so that sending it only needs a copy.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::PathAndQuery;
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

/// What one arrival sends otherwise than its prepared request.
#[derive(Clone, Default)]
pub(in crate::engine) struct MessageChanges {
    /// Path and query.
    pub(in crate::engine) target: Option<PathAndQuery>,
    /// Headers to replace, or to leave out if there is no value.
    pub(in crate::engine) headers: Vec<(HeaderName, Option<HeaderValue>)>,
    pub(in crate::engine) body: Option<Bytes>,
}

/// A request in the form of either HTTP version, with what one arrival changes.
pub(in crate::engine) struct RequestMessage {
    prepared: Rc<PreparedMessage>,
    changes: MessageChanges,
}

/// A request in the form of either HTTP version.
struct PreparedMessage {
    one: Request<Full<Bytes>>,
    two: Request<()>,
    body: Bytes,
}

impl RequestMessage {
    /// Builds the request; fails if the URL's parts do not make one.
    pub(in crate::engine) fn new(parts: &RequestParts) -> Result<Self, UnsendablePart> {
        let prepared = Rc::new(PreparedMessage::new(parts)?);
        Ok(Self { prepared, changes: MessageChanges::default() })
    }

    /// The same request with other changes. Nothing is copied before it is sent.
    pub(in crate::engine) fn with(&self, changes: MessageChanges) -> Self {
        Self { prepared: Rc::clone(&self.prepared), changes }
    }

    /// What is changed.
    pub(in crate::engine) fn changes(&self) -> &MessageChanges {
        &self.changes
    }

    pub(super) fn method(&self) -> &Method {
        self.prepared.one.method()
    }

    /// A copy to send over HTTP/1.1.
    pub(super) fn one(&self) -> Request<Full<Bytes>> {
        let mut one = self.prepared.one.clone();
        self.changes.apply_to(one.headers_mut());
        if let Some(target) = &self.changes.target {
            *one.uri_mut() = Uri::from(target.clone());
        }
        if let Some(body) = &self.changes.body {
            *one.body_mut() = Full::new(body.clone());
            set_length(&mut one, body.len());
        }
        one
    }

    /// A copy to send to a proxy over HTTP/1.1, which names the target in full (RFC 9112, section
    /// 3.2.2).
    pub(super) fn one_by_proxy(&self, authorization: Option<&HeaderValue>) -> Request<Full<Bytes>> {
        let mut request = self.one();
        *request.uri_mut() = self.whole_target();
        if let Some(credentials) = authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, credentials.clone());
        }
        request
    }

    /// Scheme, authority, path and query.
    fn whole_target(&self) -> Uri {
        let prepared = self.prepared.two.uri().clone();
        let Some(target) = &self.changes.target else { return prepared };
        let mut parts = prepared.into_parts();
        parts.path_and_query = Some(target.clone());
        // Scheme and authority are those of a URI that was built before.
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// A copy of the head to send over HTTP/2.
    pub(super) fn two(&self) -> Request<()> {
        let mut two = self.prepared.two.clone();
        self.changes.apply_to(two.headers_mut());
        if !self.changes.headers.is_empty() {
            without_hop_by_hop(two.headers_mut());
        }
        if self.changes.target.is_some() {
            *two.uri_mut() = self.whole_target();
        }
        if self.changes.body.is_some() {
            set_length(&mut two, self.body().len());
        }
        two
    }

    pub(super) fn body(&self) -> &Bytes {
        self.changes.body.as_ref().unwrap_or(&self.prepared.body)
    }
}

impl MessageChanges {
    /// Replaces headers, and removes those without a value.
    pub(in crate::engine) fn apply_to(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            match value {
                Some(value) => drop(headers.insert(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
    }
}

impl PreparedMessage {
    fn new(parts: &RequestParts) -> Result<Self, UnsendablePart> {
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
        set_length(&mut one, body.len());

        let mut two = Request::new(());
        *two.method_mut() = method.clone();
        *two.uri_mut() = whole.build().map_err(|_| UnsendablePart("the target's host"))?;
        *two.version_mut() = Version::HTTP_2;
        *two.headers_mut() = headers.clone();
        without_hop_by_hop(two.headers_mut());
        set_length(&mut two, body.len());
        Ok(Self { one, two, body: body.clone() })
    }
}

fn without_hop_by_hop(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// States the length of the body. HTTP/2 does not do so itself, and hyper leaves out a length of 0,
/// without which many servers answer 411.
fn set_length<B>(request: &mut Request<B>, length: usize) {
    if length > 0 || has_body(request.method()) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    } else {
        request.headers_mut().remove(CONTENT_LENGTH);
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
        assert_eq!(message.two().uri(), "https://example.org:8443/a?b=1");
        assert!(message.two().headers().get(HOST).is_none());
        assert_eq!(message.one().uri(), "/a?b=1");
        assert_eq!(message.one().headers()[HOST], "example.org:8443");
    }

    #[test]
    fn http_2_sends_no_connection_headers() {
        let headers = [("proxy-connection", "keep-alive"), ("x-kept", "1"), ("te", "gzip")];
        let message = message(Method::GET, "http://example.org/", &headers, "");
        assert_eq!(message.two().headers().len(), 1);
        assert_eq!(message.two().headers()["x-kept"], "1");
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
            for headers in [message.one().headers(), message.two().headers()] {
                let found = headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap());
                assert_eq!(found, length, "{method} {body:?}");
            }
        }
    }

    #[test]
    fn an_arrival_changes_path_headers_and_body_of_a_copy() {
        let prepared =
            message(Method::POST, "https://a.test/x?y", &[("x-id", "0"), ("x-no", "1")], "ab");
        let changed = prepared.with(MessageChanges {
            target: Some(PathAndQuery::from_static("/z?7")),
            headers: vec![
                (HeaderName::from_static("x-id"), Some(HeaderValue::from_static("7"))),
                (HeaderName::from_static("x-no"), None),
            ],
            body: Some(Bytes::from_static(b"longer")),
        });
        let (one, two) = (changed.one(), changed.two());
        assert_eq!(
            (one.uri().to_string(), two.uri().to_string()),
            ("/z?7".into(), "https://a.test/z?7".into())
        );
        assert_eq!(
            (&one.headers()["x-id"], one.headers().get("x-no")),
            (&HeaderValue::from_static("7"), None)
        );
        assert_eq!(one.headers()[HOST], "a.test");
        assert_eq!(
            (&two.headers()[CONTENT_LENGTH], two.headers().len()),
            (&HeaderValue::from(6), 2)
        );
        assert_eq!((changed.body().len(), prepared.body().len()), (6, 2));
        assert_eq!(prepared.one().uri(), "/x?y");
    }
}
