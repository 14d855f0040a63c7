//! The CPU time of a request, as the attempts of a session show it.

use std::time::Duration;

use crate::record::session::{Attempt, MachineFacts, SessionRecord, StartKind};
use crate::units::MachineSize;

/// Fewer exchanges say too little: the machine's own background work would count as theirs.
const FEWEST_EXCHANGES: u64 = 20;

/// The CPU time of a request, from the metrics of a session's attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasuredCpu {
    /// The median over the attempts.
    pub per_request: Duration,
    /// How many attempts show it.
    pub attempts: u32,
    /// Whether the attempts also booted: their boots are left out as far as they are known, so that
    /// a request needs at least [`Self::per_request`].
    pub is_lower_bound: bool,
    /// The size of the machine in the last of them, if it is known.
    pub size: Option<MachineSize>,
}

/// The CPU time of a request of the app as it is: of the attempts at the first configuration.
/// `None` if no completed attempt has a reading.
pub fn cpu_per_request(record: &SessionRecord) -> Option<MeasuredCpu> {
    let attempts: Vec<&Attempt> =
        record.attempts_of(0).filter(|attempt| attempt.problem.is_none()).collect();
    let measured: Vec<(StartKind, Duration)> =
        attempts.iter().filter_map(|attempt| Some((attempt.start, of_attempt(attempt)?))).collect();
    // Attempts without a boot show it exactly.
    let ran = measured.iter().any(|(start, _)| *start == StartKind::Ran);
    let counted = measured.iter().filter(|(start, _)| !ran || *start == StartKind::Ran);
    let mut uses: Vec<Duration> = counted.map(|(_, used)| *used).collect();
    uses.sort_unstable();
    let per_request = *uses.get(uses.len() / 2)?;
    (!per_request.is_zero()).then(|| MeasuredCpu {
        per_request,
        attempts: u32::try_from(uses.len()).unwrap_or(u32::MAX),
        is_lower_bound: !ran,
        size: attempts.iter().rev().find_map(|attempt| size_of(attempt)),
    })
}

fn of_attempt(attempt: &Attempt) -> Option<Duration> {
    let (id, reading) = attempt.own_cpu()?;
    let facts = attempt.machines_before.iter().find(|facts| facts.id == id);
    let cpus = facts.map_or(1, |facts| facts.cpus);
    let exchanges = exchanges(attempt);
    if exchanges < FEWEST_EXCHANGES {
        return None;
    }
    let used = Duration::from_micros(reading.used_us?).saturating_sub(most_of_boot(attempt, cpus));
    Some(used / u32::try_from(exchanges).unwrap_or(u32::MAX))
}

/// The most CPU time that a boot can have used: all CPUs until the first answer.
fn most_of_boot(attempt: &Attempt, cpus: u32) -> Duration {
    match (attempt.start, attempt.first.first()) {
        (StartKind::Ran, _) | (_, None) => Duration::ZERO,
        (_, Some(first)) => first.latency.saturating_mul(cpus.max(1)),
    }
}

/// The exchanges that the attempt sent.
fn exchanges(attempt: &Attempt) -> u64 {
    let steady = attempt.steady.as_ref().map_or(0, |stage| stage.exchanges);
    attempt.first.len() as u64 + attempt.curve.len() as u64 + steady
}

fn size_of(attempt: &Attempt) -> Option<MachineSize> {
    let is_own = |facts: &&MachineFacts| attempt.machine.as_ref().is_none_or(|id| *id == facts.id);
    let facts = attempt.machines_before.iter().find(is_own)?;
    Some(if facts.shared_cpus {
        MachineSize::shared(facts.cpus)
    } else {
        MachineSize::performance(facts.cpus)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::record::session::QuotaReading;

    const SECOND: u64 = 1_000_000;

    /// An attempt that sent one first request and a curve of 99, with its CPU use.
    fn attempt(number: u32, start: &str, first_us: u64, used_us: u64) -> Value {
        let sample = |latency: u64| json!({ "request": "a", "due_us": 0, "latency_us": latency });
        json!({
            "number": number, "round": number, "configuration": 0,
            "started": "2026-11-29T04:00:00Z", "took_us": 60 * SECOND, "start": start,
            "machine": "m1",
            "machines_before": [{
                "id": "m1", "state": "stopped", "region": "ord", "size": "shared-cpu-2x",
                "cpus": 2, "shared_cpus": true, "memory_mb": 512
            }],
            "first": [sample(first_us)], "curve": vec![sample(20_000); 99], "curve_end": "steady",
            "quota": { "known": "known", "reading": {
                "m1": { "throttled_us": 0, "used_us": used_us },
                "other": { "throttled_us": 0, "used_us": 900 * SECOND },
            }}
        })
    }

    fn session(attempts: &[Value]) -> SessionRecord {
        serde_json::from_value(json!({
            "format": 1, "id": "0199d0c2-0000-7000-8000-000000000000", "name": "s",
            "provenance": {
                "started": "2026-11-29T04:00:00Z", "tollgate": "0", "command": [],
                "host": { "name": "h", "os": "linux", "arch": "x86_64", "cores": 1 }
            },
            "plan": {
                "scenario": "shop", "base_url": "https://shop.example", "cold": { "state": "none" },
                "rounds": 1, "seed": 0, "curve_rate": 2.0, "curve_limit_us": SECOND,
                "steady_load": "", "configurations": [{ "name": "as it is" }]
            },
            "attempts": attempts
        }))
        .unwrap()
    }

    #[test]
    fn attempts_without_a_boot_show_the_cpu_time_of_a_request() {
        let attempts =
            [attempt(1, "ran", 20_000, 1_500_000), attempt(2, "booted", 2 * SECOND, 9 * SECOND)];
        let measured = cpu_per_request(&session(&attempts)).unwrap();
        assert_eq!(measured.per_request, Duration::from_millis(15));
        assert_eq!((measured.attempts, measured.is_lower_bound), (1, false));
        assert_eq!(measured.size, Some(MachineSize::shared(2)));
    }

    #[test]
    fn a_boot_is_left_out_so_that_the_rest_is_a_lower_bound() {
        let booted = |used| cpu_per_request(&session(&[attempt(1, "booted", 2 * SECOND, used)]));
        let measured = booted(5_500_000).unwrap();
        assert_eq!(measured.per_request, Duration::from_millis(15));
        assert!(measured.is_lower_bound);
        assert_eq!(booted(3 * SECOND), None, "the boot may have used all of it");
    }

    #[test]
    fn without_metrics_or_with_few_exchanges_nothing_is_known() {
        let mut record = session(&[attempt(1, "ran", 20_000, 1_500_000)]);
        record.attempts[0].curve.truncate(10);
        assert_eq!(cpu_per_request(&record), None);
        let mut record = session(&[attempt(1, "ran", 20_000, 1_500_000)]);
        record.attempts[0].quota = QuotaReading::NotKnown("no token".to_owned());
        assert_eq!(cpu_per_request(&record), None);
        record.attempts[0].quota = QuotaReading::Known(BTreeMap::new());
        assert_eq!(cpu_per_request(&record), None);
    }
}
