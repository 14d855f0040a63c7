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

/// The longest time for which a connection of a lane had been idle and then still gave an answer.
pub(in crate::engine) type LongestIdleTime = Rc<Cell<Duration>>;

/// When a connection was last used, and what helps to explain its close.
#[derive(Debug, Default)]
pub(in crate::engine) struct IdleWatch {
    last_used: Cell<Option<Instant>>,
    round_trip: Cell<Duration>,
    survived: RefCell<LongestIdleTime>,
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

    /// Sets how long opening the connection took on the network, and the longest idle time that
    /// its lane's connections to the same origin share.
    pub(in crate::engine) fn set_known(&self, round_trip: Duration, survived: &LongestIdleTime) {
        self.round_trip.set(round_trip);
        *self.survived.borrow_mut() = Rc::clone(survived);
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

    /// Notes that a request was answered.
    pub(super) fn note_answer(&self, request: RequestAfterIdling) {
        let survived = self.survived.borrow();
        survived.set(survived.get().max(request.idle));
    }

    /// Names a failure without a byte of an answer, which occurred at `done`, if it is the close of
    /// an idle connection.
    ///
    /// The close must arrive soon after the request, and no connection of the lane may have been idle
    /// for twice as long and still have given an answer.
    pub(super) fn name(
        &self,
        request: RequestAfterIdling,
        failed: ExchangeFailure,
        done: Instant,
    ) -> ExchangeFailure {
        let how = match failed.failure {
            Failure::Closed => "closed",
            Failure::Reset => "reset",
            _ => return failed,
        };
        let survives = self.survived.borrow().get() > 2 * request.idle;
        if survives || done > request.within(RequestAfterIdling::NOTICED) {
            return failed;
        }
        let seen = format!("the target {how} the connection as the request went out");
        ExchangeFailure { failure: Failure::IdleClosed, seen, idle: Some(request.idle), ..failed }
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
        watch.set_known(round_trip, &Rc::new(Cell::new(survived)));
        watch.note_use(now);
        let sent = now + Duration::from_secs(5);
        let request = watch.after_idling(sent).unwrap();
        let failed = ExchangeFailure::in_phase(Failure::Closed, Dimension::FirstByte, "");
        watch.name(request, failed, sent + after).failure
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
