//! Another machine gets no more requests than the limit without consent, whatever sends them.
//!
//! The servers of these tests are on this machine. They count as other machines because the
//! scenario names them by a name whose addresses are given for another port than the base URL's.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use url::Url;

use super::harness::{Watcher, following, millis, open, scenario, tried};
use crate::engine::{Engine, stop_channel};
use crate::plan::{
    FOREIGN_LIMIT, LoadConsent, LoadPlan, PinnedAddresses, Plan, RetryPlan, ScenarioPlan,
    WarmupPlan,
};
use crate::record::{Failure, Measurement};

/// A server that counts requests and answers all of them with this head.
fn counting_server(head: String) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (head, counter) = (head.clone(), Arc::clone(&counter));
            std::thread::spawn(move || answer_all(&stream, &head, &counter));
        }
    });
    (address, count)
}

fn answer_all(stream: &TcpStream, head: &str, counter: &AtomicU64) {
    let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.is_empty() {
            counter.fetch_add(1, Ordering::Relaxed);
            let mut stream = stream;
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn is_failing() -> String {
    "503 Service Unavailable".to_owned()
}

/// A scenario whose requests go to a server under this name, as if it were another machine.
fn elsewhere(mut scenario: ScenarioPlan, name: &str, server: SocketAddr) -> ScenarioPlan {
    scenario.target.base_url = Url::parse(&format!("http://{name}/")).unwrap();
    scenario.target.pinned_addresses = vec![pinned(name, server)];
    let url = Url::parse(&format!("http://{name}:{}/", server.port())).unwrap();
    for request in &mut scenario.requests {
        request.http_mut().url = url.clone();
    }
    scenario
}

fn pinned(name: &str, server: SocketAddr) -> PinnedAddresses {
    PinnedAddresses { host: name.to_owned(), port: server.port(), addresses: vec![server.ip()] }
}

fn run(scenarios: Vec<ScenarioPlan>, consent: LoadConsent) -> Measurement {
    let plan = Plan { consent, ..Plan::from_scenarios(scenarios) };
    Engine::prepare(&plan).unwrap().run(&mut Watcher::default(), stop_channel().1).unwrap()
}

/// What a run without consent may send: a burst, the rate, and one warm-up.
fn most(measurement: &Measurement, warmup: u64) -> u64 {
    let rate = u64::from(FOREIGN_LIMIT);
    let seconds = measurement.elapsed.as_secs() + 1;
    rate * (1 + seconds) + warmup + 10
}

#[test]
fn every_way_to_send_more_is_held_to_the_limit_as_a_limit_of_ours() {
    let always = RetryPlan::Retry { times: 100, after: Duration::ZERO };
    let polling = RetryPlan::Poll { every: millis(1), within: millis(1_000) };
    let warm = |mut scenario: ScenarioPlan| {
        scenario.warmup = WarmupPlan { connections: 4, requests: 5_000 };
        scenario
    };
    let closed = LoadPlan::Closed { connections: 8, until: millis(1_000), iterations: None };
    let fast = || open(100.0, 1, 8);
    let in_setup = |mut scenario: ScenarioPlan| {
        let often = RetryPlan::Retry { times: 5_000, after: Duration::ZERO };
        let step = tried(scenario.clone(), often);
        (scenario.setup, scenario.shown.setup) = (step.requests, step.shown.requests);
        scenario
    };
    for (name, scenarios, warmup) in [
        ("retry.test", vec![tried(fast(), always)], 0),
        ("poll.test", vec![tried(fast(), polling)], 0),
        ("rate.test", vec![open(2_000.0, 1, 8)], 0),
        ("closed.test", vec![scenario(closed)], 0),
        ("warm.test", vec![warm(fast())], 100),
        (
            "several.test",
            vec![
                open(90.0, 2, 8),
                named(open(90.0, 2, 8), "other"),
                named(open(90.0, 2, 8), "third"),
            ],
            0,
        ),
        ("setup.test", vec![in_setup(fast())], 0),
    ] {
        let (server, count) = counting_server(is_failing());
        let scenarios = scenarios.into_iter().map(|scenario| {
            let mut scenario = elsewhere(scenario, name, server);
            let url = scenario.requests[0].http_mut().url.clone();
            scenario.setup.iter_mut().for_each(|step| step.http_mut().url = url.clone());
            scenario
        });
        let measurement = run(scenarios.collect(), LoadConsent::Missing);
        let (sent, most) = (count.load(Ordering::Relaxed), most(&measurement, warmup));
        assert!((100..=most).contains(&sent), "{name}: {sent} requests, at most {most}");
        if !["warm.test", "setup.test"].contains(&name) {
            assert_own_limit(&measurement);
        }
    }
}

fn named(mut scenario: ScenarioPlan, name: &str) -> ScenarioPlan {
    scenario.shown.name = name.to_owned();
    scenario
}

fn assert_own_limit(measurement: &Measurement) {
    let refused = measurement.scenarios.iter().map(|scenario| {
        let evidence = scenario.requests[0].measured.evidence.by_count();
        let own = evidence.iter().find(|evidence| evidence.failure == Failure::OwnLimit);
        if let Some(own) = own {
            assert!(own.seen.contains("more than 100 requests per second to"), "{own:?}");
            assert!(own.next.as_deref().is_some_and(|next| next.contains("--yes-load-this-host")));
        }
        scenario.ended_at_limits()
    });
    assert!(refused.sum::<u64>() > 0, "refused arrivals are a reason against a verdict");
}

/// 0.0.0.0 leads to this machine and is no loopback address.
#[test]
fn names_and_ports_of_one_address_share_its_limit() {
    let names = ["first.test", "second.test", "third.test"];
    let (servers, counts): (Vec<_>, Vec<_>) =
        names.map(|_| counting_server("200 OK".to_owned())).into_iter().unzip();
    let scenarios = names.iter().zip(servers).map(|(name, server)| {
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, server.port()));
        elsewhere(named(open(90.0, 2, 8), name), name, everywhere)
    });
    let measurement = run(scenarios.collect(), LoadConsent::Missing);
    let sent = counts.iter().map(|count| count.load(Ordering::Relaxed)).sum::<u64>();
    let most = most(&measurement, 0);
    assert!((100..=most).contains(&sent), "{sent} requests, at most {most}");
    assert_own_limit(&measurement);
}

#[test]
fn a_redirect_from_this_machine_leads_no_more_requests_to_another() {
    let (foreign, count) = counting_server("200 OK".to_owned());
    let to = format!("302 Found\r\nlocation: http://led-to.test:{}/", foreign.port());
    let (home, _) = counting_server(to);
    let mut scenario = following(open(1_000.0, 1, 8), 1);
    let url = Url::parse(&format!("http://{home}/")).unwrap();
    scenario.target.base_url = url.clone();
    scenario.requests[0].http_mut().url = url;
    scenario.target.allowed_hosts = vec!["led-to.test".to_owned()];
    scenario.target.pinned_addresses = vec![pinned("led-to.test", foreign)];
    let measurement = run(vec![scenario.clone()], LoadConsent::Missing);
    let (sent, most) = (count.swap(0, Ordering::Relaxed), most(&measurement, 0));
    assert!((100..=most).contains(&sent), "{sent} requests, at most {most}");
    assert_own_limit(&measurement);
    run(vec![scenario], LoadConsent::Given);
    assert!(count.load(Ordering::Relaxed) > most, "with consent, each arrival is sent");
}

#[test]
fn a_lawful_load_on_another_machine_is_sent_whole() {
    let (server, count) = counting_server("200 OK".to_owned());
    let mut scenario = open(100.0, 3, 8);
    scenario.warmup = WarmupPlan { connections: 4, requests: 100 };
    let measurement = run(vec![elsewhere(scenario, "lawful.test", server)], LoadConsent::Missing);
    assert_eq!(measurement.scenarios[0].ended_at_limits(), 0);
    assert_eq!(count.load(Ordering::Relaxed), 400);
}
