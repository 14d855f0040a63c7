use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const PAGE: &str = "https://example.org/app?mock=1";

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn expecting(check: Check) -> Expectations {
    Expectations::new(vec![Expectation { written: "as written".to_owned(), check }], ByteSize(1024))
}

fn judged(
    expectations: &Expectations,
    status: u16,
    headers: &[(HeaderName, &str)],
    body: &str,
) -> Result<(), Unmet> {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect();
    let status = StatusCode::from_u16(status).unwrap();
    expectations.judge(&Answer { status, url: &url(PAGE), headers: &headers, body: body.as_bytes() })
}

fn seen(check: Check, status: u16, headers: &[(HeaderName, &str)], body: &str) -> Option<(Failure, String)> {
    judged(&expecting(check), status, headers, body).err().map(|unmet| (unmet.failure, unmet.seen))
}

fn status(code: u16) -> Check {
    Check::Status(vec![StatusCode::from_u16(code).unwrap()])
}

#[test]
fn any_2xx_will_do_unless_a_status_is_written() {
    let default = Expectations::default();
    for code in [200, 204, 299] {
        assert_eq!(judged(&default, code, &[], ""), Ok(()));
    }
    for code in [199, 301, 404, 503] {
        assert!(judged(&default, code, &[], "").is_err(), "{code}");
    }
    assert_eq!(default.lines(), ["status = 2xx"]);
    assert!(!default.needs_body());
}

#[test]
fn an_unexpected_status_is_named() {
    assert_eq!(seen(status(200), 410, &[], ""), Some((Failure::Status, "410 Gone".to_owned())));
    assert_eq!(seen(status(200), 599, &[], ""), Some((Failure::Status, "599".to_owned())));
    assert_eq!(seen(status(404), 404, &[], ""), None);
    assert_eq!(seen(status(200), 304, &[], ""), Some((Failure::Status, "304 Not Modified".to_owned())));
}

#[test]
fn a_redirect_says_where_to_without_its_query() {
    for (location, to) in [
        ("/auth/login?token=secret", "/auth/login"),
        ("login#part", "/login"),
        ("https://example.org/auth", "/auth"),
        ("http://example.org/auth", "http://example.org/auth"),
        ("//other.org/x?y", "https://other.org/x"),
        ("https://user:secret@other.org:8443/x", "https://other.org:8443/x"),
    ] {
        let (failure, seen) = seen(status(200), 302, &[(LOCATION, location)], "").unwrap();
        assert_eq!(failure, Failure::Redirected);
        assert_eq!(seen, format!("302 redirect to {to}"));
    }
    assert_eq!(seen(status(302), 302, &[(LOCATION, "/auth")], ""), None);
}

#[test]
fn the_status_is_judged_before_the_rest() {
    let checks = [Check::lacks("x"), Check::FinalUrl(url("https://example.org/")), status(200)];
    let all = checks.map(|check| Expectation { written: String::new(), check });
    let expectations = Expectations::new(all.to_vec(), ByteSize(1));
    assert_eq!(judged(&expectations, 500, &[], "x").unwrap_err().failure, Failure::Status);
    assert_eq!(judged(&expectations, 200, &[], "x").unwrap_err().seen, "/app");
}

#[test]
fn the_url_must_be_the_whole_one_but_its_query_is_not_shown() {
    assert_eq!(seen(Check::FinalUrl(url(PAGE)), 200, &[], ""), None);
    for (expected, shown) in [
        ("https://example.org/app?mock=0", "/app with another query"),
        ("https://example.org/", "/app"),
        ("https://other.org/app?mock=1", "https://example.org/app"),
    ] {
        let unmet = (Failure::Unexpected, shown.to_owned());
        assert_eq!(seen(Check::FinalUrl(url(expected)), 200, &[], ""), Some(unmet));
    }
}

#[test]
fn a_header_is_compared_exactly_and_credentials_are_not_shown() {
    let html = || Check::Header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let unexpected = |seen: &str| Some((Failure::Unexpected, seen.to_owned()));
    assert_eq!(seen(html(), 200, &[(CONTENT_TYPE, "text/html; charset=utf-8")], ""), None);
    assert_eq!(seen(html(), 200, &[(CONTENT_TYPE, "text/html")], ""), unexpected("`text/html`"));
    assert_eq!(seen(html(), 200, &[], ""), unexpected("no such header"));
    let cookie = Check::Header(SET_COOKIE, HeaderValue::from_static("a=1"));
    assert_eq!(seen(cookie.clone(), 200, &[(SET_COOKIE, "b=2"), (SET_COOKIE, "a=1")], ""), None);
    assert_eq!(seen(cookie, 200, &[(SET_COOKIE, "a=2")], ""), unexpected("another value"));
}

#[test]
fn markers_are_looked_for_and_the_body_is_never_shown() {
    let body = "x".repeat(2_345);
    let unexpected = |seen: &str| Some((Failure::Unexpected, seen.to_owned()));
    assert_eq!(seen(Check::contains("xx"), 200, &[], &body), None);
    assert_eq!(seen(Check::contains("y"), 200, &[], &body), unexpected("not in the 2,345 bytes of the body"));
    assert_eq!(seen(Check::lacks("y"), 200, &[], &body), None);
    assert_eq!(seen(Check::lacks("x"), 200, &[], "x"), unexpected("in the 1 byte of the body"));
    assert!(expecting(Check::contains("x")).needs_body());
}

#[test]
fn json_is_compared_by_value_and_only_short_scalars_are_shown() {
    let body = json!({
        "status": "failing", "depth": 1.0, "list": [1, {"a": null}], "long": "s".repeat(61),
    })
    .to_string();
    let at = |pointer: &str, value: Value| {
        seen(Check::Json(JsonExpectation { pointer: pointer.to_owned(), value }), 200, &[], &body)
            .map(|(_, seen)| seen)
    };
    for (pointer, value) in
        [("/depth", json!(1)), ("/list", json!([1.0, {"a": null}])), ("/list/0", json!(1))]
    {
        assert_eq!(at(pointer, value), None, "{pointer}");
    }
    for (pointer, shown) in [
        ("/status", "\"failing\""),
        ("/none", "nothing at `/none`"),
        ("/list", "an array"),
        ("", "an object"),
        ("/long", "another, longer value"),
    ] {
        assert_eq!(at(pointer, json!("ok")).as_deref(), Some(shown));
    }
    let check = Check::Json(JsonExpectation { pointer: String::new(), value: json!(1) });
    assert_eq!(seen(check, 200, &[], "<html>").unwrap().1, "6 bytes that are not JSON");
}

#[test]
fn a_body_beyond_the_limit_is_an_expectation_not_met() {
    let unmet = expecting(status(200)).too_large();
    assert_eq!(
        (unmet.expected.as_str(), unmet.seen.as_str()),
        ("max_body = \"1 KiB\"", "a body of more than 1 KiB")
    );
    assert_eq!(Expectations::default().max_body(), ByteSize(4 << 20));
}

#[test]
fn debug_shows_what_is_written_and_no_value() {
    let shown = format!("{:?}", expecting(Check::contains("secret")));
    assert_eq!(shown, "Expectations([\"status = 2xx\", \"as written\"])");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_makes_the_judge_panic_or_say_more_than_fits(
        code in 100_u16..1000,
        location in "[\\x20-\\x7e]{0,300}",
        body in "\\PC{0,50}",
    ) {
        for check in [status(200), Check::contains("a"), Check::Header(LOCATION, HeaderValue::from_static("/"))] {
            if let Err(unmet) = judged(&expecting(check), code, &[(LOCATION, &location)], &body) {
                prop_assert!(unmet.seen.chars().count() <= Unmet::SEEN_LIMIT);
                prop_assert!(!unmet.seen.contains('?') || !location.contains('?'));
            }
        }
    }
}
