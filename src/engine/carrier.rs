//! One place for exchanges: it takes an arrival, carries out its steps, and asks for the next.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::chain::{Chain, Taken};
use super::channels::Channels;
use super::clock::{self, Instant};
use super::desk::{Arrival, Desk, Rank};
use super::flow::{Asking, Flow, Ready};
use super::lane::Lane;
use super::prepared::Prepared;
use super::sql::Sessions;
use super::tries::Trying;
use super::trunk::Trunk;
use crate::plan::Reuse;
use crate::record::Stage;
use crate::recorder::{Exchange, Failed};

/// One of a lane's places for exchanges, with its connections.
pub(super) struct Carrier {
    pub(super) lane: Rc<Lane>,
    /// Its rank while its connection is not open.
    rank: Rank,
    pub(super) channels: Channels,
    pub(super) sessions: Sessions,
    pub(super) body: Vec<u8>,
}

/// How a step ended.
struct Ended {
    exchange: Exchange,
    stage: Stage,
    done: Instant,
    /// Whether there was an answer in the end, right or wrong.
    answered: bool,
}

impl Carrier {
    /// A place on a connection of its own, or on one that it shares, and its rank while that is not open.
    pub(super) fn new(lane: Rc<Lane>, rank: Rank, trunk: Option<Rc<Trunk>>) -> Self {
        let (channels, sessions) = (Channels::new(trunk), Sessions::default());
        Self { lane, rank, channels, sessions, body: Vec::new() }
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

    /// Carries out the scenario's steps, each due when the one before it was done; says whether the last of them was
    /// answered. Where the run is asked to end, no further step is begun.
    async fn carry_out(&mut self, arrival: Arrival, stage: Stage) -> bool {
        let lane = Rc::clone(&self.lane);
        lane.begin(arrival.due);
        let claimed = clock::now();
        let mut taken = Taken {
            due: arrival.due,
            dispatched: arrival.dispatched(claimed),
            stood_still: arrival.stood_still_before(lane.stood_still_by(claimed)),
            built: Duration::ZERO,
        };
        let mut flow = lane.has_flow().then(Flow::begin);
        let mut answered = false;
        for (at, prepared) in lane.steps().iter().enumerate() {
            if at > 0 && lane.is_draining() {
                lane.abandon(arrival.due);
                return false;
            }
            let building = flow.is_some().then(clock::now);
            let ready = match prepared.ready(flow.as_ref(), lane.home()) {
                Ok(ready) => {
                    taken.built = building.map_or(Duration::ZERO, |since| clock::now() - since);
                    ready
                }
                Err(failed) => {
                    miss(&mut flow, prepared, &failed);
                    let left_out = Exchange { failed: Some(failed), ..Exchange::default() };
                    lane.record(prepared.place, stage, taken.due, left_out);
                    continue;
                }
            };
            let Some(ended) = self.step(&ready, taken, stage, &mut flow).await else {
                lane.abandon(arrival.due);
                return false;
            };
            answered = ended.answered;
            if let Some(failed) = &ended.exchange.failed {
                miss(&mut flow, prepared, failed);
            }
            lane.record(prepared.place, ended.stage, taken.due, ended.exchange);
            let dispatched = clock::now();
            let stood_still = lane.stood_still_by(dispatched);
            taken = Taken { due: ended.done, dispatched, stood_still, built: Duration::ZERO };
        }
        if lane.reuse() == Reuse::Fresh {
            self.channels.clear();
            self.sessions.clear();
        }
        lane.end(arrival.due);
        answered
    }

    /// Carries out one step, as often as it is to be tried. `None` where the run was asked to end before it was sent, or
    /// between two tries.
    async fn step(
        &mut self,
        ready: &Ready<'_>,
        first: Taken,
        stage: Stage,
        flow: &mut Option<Flow>,
    ) -> Option<Ended> {
        let lane = Rc::clone(&self.lane);
        let mut trying = Trying::begin(ready.prepared.tries, first.dispatched);
        let mut taken = first;
        loop {
            let mut chain = Chain::new(taken, stage, trying.end());
            let answered = self.attempt(ready, &mut chain, flow).await?;
            chain.allow_for_standstill(lane.stood_still_by(chain.done));
            if trying.are_several() {
                let place = ready.prepared.place_of_tries;
                let (stage, one) = (chain.stage_of(&chain.exchange), chain.exchange.clone());
                lane.record_beside(place, stage, taken.due, one);
            }
            let has_failed = chain.exchange.failed.is_some();
            let again = has_failed.then(|| trying.again(&chain.exchange, clock::now())).flatten();
            let Some(pause) = again else {
                let chain = chain.over_tries(first, &trying);
                let (stage, done) = (chain.stage_of(&chain.exchange), chain.done);
                return Some(Ended { exchange: chain.exchange, stage, done, answered });
            };
            self.pause(pause).await?;
            let now = clock::now();
            let stood_still = lane.stood_still_by(now);
            taken = Taken { due: now, dispatched: now, stood_still, built: Duration::ZERO };
        }
    }

    /// One try of a step, recorded in `chain`; says whether there was an answer.
    async fn attempt(
        &mut self,
        ready: &Ready<'_>,
        chain: &mut Chain,
        flow: &mut Option<Flow>,
    ) -> Option<bool> {
        match &ready.asking {
            Asking::Http(ask, redirects) => {
                self.exchange(ready, (ask, *redirects), chain, flow).await
            }
            Asking::Sql(plan, values) => Some(self.query(ready, (plan, values), chain, flow).await),
        }
    }

    /// Lets time pass; `None` where the run is asked to end meanwhile.
    async fn pause(&self, pause: Duration) -> Option<()> {
        tokio::select! {
            biased;
            () = self.lane.draining() => None,
            () = tokio::time::sleep(pause) => Some(()),
        }
    }
}

/// Notes that a step yielded nothing for those that follow.
fn miss(flow: &mut Option<Flow>, prepared: &Prepared, failed: &Failed) {
    if let Some(flow) = flow {
        flow.miss(prepared, failed.failure);
    }
}
