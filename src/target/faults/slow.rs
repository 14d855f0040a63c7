//! Answers that are slow or never arrive.

use std::time::Duration;

use bytes::Bytes;

use super::super::page::{AllowedMethods, HttpSupport, PageReply, TargetPage};
use super::super::script::{AnswerEnding, AnswerScript, AnswerStep, BodyFraming};
use super::super::socket_script::SocketAction;

/// The longest body that can trickle, in bytes.
const LONGEST: u32 = 1 << 20;

/// A head that takes 30 s at the usual pace.
const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 0\r\n\r\n";

pub(super) static HANG: TargetPage = TargetPage {
    path: "/fault/hang",
    support: HttpSupport::Any,
    does: "never answers, and keeps the connection open",
    outcome: "timed out, before the first byte",
    methods: AllowedMethods::Get,
    reply: |_| Ok(PageReply::Steps(AnswerScript::only(AnswerEnding::Hang))),
};

pub(super) static HEADERS: TargetPage = TargetPage {
    path: "/fault/slow-headers",
    support: HttpSupport::Http1,
    does: "sends the head byte by byte, each after `?every=` (400ms)",
    outcome: "timed out, after the first byte; ok where the timeout is longer",
    methods: AllowedMethods::Get,
    reply: |request| {
        let every = request.duration("every", Duration::from_millis(400))?;
        let steps = vec![AnswerStep::Wire(SocketAction::Trickle(Bytes::from_static(HEAD), every))];
        Ok(PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Complete }))
    },
};

pub(super) static BODY: TargetPage = TargetPage {
    path: "/fault/slow-body",
    support: HttpSupport::Any,
    does: "sends `?bytes=` (64) byte by byte, each after `?every=` (500ms)",
    outcome: "timed out, in the body; ok where the timeout is longer",
    methods: AllowedMethods::Get,
    reply: |request| {
        let count = request.number("bytes", 64, LONGEST)?;
        let every = request.duration("every", Duration::from_millis(500))?;
        let bytes = Bytes::from(vec![b'.'; count as usize]);
        let steps = vec![
            AnswerStep::Head(BodyFraming::Length(count.into())),
            AnswerStep::Trickle { bytes, every },
        ];
        Ok(PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Complete }))
    },
};
