//! Faults that only HTTP/2 has: streams and connections ended with an error code, windows never
//! opened.

use bytes::Bytes;
use h2::Reason;

use super::super::frames;
use super::super::page::{AllowedMethods, HttpSupport, PageReply, TargetPage};
use super::super::script::{AnswerEnding, AnswerScript, AnswerStep, BodyFraming};
use super::super::socket_script::SocketAction;

pub(super) static RESET_STREAM: TargetPage = TargetPage {
    path: "/fault/reset-stream",
    support: HttpSupport::Http2,
    does: "resets the stream (RST_STREAM) without an answer",
    outcome: "connection reset, before the first byte; the connection carries other streams on",
    methods: AllowedMethods::Get,
    reply: |_| {
        Ok(PageReply::Steps(AnswerScript::only(AnswerEnding::ResetStream(Reason::INTERNAL_ERROR))))
    },
};

pub(super) static RESET_STREAM_BODY: TargetPage = TargetPage {
    path: "/fault/reset-stream-body",
    support: HttpSupport::Http2,
    does: "resets the stream in the middle of the body",
    outcome: "connection reset, in the body; the connection carries other streams on",
    methods: AllowedMethods::Get,
    reply: |_| Ok(PageReply::Steps(begun(AnswerEnding::ResetStream(Reason::INTERNAL_ERROR)))),
};

pub(super) static REFUSED_STREAM: TargetPage = TargetPage {
    path: "/fault/refused-stream",
    support: HttpSupport::Http2,
    does: "refuses the stream (REFUSED_STREAM): nothing was done",
    outcome: "connection reset, before the first byte; never silently sent again",
    methods: AllowedMethods::Get,
    reply: |_| {
        Ok(PageReply::Steps(AnswerScript::only(AnswerEnding::ResetStream(Reason::REFUSED_STREAM))))
    },
};

pub(super) static GOAWAY: TargetPage = TargetPage {
    path: "/fault/goaway",
    support: HttpSupport::Http2,
    does: "sends GOAWAY with an error and no answer, then closes",
    outcome: "closed early, before the first byte",
    methods: AllowedMethods::Get,
    reply: |_| Ok(PageReply::Steps(going_away(AnswerScript::only(AnswerEnding::Close), 0))),
};

pub(super) static GOAWAY_BODY: TargetPage = TargetPage {
    path: "/fault/goaway-body",
    support: HttpSupport::Http2,
    does: "sends GOAWAY with an error in the middle of the body, then closes",
    outcome: "closed early, in the body",
    methods: AllowedMethods::Get,
    reply: |request| Ok(PageReply::Steps(going_away(begun(AnswerEnding::Close), request.stream))),
};

pub(super) static PROTOCOL_ERROR: TargetPage = TargetPage {
    path: "/fault/protocol-error",
    support: HttpSupport::Http2,
    does: "sends DATA on stream 0, which no connection survives",
    outcome: "not HTTP",
    methods: AllowedMethods::Get,
    reply: |_| {
        let steps = vec![AnswerStep::Wire(SocketAction::Send(frames::misplaced_data()))];
        Ok(PageReply::Steps(AnswerScript { steps, ending: AnswerEnding::Hang }))
    },
};

pub(super) static NO_WINDOW: TargetPage = TargetPage {
    path: "/fault/no-window",
    support: HttpSupport::Http2,
    does: "opens no window: a request body above 64 KiB hangs; never answers",
    outcome: "timed out, before the first byte",
    methods: AllowedMethods::Any,
    reply: |_| Ok(PageReply::Steps(AnswerScript::only(AnswerEnding::Hang))),
};

fn begun(ending: AnswerEnding) -> AnswerScript {
    let half = Bytes::from_static(&[b'.'; 512]);
    AnswerScript {
        steps: vec![AnswerStep::Head(BodyFraming::Length(1024)), AnswerStep::Piece(half)],
        ending,
    }
}

fn going_away(mut script: AnswerScript, last: u32) -> AnswerScript {
    script
        .steps
        .push(AnswerStep::Wire(SocketAction::Send(frames::goaway(last, Reason::INTERNAL_ERROR))));
    script
}
