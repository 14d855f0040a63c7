//! What only HTTP/2 can do wrong: streams and connections ended by name, windows never opened.

use bytes::Bytes;
use h2::Reason;

use super::super::acts::Act;
use super::super::frames;
use super::super::page::{Methods, Over, Page, Reply};
use super::super::script::{Ending, Framing, Script, Step};

pub(super) static RESET_STREAM: Page = Page {
    path: "/fault/reset-stream",
    over: Over::Http2,
    does: "resets the stream (RST_STREAM) without an answer",
    outcome: "connection reset, before the first byte; the connection carries other streams on",
    methods: Methods::Get,
    reply: |_| Ok(Reply::Steps(Script::only(Ending::ResetStream(Reason::INTERNAL_ERROR)))),
};

pub(super) static RESET_STREAM_BODY: Page = Page {
    path: "/fault/reset-stream-body",
    over: Over::Http2,
    does: "resets the stream in the middle of the body",
    outcome: "connection reset, in the body; the connection carries other streams on",
    methods: Methods::Get,
    reply: |_| Ok(Reply::Steps(begun(Ending::ResetStream(Reason::INTERNAL_ERROR)))),
};

pub(super) static REFUSED_STREAM: Page = Page {
    path: "/fault/refused-stream",
    over: Over::Http2,
    does: "refuses the stream (REFUSED_STREAM): nothing was done",
    outcome: "connection reset, before the first byte; never silently sent again",
    methods: Methods::Get,
    reply: |_| Ok(Reply::Steps(Script::only(Ending::ResetStream(Reason::REFUSED_STREAM)))),
};

pub(super) static GOAWAY: Page = Page {
    path: "/fault/goaway",
    over: Over::Http2,
    does: "sends GOAWAY with an error and no answer, then closes",
    outcome: "closed early, before the first byte",
    methods: Methods::Get,
    reply: |_| Ok(Reply::Steps(going_away(Script::only(Ending::Close), 0))),
};

pub(super) static GOAWAY_BODY: Page = Page {
    path: "/fault/goaway-body",
    over: Over::Http2,
    does: "sends GOAWAY with an error in the middle of the body, then closes",
    outcome: "closed early, in the body",
    methods: Methods::Get,
    reply: |asked| Ok(Reply::Steps(going_away(begun(Ending::Close), asked.stream))),
};

pub(super) static PROTOCOL_ERROR: Page = Page {
    path: "/fault/protocol-error",
    over: Over::Http2,
    does: "sends DATA on stream 0, which no connection survives",
    outcome: "not HTTP",
    methods: Methods::Get,
    reply: |_| {
        let steps = vec![Step::Wire(Act::Send(frames::misplaced_data()))];
        Ok(Reply::Steps(Script { steps, ending: Ending::Hang }))
    },
};

pub(super) static NO_WINDOW: Page = Page {
    path: "/fault/no-window",
    over: Over::Http2,
    does: "opens no window: a request body above 64 KiB hangs; never answers",
    outcome: "timed out, before the first byte",
    methods: Methods::Any,
    reply: |_| Ok(Reply::Steps(Script::only(Ending::Hang))),
};

fn begun(ending: Ending) -> Script {
    let half = Bytes::from_static(&[b'.'; 512]);
    Script { steps: vec![Step::Head(Framing::Length(1024)), Step::Piece(half)], ending }
}

fn going_away(mut script: Script, last: u32) -> Script {
    script.steps.push(Step::Wire(Act::Send(frames::goaway(last, Reason::INTERNAL_ERROR))));
    script
}
