//! HTTP/1.1 written without hyper: scripts, and pages after which the connection closes
//! unannounced.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Method, Response};

use super::script::{AnswerEnding, AnswerScript, AnswerStep, BodyFraming};
use super::socket_script::{SocketAction, SocketEnd, SocketScript};

const INTERIM: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";

/// Pause before a reset, so that the client can read earlier bytes: a reset may discard bytes in
/// transit.
const BEFORE_RESET: Duration = Duration::from_millis(10);

/// The bytes of a script.
pub(super) fn render_script(script: AnswerScript) -> SocketScript {
    let AnswerScript { steps, ending } = script;
    let framing = steps.iter().find_map(|step| match step {
        AnswerStep::Head(framing) => Some(*framing),
        _ => None,
    });
    let trailers = steps.iter().any(|step| matches!(step, AnswerStep::Trailers));
    let has_body =
        !steps.iter().all(|step| matches!(step, AnswerStep::Interim | AnswerStep::Head(_)));
    let mut acts: Vec<SocketAction> = Vec::new();
    for step in steps {
        acts.extend(actions_of(step, framing, ending));
    }
    let complete = matches!(ending, AnswerEnding::Complete | AnswerEnding::Goodbye);
    if complete && has_body && framing == Some(BodyFraming::Chunked) {
        acts.push(SocketAction::Send(Bytes::from_static(last_chunk(trailers))));
    }
    if end(ending, framing) == SocketEnd::Reset && !acts.is_empty() {
        acts.push(SocketAction::Wait(BEFORE_RESET));
    }
    SocketScript { acts, end: end(ending, framing) }
}

/// The bytes of a whole page, after which the connection is closed unannounced.
pub(super) fn last_page(page: &Response<Bytes>, method: &Method) -> SocketScript {
    let mut bytes = head(page.status().as_u16(), page.headers());
    bytes.put_slice(format!("content-length: {}\r\n\r\n", page.body().len()).as_bytes());
    if method != Method::HEAD {
        bytes.put_slice(page.body());
    }
    SocketScript { acts: vec![SocketAction::Send(bytes.freeze())], end: SocketEnd::Close }
}

fn actions_of(
    step: AnswerStep,
    framing: Option<BodyFraming>,
    ending: AnswerEnding,
) -> Vec<SocketAction> {
    let chunked = framing == Some(BodyFraming::Chunked);
    match step {
        AnswerStep::Interim => vec![SocketAction::Send(Bytes::from_static(INTERIM))],
        AnswerStep::Head(framing) => {
            vec![SocketAction::Send(script_head(framing, ending == AnswerEnding::Goodbye))]
        }
        AnswerStep::Piece(bytes) => {
            vec![SocketAction::Send(if chunked { chunk(&bytes) } else { bytes })]
        }
        AnswerStep::Trickle { bytes, every } if chunked => vec![
            SocketAction::Send(Bytes::from(format!("{:x}\r\n", bytes.len()))),
            SocketAction::Trickle(bytes, every),
            SocketAction::Send(Bytes::from_static(b"\r\n")),
        ],
        AnswerStep::Trickle { bytes, every } => vec![SocketAction::Trickle(bytes, every)],
        AnswerStep::Forever { piece, every } => {
            vec![SocketAction::Forever(if chunked { chunk(&piece) } else { piece }, every)]
        }
        AnswerStep::Trailers => Vec::new(),
        AnswerStep::Wire(act) => vec![act],
    }
}

fn end(ending: AnswerEnding, framing: Option<BodyFraming>) -> SocketEnd {
    match ending {
        AnswerEnding::Complete if framing != Some(BodyFraming::UntilClose) => SocketEnd::Keep,
        AnswerEnding::Complete | AnswerEnding::Goodbye | AnswerEnding::Close => SocketEnd::Close,
        // HTTP/1.1 has no streams: the connection is what can be reset.
        AnswerEnding::Reset | AnswerEnding::ResetStream(_) => SocketEnd::Reset,
        AnswerEnding::Hang => SocketEnd::Hang,
    }
}

fn script_head(framing: BodyFraming, goodbye: bool) -> Bytes {
    let framing = match framing {
        BodyFraming::Length(length) => format!("content-length: {length}\r\n"),
        BodyFraming::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        BodyFraming::UntilClose => String::new(),
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

    fn text(performance: SocketScript) -> (String, SocketEnd) {
        let mut all = Vec::new();
        for act in performance.acts {
            match act {
                SocketAction::Send(bytes)
                | SocketAction::Trickle(bytes, _)
                | SocketAction::Forever(bytes, _) => all.extend(bytes),
                SocketAction::Wait(_) => {}
            }
        }
        (String::from_utf8(all).unwrap(), performance.end)
    }

    fn script(framing: BodyFraming, ending: AnswerEnding) -> AnswerScript {
        AnswerScript {
            steps: vec![AnswerStep::Head(framing), AnswerStep::Piece(Bytes::from_static(b"hello"))],
            ending,
        }
    }

    #[test]
    fn a_complete_chunked_answer_has_its_last_chunk_and_a_cut_one_has_not() {
        let (whole, end) =
            text(render_script(script(BodyFraming::Chunked, AnswerEnding::Complete)));
        assert!(whole.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "{whole}");
        assert_eq!(end, SocketEnd::Keep);
        let (cut, end) = text(render_script(script(BodyFraming::Chunked, AnswerEnding::Close)));
        assert!(cut.ends_with("\r\n\r\n5\r\nhello\r\n"), "{cut}");
        assert_eq!(end, SocketEnd::Close);
    }

    #[test]
    fn a_body_that_ends_with_the_connection_ends_it() {
        assert_eq!(
            text(render_script(script(BodyFraming::UntilClose, AnswerEnding::Complete))).1,
            SocketEnd::Close
        );
    }

    #[test]
    fn the_head_announces_the_end_of_the_connection() {
        let (bytes, end) =
            text(render_script(script(BodyFraming::Length(5), AnswerEnding::Goodbye)));
        assert!(bytes.contains("connection: close\r\n") && bytes.ends_with("hello"), "{bytes}");
        assert_eq!(end, SocketEnd::Close);
    }

    #[test]
    fn the_answer_to_head_has_no_body_and_no_last_chunk() {
        let head_alone = AnswerScript {
            steps: vec![AnswerStep::Head(BodyFraming::Chunked)],
            ending: AnswerEnding::Complete,
        };
        let (bytes, _) = text(render_script(
            script(BodyFraming::Length(5), AnswerEnding::Complete).without_body(),
        ));
        assert!(bytes.ends_with("content-length: 5\r\n\r\n"), "{bytes}");
        let (bytes, _) = text(render_script(head_alone.without_body()));
        assert!(bytes.ends_with("chunked\r\n\r\n"), "{bytes}");
    }
}
