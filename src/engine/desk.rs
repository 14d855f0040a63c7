//! Where arrivals are handed to connections.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Notify;

use super::clock::{self, Instant};

/// One arrival on its way to a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Its planned start.
    pub(super) due: Instant,
    /// When the prober released it, if no connection was free just then.
    queued: Option<Instant>,
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
        self.queued.unwrap_or(claimed)
    }
}

/// Hands arrivals to the connections of one lane, first come, first served on both sides.
///
/// Load models differ here and nowhere else: in the open model the dispatcher releases arrivals at their due
/// times, in the closed model a connection that asks gets one at once.
#[derive(Debug)]
pub(super) struct Desk {
    source: Source,
    /// How many connections are waiting for an arrival.
    idle: Cell<usize>,
    closed: Cell<bool>,
    bell: Notify,
}

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
        Self { source, idle: Cell::new(0), closed: Cell::new(false), bell: Notify::new() }
    }

    /// Releases an arrival that was due at `due`; in the closed model nothing is released.
    ///
    /// Where the prober's thread is `saturated`, nobody can say that no connection was free: the time until one takes
    /// the arrival is lag then, and never wait.
    pub(super) fn release(&self, due: Instant, saturated: bool) {
        if let Source::Open { backlog } = &self.source {
            let mut backlog = backlog.borrow_mut();
            let queued = (!saturated && backlog.len() >= self.idle.get()).then(clock::now);
            backlog.push_back(Arrival { due, queued });
            drop(backlog);
            self.bell.notify_one();
        }
    }

    /// Takes back the arrivals that have waited for a connection for `limit`, oldest first.
    pub(super) fn expired(&self, limit: Duration) -> Option<Arrival> {
        let Source::Open { backlog } = &self.source else { return None };
        let mut backlog = backlog.borrow_mut();
        let oldest = backlog.front()?.queued?;
        if clock::now() - oldest < limit { None } else { backlog.pop_front() }
    }

    /// The next arrival for a connection; `None` when there will be no more.
    pub(super) async fn next(&self) -> Option<Arrival> {
        loop {
            if let Some(arrival) = self.take() {
                return Some(arrival);
            }
            if self.is_exhausted() {
                return None;
            }
            self.idle.set(self.idle.get() + 1);
            self.bell.notified().await;
            self.idle.set(self.idle.get() - 1);
        }
    }

    /// Lets no more arrivals in. Those in the queue are still handed out.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.bell.notify_waiters();
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
                self.closed.get() || left.get() == 0 || until.is_some_and(|until| clock::now() >= until)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn paused() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
    }

    #[test]
    fn an_arrival_released_to_a_free_connection_has_not_waited() {
        paused().block_on(tokio::task::LocalSet::new().run_until(async {
            let desk = Rc::new(Desk::open());
            let taker = tokio::task::spawn_local({
                let desk = Rc::clone(&desk);
                async move { desk.next().await.unwrap() }
            });
            tokio::task::yield_now().await;
            desk.release(clock::now(), false);
            desk.release(clock::now(), false);
            assert!(taker.await.unwrap().queued.is_none());
            assert!(desk.next().await.unwrap().queued.is_some());
        }));
    }

    #[test]
    fn while_the_prober_is_saturated_nothing_counts_as_waiting_for_a_connection() {
        paused().block_on(async {
            let desk = Desk::open();
            desk.release(clock::now(), true);
            tokio::time::advance(Duration::from_secs(1)).await;
            let arrival = desk.next().await.unwrap();
            assert_eq!(arrival.dispatched(clock::now()) - arrival.due, Duration::from_secs(1));
        });
    }

    #[test]
    fn a_closed_desk_hands_out_what_is_queued_and_then_nothing() {
        paused().block_on(async {
            let desk = Desk::open();
            desk.release(clock::now(), false);
            desk.close();
            assert!(desk.next().await.is_some());
            assert!(desk.next().await.is_none());
        });
    }

    #[test]
    fn the_closed_model_counts_its_arrivals_and_minds_its_end() {
        paused().block_on(async {
            let desk = Desk::closed(Some(clock::now() + Duration::from_secs(1)), 3);
            assert!(desk.next().await.is_some());
            assert!(desk.next().await.is_some());
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(desk.next().await.is_none());
            assert_eq!(desk.claimed(), 2);
        });
    }

    #[test]
    fn only_arrivals_that_waited_too_long_expire() {
        paused().block_on(async {
            let desk = Desk::open();
            let limit = Duration::from_secs(10);
            desk.release(clock::now(), false);
            tokio::time::advance(Duration::from_secs(6)).await;
            desk.release(clock::now(), false);
            assert!(desk.expired(limit).is_none());
            tokio::time::advance(Duration::from_secs(4)).await;
            assert!(desk.expired(limit).is_some());
            assert!(desk.expired(limit).is_none());
        });
    }
}
