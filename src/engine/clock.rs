//! The one place where time is read, and the timers that release arrivals.

use std::rc::Rc;
use std::time::Duration;

use time::OffsetDateTime;
pub use tokio::time::Instant;

use super::spin::Spin;

/// The present, on the monotonic clock; follows tokio's paused time in tests.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Instant {
    let now = Instant::now();
    #[cfg(test)]
    let now = now + super::restless::ahead();
    now
}

/// The present, on the calendar (UTC).
pub fn wall_clock() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A timer that wakes its task at an instant, never early.
///
/// On Linux it is a timer of the kernel with a resolution of nanoseconds, set short of the instant by as much as
/// [`Spin`] gives leave to; the rest is passed by looking at the clock and yielding, so that the thread's other tasks
/// go on. Elsewhere, and under tokio's paused time, it is tokio's timer with a resolution of a millisecond.
#[derive(Debug)]
pub(super) struct Alarm(Kind);

#[derive(Debug)]
enum Kind {
    #[cfg(target_os = "linux")]
    Kernel {
        timer: tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>,
        spin: Rc<Spin>,
    },
    Tokio,
}

impl Alarm {
    /// The most precise timer there is, which spins within the bound of `spin`; tokio's where the kernel gives none.
    pub(super) fn precise(spin: Rc<Spin>) -> Self {
        #[cfg(target_os = "linux")]
        if let Ok(timer) = kernel_timer() {
            return Self(Kind::Kernel { timer, spin });
        }
        drop(spin);
        Self::tokio()
    }

    /// Tokio's own timer, which follows paused time.
    pub(super) fn tokio() -> Self {
        Self(Kind::Tokio)
    }

    /// Waits until `due`; returns at once where that has passed, without giving other tasks a turn.
    pub(super) async fn until(&self, due: Instant) {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Kernel { timer, spin } => wait(timer, spin, due).await,
            Kind::Tokio => tokio::time::sleep_until(due).await,
        }
    }
}

/// Sleeps until shortly before `due`, and yields until it has come.
#[cfg(target_os = "linux")]
async fn wait(timer: &tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>, spin: &Spin, due: Instant) {
    let asked = now();
    if asked >= due {
        return;
    }
    let leave = spin.ask(asked);
    let sleep = (due - asked).saturating_sub(leave.margin());
    let mut awake = asked;
    if !sleep.is_zero() {
        if sleep_in_kernel(timer, sleep).await.is_err() {
            tokio::time::sleep_until(due).await;
        }
        awake = now();
        spin.learn(awake - (asked + sleep));
    }
    while now() < due {
        tokio::task::yield_now().await;
    }
    spin.spent(leave, due.saturating_duration_since(awake));
}

#[cfg(target_os = "linux")]
#[expect(
    deprecated,
    reason = "its successor is unsafe; an owned descriptor keeps what that would promise"
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
    timerfd_settime(fd.get_ref(), TimerfdTimerFlags::empty(), &once)?;
    loop {
        let mut ready = fd.readable().await?;
        let mut expirations = [0_u8; 8];
        match rustix::io::read(fd.get_ref(), &mut expirations) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Watches whether a dispatcher ever gets ahead of its schedule.
///
/// A dispatcher that never has to wait for a due time shares a thread that has more work than it can do. Whether a
/// connection was free then says nothing of the target, since the prober did not get round to looking.
#[derive(Debug)]
pub(super) struct Slack {
    since: Instant,
    spare: Duration,
    gone: bool,
}

impl Slack {
    /// How long slack is gathered before it is judged.
    const WINDOW: Duration = Duration::from_millis(10);
    /// The share of a window that must be spare, as a divisor.
    const ENOUGH: u32 = 20;

    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, spare: Duration::ZERO, gone: false }
    }

    /// Notes that the dispatcher turns to an arrival due at `due`; says whether its thread is saturated.
    pub(super) fn is_gone(&mut self, now: Instant, due: Instant) -> bool {
        self.spare += due.saturating_duration_since(now);
        let gathered = now.saturating_duration_since(self.since);
        if gathered >= Self::WINDOW {
            self.gone = self.spare < gathered / Self::ENOUGH;
            (self.since, self.spare) = (now, Duration::ZERO);
        }
        self.gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Pacing;

    #[tokio::test(start_paused = true)]
    async fn a_dispatcher_that_never_gets_ahead_is_out_of_slack() {
        let start = now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut slack = Slack::new(start);
        assert!((0..10).all(|tick| !slack.is_gone(at(tick), at(tick))));
        assert!(slack.is_gone(at(10), at(9)));
        assert!((11..20).all(|tick| slack.is_gone(at(tick), at(tick + 1))));
        assert!(!slack.is_gone(at(20), at(21)));
    }

    #[tokio::test]
    async fn a_precise_alarm_never_goes_off_early_with_or_without_spinning() {
        for pacing in [Pacing::Spin, Pacing::Sleep] {
            let alarm = Alarm::precise(Rc::new(Spin::new(pacing, now())));
            for micros in [0, 50, 300, 2_500, 10] {
                let due = now() + Duration::from_micros(micros);
                alarm.until(due).await;
                assert!(now() >= due);
            }
        }
    }

    #[tokio::test]
    async fn an_alarm_that_was_given_up_and_went_off_meanwhile_is_not_early_the_next_time() {
        let pacing = || Rc::new(Spin::new(Pacing::Spin, now()));
        let (alarm, other) = (Alarm::precise(pacing()), Alarm::precise(pacing()));
        let soon = now() + Duration::from_millis(5);
        tokio::select! {
            biased;
            () = alarm.until(soon) => {}
            () = std::future::ready(()) => {}
        }
        other.until(soon + Duration::from_millis(1)).await;
        let due = now() + Duration::from_millis(5);
        alarm.until(due).await;
        assert!(now() >= due);
    }
}
