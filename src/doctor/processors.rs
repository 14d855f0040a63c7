//! How many processors there are, who else uses them, and what a hypervisor takes away.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::{MACHINE, percent};
use crate::engine::clock::{self, Instant};
use crate::engine::{self, probe};
use crate::plan::{LoadPlan, Plan, ScenarioPlan};
use crate::record::checkup::CheckFinding;
use crate::units::format_duration;

/// The share of the time stolen from which on it touches a p99, and from which on a p90.
const TOUCHES_P99: f64 = 0.01;
const TOUCHES_P90: f64 = 0.1;

/// What there must be left for the prober: a whole processor, or half of the only one.
const LEFT: f64 = 1.0;

/// The processors of this process, beside the most requests a second of a plan.
pub(super) fn cores(plan: &Plan) -> CheckFinding {
    let probers = f64::from(plan.shard_plan.map_or(1, |part| part.shard.of));
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

/// The most requests a second of a scenario; `None` where the target's speed decides.
fn peak(scenario: &ScenarioPlan) -> Option<f64> {
    let LoadPlan::Open { schedule, .. } = &scenario.load else { return None };
    let arrivals = schedule.peak().as_per_second().min(schedule.count() as f64);
    Some(arrivals * scenario.requests.len() as f64)
}

/// What the kernel counts of its processors' time since it was started, in ticks (`proc_stat(5)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    stolen: u64,
    all: u64,
    processors: u64,
}

impl Ticks {
    /// Reads what Linux says; `None` elsewhere.
    fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// Reads the line of all processors: user, nice, system, idle, iowait, irq, softirq and steal;
    /// guests are part of user and nice.
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

/// The processors, watched from some instant on.
pub(super) struct Watch {
    since: Instant,
    own: Duration,
    ticks: Ticks,
}

impl Watch {
    /// Begins to watch; `None` where the system does not tell.
    pub(super) fn start() -> Option<Self> {
        Some(Self { since: clock::now(), own: own_time(), ticks: Ticks::read()? })
    }

    /// What was seen since.
    pub(super) fn stop(self) -> Option<Use> {
        let (now, own) = (Ticks::read()?, own_time().saturating_sub(self.own));
        let lasted = clock::now() - self.since;
        Use::between(self.ticks, now, own.as_secs_f64() / lasted.as_secs_f64(), lasted)
    }
}

/// The processor time that this process has used.
fn own_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// How the processors were used for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Use {
    lasted: Duration,
    processors: f64,
    /// How many of them others kept busy.
    others: f64,
    /// The share of the time that a hypervisor took away.
    stolen: f64,
    /// The same since the system was started.
    stolen_before: f64,
}

impl Use {
    /// `own` is how many processors this process kept busy meanwhile.
    fn between(before: Ticks, after: Ticks, own: f64, lasted: Duration) -> Option<Self> {
        let all = after.all.checked_sub(before.all).filter(|all| *all > 0)? as f64;
        let of = |part: fn(&Ticks) -> u64| part(&after).saturating_sub(part(&before)) as f64 / all;
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
        // What too little of it does shows in timers: by itself it fails nothing.
        if processors - others < LEFT.min(processors / 2.0) {
            found.warn("stop what else runs here, or probe from a machine of its own")
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
        let ticks = Ticks { busy: 70, stolen: 80, all: 600, processors: 2 };
        assert_eq!(Ticks::parse(text), Some(ticks));
        for text in
            ["", "intr 5\n", "cpu  1 2 3\n", "cpu  1 2 3 4 5 6 7 x\n", "cpu0 1 2 3 4 5 6 7 8\n"]
        {
            assert_eq!(Ticks::parse(text), None, "{text}");
        }
    }

    /// Two processors over 100 ticks, of which so many were busy and stolen; this process used half
    /// a processor.
    fn seen(busy: u64, stolen: u64) -> [CheckState; 2] {
        let before = Ticks { busy: 1_000, stolen: 0, all: 100_000, processors: 2 };
        let after = Ticks { busy: 1_000 + busy, stolen, all: 100_100, processors: 2 };
        let seen = Use::between(before, after, 0.5, Duration::from_millis(500)).unwrap();
        seen.findings().map(|finding| finding.state)
    }

    #[test]
    fn what_this_process_used_itself_is_not_held_against_others() {
        assert_eq!(seen(70, 0), [CheckState::Ok, CheckState::Ok]);
        assert_eq!(seen(80, 0), [CheckState::Warn, CheckState::Ok]);
        assert_eq!(seen(0, 0), [CheckState::Ok, CheckState::Ok]);
    }

    #[test]
    fn what_is_stolen_is_judged_by_the_quantiles_it_touches() {
        assert_eq!(
            [seen(0, 1), seen(0, 9), seen(0, 10)].map(|[_, steal]| steal),
            [CheckState::Warn, CheckState::Warn, CheckState::Fail]
        );
    }

    #[test]
    fn ticks_that_stand_still_tell_nothing() {
        let ticks = Ticks { busy: 1, stolen: 0, all: 9, processors: 1 };
        assert_eq!(Use::between(ticks, ticks, 0.0, Duration::from_millis(500)), None);
    }

    #[test]
    fn more_requests_than_are_easy_for_the_processors_are_doubted() {
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
