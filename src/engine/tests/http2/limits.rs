//! What a server may do and `h2` limits.

use std::time::Duration;

use ::bytes::Bytes;

use super::bytes::{SETTINGS, against_bytes};
use super::server::{Act, Http2Dial};
use super::{always, http2, run, seen};
use crate::engine::tests::harness::{millis, open};
use crate::engine::tests::measured;
use crate::record::Failure;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

#[test]
fn empty_data_frames_end_no_connection_however_many_there_are() {
    for empty in [3, 150] {
        let (scenario, log) = run(http2(open(50.0, 1, 1), 4), always(Act::EmptyData(empty)));
        let tally = &measured(&scenario).tally;
        assert_eq!((tally.ok, tally.failed(), log.connections.get()), (50, 0, 1), "{empty}");
        assert_eq!(tally.body_bytes, 250);
    }
}

#[test]
fn a_connection_with_many_padded_frames_without_data_is_replaced_in_time() {
    // They count for flow control, so they reach h2, which accepts 100 of them on a connection.
    let padded = frame(0, 8, &[1, 0]).repeat(60);
    let answer = [frame(1, 4, &[0x88]), padded, frame(0, 1, b"hello")].concat();
    let bytes = Box::leak([SETTINGS, &answer].concat().into_boxed_slice());
    let scenario = against_bytes(bytes, false);
    assert_eq!((measured(&scenario).tally.ok, measured(&scenario).tally.failed()), (4, 0));
    assert_eq!((scenario.connections.opened, scenario.connections.replaced), (4, 3));
}

/// A head of 420 KB in few frames, and one in many frames.
fn heads() -> [Vec<u8>; 2] {
    let header = [b"\x00\x01a\x7f\x91\x4d".as_slice(), &[b'x'; 10_000]].concat();
    let block = [[0x88].as_slice(), &header.repeat(42)].concat();
    let mut pieces = block.chunks(16_000);
    let large = [
        frame(1, 0, pieces.next().unwrap()),
        pieces.flat_map(|piece| frame(9, 0, piece)).collect(),
        frame(9, 4, b""),
    ];
    let split = [frame(1, 0, &[0x88]), frame(9, 0, &[0x90]).repeat(40), frame(9, 4, b"")];
    [large.concat(), split.concat()]
}

#[test]
fn a_head_that_no_client_reads_is_the_targets_failure() {
    for (head, words) in heads().into_iter().zip(["larger than 400 KiB", "CONTINUATION frames"]) {
        let bytes = Box::leak([SETTINGS, &head].concat().into_boxed_slice());
        let scenario = against_bytes(bytes, false);
        let (failure, _, seen) = seen(&scenario);
        assert_eq!((failure, scenario.unreleased), (Failure::Flood, 0), "{seen}");
        assert!(seen.contains(words), "{seen}");
    }
}

#[test]
fn an_answer_before_the_upload_was_read_keeps_the_connection() {
    let mut plan = http2(open(10.0, 2, 1), 4);
    let request = plan.requests[0].http_mut();
    (request.method, request.body) = (http::Method::POST, Bytes::from(vec![b'x'; 300_000]));
    let (scenario, log) = run(plan, always(Act::Answer(millis(5))));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed(), log.connections.get()), (20, 0, 1));
}

#[test]
fn a_close_that_crosses_requests_after_a_pause_is_the_close_of_an_idle_connection() {
    // Each connection answers once and vanishes while the next request is on its way.
    let script = vec![vec![Act::VanishAfter(Duration::from_millis(98))]];
    let (scenario, _) = run(http2(open(10.0, 1, 1), 4), Http2Dial::new(script));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed_by(Failure::IdleClosed)), (5, 5), "{tally:?}");
}
