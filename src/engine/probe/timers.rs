//! How late this machine's timers go off, and whether it stands still.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;

use super::super::clock::{self, Alarm, Instant};
use super::super::hiccups::Hiccups;
use super::super::spin::Spin;
use super::super::worker::Worker;
use super::super::{EngineError, runtime};
use crate::plan::Pacing;
use crate::record::Histogram;

/// How an idle worker's timers fared.
#[derive(Debug, Clone)]
pub struct Timers {
    /// How late each release was: by how much a request would be sent late.
    pub lag: Histogram,
    /// How late a timer that is due every millisecond went off, without spinning: how long the worker stood still.
    pub hiccups: Histogram,
}

/// How far apart the releases are that are timed.
const PERIOD: Duration = Duration::from_millis(2);

/// Times the releases of a worker that has nothing else to do, for so long.
pub fn timers(pacing: Pacing, lasting: Duration) -> Result<Timers, EngineError> {
    let runtime = runtime()?;
    LocalSet::new().block_on(&runtime, async {
        let start = clock::now();
        let worker = Rc::new(Worker::new(pacing, start));
        worker.hiccups.measure_from(start);
        let unspun = Alarm::precise(Rc::new(Spin::new(Pacing::Sleep, start)));
        tokio::task::spawn_local(Hiccups::watch(Rc::downgrade(&worker), unspun, start));
        let lag = released(&Alarm::precise(Rc::clone(&worker.spin)), start, lasting).await;
        Ok(Timers { lag, hiccups: worker.take().hiccups })
    })
}

/// By how much each release of a regular schedule was late.
async fn released(alarm: &Alarm, start: Instant, lasting: Duration) -> Histogram {
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
    fn every_release_of_the_time_is_timed_with_and_without_spinning() {
        for pacing in [Pacing::Spin, Pacing::Sleep] {
            let Timers { lag, hiccups } = timers(pacing, Duration::from_millis(41)).unwrap();
            assert_eq!(lag.count(), 20);
            assert!(hiccups.count() > 0);
        }
    }
}
