//! Frames of HTTP/2 in raw bytes.

use crate::keeper::Act::{self, Hold, Read, Say};
use crate::keeper::{Case, Outcome};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

/// `:status: 200` from HPACK's static table.
pub(crate) const OK: &[u8] = &[0x88];

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A frame on the stream of the only request.
pub(crate) fn of_request(kind: u8, flags: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(kind, flags, 1, payload)
}

/// A frame on the connection.
pub(crate) fn of_connection(kind: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(kind, 0, 0, payload)
}

pub(crate) fn setting(id: u8, value: u32) -> Vec<u8> {
    of_connection(SETTINGS, [&[0, id][..], &value.to_be_bytes()].concat())
}

/// A head that does not end its stream.
pub(crate) fn head(block: impl AsRef<[u8]>) -> Vec<u8> {
    of_request(HEADERS, END_HEADERS, block)
}

/// A GOAWAY after the last of these streams.
pub(crate) fn goaway(last: u32, code: u32) -> Vec<u8> {
    of_connection(GOAWAY, [last.to_be_bytes(), code.to_be_bytes()].concat())
}

/// `hello`, and the end of the stream.
pub(crate) fn body() -> Vec<u8> {
    of_request(DATA, END_STREAM, b"hello")
}

/// A field that enters no table.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

/// Sends SETTINGS, these frames once a request came, and then does this.
pub(crate) fn http2_acts(frames: &[Vec<u8>], then: Act) -> Vec<Act> {
    let settings = of_connection(SETTINGS, b"");
    vec![Say(settings), Read, Say(frames.concat()), then, Hold]
}

/// A target that sends SETTINGS, these frames once a request came, and then does this.
pub(crate) fn http2(name: &'static str, frames: &[Vec<u8>], then: Act, outcome: Outcome) -> Case {
    Case::new(name, http2_acts(frames, then), outcome).with_keys("http = '2'")
}
