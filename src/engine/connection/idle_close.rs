//! Recognises a request that crossed the close of an idle connection.
//!
//! A server closes connections that have been idle for some time. If a request goes out at that
//! moment, it is lost, although nothing is wrong with the server. A client cannot always tell this
//! from a crash, so the time of the close and what else it knows decide.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::engine::time::clock::Instant;
use crate::record::Failure;
use crate::recorder::ExchangeFailure;

/// What the connections of a lane to one origin have shown about idle times.
#[derive(Debug, Default)]
pub(in crate::engine) struct IdleHistory {
    /// The longest time for which a connection had been idle and then still gave an answer.
    survived: Cell<Duration>,
    /// How many requests were cut off without an answer after a pause.
    cut_off_after_pause: Cell<u64>,
    /// How many were cut off on a connection that had not been idle.
    cut_off_otherwise: Cell<u64>,
}

impl IdleHistory {
    /// Whether a close after this pause is probably due to the pause: no connection has survived a
    /// pause twice as long, and few requests are cut off without one.
    fn suggests_idle_close(&self, idle: Duration) -> bool {
        self.survived.get() <= 2 * idle
            && self.cut_off_otherwise.get() * 4 <= self.cut_off_after_pause.get()
    }

    fn note_cut_off(&self, after_pause: bool) {
        let count = if after_pause { &self.cut_off_after_pause } else { &self.cut_off_otherwise };
        count.set(count.get() + 1);
    }
}

/// When a connection was last used, and what helps to explain its close.
#[derive(Debug, Default)]
pub(in crate::engine) struct IdleWatch {
    last_used: Cell<Option<Instant>>,
    round_trip: Cell<Duration>,
    history: RefCell<Rc<IdleHistory>>,
}

/// A request on a connection that had been idle before.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestAfterIdling {
    sent: Instant,
    /// How long the connection had been idle.
    idle: Duration,
    /// How long opening the connection took on the network: at least one round trip.
    round_trip: Duration,
}

impl IdleWatch {
    /// Shorter pauses are those of a client that sends again at once.
    const SHORTEST: Duration = Duration::from_millis(1);

    /// Sets how long opening the connection took on the network, and the history that the lane's
    /// connections to the same origin share.
    pub(in crate::engine) fn set_known(&self, round_trip: Duration, history: &Rc<IdleHistory>) {
        self.round_trip.set(round_trip);
        *self.history.borrow_mut() = Rc::clone(history);
    }

    /// Notes that the connection is idle from now on.
    pub(super) fn note_use(&self, at: Instant) {
        self.last_used.set(Some(at));
    }

    /// A request sent now; `None` if the connection is new or was used just before.
    pub(super) fn after_idling(&self, sent: Instant) -> Option<RequestAfterIdling> {
        let idle = sent.saturating_duration_since(self.last_used.get()?);
        let round_trip = self.round_trip.get();
        (idle >= Self::SHORTEST).then_some(RequestAfterIdling { sent, idle, round_trip })
    }

    /// Notes that a request was answered; `None` for one on a connection that was not idle.
    pub(super) fn note_answer(&self, request: Option<RequestAfterIdling>) {
        if let Some(request) = request {
            let history = self.history.borrow();
            history.survived.set(history.survived.get().max(request.idle));
        }
    }

    /// Names a failure without a byte of an answer, which occurred at `done`, if it is the close of
    /// an idle connection; the request is `None` if the connection was not idle.
    ///
    /// The close must arrive soon after the request, and fit what the lane has seen before.
    pub(super) fn name(
        &self,
        request: Option<RequestAfterIdling>,
        failed: ExchangeFailure,
        done: Instant,
    ) -> ExchangeFailure {
        let how = match failed.failure {
            Failure::Closed => "closed",
            Failure::Reset => "reset",
            _ => return failed,
        };
        let history = self.history.borrow();
        let crossed = request.filter(|request| done <= request.within(RequestAfterIdling::NOTICED));
        history.note_cut_off(crossed.is_some());
        match crossed.filter(|request| history.suggests_idle_close(request.idle)) {
            None => failed,
            Some(request) => ExchangeFailure {
                failure: Failure::IdleClosed,
                seen: format!("the target {how} the connection as the request went out"),
                idle: Some(request.idle),
                ..failed
            },
        }
    }
}

impl RequestAfterIdling {
    /// How long after the request a close can arrive that the target decided on before, in addition
    /// to two round trips. A busy target may close late, and a busy prober may notice it late.
    const NOTICED: Duration = Duration::from_millis(100);
    /// How far apart requests can be that crossed the same close, in addition to two round trips.
    const TOGETHER: Duration = Duration::from_millis(5);

    /// Whether another request went out with this one, so that both crossed one close.
    pub(super) fn is_with(&self, sent: Instant) -> bool {
        sent <= self.within(Self::TOGETHER)
    }

    fn within(&self, slack: Duration) -> Instant {
        self.sent + 2 * self.round_trip + slack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::harness::millis;
    use crate::engine::time::clock;
    use crate::record::Dimension;

    /// The name of a close that came `after` a request on a connection that was idle for 5 s, where
    /// another one answered after it had been idle for `survived`.
    fn named(after: Duration, round_trip: Duration, survived: Duration) -> Failure {
        let (watch, now) = (IdleWatch::default(), clock::now());
        let history = IdleHistory { survived: Cell::new(survived), ..IdleHistory::default() };
        watch.set_known(round_trip, &Rc::new(history));
        watch.note_use(now);
        let sent = now + Duration::from_secs(5);
        watch.name(watch.after_idling(sent), cut_off(), sent + after).failure
    }

    fn cut_off() -> ExchangeFailure {
        ExchangeFailure::in_phase(Failure::Closed, Dimension::FirstByte, "")
    }

    #[test]
    fn where_new_connections_are_cut_off_too_a_pause_is_not_the_reason() {
        let (watch, now) = (IdleWatch::default(), clock::now());
        watch.note_use(now);
        let sent = now + Duration::from_secs(5);
        let name = |request| watch.name(request, cut_off(), sent).failure;
        assert_eq!(name(None), Failure::Closed);
        for _ in 0..3 {
            assert_eq!(name(watch.after_idling(sent)), Failure::Closed);
        }
        assert_eq!(name(watch.after_idling(sent)), Failure::IdleClosed);
        assert_eq!(name(None), Failure::Closed);
        assert_eq!(name(watch.after_idling(sent)), Failure::Closed);
    }

    #[test]
    fn the_close_of_an_idle_connection_comes_soon_after_the_request() {
        let survived = Duration::from_secs(4);
        for (after, round_trip, name) in [
            (millis(0), millis(0), Failure::IdleClosed),
            (millis(90), millis(0), Failure::IdleClosed),
            (millis(150), millis(0), Failure::Closed),
            (millis(150), millis(40), Failure::IdleClosed),
            (millis(300), millis(40), Failure::Closed),
        ] {
            assert_eq!(named(after, round_trip, survived), name, "{after:?} {round_trip:?}");
        }
    }

    #[test]
    fn where_connections_survive_longer_pauses_a_close_has_another_reason() {
        for (survived, name) in
            [(5, Failure::IdleClosed), (9, Failure::IdleClosed), (11, Failure::Closed)]
        {
            assert_eq!(named(millis(1), millis(1), Duration::from_secs(survived)), name);
        }
    }

    #[test]
    fn a_request_right_after_an_answer_was_not_preceded_by_a_pause() {
        let (watch, now) = (IdleWatch::default(), clock::now());
        assert!(watch.after_idling(now).is_none());
        watch.note_use(now);
        assert!(watch.after_idling(now + Duration::from_micros(900)).is_none());
        assert!(watch.after_idling(now + millis(1)).is_some());
    }
}
