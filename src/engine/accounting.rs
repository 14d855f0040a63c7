//! A lane's accounting: its recorder, and counts since the start of the run.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::connection::dial::{AddressCounts, AttemptCounts, NegotiatedProtocol};
use super::connection::http::ConnectionLoss;
use super::time::clock::Instant;
use crate::record::{
    Ceiling, ConnectionCounts, Failure, LookupMeasurement, PeerMeasurement, Stage,
};
use crate::recorder::{ConnectionId, Exchange, Recorder, SettledSecond};

/// Counts of one lane since the start of the run.
#[derive(Debug, Clone, Default)]
pub(super) struct LaneCounters {
    /// Arrivals released in the measured stage, including those that ended by an own failure.
    pub(super) released: u64,
    /// Arrivals that were due but that the prober did not release.
    pub(super) unreleased: u64,
    /// Released arrivals with a failure of the prober's own side, by the first such failure.
    pub(super) own_failures: BTreeMap<Failure, u64>,
    /// Arrivals in progress.
    pub(super) in_flight: u64,
    /// Arrivals released and waiting for a connection.
    pub(super) waiting: u64,
    /// Arrivals that the end of the run cut off before they were sent or answered.
    pub(super) abandoned: u64,
    /// Exchanges of the measured stage that ended.
    pub(super) done: u64,
    /// Exchanges that failed; `done` includes them.
    pub(super) failed: u64,
    /// Connections opened.
    pub(super) connections: ConnectionCounts,
    /// Protocols negotiated on any connection.
    pub(super) protocols: BTreeSet<NegotiatedProtocol>,
    /// Connections opened, by address.
    pub(super) reached: AddressCounts,
    /// Failed attempts to connect, by address.
    pub(super) unreached: AddressCounts,
    /// Attempts to connect to hosts with several addresses.
    pub(super) attempts: AttemptCounts,
    /// Outcomes of name look-ups.
    pub(super) lookups: LookupMeasurement,
}

/// What one lane records of its arrivals, exchanges and connections.
pub(super) struct LaneAccounting {
    /// Whether exchanges are kept on their own. Few runs need that.
    keeps_samples: bool,
    recorder: RefCell<Recorder>,
    counters: RefCell<LaneCounters>,
    /// Start of the current stage; the recorder counts due times from here.
    stage_start: Cell<Instant>,
    /// How many connections have an identity.
    identified: Cell<u64>,
}

impl LaneAccounting {
    /// Accounting that counts exceedances of these ceilings in slots of this width, on at most this
    /// many connections at a time, in a stage that starts at `start`. It keeps at most this many
    /// exchanges one by one.
    pub(super) fn new(
        ceilings: Vec<Vec<Ceiling>>,
        connections: u64,
        slot_width: Option<Duration>,
        most_samples: usize,
        start: Instant,
    ) -> Self {
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        let recorder =
            Recorder::new(ceilings, connections).with_slots(slot_width).with_samples(most_samples);
        Self {
            keeps_samples: most_samples > 0,
            recorder: RefCell::new(recorder),
            counters: RefCell::default(),
            stage_start: Cell::new(start),
            identified: Cell::new(0),
        }
    }

    /// Counts due times from the start of the measured stage.
    pub(super) fn start_measuring(&self, start: Instant) {
        self.stage_start.set(start);
    }

    /// Time from the start of the current stage; zero before it.
    pub(super) fn since_stage_start(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.stage_start.get())
    }

    /// Counts an arrival that the dispatcher releases.
    pub(super) fn release(&self) {
        self.counters.borrow_mut().released += 1;
    }

    /// Notes that an arrival starts.
    pub(super) fn begin(&self, due: Instant) {
        self.recorder.borrow_mut().begin(self.since_stage_start(due));
        self.counters.borrow_mut().in_flight += 1;
    }

    /// Notes that an arrival ended.
    pub(super) fn end(&self, due: Instant) {
        self.recorder.borrow_mut().end(self.since_stage_start(due));
        self.counters.borrow_mut().in_flight -= 1;
    }

    /// Notes that an arrival was given up because the run is ending.
    pub(super) fn abandon(&self, due: Instant) {
        self.end(due);
        self.counters.borrow_mut().abandoned += 1;
    }

    /// Counts an arrival of the measured stage that failed on the prober's own side. Call this at
    /// most once for each arrival.
    pub(super) fn count_own_failure(&self, failure: Failure) {
        *self.counters.borrow_mut().own_failures.entry(failure).or_default() += 1;
    }

    /// Keeps an exchange of the measured stage on its own, if the plan says so. It was due at `due`
    /// and ended at `done`.
    pub(super) fn keep_sample(
        &self,
        index: usize,
        stage: Stage,
        (due, done): (Instant, Instant),
        exchange: &Exchange,
    ) {
        if stage == Stage::Measured && self.keeps_samples {
            let latency = done.saturating_duration_since(due);
            let due = self.since_stage_start(due);
            self.recorder.borrow_mut().keep_sample(index, due, latency, exchange);
        }
    }

    /// Records one exchange that was due at `due`; `index` is its request's index in the record.
    pub(super) fn record(&self, index: usize, stage: Stage, due: Instant, exchange: Exchange) {
        let failure = exchange.failed.as_ref().map(|failed| failed.failure);
        if stage == Stage::Measured && !failure.is_some_and(Failure::is_own_fault) {
            let mut counters = self.counters.borrow_mut();
            counters.done += 1;
            counters.failed += u64::from(failure.is_some_and(Failure::counts_against_target));
        }
        self.record_detail(index, stage, due, exchange);
    }

    /// Records one hop or try that was due at `due`, in addition to the exchange it belongs to.
    pub(super) fn record_detail(&self, index: usize, stage: Stage, due: Instant, detail: Exchange) {
        self.recorder.borrow_mut().record(index, stage, self.since_stage_start(due), detail);
    }

    /// The identity of a connection that was just opened to an address.
    pub(super) fn identify(&self, address: Option<SocketAddr>) -> ConnectionId {
        let number = self.identified.replace(self.identified.get() + 1);
        ConnectionId { number, address }
    }

    /// Counts a connection that was opened; `lost` says why the one that it replaces took no more
    /// requests.
    pub(super) fn count_opened(
        &self,
        address: Option<SocketAddr>,
        protocol: Option<NegotiatedProtocol>,
        lost: Option<&ConnectionLoss>,
    ) {
        let mut counters = self.counters.borrow_mut();
        if let Some(address) = address {
            counters.reached.count(address, 1);
        }
        counters.connections.opened += 1;
        match lost {
            Some(ConnectionLoss::ClosedByTarget) => {
                counters.connections.reopened_after_idle_close += 1;
            }
            Some(ConnectionLoss::GivenUp) => counters.connections.replaced += 1,
            // The exchange that finds these opens no connection, but fails.
            Some(ConnectionLoss::Flooded(_) | ConnectionLoss::Defective(_)) | None => {}
        }
        counters.protocols.extend(protocol);
    }

    /// Counts a connection that could not be opened.
    pub(super) fn count_unopened(&self) {
        self.counters.borrow_mut().connections.failed += 1;
    }

    /// Notes the protocol of a connection once its first exchange has shown it.
    pub(super) fn note_protocol(&self, protocol: Option<NegotiatedProtocol>) {
        self.counters.borrow_mut().protocols.extend(protocol);
    }

    /// Changes the counters that only the lane itself can know.
    pub(super) fn counters_mut(&self) -> std::cell::RefMut<'_, LaneCounters> {
        self.counters.borrow_mut()
    }

    /// A copy of the counters.
    pub(super) fn counters(&self) -> LaneCounters {
        self.counters.borrow().clone()
    }

    /// The seconds before `up_to`, counted from the start of the stage, that can no longer change.
    pub(super) fn settle(&self, up_to: Duration) -> Vec<SettledSecond> {
        self.recorder.borrow_mut().settle(up_to)
    }

    /// The rest of the current stage.
    pub(super) fn finish_stage(&self) -> Vec<SettledSecond> {
        self.recorder.borrow_mut().finish()
    }

    /// Hands over what each address and connection carried, by request.
    pub(super) fn take_peers(&self) -> Vec<PeerMeasurement> {
        self.recorder.borrow_mut().take_peers()
    }

    /// The first second of the current stage that is not settled.
    pub(super) fn watermark(&self) -> u64 {
        self.recorder.borrow().watermark()
    }
}
