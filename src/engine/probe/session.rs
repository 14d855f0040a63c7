//! Whether a session with a database can be opened.

use std::time::Duration;

use crate::engine::error::EngineError;
use crate::engine::thread::current_thread_runtime;
use crate::engine::time::clock;
use crate::postgres::{DatabaseAddress, PgError, PgSession};

/// Opens a session with a database as a step would, and closes it: how long it took to open, or
/// what was in the way. No statement is carried out. It takes no longer than the address's
/// `connect_timeout`, and a moment for the goodbye.
///
/// The error says that no session could be tried, as the machine gave no runtime.
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
