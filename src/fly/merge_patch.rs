//! JSON merge patch: <https://www.rfc-editor.org/rfc/rfc7396>.

use serde_json::{Map, Value};

/// Applies a merge patch as section 2 of RFC 7396 defines it.
///
/// Members of an object are merged, a `null` removes its member, and everything else, arrays
/// included, is replaced. Members that the patch does not name keep their value and their place.
pub(super) fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge_patch(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(target: &str, patch: &str) -> Value {
        let mut target = serde_json::from_str(target).unwrap();
        merge_patch(&mut target, &serde_json::from_str(patch).unwrap());
        target
    }

    /// The table of appendix A.
    #[test]
    fn the_examples_of_the_rfc_give_its_results() {
        for (target, patch, expected) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(patched(target, patch), expected, "{target} with {patch}");
        }
    }

    #[test]
    fn what_the_patch_does_not_name_keeps_every_digit() {
        let target =
            r#"{"unknown":{"n":1.000000000000000000001},"guest":{"cpus":1,"memory_mb":1}}"#;
        let whole = patched(target, r#"{"guest":{"memory_mb":2048}}"#);
        let expected =
            r#"{"guest":{"cpus":1,"memory_mb":2048},"unknown":{"n":1.000000000000000000001}}"#;
        assert_eq!(whole.to_string(), expected);
    }
}
