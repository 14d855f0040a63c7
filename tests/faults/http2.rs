//! The rows over HTTP/2.

use super::{Body, Failed, FirstByte, Good, Outcome, Row, hold, ok, stated};
use tollgate::record::Failure;

const ASKED: &str = "http = '2'\ntimeout = '30s'";
const ASKED_SHORT: &str = "http = '2'\ntimeout = '3s'";

const fn row(request: &'static str, outcome: Outcome) -> Row {
    Row { target: ASKED, request, flags: &[], outcome }
}

const fn slow(request: &'static str, outcome: Outcome) -> Row {
    Row { target: ASKED_SHORT, request, flags: &[], outcome }
}

const NOTHING_CAME: Outcome = Failed(Failure::TimedOut, Some(FirstByte));
const NOT_WHOLE: Outcome = Failed(Failure::TimedOut, Some(Body));

pub(super) const ROWS: [Row; 40] = [
    row("path = '/fault/reset'", Failed(Failure::Reset, Some(FirstByte))),
    row("path = '/fault/reset-body'", Failed(Failure::Reset, Some(Body))),
    row("path = '/fault/close'", Failed(Failure::Closed, Some(FirstByte))),
    row("path = '/fault/truncated'", Failed(Failure::Closed, Some(Body))),
    row("path = '/fault/short'", Failed(Failure::Malformed, Some(Body))),
    row("path = '/fault/long'", Failed(Failure::Malformed, Some(Body))),
    row("path = '/fault/reset-stream'", Failed(Failure::Reset, Some(FirstByte))),
    row("path = '/fault/reset-stream-body'", Failed(Failure::Reset, Some(Body))),
    row("path = '/fault/refused-stream'", Failed(Failure::Reset, Some(FirstByte))),
    row("path = '/fault/goaway'", Failed(Failure::Closed, Some(FirstByte))),
    row("path = '/fault/goaway-body'", Failed(Failure::Closed, Some(Body))),
    row("path = '/fault/protocol-error'", Failed(Failure::Malformed, Some(FirstByte))),
    row("path = '/fault/garbage'", Failed(Failure::Malformed, Some(FirstByte))),
    row("path = '/fault/endless-headers'", Failed(Failure::Flood, Some(FirstByte))),
    slow("path = '/fault/hang'", NOTHING_CAME),
    slow("path = '/fault/slow-body'", NOT_WHOLE),
    slow("path = '/fault/endless?every=10ms'", NOT_WHOLE),
    slow("path = '/fault/no-window'\nmethod = 'POST'\nbody = 'LARGE'", NOTHING_CAME),
    row("path = '/fault/slow-body?bytes=5&every=1ms'", Good),
    row(
        "path = '/fault/endless'\nexpect = { max_body = '64 KiB' }",
        Failed(Failure::Unexpected, None),
    ),
    row(
        "path = '/fault/bad-gzip'\nexpect = { body_contains = ['gzip'] }",
        Failed(Failure::Unexpected, None),
    ),
    row(
        "path = '/fault/bomb'\nexpect = { body_contains = ['x'] }",
        Failed(Failure::Unexpected, None),
    ),
    row("path = '/fault/wrong-status'", Failed(Failure::Status, None)),
    row("path = '/fault/redirect-loop'\nredirects = 5", Failed(Failure::Redirected, None)),
    row("path = '/fault/redirect-away'\nredirects = 5", Failed(Failure::Redirected, None)),
    row("path = '/redirect?n=3'\nredirects = 3\nexpect = { body_contains = ['arrived'] }", Good),
    row("path = '/redirect?n=4'\nredirects = 3", Failed(Failure::Redirected, None)),
    // The target answers 404 for pages that HTTP/2 cannot carry.
    row("path = '/fault/bad-chunk'", Failed(Failure::Status, None)),
    row("path = '/until-close'", Failed(Failure::Status, None)),
    row("path = '/chunked'\nexpect = { body_contains = ['one, two, three'] }", Good),
    row("path = '/chunked'\nmethod = 'HEAD'", Good),
    row("path = '/plain'\nmethod = 'HEAD'", Good),
    row("path = '/early-hints'\nexpect = { body_contains = ['and a 200'] }", Good),
    row("path = '/trailers'\nexpect = { body_contains = ['and a trailer'] }", Good),
    row("path = '/no-content'", Good),
    row("path = '/goodbye'\nexpect = { body_contains = ['bye'] }", Good),
    row("path = '/gzip'\nexpect = { body_contains = ['it is whole'] }", Good),
    row("path = '/deflate'\nexpect = { body_contains = ['it is whole'] }", Good),
    row("path = '/deflate-raw'\nexpect = { body_contains = ['it is whole'] }", Good),
    row("path = '/redirect?n=1&status=307'\nmethod = 'POST'\nbody = 'small'\nredirects = 1", Good),
];

const fn flagged(flags: &'static [&'static str], outcome: Outcome) -> Row {
    Row { target: ASKED, request: "path = '/app?mock=1'", flags, outcome }
}

const FLAGS: [Row; 5] = [
    flagged(&["--http", "2"], Good),
    flagged(&["--http", "2", "--fault", "goaway"], Failed(Failure::Closed, Some(FirstByte))),
    flagged(&["--http", "2", "--fault", "reset-stream"], Failed(Failure::Reset, Some(FirstByte))),
    flagged(&["--close-every", "1"], Good),
    flagged(&["--max-streams", "1"], Good),
];

const fn negotiated(target: &'static str, flags: &'static [&'static str], outcome: Outcome) -> Row {
    Row { target, request: "path = '/plain'", flags, outcome }
}

const FREE: &str = "timeout = '30s'";
const OTHER_PROTOCOL: Outcome = Outcome::InAnyPhase(Failure::Protocol);

/// The protocol that the request asks for, the one that the target offers, and the outcome.
const NEGOTIATED: [Row; 9] = [
    negotiated(FREE, &["--tls"], Good),
    negotiated(FREE, &["--tls", "--http", "2"], Good),
    negotiated(FREE, &["--tls", "--http", "1.1"], Good),
    negotiated(ASKED, &["--tls"], Good),
    negotiated(ASKED, &["--tls", "--http", "1.1"], OTHER_PROTOCOL),
    negotiated(ASKED, &["--tls", "--tls-fault", "no-alpn"], OTHER_PROTOCOL),
    negotiated(ASKED, &["--tls", "--tls-fault", "other-alpn"], OTHER_PROTOCOL),
    negotiated(ASKED, &["--http", "1.1"], OTHER_PROTOCOL),
    negotiated("http = '1.1'\ntimeout = '30s'", &["--tls", "--http", "2"], OTHER_PROTOCOL),
];

#[test]
fn over_http_2_every_fault_is_reported_as_what_it_is_and_the_next_exchange_is_ok() {
    hold(&ROWS, ok);
}

#[test]
fn over_http_2_faults_by_flag_are_reported_and_connections_that_end_harm_nobody() {
    hold(&FLAGS, ok);
}

#[test]
fn an_unavailable_protocol_is_a_failure() {
    hold(&NEGOTIATED, |row| stated(row.outcome));
}
