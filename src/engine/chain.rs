//! One exchange under way: its first message, the redirects that followed, and the tries before it.

use std::time::Duration;

use super::clock::{self, Instant};
use super::hop::Hop;
use super::http::Limits;
use super::tries::Trying;
use crate::record::{Dimension, Failure, Stage};
use crate::recorder::{Exchange, Failed, Parts};
use crate::units::show;

/// When an exchange was due and released.
#[derive(Clone, Copy)]
pub(super) struct Taken {
    pub(super) due: Instant,
    pub(super) dispatched: Instant,
    /// How long the prober had stood still by then.
    pub(super) stood_still: Duration,
    /// How long it took since to put together what depends on earlier steps: the prober's own time.
    pub(super) built: Duration,
}

/// An exchange under way.
pub(super) struct Chain {
    pub(super) taken: Taken,
    stage: Stage,
    /// Sums over the hops.
    pub(super) exchange: Exchange,
    /// When the last hop was done.
    pub(super) done: Instant,
    /// How many redirects were followed.
    pub(super) followed: u32,
    pub(super) limits: Option<Limits>,
    /// When it must be over, beside its timeouts.
    pub(super) end: Option<Instant>,
}

impl Chain {
    pub(super) fn new(taken: Taken, stage: Stage, end: Option<Instant>) -> Self {
        let mut parts = Parts::default();
        parts.took(Dimension::Lag, taken.dispatched - taken.due + taken.built);
        let exchange = Exchange { parts, ..Exchange::default() };
        Self { taken, stage, exchange, done: taken.dispatched, followed: 0, limits: None, end }
    }

    /// Since when the next hop waits for a connection. What passed between the hops is the prober's own.
    pub(super) fn next_hop_since(&mut self) -> Instant {
        if self.followed == 0 {
            return self.taken.dispatched + self.taken.built;
        }
        let now = clock::now();
        self.exchange.parts.add(Dimension::Lag, now - self.done);
        now
    }

    pub(super) fn add(&mut self, hop: &Hop) {
        self.exchange.parts.add_hop(&hop.parts);
        self.exchange.fresh |= hop.fresh;
        self.exchange.body_bytes += hop.body_bytes;
        self.done = hop.done;
    }

    pub(super) fn end(&mut self, failed: Option<Box<Failed>>) {
        match failed {
            Some(_) => self.exchange.parts.fail_answer(),
            None => self.exchange.parts.took(Dimension::Latency, self.done - self.taken.due),
        }
        self.exchange.failed = failed;
    }

    /// What of it the prober may have caused, which had stood still for `stood_still` when it was done.
    pub(super) fn allow_for_standstill(&mut self, stood_still: Duration) {
        let meanwhile = stood_still.saturating_sub(self.taken.stood_still);
        self.exchange.allow_for_standstill(meanwhile, self.done - self.taken.dispatched);
    }

    /// In the warm-up, what opened a connection is cold.
    pub(super) fn stage_of(&self, exchange: &Exchange) -> Stage {
        match self.stage {
            Stage::Measured => Stage::Measured,
            Stage::Cold | Stage::Warmup if exchange.fresh => Stage::Cold,
            Stage::Cold | Stage::Warmup => Stage::Warmup,
        }
    }

    /// The last of several tries as all of them together, the first having been taken at `first`.
    ///
    /// Connections that were opened for a try are set-up of the whole. What else passed before the last try belongs to the time
    /// until its first byte: until then there was no answer that would do.
    pub(super) fn over_tries(mut self, first: Taken, trying: &Trying) -> Self {
        if trying.count == 1 {
            return self;
        }
        let earlier = &trying.earlier;
        let passed = self.taken.dispatched - (first.dispatched + first.built);
        let before = passed.saturating_sub(earlier.opened.duration(Dimension::Setup));
        let parts = &mut self.exchange.parts;
        parts.add(Dimension::Lag, first.dispatched - first.due + first.built);
        parts.add_hop(&earlier.opened);
        self.exchange.fresh |= earlier.fresh;
        self.exchange.body_bytes += earlier.body_bytes;
        self.exchange.stood_still += self.taken.stood_still.saturating_sub(first.stood_still);
        self.taken = first;
        if let Some(failed) = &mut self.exchange.failed {
            let took = show(self.done - first.dispatched);
            failed.seen = format!("{} ({} tries in {took})", failed.seen, trying.count);
        } else {
            parts.add(Dimension::FirstByte, before);
            parts.add(Dimension::Service, before);
            parts.took(Dimension::Latency, self.done - first.due);
        }
        self
    }
}

/// A step that was not carried out, or found nothing to judge.
pub(super) fn lapse(failure: Failure, seen: impl Into<String>) -> Failed {
    Failed { failure, phase: None, expected: String::new(), seen: seen.into(), next: None }
}
