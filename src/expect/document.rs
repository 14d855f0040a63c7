//! Parses the JSON document of a response, as leniently as RFC 8259 allows.

use serde_json::Value;

use super::describe;
use crate::library_text::describe_json;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
/// How UTF-16 begins, in either byte order.
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// What stands in for an escape that is not a character.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// Parses a document; the error says how large it is and what is wrong with it, without a value.
///
/// A byte order mark is ignored (RFC 8259, section 8.1). Half of a surrogate pair, which the
/// grammar allows (section 8.2), is read as U+FFFD. Numbers keep all their digits.
pub(super) fn parse(content: &[u8]) -> Result<Value, String> {
    let text = content.strip_prefix(UTF8_MARK).unwrap_or(content);
    let parsed = serde_json::from_slice(text).or_else(|error| {
        without_half_pairs(text).map_or(Err(error), |text| serde_json::from_slice(&text))
    });
    parsed.map_err(|error| {
        let size = describe::format_bytes(content.len());
        let why = if UTF16_MARKS.iter().any(|mark| content.starts_with(mark)) {
            "they are UTF-16, and JSON is UTF-8".to_owned()
        } else if std::str::from_utf8(text).is_err() {
            "they are not UTF-8".to_owned()
        } else {
            describe_json(&error)
        };
        format!("{size} that are not JSON ({why})")
    })
}

/// The text with each half of a surrogate pair replaced; `None` if there is none.
fn without_half_pairs(text: &[u8]) -> Option<Vec<u8>> {
    let (mut repaired, mut copied, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = memchr::memchr(b'\\', &text[at..]) {
        let start = at + found;
        let length = match (unit_at(text, start), unit_at(text, start + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                repaired.extend_from_slice(&text[copied..start]);
                repaired.extend_from_slice(REPLACEMENT);
                copied = start + 6;
                6
            }
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        at = (start + length).min(text.len());
    }
    if copied == 0 {
        return None;
    }
    repaired.extend_from_slice(&text[copied..]);
    Some(repaired)
}

/// The UTF-16 unit of an escape at an index: `\u` and four hexadecimal digits.
fn unit_at(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lawful_documents_are_parsed() {
        for (text, value) in [
            (&b"\xef\xbb\xbf{\"status\":\"ok\"}"[..], json!({ "status": "ok" })),
            (br#"["a\ud800b"]"#, json!(["a\u{fffd}b"])),
            (br#"["a\udc00b\ud83d"]"#, json!(["a\u{fffd}b\u{fffd}"])),
            (br#"["\ud83d\ude00\ud83d"]"#, json!(["\u{1f600}\u{fffd}"])),
            (br#"["\\ud800"]"#, json!(["\\ud800"])),
            (br#"{"a\u0000b":1,"a":2,"a":3}"#, json!({ "a\0b": 1, "a": 3 })),
        ] {
            assert_eq!(parse(text), Ok(value), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_number_beyond_a_float_keeps_its_digits_and_its_neighbours() {
        let text = br#"{"id":12345678901234567890123,"f":1e400,"neg":-0.0,"n":9007199254740993}"#;
        let document = parse(text).unwrap();
        for (pointer, number) in [
            ("/id", "12345678901234567890123"),
            ("/f", "1e+400"),
            ("/neg", "-0.0"),
            ("/n", "9007199254740993"),
        ] {
            assert_eq!(document.pointer(pointer).unwrap().to_string(), number);
        }
    }

    #[test]
    fn other_texts_say_why_they_are_not_json_without_quoting_them() {
        for (text, why) in [
            (&b"{\"secret\":NaN}"[..], "14 bytes that are not JSON (see line 1, column 11)"),
            (b"{\"secret\":\"", "11 bytes that are not JSON (it breaks off at line 1, column 11)"),
            (b"\"\xff\"", "3 bytes that are not JSON (they are not UTF-8)"),
            (b"\xff\xfe\"\0", "4 bytes that are not JSON (they are UTF-16, and JSON is UTF-8)"),
            (b"", "0 bytes that are not JSON (it breaks off at line 1, column 0)"),
            (br#"["\ud800", secret]"#, "18 bytes that are not JSON (see line 1, column 12)"),
        ] {
            assert_eq!(parse(text).unwrap_err(), why);
        }
        let deep = parse("[".repeat(200).as_bytes()).unwrap_err();
        assert!(deep.contains("127 levels deep"), "{deep}");
    }
}
