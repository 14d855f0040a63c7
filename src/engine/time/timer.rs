//! Timers that release arrivals.

use std::rc::Rc;
use std::time::Duration;

use super::clock::{Instant, now};
use super::spin::SpinBudget;

/// A timer that wakes its task at an instant, never early.
///
/// On Linux it is a kernel timer with nanosecond resolution. It fires before the instant by the
/// margin that [`SpinBudget`] allows. For the rest the task polls the clock and yields, so that
/// the thread's other tasks continue. Elsewhere, and under tokio's paused time, it is tokio's timer
/// with a resolution of one millisecond.
#[derive(Debug)]
pub(in crate::engine) struct PreciseTimer(TimerKind);

#[derive(Debug)]
enum TimerKind {
    #[cfg(target_os = "linux")]
    Kernel {
        timer: tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>,
        spin: Rc<SpinBudget>,
    },
    Tokio,
}

impl PreciseTimer {
    /// The most precise timer available, which spins within the budget of `spin`.
    ///
    /// Falls back to tokio's timer if the kernel provides none.
    pub(in crate::engine) fn precise(spin: Rc<SpinBudget>) -> Self {
        #[cfg(target_os = "linux")]
        if let Ok(timer) = kernel_timer() {
            return Self(TimerKind::Kernel { timer, spin });
        }
        drop(spin);
        Self::tokio()
    }

    /// Tokio's timer, which follows paused time.
    pub(in crate::engine) fn tokio() -> Self {
        Self(TimerKind::Tokio)
    }

    /// Waits until `due`; returns at once, without yielding, if that has passed.
    ///
    /// Returns when the runtime last polled the kernel for events, at the earliest; `None` if that
    /// is not known.
    pub(in crate::engine) async fn until(&self, due: Instant) -> Option<Instant> {
        match &self.0 {
            #[cfg(target_os = "linux")]
            TimerKind::Kernel { timer, spin } => wait(timer, spin, due).await,
            TimerKind::Tokio => {
                tokio::time::sleep_until(due).await;
                None
            }
        }
    }
}

/// Sleeps until shortly before `due`, then yields until it is reached.
#[cfg(target_os = "linux")]
async fn wait(
    timer: &tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>,
    spin: &SpinBudget,
    due: Instant,
) -> Option<Instant> {
    let called = now();
    if called >= due {
        return None;
    }
    let allowance = spin.allow(called, due - called);
    let sleep = (due - called).saturating_sub(allowance.margin());
    let (mut awake, mut polled) = (called, None);
    if !sleep.is_zero() {
        if sleep_in_kernel(timer, sleep).await.is_err() {
            tokio::time::sleep_until(due).await;
        }
        awake = now();
        if spin.may_end(due - called) {
            spin.learn(awake - (called + sleep));
        }
        polled = Some(called + sleep);
    }
    let mut before = now();
    while before < due {
        // tokio's current-thread scheduler polls its driver before it wakes a task that yielded.
        // Its documentation does not promise that; a test of ours checks it.
        tokio::task::yield_now().await;
        polled = Some(before);
        before = now();
    }
    spin.settle(allowance, due.saturating_duration_since(awake));
    polled
}

#[cfg(target_os = "linux")]
#[expect(
    deprecated,
    reason = "its successor is unsafe; an owned descriptor upholds the same contract"
)]
fn kernel_timer() -> std::io::Result<tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>> {
    use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
    let fd =
        timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    tokio::io::unix::AsyncFd::with_interest(fd, tokio::io::Interest::READABLE)
}

#[cfg(target_os = "linux")]
async fn sleep_in_kernel(
    fd: &tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>,
    sleep: Duration,
) -> std::io::Result<()> {
    use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
    let value = Timespec::try_from(sleep).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    let until = now() + sleep;
    timerfd_settime(fd.get_ref(), TimerfdTimerFlags::empty(), &once)?;
    loop {
        fd.readable().await?.clear_ready();
        // The timer is set anew before it is read, which forgets that it has fired. An event of an
        // earlier setting comes too early.
        if now() >= until {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PacingMode;

    #[tokio::test]
    async fn a_precise_timer_never_fires_early_with_or_without_spinning() {
        for pacing in [PacingMode::Spin, PacingMode::Sleep] {
            let timer = PreciseTimer::precise(Rc::new(SpinBudget::new(pacing, now())));
            for micros in [0, 50, 300, 2_500, 10] {
                let due = now() + Duration::from_micros(micros);
                timer.until(due).await;
                assert!(now() >= due);
            }
        }
    }

    #[tokio::test]
    async fn a_cancelled_timer_that_fired_is_not_early_the_next_time() {
        let pacing = || Rc::new(SpinBudget::new(PacingMode::Spin, now()));
        let (timer, other) = (PreciseTimer::precise(pacing()), PreciseTimer::precise(pacing()));
        let soon = now() + Duration::from_millis(5);
        tokio::select! {
            biased;
            _polled = timer.until(soon) => {}
            () = std::future::ready(()) => {}
        }
        other.until(soon + Duration::from_millis(1)).await;
        let due = now() + Duration::from_millis(5);
        timer.until(due).await;
        assert!(now() >= due);
    }
}
