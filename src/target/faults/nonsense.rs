//! Answers that break the rules of HTTP.

use bytes::Bytes;

use super::super::page::{AllowedMethods, HttpSupport, PageReply, TargetPage};
use super::super::script::{AnswerEnding, AnswerScript, AnswerStep, BodyFraming};
use super::super::socket_script::SocketAction;

pub(super) static GARBAGE: TargetPage = TargetPage {
    path: "/fault/garbage",
    support: HttpSupport::Any,
    does: "sends bytes that are not HTTP, then closes",
    outcome: "not HTTP",
    methods: AllowedMethods::Get,
    // Read as an HTTP/2 frame, its length is far above what any peer accepts.
    reply: |_| Ok(wire(b"\xff\xfeSMTP ready\r\n\x00\r\n\r\n")),
};

pub(super) static CHUNK: TargetPage = TargetPage {
    path: "/fault/bad-chunk",
    support: HttpSupport::Http1,
    does: "sends a chunk whose length is not a number",
    outcome: "not HTTP, in the body",
    methods: AllowedMethods::Get,
    reply: |_| {
        let bad = SocketAction::Send(Bytes::from_static(b"nonsense\r\nhello\r\n0\r\n\r\n"));
        let steps = vec![AnswerStep::Head(BodyFraming::Chunked), AnswerStep::Wire(bad)];
        Ok(PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Close }))
    },
};

pub(super) static TWO_LENGTHS: TargetPage = TargetPage {
    path: "/fault/two-lengths",
    support: HttpSupport::Http1,
    does: "announces two different Content-Lengths",
    outcome: "not HTTP",
    methods: AllowedMethods::Get,
    reply: |_| {
        Ok(wire(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\nhellohell"))
    },
};

fn wire(bytes: &'static [u8]) -> PageReply {
    let steps = vec![AnswerStep::Wire(SocketAction::Send(Bytes::from_static(bytes)))];
    PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Close })
}
