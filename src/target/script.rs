//! Answers in steps: what a whole answer, made at once, cannot say.
//!
//! A script says what is sent, in which order and how it ends, in the words of HTTP.
//! [`super::raw_http1`] puts it into the bytes of HTTP/1.1, [`super::stream`] into the frames of an
//! HTTP/2 stream.

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
    /// A part of the body: a chunk where the body is chunked, a DATA frame in HTTP/2.
    Piece(Bytes),
    /// A part of the body, byte by byte, with a pause before each.
    Trickle {
        /// What is sent.
        bytes: Bytes,
        /// The pause.
        every: Duration,
    },
    /// The same part of the body again and again, until the client goes.
    Forever {
        /// What is sent.
        piece: Bytes,
        /// The pause after each.
        every: Duration,
    },
    /// A trailer after the body; the ending has to be [`AnswerEnding::Complete`].
    Trailers,
    /// Something on the socket that no answer has: HTTP is left here, and not come back to.
    Wire(SocketAction),
}

/// How a client finds the end of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// `Content-Length`.
    Length(u64),
    /// Chunks; in HTTP/2 nothing but the stream's end.
    Chunked,
    /// The connection's end; in HTTP/2 as [`Self::Chunked`].
    UntilClose,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerEnding {
    /// As it should, and the connection goes on.
    Complete,
    /// As it should, and the connection's end is announced: `Connection: close`, or a graceful
    /// GOAWAY.
    Goodbye,
    /// The connection is closed where the answer has got to.
    Close,
    /// The connection is reset where the answer has got to.
    Reset,
    /// The stream is reset (HTTP/2 alone); the connection goes on.
    ResetStream(Reason),
    /// Nothing more comes, and the connection stays open until the client closes it.
    Hang,
}

impl AnswerScript {
    /// An answer of nothing but its ending.
    pub(super) fn only(ending: AnswerEnding) -> Self {
        Self { steps: Vec::new(), ending }
    }

    /// The same answer to HEAD: nothing after the head.
    pub(super) fn without_body(mut self) -> Self {
        self.steps.retain(|step| matches!(step, AnswerStep::Interim | AnswerStep::Head(_)));
        self
    }
}
