//! Answers without an end.

use std::time::Duration;

use bytes::Bytes;

use super::super::acts::Act;
use super::super::frames;
use super::super::page::{Asked, Methods, Over, Page, Reply};
use super::super::script::{Ending, Framing, Script, Step};

const PIECE: &[u8] = &[b'.'; 1024];

pub(super) static BODY: Page = Page {
    path: "/fault/endless",
    over: Over::Any,
    does: "sends a body without end, as it is read or 1 KiB each `?every=`",
    outcome: "unexpected answer: larger than `max_body`; slow ones time out",
    methods: Methods::Get,
    reply: |asked| {
        let every = asked.duration("every", Duration::ZERO)?;
        let forever = Step::Forever { piece: Bytes::from_static(PIECE), every };
        let steps = vec![Step::Head(Framing::Chunked), forever];
        Ok(Reply::Steps(Script { steps, ending: Ending::Close }))
    },
};

pub(super) static HEADERS: Page = Page {
    path: "/fault/endless-headers",
    over: Over::Any,
    does: "sends a head without end (HTTP/2: CONTINUATION)",
    outcome: "not HTTP",
    methods: Methods::Get,
    reply: |asked| {
        let steps = endless_head(asked).map(Step::Wire).into();
        Ok(Reply::Steps(Script { steps, ending: Ending::Close }))
    },
};

fn endless_head(asked: &Asked<'_>) -> [Act; 2] {
    let (start, line) = if asked.is_http2() {
        (frames::open_headers(asked.stream), frames::continuation(asked.stream))
    } else {
        (Bytes::from_static(b"HTTP/1.1 200 OK\r\n"), Bytes::from_static(b"x-more: and more\r\n"))
    };
    [Act::Send(start), Act::Forever(line, Duration::ZERO)]
}
