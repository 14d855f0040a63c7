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
    reply: |request| {
        let every = request.duration("every", Duration::ZERO)?;
        let forever = AnswerStep::Forever { piece: Bytes::from_static(PIECE), every };
        let steps = vec![AnswerStep::Head(BodyFraming::Chunked), forever];
        Ok(PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Close }))
    },
};

pub(super) static HEADERS: TargetPage = TargetPage {
    path: "/fault/endless-headers",
    support: HttpSupport::Any,
    does: "sends a head without end (HTTP/2: CONTINUATION)",
    outcome: "flood",
    methods: AllowedMethods::Get,
    reply: |request| {
        let steps = endless_head(request).map(AnswerStep::Wire).into();
        Ok(PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Close }))
    },
};

fn endless_head(request: &PageRequest<'_>) -> [SocketAction; 2] {
    let (start, line) = if request.is_http2() {
        (frames::open_headers(request.stream), frames::continuation(request.stream))
    } else {
        (Bytes::from_static(b"HTTP/1.1 200 OK\r\n"), Bytes::from_static(b"x-more: and more\r\n"))
    };
    [SocketAction::Send(start), SocketAction::Forever(line, Duration::ZERO)]
}
