//! What one request costs in the functions that every request passes, in nanoseconds.
//!
//! `cargo bench --bench micro` takes some seconds; `-- recorder` measures only the functions of
//! that name. Compare figures only of one machine, and of runs that follow each other.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use divan::Bencher;
use http::{HeaderMap, HeaderValue, StatusCode};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tollgate::expect::ResponseView;
use tollgate::plan::{Environment, Plan, PlanOverrides, Schedule, Shard};
use tollgate::record::{Dimension, Stage};
use tollgate::recorder::{ConnectionId, Exchange, ExchangeParts, Recorder, UsedConnection};
use tollgate::scenario::Scenario;
use tollgate::units::Rate;

/// Requests a second.
const RATE: u32 = 20_000;
const CONNECTIONS: u64 = 64;
/// Number of distinct exchanges.
const EXCHANGES: usize = 1_024;

fn main() {
    divan::main();
}

/// A scenario with two budgets on latency and one on errors.
fn plan() -> Plan {
    let scenario = format!(
        "name = \"micro\"\nbudgets = [\"p50 < 2ms\", \"p95 < 300ms\", \"errors < 1%\"]\n\
         [target]\nbase_url = \"http://tiles.test\"\n\
         [[request]]\nname = \"tile\"\npath = \"/tile\"\n\
         [request.expect]\nstatus = 200\nheaders = {{ content-type = \"image/png\" }}\n\
         [load]\narrival_rate = \"{RATE}/s\"\nduration = \"60s\"\nconnections = {CONNECTIONS}\n\
         [gate]\nstalls = \"100ms\"\n"
    );
    let scenario = Scenario::parse("micro.toml", &scenario).unwrap();
    Plan::resolve(&[scenario], &Environment::new([]), &PlanOverrides::default()).unwrap().0
}

/// The parts of an exchange on an open connection. They differ as much as those of a target that
/// answers in one to four milliseconds.
fn parts(random: &mut ChaCha8Rng) -> ExchangeParts {
    let mut micros = |range: std::ops::Range<u64>| {
        Duration::from_nanos(random.random_range(range) * 1_000 + 300)
    };
    let [lag, wait] = [micros(5..80), micros(0..3)];
    let [first_byte, body] = [micros(1_000..4_000), micros(1..200)];
    let mut parts = ExchangeParts::default();
    for (dimension, duration) in [
        (Dimension::Latency, lag + wait + first_byte + body),
        (Dimension::Lag, lag),
        (Dimension::Wait, wait),
        (Dimension::Service, first_byte + body),
        (Dimension::FirstByte, first_byte),
        (Dimension::Body, body),
    ] {
        parts.set_duration(dimension, duration);
    }
    parts
}

fn exchanges() -> Vec<Exchange> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let exchange = |_| Exchange {
        parts: parts(&mut random),
        connection: UsedConnection::One(ConnectionId {
            number: random.random_range(0..CONNECTIONS),
            address: Some(SocketAddr::from(([127, 0, 0, 1], 80))),
        }),
        body_bytes: 1_024,
        ..Exchange::default()
    };
    (0..EXCHANGES).map(exchange).collect()
}

/// What the recorder is compared with: copying an exchange.
#[divan::bench(sample_size = RATE)]
fn copy_of_an_exchange(bencher: Bencher<'_, '_>) {
    let exchanges = exchanges();
    let mut nth = 0;
    bencher.bench_local(|| {
        nth += 1;
        exchanges[nth % EXCHANGES].clone()
    });
}

/// One exchange from `begin` to `end`, with its share of settling the second.
#[divan::bench(sample_size = RATE)]
fn recorder(bencher: Bencher<'_, '_>) {
    let plan = plan();
    let ceilings = plan.scenarios[0].ceilings();
    let width = plan.scenarios[0].shown.stalls.unwrap().slot;
    let connections = usize::try_from(CONNECTIONS).unwrap();
    let mut recorder = Recorder::new(ceilings, connections).with_slots(Some(width));
    let (exchanges, between) = (exchanges(), Duration::from_secs(1) / RATE);
    let mut nth = 0;
    bencher.bench_local(|| {
        let due = between * nth;
        recorder.begin(due);
        let exchange = exchanges[nth as usize % EXCHANGES].clone();
        recorder.record(0, Stage::Measured, due, exchange);
        recorder.end(due);
        nth += 1;
        (nth % RATE == 0).then(|| recorder.settle(between * nth))
    });
}

/// The due time of the next arrival.
#[divan::bench(args = ["constant", "ramping", "poisson"], sample_size = RATE)]
fn schedule(bencher: Bencher<'_, '_>, kind: &str) {
    let (rate, length) = (Rate::per_second(f64::from(RATE)).unwrap(), Duration::from_hours(1));
    let constant = Schedule::constant(rate, length);
    let ramp = [tollgate::plan::RampStep { duration: length, to: Some(rate) }];
    let schedule = match kind {
        "ramping" => Schedule::ramping(None, &ramp).unwrap(),
        "poisson" => Schedule::poisson(7, &constant),
        _ => constant,
    };
    let mut arrivals = schedule.arrivals(Shard::WHOLE);
    bencher.bench_local(|| arrivals.next().unwrap());
}

/// The head of an answer, judged by a status and a header, and its exchange.
#[divan::bench(sample_size = RATE)]
fn outcome_of_an_answer(bencher: Bencher<'_, '_>) {
    let plan = plan();
    let request = &plan.scenarios[0].requests[0];
    let url = request.http().unwrap().url.clone();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("date", "Mon, 30 Nov 2026 08:00:00 GMT"),
        ("content-type", "image/png"),
        ("content-length", "1024"),
        ("cache-control", "public, max-age=60"),
        ("etag", "\"5f2a\""),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let parts = parts(&mut ChaCha8Rng::seed_from_u64(7));
    bencher.bench_local(|| {
        let view = ResponseView { status: StatusCode::OK, url: &url, headers: &headers, body: &[] };
        let mut exchange = Exchange { parts: black_box(parts), ..Exchange::default() };
        if request.expectations.judge(black_box(&view)).is_err() {
            exchange.parts.fail_answer();
        }
        exchange
    });
}
