//! Catches panics.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Once;
use std::task::Poll;

/// A caught panic: a defect of tollgate, or of a library that it uses.
///
/// It has the place of the panic and not its message, which may quote what a target sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("panic at {place}")]
pub struct Defect {
    place: String,
}

/// What to do about a defect.
pub const DEFECT_REMEDY: &str =
    "please report it with this place, the version and what the target or the file sent";

thread_local! {
    /// How many catches this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; a panic becomes a [`Defect`] and prints nothing.
///
/// What `work` has changed may be inconsistent after a panic, so that the caller must drop it.
pub fn catch_defect<T>(work: impl FnOnce() -> T) -> Result<T, Defect> {
    install_hook();
    DEPTH.set(DEPTH.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    outcome.map_err(|_| {
        let place = PLACE.take();
        Defect { place: place.unwrap_or_else(|| "an unknown place".to_owned()) }
    })
}

/// Awaits `work`; a panic becomes a [`Defect`] and prints nothing.
///
/// `work` is pinned by the caller, because a future that owned it would be twice as large.
pub async fn await_without_panic<T>(
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Defect> {
    poll_fn(|cx| match catch_defect(|| work.as_mut().poll(cx)) {
        Ok(outcome) => outcome.map(Ok),
        Err(defect) => Poll::Ready(Err(defect)),
    })
    .await
}

/// Makes panics outside of a catch go where they went before.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let otherwise = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if DEPTH.get() == 0 {
                otherwise(panic);
            } else {
                PLACE.set(panic.location().map(describe_place));
            }
        }));
    });
}

/// `tokio-postgres-0.7.18/src/row.rs:95`, without the folders of the machine that built the
/// program.
fn describe_place(place: &Location<'_>) -> String {
    let file = place.file();
    let within = |marker| {
        let (_, rest) = file.split_once(marker)?;
        rest.split_once('/').map(|(_, rest)| rest)
    };
    let file = within("registry/src/").or_else(|| within("/rustc/")).unwrap_or(file);
    format!("{file}:{}", place.line())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_panic_becomes_a_defect_with_its_place_and_without_its_message() {
        let line = line!() + 1;
        let defect = catch_defect(|| -> () { panic!("secret") }).unwrap_err();
        let place = format!("panic at src/library_text/defect.rs:{line}");
        assert_eq!(defect.to_string(), place);
        assert_eq!(catch_defect(|| 7), Ok(7));
    }

    /// Polls a future until it is ready.
    fn run<T>(mut work: Pin<&mut impl Future<Output = T>>) -> T {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return done;
            }
        }
    }

    #[test]
    fn a_panic_after_a_wait_is_caught_as_well() {
        let mut waits = true;
        let work = poll_fn(|_| {
            if std::mem::take(&mut waits) {
                return Poll::Pending;
            }
            Poll::Ready([0][std::hint::black_box(1)])
        });
        let defect = run(pin!(await_without_panic(pin!(work)))).unwrap_err();
        assert!(defect.to_string().contains("src/library_text/defect.rs:"), "{defect}");
        assert_eq!(run(pin!(await_without_panic(pin!(async { 7 })))), Ok(7));
    }
}
