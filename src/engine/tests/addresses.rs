//! Names and several addresses, over real sockets.
#![cfg(target_os = "linux")] // All of 127.0.0.0/8 is this machine.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;

use socket2::{Domain, Socket, Type};
use tokio::task::LocalSet;

use super::harness::{Watcher, conduct, millis, open, scenario};
use crate::engine::connection::dial::{
    ConnectionTerms, Dialer as _, LookupFuture, NameResolver, SystemResolver, TcpDialer, UrlOrigin,
};
use crate::engine::time::clock;
use crate::engine::{Engine, stop_channel};
use crate::plan::{ConnectionReuse, LoadPlan, PinnedAddresses, Plan, ScenarioPlan};
use crate::record::{AddressAttempts, Dimension, Failure, ScenarioMeasurement};
use crate::recorder::ExchangeParts;

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// Starts servers at 127.0.0.1 and 127.0.0.2 and returns their port; no server has that port at
/// another address.
fn serve() -> u16 {
    let first = TcpListener::bind((ip(1), 0)).unwrap();
    let port = first.local_addr().unwrap().port();
    let second = TcpListener::bind((ip(2), port)).unwrap();
    for listener in [first, second] {
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || answer(stream));
            }
        });
    }
    port
}

fn answer(mut stream: TcpStream) {
    let mut request = [0; 1024];
    while stream.read(&mut request).is_ok_and(|read| read > 0) {
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// A scenario of 40 arrivals, one after the other, each on its own connection.
fn fresh(port: u16) -> ScenarioPlan {
    let mut scenario =
        scenario(LoadPlan::Closed { connections: 1, until: millis(60_000), iterations: Some(40) });
    let url = url::Url::parse(&format!("http://several.test:{port}/")).unwrap();
    (scenario.target.base_url, scenario.requests[0].http_mut().url) = (url.clone(), url);
    scenario.reuse = ConnectionReuse::Fresh;
    scenario
}

fn given(port: u16, last: &[u8]) -> ScenarioPlan {
    let mut scenario = fresh(port);
    let addresses = last.iter().map(|&last| ip(last)).collect();
    scenario.target.pinned_addresses =
        vec![PinnedAddresses { host: "several.test".to_owned(), port, addresses }];
    scenario
}

fn run(scenario: ScenarioPlan) -> ScenarioMeasurement {
    let plan = Plan::from_scenarios(vec![scenario]);
    let measurement =
        Engine::prepare(&plan).unwrap().run(&mut Watcher::default(), stop_channel().1).unwrap();
    measurement.scenarios.into_iter().next().unwrap()
}

fn opened(scenario: &ScenarioMeasurement, port: u16) -> [u64; 3] {
    [1, 2, 3]
        .map(|last| scenario.addresses.get(&format!("{}:{port}", ip(last))).copied().unwrap_or(0))
}

/// Always returns the same addresses, and counts the look-ups.
struct Finds {
    last: &'static [u8],
    look_ups: Rc<Cell<u64>>,
}

impl NameResolver for Finds {
    fn look_up(&self, _: &str, port: u16) -> LookupFuture {
        self.look_ups.set(self.look_ups.get() + 1);
        let found = self.last.iter().map(|&last| SocketAddr::new(ip(last), port)).collect();
        Box::pin(async move { Ok(found) })
    }
}

/// Runs a scenario in two lanes with this resolver; returns how often they looked up a name.
fn looking_up(scenario: ScenarioPlan, last: &'static [u8]) -> (ScenarioMeasurement, u64) {
    let look_ups = Rc::new(Cell::new(0));
    let lane = |turn| {
        let terms = ConnectionTerms::new(&scenario.target, false).unwrap();
        TcpDialer::new(terms, turn, Box::new(Finds { last, look_ups: Rc::clone(&look_ups) }))
    };
    let dials = vec![lane(0), lane(1)];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut watcher = Watcher::default();
    let work = conduct(scenario, dials, &mut watcher, stop_channel().1);
    let measurement = runtime.block_on(LocalSet::new().run_until(work)).unwrap();
    (measurement.scenarios.into_iter().next().unwrap(), look_ups.get())
}

#[test]
fn given_addresses_are_used_in_turn() {
    let port = serve();
    let scenario = run(given(port, &[1, 2]));
    assert_eq!(scenario.requests[0].measured.tally.ok, 40);
    assert_eq!(opened(&scenario, port), [20, 20, 0]);
    assert!(scenario.lookups.is_empty());
}

#[test]
fn an_address_that_refuses_costs_no_exchange_and_is_tried_last() {
    let port = serve();
    let scenario = run(given(port, &[3, 1, 2]));
    let tally = &scenario.requests[0].measured.tally;
    assert_eq!((tally.ok, scenario.connections.failed), (40, 0), "{tally:?}");
    let [first, second, dead] = opened(&scenario, port);
    assert_eq!((first + second, dead), (40, 0));
    assert!(first.abs_diff(second) <= 2, "{first} and {second}");
    // The record still shows that one of the addresses is dead.
    assert_eq!(
        scenario.unreached.into_iter().collect::<Vec<_>>(),
        [(format!("127.0.0.3:{port}"), 1)]
    );
}

/// A listener whose queue is full: Linux answers no further connection. It lasts as long as the
/// returned sockets.
fn hole(last: u8, port: u16) -> (Socket, TcpStream) {
    let hole = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    hole.bind(&SocketAddr::new(ip(last), port).into()).unwrap();
    hole.listen(0).unwrap();
    (hole, TcpStream::connect((ip(last), port)).unwrap())
}

fn attempts(scenario: &ScenarioMeasurement, last: u8, port: u16) -> AddressAttempts {
    scenario.attempts["several.test"]
        .get(&format!("{}:{port}", ip(last)))
        .copied()
        .unwrap_or_default()
}

#[test]
fn an_address_that_never_answers_delays_one_connection_and_fails_none() {
    let port = serve();
    let _hole = hole(3, port);
    let scenario = run(given(port, &[3, 1, 2]));
    let stage = &scenario.requests[0].measured;
    assert_eq!((stage.tally.ok, stage.tally.failed()), (40, 0), "{:?}", stage.tally);
    // The phase lasts until the winner has connected. The next address had its turn after 250 ms.
    assert!(stage.series.get(Dimension::Connect).unwrap().max() >= Some(millis(250)));
    let only = AddressAttempts { unanswered: 1, ..AddressAttempts::default() };
    assert_eq!((attempts(&scenario, 3, port), opened(&scenario, port)[2]), (only, 0));
    assert_eq!(attempts(&scenario, 1, port).connected, opened(&scenario, port)[0]);
}

#[test]
fn each_lane_finds_out_about_a_dead_address_for_itself() {
    let port = serve();
    let _hole = hole(3, port);
    let (scenario, _) = looking_up(two_senders(port), &[3, 1, 2]);
    let stage = &scenario.requests[0].measured;
    assert_eq!((stage.tally.ok, stage.tally.failed()), (40, 0), "{:?}", stage.tally);
    assert!((1..=2).contains(&attempts(&scenario, 3, port).unanswered));
}

#[test]
fn if_no_address_answers_the_failure_names_all_of_them() {
    let port = serve();
    let _holes = (hole(3, port), hole(4, port));
    let mut target = given(port, &[3, 4]).target;
    target.timeouts.connect = millis(60);
    let origin = UrlOrigin::of(&target.base_url).unwrap();
    let terms = ConnectionTerms::new(&target, false).unwrap();
    let dialer = TcpDialer::new(terms, 0, Box::new(SystemResolver));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dialled = runtime.block_on(async {
        let (mut parts, deadline) = (ExchangeParts::default(), clock::now() + millis(5_000));
        dialer.dial(&origin, &mut parts, deadline).await
    });
    let failed = dialled.err().unwrap();
    let seen = format!("127.0.0.3:{port}, 127.0.0.4:{port}: no connect within 60 ms");
    assert_eq!((failed.failure, failed.seen), (Failure::TimedOut, seen));
    assert_eq!(dialer.attempts().named()["several.test"].len(), 2);
}

#[test]
fn a_failed_handshake_fails_the_exchange_and_names_which_address_it_was() {
    let port = serve();
    let mut scenario = given(port, &[1, 2]);
    let url = url::Url::parse(&format!("https://several.test:{port}/")).unwrap();
    (scenario.target.base_url, scenario.requests[0].http_mut().url) = (url.clone(), url);
    scenario.target.trust = crate::plan::CertificateTrust::AnyCertificate;
    scenario.load = LoadPlan::Closed { connections: 1, until: millis(60_000), iterations: Some(4) };
    let scenario = run(scenario);
    let tally = &scenario.requests[0].measured.tally;
    assert_eq!(tally.failed_by(Failure::Tls), 4, "{tally:?}");
    for last in [1, 2] {
        let seen = attempts(&scenario, last, port);
        assert_eq!((seen.connected, seen.failed_handshakes), (2, 2));
    }
    let evidence = scenario.requests[0].measured.evidence.by_count();
    assert!(evidence[0].seen.starts_with("127.0.0."), "{}", evidence[0].seen);
}

#[test]
fn a_name_is_looked_up_once_per_lane_and_delays_only_the_first_connection() {
    let port = serve();
    let (scenario, look_ups) = looking_up(two_senders(port), &[1, 2]);
    let stage = &scenario.requests[0].measured;
    assert_eq!((stage.tally.ok, look_ups, scenario.lookups.took.count()), (40, 2, 2));
    assert_eq!(stage.series.get(Dimension::Dns).unwrap().count(), 2);
    // The second lane starts with the second address.
    assert_eq!(opened(&scenario, port).iter().sum::<u64>(), 40);
    assert!(opened(&scenario, port)[..2].iter().all(|&opened| (15..=25).contains(&opened)));
}

#[test]
fn without_a_cache_each_connection_looks_up_its_addresses() {
    let port = serve();
    let mut scenario = two_senders(port);
    scenario.target.dns_refresh = millis(0);
    let (scenario, look_ups) = looking_up(scenario, &[1, 3]);
    let stage = &scenario.requests[0].measured;
    assert_eq!((stage.tally.ok, look_ups, scenario.lookups.took.count()), (40, 40, 40));
    assert_eq!(stage.series.get(Dimension::Dns).unwrap().count(), 40);
    assert_eq!(opened(&scenario, port), [40, 0, 0]);
}

#[test]
fn the_system_looks_a_name_up_once_and_its_duration_is_recorded() {
    let port = serve();
    let mut scenario = open(40.0, 1, 2);
    let url = url::Url::parse(&format!("http://localhost:{port}/")).unwrap();
    (scenario.target.base_url, scenario.requests[0].http_mut().url) = (url.clone(), url);
    scenario.target.family = crate::plan::AddressFamily::V4;
    scenario.reuse = ConnectionReuse::Fresh;
    let scenario = run(scenario);
    assert_eq!(scenario.requests[0].measured.tally.ok, 40);
    assert_eq!((scenario.lookups.took.count(), scenario.lookups.failed), (1, 0));
    assert_eq!(opened(&scenario, port), [40, 0, 0]);
}

fn two_senders(port: u16) -> ScenarioPlan {
    let mut scenario = fresh(port);
    scenario.load =
        LoadPlan::Closed { connections: 2, until: millis(60_000), iterations: Some(40) };
    scenario
}
