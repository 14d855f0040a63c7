//! The proxy's limits against the concurrency of the planned load.
//!
//! A limit counts either requests in flight or open connections, as the service's concurrency type
//! says. The load is counted in the same unit: a connection that is kept open between requests
//! counts for the one and not for the other.

use super::{completed_as_it_is, machines_of};
use crate::record::session::{Advice, Attempt, MachineFacts, SessionRecord, SteadyStage};
use crate::tune::words;

/// What a steady stage needs of the limits.
struct Demand {
    /// How many it needs at the same time, seldom exceeded.
    peak: f64,
    /// What is counted: `requests` or `connections`.
    unit: &'static str,
    /// The figures that it follows from.
    because: String,
}

impl Demand {
    /// That of an attempt; `None` if its machines count different things, or if nothing is known of
    /// what they count.
    fn of(attempt: &Attempt) -> Option<Self> {
        let stage = attempt.steady.as_ref()?;
        let mut counted = machines_of(attempt).map(|machine| machine.concurrency_type.as_str());
        let first = counted.next()?;
        match first {
            _ if counted.any(|other| other != first) => None,
            "requests" => Self::in_requests(stage),
            "connections" => Self::in_connections(stage),
            _ => None,
        }
    }

    /// The mean number of requests in flight (J. D. C. Little, "A proof for the queuing formula: L
    /// = λW", Operations Research 9, 1961), and a number that is seldom exceeded: independent
    /// arrivals have about a Poisson number in flight, whose standard deviation is the root of its
    /// mean.
    fn in_requests(stage: &SteadyStage) -> Option<Self> {
        let seconds = stage.lasted.as_secs_f64();
        let count = stage.latency.count();
        if seconds <= 0.0 || count == 0 {
            return None;
        }
        let total: f64 =
            stage.latency.steps().map(|(value, count)| value.as_secs_f64() * count as f64).sum();
        let (rate, latency) = (stage.exchanges as f64 / seconds, total / count as f64);
        let mean = rate * latency;
        let peak = (mean + 3.0 * mean.sqrt()).ceil();
        let latency = words::seconds(latency);
        let because = format!(
            "{rate:.1}/s with a mean latency of {latency} keep {mean:.1} requests in flight, and \
             {peak:.0} at peaks"
        );
        Some(Self { peak, unit: "requests", because })
    }

    fn in_connections(stage: &SteadyStage) -> Option<Self> {
        let kept = stage.connections?;
        let because = format!("the load keeps {} open", words::counted(kept as f64, "connection"));
        Some(Self { peak: kept as f64, unit: "connections", because })
    }

    /// A limit of some machines together, if the demand exceeds it and each of them has one.
    fn exceeded(
        &self,
        machines: &[&MachineFacts],
        limit: fn(&MachineFacts) -> Option<u32>,
    ) -> Option<u32> {
        let sum: Option<u32> = machines.iter().map(|machine| limit(machine)).sum();
        sum.filter(|sum| self.peak > f64::from(*sum))
    }
}

/// Higher limits or more machines, if the planned load exceeds what the running ones may take.
pub(super) fn limits(record: &SessionRecord) -> Option<Advice> {
    let (attempt, load) = completed_as_it_is(record)
        .filter_map(|attempt| Some((attempt, Demand::of(attempt)?)))
        .max_by(|(_, one), (_, other)| one.peak.total_cmp(&other.peak))?;
    let machines: Vec<&MachineFacts> = machines_of(attempt).collect();
    let hard = load.exceeded(&machines, |machine| machine.hard_limit);
    let soft = load.exceeded(&machines, |machine| machine.soft_limit);
    let (name, limit, effect) = match (hard, soft) {
        (Some(limit), _) => ("hard_limit", limit, "wait in the proxy"),
        (None, Some(limit)) => ("soft_limit", limit, "start a cold machine during the load"),
        (None, None) => return None,
    };
    let Demand { peak, unit, because } = load;
    Some(Advice {
        what: format!(
            "Raise `{name}` to at least {peak:.0} {unit} in total, or run more machines: {unit} above \
             it {effect}."
        ),
        because: format!(
            "{because}; the `{name}` of {} is {limit} {unit}",
            words::count(machines.len(), "machine")
        ),
    })
}
