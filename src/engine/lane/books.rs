//! What a lane notes of its arrivals and their exchanges.

use super::super::clock::{self, Instant};
use super::super::desk::Arrival;
use super::Lane;
use crate::record::{Dimension, Failure, Stage};
use crate::recorder::{Exchange, Failed, Parts};
use crate::units::show;

impl Lane {
    /// Records an arrival that no connection took in time: its first request was due and never sent.
    pub(in crate::engine) fn drop_arrival(&self, arrival: &Arrival) {
        let mut parts = Parts::default();
        let now = clock::now();
        let dispatched = arrival.dispatched(now);
        parts.took(Dimension::Lag, dispatched.saturating_duration_since(arrival.due));
        parts.died(Dimension::Wait);
        parts.fail_answer();
        let seen = format!("no connection free within {}", show(self.timeouts().whole));
        let failed = Some(Box::new(Failed::in_phase(Failure::Dropped, Dimension::Wait, seen)));
        let mut exchange = Exchange { parts, failed, ..Exchange::default() };
        let stood_still = self.stood_still_by(now);
        let meanwhile = stood_still.saturating_sub(arrival.stood_still_before(stood_still));
        exchange.allow_for_standstill(meanwhile, now - dispatched);
        self.begin(arrival.due);
        let place = self.prepared.first().map_or(0, |first| first.place);
        self.record(place, Stage::Measured, arrival.due, exchange);
        self.end(arrival.due);
    }

    /// Notes that an arrival is under way.
    pub(in crate::engine) fn begin(&self, due: Instant) {
        self.recorder.borrow_mut().begin(self.since_phase_start(due));
        self.counters.borrow_mut().in_flight += 1;
    }

    /// Notes that an arrival was given up because the run is asked to end.
    pub(in crate::engine) fn abandon(&self, due: Instant) {
        self.end(due);
        self.counters.borrow_mut().abandoned += 1;
    }

    /// Notes that an arrival came to an end.
    pub(in crate::engine) fn end(&self, due: Instant) {
        self.recorder.borrow_mut().end(self.since_phase_start(due));
        self.counters.borrow_mut().in_flight -= 1;
    }

    /// Counts one exchange that was due at `due`, of the request with this place.
    pub(in crate::engine) fn record(
        &self,
        place: usize,
        stage: Stage,
        due: Instant,
        exchange: Exchange,
    ) {
        let ours = exchange.failed.as_ref().is_some_and(|failed| failed.failure == Failure::Prober);
        if stage == Stage::Measured && ours {
            let mut counters = self.counters.borrow_mut();
            counters.released = counters.released.saturating_sub(1);
            counters.unreleased += 1;
        } else if stage == Stage::Measured {
            let mut counters = self.counters.borrow_mut();
            counters.done += 1;
            let is_of_target = |failed: &Failed| failed.failure.is_of_target();
            counters.failed += u64::from(exchange.failed.as_deref().is_some_and(is_of_target));
        }
        self.recorder.borrow_mut().record(place, stage, self.since_phase_start(due), exchange);
    }

    /// Counts one hop or try that was due at `due`, beside the exchange it belongs to.
    pub(in crate::engine) fn record_beside(
        &self,
        place: usize,
        stage: Stage,
        due: Instant,
        part: Exchange,
    ) {
        self.recorder.borrow_mut().record(place, stage, self.since_phase_start(due), part);
    }
}
