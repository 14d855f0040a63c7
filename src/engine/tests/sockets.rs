//! The engine over real sockets: cases that in-memory streams cannot show.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::harness::{Watcher, millis, open};
use crate::engine::{Continuation, Engine, Observer, RunProgress, StopHandle, stop_channel};
use crate::plan::{HttpProtocol, Plan, ScenarioPlan};
use crate::record::{Ceiling, Dimension, Failure, Interval, Measurement};

pub(super) fn against(mut scenario: ScenarioPlan, address: SocketAddr) -> Measurement {
    let url = url::Url::parse(&format!("http://{address}/")).unwrap();
    scenario.target.base_url = url.clone();
    for request in &mut scenario.requests {
        request.http_mut().url = url.clone();
    }
    let plan = Plan::from_scenarios(vec![scenario]);
    Engine::prepare(&plan).unwrap().run(&mut Watcher::default(), stop_channel().1).unwrap()
}

/// A server on a thread that reads each connection's first bytes and hands it to `answer`.
fn serve(answer: impl Fn(std::net::TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            if stream.read(&mut request).is_ok_and(|read| read > 0) {
                answer(stream);
            }
        }
    });
    address
}

#[test]
fn a_reset_is_distinguished_from_a_close() {
    let resetting = serve(|stream| {
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let measurement = against(open(20.0, 1, 2), resetting);
    assert_eq!(measurement.scenarios[0].requests[0].measured.tally.failed_by(Failure::Reset), 20);
}

#[test]
fn a_port_without_listener_refuses() {
    // A socket that is bound and does not listen keeps the port from other tests.
    let reserved = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    reserved.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let closed = reserved.local_addr().unwrap().as_socket().unwrap();
    let measurement = against(open(20.0, 1, 2), closed);
    let tally = &measurement.scenarios[0].requests[0].measured.tally;
    assert_eq!(tally.failed_by(Failure::Refused), 20);
}

#[test]
fn https_against_a_plain_server_fails_in_tls() {
    let server = serve(|mut stream| {
        let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
    let mut scenario = open(5.0, 1, 1);
    let url = url::Url::parse(&format!("https://{server}/")).unwrap();
    scenario.target.base_url = url.clone();
    scenario.requests[0].http_mut().url = url;
    let plan = Plan::from_scenarios(vec![scenario]);
    let measurement =
        Engine::prepare(&plan).unwrap().run(&mut Watcher::default(), stop_channel().1).unwrap();
    let stage = &measurement.scenarios[0].requests[0].measured;
    assert_eq!(stage.tally.failed_by(Failure::Tls), 5);
    assert_eq!(stage.evidence.by_count()[0].phase, Some(Dimension::Tls));
}

#[test]
fn http_2_against_a_server_of_http_1_is_another_protocol() {
    let answering = serve(|mut stream| {
        let _gone =
            stream.write_all(b"HTTP/1.1 505 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    });
    let silent = serve(drop);
    let resetting = serve(|stream| {
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    for server in [answering, silent, resetting] {
        let mut scenario = open(20.0, 1, 2);
        (scenario.target.protocol, scenario.streams) = (HttpProtocol::Http2, 2);
        let scenario = &against(scenario, server).scenarios[0];
        let tally = &scenario.requests[0].measured.tally;
        assert_eq!((tally.failed_by(Failure::Protocol), tally.exchanges), (20, 20), "{tally:?}");
        assert!(scenario.protocols.is_empty());
    }
}

#[test]
fn the_first_byte_is_stamped_at_the_socket_before_the_head_is_complete() {
    let slow_head = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n");
        std::thread::sleep(millis(60));
        let _ = stream.write_all(b"\r\nok");
    });
    let mut scenario = open(4.0, 1, 1);
    scenario.reuse = crate::plan::ConnectionReuse::Fresh;
    let measurement = against(scenario, slow_head);
    let stage = &measurement.scenarios[0].requests[0].measured;
    assert_eq!(stage.tally.ok, 4);
    assert!(stage.series.get(Dimension::Body).unwrap().min().unwrap() >= millis(50));
}

#[test]
fn a_handshake_that_hangs_counts_against_the_budget_on_the_handshake() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut scenario = open(10.0, 1, 2);
    let url = url::Url::parse(&format!("https://{}/", silent.local_addr().unwrap())).unwrap();
    scenario.target.base_url = url.clone();
    scenario.requests[0].http_mut().url = url;
    scenario.requests[0].ceilings = vec![Ceiling { dimension: Dimension::Tls, limit: millis(100) }];
    // The phase may take longer than the whole exchange, but the exchange's end comes first.
    scenario.target.timeouts.whole = millis(150);
    let plan = Plan::from_scenarios(vec![scenario]);
    let measurement =
        Engine::prepare(&plan).unwrap().run(&mut Watcher::default(), stop_channel().1).unwrap();
    let scenario = &measurement.scenarios[0];
    let tally = &scenario.requests[0].measured.tally;
    // A machine that stands still for long attributes a timeout to itself.
    assert_eq!(tally.exchanges + scenario.unreleased, 10);
    let hung = tally.failed_by(Failure::TimedOut);
    assert_eq!((tally.ceilings[0].judged, tally.ceilings[0].exceeded), (hung, hung));
    assert!(hung > 0);
}

#[test]
fn arrivals_faster_than_the_prober_can_send_do_not_block_answers_or_a_stop() {
    let answering = serve(|mut stream| {
        let mut request = [0; 1024];
        while stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_ok() {
            if !stream.read(&mut request).is_ok_and(|read| read > 0) {
                return;
            }
        }
    });
    let (stopper, stop) = stop_channel();
    let mut scenario = open(300_000.0, 30, 1);
    let url = url::Url::parse(&format!("http://{answering}/")).unwrap();
    scenario.target.base_url = url.clone();
    scenario.requests[0].http_mut().url = url;
    let plan = Plan::from_scenarios(vec![scenario]);
    let mut watcher = StopAfterAnswers { stopper, answers: 2_000 };
    let measurement = Engine::prepare(&plan).unwrap().run(&mut watcher, stop).unwrap();
    // Exchanges ran while arrivals were being released, and the stop arrived in time: the schedule
    // alone takes 30 s.
    assert!(measurement.elapsed < Duration::from_secs(20), "{:?}", measurement.elapsed);
    let scenario = &measurement.scenarios[0];
    assert!(scenario.abandoned + scenario.unreleased > 0);
}

/// Requests a stop once this many exchanges are done.
struct StopAfterAnswers {
    stopper: StopHandle,
    answers: u64,
}

impl Observer for StopAfterAnswers {
    fn settled(
        &mut self,
        _: &Interval,
    ) -> Result<Continuation, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Continuation::Continue)
    }

    fn progress(&mut self, progress: &RunProgress) {
        if progress.scenarios[0].done >= self.answers {
            self.answers = u64::MAX;
            self.stopper.request_stop();
        }
    }
}
