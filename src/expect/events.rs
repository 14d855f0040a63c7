//! Event streams, which JSON-RPC servers also use for responses
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>, section 9.2.6).

use http::HeaderMap;
use http::header::CONTENT_TYPE;

const EVENT_STREAM: &str = "text/event-stream";

/// Whether a response declares itself an event stream.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let Some(Ok(written)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let essence = written.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(EVENT_STREAM)
}

/// The data of the last event with data: its lines joined by line feeds, without trailing ones.
///
/// Unlike a browser, this accepts a last event without a blank line after it, because the end of
/// the response ends it. An event with blank data counts as one without data: servers send such
/// events to keep the connection alive.
pub(super) fn last_data(stream: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (mut last, mut data) = (None, String::new());
    for line in lines(text).chain([""]) {
        if line.is_empty() {
            let whole = std::mem::take(&mut data);
            last = (!whole.trim().is_empty()).then_some(whole).or(last);
        } else if let ("data", value) = field(line) {
            data.extend([value, "\n"]);
        }
    }
    last.map(|data| data.trim_end_matches('\n').to_owned())
}

/// The lines of a text, each ended by CR, LF, both, or the end of the text.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = memchr::memchr2(b'\r', b'\n', text.as_bytes()) else {
            rest = None;
            return Some(text);
        };
        let behind = &text[end..];
        rest = behind.strip_prefix("\r\n").or(behind.get(1..));
        Some(&text[..end])
    })
}

/// The name and value of a line. A comment has an empty name.
fn field(line: &str) -> (&str, &str) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name, value.strip_prefix(' ').unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn last(stream: &str) -> Option<String> {
        last_data(stream.as_bytes())
    }

    #[test]
    fn the_last_event_with_data_counts() {
        assert_eq!(last("data: 1\n\ndata: 2\n\nid: 3\n\n").as_deref(), Some("2"));
        assert_eq!(last("event: message\ndata: {\"a\":1}\n\n").as_deref(), Some("{\"a\":1}"));
        // MCP servers send an event with empty data to keep the connection alive.
        assert_eq!(last("data: 1\n\ndata:\n\ndata\n\n").as_deref(), Some("1"));
        for stream in
            ["", "\n\n", "id: 1\n\n", "data:\n\n", ": data: 1\n\n", "DATA: 1\n\n", " data: 1\n\n"]
        {
            assert_eq!(last(stream), None, "{stream:?}");
        }
    }

    #[test]
    fn an_event_without_a_blank_line_at_its_end_counts_too() {
        for stream in ["data: 1\n\ndata: 2", "data: 1\n\ndata: 2\n", "data: 1\r\rdata: 2\r"] {
            assert_eq!(last(stream).as_deref(), Some("2"), "{stream:?}");
        }
    }

    #[test]
    fn several_lines_of_data_are_joined_and_lose_one_blank_each() {
        for end in ["\n", "\r", "\r\n"] {
            let stream =
                [": comment", "data: {", "id: 7", "data:  \"a\":", "data:1}", "", ""].join(end);
            assert_eq!(last(&stream).as_deref(), Some("{\n \"a\":\n1}"));
        }
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_name() {
        assert_eq!(last("\u{feff}data: 1\n\n").as_deref(), Some("1"));
        assert_eq!(last_data(b"data: \xff\n\n").as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn a_stream_is_recognised_by_its_type_in_any_case_and_with_parameters() {
        for (written, is_stream) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("text/event-stream-2", false),
            ("application/json", false),
            ("", false),
        ] {
            let headers: HeaderMap =
                [(CONTENT_TYPE, HeaderValue::from_static(written))].into_iter().collect();
            assert_eq!(is_event_stream(&headers), is_stream, "{written}");
        }
        assert!(!is_event_stream(&HeaderMap::new()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_stream_makes_the_reader_panic(stream in "(data|id|:| |\r|\n|\u{feff}|x){0,40}") {
            if let Some(data) = last(&stream) {
                prop_assert!(!data.is_empty() && data.len() <= stream.len());
            }
        }

        #[test]
        fn the_data_of_an_event_is_read_unchanged(text in "[^\r\n]{0,20}(\n[^\r\n]{0,20}){0,4}x") {
            let event = text.replace('\n', "\r\ndata: ");
            prop_assert_eq!(last(&format!("data: before\n\ndata: {event}\r\n\r\n")), Some(text));
        }
    }
}
