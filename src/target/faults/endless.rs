//! Answers without an end.

use std::time::Duration;

use bytes::Bytes;

use super::super::frames;
use super::super::page::{AllowedMethods, HttpSupport, PageReply, PageRequest, TargetPage};
use super::super::script::{AnswerEnding, AnswerScript, AnswerStep, BodyFraming};
use super::super::socket_script::SocketAction;

const PIECE: &[u8] = &[b'.'; 1024];

pub(super) static BODY: TargetPage = TargetPage {
    path: "/fault/endless",
    support: HttpSupport::Any,
    does: "sends a body without end, as it is read or 1 KiB each `?every=`",
    outcome: "unexpected answer: larger than `max_body`; slow ones time out",
    methods: AllowedMethods::Get,
    reply: |asked| {
        let every = asked.duration("every", Duration::ZERO)?;
        let forever = AnswerStep::Forever { piece: Bytes::from_static(PIECE), every };
        let steps = vec![AnswerStep::Head(BodyFraming::Chunked), forever];
        Ok(PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Close }))
    },
};

pub(super) static HEADERS: TargetPage = TargetPage {
    path: "/fault/endless-headers",
    support: HttpSupport::Any,
    does: "sends a head without end (HTTP/2: CONTINUATION)",
    outcome: "not HTTP",
    methods: AllowedMethods::Get,
    reply: |asked| {
        let steps = endless_head(asked).map(AnswerStep::Wire).into();
        Ok(PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Close }))
    },
};

fn endless_head(asked: &PageRequest<'_>) -> [SocketAction; 2] {
    let (start, line) = if asked.is_http2() {
        (frames::open_headers(asked.stream), frames::continuation(asked.stream))
    } else {
        (Bytes::from_static(b"HTTP/1.1 200 OK\r\n"), Bytes::from_static(b"x-more: and more\r\n"))
    };
    [SocketAction::Send(start), SocketAction::Forever(line, Duration::ZERO)]
}
