//! Ctrl-C and SIGTERM ask a run to drain; asked again, it ends at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::console::Console;
use super::exit::Problem;
use crate::engine::Stopper;

/// The signals that ask the program to end.
pub(super) struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl EndSignals {
    /// Listens from here on; needs a runtime.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Listens on a thread of its own until the program ends.
pub(super) fn drain_on_signal(stopper: Stopper, console: Console) -> Result<(), Problem> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Problem::internal)?;
    let mut signals = {
        let _signals_need_a_runtime = runtime.enter();
        EndSignals::listen().map_err(Problem::internal)?
    };
    let listen = async move {
        for told in [
            "Stopping: waiting for what has been sent (once more to end at once)",
            "Stopping at once: what is under way is dropped",
        ] {
            signals.next().await;
            // A progress bar may stand on the line.
            console.say(&format!("\n{told}"));
            stopper.ask();
        }
        // Later signals change nothing; the run is ending.
        std::future::pending::<()>().await;
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || runtime.block_on(listen)).map_err(Problem::internal)?;
    Ok(())
}
