//! Scripted answers, for what a whole answer cannot express.
//!
//! A script states what is sent, in which order and how it ends, in terms of HTTP.
//! [`super::raw_http1`] writes it as HTTP/1.1 bytes, [`super::stream`] as frames of an HTTP/2
//! stream.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;

use super::socket_script::SocketAction;

/// An answer in steps.
#[derive(Debug, Clone)]
pub(super) struct AnswerScript {
    pub(super) steps: Vec<AnswerStep>,
    pub(super) ending: AnswerEnding,
}

/// One step of an answer.
#[derive(Debug, Clone)]
pub(super) enum AnswerStep {
    /// A 103 with a link, before the answer proper.
    Interim,
    /// The head of a 200.
    Head(BodyFraming),
    /// A part of the body: a chunk if the body is chunked, a DATA frame in HTTP/2.
    Piece(Bytes),
    /// A part of the body, byte by byte, with a pause before each.
    Trickle {
        /// What is sent.
        bytes: Bytes,
        /// The pause.
        every: Duration,
    },
    /// The same part of the body again and again, until the client disconnects.
    Forever {
        /// What is sent.
        piece: Bytes,
        /// The pause after each.
        every: Duration,
    },
    /// A trailer after the body; the ending must be [`AnswerEnding::Complete`].
    Trailers,
    /// Raw actions on the socket. HTTP ends here and does not resume.
    Wire(SocketAction),
}

/// How a client finds the end of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// `Content-Length`.
    Length(u64),
    /// Chunks; in HTTP/2 only the end of the stream.
    Chunked,
    /// The connection's end; in HTTP/2 as [`Self::Chunked`].
    UntilClose,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerEnding {
    /// Correctly; the connection continues.
    Complete,
    /// Correctly, and the end of the connection is announced: `Connection: close`, or a graceful
    /// GOAWAY.
    Goodbye,
    /// The connection is closed at this point of the answer.
    Close,
    /// The connection is reset at this point of the answer.
    Reset,
    /// The stream is reset (HTTP/2 only); the connection continues.
    ResetStream(Reason),
    /// Nothing more is sent, and the connection stays open until the client closes it.
    Hang,
}

impl AnswerScript {
    /// An answer that consists only of its ending.
    pub(super) fn only(ending: AnswerEnding) -> Self {
        Self { steps: Vec::new(), ending }
    }

    /// The same answer to HEAD: nothing after the head.
    pub(super) fn without_body(mut self) -> Self {
        self.steps.retain(|step| matches!(step, AnswerStep::Interim | AnswerStep::Head(_)));
        self
    }
}
