//! Bounds what a target can make a connection read that carries nothing.
//!
//! Frames without data, interim answers and empty TLS records cost the reader time and the sender
//! almost nothing. Without a bound one connection could keep a thread busy, and every exchange of
//! the thread would then look as if the prober had stood still.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{error, fmt, io};

use crate::engine::time::clock::{self, Instant};
use crate::record::{Dimension, Failure};
use crate::recorder::ExchangeFailure;
use crate::units::format_duration;

/// Measures what a connection reads that carries nothing, in bytes or what costs as much.
#[derive(Debug, Default)]
pub(in crate::engine) struct FloodMeter {
    /// What was read and not made up for by something useful.
    spent: Cell<u64>,
    /// How many frames or reads this was.
    count: Cell<u64>,
    /// Since when.
    since: Cell<Option<Instant>>,
    /// What was read since the connection's task last gave way to others.
    turn: Cell<u64>,
    flood: Cell<Option<Flood>>,
}

/// What flooded a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum FloodKind {
    /// HTTP/2 frames; the name of the last one.
    Frames(&'static str),
    /// Bytes before the final answer over HTTP/1.1.
    Interim,
    /// Framing of a body over HTTP/1.1.
    Framing,
    /// TLS records.
    Records,
}

/// A flood: what it consisted of, how much, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Flood {
    kind: FloodKind,
    count: u64,
    spent: u64,
    took: Duration,
}

impl FloodMeter {
    /// How much may come at once: more than the largest head that is read.
    const AT_ONCE: u64 = 512 << 10;
    /// How much more may come in each second.
    const PER_SECOND: u64 = 256 << 10;
    /// What each exchange may bring.
    const PER_EXCHANGE: u64 = 32 << 10;
    /// How much is read before the connection's task gives way to the thread's other tasks.
    const TURN: u64 = 16 << 10;
    /// How many bytes of data cost as much as one byte that carries nothing.
    const DATA_SHARE: u64 = 16;

    /// Counts something that carries nothing; fails once it is a flood.
    pub(super) fn charge(&self, cost: u64, kind: FloodKind) -> Result<(), Flood> {
        let spent = self.spent.get() + cost;
        self.spent.set(spent);
        self.count.set(self.count.get() + 1);
        // What every exchange may bring needs no clock.
        if spent <= Self::PER_EXCHANGE {
            return Ok(());
        }
        let since = self.since.get().unwrap_or_else(|| {
            let now = clock::now();
            self.since.set(Some(now));
            now
        });
        if spent <= Self::AT_ONCE {
            return Ok(());
        }
        let took = clock::now() - since;
        let refilled = u128::from(Self::PER_SECOND) * took.as_micros() / 1_000_000;
        if u128::from(spent) <= u128::from(Self::AT_ONCE) + refilled {
            return Ok(());
        }
        let flood = Flood { kind, count: self.count.get(), spent, took };
        self.flood.set(Some(flood));
        Err(flood)
    }

    /// Counts data, or bytes that were sent: a target may say something about these.
    pub(super) fn credit(&self, bytes: u64) {
        let spent = self.spent.get().saturating_sub(bytes);
        self.spent.set(spent);
        if spent == 0 {
            self.count.set(0);
            self.since.set(None);
        }
    }

    /// Notes that an exchange begins.
    pub(super) fn begin_exchange(&self) {
        self.credit(Self::PER_EXCHANGE);
    }

    /// Whether so much was charged that a large head should be credited.
    pub(super) fn is_strained(&self) -> bool {
        self.spent.get() > Self::PER_EXCHANGE
    }

    /// Forgets what was charged.
    pub(super) fn reset(&self) {
        self.credit(u64::MAX);
        self.end_turn();
    }

    /// Notes that something was read that carries nothing, for giving way.
    pub(super) fn note_work(&self, bytes: u64) {
        self.turn.set(self.turn.get() + bytes);
    }

    /// Notes that data was read, for giving way.
    pub(super) fn note_data(&self, bytes: u64) {
        self.note_work(bytes / Self::DATA_SHARE);
    }

    /// Ready if the connection may read on. Otherwise its task runs again after all others, and
    /// after timers and sockets were looked at.
    pub(super) fn poll_turn(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.turn.get() < Self::TURN {
            return Poll::Ready(());
        }
        self.end_turn();
        pin!(tokio::task::yield_now()).poll(cx)
    }

    /// Notes that the connection's task waits.
    pub(super) fn end_turn(&self) {
        self.turn.set(0);
    }

    /// The flood that ended the connection, if one did.
    pub(super) fn flood(&self) -> Option<Flood> {
        self.flood.get()
    }

    /// Notes a flood that was found below this layer.
    pub(super) fn note(&self, flood: Flood) {
        self.flood.set(Some(flood));
    }
}

impl Flood {
    /// The flood that an I/O error reports.
    pub(in crate::engine) fn of_io(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?;
        let direct = inner.downcast_ref::<Self>();
        direct.or_else(|| inner.source()?.downcast_ref::<Self>()).copied()
    }

    /// The failure of an exchange in a phase.
    pub(in crate::engine) fn failed(self, phase: Dimension) -> ExchangeFailure {
        ExchangeFailure::in_phase(Failure::Flood, phase, self.to_string())
    }
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = format_duration(self.took);
        match self.kind {
            FloodKind::Frames(name) => write!(
                f,
                "the target flooded the connection with {} HTTP/2 frames that carry no data, within {took}; the \
                 last one was {name}",
                self.count
            ),
            FloodKind::Interim => write!(
                f,
                "the target flooded the connection with input before its final answer that costs as much as {} KiB, \
                 such as interim answers, within {took}",
                self.spent >> 10
            ),
            FloodKind::Framing => write!(
                f,
                "the target flooded the connection with {} KiB within a body that are not part of it, within {took}",
                self.spent >> 10
            ),
            FloodKind::Records => write!(
                f,
                "the target flooded the connection with {} KiB of TLS records that carry no data, within {took}",
                self.spent >> 10
            ),
        }
    }
}

impl error::Error for Flood {}

impl From<Flood> for io::Error {
    fn from(flood: Flood) -> Self {
        Self::other(flood)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_data_is_no_flood() {
        let meter = FloodMeter::default();
        for _ in 0..100_000 {
            assert_eq!(meter.charge(64, FloodKind::Frames("PING")), Ok(()));
            meter.credit(64);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_slowly_is_no_flood() {
        let meter = FloodMeter::default();
        for _ in 0..10_000 {
            assert_eq!(meter.charge(256, FloodKind::Interim), Ok(()));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    }

    #[test]
    fn a_flood_is_named_with_its_last_frame_and_number() {
        let meter = FloodMeter::default();
        let flood = loop {
            if let Err(flood) = meter.charge(64, FloodKind::Frames("PING")) {
                break flood;
            }
        };
        assert!(flood.count > 8_000 && meter.flood() == Some(flood));
        let words = flood.to_string();
        assert!(words.contains("HTTP/2 frames") && words.ends_with("PING"), "{words}");
        assert_eq!(Flood::of_io(&flood.into()), Some(flood));
    }
}
