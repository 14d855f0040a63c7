//! The oracle: what a client with this schedule and connection limit must have seen, according to
//! the target's own log.
//!
//! Requests are assigned to slots (connections × streams) in the order in which they are due, each
//! to the slot that is free first. An answer is ready after the delay that the target planned for
//! it. It leaves then, or at the end of the freeze that it falls into. The oracle's machine is
//! infinitely fast: the time that the network and both programs take is left out.
//!
//! The log lists delays in the order of arrival. Requests that were sent at the same instant, after
//! a freeze, may be logged in a different order. Their delays are draws from one distribution, so
//! the quantiles do not change.
//!
//! The start of the measured stage on the target's clock is estimated from the log. Nothing is sent
//! before it is due, so the smallest `arrival − due` is the start, plus some tens of microseconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::{PATH, Result};

/// Milliseconds.
pub(crate) type Millis = f64;

/// Latencies of at least this much are counted: a freeze delayed those requests for long.
pub(crate) const SLOW: Millis = 100.0;

/// The target's arrival log.
#[derive(Debug)]
pub(crate) struct TargetLog {
    stall: Millis,
    every: Millis,
    /// Arrival time since the target's start and planned delay, in the order of arrival.
    arrivals: Vec<(Millis, Millis)>,
}

/// Quantiles of latency, and the number of latencies of at least [`SLOW`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) p50: Millis,
    pub(crate) p95: Millis,
    pub(crate) p99: Millis,
    pub(crate) max: Millis,
    pub(crate) slow: usize,
}

/// What the client must have seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truth {
    pub(crate) figures: Figures,
    /// Arrivals that were due while the target was frozen.
    pub(crate) due_in_freezes: usize,
}

impl TargetLog {
    /// Reads a log without its first `warmup` requests.
    pub(crate) fn parse(text: &str, warmup: usize) -> Result<Self> {
        let (first, lines) = text.split_once('\n').ok_or("an arrival log without a line")?;
        let arrivals =
            lines.lines().filter(|line| line.split('\t').nth(2) == Some(PATH)).skip(warmup);
        Ok(Self {
            stall: setting(first, "stall_us=")?,
            every: setting(first, "every_us=")?,
            arrivals: arrivals.map(arrival).collect::<Result<_>>()?,
        })
    }

    /// Number of requests that arrived.
    pub(crate) fn count(&self) -> usize {
        self.arrivals.len()
    }

    /// Number of requests that arrived while the target was frozen.
    pub(crate) fn in_freezes(&self) -> usize {
        self.arrivals.iter().filter(|(at, _)| self.is_frozen(*at)).count()
    }

    /// What a client with `slots` slots must see if its arrivals are due at `due`.
    pub(crate) fn truth(&self, due: &[Millis], slots: usize) -> Result<Truth> {
        if due.len() != self.count() {
            return Err(
                format!("{} arrivals were due, and {} logged", due.len(), self.count()).into()
            );
        }
        let start =
            self.arrivals.iter().zip(due).map(|((at, _), due)| at - due).fold(f64::MAX, f64::min);
        let due: Vec<Millis> = due.iter().map(|due| start + due).collect();
        let latencies = self.simulate(&due, slots);
        let due_in_freezes = due.iter().filter(|due| self.is_frozen(**due)).count();
        Ok(Truth { figures: Figures::of(latencies), due_in_freezes })
    }

    fn simulate(&self, due: &[Millis], slots: usize) -> Vec<Millis> {
        let mut free: BinaryHeap<Reverse<Instant>> =
            (0..slots).map(|_| Reverse(Instant(0.0))).collect();
        let delays = self.arrivals.iter().map(|(_, delay)| delay);
        let latency = |(due, delay): (&Millis, &Millis)| {
            let Reverse(Instant(free_at)) = free.pop()?;
            let done = self.release(due.max(free_at) + delay);
            free.push(Reverse(Instant(done)));
            Some(done - due)
        };
        due.iter().zip(delays).filter_map(latency).collect()
    }

    fn is_frozen(&self, at: Millis) -> bool {
        at.rem_euclid(self.every) >= self.every - self.stall
    }

    fn release(&self, ready: Millis) -> Millis {
        if self.is_frozen(ready) { (ready / self.every).ceil() * self.every } else { ready }
    }
}

impl Figures {
    fn of(mut latencies: Vec<Millis>) -> Self {
        latencies.sort_by(f64::total_cmp);
        let slow = latencies.iter().filter(|latency| **latency >= SLOW).count();
        let at = |per_mille: usize| {
            let rank = (per_mille * latencies.len()).div_ceil(1000).max(1);
            latencies.get(rank - 1).copied().unwrap_or(f64::NAN)
        };
        Self { p50: at(500), p95: at(950), p99: at(990), max: at(1000), slow }
    }
}

/// A point in time on the target's clock, in ms; never NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Instant(Millis);

impl Eq for Instant {}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Instant {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

fn setting(first_line: &str, name: &str) -> Result<Millis> {
    let value = first_line.split_whitespace().find_map(|word| word.strip_prefix(name));
    millis(value.ok_or_else(|| format!("no {name} in `{first_line}`"))?)
}

fn arrival(line: &str) -> Result<(Millis, Millis)> {
    let mut fields = line.split('\t');
    let mut field = |nth| fields.nth(nth).ok_or_else(|| format!("`{line}` has too few fields"));
    Ok((millis(field(0)?)?, millis(field(2)?)?))
}

fn millis(micros: &str) -> Result<Millis> {
    Ok(micros.parse::<f64>()? / 1e3)
}
