//! The one place where time is read, and the timers that release arrivals.

use std::time::Duration;

use time::OffsetDateTime;
pub use tokio::time::Instant;

/// The present, on the monotonic clock; follows tokio's paused time in tests.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// The present, on the calendar (UTC).
pub fn wall_clock() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A timer that wakes its task at an instant, never early.
///
/// On Linux it is a timer of the kernel with a resolution of nanoseconds, set [`Alarm::SPIN`] short of the
/// instant; the rest is spun, because the kernel's wake-up alone is about 60 µs late. Elsewhere, and under
/// tokio's paused time, it is tokio's timer with a resolution of a millisecond.
#[derive(Debug)]
pub(super) struct Alarm(Kind);

#[derive(Debug)]
enum Kind {
    #[cfg(target_os = "linux")]
    Kernel(tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>),
    Tokio,
}

impl Alarm {
    /// How long before an instant the timer fires and spinning begins. At 1,000 arrivals a second that is at
    /// most 8 % of a core.
    const SPIN: Duration = Duration::from_micros(80);

    /// The most precise timer there is; tokio's where the kernel gives none.
    pub(super) fn precise() -> Self {
        #[cfg(target_os = "linux")]
        if let Ok(fd) = kernel_timer() {
            return Self(Kind::Kernel(fd));
        }
        Self::tokio()
    }

    /// Tokio's own timer, which follows paused time.
    pub(super) fn tokio() -> Self {
        Self(Kind::Tokio)
    }

    /// Waits until `due`; returns at once where that has passed.
    pub(super) async fn until(&self, due: Instant) {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Kernel(fd) => {
                let sleep = due.saturating_duration_since(now()).saturating_sub(Self::SPIN);
                if !sleep.is_zero() && sleep_in_kernel(fd, sleep).await.is_err() {
                    tokio::time::sleep_until(due).await;
                }
                while now() < due {
                    std::hint::spin_loop();
                }
            }
            Kind::Tokio => tokio::time::sleep_until(due).await,
        }
    }
}

#[cfg(target_os = "linux")]
#[expect(deprecated, reason = "its successor is unsafe; an owned descriptor keeps what that would promise")]
fn kernel_timer() -> std::io::Result<tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>> {
    use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
    let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_precise_alarm_never_goes_off_early() {
        let alarm = Alarm::precise();
        for micros in [0, 50, 300, 2_500, 10] {
            let due = now() + Duration::from_micros(micros);
            alarm.until(due).await;
            assert!(now() >= due);
        }
    }
}
