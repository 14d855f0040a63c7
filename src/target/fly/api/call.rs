//! Calls of the Machines API: method, path and query taken apart.

use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

/// Header that names a lease.
const NONCE: &str = "fly-machine-lease-nonce";

/// A request to the Machines API.
#[derive(Debug, Clone)]
pub(in super::super) struct ApiCall {
    pub(super) method: Method,
    /// The path's segments after `/v1`, decoded.
    pub(super) path: Vec<String>,
    query: Vec<(String, String)>,
    authorization: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) body: Vec<u8>,
}

impl ApiCall {
    /// Takes a request apart.
    pub(in super::super) fn new(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> Self {
        let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let path = uri.path().strip_prefix("/v1").unwrap_or(uri.path()).split('/');
        Self {
            method: method.clone(),
            path: path.filter(|segment| !segment.is_empty()).map(decoded).collect(),
            query: query_pairs(uri.query().unwrap_or("")),
            authorization: header("authorization"),
            nonce: header(NONCE).filter(|nonce| !nonce.is_empty()),
            body,
        }
    }

    pub(in super::super) fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// The query's pairs, decoded.
    pub(in super::super) fn query(&self) -> &[(String, String)] {
        &self.query
    }

    pub(in super::super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The query's values of this name, split at commas.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.query.iter().filter(move |(found, _)| found == name);
        named.flat_map(|(_, value)| value.split(',')).filter(|value| !value.is_empty())
    }

    /// The query's first value of this name.
    pub(super) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }
}

/// The pairs of a query or a form.
pub(in super::super) fn query_pairs(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// Reads a time as the API's queries have it: seconds (`60`), or with a unit (`60s`, `1m`).
pub(in super::super) fn read_seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    seconds.or_else(|| crate::units::parse_duration(text).ok())
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
