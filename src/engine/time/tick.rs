//! The tick of this thread: a coarse clock for waits that need no precise timer.

use std::cell::RefCell;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;

/// An upper bound of the time between two ticks, with a wide margin.
pub(in crate::engine) const MAX_GAP: Duration = Duration::from_millis(500);

thread_local! {
    /// `None` before the thread has a tick.
    static TICK: RefCell<Option<watch::Receiver<()>>> = const { RefCell::new(None) };
}

/// Makes `ticks` the tick of this thread. What sends them must drop its sender when it ends:
/// nothing else bounds a wait for the next one.
pub(in crate::engine) fn set(ticks: watch::Receiver<()>) {
    TICK.set(Some(ticks));
}

/// The output of a future that is ready before the thread's next tick; `None` if it is not, or if
/// the thread has no tick.
///
/// This costs less than a timer: tokio's timers wake the runtime from its sleep when they are set.
pub(in crate::engine) async fn before_next<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    let mut ticks = TICK.with_borrow(Option::clone)?;
    ticks.mark_unchanged();
    tokio::select! {
        biased;
        output = future => Some(output),
        _ticked = ticks.changed() => None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn what_is_ready_before_the_next_tick_is_returned_and_what_is_not_is_left_to_the_caller()
    {
        let (tick, ticks) = watch::channel(());
        set(ticks);
        tick.send_replace(());
        assert_eq!(before_next(pin!(ready(7))).await, Some(7), "an earlier tick does not count");
        let mut turns = 0;
        let third_turn = poll_fn(|cx| {
            turns += 1;
            cx.waker().wake_by_ref();
            if turns == 3 { Poll::Ready(turns) } else { Poll::Pending }
        });
        assert_eq!(before_next(pin!(third_turn)).await, Some(3));
        let never = pin!(pending::<u8>());
        let (waited, ()) = tokio::join!(before_next(never), async {
            tokio::task::yield_now().await;
            tick.send_replace(());
        });
        assert_eq!(waited, None);
    }

    #[tokio::test]
    async fn a_thread_without_a_tick_or_whose_tick_has_ended_does_not_wait() {
        assert_eq!(before_next(pin!(pending::<u8>())).await, None);
        let (tick, ticks) = watch::channel(());
        set(ticks);
        drop(tick);
        assert_eq!(before_next(pin!(pending::<u8>())).await, None);
    }
}
