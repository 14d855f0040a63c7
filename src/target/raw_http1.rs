//! HTTP/1.1 written by hand: scripts, and pages after which the connection ends without a word.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Method, Response};

use super::acts::{Act, End, Performance};
use super::script::{Ending, Framing, Script, Step};

const INTERIM: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";

/// How long bytes get to be read before a reset, which may throw away what is still on its way.
const BEFORE_RESET: Duration = Duration::from_millis(10);

/// The bytes that a script comes to.
pub(super) fn written(script: Script) -> Performance {
    let Script { steps, ending } = script;
    let framing = steps.iter().find_map(|step| match step {
        Step::Head(framing) => Some(*framing),
        _ => None,
    });
    let trailers = steps.iter().any(|step| matches!(step, Step::Trailers));
    let has_body = !steps.iter().all(|step| matches!(step, Step::Interim | Step::Head(_)));
    let mut acts: Vec<Act> = Vec::new();
    for step in steps {
        acts.extend(acts_of(step, framing, ending));
    }
    let complete = matches!(ending, Ending::Complete | Ending::Goodbye);
    if complete && has_body && framing == Some(Framing::Chunked) {
        acts.push(Act::Send(Bytes::from_static(last_chunk(trailers))));
    }
    if end(ending, framing) == End::Reset && !acts.is_empty() {
        acts.push(Act::Wait(BEFORE_RESET));
    }
    Performance { acts, end: end(ending, framing) }
}

/// The bytes of a whole page, after which the connection is closed unannounced.
pub(super) fn last_page(page: &Response<Bytes>, method: &Method) -> Performance {
    let mut bytes = head(page.status().as_u16(), page.headers());
    bytes.put_slice(format!("content-length: {}\r\n\r\n", page.body().len()).as_bytes());
    if method != Method::HEAD {
        bytes.put_slice(page.body());
    }
    Performance { acts: vec![Act::Send(bytes.freeze())], end: End::Close }
}

fn acts_of(step: Step, framing: Option<Framing>, ending: Ending) -> Vec<Act> {
    let chunked = framing == Some(Framing::Chunked);
    match step {
        Step::Interim => vec![Act::Send(Bytes::from_static(INTERIM))],
        Step::Head(framing) => vec![Act::Send(script_head(framing, ending == Ending::Goodbye))],
        Step::Piece(bytes) => vec![Act::Send(if chunked { chunk(&bytes) } else { bytes })],
        Step::Trickle { bytes, every } if chunked => vec![
            Act::Send(Bytes::from(format!("{:x}\r\n", bytes.len()))),
            Act::Trickle(bytes, every),
            Act::Send(Bytes::from_static(b"\r\n")),
        ],
        Step::Trickle { bytes, every } => vec![Act::Trickle(bytes, every)],
        Step::Forever { piece, every } => {
            vec![Act::Forever(if chunked { chunk(&piece) } else { piece }, every)]
        }
        Step::Trailers => Vec::new(),
        Step::Wire(act) => vec![act],
    }
}

fn end(ending: Ending, framing: Option<Framing>) -> End {
    match ending {
        Ending::Complete if framing != Some(Framing::UntilClose) => End::Keep,
        Ending::Complete | Ending::Goodbye | Ending::Close => End::Close,
        // HTTP/1.1 has no streams: the connection is what can be reset.
        Ending::Reset | Ending::ResetStream(_) => End::Reset,
        Ending::Hang => End::Hang,
    }
}

fn script_head(framing: Framing, goodbye: bool) -> Bytes {
    let framing = match framing {
        Framing::Length(length) => format!("content-length: {length}\r\n"),
        Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Framing::UntilClose => String::new(),
    };
    let goodbye = if goodbye { "connection: close\r\n" } else { "" };
    let text = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n{framing}{goodbye}\r\n"
    );
    Bytes::from(text)
}

fn head(status: u16, headers: &HeaderMap) -> BytesMut {
    let mut bytes = BytesMut::from(format!("HTTP/1.1 {status} \r\n").as_bytes());
    for (name, value) in headers {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    bytes
}

fn chunk(bytes: &[u8]) -> Bytes {
    let mut chunk = BytesMut::from(format!("{:x}\r\n", bytes.len()).as_bytes());
    chunk.put_slice(bytes);
    chunk.put_slice(b"\r\n");
    chunk.freeze()
}

fn last_chunk(trailers: bool) -> &'static [u8] {
    if trailers { b"0\r\nx-checked: yes\r\n\r\n" } else { b"0\r\n\r\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(performance: Performance) -> (String, End) {
        let mut all = Vec::new();
        for act in performance.acts {
            match act {
                Act::Send(bytes) | Act::Trickle(bytes, _) | Act::Forever(bytes, _) => {
                    all.extend(bytes)
                }
                Act::Wait(_) => {}
            }
        }
        (String::from_utf8(all).unwrap(), performance.end)
    }

    fn script(framing: Framing, ending: Ending) -> Script {
        Script {
            steps: vec![Step::Head(framing), Step::Piece(Bytes::from_static(b"hello"))],
            ending,
        }
    }

    #[test]
    fn a_complete_chunked_answer_has_its_last_chunk_and_a_cut_one_has_not() {
        let (whole, end) = text(written(script(Framing::Chunked, Ending::Complete)));
        assert!(whole.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "{whole}");
        assert_eq!(end, End::Keep);
        let (cut, end) = text(written(script(Framing::Chunked, Ending::Close)));
        assert!(cut.ends_with("\r\n\r\n5\r\nhello\r\n"), "{cut}");
        assert_eq!(end, End::Close);
    }

    #[test]
    fn a_body_that_ends_with_the_connection_ends_it() {
        assert_eq!(text(written(script(Framing::UntilClose, Ending::Complete))).1, End::Close);
    }

    #[test]
    fn a_goodbye_is_said_in_the_head() {
        let (said, end) = text(written(script(Framing::Length(5), Ending::Goodbye)));
        assert!(said.contains("connection: close\r\n") && said.ends_with("hello"), "{said}");
        assert_eq!(end, End::Close);
    }

    #[test]
    fn the_answer_to_head_has_no_body_and_no_last_chunk() {
        let head_alone =
            Script { steps: vec![Step::Head(Framing::Chunked)], ending: Ending::Complete };
        let (said, _) = text(written(script(Framing::Length(5), Ending::Complete).without_body()));
        assert!(said.ends_with("content-length: 5\r\n\r\n"), "{said}");
        let (said, _) = text(written(head_alone.without_body()));
        assert!(said.ends_with("chunked\r\n\r\n"), "{said}");
    }
}
