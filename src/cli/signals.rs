//! Ctrl-C, SIGTERM and SIGHUP drain a run; a second signal ends it at once.

use std::fs::File;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{CommandError, ExitStatus};
use crate::engine::{StopHandle, StopUrgency};
use crate::files;
use crate::library_text::{describe_io, is_local_shortage};
use crate::units::ByteSize;

/// A stream of the signals that end the program.
pub(super) struct SignalStream {
    interrupt: Signal,
    terminate: Signal,
    /// The end of the terminal or of the connection to it; `None` if this process was started to
    /// ignore that, as by `nohup`.
    hangup: Option<Signal>,
    /// Arrives when a write would make a file larger than the limit. Without a listener it would
    /// end the process before an error can say why.
    _too_large: Signal,
}

impl SignalStream {
    /// Starts to listen. Must be called inside a runtime.
    pub(super) fn listen() -> std::io::Result<Self> {
        find_descriptors()?;
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) },
            _too_large: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = wait_for(self.hangup.as_mut()) => {}
        }
    }
}

/// Finds out whether a few files can be opened: the library panics if it gets no descriptors for
/// signals.
fn find_descriptors() -> std::io::Result<()> {
    const NEEDED: usize = 8;
    let opened: std::io::Result<Vec<File>> = (0..NEEDED).map(|_| File::open("/dev/null")).collect();
    opened.map(drop)
}

fn no_signals(error: &std::io::Error) -> CommandError {
    let why = describe_io(error);
    if is_local_shortage(error) {
        let remedy = "nothing was sent; raise the limit of file descriptors with `ulimit -n 256`";
        return CommandError::usage(format!("error: cannot listen for signals: {why}; {remedy}"));
    }
    CommandError::internal(format!("cannot listen for signals: {why}"))
}

async fn wait_for(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether this process was started to ignore SIGHUP. Listening would end that. Where the system
/// does not tell, only a program without a terminal may have been.
fn ignores_hangup() -> bool {
    const HANGUP: u64 = 1;
    let status = files::read_regular(Path::new("/proc/self/status"), ByteSize(1 << 16));
    let ignored = status.ok().and_then(|status| {
        let status = String::from_utf8_lossy(&status).into_owned();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    ignored.map_or(!std::io::stdout().is_terminal(), |mask| mask & HANGUP != 0)
}

/// What the listening thread and the thread of the runs share.
#[derive(Default)]
struct SignalState {
    requests: Mutex<StopState>,
    changed: Condvar,
}

struct StopState {
    /// The number of signals so far.
    count: u32,
    /// The current run.
    run: Option<StopHandle>,
    /// What the first signal does while there is no run.
    without_run: &'static str,
}

/// The signals of the whole program: one listener for all its runs.
pub(super) struct RunSignals(Arc<SignalState>);

impl RunSignals {
    /// Listens on its own thread until the program ends.
    pub(super) fn listen() -> Result<Self, CommandError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| no_signals(&error))?;
        let mut signals = {
            let _signals_need_a_runtime = runtime.enter();
            SignalStream::listen().map_err(|error| no_signals(&error))?
        };
        let state = Arc::<SignalState>::default();
        let listener = Arc::clone(&state);
        let listen = async move {
            loop {
                signals.next().await;
                listener.record_signal().handle();
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || runtime.block_on(listen)).map_err(CommandError::internal)?;
        Ok(Self(state))
    }

    /// The same, with another message for the first signal while there is no run.
    pub(super) fn listen_saying(without_run: &'static str) -> Result<Self, CommandError> {
        let signals = Self::listen()?;
        signals.say_without_run(without_run);
        Ok(signals)
    }

    /// Changes the message for the first signal while there is no run: what it does from now on.
    pub(super) fn say_without_run(&self, message: &'static str) {
        self.0.lock().without_run = message;
    }

    /// Executes a run that a signal may stop. After an earlier signal, the run drains at once.
    pub(super) fn during<T>(&self, stopper: StopHandle, run: impl FnOnce() -> T) -> T {
        {
            let mut state = self.0.lock();
            if state.count > 0 {
                stopper.request_stop();
            }
            state.run = Some(stopper);
        }
        let result = run();
        self.0.lock().run = None;
        result
    }

    /// Waits for at most `wait`; returns early with `true` once there was a signal.
    pub(super) fn stops_within(&self, wait: Duration) -> bool {
        let state = self.0.lock();
        let waited = self.0.changed.wait_timeout_while(state, wait, |state| state.count == 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.count > 0
    }
}

/// What the first signal does between two runs.
const WITHOUT_RUN: &str = "Stopping: no further run will start (signal again to end at once)";

impl Default for StopState {
    fn default() -> Self {
        Self { count: 0, run: None, without_run: WITHOUT_RUN }
    }
}

impl SignalState {
    fn lock(&self) -> MutexGuard<'_, StopState> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a signal and stops the run. The caller handles the rest without the lock: writing to
    /// a full pipe on stderr may block.
    fn record_signal(&self) -> StopRequest {
        let mut state = self.lock();
        state.count += 1;
        let urgency = state.run.as_ref().map(StopHandle::request_stop);
        self.changed.notify_all();
        let message = match (state.count, urgency) {
            (1, Some(StopUrgency::Drain)) => {
                "Stopping: waiting for the requests already sent (signal again to end at once)"
            }
            (1, Some(StopUrgency::Drop)) => {
                "Stopping: dropping the requests in flight; teardowns still run (signal again to end \
                 at once)"
            }
            (1, None) => state.without_run,
            (_, Some(_)) => "Stopping at once: dropping the requests in flight",
            (_, None) => "Stopping at once",
        };
        StopRequest { count: state.count, message }
    }
}

/// A counted signal, and the message for it.
struct StopRequest {
    count: u32,
    message: &'static str,
}

impl StopRequest {
    /// How long the program may take to end after the second signal.
    const GRACE: Duration = Duration::from_secs(5);

    /// Prints the message. A second signal ends the program even if a full pipe blocks it.
    fn handle(self) {
        let Self { count, message } = self;
        // The line break ends the line of a progress bar.
        std::thread::spawn(move || tracing::info!(asked = count, "\n{message}"));
        match count {
            1 => {}
            2 => drop(std::thread::spawn(|| {
                std::thread::sleep(Self::GRACE);
                end();
            })),
            _ => end(),
        }
    }
}

/// Ends the program if `main` cannot be reached. Global, because signals are.
static END: OnceLock<fn(ExitStatus)> = OnceLock::new();

/// Sets the function that ends the program if `main` cannot be reached. Only the first call counts.
pub(super) fn set_end(end: fn(ExitStatus)) {
    let _already_set = END.set(end);
}

fn end() {
    if let Some(end) = END.get() {
        end(ExitStatus::Inconclusive);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;

    #[test]
    fn a_signal_between_runs_ends_the_wait_and_drains_the_next_run() {
        let signals = RunSignals(Arc::default());
        assert!(!signals.stops_within(Duration::ZERO));
        assert_eq!(signals.0.record_signal().count, 1);
        assert!(signals.stops_within(Duration::from_hours(1)));
        let (stopper, _stop) = engine::stop_channel();
        assert_eq!(signals.during(stopper, || 7), 7);
        assert!(signals.0.lock().run.is_none());
    }

    #[test]
    fn the_first_signal_without_a_run_says_what_it_does_in_the_phase_in_which_it_comes() {
        let signals = RunSignals(Arc::default());
        signals.say_without_run("Stopping: the first phase ends");
        signals.say_without_run("Stopping after the second phase");
        assert_eq!(signals.0.record_signal().message, "Stopping after the second phase");
        assert_eq!(signals.0.record_signal().message, "Stopping at once");
    }

    #[test]
    fn the_first_signal_says_what_becomes_of_the_requests_in_flight() {
        for (waits, said) in [(true, "waiting for the requests"), (false, "dropping the requests")]
        {
            let signals = RunSignals(Arc::default());
            let (stopper, _stop) = engine::stop_channel();
            let stopper = if waits { stopper } else { stopper.with_first(StopUrgency::Drop) };
            let message = signals.during(stopper, || signals.0.record_signal().message);
            assert!(message.contains(said), "{message}");
        }
    }
}
