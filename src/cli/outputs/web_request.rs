//! Sends a finished run to a web service, over verified TLS.

use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use super::super::exit::CommandError;
use super::super::log;
use crate::engine::clock::{self, Instant};
use crate::engine::probe::{self, FetchRequest};
use crate::library_text::describe_url;
use crate::record::Failure;
use crate::units::ByteSize;

/// How long a verdict waits for a web service.
const PATIENCE: Duration = Duration::from_secs(10);

/// Maximum size of an answer. A page of 100 long comments has about 7 MB.
const MAX_ANSWER: ByteSize = ByteSize(16 << 20);

/// A web service, and until when it may keep a verdict waiting.
pub(super) struct WebService<'a> {
    headers: &'a HeaderMap,
    deadline: Instant,
}

/// An answer of a web service.
pub(super) struct WebAnswer {
    pub(super) status: StatusCode,
    /// The body of a 2xx answer.
    pub(super) body: Vec<u8>,
}

impl<'a> WebService<'a> {
    /// All requests together may take 10 s from now on.
    pub(super) fn new(headers: &'a HeaderMap) -> Self {
        Self { headers, deadline: clock::now() + PATIENCE }
    }

    /// Sends a request. The error says in a clause why there is no whole answer.
    pub(super) fn send(&self, method: Method, url: &Url, body: Bytes) -> Result<WebAnswer, String> {
        let left = self.deadline.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Err(too_late());
        }
        let mut headers = self.headers.clone();
        let agent = concat!("tollgate/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let is_read = method == Method::GET;
        let request = FetchRequest {
            method,
            body,
            reads_page: true,
            max_page: MAX_ANSWER,
            page_patience: left,
            timeout: Some(left),
            ..FetchRequest::get(url.clone(), headers)
        };
        let outcome = probe::fetch(&request).map_err(|error| log::redact(&error.to_string()))?;
        // After these, a POST without its body would have been sent as a GET.
        let lost = |status: StatusCode| matches!(status.as_u16(), 301..=303);
        if !is_read && outcome.redirects.iter().any(|redirect| lost(redirect.status)) {
            let host = outcome.url.host_str().unwrap_or_default();
            return Err(format!("it redirects to {host}; name the URL that it redirects to"));
        }
        let page = outcome.response.map_err(|failed| {
            if failed.failure == Failure::TimedOut {
                return too_late();
            }
            let seen = if failed.seen.is_empty() { "" } else { ": " };
            let what = failed.failure.description();
            log::redact(&format!("{what}{seen}{}", failed.seen))
        })?;
        if page.status.is_success() && !page.is_whole {
            return Err("its answer did not arrive whole".to_owned());
        }
        Ok(WebAnswer { status: page.status, body: page.body })
    }
}

fn too_late() -> String {
    format!("it took longer than {} s", PATIENCE.as_secs())
}

/// Parses the URL of a web service, which may hold no user name or password: other users of this
/// machine can see a flag. `source` is the flag or variable.
pub(super) fn parse_service_url(source: &str, text: &str) -> Result<Url, CommandError> {
    let wrong = |why: &str| {
        CommandError::usage(format!(
            "error: {source} {why}; write `https://host.example/path`, or `http://127.0.0.1:4318` for this machine"
        ))
    };
    let url = Url::parse(text)
        .map_err(|error| wrong(&format!("is not a URL: {}", describe_url(error))))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("contains a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment"));
    }
    Ok(url)
}

/// A URL with further segments of its path.
pub(super) fn below(url: &Url, segments: &[&str]) -> Url {
    let mut below = url.clone();
    if let Ok(mut path) = below.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    below
}

/// A header with a secret value: it stays with the origin it was meant for.
pub(super) fn secret_header(
    source: &str,
    name: HeaderName,
    value: &str,
) -> Result<(HeaderName, HeaderValue), CommandError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        CommandError::usage(format!(
            "error: {source} contains a character that no header may contain; set it again"
        ))
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_plain_http_url_and_an_error_does_not_quote_it() {
        assert!(parse_service_url("--otlp", "http://localhost:4318").is_ok());
        for text in [
            "localhost:4318",
            "ftp://h/",
            "https://u:Zebra@h/",
            "https://h/?key=Zebra",
            "https://h/#Zebra",
            "",
        ] {
            let error = parse_service_url("--otlp", text).unwrap_err().to_string();
            assert!(error.starts_with("error: --otlp ") && !error.contains("Zebra"), "{error}");
        }
    }

    #[test]
    fn segments_are_added_to_a_path_with_or_without_its_last_slash() {
        for base in ["https://h/api", "https://h/api/"] {
            let url = below(&Url::parse(base).unwrap(), &["v1", "a b"]);
            assert_eq!(url.as_str(), "https://h/api/v1/a%20b");
        }
    }
}
