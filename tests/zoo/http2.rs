//! HTTP/2: frames that are malformed, of the wrong size, on the wrong stream, or out of turn.

use tollgate::record::Failure::{self, Closed, Malformed, Protocol, Reset, TimedOut};

use crate::http2_frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, OK, PADDED, PING, PRIORITY,
    PUSH_PROMISE, RESET, SETTINGS, WINDOW_UPDATE, body, field, frame, goaway, head, http2,
    of_connection, of_request, setting,
};
use crate::keeper::Act::{self, Close, Hold, Read, Say};
use crate::keeper::Outcome::{Bad, Good};
use crate::keeper::{Case, visit};

/// Frames that break a rule, in these words.
fn breaks(name: &'static str, frames: &[Vec<u8>], words: &'static str) -> Case {
    http2(name, frames, Hold, Bad(Malformed, words))
}

fn ends(name: &'static str, frames: &[Vec<u8>], failure: Failure, words: &'static str) -> Case {
    http2(name, frames, Close, Bad(failure, words))
}

const RULES: &str = "the target broke the rules of HTTP/2";

#[test]
fn sizes_and_streams_of_frames() {
    let rules = |name, frames: &[Vec<u8>]| breaks(name, frames, RULES);
    visit(&[
        rules("DATA on the connection", &[of_connection(DATA, b"x")]),
        rules("DATA on an idle stream", &[frame(DATA, 0, 7, b"x")]),
        rules("DATA on a stream of the server", &[frame(DATA, 0, 2, b"x")]),
        rules("HEADERS on the connection", &[of_connection(HEADERS, OK)]),
        rules("HEADERS on a stream of the server", &[frame(HEADERS, END_HEADERS, 2, OK)]),
        rules("PRIORITY of four bytes", &[of_request(PRIORITY, 0, [0; 4])]),
        rules("PRIORITY on the connection", &[of_connection(PRIORITY, [0; 5])]),
        rules("RST_STREAM of three bytes", &[of_request(RESET, 0, [0; 3])]),
        rules("RST_STREAM on the connection", &[of_connection(RESET, [0; 4])]),
        rules("RST_STREAM of an idle stream", &[frame(RESET, 0, 9, [0; 4])]),
        rules("SETTINGS of five bytes", &[of_connection(SETTINGS, [0; 5])]),
        rules("SETTINGS on a stream", &[of_request(SETTINGS, 0, b"")]),
        rules("an acknowledgement with settings", &[frame(SETTINGS, 1, 0, [0; 6])]),
        rules("PING of seven bytes", &[of_connection(PING, [0; 7])]),
        rules("PING of nine bytes", &[of_connection(PING, [0; 9])]),
        rules("PING on a stream", &[of_request(PING, 0, [0; 8])]),
        rules("GOAWAY of seven bytes", &[of_connection(GOAWAY, [0; 7])]),
        rules("GOAWAY on a stream", &[of_request(GOAWAY, 0, [0; 8])]),
        rules("WINDOW_UPDATE of three bytes", &[of_connection(WINDOW_UPDATE, [0; 3])]),
        rules("WINDOW_UPDATE of 0", &[of_connection(WINDOW_UPDATE, [0; 4])]),
        rules("WINDOW_UPDATE of 0 on the stream", &[of_request(WINDOW_UPDATE, 0, [0; 4])]),
        rules("CONTINUATION alone", &[of_request(CONTINUATION, END_HEADERS, OK)]),
        rules("a frame of 16,385 bytes", &[head(OK), of_request(DATA, 0, vec![0; 16_385])]),
        rules("padding beyond the frame", &[head(OK), of_request(DATA, PADDED, [9, 1])]),
    ]);
}

#[test]
fn states_settings_and_windows() {
    let rules = |name, frames: &[Vec<u8>]| breaks(name, frames, RULES);
    let largest = 0x7fff_ffff_u32.to_be_bytes();
    let promise = [&[0, 0, 0, 2, 0x82, 0x84, 0x86][..], &field(":authority", "a.test")].concat();
    let trailers = |block: &[u8]| of_request(HEADERS, END_HEADERS | END_STREAM, block);
    let too_much: Vec<_> = (0..600).map(|_| of_request(DATA, 0, [b'x'; 16_384])).collect();
    visit(&[
        rules("DATA before a head", &[body()]),
        rules("a second head", &[head(OK), head(OK), body()]),
        rules("a promise", &[of_request(PUSH_PROMISE, END_HEADERS, promise)]),
        rules(
            "a promise of an odd stream",
            &[of_request(PUSH_PROMISE, END_HEADERS, [0, 0, 0, 3, 0x82])],
        ),
        rules("a frame within a head", &[of_request(HEADERS, 0, OK), of_connection(PING, [0; 8])]),
        rules(
            "another stream within a head",
            &[of_request(HEADERS, 0, OK), frame(CONTINUATION, 4, 3, OK)],
        ),
        rules("ENABLE_PUSH of 2", &[setting(2, 2)]),
        rules("INITIAL_WINDOW_SIZE of 2^31", &[setting(4, 1 << 31)]),
        rules("MAX_FRAME_SIZE of 100", &[setting(5, 100)]),
        rules("MAX_FRAME_SIZE of 2^24", &[setting(5, 1 << 24)]),
        rules("a window beyond 2^31 on the connection", &[of_connection(WINDOW_UPDATE, largest)]),
        rules("a window beyond 2^31 on the stream", &[of_request(WINDOW_UPDATE, 0, largest)]),
        rules(
            "windows beyond 2^31 by SETTINGS",
            &[of_request(WINDOW_UPDATE, 0, 0x7fff_0000_u32.to_be_bytes()), setting(4, 0x7fff_ffff)],
        ),
        rules("more than the window", &[&[head(OK)][..], &too_much].concat())
            .with_request("expect = { max_body = '100 MiB' }"),
        rules("`:path` in an answer", &[head([OK, &[0x84]].concat()), body()]),
        rules("`:method` in an answer", &[head([OK, &[0x82]].concat()), body()]),
        rules(
            "`:authority` in letters in an answer",
            &[head([OK, &field(":authority", "a")].concat()), body()],
        ),
        rules("an unknown pseudo-field", &[head([OK, &field(":odd", "a")].concat()), body()]),
        rules("`:status` in trailers", &[head(OK), of_request(DATA, 0, b"hello"), trailers(OK)]),
        rules("`:path` in trailers", &[head(OK), of_request(DATA, 0, b"hello"), trailers(&[0x84])]),
        rules("`:status` after a field", &[head([&field("x", "1"), OK].concat()), body()]),
        rules("two statuses", &[head([OK, OK].concat()), body()]),
        rules("no status", &[head(field("x", "1")), body()]),
    ]);
}

#[test]
fn turns_and_padding() {
    let rules = |name, frames: &[Vec<u8>]| breaks(name, frames, RULES);
    visit(&[
        rules("ENABLE_PUSH of 1", &[setting(2, 1)]),
        rules("ENABLE_CONNECT_PROTOCOL of 2", &[setting(8, 2)]),
        rules(
            "HEADERS on a stream of the future",
            &[frame(HEADERS, END_HEADERS | END_STREAM, 7, OK)],
        ),
        rules(
            "an interim answer that ends",
            &[of_request(HEADERS, END_HEADERS | END_STREAM, [&[8, 3][..], b"103"].concat())],
        ),
        rules(
            "trailers that do not end",
            &[head(OK), of_request(DATA, 0, b"hello"), head(field("x", "1")), body()],
        ),
        rules(
            "CONTINUATION after a whole head",
            &[head(OK), of_request(CONTINUATION, END_HEADERS, field("x", "1"))],
        ),
        rules("padding equal to HEADERS", &[of_request(HEADERS, END_HEADERS | PADDED, [2, 0x88])]),
        rules("padding equal to DATA", &[head(OK), of_request(DATA, PADDED | END_STREAM, [2, 1])]),
        rules("PADDED without a length", &[head(OK), of_request(DATA, PADDED | END_STREAM, b"")]),
        rules("a second GOAWAY with a later stream", &[goaway(1, 0), goaway(3, 0)]),
        rules("a body for HEAD", &[head(OK), body()]).with_request("method = 'HEAD'"),
        rules("a body of 204", &[head(field(":status", "204")), body()]),
        rules("DATA after the end", &[head(OK), body(), body()]),
        rules("a head after the end", &[head(OK), body(), head(OK)]),
        http2("a window that never opens", &[setting(4, 0)], Hold, Bad(TimedOut, ""))
            .with_request("method = 'POST'\nbody = 'a body'"),
    ]);
}

#[test]
fn fields_and_compression() {
    let rules = |name, block: &[u8]| breaks(name, &[head(block), body()], RULES);
    let with = |name: &str, value: &str| [OK, &field(name, value)].concat();
    visit(&[
        rules("an upper-case name", &with("X-Upper", "1")),
        rules("a name with a space", &with("x y", "1")),
        rules("a line break in a value", &with("x", "a\r\nb")),
        rules("NUL in a value", &with("x", "a\0b")),
        rules("an empty name", &with("", "a")),
        rules("`connection`", &with("connection", "close")),
        rules("`keep-alive`", &with("keep-alive", "1")),
        rules("`proxy-connection`", &with("proxy-connection", "close")),
        rules("`upgrade`", &with("upgrade", "h2c")),
        rules("a carriage return in a value", &with("x", "a\rb")),
        rules("a colon in a name", &with("x:y", "1")),
        rules("a control character in a name", &with("x\x01", "1")),
        rules("an 8-bit name", &with("x\u{e9}", "1")),
        rules("a length that is no number", &with("content-length", "5x")),
        rules("a signed length", &with("content-length", "+5")),
        rules("a length beyond 2^64", &with("content-length", "99999999999999999999")),
        rules("status 1000", &field(":status", "1000")),
        rules("status 99", &field(":status", "099")),
        rules("an empty status", &field(":status", "")),
        rules("status 101", &field(":status", "101")),
        rules("`transfer-encoding`", &with("transfer-encoding", "chunked")),
        rules("a status in letters", &[8, 3, b'a', b'b', b'c']),
        rules("a short body", &with("content-length", "6")),
        rules("a long body", &with("content-length", "4")),
        rules("two lengths", &[with("content-length", "5"), field("content-length", "6")].concat()),
        rules("index 0", &[0x88, 0x80]),
        rules("an index beyond the table", &[0x88, 0xff, 0xff, 0xff, 0x7f]),
        rules("an index of the empty table", &[0x88, 0xbe]),
        rules("an integer without end", &[0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        rules("a text beyond the block", &[0x88, 0, 0x7f, 0xff, 0x7f, b'x']),
        rules("a block that is cut off", &[0x88, 0, 5, b'a']),
        rules("Huffman with EOS", &[0x88, 0, 0x84, 0xff, 0xff, 0xff, 0xff, 1, b'x']),
        rules("a table beyond the limit", &[0x3f, 0xff, 0xff, 0x7f, 0x88]),
        rules("a table size after a field", &[0x88, 0x20]),
    ]);
}

#[test]
fn ends_of_streams_and_connections() {
    let reset = |code: u32| of_request(RESET, 0, code.to_be_bytes());
    let silent =
        |name, frames: &[Vec<u8>], failure, words| http2(name, frames, Hold, Bad(failure, words));
    let broken =
        |name, frames: &[Vec<u8>], words| http2(name, frames, Act::Reset, Bad(Reset, words));
    let plain = |name, bytes: &[u8], words| {
        let acts = vec![Read, Say(bytes.to_vec()), Close];
        Case::new(name, acts, Bad(Protocol, words)).with_keys("http = '2'")
    };
    visit(&[
        silent("RST_STREAM", &[reset(2)], Reset, "INTERNAL_ERROR, 0x2"),
        silent("RST_STREAM in the body", &[head(OK), reset(8)], Reset, "CANCEL, 0x8"),
        silent("RST_STREAM of an unknown code", &[reset(0x99)], Reset, "0x99"),
        silent("RST_STREAM for HTTP/1.1", &[reset(0xd)], Protocol, "HTTP/1.1"),
        ends("GOAWAY, PROTOCOL_ERROR", &[goaway(0, 1)], Closed, "PROTOCOL_ERROR, 0x1"),
        ends("GOAWAY, ENHANCE_YOUR_CALM", &[goaway(1, 0xb)], Closed, "ENHANCE_YOUR_CALM, 0xb"),
        ends("GOAWAY of an unknown code", &[goaway(1, 0x77)], Closed, "0x77"),
        ends("GOAWAY in a body", &[head(OK), goaway(1, 2)], Closed, "INTERNAL_ERROR, 0x2"),
        silent(
            "GOAWAY that leaves the connection open",
            &[goaway(0, 0xc)],
            Closed,
            "INADEQUATE_SECURITY, 0xc",
        ),
        broken("GOAWAY and a reset", &[goaway(1, 3)], "FLOW_CONTROL_ERROR, 0x3"),
        http2("GOAWAY, then the answer", &[goaway(1, 0), head(OK), body()], Hold, Good),
        ends("a close in a frame's head", &[vec![0, 0]], Closed, ""),
        ends("a close in a payload", &[head(OK), body()[..11].to_vec()], Closed, ""),
        ends("a close before an answer", &[], Closed, ""),
        ends("a close in a body", &[head(OK)], Closed, ""),
        silent("silence", &[], TimedOut, ""),
        silent("silence in a body", &[head(OK)], TimedOut, ""),
        silent("silence in a head", &[of_request(HEADERS, 0, OK)], TimedOut, ""),
        plain(
            "HTTP/1.1",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            "answered in HTTP/1.1",
        ),
        plain("nothing", b"", "closed the connection before"),
        plain("garbage", b"garbage that is no frame at all", "did not answer in HTTP/2"),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_rare() {
    visit(&[
        http2("no stream", &[setting(3, 0)], Hold, Bad(TimedOut, "")),
        http2(
            "padding alone",
            &[head(OK), of_request(DATA, PADDED, [3, 0, 0, 0]), body()],
            Hold,
            Good,
        ),
        http2(
            "padding of a head",
            &[of_request(HEADERS, END_HEADERS | PADDED, [1, 0x88, 0]), body()],
            Hold,
            Good,
        ),
        http2(
            "a reserved bit",
            &[frame(HEADERS, END_HEADERS, 0x8000_0001, OK), body()],
            Hold,
            Good,
        ),
        http2("unknown settings", &[setting(0x99, 7), head(OK), body()], Hold, Good),
        http2(
            "a table of no entries, and of very many",
            &[setting(1, 0), setting(1, u32::MAX), head(OK), body()],
            Hold,
            Good,
        ),
        http2(
            "size updates",
            &[head([&[0x20, 0x3f, 0xe1, 0x1f][..], OK].concat()), body()],
            Hold,
            Good,
        ),
        http2(
            "unknown frames",
            &[frame(0xa, 0, 0, b"x"), head(OK), frame(0xc, 0xff, 1, b"x"), body()],
            Hold,
            Good,
        ),
        http2(
            "trailers",
            &[
                head(OK),
                of_request(DATA, 0, b"hello"),
                of_request(HEADERS, END_HEADERS | END_STREAM, field("x", "1")),
            ],
            Hold,
            Good,
        ),
        http2("a head alone", &[of_request(HEADERS, END_HEADERS | END_STREAM, OK)], Hold, Good),
        Case::new(
            "no SETTINGS first",
            vec![Read, Say([head(OK), body()].concat()), Hold],
            Bad(Malformed, RULES),
        )
        .with_keys("http = '2'"),
        Case::new(
            "an acknowledgement first",
            vec![Read, Say([frame(SETTINGS, 1, 0, b""), head(OK), body()].concat()), Hold],
            Bad(Malformed, RULES),
        )
        .with_keys("http = '2'"),
        http2("an answer before the upload", &[head(OK), body()], Hold, Good)
            .with_request("method = 'POST'\nbody = 'a body'"),
        http2(
            "150 fields",
            &[head([OK, &field("x", "y").repeat(150)].concat()), body()],
            Hold,
            Good,
        ),
        http2(
            "empty CONTINUATION frames",
            &[
                of_request(HEADERS, 0, OK),
                of_request(CONTINUATION, 0, b"").repeat(40),
                of_request(CONTINUATION, END_HEADERS, b""),
                body(),
            ],
            Hold,
            Good,
        ),
    ]);
}
