//! Enough file descriptors for the planned connections, or a word before the run.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::EngineError;

/// Descriptors a run needs beside its connections: runtimes, timers, files, standard streams.
const BESIDES: u64 = 64;

/// Raises the process's limit as far as `connections` need and the system allows.
///
/// Running out of descriptors in the middle of a run would look like a target that cannot be reached.
pub(super) fn provide(connections: u64) -> Result<(), EngineError> {
    let needed = connections.saturating_add(BESIDES);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum };
    let allowed = maximum.is_none_or(|maximum| maximum >= needed);
    if allowed && setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    Err(EngineError::Descriptors { connections, needed, allowed: maximum.or(current).unwrap_or(0) })
}
