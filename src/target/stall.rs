//! Stalls of the whole server, as a function of the time since its start.

use std::time::Duration;

use super::TargetError;
use crate::units::into_period;

/// Periodic windows in which no answer leaves the server: `[every·k − stall, every·k)` for k = 1,
/// 2, …
///
/// Counting from the server's start, `--stall 1s --every 10s` holds the answers that would leave in
/// [9 s, 10 s), [19 s, 20 s) and so on, and lets all of them go at 10 s, 20 s and so on. Requests
/// are still read during a stall. A held answer leaves some tens of microseconds after its window's
/// end, or up to 2 ms without the kernel's timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StallWindows {
    stall: Duration,
    every: Duration,
}

impl StallWindows {
    /// Windows of length `stall`, one in each `every`; an error unless 0 < `stall` < `every`.
    pub(super) fn new(stall: Duration, every: Duration) -> Result<Self, TargetError> {
        if Duration::ZERO < stall && stall < every {
            Ok(Self { stall, every })
        } else {
            Err(TargetError::Stall { stall, every })
        }
    }

    /// Length of a window.
    pub(super) fn stall(&self) -> Duration {
        self.stall
    }

    /// From the end of one window to the end of the next.
    pub(super) fn every(&self) -> Duration {
        self.every
    }

    /// The earliest moment, not before `ready`, at which an answer may leave. Both count from the
    /// server's start.
    pub(super) fn release(&self, ready: Duration) -> Duration {
        let left = self.every.saturating_sub(into_period(ready, self.every));
        if left <= self.stall { ready + left } else { ready }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released(millis: u64) -> u64 {
        let stalls = StallWindows::new(Duration::from_secs(1), Duration::from_secs(10)).unwrap();
        u64::try_from(stalls.release(Duration::from_millis(millis)).as_millis()).unwrap()
    }

    #[test]
    fn an_answer_ready_in_a_window_leaves_at_its_end() {
        for (ready, leaves) in
            [(9_000, 10_000), (9_999, 10_000), (19_000, 20_000), (29_500, 30_000)]
        {
            assert_eq!(released(ready), leaves, "ready at {ready} ms");
        }
    }

    #[test]
    fn an_answer_ready_outside_a_window_is_not_held() {
        for ready in [0, 1, 8_999, 10_000, 18_999, 20_000] {
            assert_eq!(released(ready), ready);
        }
    }

    #[test]
    fn a_stall_must_be_shorter_than_its_period() {
        let second = Duration::from_secs(1);
        assert!(StallWindows::new(second, second).is_err());
        assert!(StallWindows::new(Duration::ZERO, second).is_err());
        let message = StallWindows::new(2 * second, second).unwrap_err().to_string();
        assert!(message.contains("--stall 2s") && message.contains("--every 1s"), "{message}");
    }
}
