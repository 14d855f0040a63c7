//! Fly's CPU quota of machines with shared CPUs, in closed form.
//!
//! Each shared CPU may work 5 ms in every period of 80 ms. What it leaves unused is saved in a
//! balance, up to 500 s a CPU. A new machine starts with 5 s a CPU. While the balance lasts, the
//! CPUs work at full speed. A machine that has spent it stands still for the rest of every period.
//! Source: <https://fly.io/docs/machines/cpu-performance/>.

use std::time::Duration;

use crate::units::MachineSize;

/// The share of its time that a shared CPU may work: 5 ms in every 80 ms.
const SHARE_OF_CPU: f64 = 5.0 / 80.0;
/// The balance of a new machine, for each of its CPUs.
const STARTING_BALANCE: Duration = Duration::from_secs(5);
/// The largest balance, for each CPU.
const LARGEST_BALANCE: Duration = Duration::from_secs(500);

/// The CPU quota of one machine with shared CPUs, or of several machines that share a load evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuQuota {
    cpus: u32,
}

impl CpuQuota {
    /// The quota of one machine of a size; `None` if its CPUs are its own.
    pub fn of_size(size: MachineSize) -> Option<Self> {
        size.is_shared().then(|| Self::of_shared_cpus(size.cpus()))
    }

    /// The quota of this many shared CPUs; at least one.
    pub fn of_shared_cpus(cpus: u32) -> Self {
        Self { cpus: cpus.max(1) }
    }

    /// The quota of several such machines together.
    #[must_use]
    pub fn of_machines(self, machines: u32) -> Self {
        Self { cpus: self.cpus.saturating_mul(machines.max(1)) }
    }

    /// CPU seconds that it gives a second.
    pub fn share(self) -> f64 {
        f64::from(self.cpus) * SHARE_OF_CPU
    }

    /// The balance of new machines, in CPU time. A deploy resets the balance to it, a restart does
    /// not.
    pub fn starting_balance(self) -> Duration {
        STARTING_BALANCE.saturating_mul(self.cpus)
    }

    /// The largest balance, in CPU time: that of machines that were idle for about two hours.
    pub fn largest_balance(self) -> Duration {
        LARGEST_BALANCE.saturating_mul(self.cpus)
    }

    /// How long work of one thread takes, such as a boot that needs this much CPU time.
    ///
    /// At full speed the balance shrinks by what the quota does not give. After it is spent, the
    /// work goes on at the speed of the quota.
    pub fn time_of_work(self, work: Duration, balance: Duration) -> Duration {
        let share = self.share();
        if share >= 1.0 {
            return work;
        }
        let full_speed = balance.as_secs_f64() / (1.0 - share);
        let rest = work.as_secs_f64() - full_speed;
        if rest <= 0.0 {
            return work;
        }
        Duration::try_from_secs_f64(full_speed + rest / share).unwrap_or(Duration::MAX)
    }

    /// How long a constant load can be served from a balance; `None` for any length of time.
    ///
    /// `cpu_per_second` is the load's CPU seconds a second: its rate × the CPU time of a request. A
    /// load above what the CPUs can do uses all of them.
    pub fn time_until_spent(self, cpu_per_second: f64, balance: Duration) -> Option<Duration> {
        let loss = cpu_per_second.min(f64::from(self.cpus)) - self.share();
        let seconds = balance.as_secs_f64() / loss;
        (loss > 0.0).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
    }

    /// The rate, in requests a second, that the quota serves for any length of time.
    pub fn sustained_rate(self, cpu_per_request: Duration) -> f64 {
        self.share() / cpu_per_request.as_secs_f64()
    }

    /// When a load that changes over time has spent a balance; `None` if that does not happen.
    ///
    /// Each step is its length and the CPU time of the requests that arrive in it. What the CPUs
    /// cannot do in a step is done in later ones.
    pub fn time_spent_by(
        self,
        steps: impl IntoIterator<Item = (Duration, Duration)>,
        balance: Duration,
    ) -> Option<Duration> {
        let largest = self.largest_balance().as_secs_f64();
        let (mut left, mut backlog, mut at) = (balance.as_secs_f64().min(largest), 0.0, 0.0);
        for (length, work) in steps {
            let seconds = length.as_secs_f64();
            backlog += work.as_secs_f64();
            let used = f64::min(backlog, f64::from(self.cpus) * seconds);
            backlog -= used;
            let next = left + self.share() * seconds - used;
            if next <= 0.0 && used > 0.0 {
                // Within a step the balance shrinks evenly.
                let part = if left > next { left / (left - next) } else { 0.0 };
                return Duration::try_from_secs_f64(at + part * seconds).ok();
            }
            (left, at) = (next.min(largest), at + seconds);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(cpus: u32) -> CpuQuota {
        CpuQuota::of_shared_cpus(cpus)
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn tenths(time: Duration) -> f64 {
        (time.as_secs_f64() * 10.0).round() / 10.0
    }

    #[test]
    fn a_boot_runs_at_full_speed_until_the_balance_is_spent_and_then_at_the_quotas() {
        for (cpus, work, balance, expected) in [
            (1, 6.1, 5.0, 17.6),
            (2, 6.1, 10.0, 6.1),
            (1, 5.3, 5.0, 5.3),
            (1, 1.0, 0.0, 16.0),
            (2, 1.0, 0.0, 8.0),
            (1, 0.0, 5.0, 0.0),
            (1, 30.0, 500.0, 30.0),
            (16, 9.0, 0.0, 9.0),
        ] {
            let time = quota(cpus).time_of_work(seconds(work), seconds(balance));
            assert!((tenths(time) - expected).abs() < 1e-9, "{cpus}, {work}, {balance}: {time:?}");
        }
    }

    #[test]
    fn a_load_spends_the_balance_unless_the_quota_sustains_it() {
        for (cpus, rate, millis, balance, expected) in [
            (1, 20.0, 15.0, 5.0, Some(21.1)),
            (2, 20.0, 15.0, 10.0, Some(57.1)),
            (1, 4.0, 15.0, 5.0, None),
            (1, 4.2, 15.0, 5.0, Some(10_000.0)),
            (8, 20.0, 15.0, 40.0, None),
            (1, 20.0, 15.0, 500.0, Some(2105.3)),
            (1, 20.0, 15.0, 0.0, Some(0.0)),
            // One CPU works one CPU second a second, however much is asked of it.
            (1, 1000.0, 15.0, 5.0, Some(5.3)),
        ] {
            let use_of_cpu = rate * millis / 1e3;
            let spent = quota(cpus).time_until_spent(use_of_cpu, seconds(balance)).map(tenths);
            assert_eq!(spent, expected, "{cpus}, {rate}, {millis}, {balance}");
        }
        assert!((quota(1).sustained_rate(Duration::from_millis(15)) - 4.1667).abs() < 1e-3);
        let four = quota(2).of_machines(2).sustained_rate(Duration::from_millis(15));
        assert!((four - 16.667).abs() < 1e-3, "{four}");
    }

    #[test]
    fn a_load_that_changes_spends_what_it_uses_and_saves_what_it_leaves() {
        let steps = |loads: &[(u64, f64)]| -> Vec<(Duration, Duration)> {
            let of = |&(length, cpu): &(u64, f64)| {
                vec![(Duration::from_secs(1), seconds(cpu)); usize::try_from(length).unwrap()]
            };
            loads.iter().flat_map(of).collect()
        };
        for (loads, balance, expected) in [
            (vec![(60, 0.3)], 5.0, Some(21.1)),
            (vec![(60, 0.06)], 5.0, None),
            (vec![(20, 0.3), (40, 0.0)], 5.0, None),
            (vec![(20, 0.3), (40, 0.0), (60, 0.3)], 5.0, Some(71.6)),
            (vec![(40, 0.0), (60, 0.3)], 500.0, None),
            // The work that one CPU cannot do in its second is done later.
            (vec![(1, 9.0), (20, 0.0)], 5.0, Some(5.3)),
        ] {
            let spent = quota(1).time_spent_by(steps(&loads), seconds(balance)).map(tenths);
            assert_eq!(spent, expected, "{loads:?}, {balance}");
        }
    }

    #[test]
    fn only_shared_cpus_have_a_quota() {
        assert_eq!(CpuQuota::of_size(MachineSize::shared(2)), Some(quota(2)));
        assert_eq!(CpuQuota::of_size(MachineSize::performance(2)), None);
    }
}
