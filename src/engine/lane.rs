//! One scenario's work on one thread: its share of the arrivals, its connections, its recorder.

mod books;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::EngineError;
use super::account::Account;
use super::carrier::Carrier;
use super::channels::Place;
use super::clock::{self, Alarm, Instant, Slack};
use super::desk::{Desk, Rank};
use super::dial::{Dial, Origin};
use super::http::Channel;
use super::line::{Command, Counters, LaneProgress, Line, News};
use super::prepared::Prepared;
use super::redirect::Rules;
use super::streams;
use super::trunk::Trunk;
use super::worker::Worker;
use crate::plan::{Load, RequestPlan, Reuse, ScenarioPlan, Shard, Timeouts};
use crate::recorder::{Failed, Parts, Recorder, Settled};

/// How often a lane reports what is settled.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// How many connections the warm-up opens at once. Thousands would overrun the target's queue of those to be accepted, which
/// no first visitor does, and would take the memory of as many handshakes.
const OPENED_AT_ONCE: usize = 256;

/// How long a dispatcher that is behind releases arrivals before it gives the thread's other tasks a turn.
const LONGEST_TURN: Duration = Duration::from_micros(50);

/// One scenario's work on one thread.
pub(super) struct Lane {
    plan: ScenarioPlan,
    shard: Shard,
    /// Connections that arrivals are waited with, and how many there may be.
    connections: u64,
    max_connections: u64,
    /// The origin of the base URL.
    home: Origin,
    rules: Rules,
    dial: Box<dyn Dial>,
    worker: Rc<Worker>,
    prepared: Vec<Prepared>,
    /// Whether a step yields values or needs some.
    has_flow: bool,
    account: Account,
    recorder: RefCell<Recorder>,
    counters: RefCell<Counters>,
    /// When the present phase began: due times in the recorder count from here.
    phase_start: Cell<Instant>,
    /// How far arrivals have been released, from the start of the phase; `None` in the closed model.
    released_up_to: Cell<Option<Duration>>,
    /// Whether the run is asked to end; the bell tells those who wait to send.
    is_draining: Cell<bool>,
    drain_bell: Notify,
}

impl Lane {
    /// Prepares a share of a scenario: the arrivals of `shard` over `connections` connections.
    pub(super) fn new(
        plan: ScenarioPlan,
        shard: Shard,
        dial: Box<dyn Dial>,
        worker: Rc<Worker>,
        run_start: Instant,
    ) -> Result<Self, EngineError> {
        let base_url = &plan.target.base_url;
        let home = Origin::of(base_url)
            .ok_or_else(|| EngineError::Target(format!("{base_url} names no host and port")))?;
        let name = |request: &RequestPlan| {
            plan.shown.requests.get(request.place).map(|shown| shown.name.as_str())
        };
        let prepared = plan
            .requests
            .iter()
            .map(|request| Prepared::new(name(request).unwrap_or_default(), request, &home));
        let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
        let ceilings = plan.ceilings();
        Ok(Self {
            connections: shard.share(u64::from(plan.load.connections())),
            max_connections: shard.share(u64::from(plan.load.max_connections())),
            rules: Rules::of(&plan),
            home,
            account: Account::new(plan.secrets.clone()),
            plan,
            shard,
            dial,
            worker,
            has_flow: prepared.iter().any(Prepared::is_of_a_flow),
            prepared,
            recorder: RefCell::new(Recorder::new(ceilings)),
            counters: RefCell::default(),
            phase_start: Cell::new(run_start),
            released_up_to: Cell::new(None),
            is_draining: Cell::new(false),
            drain_bell: Notify::new(),
        })
    }

    /// Warms up, measures and reports until everything planned is done or the conductor ends it.
    pub(super) async fn run(self: Rc<Self>, alarm: Alarm, mut line: Line) {
        let carriers = self.warm_up(self.carriers(), &mut line).await;
        let rest = self.recorder.borrow_mut().finish();
        line.report(self.news(LaneProgress::WarmedUp, rest)).await;
        if let Some(start) = line.measure_from().await {
            self.measure(carriers, start, alarm, &mut line).await;
        }
        let rest = self.recorder.borrow_mut().finish();
        line.report(self.news(LaneProgress::Finished, rest)).await;
    }

    /// One carrier a place, those of the connections that are warmed up first.
    ///
    /// There, the places of one connection stand apart, so that each of the first is on a connection of its own and
    /// opens it. Further connections are opened one after the other, as they are needed.
    fn carriers(self: &Rc<Self>) -> Vec<Carrier> {
        let streams = u64::from(streams(&self.plan));
        let trunk = || (streams > 1).then(|| Rc::new(Trunk::default()));
        let carrier = |rank, trunk: &Option<_>| Carrier::new(Rc::clone(self), rank, trunk.clone());
        let base: Vec<_> = (0..self.connections).map(|_| trunk()).collect();
        let rounds = (0..streams).flat_map(|_| &base).map(|trunk| carrier(Rank::Base, trunk));
        let further = (0..self.max_connections.saturating_sub(self.connections)).flat_map(|at| {
            let trunk = trunk();
            (at * streams..(at + 1) * streams)
                .map(move |place| carrier(Rank::Closed(place), &trunk))
        });
        rounds.chain(further).collect()
    }

    async fn warm_up(self: &Rc<Self>, mut carriers: Vec<Carrier>, line: &mut Line) -> Vec<Carrier> {
        let warmup = self.plan.warmup;
        let connections = self.shard.share(u64::from(warmup.connections)).min(self.connections);
        let further = self.shard.share(warmup.requests).saturating_sub(connections);
        let desk = Rc::new(Desk::closed(None, further));
        let gate = Rc::new(Semaphore::new(OPENED_AT_ONCE));
        let mut crew = JoinSet::new();
        for carrier in carriers.drain(..usize::try_from(connections).unwrap_or(0)) {
            crew.spawn_local(carrier.warm_up(Rc::clone(&gate), Rc::clone(&desk)));
        }
        carriers.extend(self.attend(crew, &desk, LaneProgress::WarmingUp, line).await);
        carriers
    }

    async fn measure(
        self: &Rc<Self>,
        carriers: Vec<Carrier>,
        start: Instant,
        alarm: Alarm,
        line: &mut Line,
    ) {
        self.phase_start.set(start);
        self.worker.hiccups.measure_from(start);
        alarm.until(start).await;
        let desk = Rc::new(self.desk(start));
        let mut crew = JoinSet::new();
        for carrier in carriers {
            crew.spawn_local(carrier.serve(Rc::clone(&desk)));
        }
        let dispatcher =
            tokio::task::spawn_local(Rc::clone(self).dispatch(Rc::clone(&desk), alarm, start));
        self.attend(crew, &desk, LaneProgress::Measuring, line).await;
        dispatcher.abort();
        self.look_at(&desk);
        let mut counters = self.counters.borrow_mut();
        counters.abandoned += std::mem::take(&mut counters.in_flight) + desk.clear();
    }

    fn desk(&self, start: Instant) -> Desk {
        match &self.plan.load {
            Load::Open { .. } => Desk::open(),
            Load::Closed { until, iterations, .. } => {
                let left = iterations.map_or(u64::MAX, |all| self.shard.share(all));
                Desk::closed(Some(start + *until), left)
            }
        }
    }

    /// Releases each arrival of the lane's share when it is due, then lets no more in.
    async fn dispatch(self: Rc<Self>, desk: Rc<Desk>, alarm: Alarm, start: Instant) {
        let Load::Open { schedule, .. } = &self.plan.load else { return };
        let mut slack = Slack::new(start);
        let mut turn = clock::now();
        for (_, offset) in schedule.arrivals(self.shard) {
            self.released_up_to.set(Some(offset));
            let (now, due) = (clock::now(), start + offset);
            let saturated = slack.is_gone(now, due);
            if due <= now && now - turn >= LONGEST_TURN {
                tokio::task::yield_now().await;
                turn = clock::now();
            } else if due > now {
                alarm.until(due).await;
                turn = clock::now();
            }
            if desk.is_closed() {
                return;
            }
            self.counters.borrow_mut().released += 1;
            desk.release(due, saturated, || self.stood_still_by(clock::now()));
        }
        self.released_up_to.set(Some(Duration::MAX));
        alarm.until(start + schedule.duration()).await;
        desk.close();
    }

    /// Waits for the carriers, reporting what is settled meanwhile, and obeys the conductor.
    async fn attend(
        self: &Rc<Self>,
        mut crew: JoinSet<Carrier>,
        desk: &Rc<Desk>,
        progress: LaneProgress,
        line: &mut Line,
    ) -> Vec<Carrier> {
        let mut back = Vec::new();
        let mut tick = tokio::time::interval(REPORT_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                joined = crew.join_next() => match joined {
                    None => return back,
                    Some(Ok(carrier)) => back.push(carrier),
                    Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Some(Err(_aborted)) => {}
                },
                _ = tick.tick() => {
                    self.drop_expired(desk);
                    self.look_at(desk);
                    let settled = self.settle(desk);
                    line.report(self.news(progress, settled)).await;
                }
                command = line.stopped() => match command {
                    Command::WarmUp | Command::Measure(_) => {}
                    Command::Drain => self.drain(desk, progress),
                    Command::Abort => crew.abort_all(),
                }
            }
        }
    }

    /// Lets no more arrivals in, and counts what was due by now and had not been released: the prober's failure.
    ///
    /// Arrivals that wait for a connection, or for a stream on one, are not sent any more.
    fn drain(&self, desk: &Desk, progress: LaneProgress) {
        let first = !desk.is_closed();
        if let (Load::Open { schedule, .. }, LaneProgress::Measuring, true) =
            (&self.plan.load, progress, first)
        {
            let mut counters = self.counters.borrow_mut();
            let due = self.shard.share(schedule.count_before(self.since_phase_start(clock::now())));
            counters.unreleased += due.saturating_sub(counters.released);
            self.released_up_to.set(Some(Duration::MAX));
        }
        self.counters.borrow_mut().abandoned += desk.clear();
        self.is_draining.set(true);
        self.drain_bell.notify_waiters();
    }

    fn look_at(&self, desk: &Desk) {
        let mut counters = self.counters.borrow_mut();
        counters.waiting = desk.waiting();
        if let (Load::Closed { .. }, None) = (&self.plan.load, self.released_up_to.get()) {
            counters.released = desk.claimed();
        }
    }

    fn settle(&self, desk: &Desk) -> Vec<Settled> {
        let elapsed = self.since_phase_start(clock::now());
        let released = self.released_up_to.get().unwrap_or(elapsed);
        let waiting = desk.oldest_due().map(|due| self.since_phase_start(due));
        self.recorder
            .borrow_mut()
            .settle(released.min(elapsed).min(waiting.unwrap_or(Duration::MAX)))
    }

    fn drop_expired(&self, desk: &Desk) {
        while let Some(arrival) = desk.expired(self.timeouts().whole) {
            self.drop_arrival(&arrival);
        }
    }

    fn news(&self, progress: LaneProgress, settled: Vec<Settled>) -> News {
        let watermark = self.recorder.borrow().watermark();
        let (lookups, unreached) = (self.dial.lookups(), self.dial.unreached());
        let counters = Counters { unreached, lookups, ..self.counters.borrow().clone() };
        News { progress, settled, watermark, counters, prober: self.worker.take() }
    }

    /// Opens a connection to a place by `deadline`; `lost` says that the target had closed the one before.
    pub(super) async fn open(
        &self,
        place: Place<'_>,
        lost: bool,
        deadline: Instant,
        parts: &mut Parts,
    ) -> Result<Channel, Box<Failed>> {
        let origin = match place {
            Place::Home => &self.home,
            Place::Elsewhere(origin) => origin,
        };
        let (opened, address) = match self.dial.dial(origin, parts, deadline).await {
            Ok(dialled) => {
                let address = dialled.address;
                (Channel::open(dialled, deadline).await, address)
            }
            Err(failed) => (Err(failed), None),
        };
        let mut counters = self.counters.borrow_mut();
        match &opened {
            Ok(channel) => {
                if let Some(address) = address {
                    counters.reached.count(address, 1);
                }
                counters.connections.opened += 1;
                counters.connections.reopened_after_idle_close += u64::from(lost);
                counters.protocols.extend(channel.spoken());
            }
            Err(_) => counters.connections.failed += 1,
        }
        opened.map_err(Box::new)
    }

    /// How long the prober has stood still up to an instant; the difference between two counts.
    pub(super) fn stood_still_by(&self, at: Instant) -> Duration {
        self.worker.hiccups.stood_still_by(at)
    }

    /// Notes what is spoken on a connection, once a first exchange on it has shown that.
    pub(super) fn note_spoken(&self, channel: &Channel) {
        self.counters.borrow_mut().protocols.extend(channel.spoken());
    }

    /// Whether the run is asked to end.
    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.get()
    }

    /// Waits until the run is asked to end.
    pub(super) async fn draining(&self) {
        while !self.is_draining.get() {
            self.drain_bell.notified().await;
        }
    }

    /// The steps that each arrival carries out, in order.
    pub(super) fn steps(&self) -> &[Prepared] {
        &self.prepared
    }

    /// Whether a step yields values or needs some.
    pub(super) fn has_flow(&self) -> bool {
        self.has_flow
    }

    /// The target's own account of its time.
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// The origin of the base URL.
    pub(super) fn home(&self) -> &Origin {
        &self.home
    }

    /// How far redirects are followed.
    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.plan.target.timeouts
    }

    pub(super) fn reuse(&self) -> Reuse {
        self.plan.reuse
    }

    fn since_phase_start(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.phase_start.get())
    }
}
