//! Ctrl-C and SIGTERM ask a run to drain; asked again, it ends at once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{Exit, Problem};
use crate::engine::StopHandle;

/// The signals that ask the program to end.
pub(super) struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl EndSignals {
    /// Listens from here on; needs a runtime.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What has been heard, shared by the thread that listens and the one that carries out runs.
#[derive(Default)]
struct Heard {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How often an end was asked for.
    asked: u32,
    /// The run that is going on.
    run: Option<StopHandle>,
}

/// The end signals of the whole program: one listener, however many runs there are.
pub(super) struct Signals(Arc<Heard>);

impl Signals {
    /// Listens on a thread of its own until the program ends.
    pub(super) fn listen() -> Result<Self, Problem> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Problem::internal)?;
        let mut signals = {
            let _signals_need_a_runtime = runtime.enter();
            EndSignals::listen().map_err(Problem::internal)?
        };
        let heard = Arc::new(Heard::default());
        let told = Arc::clone(&heard);
        let listen = async move {
            loop {
                signals.next().await;
                told.hear().answer();
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || runtime.block_on(listen)).map_err(Problem::internal)?;
        Ok(Self(heard))
    }

    /// Carries out a run that signals may end; one that was asked to end before it begins drains at once.
    pub(super) fn during<T>(&self, stopper: StopHandle, run: impl FnOnce() -> T) -> T {
        {
            let mut state = self.0.lock();
            if state.asked > 0 {
                stopper.request_stop();
            }
            state.run = Some(stopper);
        }
        let result = run();
        self.0.lock().run = None;
        result
    }

    /// Waits so long, or until an end is asked for; whether it was.
    pub(super) fn asked_within(&self, wait: Duration) -> bool {
        let state = self.0.lock();
        let waited = self.0.changed.wait_timeout_while(state, wait, |state| state.asked == 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.asked > 0
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a signal and says what it comes to, to be told when nothing is locked: whoever reads stderr may not.
    fn hear(&self) -> Asked {
        let mut state = self.lock();
        state.asked += 1;
        state.run.as_ref().inspect(|run| run.request_stop());
        self.changed.notify_all();
        let told = match (state.asked, &state.run) {
            (1, Some(_)) => "Stopping: waiting for what has been sent (once more to end at once)",
            (1, None) => "Stopping: nothing more will be run (once more to end at once)",
            _ => "Stopping at once: what is under way is dropped",
        };
        Asked { times: state.asked, told }
    }
}

/// What a signal comes to.
struct Asked {
    times: u32,
    told: &'static str,
}

impl Asked {
    /// How long a program that is asked a second time has to end of itself.
    const GRACE: Duration = Duration::from_secs(5);

    /// Tells it and sees to it that a second time ends the program, even where a pipe that nobody reads holds it up.
    fn answer(self) {
        let Self { times, told } = self;
        // A progress bar may stand on the line.
        std::thread::spawn(move || tracing::info!(asked = times, "\n{told}"));
        match times {
            1 => {}
            2 => drop(std::thread::spawn(|| {
                std::thread::sleep(Self::GRACE);
                end();
            })),
            _ => end(),
        }
    }
}

/// How the program is ended where `main` is not reached; signals concern all of it, and so does this.
static END: OnceLock<fn(Exit)> = OnceLock::new();

/// Says how the program is ended where `main` is not reached; the first word counts.
pub(super) fn end_by(end: fn(Exit)) {
    let _known = END.set(end);
}

fn end() {
    if let Some(end) = END.get() {
        end(Exit::Inconclusive);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;

    #[test]
    fn a_signal_between_runs_ends_the_wait_and_drains_a_run_that_begins_nevertheless() {
        let signals = Signals(Arc::default());
        assert!(!signals.asked_within(Duration::ZERO));
        assert_eq!(signals.0.hear().times, 1);
        assert!(signals.asked_within(Duration::from_hours(1)));
        let (stopper, _stop) = engine::stop_channel();
        assert_eq!(signals.during(stopper, || 7), 7);
        assert!(signals.0.lock().run.is_none());
    }
}
