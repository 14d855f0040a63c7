//! Databases that make the prober try again: another machine gets no more statements than the
//! limit.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tollgate::record::Failure::OwnLimit;
use tollgate::scenario::Scenario;

use crate::keeper::run;

/// The URL of a database that closes each connection, and how many it got. Its address leads to
/// this machine and is no loopback address.
fn database() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counter.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    (format!("postgresql://user:password@0.0.0.0:{port}/db?sslmode=disable"), count)
}

#[test]
fn statements_for_another_machine_are_held_to_the_limit() {
    for tries in
        ["retry = { times = 100, after = '0ms' }", "poll = { every = '10ms', within = '1s' }"]
    {
        let (url, count) = database();
        let text = format!(
            "name = 'database'\n[target]\nbase_url = 'http://127.0.0.1:9'\n[databases]\ndb = '{url}'\n\
             [load]\narrival_rate = '50/s'\nduration = '1s'\nconnections = 8\n\
             [[request]]\nname = 'rows'\ndatabase = 'db'\nsql = 'select 1'\n{tries}\n"
        );
        let scenario =
            Scenario::parse("case.toml", &text).unwrap_or_else(|errors| panic!("{errors}"));
        let measured = run(&[scenario]);
        // A burst, the rate, and up to three connections for a statement.
        let seconds = measured.elapsed.max(Duration::from_secs(1)).as_secs() + 1;
        let (sent, most) = (count.load(Ordering::Relaxed), 3 * 100 * (1 + seconds));
        assert!((100..=most).contains(&sent), "{tries}: {sent} connections, at most {most}");
        let evidence = measured.scenarios[0].requests[0].measured.evidence.by_count();
        let own = evidence.iter().find(|evidence| evidence.failure == OwnLimit);
        assert!(own.is_some_and(|own| own.seen.contains("to 0.0.0.0")), "{tries}: {evidence:?}");
    }
}
