//! The proxy's limits against the concurrency of the planned load.

use super::{completed_as_it_is, machines_of};
use crate::record::session::{Advice, Attempt, MachineFacts, SessionRecord};
use crate::tune::words;

/// Requests in flight, and what they follow from.
struct Concurrency {
    /// Requests per second of the steady stage.
    rate: f64,
    /// Mean latency in seconds.
    latency: f64,
}

impl Concurrency {
    /// That of an attempt's steady stage.
    fn of(attempt: &Attempt) -> Option<Self> {
        let stage = attempt.steady.as_ref()?;
        let seconds = stage.lasted.as_secs_f64();
        let total: f64 =
            stage.latency.steps().map(|(value, count)| value.as_secs_f64() * count as f64).sum();
        let count = stage.latency.count();
        (seconds > 0.0 && count > 0)
            .then(|| Self { rate: stage.exchanges as f64 / seconds, latency: total / count as f64 })
    }

    /// The mean number of requests in flight (J. D. C. Little, "A proof for the queuing formula: L
    /// = λW", Operations Research 9, 1961).
    fn mean(&self) -> f64 {
        self.rate * self.latency
    }

    /// A number that is seldom exceeded: independent arrivals have about a Poisson number in
    /// flight, whose standard deviation is the root of its mean.
    fn peak(&self) -> f64 {
        self.mean() + 3.0 * self.mean().sqrt()
    }
}

/// Higher limits or more machines, if the planned load exceeds what the running ones may take.
pub(super) fn limits(record: &SessionRecord) -> Option<Advice> {
    let busiest = completed_as_it_is(record)
        .filter_map(|attempt| Some((attempt, Concurrency::of(attempt)?)))
        .max_by(|(_, one), (_, other)| one.peak().total_cmp(&other.peak()))?;
    let (attempt, load) = busiest;
    let machines: Vec<&MachineFacts> = machines_of(attempt).collect();
    let sum = |limit: fn(&MachineFacts) -> Option<u32>| -> Option<u32> {
        machines.iter().map(|machine| limit(machine)).sum()
    };
    let soft = sum(|machine| machine.soft_limit).filter(|_| !machines.is_empty());
    let hard = sum(|machine| machine.hard_limit).filter(|_| !machines.is_empty());
    let peak = load.peak().ceil();
    let exceeds = |limit: Option<u32>| limit.filter(|limit| peak > f64::from(*limit));
    let (what, limit) = match (exceeds(hard), exceeds(soft)) {
        (Some(limit), _) => (
            format!(
                "Raise `hard_limit` to at least {peak:.0} in total, or run more machines: above it \
                 requests wait in the proxy."
            ),
            format!("the `hard_limit` of {} is {limit}", words::count(machines.len(), "machine")),
        ),
        (None, Some(limit)) => (
            format!(
                "Raise `soft_limit` to at least {peak:.0} in total, or run more machines: above it \
                 the proxy starts a cold machine during the load."
            ),
            format!("the `soft_limit` of {} is {limit}", words::count(machines.len(), "machine")),
        ),
        (None, None) => return None,
    };
    Some(Advice {
        what,
        because: format!(
            "{:.1}/s with a mean latency of {} keep {:.1} requests in flight, and {peak:.0} at peaks; \
             {limit}",
            load.rate,
            words::seconds(load.latency),
            load.mean(),
        ),
    })
}
