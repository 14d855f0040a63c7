//! The histograms and counts of a lane, by the second in which exchanges were due.
//!
//! Threads share nothing here. Each lane owns a [`Recorder`] and hands over the settled seconds;
//! the conductor adds those of all lanes.

mod exchange;
mod judgement;
mod peers;
#[cfg(test)]
pub(crate) mod recorded_exchanges;
mod sample;
mod slot;
mod used_connection;

use std::collections::VecDeque;
use std::time::Duration;

use crate::record::{Ceiling, PeerMeasurement, Stage, StallHorizon};

pub use exchange::{Exchange, ExchangeFailure, ExchangeParts, PartOutcome};
pub use slot::SecondSlot;
pub use used_connection::{ConnectionId, UsedConnection};

use judgement::CeilingJudgement;
use peers::PeerRecorder;

/// One settled second of one lane: every exchange due in it has finished.
#[derive(Debug)]
pub struct SettledSecond {
    /// The second's number, counted from the start of the warm-up or of the measured stage.
    pub second: u64,
    /// The records of each request and stage with exchanges.
    pub slots: Vec<SettledSlot>,
}

/// One request and stage of a settled second.
#[derive(Debug)]
pub struct SettledSlot {
    /// The request's index in the measurement.
    pub request: usize,
    /// The stage of the run.
    pub stage: Stage,
    /// Counts and histograms.
    pub slot: SecondSlot,
}

/// Records exchanges by the second in which they were due.
///
/// A later step of an arrival may be due in a later second than the arrival. A second is settled
/// only if no arrival of it or of an earlier second is in progress. Times count from the start of
/// the warm-up or of the measured stage.
#[derive(Debug)]
pub struct Recorder {
    ceilings: Vec<Vec<Ceiling>>,
    first: u64,
    seconds: VecDeque<OpenSecond>,
    peers: PeerRecorder,
    /// Width of the slots in which the measured stage is counted; `None` for no slots.
    slot_width: Option<Duration>,
    /// How many more exchanges may be kept one by one; zero in a run that keeps none.
    samples_left: usize,
    /// How each ceiling judged the latest exchange; its memory is used again.
    judged: Vec<CeilingJudgement>,
}

#[derive(Debug, Default)]
struct OpenSecond {
    under_way: u64,
    slots: Vec<SettledSlot>,
    /// The place in `slots` of each request and stage. A scenario may have many requests, and a
    /// search would take longer with each of them.
    places: Vec<Option<usize>>,
}

impl Recorder {
    /// A recorder for a scenario, given the ceilings of each request and the maximum number of
    /// connections open at a time.
    pub fn new(ceilings: Vec<Vec<Ceiling>>, connections: usize) -> Self {
        let peers = PeerRecorder::new(ceilings.len(), connections);
        Self {
            ceilings,
            first: 0,
            seconds: VecDeque::new(),
            peers,
            slot_width: None,
            samples_left: 0,
            judged: Vec::new(),
        }
    }

    /// The same recorder, which also counts the measured stage in slots of this width.
    #[must_use]
    pub fn with_slots(self, width: Option<Duration>) -> Self {
        Self { slot_width: width, ..self }
    }

    /// The same recorder, which also keeps this many exchanges one by one; see
    /// [`Self::keep_sample`].
    #[must_use]
    pub fn with_samples(self, most: usize) -> Self {
        Self { samples_left: most, ..self }
    }

    /// Notes that an arrival due at `due` is in progress.
    pub fn begin(&mut self, due: Duration) {
        self.second(due.as_secs()).under_way += 1;
    }

    /// Notes that an arrival due at `due` has finished. Call this after recording its exchanges.
    pub fn end(&mut self, due: Duration) {
        let second = self.second(due.as_secs());
        second.under_way = second.under_way.saturating_sub(1);
    }

    /// Counts one exchange that was due at `due`.
    ///
    /// A failure that does not count against the target is noted only as evidence.
    pub fn record(&mut self, request: usize, stage: Stage, due: Duration, mut exchange: Exchange) {
        debug_assert!(exchange.parts.adds_up(), "a rest is left: {exchange:?}");
        #[cfg(test)]
        recorded_exchanges::note(&exchange);
        let is_left_out = |failed: &&ExchangeFailure| !failed.failure.counts_against_target();
        if let Some(failed) = exchange.failed.as_deref().filter(is_left_out) {
            self.second(due.as_secs()).slot(request, stage).note(failed);
            return;
        }
        exchange.parts.set_connection_kind(exchange.fresh);
        let mut judged = std::mem::take(&mut self.judged);
        judged.clear();
        let ceilings = &self.ceilings[request];
        judged.extend(ceilings.iter().map(|ceiling| CeilingJudgement::new(ceiling, &exchange)));
        let mut in_slot = None;
        if stage == Stage::Measured {
            self.peers.count(request, &judged, &exchange);
            in_slot = self.slot_width.map(|width| StallHorizon::slot_of(width, due));
        }
        self.second(due.as_secs()).slot(request, stage).record(&judged, in_slot, &exchange);
        self.judged = judged;
    }

    /// Keeps an exchange of the measured stage on its own: when it was due, and how long it took
    /// from then until it ended, even if it failed. Does nothing if the recorder keeps no more.
    ///
    /// Call it for whole exchanges, before [`Self::record`]; hops and tries are parts of them.
    pub fn keep_sample(
        &mut self,
        request: usize,
        due: Duration,
        latency: Duration,
        exchange: &Exchange,
    ) {
        if self.samples_left == 0 {
            return;
        }
        self.samples_left -= 1;
        let sample = sample::of(due, latency, exchange);
        self.second(due.as_secs()).slot(request, Stage::Measured).samples.push(sample);
    }

    /// Hands over the settled seconds that ended by `frontier`, in order. The lane has released all
    /// arrivals due before `frontier`.
    pub fn settle(&mut self, frontier: Duration) -> Vec<SettledSecond> {
        let mut settled = Vec::new();
        while self.first < frontier.as_secs()
            && self.seconds.front().is_none_or(|second| second.under_way == 0)
        {
            let slots = self.seconds.pop_front().map(|second| second.slots).unwrap_or_default();
            if !slots.is_empty() {
                settled.push(SettledSecond { second: self.first, slots });
            }
            self.first += 1;
            if self.seconds.is_empty() {
                self.first = frontier.as_secs();
            }
        }
        settled
    }

    /// Hands over every second, settled or not, and restarts at second zero.
    pub fn finish(&mut self) -> Vec<SettledSecond> {
        let first = std::mem::take(&mut self.first);
        let seconds = std::mem::take(&mut self.seconds);
        (first..)
            .zip(seconds)
            .filter(|(_, second)| !second.slots.is_empty())
            .map(|(second, OpenSecond { slots, .. })| SettledSecond { second, slots })
            .collect()
    }

    /// Hands over what each address and connection carried in the measured stage, by request.
    pub fn take_peers(&mut self) -> Vec<PeerMeasurement> {
        self.peers.take()
    }

    /// The first second that is not settled yet.
    pub fn watermark(&self) -> u64 {
        self.first
    }

    fn second(&mut self, second: u64) -> &mut OpenSecond {
        let at = usize::try_from(second.saturating_sub(self.first)).unwrap_or(usize::MAX - 1);
        while self.seconds.len() <= at {
            self.seconds.push_back(OpenSecond::default());
        }
        &mut self.seconds[at]
    }
}

impl OpenSecond {
    fn slot(&mut self, request: usize, stage: Stage) -> &mut SecondSlot {
        let key = request * Stage::ALL.len() + stage as usize;
        if self.places.len() <= key {
            self.places.resize(key + 1, None);
        }
        let at = *self.places[key].get_or_insert_with(|| {
            self.slots.push(SettledSlot { request, stage, slot: SecondSlot::default() });
            self.slots.len() - 1
        });
        &mut self.slots[at].slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Dimension;

    fn recorder() -> Recorder {
        Recorder::new(
            vec![vec![Ceiling {
                dimension: Dimension::Latency,
                limit: Duration::from_millis(300),
            }]],
            1,
        )
    }

    fn took(millis: u64) -> Exchange {
        let mut parts = ExchangeParts::default();
        for dimension in [Dimension::Latency, Dimension::Service, Dimension::FirstByte] {
            parts.set_duration(dimension, Duration::from_millis(millis));
        }
        Exchange { parts, ..Exchange::default() }
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_second_is_not_settled_before_its_slowest_exchange_is_done() {
        let mut recorder = recorder();
        recorder.begin(at(100));
        recorder.begin(at(900));
        recorder.begin(at(1_500));
        recorder.record(0, Stage::Measured, at(900), took(5));
        recorder.end(at(900));
        recorder.record(0, Stage::Measured, at(1_500), took(5));
        recorder.end(at(1_500));
        assert!(recorder.settle(at(3_000)).is_empty());

        recorder.record(0, Stage::Measured, at(100), took(2_500));
        recorder.end(at(100));
        let settled = recorder.settle(at(3_000));
        assert_eq!(settled.iter().map(|second| second.second).collect::<Vec<_>>(), [0, 1]);
        let tally = &settled[0].slots[0].slot.tally;
        assert_eq!((tally.exchanges, tally.ceilings[0].exceeded), (2, 1));
        assert_eq!(recorder.watermark(), 3);
    }

    #[test]
    fn each_request_and_stage_of_a_second_is_counted_separately() {
        use Stage::{Cold, Measured};
        let mut recorder = Recorder::new(vec![Vec::new(); 3], 1);
        for (request, stage) in [(2, Measured), (0, Measured), (2, Cold), (2, Measured)] {
            recorder.record(request, stage, at(0), took(5));
        }
        let second = recorder.finish().remove(0);
        let counted = second.slots.iter();
        let counted = counted.map(|slot| (slot.request, slot.stage, slot.slot.tally.exchanges));
        assert!(counted.eq([(2, Measured, 2), (0, Measured, 1), (2, Cold, 1)]));
    }

    #[test]
    fn the_measured_stage_is_counted_in_slots_by_due_time() {
        let mut recorder = recorder().with_slots(Some(at(20)));
        for (due, took_ms) in [(0, 5), (19, 400), (990, 5)] {
            recorder.record(0, Stage::Measured, at(due), took(took_ms));
        }
        recorder.record(0, Stage::Warmup, at(0), took(5));
        let second = recorder.finish().remove(0);
        let slots = |at: usize| {
            let slots = second.slots[at].slot.tally.slots.slots();
            slots.map(|(slot, counts)| (slot, counts[1].judged, counts[1].exceeded)).collect()
        };
        let (measured, warmup): (Vec<_>, Vec<_>) = (slots(0), slots(1));
        assert_eq!(measured, [(0, 1, 0), (1, 1, 1), (50, 1, 0)]);
        assert!(warmup.is_empty());
    }

    #[test]
    fn a_ceiling_on_fresh_connections_is_counted_by_connection_too() {
        let ceiling = Ceiling { dimension: Dimension::Fresh, limit: Duration::from_millis(300) };
        let mut recorder = Recorder::new(vec![vec![ceiling]], 1);
        let address = Some(std::net::SocketAddr::from(([192, 0, 2, 1], 80)));
        let connection = UsedConnection::One(ConnectionId { number: 0, address });
        let slow = Exchange { fresh: true, connection, ..took(400) };
        recorder.record(0, Stage::Measured, at(0), slow);
        let peers = recorder.take_peers().remove(0);
        let count = peers.addresses["192.0.2.1:80"].ceilings[0];
        assert_eq!((count.judged, count.exceeded), (1, 1));
    }

    #[test]
    fn a_second_that_may_still_get_arrivals_is_not_settled() {
        let mut recorder = recorder();
        recorder.begin(at(100));
        recorder.record(0, Stage::Measured, at(100), took(5));
        recorder.end(at(100));
        assert!(recorder.settle(at(999)).is_empty());
        assert_eq!(recorder.settle(at(1_000)).len(), 1);
    }

    #[test]
    fn a_long_pause_takes_no_memory_and_makes_no_intervals() {
        let mut recorder = recorder();
        assert!(recorder.settle(Duration::from_hours(24)).is_empty());
        recorder.begin(Duration::from_hours(24));
        recorder.record(0, Stage::Measured, Duration::from_hours(24), took(1));
        recorder.end(Duration::from_hours(24));
        assert_eq!(recorder.seconds.len(), 1);
        assert_eq!(recorder.finish()[0].second, 24 * 3600);
    }
}
