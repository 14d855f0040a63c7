//! The tile loader as an app: which request gets which answer, and when.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use secrecy::SecretString;

use super::arrival_log::{Arrival, ArrivalLog};
use super::clock::Clock;
use super::latency::{Latency, happens, scaled};
use super::pages::Pages;
use super::settings::{Auth, Settings};
use super::stall::Stalls;
use super::visitor::{carries_token, is_bot};
use super::warmth::Warmth;
use super::Error;
use crate::units::Ratio;

/// Upstream calls that the live page awaits one after the other.
const UPSTREAM_CALLS: usize = 6;

const TILE_SOURCE: HeaderName = HeaderName::from_static("x-tile-source");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a request comes to be, before any latency is drawn for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Sample,
    Live,
    Redirect,
    Bot,
    Login,
    Health,
    Plain,
    WrongMethod,
    NotFound,
}

/// An answer and the moment it may leave, stalls aside; the moment counts from the server's start.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) ready: Duration,
    pub(super) response: Response<Full<Bytes>>,
}

/// The state of the server: one thread's, shared by its connections.
#[derive(Debug)]
pub(super) struct App {
    clock: Clock,
    pages: Pages,
    token: SecretString,
    auth: Auth,
    stalls: Option<Stalls>,
    dice: RefCell<Dice>,
    warmth: RefCell<Warmth>,
    log: RefCell<Option<ArrivalLog>>,
    connections: Cell<u64>,
}

impl App {
    /// The app that `settings` describe, its time counted by `clock`.
    pub(super) fn new(settings: &Settings, clock: Clock) -> Result<Self, Error> {
        let stalls = settings.stalls()?;
        let log = match &settings.arrival_log {
            Some(path) => Some(ArrivalLog::create(path, clock.unix_start(), stalls.as_ref())?),
            None => None,
        };
        Ok(Self {
            clock,
            pages: Pages::new(settings.tile_state),
            token: settings.token.clone(),
            auth: settings.auth,
            stalls,
            dice: RefCell::new(Dice::new(settings)),
            warmth: RefCell::new(settings.warmth()),
            log: RefCell::new(log),
            connections: Cell::new(0),
        })
    }

    /// Numbers a new connection: 1, 2, …
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.set(self.connections.get() + 1);
        self.connections.get()
    }

    /// Takes a request that has just been read: notes its arrival and decides its answer.
    pub(super) fn receive<B>(&self, connection: u64, request: &Request<B>) -> Visit {
        let arrival = self.clock.elapsed();
        let up = self.warmth.borrow_mut().wake(arrival);
        let route = self.route(request);
        let (latency, failed) = self.work(route);
        let ready = up + latency;
        if let Some(log) = self.log.borrow_mut().as_mut() {
            let target = request.uri().path_and_query().map_or("*", http::uri::PathAndQuery::as_str);
            log.note(Arrival { at: arrival, connection, target, delay: ready - arrival });
        }
        Visit { ready, response: if failed { failure() } else { self.respond(route) } }
    }

    /// Waits until an answer that is `ready` may leave: not before that moment, and never during a stall.
    pub(super) async fn hold_until(&self, ready: Duration) {
        loop {
            let now = self.clock.elapsed();
            let earliest = now.max(ready);
            let release = self.stalls.map_or(earliest, |stalls| stalls.release(earliest));
            if release <= now {
                return;
            }
            self.clock.sleep_until(release).await;
        }
    }

    /// Sends the arrivals noted so far on their way to the file.
    pub(super) fn flush_log(&self) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.flush();
        }
    }

    /// Writes the last arrivals and reports whether all of them were written.
    pub(super) fn close_log(&self) -> Result<(), Error> {
        self.log.take().map_or(Ok(()), ArrivalLog::close)
    }

    fn route<B>(&self, request: &Request<B>) -> Route {
        let readable = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/plain" | "/app" | "/auth/login" | "/health" if !readable => Route::WrongMethod,
            "/plain" => Route::Plain,
            "/app" => self.route_app(request),
            "/auth/login" => Route::Login,
            "/health" => Route::Health,
            _ => Route::NotFound,
        }
    }

    fn route_app<B>(&self, request: &Request<B>) -> Route {
        if is_bot(request.headers()) {
            Route::Bot
        } else if asks_for_sample(request.uri().query()) {
            Route::Sample
        } else if self.auth == Auth::Contract && carries_token(request.headers(), &self.token) {
            Route::Live
        } else {
            Route::Redirect
        }
    }

    /// How long the work on a page takes, and whether it fails.
    fn work(&self, route: Route) -> (Duration, bool) {
        if !matches!(route, Route::Sample | Route::Live) {
            return (Duration::ZERO, false);
        }
        let factor = self.warmth.borrow_mut().next_factor();
        let mut dice = self.dice.borrow_mut();
        let latency = if route == Route::Live { dice.live_latency() } else { dice.sample_latency() };
        (scaled(latency, factor), dice.fails())
    }

    fn respond(&self, route: Route) -> Response<Full<Bytes>> {
        match route {
            Route::Plain => answer(StatusCode::OK, TEXT, self.pages.plain.clone()),
            Route::Sample => answer(StatusCode::OK, HTML, self.pages.sample.clone()),
            Route::Live => {
                let page = answer(StatusCode::OK, HTML, self.pages.live.clone());
                with_header(page, TILE_SOURCE, HeaderValue::from_static("live"))
            }
            Route::Login => answer(StatusCode::OK, HTML, self.pages.login.clone()),
            Route::Health => answer(StatusCode::OK, JSON, Bytes::from_static(br#"{"status":"ok"}"#)),
            Route::Redirect => {
                let found = answer(StatusCode::FOUND, TEXT, Bytes::new());
                with_header(found, LOCATION, HeaderValue::from_static("/auth/login"))
            }
            Route::Bot => answer(StatusCode::GONE, TEXT, Bytes::from_static(b"Gone\n")),
            Route::NotFound => answer(StatusCode::NOT_FOUND, TEXT, Bytes::from_static(b"Not Found\n")),
            Route::WrongMethod => {
                let refusal = Bytes::from_static(b"Method Not Allowed\n");
                let refused = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, refusal);
                with_header(refused, ALLOW, HeaderValue::from_static("GET, HEAD"))
            }
        }
    }
}

/// Whatever is drawn by chance, from the seed.
///
/// Sample latencies, upstream latencies and errors are three streams (0, 1, 2) of one ChaCha8 generator, so that the
/// n-th sample page gets the same latency however many live pages came between. Each live page takes six draws of
/// the second stream, each page of either kind one of the third; nothing else draws.
#[derive(Debug)]
struct Dice {
    sample: (Latency, ChaCha8Rng),
    upstream: (Latency, ChaCha8Rng),
    error: (Ratio, ChaCha8Rng),
}

impl Dice {
    fn new(settings: &Settings) -> Self {
        let stream = |number| {
            let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
            rng.set_stream(number);
            rng
        };
        Self {
            sample: (settings.mock_latency, stream(0)),
            upstream: (settings.upstream_latency, stream(1)),
            error: (settings.error_rate, stream(2)),
        }
    }

    fn sample_latency(&mut self) -> Duration {
        self.sample.0.draw(&mut self.sample.1)
    }

    fn live_latency(&mut self) -> Duration {
        (0..UPSTREAM_CALLS).map(|_| self.upstream.0.draw(&mut self.upstream.1)).sum()
    }

    fn fails(&mut self) -> bool {
        happens(self.error.0, &mut self.error.1)
    }
}

/// Whether the query's first `mock` is `1`.
fn asks_for_sample(query: Option<&str>) -> bool {
    let mut pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == "mock").is_some_and(|(_, value)| value == "1")
}

fn failure() -> Response<Full<Bytes>> {
    answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, Bytes::from_static(b"Internal Server Error\n"))
}

fn answer(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    with_header(response, CONTENT_TYPE, content_type)
}

fn with_header(
    mut response: Response<Full<Bytes>>,
    name: HeaderName,
    value: HeaderValue,
) -> Response<Full<Bytes>> {
    response.headers_mut().insert(name, value);
    response
}
