//! Measures how late this machine's timers fire, and whether its threads stand still.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;

use crate::engine::error::EngineError;
use crate::engine::thread::ThreadState;
use crate::engine::thread::current_thread_runtime;
use crate::engine::time::clock::{self, Instant};
use crate::engine::time::hiccups::HiccupMeter;
use crate::engine::time::spin::SpinBudget;
use crate::engine::time::timer::PreciseTimer;
use crate::plan::PacingMode;
use crate::record::Histogram;

/// How late an idle thread's timers were.
#[derive(Debug, Clone)]
pub struct TimerLateness {
    /// How late each release was; a request would be sent late by as much.
    pub lag: Histogram,
    /// How late a timer that is due every millisecond fired, without spinning: how long the thread
    /// stood still.
    pub hiccups: Histogram,
}

/// Time between two releases.
const PERIOD: Duration = Duration::from_millis(2);

/// Measures the releases of an otherwise idle thread for a duration of `lasting`.
pub fn timers(pacing: PacingMode, lasting: Duration) -> Result<TimerLateness, EngineError> {
    let runtime = current_thread_runtime()?;
    LocalSet::new().block_on(&runtime, async {
        let start = clock::now();
        let thread = Rc::new(ThreadState::new(pacing, start));
        thread.hiccups.measure_from(start, HiccupMeter::CLOSE_WATCH);
        let unspun = PreciseTimer::precise(Rc::new(SpinBudget::new(PacingMode::Sleep, start)));
        thread.start_meter(unspun, start);
        let lag =
            release_lateness(&PreciseTimer::precise(Rc::clone(&thread.spin)), start, lasting).await;
        Ok(TimerLateness { lag, hiccups: thread.take().hiccups })
    })
}

/// How late each release of a regular schedule was.
async fn release_lateness(alarm: &PreciseTimer, start: Instant, lasting: Duration) -> Histogram {
    let mut lag = Histogram::default();
    let mut due = start + PERIOD;
    while due < start + lasting {
        alarm.until(due).await;
        lag.record(clock::now() - due);
        due += PERIOD;
    }
    lag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_is_timed_with_and_without_spinning() {
        for pacing in [PacingMode::Spin, PacingMode::Sleep] {
            let TimerLateness { lag, hiccups } = timers(pacing, Duration::from_millis(41)).unwrap();
            assert_eq!(lag.count(), 20);
            assert!(hiccups.count() > 0);
        }
    }
}
