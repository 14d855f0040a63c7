//! Runs against a scripted server, over in-memory streams and under paused time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use url::Url;

use crate::engine::conductor::Conductor;
use crate::engine::connection::dial::{
    DialFuture, DialedConnection, Dialer, NegotiatedProtocol, NegotiatedVersion, UrlOrigin,
};
use crate::engine::exchange::setup_state::SetupState;
use crate::engine::lane::Lane;
use crate::engine::lane::conductor_link::{ConductorLink, LaneCommand};
use crate::engine::thread::ThreadState;
use crate::engine::time::clock::{self, Instant};
use crate::engine::time::start::{AppointedStart, RunStart};
use crate::engine::time::stepping_clock;
use crate::engine::time::tick;
use crate::engine::time::timer::PreciseTimer;
use crate::engine::{Continuation, EngineError, Observer, RunProgress, StopSignal, stop_channel};
use crate::expect::{CaptureSet, ExpectationSet};
use crate::plan::live::LiveParts;
use crate::plan::{
    AddressFamily, CertificateTrust, ConnectionReuse, CookiePolicy, ExchangeTimeouts, HttpPlan,
    HttpProtocol, LoadPlan, PacingMode, Plan, ProxyChoice, RequestAction, RequestPlan, RetryPlan,
    ScenarioPlan, Schedule, SecretSet, Shard, TargetPlan, WarmupPlan,
};
use crate::record::{
    BaselineWindow, Ceiling, Dimension, EarlyEnd, Failure, GatePolicy, Interval, Measurement,
    PlannedRequest, PlannedScenario, ScenarioMeasurement,
};
use crate::recorder::{ExchangeFailure, ExchangeParts};
use crate::units::Rate;

/// What the scripted server does with one request of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    /// Answers 200 after a delay.
    Answer(Duration),
    /// Sends these bytes after a delay.
    Raw(Duration, &'static str),
    /// Sends these bytes at once, and then closes if asked.
    Bytes { answer: &'static [u8], closes: bool },
    /// Sends the head, then one byte of the body at each interval.
    Trickle { bytes: usize, every: Duration },
    /// Sends these bytes and closes.
    RawThenClose(&'static str),
    /// Sends an answer and, immediately or some time later, bytes that do not belong to it.
    Rest { answer: &'static str, apart: Duration, rest: &'static str },
    /// Sends these bytes and closes some time later.
    Late { head: &'static str, close: Duration },
    /// Answers, and closes the connection some time later, while it is idle.
    AnswerThenCloseIdle(Duration),
    /// Answers once the head is read, and reads nothing more.
    AnswerUnread,
    /// Closes without an answer once the request is read.
    Close,
    /// Never answers.
    Hang,
}

/// What the server does: the turns of each connection. The last turn repeats, and so does the last
/// connection.
#[derive(Debug, Clone)]
pub(super) struct Script(pub(super) Vec<Vec<Turn>>);

impl Script {
    pub(super) fn always(turn: Turn) -> Self {
        Self(vec![vec![turn]])
    }
}

/// Dials the scripted server; each connection takes 5 ms to open.
pub(super) struct ScriptedDial {
    script: RefCell<VecDeque<Vec<Turn>>>,
    /// Why no connection can be opened.
    fails: Option<Failure>,
    /// The addresses of the connections, in turn.
    addresses: Vec<SocketAddr>,
    pub(super) requests: Rc<RefCell<Vec<String>>>,
    /// The host and port that each connection was opened to.
    pub(super) dialled: Rc<RefCell<Vec<String>>>,
}

pub(super) const CONNECT: Duration = Duration::from_millis(5);

impl ScriptedDial {
    pub(super) fn new(script: Script) -> Self {
        let (requests, dialled) = (Rc::default(), Rc::default());
        let script = RefCell::new(script.0.into());
        Self { script, fails: None, addresses: Vec::new(), requests, dialled }
    }

    pub(super) fn refusing() -> Self {
        Self::failing(Failure::Refused)
    }

    /// A dialer that opens no connection.
    pub(super) fn failing(failure: Failure) -> Self {
        Self { fails: Some(failure), ..Self::new(Script(Vec::new())) }
    }

    /// Connects to these addresses in turn.
    pub(super) fn with_addresses(self, addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, ..self }
    }

    async fn connect(
        &self,
        origin: &UrlOrigin,
        parts: &mut ExchangeParts,
    ) -> Result<DialedConnection, ExchangeFailure> {
        let number = self.dialled.borrow().len();
        self.dialled.borrow_mut().push(format!("{}:{}", origin.host, origin.port));
        if let Some(failure) = self.fails {
            parts.set_failed(Dimension::Connect);
            return Err(ExchangeFailure::in_phase(failure, Dimension::Connect, "not connected"));
        }
        tokio::time::sleep(CONNECT).await;
        parts.set_duration(Dimension::Connect, CONNECT);
        let turns = {
            let mut script = self.script.borrow_mut();
            if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() }
        };
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::task::spawn_local(serve(theirs, turns, Rc::clone(&self.requests)));
        Ok(DialedConnection {
            stream: Box::new(ours),
            spoken: NegotiatedProtocol { version: NegotiatedVersion::Http1, tls: None },
            address: self.addresses.get(number % self.addresses.len().max(1)).copied(),
        })
    }
}

impl Dialer for ScriptedDial {
    fn dial<'a>(
        &'a self,
        origin: &'a UrlOrigin,
        parts: &'a mut ExchangeParts,
        _: Instant,
    ) -> DialFuture<'a> {
        Box::pin(self.connect(origin, parts))
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";

async fn serve(mut stream: DuplexStream, turns: Vec<Turn>, requests: Rc<RefCell<Vec<String>>>) {
    let mut turns = turns.into_iter().peekable();
    while let Some(request) = read_request(&mut stream).await {
        requests.borrow_mut().push(request);
        let turn = turns.next().unwrap();
        if turns.peek().is_none() {
            turns = vec![turn].into_iter().peekable();
        }
        if answer(&mut stream, turn).await.is_none() {
            return;
        }
    }
}

async fn read_request(stream: &mut DuplexStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(request).ok()
}

/// Takes one turn; `None` if it ends the connection.
async fn answer(stream: &mut DuplexStream, turn: Turn) -> Option<()> {
    match turn {
        Turn::Answer(after) => {
            tokio::time::sleep(after).await;
            stream.write_all(format!("{HEAD}hello").as_bytes()).await.ok()
        }
        Turn::Raw(after, bytes) => {
            tokio::time::sleep(after).await;
            stream.write_all(bytes.as_bytes()).await.ok()
        }
        Turn::Bytes { answer, closes } => {
            stream.write_all(answer).await.ok()?;
            (!closes).then_some(())
        }
        Turn::Trickle { bytes, every } => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.ok()?;
            for _ in 0..bytes {
                tokio::time::sleep(every).await;
                stream.write_all(b"x").await.ok()?;
            }
            Some(())
        }
        Turn::Rest { answer, apart, rest } if apart.is_zero() => {
            stream.write_all([answer, rest].concat().as_bytes()).await.ok()
        }
        Turn::Rest { answer, apart, rest } => {
            stream.write_all(answer.as_bytes()).await.ok()?;
            tokio::time::sleep(apart).await;
            stream.write_all(rest.as_bytes()).await.ok()
        }
        Turn::Late { head, close } => {
            stream.write_all(head.as_bytes()).await.ok()?;
            tokio::time::sleep(close).await;
            None
        }
        Turn::RawThenClose(bytes) => {
            stream.write_all(bytes.as_bytes()).await.ok()?;
            None
        }
        Turn::AnswerThenCloseIdle(after) => {
            stream.write_all(format!("{HEAD}hello").as_bytes()).await.ok()?;
            tokio::time::sleep(after).await;
            None
        }
        Turn::AnswerUnread => {
            stream.write_all(format!("{HEAD}hello").as_bytes()).await.ok()?;
            tokio::time::sleep(Duration::from_hours(1)).await;
            None
        }
        Turn::Close => None,
        Turn::Hang => {
            tokio::time::sleep(Duration::from_hours(1)).await;
            None
        }
    }
}

/// Keeps all intervals; can end the run or fail.
#[derive(Default)]
pub(super) struct Watcher {
    pub(super) intervals: Vec<Interval>,
    pub(super) stop_after: Option<usize>,
    /// The proof to stop with; without one the target is down.
    pub(super) proof: Option<EarlyEnd>,
    /// Whether to stop because enough was seen.
    pub(super) seen_enough: bool,
    pub(super) fail_after: Option<usize>,
    /// How long the thread is busy with something else before it hears of the end.
    pub(super) busy: Duration,
}

impl Observer for Watcher {
    fn settled(
        &mut self,
        interval: &Interval,
    ) -> Result<Continuation, Box<dyn std::error::Error + Send + Sync>> {
        self.intervals.push(interval.clone());
        if self.fail_after.is_some_and(|after| self.intervals.len() >= after) {
            return Err("the disk is full".into());
        }
        if self.stop_after == Some(self.intervals.len()) {
            stepping_clock::advancing_by(self.busy, clock::now);
        }
        Ok(match self.stop_after {
            Some(after) if self.intervals.len() >= after => match &self.proof {
                Some(proof) => Continuation::ProvenEarly(proof.clone()),
                None if self.seen_enough => Continuation::SeenEnough,
                None => Continuation::TargetDown("told to".to_owned()),
            },
            _ => Continuation::Continue,
        })
    }

    fn progress(&mut self, _: &RunProgress) {}
}

pub(in crate::engine) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An open-model scenario of one request with a latency ceiling of 300 ms and no warm-up.
pub(in crate::engine) fn open(per_second: f64, seconds: u64, connections: u32) -> ScenarioPlan {
    let schedule =
        Schedule::constant(Rate::per_second(per_second).unwrap(), Duration::from_secs(seconds));
    scenario(LoadPlan::Open { schedule, connections, max_connections: connections })
}

pub(super) fn scenario(load: LoadPlan) -> ScenarioPlan {
    let base_url = Url::parse("http://target.test/").unwrap();
    let second = Duration::from_secs(1);
    let timeouts = ExchangeTimeouts {
        dns: second,
        connect: second,
        tls: second,
        first_byte: 5 * second,
        whole: 5 * second,
    };
    ScenarioPlan {
        shown: shown(),
        target: TargetPlan {
            base_url: base_url.clone(),
            protocol: HttpProtocol::Http1,
            trust: CertificateTrust::System,
            identity: None,
            unix_socket: None,
            proxies: ProxyChoice::default(),
            family: AddressFamily::Any,
            pinned_addresses: Vec::new(),
            allowed_hosts: Vec::new(),
            dns_refresh: Duration::from_secs(30),
            tls_resumption: false,
            timeouts,
        },
        requests: vec![RequestPlan {
            action: RequestAction::Http(Box::new(HttpPlan {
                method: http::Method::GET,
                url: base_url,
                headers: http::HeaderMap::new(),
                body: Bytes::new(),
                redirects: 0,
            })),
            live: LiveParts::default(),
            expectations: ExpectationSet::default(),
            captures: CaptureSet::default(),
            ceilings: vec![Ceiling { dimension: Dimension::Latency, limit: millis(300) }],
            tries: RetryPlan::Once,
            accepts_absence: false,
            missing_variable: None,
            index: 0,
        }],
        setup: Vec::new(),
        teardown: Vec::new(),
        cookies: CookiePolicy::Off,
        load,
        streams: 1,
        reuse: ConnectionReuse::Keep,
        warmup: WarmupPlan { connections: 0, requests: 0 },
        secrets: SecretSet::default(),
        data: None,
        draw: None,
        machines: None,
        alert: None,
        baseline: BaselineWindow::default(),
        keeps_samples: false,
    }
}

/// Follows redirects of the first request; its hops have the indices after it.
pub(super) fn following(mut scenario: ScenarioPlan, redirects: u32) -> ScenarioPlan {
    scenario.requests[0].http_mut().redirects = redirects;
    for hop in 0..=redirects {
        let mut shown = scenario.shown.requests[0].clone();
        (shown.hop_of, shown.name) =
            (Some(shown.name.clone()), format!("{}, hop {}", shown.name, hop + 1));
        scenario.shown.requests.push(shown);
    }
    scenario
}

/// Tries the first request again; its tries are recorded under the index after its hops.
pub(super) fn tried(mut scenario: ScenarioPlan, tries: RetryPlan) -> ScenarioPlan {
    scenario.requests[0].tries = tries;
    let mut shown = scenario.shown.requests[0].clone();
    (shown.hop_of, shown.name) = (Some(shown.name.clone()), format!("{}, each try", shown.name));
    scenario.shown.requests.push(shown);
    scenario
}

fn shown() -> PlannedScenario {
    let request = PlannedRequest {
        name: "page".to_owned(),
        line: "GET /".to_owned(),
        headers: Vec::new(),
        expectations: Vec::new(),
        budgets: Vec::new(),
        baselines: Vec::new(),
        hop_of: None,
        accepts: Vec::new(),
        terms: Vec::new(),
    };
    PlannedScenario {
        name: "scripted".to_owned(),
        description: String::new(),
        source: String::new(),
        base_url: "http://target.test/".to_owned(),
        load: String::new(),
        warmup: String::new(),
        caveats: Vec::new(),
        capacity: None,
        stalls: None,
        gate: GatePolicy::default(),
        setup: Vec::new(),
        teardown: Vec::new(),
        data: None,
        draw: None,
        duet: None,
        requests: vec![request],
    }
}

/// Measures a scenario against a scripted server under paused time, in one lane.
pub(super) fn measure(scenario: ScenarioPlan, script: Script) -> ScenarioMeasurement {
    let (measurement, _) =
        watch_run(scenario, vec![ScriptedDial::new(script)], Watcher::default(), stop_channel().1);
    measurement.scenarios.into_iter().next().unwrap()
}

/// Measures a scenario with one lane per dial.
pub(super) fn watch_run<D: Dialer + 'static>(
    scenario: ScenarioPlan,
    dials: Vec<D>,
    mut watcher: Watcher,
    stop: StopSignal,
) -> (Measurement, Watcher) {
    let measurement = paused(conduct(scenario, dials, &mut watcher, stop)).unwrap();
    (measurement, watcher)
}

/// Runs a future to its end on a runtime with paused time, which advances without sleeping.
pub(in crate::engine) fn paused<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(LocalSet::new().run_until(work))
}

pub(super) async fn conduct<D: Dialer + 'static>(
    scenario: ScenarioPlan,
    dials: Vec<D>,
    watcher: &mut Watcher,
    stop: StopSignal,
) -> Result<Measurement, EngineError> {
    conduct_part(Plan::from_scenarios(vec![scenario]), None, dials, watcher, stop).await
}

/// Like [`conduct`], with a standstill meter for each lane.
pub(super) async fn conduct_metered<D: Dialer + 'static>(
    scenario: ScenarioPlan,
    dials: Vec<D>,
) -> Result<Measurement, EngineError> {
    let metered = |now| {
        let thread = Rc::new(ThreadState::new(PacingMode::Sleep, now));
        thread.start_meter(PreciseTimer::tokio(), now);
        thread
    };
    conduct_on(
        metered,
        (Plan::from_scenarios(vec![scenario]), None, None),
        dials,
        &mut Watcher::default(),
        stop_channel().1,
    )
    .await
}

/// Runs a plan of one scenario, or a prober's part of it, that measures from an agreed time on.
pub(super) async fn conduct_part<D: Dialer + 'static>(
    plan: Plan,
    appointed: Option<Duration>,
    dials: Vec<D>,
    watcher: &mut Watcher,
    stop: StopSignal,
) -> Result<Measurement, EngineError> {
    conduct_on(unmetered, (plan, appointed, None), dials, watcher, stop).await
}

/// Runs a plan of one scenario after its setup, against one server.
pub(super) async fn conduct_after<D: Dialer + 'static>(
    setup: SetupState,
    plan: Plan,
    dial: D,
    watcher: &mut Watcher,
    stop: StopSignal,
) -> Result<Measurement, EngineError> {
    conduct_on(unmetered, (plan, None, Some(setup)), vec![dial], watcher, stop).await
}

/// A thread whose lanes and exchanges are woken without a hiccup meter, to which tokio's coarse
/// timers look like standstills.
fn unmetered(now: Instant) -> Rc<ThreadState> {
    let thread = Rc::new(ThreadState::new(PacingMode::Sleep, now));
    tick::set(thread.ticks());
    tokio::task::spawn_local(wake_lanes(Rc::downgrade(&thread)));
    thread
}

/// Wakes the lanes of a thread ten times a second.
async fn wake_lanes(thread: Weak<ThreadState>) {
    let mut ticks = tokio::time::interval(millis(100));
    loop {
        ticks.tick().await;
        let Some(thread) = thread.upgrade() else { return };
        thread.wake_lanes();
    }
}

async fn conduct_on<D: Dialer + 'static>(
    thread: impl Fn(Instant) -> Rc<ThreadState>,
    (plan, appointed, setup): (Plan, Option<Duration>, Option<SetupState>),
    dials: Vec<D>,
    watcher: &mut Watcher,
    stop: StopSignal,
) -> Result<Measurement, EngineError> {
    let at = OffsetDateTime::UNIX_EPOCH;
    let start =
        RunStart { run: clock::now(), measured: appointed.map(|from| AppointedStart { from, at }) };
    let of = u32::try_from(dials.len()).unwrap();
    let setup = setup.unwrap_or_else(|| SetupState::without_steps(plan.scenarios[0].cookies));
    let (commands, listen) = watch::channel(LaneCommand::WarmUp);
    let (reports, inbox) = mpsc::channel(64);
    for (lane, dial) in dials.into_iter().enumerate() {
        let shard = plan.shard().subdivide(Shard { index: u32::try_from(lane).unwrap(), of });
        let link = ConductorLink { lane, commands: listen.clone(), reports: reports.clone() };
        let thread = thread(start.run);
        let work = Rc::new(Lane::new(
            plan.scenarios[0].clone(),
            &setup,
            shard,
            Box::new(dial),
            thread,
            start.run,
        )?);
        tokio::task::spawn_local(work.run(PreciseTimer::tokio(), link));
    }
    drop(reports);
    let lanes = vec![0; of as usize];
    Conductor::new(&plan, &lanes, start, commands, watcher).conduct(inbox, stop).await
}
