//! Checks whether a session with a database can be opened.

use std::time::Duration;

use crate::engine::error::EngineError;
use crate::engine::thread::current_thread_runtime;
use crate::engine::time::clock;
use crate::postgres::{DatabaseAddress, PgError, PgSession};

/// Opens a session with a database as a step would, and closes it. Returns how long opening took,
/// or why it failed. Runs no statement. It takes at most the address's `connect_timeout`, and a
/// moment to close.
///
/// Fails if no session could be tried because the machine could not start a runtime.
pub fn session(address: &DatabaseAddress) -> Result<Result<Duration, PgError>, EngineError> {
    let runtime = current_thread_runtime()?;
    Ok(runtime.block_on(async {
        let begun = clock::now();
        let session = PgSession::connect(address).await?;
        let took = clock::now() - begun;
        session.close().await;
        Ok(took)
    }))
}
