//! Where arrivals are handed to connections.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::clock::{self, Instant};

/// One arrival on its way to a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Its planned start.
    pub(super) due: Instant,
    /// Its release, if no connection was free just then.
    queued: Option<Queued>,
}

/// When the prober released an arrival, and how long it had stood still by then.
#[derive(Debug, Clone, Copy)]
struct Queued {
    at: Instant,
    stood_still: Duration,
}

impl Arrival {
    /// An arrival that starts now because a connection asked for it.
    pub(super) fn immediate() -> Self {
        Self { due: clock::now(), queued: None }
    }

    /// When the prober released it, seen from the connection that took it at `claimed`.
    ///
    /// With a free connection the way from the timer to the connection is the prober's own, and so is lag.
    pub(super) fn dispatched(&self, claimed: Instant) -> Instant {
        self.queued.map_or(claimed, |queued| queued.at)
    }

    /// How long the prober had stood still when it released it, seen from the connection that took it when that was
    /// `claimed`.
    pub(super) fn stood_still_before(&self, claimed: Duration) -> Duration {
        self.queued.map_or(claimed, |queued| queued.stood_still)
    }
}

/// Which of those who wait for an arrival is called first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A place of the connections that arrivals are waited with, open or lost.
    Base,
    /// A further place, on a connection that is open.
    Open,
    /// The n-th of the further places, not on an open connection. The lowest is called first, so that the places of
    /// one connection are filled before another one is opened.
    Closed(u64),
}

/// Hands arrivals to the places of one lane: first come, first served among arrivals and among places of one rank.
///
/// Load models differ here and nowhere else: in the open model the dispatcher releases arrivals at their due
/// times, in the closed model a connection that asks gets one at once.
#[derive(Debug)]
pub(super) struct Desk {
    source: Source,
    /// Those who wait for an arrival, in the order in which they are called.
    waiting: RefCell<BTreeMap<Ticket, Waker>>,
    /// How many tickets were drawn.
    drawn: Cell<u64>,
    /// How many were called and have not looked yet.
    called: Cell<usize>,
    closed: Cell<bool>,
}

/// Rank, then order of coming.
type Ticket = (Rank, u64);

#[derive(Debug)]
enum Source {
    Open { backlog: RefCell<VecDeque<Arrival>> },
    Closed { until: Option<Instant>, left: Cell<u64>, claimed: Cell<u64> },
}

impl Desk {
    /// A desk that arrivals are released to.
    pub(super) fn open() -> Self {
        Self::new(Source::Open { backlog: RefCell::default() })
    }

    /// A desk that gives every connection that asks an arrival, `left` in all and none after `until`.
    pub(super) fn closed(until: Option<Instant>, left: u64) -> Self {
        Self::new(Source::Closed { until, left: Cell::new(left), claimed: Cell::new(0) })
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            waiting: RefCell::default(),
            drawn: Cell::new(0),
            called: Cell::new(0),
            closed: Cell::new(false),
        }
    }

    /// Releases an arrival that was due at `due`; in the closed model nothing is released.
    ///
    /// Where the prober's thread is `saturated`, nobody can say that no connection was free: the time until one takes
    /// the arrival is lag then, and never wait, and no further connection is opened for it.
    pub(super) fn release(
        &self,
        due: Instant,
        saturated: bool,
        stood_still: impl FnOnce() -> Duration,
    ) {
        if let Source::Open { backlog } = &self.source {
            let mut backlog = backlog.borrow_mut();
            let free = self.waiting.borrow().len() + self.called.get();
            let is_queued = !saturated && backlog.len() >= free;
            let queued = is_queued.then(|| Queued { at: clock::now(), stood_still: stood_still() });
            backlog.push_back(Arrival { due, queued });
            drop(backlog);
            self.call_up_to(if saturated { Rank::Open } else { Rank::Closed(u64::MAX) });
        }
    }

    /// Takes back the arrivals that have waited for a connection for `limit`, oldest first.
    pub(super) fn expired(&self, limit: Duration) -> Option<Arrival> {
        let Source::Open { backlog } = &self.source else { return None };
        let mut backlog = backlog.borrow_mut();
        let oldest = backlog.front()?.queued?;
        if clock::now() - oldest.at < limit { None } else { backlog.pop_front() }
    }

    /// The next arrival for a place; `None` when there will be no more. Its rank is asked for whenever it counts: a
    /// connection may be lost while its place waits.
    pub(super) async fn next(&self, mut rank: impl FnMut() -> Rank) -> Option<Arrival> {
        let mut was_called = false;
        loop {
            let rank = rank();
            let taken = if self.may_take(rank, was_called) { self.take() } else { None };
            if taken.is_some() {
                return taken;
            }
            if was_called {
                self.call();
            }
            if self.is_exhausted() {
                return None;
            }
            self.turn(rank).await;
            was_called = true;
        }
    }

    /// Whether a place takes what is there, or leaves it to a better one.
    ///
    /// One on an open connection takes it even where another was called: it is quicker, and that one may be about to
    /// open a connection.
    fn may_take(&self, rank: Rank, was_called: bool) -> bool {
        if was_called {
            return self
                .waiting
                .borrow()
                .first_key_value()
                .is_none_or(|((best, _), _)| *best >= rank);
        }
        !matches!(rank, Rank::Closed(_)) || self.has_unclaimed()
    }

    /// Waits to be called.
    async fn turn(&self, rank: Rank) {
        let ticket = (rank, self.drawn.get());
        self.drawn.set(ticket.1 + 1);
        let seat = Seat { desk: self, ticket, came: Cell::new(false) };
        self.waiting.borrow_mut().insert(ticket, Waker::noop().clone());
        poll_fn(|cx| seat.poll(cx)).await;
    }

    /// Whether there are arrivals that nobody was called for.
    fn has_unclaimed(&self) -> bool {
        match &self.source {
            Source::Open { backlog } => backlog.borrow().len() > self.called.get(),
            Source::Closed { .. } => true,
        }
    }

    /// Calls one for each arrival that nobody was called for.
    fn call(&self) {
        self.call_up_to(Rank::Closed(u64::MAX));
    }

    /// As [`Self::call`], but nobody of a worse rank.
    fn call_up_to(&self, worst: Rank) {
        while self.has_unclaimed() {
            let waiting = &mut *self.waiting.borrow_mut();
            let Some(best) = waiting.first_entry().filter(|best| best.key().0 <= worst) else {
                return;
            };
            self.called.set(self.called.get() + 1);
            best.remove().wake();
        }
    }

    /// Lets no more arrivals in. Those in the queue are still handed out.
    pub(super) fn close(&self) {
        self.closed.set(true);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        self.called.set(self.called.get() + waiting.len());
        waiting.into_values().for_each(Waker::wake);
    }

    /// Lets no more arrivals in and takes back those in the queue; says how many there were.
    pub(super) fn clear(&self) -> u64 {
        self.close();
        match &self.source {
            Source::Open { backlog } => backlog.borrow_mut().drain(..).count() as u64,
            Source::Closed { .. } => 0,
        }
    }

    /// Whether no more arrivals are let in.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// When the oldest arrival in the queue was due.
    pub(super) fn oldest_due(&self) -> Option<Instant> {
        match &self.source {
            Source::Open { backlog } => backlog.borrow().front().map(|arrival| arrival.due),
            Source::Closed { .. } => None,
        }
    }

    /// How many arrivals are in the queue.
    pub(super) fn waiting(&self) -> u64 {
        match &self.source {
            Source::Open { backlog } => backlog.borrow().len() as u64,
            Source::Closed { .. } => 0,
        }
    }

    /// How many arrivals a closed-model desk has handed out.
    pub(super) fn claimed(&self) -> u64 {
        match &self.source {
            Source::Open { .. } => 0,
            Source::Closed { claimed, .. } => claimed.get(),
        }
    }

    fn take(&self) -> Option<Arrival> {
        match &self.source {
            Source::Open { backlog } => backlog.borrow_mut().pop_front(),
            Source::Closed { left, claimed, .. } => {
                if self.is_exhausted() {
                    return None;
                }
                left.set(left.get() - 1);
                claimed.set(claimed.get() + 1);
                Some(Arrival::immediate())
            }
        }
    }

    fn is_exhausted(&self) -> bool {
        match &self.source {
            Source::Open { .. } => self.closed.get(),
            Source::Closed { until, left, .. } => {
                self.closed.get()
                    || left.get() == 0
                    || until.is_some_and(|until| clock::now() >= until)
            }
        }
    }
}

/// One who waits. Who was called and does not come leaves the call to another.
struct Seat<'a> {
    desk: &'a Desk,
    ticket: Ticket,
    came: Cell<bool>,
}

impl Seat<'_> {
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if let Some(waker) = self.desk.waiting.borrow_mut().get_mut(&self.ticket) {
            waker.clone_from(cx.waker());
            return Poll::Pending;
        }
        self.came.set(true);
        self.desk.called.set(self.desk.called.get() - 1);
        Poll::Ready(())
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let was_waiting = self.desk.waiting.borrow_mut().remove(&self.ticket).is_some();
        if !was_waiting && !self.came.get() {
            self.desk.called.set(self.desk.called.get() - 1);
            self.desk.call();
        }
    }
}

#[cfg(test)]
mod tests;
