//! Endless input that carries nothing. It is named, ends early, and delays nobody else.

use std::sync::Arc;

use tollgate::record::Failure::{Flood, Malformed, OwnLimit};

use crate::http2_frames::{
    CONTINUATION, DATA, END_HEADERS, HEADERS, OK, PING, PRIORITY, PUSH_PROMISE, RESET, SETTINGS,
    WINDOW_UPDATE, body, field, frame, head, http2, of_connection, of_request,
};
use crate::keeper::Act::{Read, Repeat, Say};
use crate::keeper::Outcome::{self, Bad, Good};
use crate::keeper::{Case, perform, run, scenario, visit};

/// A target that repeats these frames once a request came.
fn repeats(name: &'static str, first: &[Vec<u8>], then: Vec<u8>, outcome: Outcome) -> Case {
    http2(name, first, Repeat(then), outcome)
}

/// Floods of an exchange over HTTP/2.
pub(crate) fn http_2_floods() -> Vec<Case> {
    let named =
        |name, frame| repeats(name, &[], frame, Bad(Flood, "HTTP/2 frames that carry no data"));
    let in_body = |name, frame| repeats(name, &[head(OK)], frame, Bad(Flood, "HTTP/2 frames"));
    let interim = [&[8, 3][..], b"103"].concat();
    vec![
        named("PRIORITY", of_request(PRIORITY, 0, [0, 0, 0, 0, 15])),
        named("PRIORITY of idle streams", frame(PRIORITY, 0, 201, [0, 0, 0, 0, 15])),
        named("unknown frames", of_connection(0xfa, b"")),
        named("large unknown frames", of_connection(0xfa, [0; 16_000])),
        named("WINDOW_UPDATE", of_connection(WINDOW_UPDATE, [0, 0, 0, 1])),
        named("WINDOW_UPDATE of the stream", of_request(WINDOW_UPDATE, 0, [0, 0, 0, 1])),
        named("PING", of_connection(PING, [7; 8])),
        named("answers to no PING", frame(PING, 1, 0, [7; 8])),
        named("SETTINGS", of_connection(SETTINGS, b"")),
        repeats(
            "acknowledged SETTINGS that nobody sent",
            &[],
            frame(SETTINGS, 1, 0, b""),
            Bad(Malformed, ""),
        ),
        named("103", head(interim)),
        in_body("empty DATA", of_request(DATA, 0, b"")),
        in_body("PING in a body", of_connection(PING, [7; 8])),
        repeats("RST_STREAM", &[head(OK), body()], of_request(RESET, 0, [0; 4]), Good),
        repeats(
            "PUSH_PROMISE",
            &[],
            of_request(PUSH_PROMISE, END_HEADERS, [0, 0, 0, 2, 0x82]),
            Bad(Malformed, ""),
        ),
        repeats(
            "CONTINUATION of one byte",
            &[of_request(HEADERS, 0, OK)],
            of_request(CONTINUATION, 0, [0x90]),
            Bad(Flood, "CONTINUATION"),
        ),
        repeats(
            "empty CONTINUATION",
            &[of_request(HEADERS, 0, OK)],
            of_request(CONTINUATION, 0, b""),
            Bad(Flood, "CONTINUATION"),
        ),
        repeats(
            "full CONTINUATION",
            &[of_request(HEADERS, 0, OK)],
            of_request(CONTINUATION, 0, field("x", &"y".repeat(100)).repeat(150)),
            Bad(Flood, "CONTINUATION"),
        ),
    ]
}

#[test]
fn of_http_2_frames() {
    visit(&http_2_floods());
}

/// Floods of an exchange over HTTP/1.1.
pub(crate) fn http_1_floods() -> Vec<Case> {
    let repeats = |name, first: &str, then: &str, outcome| {
        Case::new(name, vec![Read, Say(first.into()), Repeat(then.into())], outcome)
    };
    let ok = "HTTP/1.1 200 OK\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    vec![
        repeats("100", "", "HTTP/1.1 100 Continue\r\n\r\n", Bad(Flood, "interim answers")),
        repeats(
            "103 with a link",
            "",
            "HTTP/1.1 103 Early\r\nlink: x\r\n\r\n",
            Bad(Flood, "interim answers"),
        ),
        repeats("empty lines", "", "\r\n", Bad(Flood, "")),
        repeats("header lines", ok, "x: y\r\n", Bad(Flood, "")),
        repeats("long header lines", ok, &format!("x: {}\r\n", "y".repeat(4_000)), Bad(Flood, "")),
        repeats("a header line", &format!("{ok}x: "), "y", Bad(Flood, "")),
        repeats("a status line", ok.trim_end(), "y", Bad(Flood, "")),
        repeats(
            "chunk extensions",
            &format!("{chunked}5;"),
            "a=b;",
            Bad(Flood, "chunk extensions"),
        ),
        repeats("zeros of a chunk size", chunked, "0", Bad(Flood, "")),
        repeats("trailers", &format!("{chunked}0\r\n"), "x: y\r\n", Bad(OwnLimit, "trailers")),
        repeats("a trailer", &format!("{chunked}0\r\nx: "), "y", Bad(Flood, "")),
        repeats(
            "bytes after an answer",
            &format!("{ok}content-length: 2\r\n\r\nok"),
            "ok",
            Bad(Malformed, "more than"),
        ),
        repeats(
            "a body that is read",
            &format!("{ok}\r\n"),
            &"x".repeat(1_000),
            Bad(tollgate::record::Failure::Unexpected, ""),
        )
        .with_request("expect = { max_body = '200 MiB' }"),
        Case::new(
            "bytes before a request",
            vec![Repeat(b"220 hello\r\n".to_vec())],
            Bad(Malformed, ""),
        ),
    ]
}

#[test]
fn of_http_1_bytes() {
    visit(&http_1_floods());
}

/// A connection is flooded between its first exchange and the next, which fails. The third opens
/// another connection, and so on.
#[test]
fn of_connections_on_which_nothing_is_asked() {
    let tickets = of_connection(PING, [7; 8]);
    let acts = [
        Say(of_connection(SETTINGS, b"")),
        Read,
        Say([head(OK), body()].concat()),
        Repeat(tickets),
    ];
    let target = Arc::new(move |stream| {
        let _client_is_gone = perform(stream, &acts);
    });
    let keys = "http = '2'\n[load]\narrival_rate = '8/s'\nduration = '1s'\nconnections = 1";
    let case = Case { target, ..Case::new("", Vec::new(), Good) }.with_keys(keys);
    let measured = run(&[scenario((0, &case))]);
    let stage = &measured.scenarios[0].requests[0].measured;
    let seen = stage.evidence.by_count();
    assert_eq!((stage.tally.ok, stage.tally.failed_by(Flood)), (4, 4), "{seen:?}");
    assert!(seen[0].seen.contains("HTTP/2 frames"), "{seen:?}");
}
