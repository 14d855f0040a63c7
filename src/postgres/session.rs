//! A connection, and the transactions that every query belongs to.

use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt as _};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, Postgres, Row as _, SqlSafeStr};
use tokio::time::Instant;

use super::documents::{RowCollector, RowDocuments};
use super::{DatabaseAddress, PgError, PgErrorKind, SqlStatement, TransactionMode, opening};
use crate::files;
use crate::library_text::{Defect, await_without_panic, catch_defect, describe_io};

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
    connection: PgConnection,
    /// The database, as shown in output.
    at: String,
    /// Whether the server's answer may be endless.
    given_up: bool,
    /// By when the first transaction must have begun, until it has.
    first_answer: Option<Instant>,
}

/// A transaction: the only way to send a query. A dropped transaction is rolled back when the
/// session's next one begins or the session ends. Until then the server keeps it open, so callers
/// also commit transactions that only read.
#[derive(Debug)]
pub struct Transaction<'s> {
    inner: sqlx::Transaction<'s, Postgres>,
    at: &'s str,
    given_up: &'s mut bool,
    /// Timeout for an answer.
    answer: Duration,
}

/// A statement with bound values.
/// A statement with values bound to it.
pub type BoundQuery<'q> = Query<'q, Postgres, PgArguments>;

impl PgSession {
    /// Opens a connection.
    pub async fn connect(address: &DatabaseAddress) -> Result<Self, PgError> {
        let at = address.display_name();
        address.ca_file().map_or(Ok(()), |ca| check_readable(ca, &at))?;
        address.identity_files().iter().try_for_each(|file| check_openable(file, &at))?;
        let limit = address.connect_timeout();
        let opening = without_panic(opening::open(address));
        match tokio::time::timeout(limit, opening).await {
            Ok(Ok(connection)) => Ok(Self { connection, at, given_up: false, first_answer: None }),
            Ok(Err(error)) => Err(PgError::of_opening(&at, &error)),
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
        if self.given_up {
            return Err(PgError::given_up(&self.at));
        }
        let Self { connection, at, given_up, first_answer } = self;
        let answer = timeout.saturating_add(GRACE);
        let begin = connection.begin_with(AssertSqlSafe(mode.begin_statement(timeout)));
        let opened = match first_answer.take() {
            None => await_answer(at, answer, begin).await,
            Some(by) => await_first_answer(at, by, begin).await,
        };
        *given_up |= opened.as_ref().is_err_and(|error| error.kind == PgErrorKind::Defect);
        let inner = opened?;
        Ok(Transaction { inner, at, given_up, answer })
    }

    /// Whether the session was abandoned because an answer was incomplete: no transaction can begin
    /// on it, and the caller must drop it.
    pub fn is_abandoned(&self) -> bool {
        self.given_up
    }

    /// Closes the connection with a Terminate message; dropping it closes it without.
    pub async fn close(self) {
        // The server ends the session even if the message is lost.
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
        let sql = AssertSqlSafe(statement.sql());
        let query = unnamed(sql, |query| {
            values.iter().fold(query, |query, value| query.bind(value.as_deref()))
        });
        let mut collector = RowCollector::default();
        let coming = collect_rows(query.fetch(&mut *self.inner), &mut collector);
        // It stays set if the caller stops waiting.
        *self.given_up = true;
        let answer = tokio::time::timeout(self.answer, without_panic(coming)).await;
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

    /// Commits. If this fails, the server may or may not have committed.
    pub async fn commit(self) -> Result<(), PgError> {
        if *self.given_up {
            return Err(PgError::given_up(self.at));
        }
        await_answer(self.at, self.answer, self.inner.commit()).await
    }

    /// Rolls back at once; a dropped transaction is rolled back only when the session's next one
    /// begins. In an abandoned session, the transaction is rolled back when the session ends,
    /// without waiting for the rest of an answer.
    pub async fn rollback(self) -> Result<(), PgError> {
        if *self.given_up {
            return Ok(());
        }
        await_answer(self.at, self.answer, self.inner.rollback()).await
    }

    /// The value of a column in a row.
    pub fn column_value<'r, T>(&self, row: &'r PgRow, column: &str) -> Result<T, PgError>
    where
        T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
    {
        catch_defect(|| row.try_get(column))
            .unwrap_or_else(defect_error)
            .map_err(|error| PgError::of(self.at, &error))
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

/// Checks the file first; otherwise a missing file would be reported as a missing host.
fn check_readable(ca: &Path, at: &str) -> Result<(), PgError> {
    let message = |error: &io::Error| {
        format!("cannot read sslrootcert {}: {}", ca.display(), describe_io(error))
    };
    files::open_regular(ca)
        .map(|_| ())
        .map_err(|error| PgError::unread(at, &error, message(&error)))
}

/// Refuses a file for which the library would wait.
fn check_openable(file: &Path, at: &str) -> Result<(), PgError> {
    files::find_obstacle(file).map_or(Ok(()), |error| {
        let message = format!("cannot read {}: {}", file.display(), describe_io(&error));
        Err(PgError::unread(at, &error, message))
    })
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

/// Awaits the library; a panic becomes an error of the connection.
fn without_panic<T>(
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> impl Future<Output = Result<T, sqlx::Error>> {
    // The library's futures are large.
    let mut work = Box::pin(work);
    async move { await_without_panic(work.as_mut()).await.unwrap_or_else(defect_error) }
}

fn defect_error<T>(defect: Defect) -> Result<T, sqlx::Error> {
    Err(sqlx::Error::Io(io::Error::other(defect)))
}

async fn await_answer<T>(
    at: &str,
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, PgError> {
    match tokio::time::timeout(limit, without_panic(answer)).await {
        Ok(answer) => answer.map_err(|error| PgError::of(at, &error)),
        Err(_) => Err(timed_out_error(at, limit)),
    }
}

/// Waits for the answer to a session's first statement, which a healthy server gives at once.
async fn await_first_answer<T>(
    at: &str,
    by: Instant,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, PgError> {
    let by = by.max(tokio::time::sleep(LEAST_FIRST_ANSWER).deadline());
    match tokio::time::timeout_at(by, without_panic(answer)).await {
        Ok(answer) => answer.map_err(|error| PgError::of(at, &error)),
        Err(_) => Err(PgError::timed_out(
            at,
            "the connection was accepted, but its first statement got no answer in time".to_owned(),
        )),
    }
}

fn timed_out_error(at: &str, limit: Duration) -> PgError {
    PgError::timed_out(at, format!("no answer within {} s", limit.as_secs()))
}
