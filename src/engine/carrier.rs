//! One place for exchanges: it takes an arrival, carries out its requests, and asks for the next.

use std::rc::Rc;
use std::time::Duration;

use http::response;
use tokio::sync::Semaphore;

use super::channels::Channels;
use super::clock::{self, Instant};
use super::desk::{Arrival, Desk, Rank};
use super::hop::{Hop, Sending};
use super::http::{Basket, Limits, Unsendable, unmet};
use super::lane::Lane;
use super::prepared::{Ask, Prepared};
use super::redirect::{self, Next};
use super::trunk::Trunk;
use crate::expect::Answer;
use crate::plan::Reuse;
use crate::record::{Dimension, Failure, Stage};
use crate::recorder::{Exchange, Failed, Parts};

/// One of a lane's places for exchanges, with its connections.
pub(super) struct Carrier {
    lane: Rc<Lane>,
    /// Its rank while its connection is not open.
    rank: Rank,
    channels: Channels,
    body: Vec<u8>,
}

/// When an exchange was due and released.
#[derive(Clone, Copy)]
struct Taken {
    due: Instant,
    dispatched: Instant,
    /// How long the prober had stood still by then.
    stood_still: Duration,
}

/// An exchange under way: its first request and the redirects that followed.
struct Chain {
    taken: Taken,
    stage: Stage,
    /// Sums over the hops.
    exchange: Exchange,
    /// When the last hop was done.
    done: Instant,
    /// How many redirects were followed.
    followed: u32,
    limits: Option<Limits>,
}

/// What comes after a hop.
enum Turn {
    Follow(Box<Ask>),
    End(Option<Box<Failed>>),
}

impl Carrier {
    /// A place on a connection of its own, or on one that it shares, and its rank while that is not open.
    pub(super) fn new(lane: Rc<Lane>, rank: Rank, trunk: Option<Rc<Trunk>>) -> Self {
        Self { lane, rank, channels: Channels::new(trunk), body: Vec::new() }
    }

    /// Opens the connection with a first arrival when it is let through the gate, then takes its share of the further
    /// warm-up arrivals.
    ///
    /// A connection that got no answer takes no more: the target is asked for it again when measuring. Then nobody has to
    /// wait for his turn any more either.
    pub(super) async fn warm_up(mut self, gate: Rc<Semaphore>, further: Rc<Desk>) -> Self {
        let lane = Rc::clone(&self.lane);
        let turn = tokio::select! {
            biased;
            turn = gate.acquire() => turn,
            () = lane.draining() => return self,
        };
        let mut answered = self.carry_out(Arrival::immediate(), Stage::Warmup).await;
        if !answered {
            gate.close();
        }
        drop(turn);
        while answered {
            let Some(arrival) = further.next(|| self.rank()).await else { break };
            answered = self.carry_out(arrival, Stage::Warmup).await;
        }
        self
    }

    /// Carries out arrivals until there are no more.
    pub(super) async fn serve(mut self, desk: Rc<Desk>) -> Self {
        while let Some(arrival) = desk.next(|| self.rank()).await {
            let claimed = clock::now();
            if claimed - arrival.dispatched(claimed) >= self.lane.timeouts().whole {
                self.lane.drop_arrival(&arrival);
            } else {
                self.carry_out(arrival, Stage::Measured).await;
            }
        }
        self
    }

    fn rank(&mut self) -> Rank {
        match self.rank {
            Rank::Base => Rank::Base,
            Rank::Open | Rank::Closed(_) if self.channels.is_open() => Rank::Open,
            rank => rank,
        }
    }

    /// Carries out the scenario's requests, each due when the one before it was done; says whether the last of them
    /// was answered.
    async fn carry_out(&mut self, arrival: Arrival, stage: Stage) -> bool {
        let lane = Rc::clone(&self.lane);
        lane.begin(arrival.due);
        let claimed = clock::now();
        let mut taken = Taken {
            due: arrival.due,
            dispatched: arrival.dispatched(claimed),
            stood_still: arrival.stood_still_before(lane.stood_still_by(claimed)),
        };
        let mut answered = false;
        for prepared in lane.requests() {
            let mut chain = Chain::new(taken, stage);
            let Some(ended) = self.exchange(prepared, &mut chain).await else {
                lane.abandon(arrival.due);
                return false;
            };
            answered = ended;
            chain.allow_for_standstill(lane.stood_still_by(chain.done));
            let stage = chain.stage_of(&chain.exchange);
            lane.record(prepared.place, stage, taken.due, chain.exchange);
            let dispatched = clock::now();
            taken = Taken { due: chain.done, dispatched, stood_still: lane.stood_still_by(dispatched) };
        }
        if lane.reuse() == Reuse::Fresh {
            self.channels.clear();
        }
        lane.end(arrival.due);
        answered
    }

    /// Carries out one request with the redirects that follow, and records each hop where there was a redirect; says
    /// whether there was an answer in the end, right or wrong. `None` where the run was asked to end before it was sent.
    async fn exchange(&mut self, prepared: &Prepared, chain: &mut Chain) -> Option<bool> {
        let mut next: Option<Box<Ask>> = None;
        loop {
            let ask = next.as_deref().unwrap_or(&prepared.first);
            let hop = self.hop(ask, prepared, chain).await?;
            let answered = hop.answer.is_ok();
            let turn = match &hop.answer {
                Ok(head) => self.turn(prepared, ask, head, chain.followed),
                Err(failed) => Turn::End(Some(failed.clone())),
            };
            chain.add(&hop);
            match turn {
                Turn::Follow(ask) => {
                    self.record_hop(prepared, chain, &hop, None);
                    chain.followed += 1;
                    next = Some(ask);
                }
                Turn::End(failed) => {
                    if chain.followed > 0 {
                        self.record_hop(prepared, chain, &hop, failed.clone());
                    }
                    if let Ok(head) = &hop.answer {
                        chain.exchange.server_timings = self.lane.account().of(&head.headers);
                    }
                    chain.end(failed);
                    return Some(answered);
                }
            }
        }
    }

    async fn hop(&mut self, ask: &Ask, prepared: &Prepared, chain: &mut Chain) -> Option<Hop> {
        let since = chain.next_hop_since();
        let Self { lane, channels, body, .. } = self;
        let mut basket = Basket::new(&prepared.expectations, body);
        let sending = Sending { lane, channels, ask, since, limits: &mut chain.limits };
        sending.carry_out(&mut basket).await
    }

    /// Decides what comes after an answer: another request, or the answer's judgement.
    fn turn(&self, prepared: &Prepared, ask: &Ask, head: &response::Parts, followed: u32) -> Turn {
        if prepared.redirects > 0 {
            let counts = (followed, prepared.redirects);
            match redirect::next(&ask.asked, head.status, &head.headers, self.lane.rules(), counts) {
                Next::Final => {}
                Next::Refused(failed) => return Turn::End(Some(Box::new(failed))),
                Next::Follow(asked) => {
                    return match Ask::new(*asked, self.lane.home()) {
                        Ok(ask) => Turn::Follow(Box::new(ask)),
                        Err(Unsendable(what)) => Turn::End(Some(Box::new(unsendable(what)))),
                    };
                }
            }
        }
        let (url, headers) = (&ask.asked.url, &head.headers);
        let answer = Answer { status: head.status, url, headers, body: &self.body };
        Turn::End(prepared.expectations.judge(&answer).err().map(|broken| Box::new(unmet(broken))))
    }

    fn record_hop(&self, prepared: &Prepared, chain: &Chain, hop: &Hop, failed: Option<Box<Failed>>) {
        let mut parts = hop.parts;
        parts.took(Dimension::Lag, Duration::ZERO);
        parts.took(Dimension::Wait, Duration::ZERO);
        if failed.is_some() {
            parts.fail_answer();
        } else {
            let took = parts.duration(Dimension::Setup) + parts.duration(Dimension::Service);
            parts.took(Dimension::Latency, took);
        }
        let exchange =
            Exchange { parts, failed, fresh: hop.fresh, body_bytes: hop.body_bytes, ..Exchange::default() };
        let place = prepared.place + 1 + chain.followed as usize;
        let stage = chain.stage_of(&exchange);
        self.lane.record_hop(place, stage, chain.taken.due, exchange);
    }
}

impl Chain {
    fn new(taken: Taken, stage: Stage) -> Self {
        let mut parts = Parts::default();
        parts.took(Dimension::Lag, taken.dispatched - taken.due);
        let exchange = Exchange { parts, ..Exchange::default() };
        Self { taken, stage, exchange, done: taken.dispatched, followed: 0, limits: None }
    }

    /// Since when the next hop waits for a connection. What passed between the hops is the prober's own.
    fn next_hop_since(&mut self) -> Instant {
        if self.followed == 0 {
            return self.taken.dispatched;
        }
        let now = clock::now();
        self.exchange.parts.add(Dimension::Lag, now - self.done);
        now
    }

    fn add(&mut self, hop: &Hop) {
        self.exchange.parts.add_hop(&hop.parts);
        self.exchange.fresh |= hop.fresh;
        self.exchange.body_bytes += hop.body_bytes;
        self.done = hop.done;
    }

    fn end(&mut self, failed: Option<Box<Failed>>) {
        match failed {
            Some(_) => self.exchange.parts.fail_answer(),
            None => self.exchange.parts.took(Dimension::Latency, self.done - self.taken.due),
        }
        self.exchange.failed = failed;
    }

    /// What of it the prober may have caused, which had stood still for `stood_still` when it was done.
    fn allow_for_standstill(&mut self, stood_still: Duration) {
        let meanwhile = stood_still.saturating_sub(self.taken.stood_still);
        self.exchange.allow_for_standstill(meanwhile, self.done - self.taken.dispatched);
    }

    /// In the warm-up, what opened a connection is cold.
    fn stage_of(&self, exchange: &Exchange) -> Stage {
        match self.stage {
            Stage::Measured => Stage::Measured,
            Stage::Cold | Stage::Warmup if exchange.fresh => Stage::Cold,
            Stage::Cold | Stage::Warmup => Stage::Warmup,
        }
    }
}

fn unsendable(what: &str) -> Failed {
    let seen = format!("{what} in the redirect cannot be sent in a request");
    Failed { failure: Failure::Redirected, phase: None, expected: String::new(), seen }
}
