//! One scenario's work on one thread: its share of the arrivals and its connections.

mod arrival_queue;
pub(super) mod conductor_link;
mod worker_task;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::accounting::LaneCounters;
use super::assignment::streams_per_connection;
use super::connection::dial::Dialer;
use super::connection::shared::SharedConnection;
use super::error::EngineError;
use super::exchange::context::ExchangeContext;
use super::exchange::setup_state::SetupState;
use super::thread::ThreadState;
use super::time::clock::{self, Instant};
use super::time::hiccups::HiccupMeter;
use super::time::io_poll;
use super::time::slack::DispatchSlack;
use super::time::timer::PreciseTimer;
use crate::plan::{ArrivalCoin, LoadPlan, ScenarioPlan, Shard, share_of_arrivals};
use crate::recorder::SettledSecond;
use arrival_queue::{ArrivalQueue, SlotRank};
use conductor_link::{ConductorLink, LaneCommand, LaneProgress, LaneUpdate};
use worker_task::{WorkerTask, drop_arrival};

/// A lane with nothing settled reports at the first tick after this time: at every second one.
const REPORT_EVERY: Duration = Duration::from_millis(150);

/// Maximum number of connections the warm-up opens at once.
///
/// Thousands would overrun the target's accept queue, which no first visitor does, and would take
/// the memory of as many handshakes.
const CONCURRENT_OPENS: usize = 256;

/// How long a late dispatcher releases arrivals before it yields to the thread's other tasks.
const MAX_DISPATCH_TURN: Duration = Duration::from_micros(50);

/// An arrival that became due this shortly before the run is ended early is not counted as
/// unreleased. Early ends often happen at the moment at which an arrival is due, and the dispatcher
/// may be woken just after.
const RELEASE_GRACE: Duration = Duration::from_millis(10);

/// One scenario's work on one thread.
pub(super) struct Lane {
    load: LoadPlan,
    /// The lane's share of the scenario's arrivals.
    shard: Shard,
    /// Which of them it sends, if the scenario is one side of a duet.
    coin: Option<ArrivalCoin>,
    /// The base connections: arrivals wait for one of these before another is opened.
    connections: u64,
    max_connections: u64,
    streams_per_connection: u64,
    /// The lane's share of the connections and requests of the warm-up.
    warmup_connections: u64,
    warmup_requests: u64,
    thread: Rc<ThreadState>,
    context: Rc<ExchangeContext>,
    /// Arrivals due before this have been released, counted from the start of the stage; `None` in
    /// the closed model.
    released_up_to: Cell<Option<Duration>>,
}

impl Lane {
    /// Prepares a share of a scenario after its setup.
    pub(super) fn new(
        plan: ScenarioPlan,
        setup: &SetupState,
        shard: Shard,
        dialer: Box<dyn Dialer>,
        thread: Rc<ThreadState>,
        run_start: Instant,
    ) -> Result<Self, EngineError> {
        let connections = shard.share(u64::from(plan.load.connections()));
        let warmup_connections = shard.share(u64::from(plan.warmup.connections)).min(connections);
        let max_connections = shard.share(u64::from(plan.load.max_connections()));
        let worker_thread = Rc::clone(&thread);
        let context =
            ExchangeContext::new(&plan, setup, dialer, max_connections, worker_thread, run_start)?;
        Ok(Self {
            connections,
            max_connections,
            streams_per_connection: u64::from(streams_per_connection(&plan)),
            warmup_connections,
            warmup_requests: shard.share(plan.warmup.requests),
            coin: plan.coin(),
            load: plan.load,
            shard,
            thread,
            context: Rc::new(context),
            released_up_to: Cell::new(None),
        })
    }

    /// Warms up, measures and reports, until all planned work is done or the conductor ends it.
    pub(super) async fn run(self: Rc<Self>, timer: PreciseTimer, mut link: ConductorLink) {
        let tasks = self.warm_up(self.worker_tasks(), &mut link).await;
        let rest = self.context.accounting.finish_stage();
        link.report(self.update(LaneProgress::WarmedUp, rest)).await;
        if let Some(start) = link.measure_from().await {
            self.measure(tasks, start, timer, &mut link).await;
        }
        let rest = self.context.accounting.finish_stage();
        link.report(self.update(LaneProgress::Finished, rest)).await;
    }

    /// One worker task per exchange slot, first those of the connections that are warmed up.
    ///
    /// The slots of one connection are spread apart: each of the first tasks has its own connection
    /// and opens it. Connections beyond the base are opened one after the other, as they are
    /// needed.
    fn worker_tasks(&self) -> Vec<WorkerTask> {
        let streams = self.streams_per_connection;
        let shared = || (streams > 1).then(|| Rc::new(SharedConnection::default()));
        let task = |rank, shared: &Option<_>| {
            WorkerTask::new(Rc::clone(&self.context), rank, shared.clone())
        };
        let base: Vec<_> = (0..self.connections).map(|_| shared()).collect();
        let rounds = (0..streams).flat_map(|_| &base).map(|shared| task(SlotRank::Base, shared));
        let further = (0..self.max_connections.saturating_sub(self.connections)).flat_map(|at| {
            let shared = shared();
            (at * streams..(at + 1) * streams)
                .map(move |slot| task(SlotRank::Closed(slot), &shared))
        });
        rounds.chain(further).collect()
    }

    async fn warm_up(
        &self,
        mut tasks: Vec<WorkerTask>,
        link: &mut ConductorLink,
    ) -> Vec<WorkerTask> {
        let connections = self.warmup_connections;
        let further = self.warmup_requests.saturating_sub(connections);
        let queue = Rc::new(ArrivalQueue::closed(None, further, self.shard));
        let gate = Rc::new(Semaphore::new(CONCURRENT_OPENS));
        let mut running = JoinSet::new();
        for task in tasks.drain(..usize::try_from(connections).unwrap_or(0)) {
            running.spawn_local(task.warm_up(Rc::clone(&gate), Rc::clone(&queue)));
        }
        tasks.extend(self.attend(running, &queue, LaneProgress::WarmingUp, link).await);
        tasks
    }

    async fn measure(
        self: &Rc<Self>,
        tasks: Vec<WorkerTask>,
        start: Instant,
        timer: PreciseTimer,
        link: &mut ConductorLink,
    ) {
        self.context.accounting.start_measuring(start);
        let watch = match &self.load {
            LoadPlan::Open { .. } => HiccupMeter::LOOSE_WATCH,
            LoadPlan::Closed { .. } => HiccupMeter::CLOSE_WATCH,
        };
        self.thread.hiccups.measure_from(start, watch);
        timer.until(start).await;
        let queue = Rc::new(self.arrival_queue(start));
        let mut running = JoinSet::new();
        for task in tasks {
            running.spawn_local(task.serve(Rc::clone(&queue)));
        }
        let dispatcher =
            tokio::task::spawn_local(Rc::clone(self).dispatch(Rc::clone(&queue), timer, start));
        self.attend(running, &queue, LaneProgress::Measuring, link).await;
        dispatcher.abort();
        self.count_queue(&queue);
        let mut counters = self.context.accounting.counters_mut();
        counters.abandoned += std::mem::take(&mut counters.in_flight) + queue.clear();
    }

    fn arrival_queue(&self, start: Instant) -> ArrivalQueue {
        match &self.load {
            LoadPlan::Open { .. } => ArrivalQueue::open(),
            LoadPlan::Closed { until, iterations, .. } => {
                let left = iterations.map_or(u64::MAX, |all| self.shard.share(all));
                ArrivalQueue::closed(Some(start + *until), left, self.shard)
            }
        }
    }

    /// Releases each arrival of the lane's share when it is due, then closes the queue.
    async fn dispatch(
        self: Rc<Self>,
        queue: Rc<ArrivalQueue>,
        timer: PreciseTimer,
        start: Instant,
    ) {
        let LoadPlan::Open { schedule, .. } = &self.load else { return };
        let mut slack = DispatchSlack::new(start);
        let mut turn = clock::now();
        for (index, offset) in schedule.arrivals(self.shard) {
            self.released_up_to.set(Some(offset));
            if self.coin.is_some_and(|coin| !coin.takes(index)) {
                continue;
            }
            let (now, due) = (clock::now(), start + offset);
            let saturated = slack.is_exhausted(now, due);
            if due <= now && now - turn >= MAX_DISPATCH_TURN {
                self.thread.hiccups.watch();
                tokio::task::yield_now().await;
                turn = clock::now();
            } else if due > now {
                let expected = self.thread.hiccups.expect(due);
                timer.until(due).await.into_iter().for_each(io_poll::note_poll);
                turn = clock::now();
                expected.fired(turn);
            }
            if queue.is_closed() {
                self.thread.hiccups.watch();
                return;
            }
            self.context.accounting.release();
            queue.release((index, due), saturated, || self.context.stood_still_by(clock::now()));
        }
        self.released_up_to.set(Some(Duration::MAX));
        let end = start + schedule.duration();
        if end > clock::now() {
            let expected = self.thread.hiccups.expect(end);
            timer.until(end).await;
            expected.fired(clock::now());
        }
        self.thread.hiccups.watch();
        queue.close();
    }

    /// Waits for the worker tasks, reports what is settled and obeys the conductor.
    async fn attend(
        &self,
        mut running: JoinSet<WorkerTask>,
        queue: &ArrivalQueue,
        progress: LaneProgress,
        link: &mut ConductorLink,
    ) -> Vec<WorkerTask> {
        let mut finished = Vec::new();
        let (mut ticks, mut reported) = (self.thread.ticks(), clock::now());
        loop {
            tokio::select! {
                joined = running.join_next() => match joined {
                    None => return finished,
                    Some(Ok(task)) => finished.push(task),
                    Some(Err(error)) if error.is_panic() => {
                        std::panic::resume_unwind(error.into_panic())
                    }
                    Some(Err(_aborted)) => {}
                },
                Ok(()) = ticks.changed() => {
                    self.drop_expired(queue);
                    self.count_queue(queue);
                    let (now, settled) = (clock::now(), self.settle(queue));
                    if !settled.is_empty() || now - reported >= REPORT_EVERY {
                        reported = now;
                        link.report(self.update(progress, settled)).await;
                    }
                }
                command = link.next_command() => match command {
                    LaneCommand::WarmUp | LaneCommand::Measure(_) => {}
                    LaneCommand::Drain => self.drain(queue, progress),
                    LaneCommand::Abort => running.abort_all(),
                }
            }
        }
    }

    /// Closes the queue, and counts what should have been released by now: the prober's failure.
    ///
    /// An arrival that has only just become due is not owed any more. Arrivals that wait for a
    /// connection, or for a stream on one, are no longer sent.
    fn drain(&self, queue: &ArrivalQueue, progress: LaneProgress) {
        let accounting = &self.context.accounting;
        let is_first = !queue.is_closed();
        if let (LoadPlan::Open { schedule, .. }, LaneProgress::Measuring, true) =
            (&self.load, progress, is_first)
        {
            let mut counters = accounting.counters_mut();
            let elapsed = accounting.since_stage_start(clock::now());
            let owed = schedule.count_before(elapsed.saturating_sub(RELEASE_GRACE));
            let owed = share_of_arrivals(self.coin, self.shard, owed);
            counters.unreleased += owed.saturating_sub(counters.released);
            self.released_up_to.set(Some(Duration::MAX));
        }
        accounting.counters_mut().abandoned += queue.clear();
        self.context.drain.start();
    }

    /// Copies the queue's counts into the lane's counters.
    fn count_queue(&self, queue: &ArrivalQueue) {
        let mut counters = self.context.accounting.counters_mut();
        counters.waiting = queue.waiting();
        if let (LoadPlan::Closed { .. }, None) = (&self.load, self.released_up_to.get()) {
            counters.released = queue.claimed();
        }
    }

    fn settle(&self, queue: &ArrivalQueue) -> Vec<SettledSecond> {
        let accounting = &self.context.accounting;
        let elapsed = accounting.since_stage_start(clock::now());
        let released = self.released_up_to.get().unwrap_or(elapsed);
        let waiting = queue.oldest_due().map(|due| accounting.since_stage_start(due));
        accounting.settle(released.min(elapsed).min(waiting.unwrap_or(Duration::MAX)))
    }

    fn drop_expired(&self, queue: &ArrivalQueue) {
        while let Some(arrival) = queue.expired(self.context.timeouts.whole) {
            drop_arrival(&self.context, &arrival);
        }
    }

    fn update(&self, progress: LaneProgress, settled: Vec<SettledSecond>) -> LaneUpdate {
        let accounting = &self.context.accounting;
        let dialer = &self.context.dialer;
        LaneUpdate {
            progress,
            settled,
            watermark: accounting.watermark(),
            counters: LaneCounters {
                unreached: dialer.unreached(),
                attempts: dialer.attempts(),
                lookups: dialer.lookups(),
                ..accounting.counters()
            },
            prober: self.thread.take(),
            peers: match progress {
                LaneProgress::Finished => accounting.take_peers(),
                _ => Vec::new(),
            },
        }
    }
}
