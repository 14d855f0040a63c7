//! A rehearsal target on a thread of its own, and the blocking way to run one.

use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::{Error, Server, Settings};

/// Binds, announces and serves on the calling thread until `until` is done.
///
/// `announce` is called once the server listens; `until` is polled within the runtime, so it may use tokio's signals.
/// Errors are those of [`Server::bind`] and [`Server::run`], or a runtime that cannot be had.
pub fn run_blocking(
    settings: &Settings,
    announce: impl FnOnce(&Server),
    until: impl Future<Output = ()>,
) -> Result<(), Error> {
    let runtime = runtime()?;
    let server = Server::bind(settings)?;
    announce(&server);
    runtime.block_on(server.run(until))
}

/// A server that runs on a thread of its own until it is stopped or dropped.
#[derive(Debug)]
pub struct Background {
    base_url: String,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), Error>>,
}

impl Background {
    /// Starts a server as `settings` say; it listens when this returns.
    ///
    /// Errors are those of [`Server::bind`], or a runtime or thread that cannot be had.
    pub fn start(settings: &Settings) -> Result<Self, Error> {
        let runtime = runtime()?;
        let server = Server::bind(settings)?;
        let base_url = server.base_url();
        let (stop, stopped) = oneshot::channel();
        let serve = move || runtime.block_on(server.run(async { drop(stopped.await) }));
        let thread = std::thread::Builder::new()
            .name("rehearsal-target".to_owned())
            .spawn(serve)
            .map_err(Error::Runtime)?;
        Ok(Self { base_url, stop, thread })
    }

    /// Where its pages are, as [`Server::base_url`].
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Ends the server and waits until it has completed its arrival log; errors are those of [`Server::run`].
    pub fn stop(self) -> Result<(), Error> {
        drop(self.stop);
        self.thread.join().map_err(|_| Error::Panicked)?
    }
}

fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread().enable_io().enable_time().build().map_err(Error::Runtime)
}
