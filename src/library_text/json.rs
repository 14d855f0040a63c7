//! Errors of JSON documents. The library may quote a value of the document.

use serde_json::Error;
use serde_json::error::Category;

/// The beginning of our own error for a document that would take too much memory.
pub const TOO_MUCH_MEMORY: &str = "it would take too much memory";

/// Why a document is not JSON, with the position, as a clause that quotes nothing of it.
pub fn describe_json(error: &Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => format!("it breaks off at {place}"),
        // The library has no type for this limit.
        Category::Syntax if error.to_string().starts_with("recursion limit") => {
            format!(
                "it is nested more than 127 levels deep at {place}, which tollgate does not read"
            )
        }
        Category::Syntax => format!("see {place}"),
        Category::Data if error.to_string().starts_with(TOO_MUCH_MEMORY) => {
            format!("{TOO_MUCH_MEMORY} from {place} on")
        }
        Category::Data => match missing_field(&error.to_string()) {
            Some(name) => format!("it lacks `{name}` at {place}"),
            None => format!("it has an unexpected value at {place}"),
        },
        Category::Io => "it cannot be read".to_owned(),
    }
}

/// The field that a document lacks. Its name comes from our own types.
fn missing_field(text: &str) -> Option<&str> {
    text.strip_prefix("missing field `")?.split('`').next()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only parsed")]
    struct Point {
        x: u8,
    }

    #[test]
    fn the_place_is_named_and_nothing_is_quoted() {
        for (text, expected) in [
            ("{\"secret\": NaN}", "see line 1, column 12"),
            ("{\"secret\": \"cut", "it breaks off at line 1, column 15"),
            ("secret", "see line 1, column 1"),
            ("[1,\n secret]", "see line 2, column 2"),
        ] {
            let error = serde_json::from_str::<Value>(text).unwrap_err();
            assert_eq!(describe_json(&error), expected, "{error}");
        }
        let deep = "[".repeat(200);
        let error = serde_json::from_str::<Value>(&deep).unwrap_err();
        assert!(describe_json(&error).contains("127 levels deep"), "{}", describe_json(&error));
        let data = serde_json::from_str::<u8>("\"secret\"").unwrap_err();
        assert!(data.to_string().contains("secret"), "{data}");
        assert_eq!(describe_json(&data), "it has an unexpected value at line 1, column 8");
        let lacking = serde_json::from_str::<Point>("{}").unwrap_err();
        assert_eq!(describe_json(&lacking), "it lacks `x` at line 1, column 2");
    }
}
