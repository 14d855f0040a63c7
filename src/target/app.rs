//! The tile loader as an app: the answer to each request, and its delay.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use super::TargetError;
use super::arrival_log::{ArrivalEntry, ArrivalLog};
use super::body::ReceivedBody;
use super::clock::ServerClock;
use super::fly::{FlyRehearsal, ProxyTicket, RequestEnd, RequestWork, is_control_path, machine_at};
use super::latency::scaled;
use super::page::{PageReply, PageRequest, TargetPage, text_page};
use super::script::{AnswerEnding, AnswerScript};
use super::seeded_draws::SeededDraws;
use super::services::{ServiceCall, ServiceRequest};
use super::settings::{ConnectionEnd, TargetSettings};
use super::site::{SiteMap, SiteRoute};
use super::stall::StallWindows;
use super::warmth::MachineWarmth;
use super::workers::WorkerPool;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionOrigin {
    /// Its number, from 1.
    pub(super) number: u64,
    /// The simulated machine at whose private address it arrived; `None` if it came to the proxy.
    pub(super) machine: Option<usize>,
}

/// The connection and stream that a request arrived on.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestOrigin {
    pub(super) connection: ConnectionOrigin,
    /// The stream's number; 0 in HTTP/1.1.
    pub(super) stream: u32,
}

/// The random outcome of a page.
#[derive(Debug, Clone, Copy)]
enum PageOutcome {
    Fine,
    Failed,
    Spoilt(&'static TargetPage),
}

/// A request that has arrived, its answer, and how long that takes. The arrival counts from the
/// server's start.
#[derive(Debug)]
pub(super) struct PendingAnswer {
    arrival: Duration,
    /// Boot time, the wait for a worker, and latency, without stalls.
    delay: Duration,
    /// The wait for a worker, which the app does not see.
    queued: Duration,
    /// When the answer was ready, without the delay.
    made: Duration,
    /// Whether the answer reports the app's processing time.
    tells_time: bool,
    /// The request, if its answer depends on its body.
    call: Option<ServiceCall>,
    fly: FlyShare,
    pub(super) reply: PageReply,
}

/// What the rehearsal of Fly has to do with a request.
#[derive(Debug)]
enum FlyShare {
    None,
    /// It is a call of the Machines API or a query of Prometheus.
    Call(Method, Uri),
    /// A simulated machine answers it, behind the proxy.
    Proxied(ProxyTicket),
    /// A simulated machine answers it at its private address.
    Private(ProxyTicket),
    /// It came to the private address of a machine that does not listen.
    NotListening,
}

/// The state of the server, used by one thread and shared by its connections.
#[derive(Debug)]
pub(super) struct TargetApp {
    clock: ServerClock,
    site: SiteMap,
    stalls: Option<StallWindows>,
    fault: Option<&'static TargetPage>,
    connection_end: Option<(u64, ConnectionEnd)>,
    dice: RefCell<SeededDraws>,
    warmth: RefCell<MachineWarmth>,
    workers: RefCell<WorkerPool>,
    log: RefCell<Option<ArrivalLog>>,
    connections: Cell<u64>,
    fly: Option<FlyRehearsal>,
}

impl TargetApp {
    /// The app that `settings` describe, timed by `clock`.
    pub(super) fn new(settings: &TargetSettings, clock: ServerClock) -> Result<Self, TargetError> {
        let stalls = settings.stalls()?;
        let log = match &settings.arrival_log {
            Some(path) => Some(ArrivalLog::create(path, clock.unix_start(), stalls.as_ref())?),
            None => None,
        };
        let fly = settings.fly.as_ref().map(|path| FlyRehearsal::read(path, &clock)).transpose()?;
        Ok(Self {
            clock,
            fly,
            site: SiteMap::new(settings)?,
            stalls,
            fault: settings.fault,
            connection_end: settings.connection_end(),
            dice: RefCell::new(SeededDraws::new(settings)),
            warmth: RefCell::new(settings.warmth()),
            workers: RefCell::new(WorkerPool::new(settings.workers)),
            log: RefCell::new(log),
            connections: Cell::new(0),
        })
    }

    /// The rehearsal of Fly, if there is one.
    pub(super) fn fly(&self) -> Option<&FlyRehearsal> {
        self.fly.as_ref()
    }

    /// Numbers a new connection that arrived at this address of the server: 1, 2, …
    pub(super) fn next_connection(&self, address: Option<IpAddr>) -> ConnectionOrigin {
        self.connections.set(self.connections.get() + 1);
        let machine = self.fly.as_ref().and(address).and_then(machine_at);
        ConnectionOrigin { number: self.connections.get(), machine }
    }

    /// Accepts a request whose head has just been read: records its arrival and decides its answer.
    pub(super) fn receive<B>(&self, origin: RequestOrigin, request: &Request<B>) -> PendingAnswer {
        let arrival = self.clock.elapsed();
        let boot = self.warmth.borrow_mut().wake(arrival);
        let route = self.site.route(request);
        let (latency, fate) = self.work(route);
        let fly = self.share_with_fly(origin.connection.machine, request, (route, latency));
        let queued = match (&fly, route) {
            (FlyShare::None, SiteRoute::Sample | SiteRoute::Live) => {
                self.workers.borrow_mut().wait(arrival + boot, latency)
            }
            _ => Duration::ZERO,
        };
        let is_own = matches!(fly, FlyShare::None);
        let delay = if is_own { boot + queued + latency } else { Duration::ZERO };
        if let Some(log) = self.log.borrow_mut().as_mut() {
            let target =
                request.uri().path_and_query().map_or("*", http::uri::PathAndQuery::as_str);
            let RequestOrigin { connection, .. } = origin;
            log.note(ArrivalEntry {
                at: arrival,
                connection: connection.number,
                target,
                delay,
                version: request.version(),
            });
        }
        let page_request =
            |query| PageRequest { query, version: request.version(), stream: origin.stream };
        let path = request.uri().path();
        let reply = match fate {
            PageOutcome::Spoilt(fault) => fault.answer(&page_request("")),
            PageOutcome::Failed => self.site.failure(),
            // Nobody is there to answer.
            PageOutcome::Fine if matches!(fly, FlyShare::NotListening) => {
                PageReply::Steps(AnswerScript::only(AnswerEnding::Close))
            }
            PageOutcome::Fine => {
                let now = self.clock.unix_start() + arrival;
                let asking = ServiceRequest { path, headers: request.headers(), now };
                self.site.reply(route, &page_request(request.uri().query().unwrap_or("")), &asking)
            }
        };
        let call = match route {
            SiteRoute::Service(call) if call.needs_body() => Some(call),
            _ => None,
        };
        let reply = to_method(reply, request.method());
        let call = call.filter(|_| !matches!(fly, FlyShare::Call(..)));
        let tells_time = path == "/app";
        PendingAnswer { arrival, delay, queued, made: arrival, tells_time, call, fly, reply }
    }

    /// Decides the answer from the body that [`PendingAnswer::wants_body`] asked for.
    pub(super) async fn take_body(
        &self,
        visit: &mut PendingAnswer,
        headers: &HeaderMap,
        body: ReceivedBody,
    ) {
        if let (FlyShare::Call(method, uri), Some(fly)) = (&visit.fly, &self.fly) {
            let answer = fly.answer((method, uri), headers, body, &self.clock).await;
            visit.reply = PageReply::Whole(answer);
        } else if let Some(call) = visit.call {
            visit.reply = self.site.take(call, headers, body).await;
        }
        visit.made = self.clock.elapsed();
    }

    /// How the connection ends after its `nth` answer, counted from 1; `None` if it continues.
    pub(super) fn connection_end(&self, nth: u64) -> Option<ConnectionEnd> {
        self.connection_end
            .and_then(|(last, connection_end)| (nth >= last).then_some(connection_end))
    }

    /// Waits until the visit's answer may leave: when it is ready, or at the end of the stall that
    /// has begun by then.
    ///
    /// The app reports its processing time without stalls, because a stalled process does not
    /// notice its stall, and without the queue in front of it.
    pub(super) async fn hold(&self, visit: &mut PendingAnswer) {
        let mut now = visit.made;
        if visit.delay > Duration::ZERO {
            self.clock.sleep_until(visit.arrival + visit.delay).await;
            now = self.clock.elapsed();
        }
        if matches!(visit.fly, FlyShare::Proxied(_) | FlyShare::Private(_)) {
            // Boxed, so that the size of this future does not enlarge every exchange.
            Box::pin(self.await_machine(visit)).await;
            now = self.clock.elapsed();
        } else {
            visit.tell(now.saturating_sub(visit.arrival + visit.queued));
        }
        let release = self.stalls.map_or(now, |stalls| stalls.release(now));
        if release > now {
            self.clock.sleep_until(release).await;
        }
    }

    /// Waits for the simulated machine that answers. The app does not know how long the proxy held
    /// the request.
    async fn await_machine(&self, visit: &mut PendingAnswer) {
        let (FlyShare::Proxied(ticket) | FlyShare::Private(ticket), Some(fly)) =
            (&visit.fly, &self.fly)
        else {
            return;
        };
        let is_proxied = matches!(visit.fly, FlyShare::Proxied(_));
        match fly.end(*ticket, &self.clock).await {
            RequestEnd::Served { worked } => visit.tell(worked),
            RequestEnd::Refused(_) if !is_proxied => {
                visit.reply = PageReply::Steps(AnswerScript::only(AnswerEnding::Close));
            }
            RequestEnd::Refused(status) => {
                let text = format!("{}\n", status.canonical_reason().unwrap_or("Refused"));
                visit.reply = PageReply::Whole(text_page(status, text));
            }
        }
        if let PageReply::Whole(page) = &mut visit.reply
            && is_proxied
        {
            fly.add_headers(page.headers_mut(), &self.clock);
        }
    }

    /// Gives a request to the rehearsal of Fly if there is one: to the `machine` at whose private
    /// address it arrived, or to the proxy. `latency` is what the page waits for its upstream
    /// calls.
    fn share_with_fly<B>(
        &self,
        machine: Option<usize>,
        request: &Request<B>,
        (route, latency): (SiteRoute, Duration),
    ) -> FlyShare {
        let Some(fly) = &self.fly else { return FlyShare::None };
        if machine.is_none() && is_control_path(request.uri().path()) {
            return FlyShare::Call(request.method().clone(), request.uri().clone());
        }
        let work = match route {
            SiteRoute::Sample => RequestWork::Page(Duration::ZERO),
            SiteRoute::Live => RequestWork::Page(latency),
            _ => RequestWork::Nothing,
        };
        let Some(machine) = machine else {
            return FlyShare::Proxied(fly.admit(request.headers(), work, &self.clock));
        };
        let admitted = fly.admit_privately(machine, work, &self.clock);
        admitted.map_or(FlyShare::NotListening, FlyShare::Private)
    }

    /// Releases answers that [`Self::hold`] holds when they are due; must be polled while answers
    /// are held.
    pub(super) async fn drive_timer(&self) {
        self.clock.drive_timer().await;
    }

    /// Moves the rehearsal of Fly to the present, so that it never has much to catch up with.
    pub(super) fn advance_fly(&self) {
        if let Some(fly) = &self.fly {
            fly.advance(&self.clock);
        }
    }

    /// Passes the arrivals recorded so far to the log's writing thread.
    pub(super) fn flush_log(&self) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.flush();
        }
    }

    /// Writes the last arrivals and reports whether all of them were written.
    pub(super) fn close_log(&self) -> Result<(), TargetError> {
        self.log.take().map_or(Ok(()), ArrivalLog::close)
    }

    /// How long the work on a page takes, and its result.
    fn work(&self, route: SiteRoute) -> (Duration, PageOutcome) {
        if !matches!(route, SiteRoute::Sample | SiteRoute::Live) {
            return (Duration::ZERO, PageOutcome::Fine);
        }
        let factor = self.warmth.borrow_mut().next_factor();
        let mut dice = self.dice.borrow_mut();
        let latency = if matches!(route, SiteRoute::Live) {
            dice.live_latency()
        } else {
            dice.sample_latency()
        };
        let failed = dice.draws_error();
        let fate = match self.fault.filter(|_| dice.draws_fault()) {
            Some(fault) => PageOutcome::Spoilt(fault),
            None if failed => PageOutcome::Failed,
            None => PageOutcome::Fine,
        };
        (scaled(latency, factor), fate)
    }
}

impl PendingAnswer {
    /// Whether the answer depends on the request's body.
    pub(super) fn wants_body(&self) -> bool {
        self.call.is_some() || matches!(self.fly, FlyShare::Call(..))
    }

    /// Adds the app's processing time to the answer's head, if the app reports it.
    fn tell(&mut self, worked: Duration) {
        if let (true, PageReply::Whole(page)) = (self.tells_time, &mut self.reply) {
            let server_timing = format!("app;dur={:.3}", worked.as_secs_f64() * 1e3);
            page.headers_mut().extend(
                HeaderValue::from_str(&server_timing).ok().map(|value| (SERVER_TIMING, value)),
            );
        }
    }
}

/// The reply for the method: for HEAD, a scripted answer must omit its body itself.
fn to_method(reply: PageReply, method: &Method) -> PageReply {
    match reply {
        PageReply::Steps(script) if method == Method::HEAD => {
            PageReply::Steps(script.without_body())
        }
        reply => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(flags: &[&str]) -> TargetApp {
        TargetApp::new(&TargetSettings::from_flags(flags).unwrap(), ServerClock::start()).unwrap()
    }

    const ORIGIN: RequestOrigin =
        RequestOrigin { connection: ConnectionOrigin { number: 1, machine: None }, stream: 0 };

    fn sample_request() -> Request<()> {
        Request::get("/app?mock=1").body(()).unwrap()
    }

    fn sample_delays(app: &TargetApp, count: usize) -> Vec<Duration> {
        (0..count).map(|_| app.receive(ORIGIN, &sample_request()).delay).collect()
    }

    fn server_timing(reply: PageReply) -> Option<HeaderValue> {
        let PageReply::Whole(page) = reply else { panic!("not a whole page") };
        page.headers().get(SERVER_TIMING).cloned()
    }

    fn source(reply: PageReply) -> HeaderValue {
        let PageReply::Whole(page) = reply else { panic!("not a whole page") };
        page.headers()["x-tile-source"].clone()
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_leaves_during_a_stall_and_none_before_it_is_ready() {
        let app = app(&["--stall", "1s", "--every", "10s", "--mock-latency", "normal:500ms,200ms"]);
        for _ in 0..500 {
            let mut visit = app.receive(ORIGIN, &sample_request());
            app.hold(&mut visit).await;
            let left = app.clock.elapsed();
            assert!(left >= visit.arrival + visit.delay);
            assert!(left.as_millis() % 10_000 < 9_000, "left at {left:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_part_shorter_than_the_timers_grain_starves_nobody() {
        let app =
            app(&["--stall", "299999us", "--every", "300ms", "--mock-latency", "constant:1ms"]);
        let mut visit = app.receive(ORIGIN, &sample_request());
        app.hold(&mut visit).await;
        assert!(app.clock.elapsed() >= Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn the_app_tells_how_long_it_worked_and_not_of_a_stall() {
        let app = app(&["--stall", "1s", "--every", "1050ms", "--mock-latency", "constant:100ms"]);
        let mut visit = app.receive(ORIGIN, &sample_request());
        app.hold(&mut visit).await;
        assert_eq!(app.clock.elapsed().as_millis(), 1_050);
        assert_eq!(server_timing(visit.reply).unwrap(), "app;dur=100.000");

        let mut plain = app.receive(ORIGIN, &Request::get("/plain").body(()).unwrap());
        app.hold(&mut plain).await;
        assert_eq!(server_timing(plain.reply), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sample_page_draws_the_same_latency_however_many_live_pages_came_between() {
        let flags = ["--token", "t", "--seed", "5"];
        let alone = sample_delays(&app(&flags), 3);
        let mixed = app(&flags);
        let mut delays = sample_delays(&mixed, 1);
        let live = Request::get("/app").header("x-hotdash-synthetic", "t").body(()).unwrap();
        assert_eq!(source(mixed.receive(ORIGIN, &live).reply), "live");
        delays.extend(sample_delays(&mixed, 2));
        assert_eq!(delays, alone);
    }

    #[tokio::test(start_paused = true)]
    async fn pages_queue_for_a_worker_and_the_app_does_not_report_the_queue() {
        let app = app(&["--workers", "1", "--mock-latency", "constant:20ms"]);
        let visits = (0..3).map(|_| app.receive(ORIGIN, &sample_request()));
        for (mut visit, expected) in visits.collect::<Vec<_>>().into_iter().zip([20, 40, 60]) {
            assert_eq!(visit.delay.as_millis(), expected);
            app.hold(&mut visit).await;
            assert_eq!(server_timing(visit.reply).unwrap(), "app;dur=20.000");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_live_page_waits_for_six_upstream_calls_and_a_warming_one_for_more() {
        let flags = ["--token", "t", "--upstream-latency", "constant:10ms", "--warming", "1"];
        let app = app(&flags);
        let live = Request::get("/app?mock=0").header("x-hotdash-synthetic", "t").body(()).unwrap();
        for expected in [180, 60] {
            assert_eq!(app.receive(ORIGIN, &live).delay.as_millis(), expected);
        }
    }
}
