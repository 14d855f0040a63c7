//! Decides what follows a redirect: the next request, or the reason why there is none.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use url::Url;

use crate::engine::connection::http::RequestParts;
use crate::expect::UnmetExpectation;
use crate::plan::ScenarioPlan;
use crate::record::Failure;
use crate::recorder::ExchangeFailure;

/// Headers that describe a body; a request without a body drops them.
const OF_A_BODY: [HeaderName; 4] =
    [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION];

/// The hosts that redirects may lead to.
#[derive(Debug, Clone)]
pub(in crate::engine) enum RedirectRules {
    /// Only these hosts, in lower case.
    To(Vec<String>),
    /// Any host.
    Anywhere,
}

impl RedirectRules {
    /// The hosts named by the scenario's steps or by `allow_hosts`.
    pub(super) fn of(plan: &ScenarioPlan) -> Self {
        let named = plan.named_hosts();
        let home = plan.target.base_url.host_str().into_iter();
        let allowed = plan.target.allowed_hosts.iter().map(String::as_str);
        let mut hosts: Vec<_> =
            home.chain(named).chain(allowed).map(str::to_ascii_lowercase).collect();
        hosts.sort_unstable();
        hosts.dedup();
        Self::To(hosts)
    }

    fn allow(&self, url: &Url) -> bool {
        let Self::To(hosts) = self else { return true };
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        hosts.iter().any(|allowed| allowed == host || allowed == bare)
    }
}

/// What follows an answer.
#[derive(Debug)]
pub(in crate::engine) enum RedirectDecision {
    /// The answer is final and is judged.
    Final,
    /// This request is sent next.
    Follow(Box<RequestParts>),
    /// The prober does not follow the redirect.
    Refused(ExchangeFailure),
}

/// Decides what follows the answer to `request`, after `followed` of at most `limit` redirects.
///
/// A redirect whose `Location` is missing or unreadable is final.
pub(in crate::engine) fn next_request(
    request: &RequestParts,
    status: StatusCode,
    answer: &HeaderMap,
    rules: &RedirectRules,
    (followed, limit): (u32, u32),
) -> RedirectDecision {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return RedirectDecision::Final;
    }
    let Some(to) = location(&request.url, answer) else { return RedirectDecision::Final };
    let refused = |expected: String, why: &str| {
        let seen = format!("{} redirect to {}{why}", status.as_u16(), shown(&to));
        let failed = ExchangeFailure::new(Failure::Redirected, seen);
        RedirectDecision::Refused(ExchangeFailure { expected, ..failed })
    };
    if followed >= limit {
        return refused(format!("redirects = {limit}"), "");
    }
    if !matches!(to.scheme(), "http" | "https") || to.host().is_none() {
        return refused(String::new(), ", neither http nor https");
    }
    if !rules.allow(&to) {
        return refused(String::new(), ", a host that `allow_hosts` does not name");
    }
    let next = follow(request, status, to.clone());
    // A body may hold a secret, and its bytes do not show their source.
    if !next.body.is_empty() && to.origin() != request.url.origin() {
        return refused(String::new(), ", another origin, which does not get the body");
    }
    RedirectDecision::Follow(Box::new(next))
}

/// The redirect's URL without the parts that are never sent: user name, password and fragment.
fn location(from: &Url, answer: &HeaderMap) -> Option<Url> {
    let written = std::str::from_utf8(answer.get(LOCATION)?.as_bytes()).ok()?;
    let mut to = from.join(written.trim()).ok()?;
    to.set_fragment(None);
    if to.has_host() {
        to.set_username("").ok()?;
        to.set_password(None).ok()?;
    }
    Some(to)
}

/// The next request. Sensitive headers, such as credentials, stay with their origin.
fn follow(request: &RequestParts, status: StatusCode, to: Url) -> RequestParts {
    let becomes_get = match status.as_u16() {
        301 | 302 => request.method == Method::POST,
        303 => request.method != Method::HEAD && request.method != Method::GET,
        _ => false,
    };
    let mut headers = request.headers.clone();
    if to.origin() != request.url.origin() {
        headers = headers
            .iter()
            .filter(|(_, value)| !value.is_sensitive())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
    }
    let (method, body) = if becomes_get {
        for name in &OF_A_BODY {
            headers.remove(name);
        }
        (Method::GET, Bytes::new())
    } else {
        (request.method.clone(), request.body.clone())
    };
    RequestParts { method, url: to, headers, body }
}

/// A URL as a message shows it, without the query, which may hold a secret.
fn shown(url: &Url) -> String {
    let Some(host) = url.host_str() else { return format!("a URL of `{}`", url.scheme()) };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let place = format!("{}://{host}{port}{}", url.scheme(), url.path());
    place.chars().take(UnmetExpectation::SEEN_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn request_with(method: Method) -> RequestParts {
        let mut headers = HeaderMap::new();
        headers.insert("x-plain", HeaderValue::from_static("1"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut secret = HeaderValue::from_static("hidden");
        secret.set_sensitive(true);
        headers.insert("x-secret", secret);
        let url = Url::parse("https://example.org/app/start?token=1").unwrap();
        let body = if method == Method::GET { Bytes::new() } else { Bytes::from_static(b"{}") };
        RequestParts { method, url, headers, body }
    }

    fn after(
        method: Method,
        status: u16,
        location: Option<&[u8]>,
        (followed, limit): (u32, u32),
    ) -> RedirectDecision {
        let mut answer = HeaderMap::new();
        if let Some(location) = location {
            answer.insert(LOCATION, HeaderValue::from_bytes(location).unwrap());
        }
        let rules = RedirectRules::To(vec![
            "example.org".to_owned(),
            "login.test".to_owned(),
            "::1".to_owned(),
        ]);
        let status = StatusCode::from_u16(status).unwrap();
        next_request(&request_with(method), status, &answer, &rules, (followed, limit))
    }

    fn followed(method: Method, status: u16, location: &str) -> RequestParts {
        match after(method, status, Some(location.as_bytes()), (0, 3)) {
            RedirectDecision::Follow(request) => *request,
            other => panic!("{other:?}"),
        }
    }

    fn refused(location: &str, counts: (u32, u32)) -> ExchangeFailure {
        match after(Method::GET, 302, Some(location.as_bytes()), counts) {
            RedirectDecision::Refused(failed) => failed,
            other => panic!("{other:?}"),
        }
    }

    fn names(request: &RequestParts) -> Vec<&str> {
        let mut names: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn each_status_keeps_or_changes_the_method_and_body_as_browsers_do() {
        for (status, method, becomes) in [
            (301, Method::POST, Method::GET),
            (302, Method::POST, Method::GET),
            (303, Method::POST, Method::GET),
            (307, Method::POST, Method::POST),
            (308, Method::POST, Method::POST),
            (301, Method::PUT, Method::PUT),
            (302, Method::DELETE, Method::DELETE),
            (303, Method::PUT, Method::GET),
            (303, Method::HEAD, Method::HEAD),
            (302, Method::HEAD, Method::HEAD),
            (308, Method::GET, Method::GET),
        ] {
            let next = followed(method.clone(), status, "/next");
            assert_eq!(next.method, becomes, "{method} {status}");
            let changed = method != becomes;
            assert_eq!(next.body.is_empty(), changed || method == Method::GET, "{method} {status}");
            assert_eq!(next.headers.contains_key(CONTENT_TYPE), !changed, "{method} {status}");
        }
    }

    #[test]
    fn a_location_is_relative_to_the_requested_url() {
        for (location, leads_to) in [
            ("next", "https://example.org/app/next"),
            ("/next?a=b", "https://example.org/next?a=b"),
            ("?c", "https://example.org/app/start?c"),
            ("//login.test/in", "https://login.test/in"),
            (" https://LOGIN.test:8443/in ", "https://login.test:8443/in"),
            ("http://user:password@login.test/in#top", "http://login.test/in"),
            ("http://[::1]:8080/", "http://[::1]:8080/"),
            ("/ä", "https://example.org/%C3%A4"),
        ] {
            assert_eq!(followed(Method::GET, 302, location).url.as_str(), leads_to, "{location}");
        }
    }

    #[test]
    fn only_the_same_origin_receives_credentials() {
        let same = ["content-type", "x-plain", "x-secret"];
        assert_eq!(names(&followed(Method::GET, 302, "/next")), same);
        let other = ["content-type", "x-plain"];
        for location in ["https://login.test/", "http://example.org/", "https://example.org:8443/"]
        {
            assert_eq!(names(&followed(Method::GET, 302, location)), other, "{location}");
        }
    }

    #[test]
    fn a_body_is_sent_only_to_its_own_origin() {
        for location in ["https://login.test/", "http://example.org/", "https://example.org:8443/"]
        {
            let next = after(Method::POST, 307, Some(location.as_bytes()), (0, 3));
            assert!(matches!(next, RedirectDecision::Refused(_)), "{location}: {next:?}");
            assert!(followed(Method::POST, 302, location).body.is_empty());
        }
    }

    #[test]
    fn an_answer_without_a_usable_redirect_is_final() {
        for (status, location) in [
            (200, Some(b"/next".as_slice())),
            (304, Some(b"/next")),
            (300, Some(b"/next")),
            (302, None),
            (302, Some(b"http://")),
            (302, Some(b"https://exa mple.org/")),
            (302, Some(b"/\xff")),
        ] {
            let next = after(Method::GET, status, location, (0, 3));
            assert!(matches!(next, RedirectDecision::Final), "{status} {location:?}: {next:?}");
        }
    }

    #[test]
    fn beyond_the_limit_the_exchange_fails_and_names_the_next_url() {
        let failed = refused("/next?token=2", (3, 3));
        assert_eq!(failed.failure, Failure::Redirected);
        assert_eq!(failed.expected, "redirects = 3");
        assert_eq!(failed.seen, "302 redirect to https://example.org/next");
    }

    #[test]
    fn hosts_that_are_not_allowed_and_other_schemes_are_refused_without_their_query() {
        for (location, seen) in [
            (
                "https://evil.test/in?token=2",
                "302 redirect to https://evil.test/in, a host that `allow_hosts` does not name",
            ),
            (
                "https://example.org.evil.test/",
                "302 redirect to https://example.org.evil.test/, a host that `allow_hosts` does not name",
            ),
            ("ftp://example.org/a", "302 redirect to ftp://example.org/a, neither http nor https"),
            (
                "javascript:alert(1)",
                "302 redirect to a URL of `javascript`, neither http nor https",
            ),
            ("data:text/html,x", "302 redirect to a URL of `data`, neither http nor https"),
        ] {
            let failed = refused(location, (0, 3));
            assert_eq!((failed.failure, failed.seen.as_str()), (Failure::Redirected, seen));
        }
    }
}
