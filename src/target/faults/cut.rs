//! Answers that end too early, or not at their announced length.

use bytes::Bytes;

use super::super::page::{AllowedMethods, HttpSupport, PageReply, TargetPage};
use super::super::script::{AnswerEnding, AnswerScript, AnswerStep, BodyFraming};

/// Length that a cut answer announces, in bytes; half of it is sent.
const ANNOUNCED: u64 = 1024;
const HALF: &[u8] = &[b'.'; 512];

/// Bytes that a client reading past an answer's length would mistake for the next answer.
const SURPLUS: &[u8] = b"HTTP/1.1 500 Surplus\r\ncontent-length: 0\r\n\r\n";

pub(super) static RESET: TargetPage = TargetPage {
    path: "/fault/reset",
    support: HttpSupport::Any,
    does: "resets the connection (RST) once the request is read",
    outcome: "connection reset, before the first byte",
    methods: AllowedMethods::Get,
    reply: |_| Ok(PageReply::Steps(AnswerScript::only(AnswerEnding::Reset))),
};

pub(super) static RESET_BODY: TargetPage = TargetPage {
    path: "/fault/reset-body",
    support: HttpSupport::Any,
    does: "resets the connection (RST) in the middle of the body",
    outcome: "connection reset, in the body",
    methods: AllowedMethods::Get,
    reply: |_| Ok(half(BodyFraming::Length(ANNOUNCED), AnswerEnding::Reset)),
};

pub(super) static CLOSE: TargetPage = TargetPage {
    path: "/fault/close",
    support: HttpSupport::Any,
    does: "closes the connection without an answer",
    outcome: "closed early, before the first byte; never silently sent again",
    methods: AllowedMethods::Get,
    reply: |_| Ok(PageReply::Steps(AnswerScript::only(AnswerEnding::Close))),
};

pub(super) static TRUNCATED: TargetPage = TargetPage {
    path: "/fault/truncated",
    support: HttpSupport::Any,
    does: "sends chunks (HTTP/2: DATA), and closes without the last one",
    outcome: "closed early, in the body",
    methods: AllowedMethods::Get,
    reply: |_| Ok(half(BodyFraming::Chunked, AnswerEnding::Close)),
};

pub(super) static SHORT: TargetPage = TargetPage {
    path: "/fault/short",
    support: HttpSupport::Any,
    does: "sends half of the Content-Length, then closes (HTTP/2: ends)",
    outcome: "closed early, in the body; HTTP/2: not HTTP",
    methods: AllowedMethods::Get,
    reply: |request| {
        let ending = if request.is_http2() { AnswerEnding::Complete } else { AnswerEnding::Close };
        Ok(half(BodyFraming::Length(ANNOUNCED), ending))
    },
};

pub(super) static LONG: TargetPage = TargetPage {
    path: "/fault/long",
    support: HttpSupport::Any,
    does: "sends more than the Content-Length: what looks like a second answer",
    outcome: "not HTTP, in the body; the surplus is never taken for the next answer",
    methods: AllowedMethods::Get,
    reply: |_| {
        let pieces = [&b"hello"[..], SURPLUS].concat();
        let steps =
            vec![AnswerStep::Head(BodyFraming::Length(5)), AnswerStep::Piece(Bytes::from(pieces))];
        Ok(PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Complete }))
    },
};

fn half(framing: BodyFraming, ending: AnswerEnding) -> PageReply {
    let steps = vec![AnswerStep::Head(framing), AnswerStep::Piece(Bytes::from_static(HALF))];
    PageReply::Steps(AnswerScript { steps, ending })
}
