//! Errors of HTTP/1.1 connections.

use std::error::Error as _;
use std::io;

use super::{HandshakeProblem, describe_io, find_tls_error};

/// Who has to change something after an error of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpBlame {
    /// The target: what it sent is not HTTP.
    Answer,
    /// The target or the network: the connection ended too early.
    Connection,
    /// The target or the network reset the connection.
    Reset,
    /// The target, or what is between: the encryption broke.
    Tls,
}

/// What an error of a connection means.
#[derive(Debug, PartialEq, Eq)]
pub struct HttpProblem {
    /// Who has to change something.
    pub blame: HttpBlame,
    /// What is wrong, as a clause.
    pub text: String,
    /// What to do about it, if the kind of failure does not make that clear.
    pub remedy: Option<&'static str>,
}

/// Reads hyper's error. The caller has excluded errors that only mean a limit of hyper, so that of
/// the two errors that hyper reports as a head that is too large, a length beyond 64 bits remains.
pub fn read_http_problem(error: &hyper::Error) -> HttpProblem {
    if let Some(io) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        return of_io(io);
    }
    if error.is_parse_too_large() {
        let text = "the answer's `Content-Length` is larger than any body can be";
        HttpProblem::new(HttpBlame::Answer, text)
    } else if error.is_parse() {
        HttpProblem::new(HttpBlame::Answer, describe_parsing(&error.to_string()))
    } else {
        HttpProblem::new(HttpBlame::Connection, describe_end(error))
    }
}

impl HttpProblem {
    fn new(blame: HttpBlame, text: impl Into<String>) -> Self {
        Self { blame, text: text.into(), remedy: None }
    }
}

/// What is wrong with an answer over HTTP/1.0 that has a transfer coding.
pub const CODING_IN_HTTP_1_0: &str = "the answer is HTTP/1.0 and has a `Transfer-Encoding`, which \
                                      HTTP/1.0 does not know (RFC 9112, section 6.1)";

/// What hyper could not parse. It has predicates only for some of these.
fn describe_parsing(text: &str) -> &'static str {
    match text {
        "invalid HTTP header parsed" => {
            "a header line of the answer is malformed (RFC 9112, section 5): it has no colon, or a character that \
             its name or value cannot contain"
        }
        "invalid content-length parsed" => {
            "the answer's `Content-Length` is not one whole number (RFC 9112, section 6.3)"
        }
        "unexpected transfer-encoding parsed" => CODING_IN_HTTP_1_0,
        "invalid HTTP status-code parsed" => {
            "the answer's status line has no status from 100 to 999, or a character that it cannot contain"
        }
        "invalid HTTP version parsed" => "the answer does not begin with `HTTP/1.0` or `HTTP/1.1`",
        _ => "the answer is not HTTP/1.1",
    }
}

fn describe_end(error: &hyper::Error) -> &'static str {
    if error.is_incomplete_message() {
        "the target closed the connection before its answer was complete"
    } else {
        "the connection ended before the answer was complete"
    }
}

fn of_io(error: &io::Error) -> HttpProblem {
    match error.kind() {
        _ if find_tls_error(error).is_some() => HttpProblem {
            remedy: HandshakeProblem::of(error).map(HandshakeProblem::remedy),
            ..HttpProblem::new(HttpBlame::Tls, describe_io(error))
        },
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            HttpProblem::new(HttpBlame::Reset, describe_io(error))
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            HttpProblem::new(HttpBlame::Answer, describe_chunks(&error.to_string()))
        }
        io::ErrorKind::UnexpectedEof if !error.to_string().contains("close_notify") => {
            HttpProblem::new(
                HttpBlame::Connection,
                "the target closed the connection before the body was complete",
            )
        }
        _ => HttpProblem::new(HttpBlame::Connection, describe_io(error)),
    }
}

/// What is wrong with a chunked body. hyper has no types for these errors.
fn describe_chunks(text: &str) -> &'static str {
    if text.to_ascii_lowercase().contains("chunk size") {
        "the body's chunked framing is wrong: a chunk does not begin with its size in hexadecimal digits \
         (RFC 9112, section 7.1)"
    } else if text.contains("chunk body") {
        "the body's chunked framing is wrong: a chunk is not as long as announced (RFC 9112, section 7.1)"
    } else {
        "the body's chunked framing is wrong in a chunk extension or a trailer (RFC 9112, section 7.1)"
    }
}
