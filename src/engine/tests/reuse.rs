//! Connections that are used again, and targets that close them. A close that the prober can know
//! about costs a counted reconnect; any other is an error. Nothing is ever sent twice.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::harness::{Script, ScriptedDial, Turn, Watcher, millis, open, scenario, watch_run};
use super::measured;
use crate::engine::connection::dial::{DialedConnection, NegotiatedProtocol, NegotiatedVersion};
use crate::engine::connection::http::HttpConnection;
use crate::engine::connection::socket_peek::{PeekableStream, UnreadInput};
use crate::engine::stop_channel;
use crate::engine::time::clock;
use crate::plan::{LoadPlan, ScenarioPlan};
use crate::record::{Failure, ScenarioMeasurement};

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const LAST_ANSWER: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

/// Connections that send again as soon as they are answered.
fn back_to_back(connections: u32, arrivals: u64) -> ScenarioPlan {
    scenario(LoadPlan::Closed {
        connections,
        until: Duration::from_mins(1),
        iterations: Some(arrivals),
    })
}

/// What was measured, and how many requests the server read.
fn run(scenario: ScenarioPlan, script: Vec<Vec<Turn>>) -> (ScenarioMeasurement, u64) {
    let dial = ScriptedDial::new(Script(script));
    let seen = Rc::clone(&dial.requests);
    let (measurement, _) = watch_run(scenario, vec![dial], Watcher::default(), stop_channel().1);
    (measurement.scenarios.into_iter().next().unwrap(), seen.borrow().len() as u64)
}

#[test]
fn a_proxy_that_announces_a_close_every_few_requests_costs_reconnects_and_no_error() {
    let last = [Turn::Raw(millis(1), LAST_ANSWER), Turn::RawThenClose(LAST_ANSWER)];
    for last in last {
        let turns = vec![Turn::Answer(millis(1)), Turn::Answer(millis(1)), last];
        let (scenario, seen) = run(back_to_back(4, 300), vec![turns]);
        assert_eq!((measured(&scenario).tally.ok, seen), (300, 300), "{last:?}");
        // The end of some of the last connections is never reached.
        assert!(
            (100..=103).contains(&scenario.connections.opened),
            "{}",
            scenario.connections.opened
        );
    }
}

#[test]
fn a_proxy_that_closes_unannounced_every_few_requests_costs_reconnects_and_no_error() {
    let turns = vec![Turn::Answer(millis(1)), Turn::Answer(millis(1)), Turn::RawThenClose(ANSWER)];
    let (scenario, seen) = run(back_to_back(4, 300), vec![turns]);
    assert_eq!((measured(&scenario).tally.ok, seen), (300, 300));
    let connections = &scenario.connections;
    assert_eq!(connections.reopened_after_idle_close, connections.opened - 4);
}

#[test]
fn a_request_that_crosses_a_close_is_an_error_and_is_not_sent_again() {
    // The server has stopped reading and closes a little later, which the prober cannot know.
    let (scenario, seen) =
        run(back_to_back(1, 10), vec![vec![Turn::AnswerThenCloseIdle(millis(20))]]);
    let tally = &measured(&scenario).tally;
    assert_eq!((tally.ok, tally.failed_by(Failure::Closed), seen), (5, 5, 5));
    assert_eq!(scenario.connections.reopened_after_idle_close, 0);
}

#[test]
fn an_unread_close_is_detected_before_a_request_is_sent() {
    for version in [NegotiatedVersion::Http1, NegotiatedVersion::Http2] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(LocalSet::new().run_until(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let tcp = PeekableStream::new(
                TcpStream::connect(listener.local_addr().unwrap()).await.unwrap(),
            );
            let (theirs, _) = listener.accept().unwrap();
            let peek = tcp.socket_peek(false);
            let spoken = NegotiatedProtocol { version, tls: None };
            let dialled = DialedConnection { stream: Box::new(tcp), spoken, address: None };
            let mut channel =
                HttpConnection::open(dialled, clock::now() + Duration::from_secs(9)).await.unwrap();
            assert!(channel.ready().await);
            drop(theirs);
            // The runtime does not run during this loop, as if another task were busy.
            while peek.look() != UnreadInput::End {
                std::thread::yield_now();
            }
            assert!(channel.is_open(), "the connection's driver does not know yet");
            assert!(!channel.ready().await);
        }));
    }
}

/// The end of the stream arrives with the answer's last byte, so it is known as soon as the answer
/// is.
#[cfg(target_os = "linux")]
#[test]
fn no_request_is_sent_on_a_connection_that_was_closed_with_its_answer() {
    const ARRIVALS: u32 = 400;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url::Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let server = std::thread::spawn(move || {
        let mut seen = 0;
        for mut stream in listener.incoming().flatten().take(ARRIVALS as usize) {
            rustix::net::sockopt::set_tcp_cork(&stream, true).unwrap();
            if stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {
                seen += 1;
                stream.write_all(ANSWER.as_bytes()).unwrap();
            }
        }
        seen
    });
    let mut plan = back_to_back(1, ARRIVALS.into());
    (plan.target.base_url, plan.requests[0].http_mut().url) = (url.clone(), url);
    let plan = crate::plan::Plan::from_scenarios(vec![plan]);
    let engine = crate::engine::Engine::prepare(&plan).unwrap();
    let measurement = engine.run(&mut Watcher::default(), stop_channel().1).unwrap();
    let scenario = &measurement.scenarios[0];
    assert_eq!((measured(scenario).tally.ok, server.join().unwrap()), (ARRIVALS.into(), ARRIVALS));
    assert_eq!(scenario.connections.reopened_after_idle_close, u64::from(ARRIVALS) - 1);
}

/// Turns after which the server has read everything that was sent before it closed.
fn tidy() -> impl Strategy<Value = Turn> {
    prop_oneof![
        Just(Turn::Answer(millis(3))),
        Just(Turn::Raw(millis(1), LAST_ANSWER)),
        Just(Turn::RawThenClose(LAST_ANSWER)),
        Just(Turn::RawThenClose(ANSWER)),
        Just(Turn::RawThenClose("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")),
        Just(Turn::RawThenClose("SSH-2.0\r\n\r\n")),
        Just(Turn::Rest { answer: ANSWER, apart: millis(0), rest: "x" }),
        Just(Turn::Close),
        Just(Turn::Hang),
    ]
}

/// Turns that close while a request may be on its way.
fn untidy() -> impl Strategy<Value = Turn> {
    prop_oneof![
        tidy(),
        Just(Turn::AnswerThenCloseIdle(millis(4))),
        Just(Turn::Late { head: ANSWER, close: millis(4) }),
        Just(Turn::Rest { answer: ANSWER, apart: millis(3), rest: "x" }),
    ]
}

fn scripts(turn: impl Strategy<Value = Turn>) -> impl Strategy<Value = Vec<Vec<Turn>>> {
    prop::collection::vec(prop::collection::vec(turn, 1..5), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_exchange_is_sent_exactly_once_if_the_server_reads_everything(
        script in scripts(tidy()), connections in 1_u32..4,
    ) {
        for plan in [back_to_back(connections, 30), open(40.0, 1, 40)] {
            let (scenario, seen) = run(plan, script.clone());
            let tally = &measured(&scenario).tally;
            prop_assert_eq!(tally.failed_by(Failure::Dropped), 0);
            prop_assert_eq!(tally.exchanges, seen, "{:?}", tally);
        }
    }

    #[test]
    fn nothing_is_sent_twice_however_connections_end(script in scripts(untidy()), connections in 1_u32..4) {
        for plan in [back_to_back(connections, 30), open(40.0, 1, connections)] {
            let (scenario, seen) = run(plan, script.clone());
            let tally = &measured(&scenario).tally;
            prop_assert!(tally.ok <= seen && seen <= tally.exchanges, "{seen} of {tally:?}");
        }
    }
}
