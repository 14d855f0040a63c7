//! A connection, and the transactions that every query belongs to.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use tokio::time::Instant;
use tokio_postgres::types::FromSql;
use tokio_postgres::{Client, Row};

use super::documents::{RowCollector, RowDocuments};
use super::query::BoundQuery;
use super::transaction_state::TransactionState;
use super::wire::{Wire, WireError};
use super::{DatabaseAddress, PgError, SqlStatement, TransactionMode, opening};
use crate::library_text::catch_defect;

/// A row of an answer.
pub type PgRow = Row;

/// Default timeout of a statement.
const STATEMENT: Duration = Duration::from_secs(30);
/// Extra time to wait for an answer after the statement's timeout: a server that has vanished
/// cancels nothing.
const GRACE: Duration = Duration::from_secs(5);
/// The least time for a session's first answer, however long its connection took.
const LEAST_FIRST_ANSWER: Duration = Duration::from_secs(1);

/// A connection to a database.
#[derive(Debug)]
pub struct PgSession {
    wire: Wire,
    /// What the server says about its transaction.
    state: TransactionState,
    /// Whether a transaction may be open that nobody ends.
    is_left_open: bool,
    /// The database, as shown in output.
    at: String,
    /// Whether an answer was not read to its end, so that no transaction can begin.
    is_abandoned: bool,
    /// By when the first transaction must have begun, until it has.
    first_answer: Option<Instant>,
}

/// A transaction: the only way to send a query. A dropped transaction is rolled back when the
/// session's next one begins or the session ends. Until then the server keeps it open, so callers
/// also commit transactions that only read.
#[derive(Debug)]
pub struct Transaction<'s> {
    session: &'s mut PgSession,
    /// Timeout for an answer.
    answer: Duration,
}

impl PgSession {
    /// Opens a connection.
    pub async fn connect(address: &DatabaseAddress) -> Result<Self, PgError> {
        let at = address.display_name();
        let limit = address.connect_timeout();
        match tokio::time::timeout(limit, opening::open(address)).await {
            Ok(Ok((wire, state))) => Ok(Self {
                wire,
                state,
                is_left_open: false,
                at,
                is_abandoned: false,
                first_answer: None,
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                Err(PgError::timed_out(&at, format!("no connection within {} s", limit.as_secs())))
            }
        }
    }

    /// Opens a connection whose first transaction must also begin within the time limit for
    /// connecting, but has at least a second for it.
    ///
    /// A pooler accepts connections even if the database behind it is gone, and then answers
    /// nothing.
    pub async fn connect_with_first_answer(address: &DatabaseAddress) -> Result<Self, PgError> {
        // The instant is counted from before the connection is opened.
        let by = tokio::time::sleep(address.connect_timeout()).deadline();
        let session = Self::connect(address).await?;
        Ok(Self { first_answer: Some(by), ..session })
    }

    /// Begins a transaction with a timeout of 30 s per statement.
    pub async fn begin(&mut self, mode: TransactionMode) -> Result<Transaction<'_>, PgError> {
        self.begin_within(mode, STATEMENT).await
    }

    /// Begins a transaction with a timeout per statement, in whole milliseconds and at least one.
    /// The server cancels a statement that exceeds it, and the session stays usable. The client
    /// waits five seconds longer for an answer.
    pub async fn begin_within(
        &mut self,
        mode: TransactionMode,
        timeout: Duration,
    ) -> Result<Transaction<'_>, PgError> {
        if self.is_abandoned {
            return Err(PgError::given_up(&self.at));
        }
        let answer = timeout.saturating_add(GRACE);
        self.send_begin(mode, timeout, answer).await?;
        Ok(Transaction { session: self, answer })
    }

    async fn send_begin(
        &mut self,
        mode: TransactionMode,
        timeout: Duration,
        answer: Duration,
    ) -> Result<(), PgError> {
        if self.is_left_open {
            self.run("rollback", answer).await?;
        }
        self.is_left_open = true;
        let begin = mode.begin_statement(timeout);
        match self.first_answer.take() {
            None => self.run(&begin, answer).await?,
            Some(by) => self.run_first(&begin, by).await?,
        }
        if self.state.is_open() { Ok(()) } else { Err(PgError::not_begun(&self.at)) }
    }

    /// Runs statements without values: the simple protocol names no statement.
    #[expect(clippy::disallowed_methods, reason = "in a transaction, or it begins or ends one")]
    async fn run(&mut self, sql: &str, limit: Duration) -> Result<(), PgError> {
        let Wire { client, driver } = &mut self.wire;
        await_answer(&self.at, limit, driver.drive_until_answered(client.batch_execute(sql))).await
    }

    /// Runs a session's first statements, which a healthy server answers at once.
    #[expect(clippy::disallowed_methods, reason = "it begins a transaction")]
    async fn run_first(&mut self, sql: &str, by: Instant) -> Result<(), PgError> {
        let by = by.max(tokio::time::sleep(LEAST_FIRST_ANSWER).deadline());
        let Wire { client, driver } = &mut self.wire;
        match tokio::time::timeout_at(by, driver.drive_until_answered(client.batch_execute(sql)))
            .await
        {
            Ok(answer) => answer.map_err(|error| PgError::of(&self.at, &error)),
            Err(_) => Err(PgError::timed_out(
                &self.at,
                "the connection was accepted, but its first statement got no answer in time"
                    .to_owned(),
            )),
        }
    }

    /// Whether the session was abandoned because an answer was incomplete: no transaction can begin
    /// on it, and the caller must drop it.
    pub fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    /// Closes the connection with a Terminate message; dropping it closes it without.
    pub async fn close(self) {
        // The server ends the session even if the message is lost.
        let _ended = tokio::time::timeout(Duration::from_secs(1), self.wire.close()).await;
    }
}

impl Transaction<'_> {
    /// Executes a statement; returns the number of affected rows.
    #[expect(clippy::disallowed_methods, reason = "in a transaction")]
    pub async fn execute<'q>(
        &mut self,
        sql: &'static str,
        bind: impl FnOnce(BoundQuery<'q>) -> BoundQuery<'q>,
    ) -> Result<u64, PgError> {
        let values = bind(BoundQuery::default()).into_values();
        let Wire { client, driver } = &mut self.session.wire;
        let values: Vec<_> =
            values.iter().map(|(value, kind)| (&**value as _, kind.clone())).collect();
        let request = client.execute_typed(sql, &values);
        await_answer(&self.session.at, self.answer, driver.drive_until_answered(request)).await
    }

    /// The rows of a query.
    #[expect(clippy::disallowed_methods, reason = "in a transaction")]
    pub async fn fetch_rows<'q>(
        &mut self,
        sql: &'static str,
        bind: impl FnOnce(BoundQuery<'q>) -> BoundQuery<'q>,
    ) -> Result<Vec<PgRow>, PgError> {
        let values = bind(BoundQuery::default()).into_values();
        let Wire { client, driver } = &mut self.session.wire;
        let request = async { client.query_typed_raw(sql, values).await?.try_collect().await };
        await_answer(&self.session.at, self.answer, driver.drive_until_answered(request)).await
    }

    /// Executes a statement from a file with its values (`None` is null); returns its rows in
    /// order, each as an object of its columns with Postgres' own JSON types (see
    /// [`SqlStatement`]), after the last one has arrived and before any is parsed.
    ///
    /// After an error the transaction can only be rolled back ([`Self::rollback`]). The error never
    /// contains one of the values. If the server exceeds the limit or its answer is incomplete, the
    /// session is abandoned.
    pub async fn fetch_documents(
        &mut self,
        statement: &SqlStatement,
        values: &[Option<String>],
    ) -> Result<RowDocuments, PgError> {
        let Self { session, answer: limit } = self;
        let PgSession { wire: Wire { client, driver }, at, is_abandoned, .. } = &mut **session;
        let mut collector = RowCollector::default();
        let coming = collect_rows(client, statement, values, &mut collector);
        // It stays set if the caller stops waiting.
        *is_abandoned = true;
        let answer = tokio::time::timeout(*limit, driver.drive_until_answered(coming)).await;
        // After an error that does not complete the answer, the stream's state is unknown. A pooler
        // may leave out how severe an error is.
        *is_abandoned = match &answer {
            Ok(Ok(is_complete)) => !is_complete,
            Ok(Err(error)) => !error.completes_answer() || driver.has_ended(),
            Err(_) => true,
        };
        match answer {
            Ok(Ok(_)) => collector.finish(at),
            Ok(Err(error)) => Err(PgError::of_statement(at, &error, statement, values)),
            Err(_) => Err(timed_out_error(at, *limit)),
        }
    }

    /// Executes several statements without values, such as a migration.
    pub async fn execute_script(&mut self, sql: &str) -> Result<(), PgError> {
        self.session.run(sql, self.answer).await
    }

    /// Commits. If this fails, the server may or may not have committed.
    pub async fn commit(self) -> Result<(), PgError> {
        if self.session.is_abandoned {
            return Err(PgError::given_up(&self.session.at));
        }
        self.end("commit").await
    }

    /// Rolls back at once; a dropped transaction is rolled back only when the session's next one
    /// begins. In an abandoned session, the transaction is rolled back when the session ends,
    /// without waiting for the rest of an answer.
    pub async fn rollback(self) -> Result<(), PgError> {
        if self.session.is_abandoned {
            return Ok(());
        }
        self.end("rollback").await
    }

    async fn end(self, sql: &str) -> Result<(), PgError> {
        self.session.run(sql, self.answer).await?;
        self.session.is_left_open = false;
        Ok(())
    }

    /// The value of a column in a row.
    pub fn column_value<'r, T: FromSql<'r>>(
        &self,
        row: &'r PgRow,
        column: &str,
    ) -> Result<T, PgError> {
        let value = match catch_defect(|| row.try_get(column)) {
            Ok(value) => value.map_err(WireError::from),
            Err(defect) => Err(WireError::Defect(defect)),
        };
        value.map_err(|error| PgError::of(&self.session.at, &error))
    }
}

/// Collects all rows of a statement; returns false if the server exceeds the limit.
#[expect(clippy::disallowed_methods, reason = "in a transaction")]
async fn collect_rows(
    client: &Client,
    statement: &SqlStatement,
    values: &[Option<String>],
    collector: &mut RowCollector,
) -> Result<bool, tokio_postgres::Error> {
    let bound = values
        .iter()
        .fold(BoundQuery::default(), |query, value| query.bind(value.as_deref()))
        .into_values();
    let mut rows = pin!(client.query_typed_raw(statement.sql(), bound).await?);
    while let Some(row) = rows.try_next().await? {
        if !collector.take(row.try_get("document")?) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn await_answer<T>(
    at: &str,
    limit: Duration,
    answer: impl Future<Output = Result<T, WireError>>,
) -> Result<T, PgError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| PgError::of(at, &error)),
        Err(_) => Err(timed_out_error(at, limit)),
    }
}

fn timed_out_error(at: &str, limit: Duration) -> PgError {
    PgError::timed_out(at, format!("no answer within {} s", limit.as_secs()))
}
