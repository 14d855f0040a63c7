//! The size of machines against the CPU quota of shared ones.

use std::time::Duration;

use super::completed_as_it_is;
use crate::record::cpu_quota::CpuQuota;
use crate::record::session::{Advice, Attempt, MachineFacts, SessionRecord};
use crate::tune::words::{self, listed};
use crate::units::format_duration;

/// The CPU use of one attempt.
struct CpuUse<'a> {
    attempt: &'a Attempt,
    machine: &'a MachineFacts,
    used: Duration,
}

impl<'a> CpuUse<'a> {
    /// That of a machine with shared CPUs, if its metrics report it.
    fn of(attempt: &'a Attempt) -> Option<Self> {
        let (id, reading) = attempt.own_cpu()?;
        let used = Duration::from_micros(reading.used_us?);
        let is_own = |facts: &&MachineFacts| facts.id == id && facts.shared_cpus;
        let machine = attempt.machines_before.iter().find(is_own)?;
        (!attempt.worked().is_zero() && machine.cpus > 0).then_some(Self { attempt, machine, used })
    }

    /// CPU seconds a second. Pauses count as time, so that the load needs at least this.
    fn share(&self) -> f64 {
        self.used.as_secs_f64() / self.attempt.worked().as_secs_f64()
    }

    /// Whether its CPU use says something about the load: a boot is paid once, from the balance.
    fn is_of_the_load(&self) -> bool {
        let lasted = self.attempt.steady.as_ref().map(|steady| steady.lasted).unwrap_or_default();
        self.attempt.is_throttled() || lasted * 2 >= self.attempt.worked()
    }

    /// CPU seconds a second that its machine's quota gives.
    fn quota(&self) -> f64 {
        CpuQuota::of_shared_cpus(self.machine.cpus).share()
    }

    /// How many shared CPUs have a quota of this size.
    fn cpus_needed(&self) -> f64 {
        (self.share() / CpuQuota::of_shared_cpus(1).share()).ceil()
    }
}

/// The most shared CPUs that a machine can have.
const MOST_SHARED_CPUS: f64 = 8.0;

/// A larger size, if the attempts used more CPU than the quota gives: the balance then only delays
/// the throttling.
pub(super) fn size_against_quota(record: &SessionRecord) -> Option<Advice> {
    let over: Vec<CpuUse<'_>> = completed_as_it_is(record)
        .filter_map(CpuUse::of)
        .filter(CpuUse::is_of_the_load)
        .filter(|one| one.share() > one.quota())
        .collect();
    let most = over.iter().max_by(|one, other| one.share().total_cmp(&other.share()))?;
    let needed = most.cpus_needed();
    let size = if needed > MOST_SHARED_CPUS {
        "`performance` CPUs, which have no quota".to_owned()
    } else {
        format!("at least {needed:.0} shared CPUs, or a `performance` CPU")
    };
    let numbers: Vec<u32> = over.iter().map(|one| one.attempt.number).collect();
    Some(Advice {
        what: format!("Give the machine {size}."),
        because: format!(
            "in attempt{} {} it used up to {} of CPU in {}, and the quota of its {} allows {}",
            if numbers.len() == 1 { "" } else { "s" },
            listed(&numbers),
            format_duration(most.used),
            format_duration(most.attempt.worked()),
            words::count(most.machine.cpus as usize, "shared CPU"),
            words::seconds(most.attempt.worked().as_secs_f64() * most.quota()),
        ),
    })
}
