//! One connection's life: it takes an arrival, carries out its requests, and asks for the next.

use std::rc::Rc;

use tokio::time::timeout_at;

use super::clock::{self, Instant};
use super::desk::{Arrival, Desk};
use super::http::{Channel, Limits, Served};
use super::lane::Lane;
use crate::plan::Reuse;
use crate::record::{Dimension, Failure, Stage};
use crate::recorder::{Exchange, Failed, Parts};

/// One of a lane's connections, open or not.
pub(super) struct Carrier {
    lane: Rc<Lane>,
    channel: Option<Channel>,
    body: Vec<u8>,
}

/// The instants at which an exchange was due, released, and taken by a connection.
#[derive(Clone, Copy)]
struct Taken {
    due: Instant,
    dispatched: Instant,
}

impl Carrier {
    pub(super) fn new(lane: Rc<Lane>) -> Self {
        Self { lane, channel: None, body: Vec::new() }
    }

    /// Opens the connection with a first arrival, then takes its share of the further warm-up arrivals.
    ///
    /// A connection that got no answer takes no more: the target is asked for it again when measuring.
    pub(super) async fn warm_up(mut self, further: Rc<Desk>) -> Self {
        let mut answered = self.carry_out(Arrival::immediate(), Stage::Warmup).await;
        while answered {
            let Some(arrival) = further.next().await else { break };
            answered = self.carry_out(arrival, Stage::Warmup).await;
        }
        self
    }

    /// Carries out arrivals until there are no more.
    pub(super) async fn serve(mut self, desk: Rc<Desk>) -> Self {
        while let Some(arrival) = desk.next().await {
            let claimed = clock::now();
            if claimed - arrival.dispatched(claimed) >= self.lane.timeouts().whole {
                self.lane.drop_arrival(&arrival);
            } else {
                self.carry_out(arrival, Stage::Measured).await;
            }
        }
        self
    }

    /// Carries out the scenario's requests, each due when the one before it was done; says whether the last of them
    /// was answered.
    async fn carry_out(&mut self, arrival: Arrival, stage: Stage) -> bool {
        let lane = Rc::clone(&self.lane);
        lane.begin(arrival.due);
        let mut taken = Taken { due: arrival.due, dispatched: arrival.dispatched(clock::now()) };
        for request in 0..lane.requests() {
            let due = taken.due;
            let (exchange, done) = self.exchange(request, taken).await;
            let stage = match stage {
                Stage::Measured => Stage::Measured,
                Stage::Cold | Stage::Warmup if exchange.fresh => Stage::Cold,
                Stage::Cold | Stage::Warmup => Stage::Warmup,
            };
            lane.record(request, stage, due, exchange);
            taken = Taken { due: done, dispatched: clock::now() };
        }
        // An exchange without an answer leaves no connection behind.
        let answered = self.channel.is_some();
        if lane.reuse() == Reuse::Fresh {
            self.channel = None;
        }
        lane.end(arrival.due);
        answered
    }

    async fn exchange(&mut self, request: usize, taken: Taken) -> (Exchange, Instant) {
        let mut parts = Parts::default();
        parts.took(Dimension::Lag, taken.dispatched - taken.due);
        let limits = Limits::new(self.lane.timeouts(), clock::now());
        let lost = self.drop_if_closed(limits.deadline).await;
        let ready = clock::now();
        parts.took(Dimension::Wait, ready - taken.dispatched);
        let fresh = self.channel.is_none();
        let mut exchange = Exchange { parts, failed: None, fresh, body_bytes: 0 };
        let served = self.send(request, ready, limits, lost, &mut exchange).await;
        let done = match served {
            Err(failed) => {
                exchange.failed = Some(failed);
                clock::now()
            }
            Ok(served) => {
                exchange.body_bytes = served.body_bytes;
                exchange.failed = served.failed;
                served.done
            }
        };
        if exchange.failed.is_some() {
            exchange.parts.fail_answer();
        } else {
            exchange.parts.took(Dimension::Latency, done - taken.due);
        }
        (exchange, done)
    }

    /// Sends on the open connection, or on a new one where there is none or it turns out to be closed.
    async fn send(
        &mut self,
        request: usize,
        ready: Instant,
        limits: Limits,
        mut lost: bool,
        exchange: &mut Exchange,
    ) -> Result<Served, Box<Failed>> {
        let lane = Rc::clone(&self.lane);
        let mut sent = ready;
        // A second closed connection in a row was opened just now: that is no idle close but a failure.
        for _ in 0..2 {
            let mut channel = if let Some(channel) = self.channel.take() {
                channel
            } else {
                exchange.fresh = true;
                let opened = lane.open(lost, limits.deadline, &mut exchange.parts).await;
                sent = clock::now();
                exchange.parts.note(Dimension::Setup, opened.is_ok().then(|| sent - ready));
                opened?
            };
            let prepared = lane.prepared(request);
            let exchanged =
                channel.exchange(prepared, sent, limits, &mut exchange.parts, &mut self.body).await;
            if let Ok(served) = exchanged {
                exchange.parts.took(Dimension::Service, served.done - sent);
                self.channel = served.reusable.then_some(channel);
                return Ok(served);
            }
            lost = true;
        }
        exchange.parts.died(Dimension::FirstByte);
        let seen = "the target closed a new connection before taking a request";
        Err(Box::new(Failed::in_phase(Failure::Closed, Dimension::FirstByte, seen)))
    }

    /// Lets go of a connection that the target has closed while it was idle; says whether it did.
    async fn drop_if_closed(&mut self, deadline: Instant) -> bool {
        let Some(channel) = &mut self.channel else { return false };
        let closed = !timeout_at(deadline, channel.ready()).await.unwrap_or(false);
        if closed {
            self.channel = None;
        }
        closed
    }
}
