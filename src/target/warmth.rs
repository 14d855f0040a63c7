//! Cold starts and warming: what an idle machine costs the first requests that wake it.

use std::time::Duration;

/// When the machine goes cold, and how long its boot delays the requests that find it cold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColdStart {
    /// Without a request for this long, the next one finds the machine cold.
    pub(super) after_idle: Duration,
    /// From the request that wakes it to the first possible answer.
    pub(super) boot: Duration,
}

/// The curve of a warming machine: latency starts at `factor` times its usual value and reaches
/// that value after `requests` pages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WarmingCurve {
    /// Pages after a cold start until latency is usual again.
    pub(super) requests: u64,
    /// Latency of the first page as a multiple of the usual; at least 1.
    pub(super) factor: f64,
}

impl WarmingCurve {
    /// Latency factor of a page after `served` other pages since the cold start.
    ///
    /// A straight line from `factor` at 0 to 1 at `requests`, and 1 from there on.
    pub(super) fn factor_after(&self, served: u64) -> f64 {
        if served >= self.requests {
            return 1.0;
        }
        let progress = served as f64 / self.requests as f64;
        1.0 + (self.factor - 1.0) * (1.0 - progress)
    }
}

/// How warm the machine is. It starts cold.
#[derive(Debug)]
pub(super) struct MachineWarmth {
    cold_start: Option<ColdStart>,
    warming: Option<WarmingCurve>,
    /// The machine does not boot again before this moment: the last request's arrival, or the end
    /// of the boot that it waits for.
    busy_until: Option<Duration>,
    booted: Duration,
    served: u64,
}

impl MachineWarmth {
    pub(super) fn new(cold_start: Option<ColdStart>, warming: Option<WarmingCurve>) -> Self {
        Self { cold_start, warming, busy_until: None, booted: Duration::ZERO, served: 0 }
    }

    /// Records a request that arrived at `now`, counted from the server's start, and returns how
    /// long the boot still delays it: zero unless the machine was cold or is booting.
    pub(super) fn wake(&mut self, now: Duration) -> Duration {
        let Some(ColdStart { after_idle, boot }) = self.cold_start else { return Duration::ZERO };
        if self.busy_until.is_none_or(|busy_until| now >= busy_until + after_idle) {
            self.booted = now + boot;
            self.served = 0;
        }
        self.busy_until = Some(now.max(self.booted));
        self.booted.saturating_sub(now)
    }

    /// Latency factor of the next page; counts that page.
    pub(super) fn next_factor(&mut self) -> f64 {
        let factor = self.warming.map_or(1.0, |warming| warming.factor_after(self.served));
        self.served += 1;
        factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLD_START: ColdStart =
        ColdStart { after_idle: Duration::from_secs(10), boot: Duration::from_secs(17) };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_machine_without_cold_starts_is_always_up() {
        let mut warmth = MachineWarmth::new(None, None);
        assert_eq!(warmth.wake(seconds(0)), seconds(0));
        assert_eq!(warmth.wake(seconds(1_000)), seconds(0));
    }

    #[test]
    fn every_request_during_the_boot_waits_for_its_end() {
        let mut warmth = MachineWarmth::new(Some(COLD_START), None);
        assert_eq!(warmth.wake(seconds(3)), seconds(17));
        assert_eq!(warmth.wake(seconds(5)), seconds(15));
        assert_eq!(
            warmth.wake(seconds(19)),
            seconds(1),
            "a boot longer than the idle time is not begun again"
        );
        assert_eq!(warmth.wake(seconds(21)), seconds(0));
    }

    #[test]
    fn an_idle_machine_boots_again_and_a_busy_one_does_not() {
        let mut warmth = MachineWarmth::new(Some(COLD_START), None);
        warmth.wake(seconds(0));
        assert_eq!(
            warmth.wake(seconds(26)),
            seconds(0),
            "idle is counted from the end of the boot"
        );
        assert_eq!(warmth.wake(seconds(35)), seconds(0));
        assert_eq!(warmth.wake(seconds(45)), seconds(17));
    }

    #[test]
    fn warming_falls_in_a_straight_line_and_ends_at_the_usual_latency() {
        let warming = WarmingCurve { requests: 200, factor: 3.0 };
        for (served, factor) in [(0, 3.0), (50, 2.5), (100, 2.0), (200, 1.0), (u64::MAX, 1.0)] {
            assert!((warming.factor_after(served) - factor).abs() < 1e-12, "after {served}");
        }
    }

    #[test]
    fn a_cold_start_begins_the_warming_anew() {
        let mut warmth =
            MachineWarmth::new(Some(COLD_START), Some(WarmingCurve { requests: 2, factor: 3.0 }));
        let mut factors = Vec::new();
        for arrival in [0, 1, 2, 40] {
            warmth.wake(seconds(arrival));
            factors.push(warmth.next_factor());
        }
        assert_eq!(format!("{factors:?}"), "[3.0, 2.0, 1.0, 3.0]");
    }
}
