//! What RFC 9110 and RFC 9112 want a client to read, and how an answer is refused that they forbid.

use http::HeaderValue;

use super::harness::{Script, Turn, measure, open};
use super::measured;
use crate::expect::{Expectation, ExpectationSet, ResponseCheck, TextPattern};
use crate::plan::ScenarioPlan;
use crate::record::{Failure, FailureEvidence};
use crate::units::ByteSize;

const WORLD: &str = "hello world";

fn expecting(check: ResponseCheck) -> ScenarioPlan {
    let mut scenario = open(2.0, 1, 1);
    let expectation = Expectation { written: String::new(), check };
    scenario.requests[0].expectations = ExpectationSet::new(vec![expectation], ByteSize(1_000));
    scenario
}

/// An answer whose head has these lines, with a body of known length.
fn with_lines(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}content-length: 11\r\n\r\n{WORLD}")
}

fn leak(answer: impl AsRef<[u8]>) -> &'static [u8] {
    Box::leak(answer.as_ref().to_vec().into_boxed_slice())
}

fn turn(answer: impl AsRef<[u8]>, closes: bool) -> Turn {
    Turn::Bytes { answer: leak(answer), closes }
}

#[track_caller]
fn assert_is_read(turn: Turn, check: ResponseCheck, name: &str) {
    let scenario = measure(expecting(check), Script::always(turn));
    let stage = measured(&scenario);
    assert_eq!(stage.tally.ok, 2, "{name:?}: {:?}", stage.evidence.by_count());
}

fn evidence_of(answer: &str) -> FailureEvidence {
    let plan = expecting(ResponseCheck::contains(WORLD));
    let scenario = measure(plan, Script::always(turn(answer, true)));
    let stage = measured(&scenario);
    assert_eq!(stage.tally.ok, 0, "{answer:?}");
    stage.evidence.by_count()[0].clone()
}

fn header(name: &str, pattern: &str) -> ResponseCheck {
    ResponseCheck::HeaderMatches(name.parse().unwrap(), TextPattern::new(pattern).unwrap())
}

#[test]
fn framings_of_a_body_that_are_lawful_are_read() {
    for (head, body, closes) in [
        ("HTTP/1.1 200 OK\ncontent-length: 11\n\n", WORLD, false),
        ("HTTP/1.1 200\r\ncontent-length: 11\r\n\r\n", WORLD, false),
        ("HTTP/1.1 200 \r\ncontent-length: 11\r\n\r\n", WORLD, false),
        ("HTTP/1.1 200 Tr\u{e8}s bien\r\ncontent-length: 11\r\n\r\n", WORLD, false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 11\r\n\r\n", WORLD, true),
        ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 11\r\n\r\n", WORLD, false),
        ("HTTP/1.1 200 OK\r\n\r\n", WORLD, true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 11\r\ncontent-length: 11\r\n\r\n", WORLD, false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 11, 11\r\n\r\n", WORLD, false),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            WORLD,
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n",
            "5;a=\"b;c\"\r\nhello\r\n006;x\r\n world\r\n000;last\r\nX-Trail: 1\r\n\r\n",
            false,
        ),
        // The transfer coding outranks the length (RFC 9112, section 6.3).
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
            "b\r\nhello world\r\n0\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 11\r\n\r\n",
            WORLD,
            true,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-encoding:\r\ncontent-length: 11\r\n\r\n", WORLD, false),
    ] {
        let answer = format!("{head}{body}");
        assert_is_read(turn(&answer, closes), ResponseCheck::contains(WORLD), head);
    }
}

#[test]
fn header_lines_that_are_lawful_are_read() {
    for (lines, check) in [
        ("X-Long: one\r\n two\r\n\tthree\r\n", header("x-long", "^one +two\\s+three$")),
        ("X-Empty:\r\nX-Space:   \r\n", header("x-empty", "^$")),
        ("X-Spaces \t: 1\r\n", header("x-spaces", "^1$")),
        ("X!#$%&'*+-.^_`|~9: 1\r\n", header("x!#$%&'*+-.^_`|~9", "^1$")),
        ("X-Dup: one\r\nX-Dup: two\r\n", header("x-dup", "^two$")),
    ] {
        assert_is_read(turn(with_lines(lines), false), check, lines);
    }
    let cafe = || {
        ResponseCheck::Header(
            "x-name".parse().unwrap(),
            HeaderValue::from_bytes("café".as_bytes()).unwrap(),
        )
    };
    let latin = b"HTTP/1.1 200 OK\r\nx-name: caf\xe9\r\ncontent-length: 0\r\n\r\n".to_vec();
    assert_is_read(turn(&latin, false), cafe(), "latin-1");
    assert_is_read(turn(&latin, false), header("x-name", "^café$"), "latin-1");
    assert_is_read(turn(with_lines("x-name: café\r\n"), false), cafe(), "UTF-8");
}

#[test]
fn a_thousand_header_lines_and_large_ones_are_read_up_to_the_limit() {
    use std::fmt::Write as _;
    let lines = |count: usize| {
        (0..count).fold(String::new(), |mut lines, at| {
            let _written = write!(lines, "x-h{at}: v\r\n");
            lines
        })
    };
    let read = || ResponseCheck::contains(WORLD);
    assert_is_read(turn(with_lines(&lines(1_000)), false), read(), "1,000 lines");
    let long = format!("x-long: {}\r\n", "v".repeat(300_000));
    assert_is_read(turn(with_lines(&long), false), read(), "a long line");
    let longer = format!("x-long: {}\r\n", "v".repeat(1_000_000));
    for (lines, failure, words) in [
        (lines(3_000), Failure::OwnLimit, "2,048 header lines"),
        (longer, Failure::Flood, "larger than 400 KiB"),
    ] {
        let evidence = evidence_of(&with_lines(&lines));
        assert_eq!(evidence.failure, failure, "{evidence:?}");
        assert!(evidence.seen.ends_with(words), "{evidence:?}");
    }
}

#[test]
fn an_answer_that_is_not_lawful_is_refused_in_our_words() {
    for (answer, words) in [
        (with_lines("X Bad Name: 1\r\n"), "a header line of the answer is malformed"),
        (with_lines("no colon\r\n"), "a header line of the answer is malformed"),
        ("HTTP/1.1 200 OK\r\ncontent-length: +11\r\n\r\nx".to_owned(), "not one whole number"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nxyz".to_owned(), "not one whole number"),
        (
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\nx", u64::MAX),
            "larger than any body",
        ),
        ("HTTP/1.1 099 Odd\r\n\r\n".to_owned(), "no status from 100 to 999"),
        ("HTTP/1.1 1000 Odd\r\n\r\n".to_owned(), "no status from 100 to 999"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "does not begin with `HTTP/1.0` or `HTTP/1.1`"),
        ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), "HTTP/1.0"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(), "hexadecimal"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nlonger\r\n".to_owned(),
            "not as long as announced",
        ),
    ] {
        let evidence = evidence_of(&answer);
        assert_eq!(evidence.failure, Failure::Malformed, "{evidence:?}");
        assert!(evidence.seen.contains(words), "{answer:?}: {evidence:?}");
        assert!(!evidence.seen.contains("parsed"), "{evidence:?}");
    }
    let cut = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel";
    let evidence = evidence_of(cut);
    assert_eq!(evidence.failure, Failure::Closed);
    assert!(evidence.seen.contains("before the body was complete"), "{evidence:?}");
}
