//! Answers that exceed a limit of the HTTP/1.1 library. They are not the target's failures, except
//! for what no client reads.

use super::harness::{Script, Turn, measure, millis, open};
use super::measured;
use crate::record::Failure;

#[test]
fn an_answer_beyond_a_limit_of_the_library_is_no_failure_of_the_target() {
    let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(2_100));
    let chunk = format!("5;{}\r\nhello\r\n", "x".repeat(100));
    for (answer, seen) in [
        (head, "a head of more than 2,048 header lines"),
        (
            format!("{CHUNKED}{}0\r\n\r\n", chunk.repeat(200)),
            "chunk extensions of more than 16 KiB",
        ),
    ] {
        let answer: &'static str = Box::leak(answer.into_boxed_str());
        let scenario = measure(open(4.0, 1, 1), Script::always(Turn::Raw(millis(1), answer)));
        let stage = measured(&scenario);
        let evidence = stage.evidence.by_count()[0];
        assert_eq!((evidence.failure, evidence.count), (Failure::OwnLimit, 4), "{evidence:?}");
        assert!(evidence.seen.ends_with(seen), "{}", evidence.seen);
        assert!(evidence.next.is_some());
        assert_eq!((stage.tally.exchanges, scenario.unreleased), (0, 4));
        assert_eq!(scenario.ended_at_limits(), 4);
    }
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

#[test]
fn an_answer_that_no_client_reads_is_a_flood() {
    let long = "x".repeat(20_000);
    let longer = long.repeat(25);
    for (answer, seen) in [
        (format!("HTTP/1.1 200 OK\r\nx: {longer}\r\n\r\n"), "a head that is larger than 400 KiB"),
        (format!("{CHUNKED}5;{long}\r\nhello\r\n0\r\n\r\n"), "chunk extensions and no data"),
        (format!("{CHUNKED}0\r\nx: {longer}\r\n\r\n"), "trailers of more than 400 KiB"),
    ] {
        let answer: &'static str = Box::leak(answer.into_boxed_str());
        let scenario = measure(open(4.0, 1, 1), Script::always(Turn::Raw(millis(1), answer)));
        let evidence = measured(&scenario).evidence.by_count()[0];
        assert_eq!((evidence.failure, evidence.count), (Failure::Flood, 4), "{evidence:?}");
        assert!(evidence.seen.ends_with(seen), "{}", evidence.seen);
    }
}

#[test]
fn trailers_may_be_as_large_as_a_head() {
    let answer = format!("{CHUNKED}5\r\nhello\r\n0\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    let answer: &'static str = Box::leak(answer.into_boxed_str());
    let scenario = measure(open(4.0, 1, 1), Script::always(Turn::Raw(millis(1), answer)));
    assert_eq!(measured(&scenario).tally.ok, 4);
}

#[test]
fn framing_that_breaks_the_rules_stays_the_targets_failure() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfive\r\nhello\r\n";
    let scenario = measure(open(4.0, 1, 1), Script::always(Turn::Raw(millis(1), chunked)));
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Malformed), 4);
}
