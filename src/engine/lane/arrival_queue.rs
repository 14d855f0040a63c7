//! The queue between the dispatcher and the worker tasks of a lane.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::engine::time::clock::{self, Instant};
use crate::plan::Shard;

/// One arrival on its way to a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueuedArrival {
    /// Its index among the arrivals of its stage, over all lanes and probers.
    pub(super) index: u64,
    /// Its planned start.
    pub(super) due: Instant,
    /// Its release, if no connection was free at that moment.
    queued: Option<ReleaseStamp>,
}

/// When the prober released an arrival, and how long it had stood still by then.
#[derive(Debug, Clone, Copy)]
struct ReleaseStamp {
    at: Instant,
    stood_still: Duration,
}

impl QueuedArrival {
    /// When the prober released it; a task took it at `claimed`.
    ///
    /// If a connection was free, the time from the timer to the task is the prober's own: lag.
    pub(super) fn dispatched(&self, claimed: Instant) -> Instant {
        self.queued.map_or(claimed, |queued| queued.at)
    }

    /// Total standstill of the prober at the release; it was `claimed` when a task took the
    /// arrival.
    pub(super) fn stood_still_before(&self, claimed: Duration) -> Duration {
        self.queued.map_or(claimed, |queued| queued.stood_still)
    }
}

/// The order in which waiting tasks are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SlotRank {
    /// A slot of a base connection, open or lost.
    Base,
    /// A slot of a further connection that is open.
    Open,
    /// The n-th slot of the further connections, on one that is not open.
    ///
    /// The lowest is called first: all slots of one connection fill before another one opens.
    Closed(u64),
}

/// Hands arrivals to the worker tasks of one lane, first come, first served.
///
/// Tasks of one rank are served in the order in which they asked. The load models differ only
/// here: in the open model the dispatcher releases arrivals at their due times, in the closed model
/// a task gets an arrival as soon as it asks.
#[derive(Debug)]
pub(super) struct ArrivalQueue {
    source: ArrivalSource,
    numbers: ArrivalNumbers,
    /// The tasks that wait for an arrival, in the order in which they are called.
    waiting: RefCell<BTreeMap<QueueTicket, Waker>>,
    /// How many tickets were issued.
    drawn: Cell<u64>,
    /// How many tasks were called and have not looked yet.
    called: Cell<usize>,
    closed: Cell<bool>,
}

/// Rank, then order of arrival at the queue.
type QueueTicket = (SlotRank, u64);

#[derive(Debug)]
enum ArrivalSource {
    Open { backlog: RefCell<VecDeque<QueuedArrival>> },
    Closed { until: Option<Instant>, left: Cell<u64>, claimed: Cell<u64> },
}

/// Numbers the arrivals that tasks ask for, so that no two lanes use the same index.
#[derive(Debug)]
struct ArrivalNumbers {
    shard: Shard,
    issued: Cell<u64>,
}

impl ArrivalNumbers {
    fn next(&self) -> u64 {
        let issued = self.issued.get();
        self.issued.set(issued + 1);
        self.shard.nth(issued)
    }
}

impl ArrivalQueue {
    /// A queue of the open model: the dispatcher releases arrivals to it.
    pub(super) fn open() -> Self {
        Self::new(ArrivalSource::Open { backlog: RefCell::default() }, Shard::WHOLE)
    }

    /// A queue of the closed model: every task that asks gets an arrival, up to `left` in total and
    /// none after `until`. Their indexes are those of the `shard`.
    pub(super) fn closed(until: Option<Instant>, left: u64, shard: Shard) -> Self {
        let claimed = Cell::new(0);
        Self::new(ArrivalSource::Closed { until, left: Cell::new(left), claimed }, shard)
    }

    fn new(source: ArrivalSource, shard: Shard) -> Self {
        Self {
            source,
            numbers: ArrivalNumbers { shard, issued: Cell::new(0) },
            waiting: RefCell::default(),
            drawn: Cell::new(0),
            called: Cell::new(0),
            closed: Cell::new(false),
        }
    }

    /// An arrival that starts `now` because a task asked for it.
    pub(super) fn immediate(&self, now: Instant) -> QueuedArrival {
        QueuedArrival { index: self.numbers.next(), due: now, queued: None }
    }

    /// Releases arrival `index`, which was due at `due`; does nothing in the closed model.
    ///
    /// While the prober's thread is `saturated`, the prober does not know whether a connection was
    /// free. The time until a task takes the arrival is then lag, never wait, and no further
    /// connection is opened for it.
    pub(super) fn release(
        &self,
        (index, due): (u64, Instant),
        saturated: bool,
        stood_still: impl FnOnce() -> Duration,
    ) {
        if let ArrivalSource::Open { backlog } = &self.source {
            let mut backlog = backlog.borrow_mut();
            let free = self.waiting.borrow().len() + self.called.get();
            let is_queued = !saturated && backlog.len() >= free;
            let queued =
                is_queued.then(|| ReleaseStamp { at: clock::now(), stood_still: stood_still() });
            backlog.push_back(QueuedArrival { index, due, queued });
            drop(backlog);
            self.call_up_to(if saturated { SlotRank::Open } else { SlotRank::Closed(u64::MAX) });
        }
    }

    /// Removes the oldest arrival if it has waited for a connection for `limit`.
    pub(super) fn expired(&self, limit: Duration) -> Option<QueuedArrival> {
        let ArrivalSource::Open { backlog } = &self.source else { return None };
        let mut backlog = backlog.borrow_mut();
        let oldest = backlog.front()?.queued?;
        if clock::now() - oldest.at < limit { None } else { backlog.pop_front() }
    }

    /// The next arrival for a task; `None` when there will be no more.
    ///
    /// The queue asks for the task's rank each time it matters: the task may lose its connection
    /// while it waits.
    pub(super) async fn next(&self, mut rank: impl FnMut() -> SlotRank) -> Option<QueuedArrival> {
        let mut was_called = false;
        loop {
            let rank = rank();
            let arrival = if self.may_take(rank, was_called) { self.take() } else { None };
            if arrival.is_some() {
                return arrival;
            }
            if was_called {
                self.call();
            }
            if self.is_exhausted_by(clock::now()) {
                return None;
            }
            self.turn(rank).await;
            was_called = true;
        }
    }

    /// Whether a task takes a queued arrival, or leaves it to a task of a better rank.
    ///
    /// A task on an open connection takes it even if another task was called: it is faster, and the
    /// other may be about to open a connection.
    fn may_take(&self, rank: SlotRank, was_called: bool) -> bool {
        if was_called {
            return self
                .waiting
                .borrow()
                .first_key_value()
                .is_none_or(|((best, _), _)| *best >= rank);
        }
        !matches!(rank, SlotRank::Closed(_)) || self.has_unclaimed()
    }

    /// Waits to be called.
    async fn turn(&self, rank: SlotRank) {
        let ticket = (rank, self.drawn.get());
        self.drawn.set(ticket.1 + 1);
        let waiter = QueueWaiter { queue: self, ticket, came: Cell::new(false) };
        self.waiting.borrow_mut().insert(ticket, Waker::noop().clone());
        poll_fn(|cx| waiter.poll(cx)).await;
    }

    /// Whether there are arrivals that no task was called for.
    fn has_unclaimed(&self) -> bool {
        match &self.source {
            ArrivalSource::Open { backlog } => backlog.borrow().len() > self.called.get(),
            ArrivalSource::Closed { .. } => true,
        }
    }

    /// Calls a task for each arrival that no task was called for.
    fn call(&self) {
        self.call_up_to(SlotRank::Closed(u64::MAX));
    }

    /// As [`Self::call`], but no task of a worse rank than `worst`.
    fn call_up_to(&self, worst: SlotRank) {
        while self.has_unclaimed() {
            let waiting = &mut *self.waiting.borrow_mut();
            let Some(best) = waiting.first_entry().filter(|best| best.key().0 <= worst) else {
                return;
            };
            self.called.set(self.called.get() + 1);
            best.remove().wake();
        }
    }

    /// Accepts no more arrivals. Queued ones are still handed out.
    pub(super) fn close(&self) {
        self.closed.set(true);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        self.called.set(self.called.get() + waiting.len());
        waiting.into_values().for_each(Waker::wake);
    }

    /// Accepts no more arrivals and removes the queued ones; returns how many those were.
    pub(super) fn clear(&self) -> u64 {
        self.close();
        match &self.source {
            ArrivalSource::Open { backlog } => backlog.borrow_mut().drain(..).count() as u64,
            ArrivalSource::Closed { .. } => 0,
        }
    }

    /// Whether the queue accepts no more arrivals.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// When the oldest arrival in the queue was due.
    pub(super) fn oldest_due(&self) -> Option<Instant> {
        match &self.source {
            ArrivalSource::Open { backlog } => backlog.borrow().front().map(|arrival| arrival.due),
            ArrivalSource::Closed { .. } => None,
        }
    }

    /// How many arrivals are in the queue.
    pub(super) fn waiting(&self) -> u64 {
        match &self.source {
            ArrivalSource::Open { backlog } => backlog.borrow().len() as u64,
            ArrivalSource::Closed { .. } => 0,
        }
    }

    /// How many arrivals a queue of the closed model has handed out.
    pub(super) fn claimed(&self) -> u64 {
        match &self.source {
            ArrivalSource::Open { .. } => 0,
            ArrivalSource::Closed { claimed, .. } => claimed.get(),
        }
    }

    fn take(&self) -> Option<QueuedArrival> {
        match &self.source {
            ArrivalSource::Open { backlog } => backlog.borrow_mut().pop_front(),
            ArrivalSource::Closed { left, claimed, .. } => {
                let now = clock::now();
                if self.is_exhausted_by(now) {
                    return None;
                }
                left.set(left.get() - 1);
                claimed.set(claimed.get() + 1);
                Some(self.immediate(now))
            }
        }
    }

    fn is_exhausted_by(&self, now: Instant) -> bool {
        match &self.source {
            ArrivalSource::Open { .. } => self.closed.get(),
            ArrivalSource::Closed { until, left, .. } => {
                self.closed.get() || left.get() == 0 || until.is_some_and(|until| now >= until)
            }
        }
    }
}

/// A waiting task. If it was called and is dropped, the call passes to another task.
struct QueueWaiter<'a> {
    queue: &'a ArrivalQueue,
    ticket: QueueTicket,
    came: Cell<bool>,
}

impl QueueWaiter<'_> {
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if let Some(waker) = self.queue.waiting.borrow_mut().get_mut(&self.ticket) {
            waker.clone_from(cx.waker());
            return Poll::Pending;
        }
        self.came.set(true);
        self.queue.called.set(self.queue.called.get() - 1);
        Poll::Ready(())
    }
}

impl Drop for QueueWaiter<'_> {
    fn drop(&mut self) {
        let was_waiting = self.queue.waiting.borrow_mut().remove(&self.ticket).is_some();
        if !was_waiting && !self.came.get() {
            self.queue.called.set(self.queue.called.get() - 1);
            self.queue.call();
        }
    }
}

#[cfg(test)]
mod tests;
