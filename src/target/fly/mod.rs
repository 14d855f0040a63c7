//! A rehearsal of Fly: its Machines API, its proxy and its Prometheus over simulated machines that
//! start, stop, suspend, warm up and are throttled by a CPU quota.
//!
//! [`FlyWorld`] is the simulation, a pure function of what was asked and of time that others pass
//! to it. [`FlyRehearsal`] connects it with the server's clock: requests wait there until the
//! simulation has an answer. Simulated time runs `scale` times as fast as real time.
//!
//! A request of the app passes `proxy` (which machine), the machine's boot if it must be awaited,
//! `cpu_quota` (the CPU time that all requests of a machine share) and then the latency that
//! `effects` give the machine's configuration. A call of the API passes `api`.

mod api;
mod autostop;
mod config;
mod cpu_quota;
mod effects;
mod file;
mod identifiers;
mod machine;
mod metrics;
mod private_network;
mod prometheus;
mod proxy;
mod request;
mod settings;
#[cfg(test)]
mod tests;
mod world;
mod written;

use std::cell::RefCell;
use std::net::Ipv6Addr;
use std::path::Path;
use std::pin::pin;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SERVER, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;

use self::api::{ApiAnswer, ApiCall, ApiOutcome, MachinesApi, StateWait};
pub(super) use self::private_network::machine_at;
use self::request::RequestProgress;
pub(super) use self::request::{RequestEnd, RequestWork};
use self::settings::FlySettings;
use self::world::FlyWorld;
use super::TargetError;
use super::body::ReceivedBody;
use super::clock::ServerClock;
use crate::files::read_regular;
use crate::library_text::describe_reading;
use crate::units::ByteSize;

/// The name of the built-in rehearsal.
const DEMO: &str = "demo";

/// The largest file that is read.
const LARGEST_FILE: ByteSize = ByteSize(1 << 20);

const PIN: &str = "fly-force-instance-id";
const REQUEST_ID: HeaderName = HeaderName::from_static("fly-request-id");
const PROXY: HeaderValue = HeaderValue::from_static("Fly/rehearsal");
const PROXY_VIA: HeaderValue = HeaderValue::from_static("1.1 fly.io");
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The simulation, in the server's time.
#[derive(Debug)]
pub(super) struct FlyRehearsal {
    world: RefCell<FlyWorld>,
    api: RefCell<MachinesApi>,
    /// Wakes whoever waits for a machine or for a place on one.
    changed: Notify,
    settings: FlySettings,
}

/// A request of the app that the proxy or a machine has accepted: its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProxyTicket(u64);

/// Forgets a request if its client is gone before its end.
struct InProgress<'a> {
    fly: &'a FlyRehearsal,
    request: u64,
}

/// Whether a path belongs to Fly and not to the app.
pub(super) fn is_control_path(path: &str) -> bool {
    ["/v1", "/prometheus"].iter().any(|root| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

impl FlyRehearsal {
    /// The rehearsal that a file describes, or the built-in one if its name is `demo`.
    pub(super) fn read(path: &Path, clock: &ServerClock) -> Result<Self, TargetError> {
        let wrong = |why| TargetError::FlyFile { path: path.to_owned(), why };
        let text = if path == Path::new(DEMO) {
            file::DEMO.to_owned()
        } else {
            let bytes = read_regular(path, LARGEST_FILE);
            let bytes = bytes.map_err(|error| wrong(describe_reading(&error)))?;
            String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?
        };
        let settings = file::read_settings(&text).map_err(wrong)?;
        Ok(Self {
            api: RefCell::new(MachinesApi::new(settings.seed)),
            world: RefCell::new(FlyWorld::new(settings.clone(), clock.unix_start())),
            changed: Notify::new(),
            settings,
        })
    }

    /// What a client needs to know, as names and values of its environment, if the server has this
    /// base URL.
    pub(super) fn environment(&self, base_url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("FLY_FLAPS_BASE_URL", base_url.to_owned()),
            ("FLY_PROMETHEUS_URL", format!("{base_url}/prometheus")),
            ("FLY_API_TOKEN", self.settings.token.expose_secret().to_owned()),
            ("FLY_ORG", self.settings.org.clone()),
            ("FLY_APP", self.settings.app.clone()),
        ]
    }

    /// Accepts a request of the app.
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        work: RequestWork,
        clock: &ServerClock,
    ) -> ProxyTicket {
        self.advance(clock);
        let pin = headers.get(PIN).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        let (request, begun) = self.world.borrow_mut().admit(pin.as_deref(), work);
        if !begun {
            // It may have started a machine that others wait for.
            self.changed.notify_waiters();
        }
        ProxyTicket(request)
    }

    /// Accepts a request of the app that came to a machine's private address; `None` if nothing
    /// listens there.
    pub(super) fn admit_privately(
        &self,
        machine: usize,
        work: RequestWork,
        clock: &ServerClock,
    ) -> Option<ProxyTicket> {
        self.advance(clock);
        self.world.borrow_mut().admit_privately(machine, work).map(ProxyTicket)
    }

    /// The private addresses of the machines that exist, in the order of their indices.
    pub(super) fn private_addresses(&self) -> Vec<Ipv6Addr> {
        self.world.borrow().machines.iter().map(|machine| machine.private_ip).collect()
    }

    /// Waits until the request has ended. The time that the app worked is a real one.
    pub(super) async fn end(&self, ticket: ProxyTicket, clock: &ServerClock) -> RequestEnd {
        let scale = self.settings.scale;
        let request = InProgress { fly: self, request: ticket.0 };
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            self.advance(clock);
            let progress = self.world.borrow_mut().progress(request.request);
            match progress {
                RequestProgress::Ended(RequestEnd::Served { worked }) => {
                    return RequestEnd::Served { worked: scale.real(worked) };
                }
                RequestProgress::Ended(refused @ RequestEnd::Refused(_)) => return refused,
                RequestProgress::NotBefore(moment) => tokio::select! {
                    () = clock.sleep_until(scale.real(moment)) => {}
                    () = changed => {}
                },
            }
        }
    }

    /// The headers that Fly's proxy adds to an answer.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap, clock: &ServerClock) {
        let mut world = self.world.borrow_mut();
        let wall = (clock.unix_start() + clock.elapsed()).as_millis();
        let id = world.ids.ulid(u64::try_from(wall).unwrap_or(0));
        let id = HeaderValue::from_str(&format!("{id}-{}", self.settings.region));
        headers.extend(id.ok().map(|id| (REQUEST_ID, id)));
        headers.insert(SERVER, PROXY);
        headers.insert(VIA, PROXY_VIA);
    }

    /// Answers a call of the Machines API or a query of Prometheus.
    pub(super) async fn answer(
        &self,
        (method, uri): (&Method, &Uri),
        headers: &HeaderMap,
        body: ReceivedBody,
        clock: &ServerClock,
    ) -> Response<Bytes> {
        let ReceivedBody::Whole(body) = body else {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return render(&ApiAnswer::error(status, "the body is too large"));
        };
        self.advance(clock);
        let call = ApiCall::new(method, uri, headers, body);
        if uri.path().starts_with("/prometheus") {
            return render(&prometheus::answer(uri.path(), &call, &self.world.borrow()));
        }
        let outcome = self.api.borrow_mut().carry_out(&call, &mut self.world.borrow_mut());
        if *method != Method::GET {
            self.changed.notify_waiters();
        }
        match outcome {
            ApiOutcome::Answer(answer) => render(&answer),
            ApiOutcome::Wait(wait) => render(&self.wait(&wait, clock).await),
        }
    }

    async fn wait(&self, wait: &StateWait, clock: &ServerClock) -> ApiAnswer {
        let answer = loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            self.advance(clock);
            let (answer, next) = {
                let world = self.world.borrow();
                (wait.answer(&world), world.next_change().unwrap_or(wait.limit).min(wait.limit))
            };
            if let Some(answer) = answer {
                break answer;
            }
            tokio::select! {
                () = clock.sleep_until(self.settings.scale.real(next)) => {}
                () = changed => {}
            }
        };
        let slow = self.settings.scale.real(self.settings.faults.slow_wait);
        clock.sleep_until(clock.elapsed() + slow).await;
        answer
    }

    /// Moves the simulation to the present.
    pub(super) fn advance(&self, clock: &ServerClock) {
        let now = self.settings.scale.simulated(clock.elapsed());
        if self.world.borrow_mut().advance(now) {
            self.changed.notify_waiters();
        }
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        if let Ok(mut world) = self.fly.world.try_borrow_mut()
            && world.forget(self.request)
        {
            self.fly.changed.notify_waiters();
        }
    }
}

fn render(answer: &ApiAnswer) -> Response<Bytes> {
    let body = answer.body.as_ref().map(|body| Bytes::from(body.to_string()));
    let mut response = Response::new(body.unwrap_or_default());
    *response.status_mut() = answer.status;
    if answer.body.is_some() {
        response.headers_mut().insert(CONTENT_TYPE, JSON);
    }
    response
}
