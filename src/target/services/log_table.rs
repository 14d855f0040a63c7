//! The table `public.observability_logs`, which holds the lines of the log.

use tokio::sync::Mutex;

use crate::postgres::{DatabaseAddress, PgError, PgSession, Transaction, TransactionMode};

/// One line of the log.
#[derive(Debug)]
pub(super) struct LogRow {
    pub(super) level: String,
    pub(super) message: String,
    /// JSON.
    pub(super) metadata: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) user_agent: Option<String>,
}

/// Writes lines of the log through one database session, which is opened on first use and reopened
/// after it is lost.
#[derive(Debug)]
pub(super) struct LogTable {
    address: Option<DatabaseAddress>,
    session: Mutex<Option<PgSession>>,
}

impl LogTable {
    /// Without an address, lines are accepted and discarded.
    pub(super) fn new(address: Option<DatabaseAddress>) -> Self {
        Self { address, session: Mutex::new(None) }
    }

    /// Writes a line; further lines wait until it is written.
    ///
    /// Any error abandons the session. The line is retried in a new session only if its transaction
    /// could not begin, so that no line is written twice.
    pub(super) async fn write(&self, line: LogRow) -> Result<(), PgError> {
        let Some(address) = &self.address else { return Ok(()) };
        let mut guard = self.session.lock().await;
        let mut session = match guard.take() {
            Some(session) => session,
            None => PgSession::connect(address).await?,
        };
        if let Ok(transaction) = session.begin(TransactionMode::ReadWrite).await {
            insert(transaction, line).await?;
        } else {
            session = PgSession::connect(address).await?;
            insert(session.begin(TransactionMode::ReadWrite).await?, line).await?;
        }
        *guard = Some(session);
        Ok(())
    }
}

async fn insert(mut transaction: Transaction<'_>, line: LogRow) -> Result<(), PgError> {
    let LogRow { level, message, metadata, request_id, user_agent } = line;
    let sql = "insert into public.observability_logs (level, message, metadata, request_id, user_agent) \
               values ($1, $2, $3::text::jsonb, $4, $5)";
    let bound = transaction.execute(sql, |query| {
        query.bind(level).bind(message).bind(metadata).bind(request_id).bind(user_agent)
    });
    bound.await?;
    transaction.commit().await
}
