//! One try of a step in progress: its hops so far, and the tries before it.

use std::time::Duration;

use super::exchange_start::ExchangeStart;
use super::hop::HopResult;
use super::tries::StepTries;
use crate::engine::connection::http::ExchangeLimits;
use crate::engine::time::clock::{self, Instant};
use crate::record::{Dimension, Failure, Stage};
use crate::recorder::{Exchange, ExchangeFailure, ExchangeParts};
use crate::units::format_duration;

/// An exchange in progress.
pub(in crate::engine) struct ExchangeInProgress {
    pub(super) start: ExchangeStart,
    stage: Stage,
    /// Sums over the hops.
    pub(in crate::engine) totals: Box<Exchange>,
    /// When the last hop was done.
    pub(in crate::engine) done: Instant,
    /// How many redirects were followed.
    pub(super) followed: u32,
    /// The exchange's limits, once a connection has taken it.
    pub(super) limits: Option<ExchangeLimits>,
    /// When it must end regardless of its timeouts.
    pub(super) end: Option<Instant>,
}

impl ExchangeInProgress {
    /// An exchange that starts; it must be over by `end`.
    pub(in crate::engine) fn new(start: ExchangeStart, stage: Stage, end: Option<Instant>) -> Self {
        let mut parts = ExchangeParts::default();
        parts.set_duration(Dimension::Lag, start.dispatched - start.due + start.built);
        let totals = Box::new(Exchange { parts, ..Exchange::default() });
        Self { start, stage, totals, done: start.dispatched, followed: 0, limits: None, end }
    }

    /// When the next hop starts to wait for a connection. Time between hops is the prober's own.
    pub(super) fn next_hop_since(&mut self) -> Instant {
        if self.followed == 0 {
            return self.start.dispatched + self.start.built;
        }
        let now = clock::now();
        self.totals.parts.add(Dimension::Lag, now - self.done);
        now
    }

    /// Adds a hop.
    pub(super) fn add(&mut self, hop: &HopResult) {
        self.totals.parts.add_hop(&hop.parts);
        self.totals.fresh |= hop.fresh;
        self.totals.connection.add(hop.connection);
        self.totals.body_bytes += hop.body_bytes;
        self.done = hop.done;
    }

    /// Ends the exchange with its last hop.
    pub(super) fn end(&mut self, failed: Option<Box<ExchangeFailure>>) {
        match failed {
            Some(_) => self.totals.parts.fail_answer(),
            None => self.totals.parts.set_duration(Dimension::Latency, self.done - self.start.due),
        }
        self.totals.failed = failed;
    }

    /// Marks the share of the exchange that the prober's own standstills may have caused.
    ///
    /// `stood_still` is the total standstill when the exchange was done.
    pub(in crate::engine) fn allow_for_standstill(&mut self, stood_still: Duration) {
        let since_start = stood_still.saturating_sub(self.start.stood_still);
        self.totals.allow_for_standstill(since_start, self.done - self.start.dispatched);
    }

    /// The stage of an exchange; during the warm-up, one that opened a connection is cold.
    pub(in crate::engine) fn stage_of(&self, exchange: &Exchange) -> Stage {
        match self.stage {
            Stage::Measured => Stage::Measured,
            Stage::Cold | Stage::Warmup if exchange.fresh => Stage::Cold,
            Stage::Cold | Stage::Warmup => Stage::Warmup,
        }
    }

    /// After several tries, makes this exchange, the last of them, stand for all; the first started
    /// at `first`. After one try it changes nothing.
    ///
    /// The set-up of the whole includes connections opened for any try. All other time before the
    /// last try counts towards the first byte, because no acceptable answer had arrived.
    pub(in crate::engine) fn end_tries(&mut self, first: ExchangeStart, tries: &StepTries) {
        if tries.count == 1 {
            return;
        }
        let earlier = &tries.earlier;
        let passed = self.start.dispatched - (first.dispatched + first.built);
        let before = passed.saturating_sub(earlier.opened.duration(Dimension::Setup));
        let parts = &mut self.totals.parts;
        parts.add(Dimension::Lag, first.dispatched - first.due + first.built);
        parts.add_hop(&earlier.opened);
        self.totals.fresh |= earlier.fresh;
        self.totals.connection.add(earlier.connection);
        self.totals.body_bytes += earlier.body_bytes;
        self.totals.stood_still += self.start.stood_still.saturating_sub(first.stood_still);
        self.start = first;
        if let Some(failed) = &mut self.totals.failed {
            // A limit of tollgate does not depend on the tries, and is one line of evidence.
            if failed.failure == Failure::OwnLimit {
                return;
            }
            let took = format_duration(self.done - first.dispatched);
            failed.seen = format!("{} ({} tries in {took})", failed.seen, tries.count);
        } else {
            parts.add(Dimension::FirstByte, before);
            parts.add(Dimension::Service, before);
            parts.set_duration(Dimension::Latency, self.done - first.due);
        }
    }
}
