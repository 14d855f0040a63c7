use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::record::{Failure, JsonType};
use crate::units::ByteSize;

const PAGE: &str = "https://example.org/app?mock=1";

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn expecting(check: ResponseCheck) -> ExpectationSet {
    ExpectationSet::new(
        vec![Expectation { written: "as written".to_owned(), check }],
        ByteSize(1024),
    )
}

fn judged(
    expectations: &ExpectationSet,
    status: u16,
    headers: &[(HeaderName, &str)],
    body: &str,
) -> Result<(), UnmetExpectation> {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let status = StatusCode::from_u16(status).unwrap();
    expectations.judge(&ResponseView {
        status,
        url: &url(PAGE),
        headers: &headers,
        body: body.as_bytes(),
    })
}

fn mismatch(
    check: ResponseCheck,
    status: u16,
    headers: &[(HeaderName, &str)],
    body: &str,
) -> Option<(Failure, String)> {
    judged(&expecting(check), status, headers, body).err().map(|unmet| (unmet.failure, unmet.seen))
}

fn status(code: u16) -> ResponseCheck {
    ResponseCheck::Status(vec![StatusCode::from_u16(code).unwrap()])
}

#[test]
fn any_2xx_is_accepted_unless_a_status_is_written() {
    let default = ExpectationSet::default();
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
    assert_eq!(mismatch(status(200), 410, &[], ""), Some((Failure::Status, "410 Gone".to_owned())));
    assert_eq!(mismatch(status(200), 599, &[], ""), Some((Failure::Status, "599".to_owned())));
    assert_eq!(mismatch(status(404), 404, &[], ""), None);
    assert_eq!(
        mismatch(status(200), 304, &[], ""),
        Some((Failure::Status, "304 Not Modified".to_owned()))
    );
}

#[test]
fn a_redirect_names_its_target_without_the_query() {
    for (location, to) in [
        ("/auth/login?token=secret", "/auth/login"),
        ("login#part", "/login"),
        ("https://example.org/auth", "/auth"),
        ("http://example.org/auth", "http://example.org/auth"),
        ("//other.org/x?y", "https://other.org/x"),
        ("https://user:secret@other.org:8443/x", "https://other.org:8443/x"),
    ] {
        let (failure, mismatch) = mismatch(status(200), 302, &[(LOCATION, location)], "").unwrap();
        assert_eq!(failure, Failure::Redirected);
        assert_eq!(mismatch, format!("302 redirect to {to}"));
    }
    assert_eq!(mismatch(status(302), 302, &[(LOCATION, "/auth")], ""), None);
}

#[test]
fn the_status_is_judged_before_the_rest() {
    let checks = [
        ResponseCheck::lacks("x"),
        ResponseCheck::FinalUrl(url("https://example.org/")),
        status(200),
    ];
    let all = checks.map(|check| Expectation { written: String::new(), check });
    let expectations = ExpectationSet::new(all.to_vec(), ByteSize(1));
    assert_eq!(judged(&expectations, 500, &[], "x").unwrap_err().failure, Failure::Status);
    assert_eq!(judged(&expectations, 200, &[], "x").unwrap_err().seen, "/app");
}

#[test]
fn the_complete_url_must_match_but_its_query_is_not_shown() {
    assert_eq!(mismatch(ResponseCheck::FinalUrl(url(PAGE)), 200, &[], ""), None);
    for (expected, description) in [
        ("https://example.org/app?mock=0", "/app with another query"),
        ("https://example.org/", "/app"),
        ("https://other.org/app?mock=1", "https://example.org/app"),
    ] {
        let unmet = (Failure::Unexpected, description.to_owned());
        assert_eq!(mismatch(ResponseCheck::FinalUrl(url(expected)), 200, &[], ""), Some(unmet));
    }
    let hidden =
        expecting(ResponseCheck::FinalUrl(url("https://example.org/"))).with_sensitivity(true);
    assert_eq!(judged(&hidden, 200, &[], "").unwrap_err().seen, "another URL");
}

#[test]
fn with_any_query_allowed_host_and_path_must_match() {
    for place in [PAGE, "https://example.org/app", "https://example.org/app?x"] {
        assert_eq!(mismatch(ResponseCheck::FinalPlace(url(place)), 200, &[], ""), None);
    }
    for place in ["https://example.org/app/", "https://other.org/app", "http://example.org/app"] {
        assert!(mismatch(ResponseCheck::FinalPlace(url(place)), 200, &[], "").is_some(), "{place}");
    }
}

#[test]
fn a_header_is_compared_exactly_and_credentials_are_not_shown() {
    let html = || {
        ResponseCheck::Header(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
    };
    let unexpected = |mismatch: &str| Some((Failure::Unexpected, mismatch.to_owned()));
    assert_eq!(mismatch(html(), 200, &[(CONTENT_TYPE, "text/html; charset=utf-8")], ""), None);
    assert_eq!(
        mismatch(html(), 200, &[(CONTENT_TYPE, "text/html")], ""),
        unexpected("`text/html`")
    );
    assert_eq!(mismatch(html(), 200, &[], ""), unexpected("no such header"));
    let cookie = ResponseCheck::Header(SET_COOKIE, HeaderValue::from_static("a=1"));
    assert_eq!(
        mismatch(cookie.clone(), 200, &[(SET_COOKIE, "b=2"), (SET_COOKIE, "a=1")], ""),
        None
    );
    assert_eq!(mismatch(cookie, 200, &[(SET_COOKIE, "a=2")], ""), unexpected("another value"));
}

#[test]
fn markers_are_searched_for_and_the_body_is_never_shown() {
    let body = "x".repeat(2_345);
    let unexpected = |mismatch: &str| Some((Failure::Unexpected, mismatch.to_owned()));
    assert_eq!(mismatch(ResponseCheck::contains("xx"), 200, &[], &body), None);
    assert_eq!(
        mismatch(ResponseCheck::contains("y"), 200, &[], &body),
        unexpected("not in the 2,345 bytes of the body")
    );
    assert_eq!(mismatch(ResponseCheck::lacks("y"), 200, &[], &body), None);
    assert_eq!(
        mismatch(ResponseCheck::lacks("x"), 200, &[], "x"),
        unexpected("in the 1 byte of the body")
    );
    assert!(expecting(ResponseCheck::contains("x")).needs_body());
}

fn json(pointer: &str, rule: JsonRule) -> ResponseCheck {
    ResponseCheck::Json(JsonExpectation { pointer: pointer.to_owned(), rule })
}

fn pattern(text: &str) -> TextPattern {
    TextPattern::new(text).unwrap()
}

#[test]
fn a_json_value_is_judged_and_only_short_scalars_are_shown() {
    let body = json!({
        "status": "failing", "depth": 1.0, "list": [1, {"a": null}], "long": "s".repeat(61),
    })
    .to_string();
    let at = |pointer: &str, value: Value| {
        mismatch(json(pointer, JsonRule::Is(value)), 200, &[], &body).map(|(_, mismatch)| mismatch)
    };
    assert_eq!(at("/depth", json!(1)), None);
    for (pointer, description) in [
        ("/status", "\"failing\""),
        ("/none", "nothing at /none"),
        ("/list", "an array"),
        ("", "an object"),
        ("/long", "another, longer value"),
    ] {
        assert_eq!(at(pointer, json!("ok")).as_deref(), Some(description));
    }
    let check = json("", JsonRule::Is(json!(1)));
    assert_eq!(
        mismatch(check, 200, &[], "<html>").unwrap().1,
        "6 bytes that are not JSON (see line 1, column 1)"
    );
}

#[test]
fn the_document_of_an_event_stream_is_its_last_events_data() {
    let of = |kind: &str, body: &str| {
        let check = json("/result/ok", JsonRule::Is(json!(true)));
        mismatch(check, 200, &[(CONTENT_TYPE, kind)], body).map(|(_, mismatch)| mismatch)
    };
    let stream =
        "data: {\"result\": null}\n\nevent: message\ndata: {\"result\":\ndata: {\"ok\": true}}\n\n";
    assert_eq!(of("text/event-stream", stream), None);
    assert_eq!(
        of("application/json", stream).unwrap(),
        "77 bytes that are not JSON (see line 1, column 1)"
    );
    assert_eq!(
        of("text/event-stream", "data: no\n\n").unwrap(),
        "2 bytes that are not JSON (see line 1, column 2)"
    );
    assert_eq!(of("text/event-stream", ":\n\n").unwrap(), "3 bytes of events that have no data");
    // Texts are searched for in the whole stream.
    let headers = [(CONTENT_TYPE, "text/event-stream")];
    assert_eq!(mismatch(ResponseCheck::contains("event: message"), 200, &headers, stream), None);
}

#[test]
fn a_2xx_status_instead_of_a_denial_is_an_admission() {
    let denied = || ResponseCheck::Denied;
    for code in [401, 403] {
        assert_eq!(mismatch(denied(), code, &[], ""), None);
    }
    assert_eq!(mismatch(denied(), 200, &[], ""), Some((Failure::Admitted, "200".to_owned())));
    assert_eq!(mismatch(denied(), 204, &[], ""), Some((Failure::Admitted, "204".to_owned())));
    assert_eq!(
        mismatch(denied(), 404, &[], ""),
        Some((Failure::Status, "404 Not Found".to_owned()))
    );
    let redirect = mismatch(denied(), 302, &[(LOCATION, "/auth/login?shop=a")], "");
    assert_eq!(redirect, Some((Failure::Redirected, "302 redirect to /auth/login".to_owned())));
    assert_eq!(expecting(denied()).lines(), ["as written"]);
}

#[test]
fn patterns_are_found_in_headers_and_bodies() {
    let location = || ResponseCheck::HeaderMatches(LOCATION, pattern("^/auth/login"));
    let unexpected = |mismatch: &str| Some((Failure::Unexpected, mismatch.to_owned()));
    let own = |check| Expectation { written: "location".to_owned(), check };
    let expectations = ExpectationSet::new(
        vec![own(ResponseCheck::Status(vec![StatusCode::FOUND])), own(location())],
        ExpectationSet::DEFAULT_MAX_BODY,
    );
    assert_eq!(
        judged(&expectations, 302, &[(LOCATION, "/x"), (LOCATION, "/auth/login?a=b")], ""),
        Ok(())
    );
    let unmet = judged(&expectations, 302, &[(LOCATION, "/home?token=secret")], "").unwrap_err();
    assert_eq!((unmet.expected.as_str(), unmet.seen.as_str()), ("location", "/home"));
    assert_eq!(mismatch(location(), 200, &[], ""), unexpected("no such header"));
    let cookie = ResponseCheck::HeaderMatches(SET_COOKIE, pattern("Secure"));
    assert_eq!(mismatch(cookie, 200, &[(SET_COOKIE, "a=2")], ""), unexpected("another value"));

    let check = || ResponseCheck::BodyMatches(pattern("v[0-9]+"));
    assert!(expecting(check()).needs_body());
    assert_eq!(mismatch(check(), 200, &[], "at v12"), None);
    assert_eq!(
        mismatch(check(), 200, &[], "at v"),
        unexpected("no match in the 4 bytes of the body")
    );
}

fn of_rows(check: ResponseCheck, rows: &[Value]) -> Option<(Failure, String)> {
    let all = vec![Expectation { written: "as written".to_owned(), check }];
    ExpectationSet::of_rows(all).judge_rows(rows).err().map(|unmet| (unmet.failure, unmet.seen))
}

#[test]
fn rows_are_counted_and_judged_as_a_document_and_a_text() {
    let rows =
        [json!({ "samples": "12", "table": "leads" }), json!({ "samples": "4", "table": "notes" })];
    let unexpected = |mismatch: &str| Some((Failure::Unexpected, mismatch.to_owned()));
    assert_eq!(ExpectationSet::of_rows(Vec::new()).judge_rows(&rows), Ok(()));
    assert_eq!(of_rows(ResponseCheck::Rows(2), &rows), None);
    assert_eq!(of_rows(ResponseCheck::Rows(0), &[]), None);
    assert_eq!(
        of_rows(ResponseCheck::Rows(0), &rows),
        unexpected("2 rows: samples=12 table=leads; samples=4 table=notes")
    );
    assert_eq!(of_rows(ResponseCheck::RowsAtLeast(2), &rows), None);
    assert_eq!(of_rows(ResponseCheck::RowsAtLeast(1), &[]), unexpected("no rows"));
    let least = || JsonRule::AtLeast(5.into());
    assert_eq!(of_rows(json("/0/samples", least()), &rows), None);
    assert_eq!(of_rows(json("/1/samples", least()), &rows), unexpected("\"4\""));
    assert_eq!(of_rows(json("/2/samples", least()), &rows), unexpected("nothing at /2/samples"));
    assert_eq!(of_rows(ResponseCheck::contains("\"samples\":\"12\""), &rows), None);
    assert_eq!(
        of_rows(ResponseCheck::lacks("leads"), &rows),
        unexpected("in the 66 bytes of the rows")
    );
}

#[test]
fn a_subject_without_the_judged_part_does_not_meet_the_expectation() {
    let none = "rows, which have no status, URL and headers";
    for check in [status(200), ResponseCheck::FinalUrl(url(PAGE))] {
        assert_eq!(of_rows(check, &[]), Some((Failure::Unexpected, none.to_owned())));
    }
    // The statement had to be denied and was not. Its rows do not matter.
    let let_in = "the statement was executed";
    assert_eq!(of_rows(ResponseCheck::Denied, &[]), Some((Failure::Admitted, let_in.to_owned())));
    for check in [ResponseCheck::Rows(0), ResponseCheck::RowsAtLeast(0)] {
        assert_eq!(
            mismatch(check, 200, &[], "[]").unwrap().1,
            "an answer over HTTP, which has no rows"
        );
    }
}

#[test]
fn a_sensitive_response_shows_only_its_status_and_what_is_missing() {
    let mismatch = |check: ResponseCheck, headers: &[(HeaderName, &str)]| {
        let expectations = expecting(check).with_sensitivity(true);
        judged(&expectations, 200, headers, r#"{"token": "canary"}"#).unwrap_err().seen
    };
    let hidden = "another value (the answer is sensitive, and not shown)";
    assert_eq!(mismatch(json("/token", JsonRule::Is(json!("x"))), &[]), hidden);
    assert_eq!(mismatch(json("/token", JsonRule::IsOf(JsonType::Array)), &[]), "a string");
    assert_eq!(mismatch(json("/id", JsonRule::Is(json!(1))), &[]), "nothing at /id");
    assert_eq!(mismatch(ResponseCheck::contains("x"), &[]), "not in the 19 bytes of the body");
    assert_eq!(mismatch(status(201), &[]), "200 OK");
    let header = ResponseCheck::Header(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    assert_eq!(mismatch(header.clone(), &[(CONTENT_TYPE, "text/plain")]), "another value");
    assert_eq!(mismatch(header, &[]), "no such header");
    let moved =
        judged(&expecting(status(200)).with_sensitivity(true), 302, &[(LOCATION, "/canary")], "");
    assert_eq!(moved.unwrap_err().seen, "302 Found");
    let rows = ExpectationSet::of_rows(vec![Expectation {
        written: String::new(),
        check: ResponseCheck::Rows(0),
    }]);
    let unmet =
        rows.with_sensitivity(true).judge_rows(&[json!({ "token": "canary" })]).unwrap_err();
    assert_eq!(unmet.seen, "1 row");
}

#[test]
fn checks_are_replaced_in_the_order_of_judging() {
    let written = |written: &str, check| Expectation { written: written.to_owned(), check };
    let all = vec![
        written("text", ResponseCheck::contains("placeholder")),
        written("status", status(200)),
    ];
    let expectations = ExpectationSet::new(all, ByteSize(1024));
    assert_eq!(expectations.lines(), ["status", "text"]);
    let at = expectations.position("text").unwrap();
    let filled = expectations
        .with_checks([(at, ResponseCheck::contains("value")), (9, ResponseCheck::Denied)]);
    assert_eq!(judged(&filled, 200, &[], "a value"), Ok(()));
    assert_eq!(judged(&filled, 200, &[], "a placeholder").unwrap_err().expected, "text");
    assert_eq!(judged(&expectations, 200, &[], "a placeholder"), Ok(()));
}

#[test]
fn a_body_above_the_limit_is_an_unmet_expectation() {
    let unmet = expecting(status(200)).too_large_body();
    assert_eq!(
        (unmet.expected.as_str(), unmet.seen.as_str()),
        ("max_body = \"1 KiB\"", "a body of more than 1 KiB")
    );
    assert_eq!(ExpectationSet::default().max_body(), ByteSize(4 << 20));
}

#[test]
fn debug_shows_what_is_written_and_no_value() {
    let debug = format!("{:?}", expecting(ResponseCheck::contains("secret")));
    assert_eq!(debug, "Expectations([\"status = 2xx\", \"as written\"])");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_response_makes_the_judge_panic_or_exceed_its_limit(
        code in 100_u16..1000,
        location in "[\\x20-\\x7e]{0,300}",
        kind in "(text/event-stream|application/json|[\\x20-\\x7e]{0,20})",
        body in "(data: )?(\\PC{0,50}|\\{\"a\": ?(\\[?[0-9]{1,300}\\]?|\"\\PC{0,100}\"|\\{\"\\PC{0,300}\": 1\\})\\})",
    ) {
        for check in checks() {
            let headers = [(LOCATION, location.as_str()), (CONTENT_TYPE, kind.as_str())];
            if let Err(unmet) = judged(&expecting(check), code, &headers, &body) {
                prop_assert!(unmet.seen.chars().count() <= UnmetExpectation::SEEN_LIMIT);
                prop_assert!(!unmet.seen.contains('?') || !location.contains('?') || body.contains('?'));
            }
        }
    }

    #[test]
    fn no_rows_make_the_judge_panic_or_exceed_its_limit(
        rows in prop::collection::vec(prop::collection::btree_map("[a-c]", "\\PC{0,200}", 0..3), 0..9),
    ) {
        let rows: Vec<Value> = rows.into_iter().map(|row| json!(row)).collect();
        for check in checks() {
            if let Some((_, mismatch)) = of_rows(check, &rows) {
                prop_assert!(mismatch.chars().count() <= 200, "{}", mismatch);
            }
        }
    }
}

/// One check of each kind.
fn checks() -> Vec<ResponseCheck> {
    let rules = [
        JsonRule::Is(json!({ "b": 1 })),
        JsonRule::IsNot(json!(1)),
        JsonRule::IsOf(JsonType::Null),
        JsonRule::AtLeast(5.into()),
        JsonRule::AtMost(5.into()),
        JsonRule::Matches(pattern("^[a-z]*$")),
    ];
    let heads = [
        status(200),
        ResponseCheck::Denied,
        ResponseCheck::FinalUrl(url("https://example.org/")),
        ResponseCheck::Header(LOCATION, HeaderValue::from_static("/")),
        ResponseCheck::HeaderMatches(LOCATION, pattern("^/auth/login")),
    ];
    let bodies = [
        ResponseCheck::contains("a"),
        ResponseCheck::lacks("a"),
        ResponseCheck::BodyMatches(pattern("^(a|b)*$")),
        ResponseCheck::Rows(9),
        ResponseCheck::RowsAtLeast(9),
    ];
    let at = rules.into_iter().flat_map(|rule| [json("/a", rule.clone()), json("", rule)]);
    heads.into_iter().chain(bodies).chain(at).collect()
}

#[test]
fn an_unmet_expectation_carries_the_scenarios_words_and_every_row() {
    let rows: Vec<_> = (0..3).map(|n| serde_json::json!({ "id": n, "token": "t" })).collect();
    let none = Expectation { written: "rows = 0".to_owned(), check: ResponseCheck::Rows(0) };
    let set =
        ExpectationSet::of_rows(vec![none]).with_reason(Some("anon can read rows".to_owned()));
    let unmet = set.judge_rows(&rows).unwrap_err();
    let detail = unmet.detail.unwrap();
    assert_eq!(detail.because.as_deref(), Some("anon can read rows"));
    assert_eq!(detail.rows, ["id=0 token=t", "id=1 token=t", "id=2 token=t"]);
    assert!(set.judge_rows(&[]).is_ok());
    let sensitive = set.with_sensitivity(true).judge_rows(&rows).unwrap_err().detail.unwrap();
    assert_eq!((sensitive.rows.len(), sensitive.because.is_some()), (0, true));
}
