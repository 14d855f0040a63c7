//! Answers that break the rules of HTTP.

use bytes::Bytes;

use super::super::acts::Act;
use super::super::page::{Methods, Over, Page, Reply};
use super::super::script::{Ending, Framing, Script, Step};

pub(super) static GARBAGE: Page = Page {
    path: "/fault/garbage",
    over: Over::Any,
    does: "sends bytes that are no HTTP, then closes",
    outcome: "not HTTP",
    methods: Methods::Get,
    // Read as an HTTP/2 frame, its length is far above what any peer takes.
    reply: |_| Ok(wire(b"\xff\xfeSMTP ready\r\n\x00\r\n\r\n")),
};

pub(super) static CHUNK: Page = Page {
    path: "/fault/bad-chunk",
    over: Over::Http1,
    does: "sends a chunk whose length is no number",
    outcome: "not HTTP, in the body",
    methods: Methods::Get,
    reply: |_| {
        let bad = Act::Send(Bytes::from_static(b"nonsense\r\nhello\r\n0\r\n\r\n"));
        let steps = vec![Step::Head(Framing::Chunked), Step::Wire(bad)];
        Ok(Reply::Steps(Script { steps, ending: Ending::Close }))
    },
};

pub(super) static TWO_LENGTHS: Page = Page {
    path: "/fault/two-lengths",
    over: Over::Http1,
    does: "announces two different Content-Lengths",
    outcome: "not HTTP",
    methods: Methods::Get,
    reply: |_| {
        Ok(wire(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\nhellohell"))
    },
};

fn wire(bytes: &'static [u8]) -> Reply {
    let steps = vec![Step::Wire(Act::Send(Bytes::from_static(bytes)))];
    Reply::Steps(Script { steps, ending: Ending::Close })
}
