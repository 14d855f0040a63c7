//! A rehearsal target on a background thread, and a blocking way to run one.

use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::{TargetError, TargetServer, TargetSettings};

/// Binds, announces and serves on the calling thread until `until` is done.
///
/// `announce` is called once the server listens; `until` is polled within the runtime, so it may
/// use tokio's signals. Errors are those of [`TargetServer::bind`] and [`TargetServer::run`], or
/// the failure to start a runtime.
pub fn run_blocking(
    settings: &TargetSettings,
    announce: impl FnOnce(&TargetServer),
    until: impl Future<Output = ()>,
) -> Result<(), TargetError> {
    let runtime = runtime()?;
    let server = TargetServer::bind(settings)?;
    announce(&server);
    runtime.block_on(server.run(until))
}

/// A server that runs on a background thread until it is stopped or dropped.
#[derive(Debug)]
pub struct BackgroundTarget {
    base_url: String,
    fly_environment: Vec<(&'static str, String)>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), TargetError>>,
}

impl BackgroundTarget {
    /// Starts a server with these `settings`; it listens when this returns.
    ///
    /// Errors are those of [`TargetServer::bind`], or the failure to start a runtime or thread.
    pub fn start(settings: &TargetSettings) -> Result<Self, TargetError> {
        let runtime = runtime()?;
        let server = TargetServer::bind(settings)?;
        let base_url = server.base_url();
        let fly_environment = server.fly_environment();
        let (stop, stopped) = oneshot::channel();
        let serve = move || runtime.block_on(server.run(async { drop(stopped.await) }));
        let thread = std::thread::Builder::new()
            .name("rehearsal-target".to_owned())
            .spawn(serve)
            .map_err(TargetError::Runtime)?;
        Ok(Self { base_url, fly_environment, stop, thread })
    }

    /// The base URL of its pages, as [`TargetServer::base_url`].
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The environment of a client of Fly, as [`TargetServer::fly_environment`].
    pub fn fly_environment(&self) -> &[(&'static str, String)] {
        &self.fly_environment
    }

    /// Ends the server and waits until it has completed its arrival log; errors are those of
    /// [`TargetServer::run`].
    pub fn stop(self) -> Result<(), TargetError> {
        drop(self.stop);
        self.thread.join().map_err(|_| TargetError::Panicked)?
    }
}

fn runtime() -> Result<Runtime, TargetError> {
    Builder::new_current_thread().enable_io().enable_time().build().map_err(TargetError::Runtime)
}
