//! Requests that cross the close of an idle connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::SockRef;

use super::harness::{Script, Turn, measure, millis, open};
use super::measured;
use super::sockets::against;
use crate::record::{Failure, FailureEvidence, ScenarioMeasurement};

fn leading(scenario: &ScenarioMeasurement) -> FailureEvidence {
    measured(scenario).evidence.by_count()[0].clone()
}

#[test]
fn a_close_that_crosses_a_request_after_a_pause_is_the_close_of_an_idle_connection() {
    // Each connection answers once, is idle for 95 ms, gets a request, and closes 3 ms later.
    let turn = Turn::AnswerThenCloseIdle(millis(98));
    let scenario = measure(open(10.0, 1, 1), Script::always(turn));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed_by(Failure::IdleClosed)), (5, 5), "{tally:?}");
    let evidence = leading(&scenario);
    assert_eq!(evidence.seen, "the target closed the connection as the request went out");
    let idle = evidence.idle.unwrap();
    assert!(idle.shortest >= millis(94) && idle.longest <= millis(101), "{idle}");
}

#[test]
fn a_close_some_time_after_a_request_is_a_crash_even_after_a_pause() {
    let late = Turn::Late { head: "", close: millis(150) };
    let scenario = measure(open(5.0, 2, 1), Script(vec![vec![Turn::Answer(millis(1)), late]]));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed_by(Failure::Closed)), (5, 5), "{tally:?}");
}

#[test]
fn a_close_in_the_middle_of_an_answer_is_a_crash_even_after_a_pause() {
    let cut = Turn::RawThenClose("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
    let scenario = measure(open(10.0, 1, 1), Script(vec![vec![Turn::Answer(millis(1)), cut]]));
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed_by(Failure::Closed)), (5, 5), "{tally:?}");
}

#[test]
fn a_new_connection_was_never_idle() {
    let scenario = measure(open(10.0, 1, 1), Script::always(Turn::Close));
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Closed), 10);
}

/// A server that answers the first request of each connection and resets the connection when the
/// second one arrives.
fn resetting() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            let _read = stream.read(&mut request);
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            let _waited = stream.peek(&mut request);
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    });
    address
}

#[test]
fn a_reset_that_crosses_a_request_after_a_pause_is_the_close_of_an_idle_connection() {
    let scenario = against(open(10.0, 1, 1), resetting()).scenarios.remove(0);
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed_by(Failure::IdleClosed)), (5, 5), "{tally:?}");
    assert_eq!(leading(&scenario).seen, "the target reset the connection as the request went out");
}
