use serde_json::json;

use super::*;

fn judged(document: &Value, pointer: &str, rule: JsonRule, is_sensitive: bool) -> Option<String> {
    JsonExpectation { pointer: pointer.to_owned(), rule }.judge(document, is_sensitive).err()
}

/// How a mismatch of the value at `/at` is described; `None` if the value meets the rule.
fn mismatch(found: &Value, rule: JsonRule) -> Option<String> {
    judged(&json!({ "at": found }), "/at", rule, false)
}

fn hidden(found: &Value, rule: JsonRule) -> Option<String> {
    judged(&json!({ "at": found }), "/at", rule, true)
}

fn number(value: &Value) -> Number {
    value.as_number().unwrap().clone()
}

fn matches(pattern: &str) -> JsonRule {
    JsonRule::Matches(TextPattern::new(pattern).unwrap())
}

#[test]
fn values_are_compared_by_meaning() {
    for (found, value) in [
        (json!(1.0), json!(1)),
        (json!(-0.0), json!(0)),
        (json!([1, { "a": null }]), json!([1.0, { "a": null }])),
        (json!({ "a": 1, "b": 2 }), json!({ "b": 2, "a": 1 })),
        (json!(u64::MAX), json!(u64::MAX)),
    ] {
        assert_eq!(mismatch(&found, JsonRule::Is(value.clone())), None, "{found}");
        assert!(mismatch(&found, JsonRule::IsNot(value)).is_some(), "{found}");
    }
    // As floats these would be equal.
    assert!(
        mismatch(&json!(9_007_199_254_740_993_u64), JsonRule::Is(json!(9_007_199_254_740_992_u64)))
            .is_some()
    );
}

#[test]
fn an_error_document_shows_where_its_message_is_but_not_what_it_says() {
    let description = |document: Value| {
        judged(&document, "/result/tools", JsonRule::IsOf(JsonType::Array), false)
    };
    let nothing = "nothing at /result/tools";
    for (document, place) in [
        (
            json!({ "id": 2, "error": { "code": -32601, "message": "no such \"method\"" } }),
            "/error/message",
        ),
        (json!({ "errors": [{ "message": "no such \"method\"" }] }), "/errors/0/message"),
        (json!({ "error": "no such \"method\"", "message": "x" }), "/error"),
        (json!({ "detail": "no such \"method\"" }), "/detail"),
    ] {
        let expected_text = format!("{nothing}, but a message at {place}");
        assert_eq!(description(document.clone()), Some(expected_text));
        let hidden = judged(&document, "/result/tools", JsonRule::IsOf(JsonType::Array), true);
        assert_eq!(hidden, Some(nothing.to_owned()));
    }
    for without in [json!({ "error": { "code": 1 } }), json!({ "message": 1 }), json!([])] {
        assert_eq!(description(without), Some(nothing.to_owned()));
    }
}

#[test]
fn the_first_differing_location_of_a_larger_value_is_named() {
    let expected = json!({ "counts": { "public.leads": 2, "a/b~c": 0 }, "list": [1, 2] });
    let mismatch = |found: &Value| mismatch(found, JsonRule::Is(expected.clone())).unwrap();
    for (found, expected_text) in [
        (
            json!({ "counts": { "public.leads": 3, "a/b~c": 0 }, "list": [1, 2] }),
            "3 at /at/counts/public.leads",
        ),
        (
            json!({ "counts": { "public.leads": 2 }, "list": [1, 2] }),
            "nothing at /at/counts/a~1b~0c",
        ),
        (
            json!({ "counts": { "public.leads": 2, "a/b~c": [] }, "list": [1] }),
            "an array at /at/counts/a~1b~0c",
        ),
        (
            json!({ "counts": { "public.leads": 2, "a/b~c": 0 }, "list": [1] }),
            "nothing at /at/list/1",
        ),
        (
            json!({ "counts": { "public.leads": 2, "a/b~c": 0 }, "list": [1, 2, "x"] }),
            "\"x\" at /at/list/2",
        ),
        (
            json!({ "counts": { "public.leads": 2, "a/b~c": 0 }, "list": [1, 2], "more": 1 }),
            "1 at /at/more",
        ),
        (json!([]), "an array"),
        (json!("text"), "\"text\""),
    ] {
        assert_eq!(mismatch(&found), expected_text, "{found}");
    }
    let long = "k".repeat(121);
    let deep = json!({ "counts": expected["counts"], "list": [1, 2], long: 1 });
    assert_eq!(mismatch(&deep), "1 at a deeper place");
}

#[test]
fn json_not_needs_a_value_and_another_one() {
    let not = |value: Value| JsonRule::IsNot(value);
    assert_eq!(mismatch(&json!("ok"), not(json!("failing"))), None);
    assert_eq!(mismatch(&json!(null), not(json!("failing"))), None);
    assert_eq!(mismatch(&json!("failing"), not(json!("failing"))), Some("\"failing\"".to_owned()));
    assert_eq!(judged(&json!({}), "/at", not(json!(1)), false), Some("nothing at /at".to_owned()));
}

#[test]
fn each_value_has_exactly_its_type() {
    use JsonType::{Array, Boolean, Integer, Null, Number, Object, String};
    let all = [Null, Boolean, Number, Integer, String, Array, Object];
    for (found, types, expected_text) in [
        (json!(null), vec![Null], "null"),
        (json!(true), vec![Boolean], "a boolean"),
        (json!(1), vec![Number, Integer], "an integer"),
        (json!(1e3), vec![Number, Integer], "an integer"),
        (json!(1.5), vec![Number], "a number with a fraction"),
        (json!("1"), vec![String], "a string"),
        (json!([]), vec![Array], "an array"),
        (json!({}), vec![Object], "an object"),
    ] {
        for kind in all {
            let expected =
                if types.contains(&kind) { None } else { Some(expected_text.to_owned()) };
            assert_eq!(mismatch(&found, JsonRule::IsOf(kind)), expected, "{found} as {kind:?}");
        }
    }
}

#[test]
fn numbers_in_strings_are_compared_too() {
    let least = |value: Value| JsonRule::AtLeast(number(&value));
    let most = |value: Value| JsonRule::AtMost(number(&value));
    for found in [json!(5), json!(5.0), json!("5"), json!("5.00"), json!("0.5e1"), json!("5e0")] {
        assert_eq!(mismatch(&found, least(json!(5))), None, "{found}");
        assert_eq!(mismatch(&found, most(json!(5.0))), None, "{found}");
        assert_eq!(mismatch(&found, least(json!(6))), Some(found.to_string()));
        assert_eq!(mismatch(&found, most(json!(4.9))), Some(found.to_string()));
    }
    assert_eq!(mismatch(&json!("123456789012345678901234567890.5"), least(json!(5))), None);
    let near = json!(9_007_199_254_740_993_u64);
    assert_eq!(
        mismatch(&near, most(json!(9_007_199_254_740_992_u64))),
        Some("9007199254740993".to_owned())
    );
}

#[test]
fn numbers_of_any_size_are_compared_by_value() {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for (smaller, larger) in [
        ("-1e401", "-1e400"),
        ("-1e400", "0"),
        ("0", "1e400"),
        ("1e400", "1e401"),
        ("9.9e400", "1e401"),
        ("12345678901234567890123", "12345678901234567890124"),
        ("-12345678901234567890124", "-12345678901234567890123"),
        ("9", "12345678901234567890123"),
        ("0", "1e99999999999999999999"),
    ] {
        let (smaller, larger) = (parsed(smaller), parsed(larger));
        assert_eq!(
            mismatch(&larger, JsonRule::AtLeast(number(&smaller))),
            None,
            "{smaller} {larger}"
        );
        assert!(
            mismatch(&smaller, JsonRule::AtLeast(number(&larger))).is_some(),
            "{smaller} {larger}"
        );
        assert!(mismatch(&smaller, JsonRule::Is(larger)).is_some());
        assert_eq!(mismatch(&smaller, JsonRule::Is(smaller.clone())), None);
    }
    for (one, other) in [("1e400", "10e399"), ("1.50", "1.5"), ("1e2", "100"), ("-0", "0")] {
        assert_eq!(mismatch(&parsed(one), JsonRule::Is(parsed(other))), None, "{one} {other}");
    }
    assert_eq!(mismatch(&parsed("1e400"), JsonRule::IsOf(JsonType::Number)), None);
    assert_eq!(mismatch(&parsed("1e400"), JsonRule::IsOf(JsonType::Integer)), None);
    for text in ["1.50", "1.5"] {
        assert_eq!(mismatch(&parsed("1.50"), JsonRule::Reads(text.to_owned())), None);
    }
    let id = "12345678901234567890123";
    assert_eq!(mismatch(&parsed(id), JsonRule::Reads(id.to_owned())), None);
}

#[test]
fn a_value_that_is_not_a_number_is_not_compared() {
    for text in ["abc", "", " 5", "5 ", "+5", "05", "5.", ".5", "0x5", "NaN", "5 6"] {
        let expected_text = format!("{}, no number", json!(text));
        assert_eq!(mismatch(&json!(text), JsonRule::AtLeast(0.into())), Some(expected_text));
    }
    for (found, expected_text) in [
        (json!(null), "null, no number"),
        (json!({}), "an object, no number"),
        (json!(true), "a boolean, no number"),
    ] {
        assert_eq!(mismatch(&found, JsonRule::AtMost(9.into())), Some(expected_text.to_owned()));
    }
}

#[test]
fn a_pattern_matches_only_in_strings() {
    assert_eq!(mismatch(&json!("4.6.0"), matches(r"^4\.")), None);
    assert_eq!(mismatch(&json!("3.4.0"), matches(r"^4\.")), Some("\"3.4.0\"".to_owned()));
    assert_eq!(
        mismatch(&json!(4.5), matches(r"^4\.")),
        Some("a number with a fraction, no text".to_owned())
    );
    assert_eq!(
        mismatch(&json!("s".repeat(61)), matches("^4")),
        Some("another, longer value".to_owned())
    );
}

#[test]
fn a_sensitive_response_shows_types_and_missing_pointers_but_no_value() {
    let hides = Some(HIDDEN.to_owned());
    let secret = json!("canary");
    let least = || JsonRule::AtLeast(5.into());
    assert_eq!(hidden(&secret, JsonRule::Is(json!("x"))), hides);
    assert_eq!(hidden(&json!({ "a": 1, "canary": 2 }), JsonRule::Is(json!({ "a": 1 }))), hides);
    assert_eq!(hidden(&json!({ "b": 2 }), JsonRule::Is(json!({ "b": 1 }))), hides);
    assert_eq!(
        hidden(&json!({}), JsonRule::Is(json!({ "b": 1 }))),
        Some("nothing at /at/b".to_owned())
    );
    assert_eq!(hidden(&secret, JsonRule::IsNot(secret.clone())), Some("that value".to_owned()));
    assert_eq!(hidden(&secret, JsonRule::IsOf(JsonType::Array)), Some("a string".to_owned()));
    assert_eq!(hidden(&json!(1), least()), hides);
    assert_eq!(hidden(&secret, least()), Some(format!("{HIDDEN}, no number")));
    assert_eq!(hidden(&secret, matches("^x")), hides);
    assert_eq!(hidden(&json!(1), matches("^x")), Some("an integer, no text".to_owned()));
}

#[test]
fn a_number_is_shown_without_the_zeros_at_the_end_of_its_fraction() {
    for (number, shown) in
        [("0.2000", "0.2"), ("12.00", "12.0"), ("100", "100"), ("1.50e10", "1.50e10")]
    {
        assert_eq!(without_trailing_zeros(number.to_owned()), shown);
    }
}
