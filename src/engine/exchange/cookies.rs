//! The cookies of one arrival, by the rules of RFC 6265, which the crate `cookie_store` implements.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use cookie_store::{Cookie, CookieStore};
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use url::Url;

use crate::plan::SecretSet;

/// The cookies that answers have set, and which of them a request sends.
///
/// A jar that starts from another one shares its cookies until an answer changes them.
#[derive(Clone, Default)]
pub(in crate::engine) struct CookieJar {
    store: Arc<CookieStore>,
    /// The values that answers set since the jar started. They must not be shown.
    received: Vec<String>,
}

impl CookieJar {
    /// Maximum size of a `Set-Cookie` line that is kept, in bytes (RFC 6265, section 6.1).
    const LARGEST: usize = 4_096;
    /// Maximum number of cookies in a jar: a hostile target must not exhaust memory.
    const MOST: usize = 300;
    /// Maximum number of values to redact. It leaves room for values that no cookie holds.
    const MOST_VALUES: usize = 2 * Self::MOST;

    /// A jar with the same cookies, to which no answer has added one yet.
    pub(super) fn to_start(&self) -> Self {
        Self { store: Arc::clone(&self.store), received: Vec::new() }
    }

    /// Keeps the cookies that the answer from `url` sets and removes those that it lets expire.
    /// Returns whether it sets any.
    ///
    /// Like a browser, ignores cookies that are malformed, too large, or not for the answer's host.
    pub(super) fn receive(&mut self, answer: &HeaderMap, url: &Url) -> bool {
        let lines = answer.get_all(SET_COOKIE).iter();
        let lines = lines.filter(|line| line.len() <= Self::LARGEST);
        let lines: Vec<_> =
            lines.filter_map(|line| std::str::from_utf8(line.as_bytes()).ok()).collect();
        for line in &lines {
            if let Ok(cookie) = Cookie::parse((*line).to_owned(), url)
                && self.has_room_for(&cookie)
            {
                // The crate refuses a cookie of another domain; so does a browser.
                let _ignored = Arc::make_mut(&mut self.store).insert(cookie, url);
            }
            self.note_value(line);
        }
        !lines.is_empty()
    }

    /// Whether a cookie may be kept. In a full jar, one that is there can still change or expire.
    fn has_room_for(&self, cookie: &Cookie<'_>) -> bool {
        let is_same = |held: &Cookie<'_>| {
            (held.name(), &held.path, &held.domain) == (cookie.name(), &cookie.path, &cookie.domain)
        };
        self.store.iter_any().count() < Self::MOST
            || cookie.is_expired()
            || self.store.iter_any().any(is_same)
    }

    /// The value of the header `Cookie` of a request to `url`; `None` if no cookie is for it.
    ///
    /// Longer paths come first (RFC 6265, section 5.4); the rest is in the order of the names.
    pub(super) fn header_for(&self, url: &Url) -> Option<HeaderValue> {
        let mut cookies = self.store.matches(url);
        cookies.sort_by(|a, b| b.path.len().cmp(&a.path.len()).then(a.name().cmp(b.name())));
        let pairs: Vec<String> =
            cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
        let mut value = HeaderValue::from_bytes(pairs.join("; ").as_bytes()).ok()?;
        // Also keeps the header from following a redirect to another origin.
        value.set_sensitive(true);
        (!pairs.is_empty()).then_some(value)
    }

    /// The values that answers set since the jar started.
    pub(super) fn received(&self) -> impl Iterator<Item = &str> {
        self.received.iter().map(String::as_str)
    }

    /// Notes the value in a `Set-Cookie` line, so that it is redacted: a failure may quote it even
    /// if the cookie was not kept. Values such as `en` are never redacted.
    fn note_value(&mut self, line: &str) {
        let pair = line.split(';').next().unwrap_or_default();
        let value = pair.split_once('=').map_or(pair, |(_, value)| value).trim().trim_matches('"');
        if SecretSet::is_weak(value) || self.received.iter().any(|known| known == value) {
            return;
        }
        if self.received.len() >= Self::MOST_VALUES {
            // Values that no cookie holds any longer make room.
            let held = self.store.iter_any().map(|cookie| cookie.value().trim_matches('"'));
            let held: HashSet<&str> = held.collect();
            self.received.retain(|value| held.contains(value.as_str()));
        }
        self.received.push(value.to_owned());
    }
}

/// Leaves out the cookies, which are secret.
impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// A jar after an answer from `from` with these `Set-Cookie` lines.
    fn after(from: &str, lines: &[&str]) -> CookieJar {
        let mut jar = CookieJar::default();
        jar.receive(&answer(lines), &url(from));
        jar
    }

    fn answer(lines: &[&str]) -> HeaderMap {
        let line = |line: &&str| (SET_COOKIE, HeaderValue::from_str(line).unwrap());
        lines.iter().map(line).collect()
    }

    fn sent(jar: &CookieJar, to: &str) -> String {
        let header = jar.header_for(&url(to));
        header
            .map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap())
            .unwrap_or_default()
    }

    #[test]
    fn cookies_go_where_their_host_path_and_scheme_allow() {
        let jar = after(
            "https://shop.example.org/app/login",
            &[
                "own=1",
                "all=2; Domain=example.org; Path=/",
                "app=3; Path=/app",
                "safe=4; Secure; Path=/",
                "foreign=5; Domain=other.org",
            ],
        );
        for (to, cookies) in [
            ("https://shop.example.org/app/x", "app=3; own=1; all=2; safe=4"),
            ("https://shop.example.org/", "all=2; safe=4"),
            ("http://shop.example.org/", "all=2"),
            ("https://api.example.org/app/x", "all=2"),
            ("https://other.org/", ""),
            ("https://notexample.org/", ""),
        ] {
            assert_eq!(sent(&jar, to), cookies, "{to}");
        }
    }

    #[test]
    fn a_cookie_is_replaced_or_removed_by_a_later_answer() {
        let mut jar = after("https://h.test/", &["session=old", "theme=dark; Max-Age=3600"]);
        jar.receive(&answer(&["session=new", "theme=; Max-Age=0"]), &url("https://h.test/"));
        assert_eq!(sent(&jar, "https://h.test/"), "session=new");
        jar.receive(
            &answer(&["session=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]),
            &url("https://h.test/"),
        );
        assert_eq!(sent(&jar, "https://h.test/"), "");
    }

    #[test]
    fn a_jar_that_starts_from_another_leaves_it_as_it_is() {
        let first = after("https://h.test/", &["session=shared"]);
        let mut own = first.to_start();
        assert_eq!(sent(&own, "https://h.test/"), "session=shared");
        assert!(own.receive(&answer(&["session=own-value", "lang=en"]), &url("https://h.test/")));
        assert_eq!(sent(&own, "https://h.test/"), "lang=en; session=own-value");
        assert_eq!(sent(&first, "https://h.test/"), "session=shared");
        assert_eq!(own.received().collect::<Vec<_>>(), ["own-value"]);
    }

    #[test]
    fn secure_cookies_reach_this_machine_without_tls_as_in_browsers() {
        let jar = after("http://127.0.0.1:8080/", &["session=1; Secure; HttpOnly"]);
        assert_eq!(sent(&jar, "http://127.0.0.1:8080/a"), "session=1");
    }

    #[test]
    fn no_answer_makes_the_jar_panic_or_grow_without_end() {
        let mut jar = CookieJar::default();
        let large = format!("large={}", "x".repeat(5_000));
        let odd = [
            "",
            "=",
            ";",
            "a",
            "=b",
            "a=b; Max-Age=99999999999999999999",
            "b=c; Max-Age=-5",
            "c=d; Expires=never",
            "d=e; Domain=",
            "e=f; Domain=.",
            "f=\u{e9}",
            "g=h; Path=",
            "h=\"q\"",
            &large,
        ];
        let lines: HeaderMap = odd
            .iter()
            .map(|line| (SET_COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap()))
            .chain([(SET_COOKIE, HeaderValue::from_bytes(b"i=\xff").unwrap())])
            .collect();
        for to in ["https://h.test/", "http://[::1]/", "http://192.0.2.1/x"] {
            jar.receive(&lines, &url(to));
            assert!(jar.header_for(&url(to)).is_some());
        }
        for n in 0..1_000 {
            jar.receive(&answer(&[&format!("n{n}={n}")]), &url("https://h.test/"));
        }
        assert!(jar.store.iter_any().count() <= CookieJar::MOST);
        assert!(jar.received().count() <= CookieJar::MOST_VALUES);
        assert!(!sent(&jar, "https://h.test/").contains("large"));
    }

    #[test]
    fn a_full_jar_refuses_new_cookies_and_updates_those_that_it_has() {
        let (mut jar, url) = (CookieJar::default(), url("https://h.test/"));
        for n in 0..CookieJar::MOST {
            jar.receive(&answer(&[&format!("n{n}=first-{n}-value")]), &url);
        }
        jar.receive(&answer(&["n7=second-7-value", "new=refused-value"]), &url);
        let sent = sent(&jar, url.as_str());
        assert!(sent.contains("n7=second-7-value") && !sent.contains("new="), "{sent}");
        for value in ["second-7-value", "refused-value"] {
            assert!(jar.received().any(|received| received == value), "{value}");
        }
        assert!(jar.received().count() <= CookieJar::MOST_VALUES);
    }

    #[test]
    fn a_quoted_value_that_the_jar_sends_stays_among_those_to_redact() {
        let (mut jar, url) = (CookieJar::default(), url("https://h.test/"));
        jar.receive(&answer(&[r#"held="quoted-value""#]), &url);
        for n in 0..2 * CookieJar::MOST_VALUES {
            jar.receive(&answer(&[&format!("other=value-number-{n}")]), &url);
        }
        assert!(sent(&jar, url.as_str()).contains("quoted-value"));
        assert!(jar.received().any(|value| value == "quoted-value"));
    }

    #[test]
    fn a_jar_shows_no_cookies() {
        assert_eq!(format!("{:?}", after("https://h.test/", &["a=canary"])), "CookieJar { .. }");
    }
}
