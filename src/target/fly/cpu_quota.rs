//! The CPUs of one machine, and the quota of those that are shared.
//!
//! The figures are Fly's (<https://fly.io/docs/machines/cpu-performance/>): a shared vCPU may use
//! 5 ms in every 80 ms. What it leaves unused is saved, up to 500 s a vCPU, and spent above that
//! baseline. The quota is one for the whole machine. Jobs share the CPUs equally, and none uses
//! more than one. The model is a fluid: with a spent balance work is slower by a constant factor,
//! where a real machine stands still for the rest of every period.

use std::time::Duration;

/// Share of a shared vCPU that is its baseline: 5 ms in 80 ms.
const BASELINE: f64 = 1.0 / 16.0;

/// Most CPU time that a shared vCPU saves, in seconds.
const MOST_SAVED: f64 = 500.0;

/// CPU time that counts as none: below the nanosecond that moments are counted in.
const NOTHING: f64 = 1e-9;

/// A machine's CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CpuKind {
    pub(super) vcpus: u32,
    /// Whether they are shared ones, which have a quota.
    pub(super) shared: bool,
}

/// Work that uses CPU time, named by its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CpuJob {
    Boot,
    /// The request of this number.
    Request(u64),
}

/// CPU time of all vCPUs since the machine was made, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct CpuTimes {
    pub(super) used: f64,
    pub(super) idle: f64,
    /// Time in which work was held back because the balance was spent.
    pub(super) throttled: f64,
}

/// The CPUs of one machine with the work on them.
#[derive(Debug, Clone)]
pub(super) struct CpuQuota {
    kind: CpuKind,
    /// CPU time saved by the whole machine, in seconds.
    balance: f64,
    jobs: Vec<(CpuJob, f64)>,
    times: CpuTimes,
    now: Duration,
}

impl CpuQuota {
    /// Idle CPUs with `balance` saved by each.
    pub(super) fn new(kind: CpuKind, balance: Duration, now: Duration) -> Self {
        let balance = balance.as_secs_f64() * f64::from(kind.vcpus);
        Self { kind, balance, jobs: Vec::new(), times: CpuTimes::default(), now }
    }

    /// Saved CPU time of the whole machine in seconds; `None` without a quota.
    pub(super) fn balance(&self) -> Option<f64> {
        self.kind.shared.then_some(self.balance)
    }

    pub(super) fn times(&self) -> CpuTimes {
        self.times
    }

    /// Replaces the CPUs by others with a fresh balance, as a deploy does. Counters go on.
    pub(super) fn replace(&mut self, kind: CpuKind, balance: Duration) {
        self.kind = kind;
        self.balance = balance.as_secs_f64() * f64::from(kind.vcpus);
    }

    /// Adds a job of `work` CPU time.
    pub(super) fn add(&mut self, job: CpuJob, work: Duration) {
        self.jobs.push((job, work.as_secs_f64()));
    }

    /// Drops the jobs that `gone` names.
    pub(super) fn remove(&mut self, gone: impl Fn(CpuJob) -> bool) {
        self.jobs.retain(|(job, _)| !gone(*job));
    }

    /// Lets time pass in which the machine does not run: it neither uses nor saves CPU time.
    pub(super) fn skip(&mut self, to: Duration) {
        self.now = self.now.max(to);
    }

    /// The next moment at which a job ends or the balance is spent, if no job is added before.
    pub(super) fn next_change(&self) -> Option<Duration> {
        let speed = self.speed();
        let first_end = self.jobs.iter().map(|(_, left)| left / speed.of_job);
        let spent = (self.kind.shared && self.balance > 0.0 && speed.drain > 0.0)
            .then(|| self.balance / speed.drain);
        let wait = first_end.chain(spent).min_by(f64::total_cmp)?;
        Some(self.now + rounded_up(wait))
    }

    /// Lets the machine run until `to`, which must not be after [`Self::next_change`], and returns
    /// the jobs that ended.
    pub(super) fn advance(&mut self, to: Duration) -> Vec<CpuJob> {
        let passed = to.saturating_sub(self.now).as_secs_f64();
        let speed = self.speed();
        let used = speed.of_job * self.jobs.len() as f64 * passed;
        self.times.used += used;
        self.times.throttled += speed.held_back * passed;
        let held_back = speed.held_back * passed;
        self.times.idle += (f64::from(self.kind.vcpus) * passed - used - held_back).max(0.0);
        if self.kind.shared {
            let most = MOST_SAVED * f64::from(self.kind.vcpus);
            self.balance = (self.balance - speed.drain * passed).clamp(0.0, most.max(self.balance));
            if self.balance < NOTHING {
                self.balance = 0.0;
            }
        }
        for (_, left) in &mut self.jobs {
            *left -= speed.of_job * passed;
        }
        self.now = self.now.max(to);
        let done = |left: f64| left < NOTHING;
        let ended = self.jobs.iter().filter(|(_, left)| done(*left)).map(|(job, _)| *job).collect();
        self.jobs.retain(|(_, left)| !done(*left));
        ended
    }

    /// When `job` ends if nothing is added before; `None` if it is not there.
    pub(super) fn end_of(&self, job: CpuJob) -> Option<Duration> {
        let mut ahead = self.clone();
        while ahead.jobs.iter().any(|(found, _)| *found == job) {
            ahead.advance(ahead.next_change()?);
        }
        self.jobs.iter().any(|(found, _)| *found == job).then_some(ahead.now)
    }

    fn speed(&self) -> Speed {
        let vcpus = f64::from(self.kind.vcpus);
        let jobs = self.jobs.len() as f64;
        let busy = jobs.min(vcpus);
        let saved = if self.kind.shared { vcpus * BASELINE } else { vcpus };
        let spent = self.kind.shared && self.balance <= 0.0;
        let running = if spent { busy.min(saved) } else { busy };
        let of_job = if jobs > 0.0 { running / jobs } else { 1.0 };
        Speed { of_job, held_back: busy - running, drain: running - saved }
    }
}

/// How fast things go until the next change.
struct Speed {
    /// CPU seconds that each job gets in a second.
    of_job: f64,
    /// CPU seconds that the quota withholds in a second.
    held_back: f64,
    /// Seconds by which the balance falls in a second; negative while it grows.
    drain: f64,
}

/// At least one nanosecond, so that time always goes on.
fn rounded_up(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4) + Duration::from_nanos(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_secs(5);

    fn shared(vcpus: u32) -> CpuQuota {
        CpuQuota::new(CpuKind { vcpus, shared: true }, FRESH, Duration::ZERO)
    }

    fn boot(mut quota: CpuQuota, work: f64) -> f64 {
        quota.add(CpuJob::Boot, Duration::from_secs_f64(work));
        quota.end_of(CpuJob::Boot).unwrap().as_secs_f64()
    }

    fn run(quota: &mut CpuQuota, to: Duration) {
        while let Some(next) = quota.next_change().filter(|next| *next <= to) {
            quota.advance(next);
        }
        quota.advance(to);
    }

    #[test]
    fn a_boot_that_spends_the_balance_takes_16_times_its_rest() {
        for (vcpus, work, seconds) in
            [(1, 6.1, 17.6), (2, 6.1, 6.1), (1, 5.0, 5.0), (4, 30.0, 40.0)]
        {
            let took = boot(shared(vcpus), work);
            assert!((took - seconds).abs() < 0.01, "{work} s on {vcpus}: {took}");
        }
        let unlimited =
            CpuQuota::new(CpuKind { vcpus: 1, shared: false }, Duration::ZERO, Duration::ZERO);
        assert!((boot(unlimited, 600.0) - 600.0).abs() < 1e-6);
    }

    #[test]
    fn requests_above_the_baseline_spend_a_fresh_balance_at_the_moment_that_arithmetic_says() {
        let mut quota = shared(1);
        let mut spent = None;
        for request in 0..600 {
            run(&mut quota, Duration::from_millis(50 * request));
            quota.add(CpuJob::Request(request), Duration::from_millis(15));
            if quota.balance() == Some(0.0) && spent.is_none() {
                spent = Some(request as f64 / 20.0);
            }
        }
        // 20/s of 15 ms are 0.3 CPU; 5 s / (0.3 - 0.0625) = 21.05 s.
        let spent = spent.unwrap();
        assert!((20.5..21.6).contains(&spent), "{spent}");
        assert!(quota.times().throttled > 1.0);
    }

    #[test]
    fn jobs_share_the_cpus_and_none_uses_more_than_one() {
        let mut quota = shared(2);
        for request in 0..4 {
            quota.add(CpuJob::Request(request), Duration::from_millis(100));
        }
        let end = quota.end_of(CpuJob::Request(3)).unwrap();
        assert!((end.as_secs_f64() - 0.2).abs() < 1e-6, "{end:?}");
        assert_eq!(quota.end_of(CpuJob::Boot), None);
    }

    #[test]
    fn an_idle_machine_saves_up_to_500_s_a_vcpu_and_one_that_stands_saves_nothing() {
        let mut quota = shared(2);
        quota.skip(Duration::from_secs(1_000));
        assert_eq!(quota.balance(), Some(10.0));
        quota.advance(Duration::from_mins(18));
        assert_eq!(quota.balance(), Some(20.0));
        quota.advance(Duration::from_secs(100_000));
        assert_eq!(quota.balance(), Some(1_000.0));
        assert!(quota.times().used < 1e-9);
    }
}
