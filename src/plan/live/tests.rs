//! Tests of the parts of a step that are built for each arrival.

use serde_json::json;

use super::*;
use crate::expect::{Capture, CaptureSource, JsonRule};

fn values(captured: &Value) -> ArrivalValues {
    let mut values = ArrivalValues::for_arrival();
    values.extend(captured.as_object().unwrap().clone(), &CaptureSet::default());
    values
}

/// A capture with this name and source.
fn capture(name: &str, is_public: bool, source: CaptureSource) -> Capture {
    Capture { name: name.to_owned(), source, default: None, is_public, written: String::new() }
}

fn at(location: &str) -> CaptureSource {
    CaptureSource::Json(location.to_owned())
}

fn text(bits: &[&str]) -> LiveText {
    let mut text = LiveText::default();
    for bit in bits {
        match bit.strip_prefix('@') {
            Some(name) => text.push_value(name),
            None => text.push(bit),
        }
    }
    text
}

#[test]
fn a_value_alone_keeps_its_json_type_and_becomes_text_next_to_text() {
    let values = values(&json!({ "id": 7, "tags": ["a"] }));
    let json = LiveJson::Object(vec![
        ("id".to_owned(), LiveJson::Text(text(&["@id"]))),
        ("path".to_owned(), LiveJson::Text(text(&["/", "@id"]))),
        ("tags".to_owned(), LiveJson::Array(vec![LiveJson::Text(text(&["@tags"]))])),
    ]);
    assert_eq!(json.fill(&values).unwrap(), json!({ "id": 7, "path": "/7", "tags": [["a"]] }));
    assert_eq!(json.fixed(), None);
}

fn target(bits: &[&str]) -> LiveTarget {
    LiveTarget::of_url(&text(bits)).unwrap()
}

#[test]
fn a_value_never_leaves_its_segment_of_the_url() {
    let values = values(&json!({ "id": "a/b?c#d" }));
    let filled =
        target(&["http://example.org/x/", "@id", "?y"]).fill(&values, &mut TextBuffer::default());
    assert_eq!(filled.unwrap(), "/x/a%2Fb%3Fc%23d?y");
}

#[test]
fn the_fixed_text_of_a_url_is_normalised_around_its_values() {
    let values = values(&json!({ "id": "7", "q": "ä" }));
    let filled = target(&["http://example.org/a b/../c/", "@id", "/%7e?q=", "@q", "&r=ö"])
        .fill(&values, &mut TextBuffer::default());
    assert_eq!(filled.unwrap(), "/c/7/%7e?q=%C3%A4&r=%C3%B6");
    assert_eq!(
        target(&["http://example.org/", "@id", "/../x"])
            .fill(&values, &mut TextBuffer::default())
            .unwrap(),
        "/x"
    );
}

#[test]
fn a_value_that_would_leave_its_path_is_refused() {
    for (before, id) in [
        ("http://a.test/safe/", ".."),
        ("http://a.test/safe/.", "."),
        ("http://a.test/safe/%2E", "."),
        ("http://a.test/", "."),
    ] {
        let filled = target(&[before, "@id", "/x"])
            .fill(&values(&json!({ "id": id })), &mut TextBuffer::default());
        assert_eq!(filled, Err(LiveValueError::Unsendable("the URL")), "{before}{id}");
    }
    let dots = target(&["http://a.test/v1", "@id", "/x?y=", "@id"])
        .fill(&values(&json!({ "id": ".." })), &mut TextBuffer::default());
    assert_eq!(dots.unwrap(), "/v1../x?y=..");
}

#[test]
fn json_text_is_that_of_the_json_value() {
    let values = values(&json!({ "id": 7, "tags": ["a"], "text": "a\"b\n" }));
    let json = LiveJson::Object(vec![
        ("k\"".to_owned(), LiveJson::Fixed(json!({ "a": [1, null] }))),
        ("one".to_owned(), LiveJson::Text(text(&["@id"]))),
        ("text".to_owned(), LiveJson::Text(text(&["x\\", "@text", "@id"]))),
        (
            "list".to_owned(),
            LiveJson::Array(vec![LiveJson::Text(text(&["@tags"])), LiveJson::Array(Vec::new())]),
        ),
    ]);
    let written: Value = serde_json::from_str(&json.pieces().fill(&values).unwrap()).unwrap();
    assert_eq!(written, json.fill(&values).unwrap());
}

#[test]
fn an_empty_value_cannot_be_searched_for() {
    let check = LiveCheck::Contains(text(&["@id"]));
    assert!(matches!(
        check.fill(&values(&json!({ "id": "" }))),
        Err(LiveValueError::Unsendable(_))
    ));
    assert!(check.fill(&values(&json!({ "id": "x" }))).is_ok());
}

#[test]
fn every_text_of_a_captured_value_is_secret_unless_it_is_public() {
    let mut values = ArrivalValues::for_arrival();
    let captured = json!({ "a": "one", "b": { "c": ["two", 3] }, "d": 4, "e": "shown" });
    values.extend(
        captured.as_object().unwrap().clone(),
        &CaptureSet(vec![capture("e", true, at("/e"))]),
    );
    assert_eq!(values.secrets(), ["one", "two", "4"]);
}

#[test]
fn typed_values_are_compared_by_type_and_untyped_ones_as_text() {
    let header = CaptureSource::Header(HeaderName::from_static("x-count"));
    let captures =
        CaptureSet(vec![capture("of_json", false, at("/n")), capture("of_header", false, header)]);
    let mut values = ArrivalValues::for_arrival();
    values.extend(["of_json", "of_header"].map(|name| (name.to_owned(), json!("7"))), &captures);
    let rule = |name: &str| {
        let value = LiveJson::Text(text(&[&format!("@{name}")]));
        match LiveCheck::Json("/n".to_owned(), value, JsonEquality::Is).fill(&values) {
            Ok(ResponseCheck::Json(JsonExpectation { rule, .. })) => rule,
            _ => panic!("no check"),
        }
    };
    assert!(matches!(rule("of_json"), JsonRule::Is(value) if value == json!("7")));
    assert!(matches!(rule("of_header"), JsonRule::Reads(text) if text == "7"));
}

#[test]
fn an_empty_header_is_not_sent_and_one_with_a_line_end_is_refused() {
    let name = HeaderName::from_static("mcp-session-id");
    let live = LiveParts { headers: vec![(name.clone(), text(&["@id"]))], ..LiveParts::default() };
    let filled = |id: &str| live.headers(&values(&json!({ "id": id })), &mut TextBuffer::default());
    let sent = filled("s-1").unwrap().remove(0).1.unwrap();
    assert!(sent.is_sensitive() && sent == "s-1");
    assert_eq!(filled("").unwrap(), [(name, None)]);
    assert_eq!(filled("a\r\nb: c"), Err(LiveValueError::Unsendable("a header")));
}

#[test]
fn a_value_that_no_step_captured_is_named() {
    let unknown = text(&["x", "@missing"]).fill(&ArrivalValues::for_arrival());
    assert_eq!(unknown, Err(UnknownValue("missing".to_owned())));
}

#[test]
fn each_arrival_has_its_own_uuid() {
    let uuid = || text(&["@uuid"]).fill(&ArrivalValues::for_arrival()).unwrap();
    assert_ne!(uuid(), uuid());
}

#[test]
fn arrivals_share_what_the_setup_captured_but_not_its_uuid() {
    let mut setup = ArrivalValues::for_arrival();
    let captures = CaptureSet(vec![
        capture("id", true, at("/id")),
        capture("token", false, CaptureSource::Header(HeaderName::from_static("x-token"))),
    ]);
    setup.extend([("id".to_owned(), json!(7)), ("token".to_owned(), json!("7"))], &captures);
    let shared = Rc::new(setup.to_shared());
    let mut arrival = ArrivalValues::after_setup(&shared);
    assert_eq!(text(&["/", "@id"]).fill(&arrival).unwrap(), "/7");
    let uuid = |values: &ArrivalValues| text(&["@uuid"]).fill(values).unwrap();
    assert_ne!(uuid(&arrival), uuid(&setup));
    assert!(text(&["@uuid"]).fill(&ArrivalValues::of_setup(&shared)).is_err());
    // The value of a header has no type, also in the arrivals that share it.
    let check =
        LiveCheck::Json("/a".to_owned(), LiveJson::Text(text(&["@token"])), JsonEquality::Is);
    let ResponseCheck::Json(JsonExpectation { rule, .. }) = check.fill(&arrival).unwrap() else {
        panic!("no JSON check")
    };
    assert!(matches!(rule, JsonRule::Reads(_)));
    // What the arrival captures itself comes first, and only that is redacted for it.
    arrival.extend([("own".to_owned(), json!("mine"))], &CaptureSet::default());
    assert_eq!(arrival.secrets(), ["mine"]);
    assert_eq!(setup.secrets(), ["7"]);
}

#[test]
fn debug_output_leaves_out_fixed_text_which_may_be_secret() {
    let mut text = LiveText::default();
    text.push("Bearer canary");
    text.push_value("id");
    assert_eq!(format!("{text:?}"), "LiveText([Fixed, Value(\"id\")])");
    let json = LiveJson::Object(vec![
        ("token".to_owned(), LiveJson::Fixed(json!("canary"))),
        ("id".to_owned(), LiveJson::Text(text)),
    ]);
    for shown in [format!("{json:?}"), format!("{:?}", json.pieces())] {
        assert!(!shown.contains("canary"), "{shown}");
    }
}
