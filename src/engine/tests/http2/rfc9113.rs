//! What RFC 9113 wants a client to accept, and what it must treat as an error: one row a case.

use std::time::Duration;

use ::bytes::Bytes;
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::harness::{Watcher, millis, open, watch_run};
use super::super::measured;
use super::http2;
use super::server::plain_http2;
use crate::engine::connection::dial::{DialFuture, Dialer, UrlOrigin};
use crate::engine::stop_channel;
use crate::engine::time::clock::Instant;
use crate::expect::{Expectation, ExpectationSet, ResponseCheck};
use crate::plan::ScenarioPlan;
use crate::record::{Dimension, Failure, ScenarioMeasurement};
use crate::recorder::ExchangeParts;
use crate::units::ByteSize;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITIZED: u8 = 0x20;

/// `:status: 200` from HPACK's static table.
const OK: &[u8] = &[0x88];

/// The stream of a frame.
#[derive(Debug, Clone, Copy)]
enum On {
    Connection,
    /// The stream of the request.
    Request,
    /// A stream with this number.
    Stream(u32),
}

#[derive(Debug, Clone)]
struct Frame {
    kind: u8,
    flags: u8,
    on: On,
    payload: Vec<u8>,
}

impl Frame {
    fn bytes(&self, request: u32) -> Vec<u8> {
        let stream = match self.on {
            On::Connection => 0,
            On::Request => request,
            On::Stream(id) => id,
        };
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[self.kind, self.flags], &stream.to_be_bytes()].concat();
        [head, self.payload.clone()].concat()
    }
}

fn frame(kind: u8, flags: u8, on: On, payload: impl AsRef<[u8]>) -> Frame {
    Frame { kind, flags, on, payload: payload.as_ref().to_vec() }
}

/// A frame on the stream of the request.
fn of_request(kind: u8, flags: u8, payload: impl AsRef<[u8]>) -> Frame {
    frame(kind, flags, On::Request, payload)
}

/// A frame on the connection.
fn of_connection(kind: u8, payload: impl AsRef<[u8]>) -> Frame {
    frame(kind, 0, On::Connection, payload)
}

fn setting(id: u8, value: u32) -> Frame {
    of_connection(SETTINGS, [&[0, id][..], &value.to_be_bytes()].concat())
}

/// A head that does not end its stream.
fn head(block: impl AsRef<[u8]>) -> Frame {
    of_request(HEADERS, END_HEADERS, block)
}

/// `hello`, and the end of the stream.
fn body() -> Frame {
    of_request(DATA, END_STREAM, b"hello")
}

/// A field that enters no table.
fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

/// A head of 200 with one more field.
fn head_with(name: &str, value: &str) -> Frame {
    head([OK, &field(name, value)].concat())
}

/// An interim head.
fn interim(status: &str) -> Frame {
    head([&[8, 3], status.as_bytes()].concat())
}

/// Dials a server that sends these frames for each request.
struct FrameDial(Vec<Frame>);

impl Dialer for FrameDial {
    fn dial<'a>(
        &'a self,
        _: &'a UrlOrigin,
        parts: &'a mut ExchangeParts,
        _: Instant,
    ) -> DialFuture<'a> {
        Box::pin(async {
            parts.set_duration(Dimension::Connect, Duration::ZERO);
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            tokio::task::spawn_local(answer(theirs, self.0.clone()));
            Ok(plain_http2(ours))
        })
    }
}

/// Sends the frames for each HEADERS that arrives; `None` once the client is gone.
async fn answer(mut stream: DuplexStream, frames: Vec<Frame>) -> Option<()> {
    stream.read_exact(&mut [0; 24]).await.ok()?;
    stream.write_all(&of_connection(SETTINGS, b"").bytes(0)).await.ok()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; usize::try_from(length).ok()?]).await.ok()?;
        if head[3] == HEADERS {
            let request = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            for frame in &frames {
                stream.write_all(&frame.bytes(request)).await.ok()?;
            }
        }
    }
}

fn measure(plan: ScenarioPlan, frames: Vec<Frame>) -> ScenarioMeasurement {
    let dials = vec![FrameDial(frames)];
    watch_run(plan, dials, Watcher::default(), stop_channel().1).0.scenarios.remove(0)
}

/// Two requests, one after the other.
fn two_requests() -> ScenarioPlan {
    let mut plan = http2(open(2.0, 1, 1), 1);
    plan.target.timeouts.whole = millis(900);
    plan
}

/// The name of a case and what happened instead, if the two requests did not end like this.
fn deviation(
    name: &str,
    plan: ScenarioPlan,
    frames: Vec<Frame>,
    ending: Option<Failure>,
) -> Option<String> {
    let scenario = measure(plan, frames);
    let tally = &measured(&scenario).tally;
    let as_expected = ending.map_or(tally.ok, |failure| tally.failed_by(failure));
    let seen = measured(&scenario).evidence.by_count();
    let words = "the target broke the rules of HTTP/2";
    let is_named = ending.is_none() || seen.iter().all(|one| one.seen.starts_with(words));
    (as_expected != 2 || !is_named).then(|| format!("{name}: {} ok, {seen:?}", tally.ok))
}

#[test]
fn lawful_heads_are_read() {
    let padded = |block: &[u8]| [&[3], block, &[0; 3]].concat();
    let weighted = |block: &[u8]| [&[0, 0, 0, 0, 15], block].concat();
    let deviations = [
        ("a head and a body", vec![head(OK), body()]),
        ("a head alone", vec![of_request(HEADERS, END_HEADERS | END_STREAM, OK)]),
        ("204", vec![of_request(HEADERS, END_HEADERS | END_STREAM, [0x89])]),
        (
            "100 and 103 first",
            vec![interim("100"), interim("103"), interim("103"), head(OK), body()],
        ),
        (
            "a head in three frames",
            vec![
                of_request(HEADERS, 0, OK),
                of_request(CONTINUATION, 0, field("a", "b")),
                of_request(CONTINUATION, END_HEADERS, field("c", "d")),
                body(),
            ],
        ),
        ("a padded head", vec![of_request(HEADERS, END_HEADERS | PADDED, padded(OK)), body()]),
        (
            "a head with a priority",
            vec![of_request(HEADERS, END_HEADERS | PRIORITIZED, weighted(OK)), body()],
        ),
        (
            "a padded head with a priority",
            vec![
                of_request(HEADERS, END_HEADERS | PADDED | PRIORITIZED, padded(&weighted(OK))),
                body(),
            ],
        ),
    ]
    .into_iter()
    .filter_map(|(name, frames)| deviation(name, two_requests(), frames, None));
    assert_eq!(deviations.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn lawful_bodies_are_read() {
    let padded = |block: &[u8]| [&[3], block, &[0; 3]].concat();
    let deviations = [
        ("padded data", vec![head(OK), of_request(DATA, PADDED | END_STREAM, padded(b"hello"))]),
        ("empty data", vec![head(OK), of_request(DATA, 0, b""), body()]),
        (
            "empty data at the end",
            vec![head(OK), of_request(DATA, 0, b"hello"), of_request(DATA, END_STREAM, b"")],
        ),
        ("the largest frame", vec![head(OK), of_request(DATA, END_STREAM, [b'x'; 16_384])]),
        (
            "trailers",
            vec![
                head(OK),
                of_request(DATA, 0, b"hello"),
                of_request(HEADERS, END_HEADERS | END_STREAM, field("grpc-status", "0")),
            ],
        ),
    ]
    .into_iter()
    .filter_map(|(name, frames)| deviation(name, two_requests(), frames, None));
    assert_eq!(deviations.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn frames_between_those_of_an_answer_change_nothing() {
    let deviations = [
        (
            "PRIORITY, also of an idle stream",
            vec![
                of_request(PRIORITY, 0, [0, 0, 0, 0, 15]),
                frame(PRIORITY, 0, On::Stream(201), [0, 0, 0, 0, 15]),
                head(OK),
                body(),
            ],
        ),
        (
            "unknown frames",
            vec![
                of_connection(0xfa, b"grease"),
                of_request(0xfb, 0xff, b"grease"),
                head(OK),
                of_request(0xfb, 0, b""),
                body(),
            ],
        ),
        (
            "ALTSVC and ORIGIN",
            vec![
                of_connection(0x0a, b"\0\0h2=\":1\""),
                of_connection(0x0c, b"\0\x09https://a"),
                head(OK),
                body(),
            ],
        ),
        ("unknown flags", vec![of_request(HEADERS, END_HEADERS | 0xc2, OK), body()]),
        ("an unknown setting", vec![setting(0xf0, 7), head(OK), body()]),
        (
            "settings that change",
            vec![
                setting(4, 10),
                setting(3, 1),
                setting(1, 0),
                head(OK),
                setting(5, 1 << 20),
                setting(4, 70_000),
                setting(3, 9),
                body(),
            ],
        ),
    ]
    .into_iter()
    .filter_map(|(name, frames)| deviation(name, two_requests(), frames, None));
    assert_eq!(deviations.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn signals_of_the_connection_and_unusual_fields_change_nothing() {
    let deviations = [
        ("a shrunk HPACK table", vec![head([&[0x20], OK].concat()), body()]),
        ("PING", vec![of_connection(PING, [7; 8]), head(OK), of_connection(PING, [8; 8]), body()]),
        (
            "WINDOW_UPDATE",
            vec![
                of_connection(WINDOW_UPDATE, [0, 0, 1, 0]),
                of_request(WINDOW_UPDATE, 0, [0, 0, 1, 0]),
                head(OK),
                body(),
                of_request(WINDOW_UPDATE, 0, [0, 0, 1, 0]),
            ],
        ),
        (
            "a graceful GOAWAY, then the answer",
            vec![of_connection(GOAWAY, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]), head(OK), body()],
        ),
        ("RST_STREAM after the answer", vec![head(OK), body(), of_request(RESET, 0, [0; 4])]),
        ("a true length", vec![head_with("content-length", "5"), body()]),
        (
            "several cookies",
            vec![
                head([OK, &field("set-cookie", "a=1"), &field("set-cookie", "b=2")].concat()),
                body(),
            ],
        ),
        ("an empty field", vec![head_with("x-empty", ""), body()]),
    ]
    .into_iter()
    .filter_map(|(name, frames)| deviation(name, two_requests(), frames, None));
    assert_eq!(deviations.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn an_answer_of_304_has_a_length_and_no_body() {
    let mut plan = two_requests();
    let check = ResponseCheck::Status(vec![StatusCode::NOT_MODIFIED]);
    let expectation = Expectation { written: String::new(), check };
    plan.requests[0].expectations = ExpectationSet::new(vec![expectation], ByteSize(1_000));
    let block = [&[0x8b][..], &field("content-length", "5")].concat();
    let frames = vec![of_request(HEADERS, END_HEADERS | END_STREAM, block)];
    assert_eq!(deviation("304", plan, frames, None), None);
}

#[test]
fn an_answer_to_head_has_a_length_and_no_body() {
    let mut plan = two_requests();
    plan.requests[0].http_mut().method = Method::HEAD;
    let block = [OK, &field("content-length", "5000")].concat();
    let frames = vec![of_request(HEADERS, END_HEADERS | END_STREAM, block)];
    assert_eq!(deviation("HEAD", plan, frames, None), None);
}

/// RFC 9113, section 8.1: the answer is complete, and the client must not discard it.
#[test]
fn an_answer_before_the_upload_was_read_counts_although_the_stream_is_reset() {
    let mut plan = two_requests();
    let request = plan.requests[0].http_mut();
    (request.method, request.body) = (Method::POST, Bytes::from(vec![b'x'; 300_000]));
    let frames = vec![head(OK), body(), of_request(RESET, 0, [0; 4])];
    assert_eq!(deviation("RST_STREAM NO_ERROR", plan, frames, None), None);
}

#[test]
fn what_breaks_the_rules_is_malformed() {
    let deviations = [
        ("an upper-case name", vec![head_with("X-Upper", "1"), body()]),
        ("a name with a space", vec![head_with("x y", "1"), body()]),
        ("a line break in a value", vec![head_with("x", "a\r\nb"), body()]),
        ("no status", vec![head(field("x", "1")), body()]),
        ("two statuses", vec![head([OK, OK].concat()), body()]),
        ("a status after a field", vec![head([&field("x", "1"), OK].concat()), body()]),
        ("an unknown pseudo-header", vec![head_with(":odd", "1"), body()]),
        ("`connection`", vec![head_with("connection", "close"), body()]),
        ("`transfer-encoding`", vec![head_with("transfer-encoding", "chunked"), body()]),
        ("a short body", vec![head_with("content-length", "6"), body()]),
        ("a long body", vec![head_with("content-length", "4"), body()]),
        (
            "a length and no body",
            vec![of_request(
                HEADERS,
                END_HEADERS | END_STREAM,
                [OK, &field("content-length", "5")].concat(),
            )],
        ),
        ("a second head", vec![head(OK), head(OK), body()]),
        ("data before a head", vec![body()]),
        (
            "an interim head that ends the stream",
            vec![of_request(HEADERS, END_HEADERS | END_STREAM, [&[8, 3][..], b"103"].concat())],
        ),
        (
            "PUSH_PROMISE",
            vec![of_request(
                PUSH_PROMISE,
                END_HEADERS,
                [&[0, 0, 0, 2, 0x82, 0x84, 0x86][..], &field(":authority", "target.test")].concat(),
            )],
        ),
        ("CONTINUATION without HEADERS", vec![of_request(CONTINUATION, END_HEADERS, OK)]),
        ("a frame within a head", vec![of_request(HEADERS, 0, OK), of_connection(PING, [0; 8])]),
        ("an idle stream", vec![frame(HEADERS, END_HEADERS, On::Stream(1_001), OK)]),
        ("HEADERS on the connection", vec![frame(HEADERS, END_HEADERS, On::Connection, OK)]),
        ("padding beyond the frame", vec![head(OK), of_request(DATA, PADDED, [9, b'x'])]),
        ("a frame that is too large", vec![head(OK), of_request(DATA, 0, [b'x'; 16_385])]),
        ("a WINDOW_UPDATE of 0", vec![of_connection(WINDOW_UPDATE, [0; 4])]),
        ("SETTINGS of five bytes", vec![of_connection(SETTINGS, [0; 5])]),
        ("SETTINGS on a stream", vec![of_request(SETTINGS, 0, b"")]),
        ("a window beyond 31 bits", vec![setting(4, 1 << 31)]),
        ("a frame size below 16 KiB", vec![setting(5, 100)]),
        ("PING of seven bytes", vec![of_connection(PING, [0; 7])]),
        ("RST_STREAM of an idle stream", vec![frame(RESET, 0, On::Stream(1_001), [0; 4])]),
        ("PRIORITY of four bytes", vec![of_request(PRIORITY, 0, [0; 4])]),
    ]
    .into_iter()
    .filter_map(|(name, frames)| deviation(name, two_requests(), frames, Some(Failure::Malformed)));
    assert_eq!(deviations.collect::<Vec<_>>(), [""; 0]);
}

/// RFC 9113, section 8.1.1, requires a client to reject these, and section 6.9.1 the last one. `h2`
/// accepts them.
#[test]
fn what_breaks_rules_that_the_library_does_not_check_is_malformed() {
    let deviations = [
        ("a request pseudo-header", vec![head([OK, &[0x84]].concat()), body()]),
        ("a status in trailers", vec![head(OK), of_request(HEADERS, END_HEADERS | END_STREAM, OK)]),
        ("a large window", vec![of_request(WINDOW_UPDATE, 0, [0x7f, 0xff, 0xff, 0xff])]),
    ]
    .into_iter()
    .filter_map(|(name, frames)| deviation(name, two_requests(), frames, Some(Failure::Malformed)));
    assert_eq!(deviations.collect::<Vec<_>>(), [""; 0]);
}
