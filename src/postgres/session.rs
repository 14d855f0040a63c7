//! A connection, and the transactions that every query belongs to.

use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt as _};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, Postgres, Row as _, SqlSafeStr};

use super::documents::{RowCollector, RowDocuments};
use super::{DatabaseAddress, PgError, SqlStatement, TransactionMode};

/// How long a statement may take, unless the caller says otherwise.
const STATEMENT: Duration = Duration::from_secs(30);
/// How much longer than a statement may take its answer is waited for: a server that is gone ends
/// no statement.
const GRACE: Duration = Duration::from_secs(5);

/// A connection to a database.
#[derive(Debug)]
pub struct PgSession {
    connection: PgConnection,
    /// The database, as it is shown.
    at: String,
    /// Whether there may be no end to what the server sends.
    given_up: bool,
}

/// A transaction: the only thing that a query can be sent through. Dropped, it is rolled back with
/// the session's next one, or its end; until then the server keeps it open, so that one that only
/// reads is committed too.
#[derive(Debug)]
pub struct Transaction<'s> {
    inner: sqlx::Transaction<'s, Postgres>,
    at: &'s str,
    given_up: &'s mut bool,
    /// How long an answer may take to arrive.
    answer: Duration,
}

/// A statement that values are bound to.
type BoundQuery<'q> = Query<'q, Postgres, PgArguments>;

impl PgSession {
    /// Opens a connection.
    pub async fn connect(address: &DatabaseAddress) -> Result<Self, PgError> {
        let at = address.display_name();
        address.ca_file().map_or(Ok(()), |ca| check_readable(ca, &at))?;
        let limit = address.connect_timeout();
        let opening = PgConnection::connect_with(address.options());
        match tokio::time::timeout(limit, opening).await {
            Ok(Ok(connection)) => Ok(Self { connection, at, given_up: false }),
            Ok(Err(error)) => Err(PgError::of_opening(&at, &error)),
            Err(_) => {
                Err(PgError::timed_out(&at, format!("no connection within {} s", limit.as_secs())))
            }
        }
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
        if self.given_up {
            return Err(PgError::given_up(&self.at));
        }
        let Self { connection, at, given_up } = self;
        let answer = timeout.saturating_add(GRACE);
        let begin = AssertSqlSafe(mode.begin_statement(timeout));
        let inner = await_answer(at, answer, connection.begin_with(begin)).await?;
        Ok(Transaction { inner, at, given_up, answer })
    }

    /// Whether it was given up, as an answer did not come to its end: nothing can be begun on it,
    /// and it is to be dropped.
    pub fn is_abandoned(&self) -> bool {
        self.given_up
    }

    /// Says goodbye; a connection that is dropped is closed without.
    pub async fn close(self) {
        // The server ends the session whether or not it hears of it.
        let _ended = tokio::time::timeout(Duration::from_secs(1), self.connection.close()).await;
    }
}

impl Transaction<'_> {
    /// Executes a statement; returns the number of affected rows.
    pub async fn execute<'q>(
        &mut self,
        sql: &'static str,
        bind: impl FnOnce(BoundQuery<'q>) -> BoundQuery<'q>,
    ) -> Result<u64, PgError> {
        let finish =
            await_answer(self.at, self.answer, unnamed(sql, bind).execute(&mut *self.inner))
                .await?;
        Ok(finish.rows_affected())
    }

    /// The rows of a query.
    pub async fn fetch_rows<'q>(
        &mut self,
        sql: &'static str,
        bind: impl FnOnce(BoundQuery<'q>) -> BoundQuery<'q>,
    ) -> Result<Vec<PgRow>, PgError> {
        await_answer(self.at, self.answer, unnamed(sql, bind).fetch_all(&mut *self.inner)).await
    }

    /// Executes a statement from a file with its values (`None` is null); returns its rows in
    /// order, each as an object of its columns with Postgres' own JSON types (see
    /// [`SqlStatement`]), when the last has come and before one is read.
    ///
    /// An error ends the transaction: nothing but [`Self::rollback`] is of use then. It never holds
    /// one of the values. Where the server sends more than it was asked for, or its answer does not
    /// come to its end, the session is given up.
    pub async fn fetch_documents(
        &mut self,
        statement: &SqlStatement,
        values: &[Option<String>],
    ) -> Result<RowDocuments, PgError> {
        let sql = AssertSqlSafe(statement.sql());
        let query = unnamed(sql, |query| {
            values.iter().fold(query, |query, value| query.bind(value.as_deref()))
        });
        let mut collector = RowCollector::default();
        let coming = collect_rows(query.fetch(&mut *self.inner), &mut collector);
        // So it stays where the caller waits no longer.
        *self.given_up = true;
        let answer = tokio::time::timeout(self.answer, coming).await;
        // An error from the server completes its answer; after any other error the stream's state
        // is unknown.
        *self.given_up = !matches!(answer, Ok(Ok(true) | Err(sqlx::Error::Database(_))));
        match answer {
            Ok(Ok(_)) => collector.finish(self.at),
            Ok(Err(error)) => Err(PgError::of_statement(self.at, &error, statement, values)),
            Err(_) => Err(timed_out_error(self.at, self.answer)),
        }
    }

    /// Executes several statements without values, such as a migration.
    #[expect(
        clippy::disallowed_methods,
        reason = "within a transaction, and the simple protocol names no statement"
    )]
    pub async fn execute_script(&mut self, sql: impl SqlSafeStr) -> Result<(), PgError> {
        await_answer(self.at, self.answer, sqlx::raw_sql(sql).execute(&mut *self.inner))
            .await
            .map(|_| ())
    }

    /// Makes it last. Where this fails, the server may have heard it or not.
    pub async fn commit(self) -> Result<(), PgError> {
        if *self.given_up {
            return Err(PgError::given_up(self.at));
        }
        await_answer(self.at, self.answer, self.inner.commit()).await
    }

    /// Undoes it at once; one that is dropped is undone no sooner than with the session's next one.
    /// That of a session that was given up is undone with the session's end, for which the rest of
    /// an answer is not waited for.
    pub async fn rollback(self) -> Result<(), PgError> {
        if *self.given_up {
            return Ok(());
        }
        await_answer(self.at, self.answer, self.inner.rollback()).await
    }

    /// Takes a column's value out of a row.
    pub fn column_value<'r, T>(&self, row: &'r PgRow, column: &str) -> Result<T, PgError>
    where
        T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
    {
        row.try_get(column).map_err(|error| PgError::of(self.at, &error))
    }
}

/// Collects all rows; returns false if the server exceeds the limit.
async fn collect_rows<'e>(
    mut rows: impl Stream<Item = Result<PgRow, sqlx::Error>> + Unpin + 'e,
    collector: &mut RowCollector,
) -> Result<bool, sqlx::Error> {
    while let Some(row) = rows.try_next().await? {
        if !collector.take(row.try_get("document")?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A file that is missing would be taken for a host that is.
fn check_readable(ca: &Path, at: &str) -> Result<(), PgError> {
    let said = |error: &io::Error| format!("cannot read sslrootcert {}: {error}", ca.display());
    std::fs::File::open(ca).map(|_| ()).map_err(|error| PgError::unread(at, &error, said(&error)))
}

/// Builds an unnamed statement: a named one would stay on a server connection that the pooler gives
/// to other clients.
#[expect(clippy::disallowed_methods, reason = "this is the one place that queries go through")]
fn unnamed<'q>(
    sql: impl SqlSafeStr,
    bind: impl FnOnce(BoundQuery<'q>) -> BoundQuery<'q>,
) -> BoundQuery<'q> {
    bind(sqlx::query(sql)).persistent(false)
}

async fn await_answer<T>(
    at: &str,
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, PgError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| PgError::of(at, &error)),
        Err(_) => Err(timed_out_error(at, limit)),
    }
}

fn timed_out_error(at: &str, limit: Duration) -> PgError {
    PgError::timed_out(at, format!("no answer within {} s", limit.as_secs()))
}
