//! How many processors there are, how busy other programs keep them, and how much time a hypervisor
//! steals.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::{MACHINE, percent};
use crate::engine::clock::{self, Instant};
use crate::engine::{self, probe};
use crate::plan::{LoadPlan, Plan, ScenarioPlan};
use crate::record::checkup::CheckFinding;
use crate::units::format_duration;

/// Shares of stolen time above which it affects a p99 and a p90.
const TOUCHES_P99: f64 = 0.01;
const TOUCHES_P90: f64 = 0.1;

/// Processors that must remain for the prober; half of one is enough on a single processor.
const LEFT: f64 = 1.0;

/// Compares this process's processors with the highest request rate of the plan.
pub(super) fn cores(plan: &Plan) -> CheckFinding {
    let probers = f64::from(plan.shard_plan.map_or(1, |shard_plan| shard_plan.shard.of));
    let peak: f64 = plan.scenarios.iter().filter_map(peak).sum();
    judge_cores(engine::cores(), peak / probers)
}

fn judge_cores(cores: usize, peak: f64) -> CheckFinding {
    let with_ease = probe::ARRIVALS_PER_CORE * cores as f64;
    let noun = if cores == 1 { "processor" } else { "processors" };
    let what = format!("{cores} {noun} for this process");
    let found = |what| CheckFinding::ok(MACHINE, "processors", what);
    if peak > with_ease {
        let what = format!(
            "{what}; the plan sends up to {peak:.0} requests a second, and {with_ease:.0} are easy"
        );
        found(what).warn("send fewer, or share the run among machines with `--shard`")
    } else {
        found(what)
    }
}

/// Highest requests per second of a scenario; `None` if the target's speed decides.
fn peak(scenario: &ScenarioPlan) -> Option<f64> {
    let LoadPlan::Open { schedule, .. } = &scenario.load else { return None };
    let arrivals = schedule.peak().as_per_second().min(schedule.count() as f64);
    let requests = if scenario.draw.is_some() { 1 } else { scenario.requests.len() };
    Some(arrivals * requests as f64)
}

/// Processor time since boot as the kernel counts it, in ticks (`proc_stat(5)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CpuTicks {
    busy: u64,
    stolen: u64,
    all: u64,
    processors: u64,
}

impl CpuTicks {
    /// Reads `/proc/stat`; `None` on systems without it.
    fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// Parses the line for all processors: user, nice, system, idle, iowait, irq, softirq, steal.
    /// User and nice include guests.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| line.starts_with("cpu"));
        let ticks: Option<Vec<u64>> = lines
            .next()?
            .strip_prefix("cpu ")?
            .split_whitespace()
            .map(|ticks| ticks.parse().ok())
            .collect();
        let [user, nice, system, idle, waiting, hard, soft, stolen, ..] = ticks?[..] else {
            return None;
        };
        let busy = user + nice + system + hard + soft;
        let all = busy + idle + waiting + stolen;
        Some(Self { busy, stolen, all, processors: lines.count() as u64 })
    }
}

/// A watch over the processors since some instant.
pub(super) struct CpuWatch {
    since: Instant,
    own: Duration,
    ticks: CpuTicks,
}

impl CpuWatch {
    /// Starts watching; `None` if the system does not report ticks.
    pub(super) fn start() -> Option<Self> {
        Some(Self { since: clock::now(), own: own_time(), ticks: CpuTicks::read()? })
    }

    /// Usage since the start.
    pub(super) fn stop(self) -> Option<CpuUse> {
        let (now, own) = (CpuTicks::read()?, own_time().saturating_sub(self.own));
        let lasted = clock::now() - self.since;
        CpuUse::between(self.ticks, now, own.as_secs_f64() / lasted.as_secs_f64(), lasted)
    }
}

/// The processor time that this process has used.
fn own_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// How the processors were used during the watch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CpuUse {
    lasted: Duration,
    processors: f64,
    /// How many processors other programs kept busy.
    others: f64,
    /// The share of the time that a hypervisor stole.
    stolen: f64,
    /// The same share since the system was started.
    stolen_before: f64,
}

impl CpuUse {
    /// `own` is the number of processors that this process kept busy.
    fn between(before: CpuTicks, after: CpuTicks, own: f64, lasted: Duration) -> Option<Self> {
        let all = after.all.checked_sub(before.all).filter(|all| *all > 0)? as f64;
        let of =
            |part: fn(&CpuTicks) -> u64| part(&after).saturating_sub(part(&before)) as f64 / all;
        let processors = after.processors.max(1) as f64;
        Some(Self {
            lasted,
            processors,
            others: (of(|ticks| ticks.busy) * processors - own).max(0.0),
            stolen: of(|ticks| ticks.stolen),
            stolen_before: after.stolen as f64 / after.all as f64,
        })
    }

    pub(super) fn findings(&self) -> [CheckFinding; 2] {
        [self.load(), self.steal()]
    }

    fn load(&self) -> CheckFinding {
        let Self { lasted, processors, others, .. } = *self;
        let what = format!(
            "others kept {others:.1} of {processors:.0} busy for {}",
            format_duration(lasted)
        );
        let found = CheckFinding::ok(MACHINE, "other load", what);
        // Too little processor time shows as timer lag, which fails; the load alone only warns.
        if processors - others < LEFT.min(processors / 2.0) {
            found.warn("stop other programs here, or probe from a dedicated machine")
        } else {
            found
        }
    }

    fn steal(&self) -> CheckFinding {
        let Self { lasted, stolen, stolen_before, .. } = *self;
        let what = format!(
            "{} of {} taken by the hypervisor; {} since the system was started",
            percent(stolen),
            format_duration(lasted),
            percent(stolen_before)
        );
        let found = CheckFinding::ok(MACHINE, "CPU steal", what);
        let remedy =
            "take a machine whose processors are not shared: what is stolen looks like latency";
        if stolen >= TOUCHES_P90 {
            found.fail(remedy)
        } else if stolen >= TOUCHES_P99 {
            found.warn(remedy)
        } else {
            found
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::checkup::CheckState;

    #[test]
    fn ticks_are_read_from_the_line_of_all_processors() {
        let text = "cpu  10 20 30 400 50 6 4 80 7 8\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 5\n";
        let ticks = CpuTicks { busy: 70, stolen: 80, all: 600, processors: 2 };
        assert_eq!(CpuTicks::parse(text), Some(ticks));
        for text in
            ["", "intr 5\n", "cpu  1 2 3\n", "cpu  1 2 3 4 5 6 7 x\n", "cpu0 1 2 3 4 5 6 7 8\n"]
        {
            assert_eq!(CpuTicks::parse(text), None, "{text}");
        }
    }

    /// States after 100 ticks of two processors; this process used half a processor.
    fn states(busy: u64, stolen: u64) -> [CheckState; 2] {
        let before = CpuTicks { busy: 1_000, stolen: 0, all: 100_000, processors: 2 };
        let after = CpuTicks { busy: 1_000 + busy, stolen, all: 100_100, processors: 2 };
        let usage = CpuUse::between(before, after, 0.5, Duration::from_millis(500)).unwrap();
        usage.findings().map(|finding| finding.state)
    }

    #[test]
    fn own_processor_time_does_not_count_as_other_load() {
        assert_eq!(states(70, 0), [CheckState::Ok, CheckState::Ok]);
        assert_eq!(states(80, 0), [CheckState::Warn, CheckState::Ok]);
        assert_eq!(states(0, 0), [CheckState::Ok, CheckState::Ok]);
    }

    #[test]
    fn stolen_time_is_judged_by_the_quantiles_it_affects() {
        assert_eq!(
            [states(0, 1), states(0, 9), states(0, 10)].map(|[_, steal]| steal),
            [CheckState::Warn, CheckState::Warn, CheckState::Fail]
        );
    }

    #[test]
    fn unchanged_ticks_give_no_result() {
        let ticks = CpuTicks { busy: 1, stolen: 0, all: 9, processors: 1 };
        assert_eq!(CpuUse::between(ticks, ticks, 0.0, Duration::from_millis(500)), None);
    }

    #[test]
    fn a_rate_above_what_the_processors_easily_send_warns() {
        assert_eq!(judge_cores(2, 20_000.0).state, CheckState::Ok);
        let doubted = judge_cores(2, 20_001.0);
        assert_eq!(doubted.state, CheckState::Warn);
        assert!(
            doubted.what.contains("up to 20001 requests a second, and 20000 are easy"),
            "{}",
            doubted.what
        );
    }
}
