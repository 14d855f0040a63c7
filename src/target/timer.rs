//! Precise waits: one kernel timer for all waits of the thread.
//!
//! Tokio's own timer counts in whole milliseconds, so every answer would be late by about one.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// Ends waits within some tens of microseconds if the kernel has such timers; otherwise uses
/// tokio's timer.
///
/// The kernel's timer is used while [`Self::drive`] runs, on the thread it runs on. Under tokio's
/// paused time there is no reason to run it.
#[derive(Debug, Default)]
pub(super) struct WaitTimer {
    kernel: OnceCell<AsyncFd<OwnedFd>>,
    /// The waits to wake, ordered by time.
    waits: RefCell<BTreeMap<WaitKey, Waker>>,
    begun: Cell<u64>,
}

/// When a wait ends, and its number among the waits of that instant.
type WaitKey = (Instant, u64);

impl WaitTimer {
    /// Ends waits while it is polled; never completes.
    pub(super) async fn drive(&self) {
        if let Ok(timer) = kernel_timer() {
            let timer = self.kernel.get_or_init(|| timer);
            // An error here means that the runtime has ended, and all waits with it.
            while let Ok(mut fired) = timer.readable().await {
                // The descriptor is not read: it makes no further event until it is set again, and
                // that empties it.
                fired.clear_ready();
                self.wake_due(now());
                self.set();
            }
        }
        std::future::pending::<()>().await;
    }

    /// Waits until `due`, never less.
    pub(super) async fn sleep_until(&self, due: Instant) {
        if self.kernel.get().is_some() {
            self.begun.set(self.begun.get() + 1);
            PendingWait { timer: self, key: (due, self.begun.get()) }.await;
        } else {
            tokio::time::sleep_until(due).await;
        }
    }

    fn first(&self) -> Option<WaitKey> {
        self.waits.borrow().first_key_value().map(|(key, _)| *key)
    }

    fn wake_due(&self, now: Instant) {
        while let Some(key) = self.first().filter(|(due, _)| *due <= now) {
            let waker = self.waits.borrow_mut().remove(&key);
            // The borrow has ended here, because waking may add waits.
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Sets the kernel's timer to the first wait, if there is one.
    fn set(&self) {
        if let Some((timer, (due, _))) = self.kernel.get().zip(self.first()) {
            // Zero would stop the timer.
            let left = due.saturating_duration_since(now()).max(Duration::from_nanos(1));
            // The kernel refuses only malformed times.
            let _set = set_kernel_timer(timer.get_ref(), left);
        }
    }
}

/// One wait.
#[derive(Debug)]
struct PendingWait<'a> {
    timer: &'a WaitTimer,
    key: WaitKey,
}

impl Future for PendingWait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if now() >= self.key.0 {
            return Poll::Ready(());
        }
        self.timer.waits.borrow_mut().insert(self.key, cx.waker().clone());
        if self.timer.first() == Some(self.key) {
            self.timer.set();
        }
        Poll::Pending
    }
}

impl Drop for PendingWait<'_> {
    fn drop(&mut self) {
        self.timer.waits.borrow_mut().remove(&self.key);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the target is a process of its own: this is its timer"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(target_os = "linux")]
#[expect(
    deprecated,
    reason = "its successor is unsafe; an owned descriptor keeps what that would promise"
)]
fn kernel_timer() -> io::Result<AsyncFd<OwnedFd>> {
    use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
    let fd =
        timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    AsyncFd::with_interest(fd, Interest::READABLE)
}

#[cfg(target_os = "linux")]
fn set_kernel_timer(timer: &OwnedFd, left: Duration) -> io::Result<()> {
    use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
    let value = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &once)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn kernel_timer() -> io::Result<AsyncFd<OwnedFd>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn set_kernel_timer(_: &OwnedFd, _: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use tokio::task::{JoinSet, LocalSet};

    use super::*;

    /// Runs `waiting` while the timer is driven.
    async fn with_timer<F: Future>(waiting: impl FnOnce(Rc<WaitTimer>) -> F) -> F::Output {
        let timer = Rc::new(WaitTimer::default());
        let driven = Rc::clone(&timer);
        let run = async {
            tokio::task::spawn_local(async move { driven.drive().await });
            tokio::task::yield_now().await;
            assert_eq!(timer.kernel.get().is_some(), cfg!(target_os = "linux"));
            waiting(timer).await
        };
        LocalSet::new().run_until(run).await
    }

    fn after(micros: u64) -> Instant {
        now() + Duration::from_micros(micros)
    }

    #[tokio::test]
    async fn no_wait_ends_early() {
        with_timer(|timer| async move {
            for micros in [0, 1, 50, 900, 3_000, 10] {
                let due = after(micros);
                timer.sleep_until(due).await;
                assert!(now() >= due, "{micros} µs");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn waits_end_in_the_order_in_which_they_are_due_whatever_order_they_began_in() {
        let ended = with_timer(|timer| async move {
            let ended = Rc::new(RefCell::new(Vec::new()));
            let mut waits = JoinSet::new();
            let start = after(5_000);
            for place in [3, 0, 4, 1, 2] {
                let (timer, ended) = (Rc::clone(&timer), Rc::clone(&ended));
                waits.spawn_local(async move {
                    timer.sleep_until(start + Duration::from_millis(2) * place).await;
                    ended.borrow_mut().push(place);
                });
            }
            waits.join_all().await;
            ended.take()
        })
        .await;
        assert_eq!(ended, [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn thousands_of_waits_end_of_which_many_are_due_at_once() {
        with_timer(|timer| async move {
            let mut waits = JoinSet::new();
            let start = now();
            for index in 0..5_000_u32 {
                let timer = Rc::clone(&timer);
                let due = start + Duration::from_micros(100) * (index * 7 % 50);
                waits.spawn_local(async move {
                    timer.sleep_until(due).await;
                    now() >= due
                });
            }
            assert!(waits.join_all().await.into_iter().all(|late| late));
            assert!(timer.waits.borrow().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn a_wait_that_is_dropped_leaves_nothing_behind_and_the_next_one_still_ends() {
        with_timer(|timer| async move {
            let mut dropped = Box::pin(timer.sleep_until(after(3_600_000_000)));
            assert!(polled_once(&mut dropped).await.is_pending());
            assert_eq!(timer.waits.borrow().len(), 1);
            drop(dropped);
            assert!(timer.waits.borrow().is_empty());
            timer.sleep_until(after(500)).await;

            let mut first = Box::pin(timer.sleep_until(after(1_000)));
            assert!(polled_once(&mut first).await.is_pending());
            let second = timer.sleep_until(after(2_000));
            drop(first);
            second.await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_not_driven_is_tokios_and_follows_paused_time() {
        let timer = WaitTimer::default();
        let due = now() + Duration::from_hours(1);
        timer.sleep_until(due).await;
        assert!(now() >= due);
    }

    async fn polled_once(future: &mut (impl Future + Unpin)) -> Poll<()> {
        std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).map(drop))).await
    }
}
