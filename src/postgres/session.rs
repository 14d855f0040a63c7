//! A connection, and the transactions that every query belongs to.

use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt as _};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, Postgres, Row as _, SqlSafeStr};

use super::documents::{Documents, Gathering};
use super::{Address, PgError, Statement};

/// How long a statement may take, unless the caller says otherwise.
const STATEMENT: Duration = Duration::from_secs(30);
/// How much longer than a statement may take its answer is waited for: a server that is gone ends no statement.
const GRACE: Duration = Duration::from_secs(5);
/// The longest timeout that Postgres takes, in milliseconds: some 24 days.
const LONGEST: u128 = i32::MAX as u128;

/// A connection to a database.
#[derive(Debug)]
pub struct Session {
    connection: PgConnection,
    /// The database, as it is shown.
    at: String,
    /// Whether there may be no end to what the server sends.
    given_up: bool,
}

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read; the server refuses to write.
    ReadOnly,
    /// Read and write, unless the server, the database or the user is set to read alone.
    ReadWrite,
    /// Read and write where the database or the user is set to read alone, too, as Supabase sets it when the disk is full:
    /// to make room.
    Overriding,
}

/// A transaction: the only thing that a query can be sent through. Dropped, it is rolled back with the session's next one, or
/// its end; until then the server keeps it open, so that one that only reads is committed too.
#[derive(Debug)]
pub struct Transaction<'s> {
    inner: sqlx::Transaction<'s, Postgres>,
    at: &'s str,
    given_up: &'s mut bool,
    /// How long an answer may take to arrive.
    answer: Duration,
}

/// A statement that values are bound to.
type Bound<'q> = Query<'q, Postgres, PgArguments>;

impl Session {
    /// Opens a connection.
    pub async fn connect(address: &Address) -> Result<Self, PgError> {
        let at = address.shown();
        address.ca().map_or(Ok(()), |ca| readable(ca, &at))?;
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

    /// Begins a transaction, each statement of which may take 30 s.
    pub async fn begin(&mut self, mode: Mode) -> Result<Transaction<'_>, PgError> {
        self.begin_within(mode, STATEMENT).await
    }

    /// Begins a transaction, each statement of which may take as long as given, in whole milliseconds and at least one: the
    /// server ends it then, and the session can be used on. An answer is waited for five seconds longer than that.
    pub async fn begin_within(
        &mut self,
        mode: Mode,
        timeout: Duration,
    ) -> Result<Transaction<'_>, PgError> {
        if self.given_up {
            return Err(PgError::given_up(&self.at));
        }
        let Self { connection, at, given_up } = self;
        let answer = timeout.saturating_add(GRACE);
        let begin = AssertSqlSafe(mode.begin(timeout));
        let inner = answered(at, answer, connection.begin_with(begin)).await?;
        Ok(Transaction { inner, at, given_up, answer })
    }

    /// Whether it was given up, as an answer did not come to its end: nothing can be begun on it, and it is to be dropped.
    pub fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Says goodbye; a connection that is dropped is closed without.
    pub async fn close(self) {
        // The server ends the session whether or not it hears of it.
        let _ended = tokio::time::timeout(Duration::from_secs(1), self.connection.close()).await;
    }
}

impl Mode {
    /// The settings go with the transaction, as a pooler may give the connection to another client after it. A server whose
    /// client is gone without a word must not hold its rows for as long as TCP takes to notice.
    fn begin(self, timeout: Duration) -> String {
        let begin = match self {
            Self::ReadOnly => "begin read only",
            Self::ReadWrite => "begin",
            Self::Overriding => "begin read write",
        };
        // Zero would mean no limit.
        let timeout = timeout.as_millis().clamp(1, LONGEST);
        format!(
            "{begin}; set local statement_timeout = {timeout}; set local idle_in_transaction_session_timeout = '60s'"
        )
    }
}

impl Transaction<'_> {
    /// Carries a statement out; returns how many rows it concerned.
    pub async fn execute<'q>(
        &mut self,
        sql: &'static str,
        bind: impl FnOnce(Bound<'q>) -> Bound<'q>,
    ) -> Result<u64, PgError> {
        let done =
            answered(self.at, self.answer, unnamed(sql, bind).execute(&mut *self.inner)).await?;
        Ok(done.rows_affected())
    }

    /// The rows of a query.
    pub async fn rows<'q>(
        &mut self,
        sql: &'static str,
        bind: impl FnOnce(Bound<'q>) -> Bound<'q>,
    ) -> Result<Vec<PgRow>, PgError> {
        answered(self.at, self.answer, unnamed(sql, bind).fetch_all(&mut *self.inner)).await
    }

    /// Carries out a statement whose text comes from a file, with its values, `None` being null; returns its rows in order, each as
    /// an object of its columns with Postgres' own JSON types (see [`Statement`]), when the last has come and before one is read.
    ///
    /// An error ends the transaction: nothing but [`Self::rollback`] is of use then. It never holds one of the values. Where the
    /// server sends more than it was asked for, or its answer does not come to its end, the session is given up.
    pub async fn texts(
        &mut self,
        statement: &Statement,
        values: &[Option<String>],
    ) -> Result<Documents, PgError> {
        let sql = AssertSqlSafe(statement.sql());
        let query = unnamed(sql, |query| {
            values.iter().fold(query, |query, value| query.bind(value.as_deref()))
        });
        let mut gathering = Gathering::default();
        let coming = gather(query.fetch(&mut *self.inner), &mut gathering);
        // So it stays where the caller waits no longer.
        *self.given_up = true;
        let answer = tokio::time::timeout(self.answer, coming).await;
        // After an error that the server tells its answer comes to an end; after any other, nobody knows what follows.
        *self.given_up = !matches!(answer, Ok(Ok(true) | Err(sqlx::Error::Database(_))));
        match answer {
            Ok(Ok(_)) => gathering.done(self.at),
            Ok(Err(error)) => Err(PgError::of_statement(self.at, &error, statement, values)),
            Err(_) => Err(late(self.at, self.answer)),
        }
    }

    /// Carries out several statements without values, such as a migration.
    #[expect(
        clippy::disallowed_methods,
        reason = "within a transaction, and the simple protocol names no statement"
    )]
    pub async fn script(&mut self, sql: impl SqlSafeStr) -> Result<(), PgError> {
        answered(self.at, self.answer, sqlx::raw_sql(sql).execute(&mut *self.inner))
            .await
            .map(|_| ())
    }

    /// Makes it last. Where this fails, the server may have heard it or not.
    pub async fn commit(self) -> Result<(), PgError> {
        if *self.given_up {
            return Err(PgError::given_up(self.at));
        }
        answered(self.at, self.answer, self.inner.commit()).await
    }

    /// Undoes it at once; one that is dropped is undone no sooner than with the session's next one. That of a session that was given up is
    /// undone with the session's end, for which the rest of an answer is not waited for.
    pub async fn rollback(self) -> Result<(), PgError> {
        if *self.given_up {
            return Ok(());
        }
        answered(self.at, self.answer, self.inner.rollback()).await
    }

    /// Takes a column's value out of a row.
    pub fn value<'r, T>(&self, row: &'r PgRow, column: &str) -> Result<T, PgError>
    where
        T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
    {
        row.try_get(column).map_err(|error| PgError::of(self.at, &error))
    }
}

/// Takes rows until there are no more; false where the server sends more than it was asked for.
async fn gather<'e>(
    mut rows: impl Stream<Item = Result<PgRow, sqlx::Error>> + Unpin + 'e,
    gathering: &mut Gathering,
) -> Result<bool, sqlx::Error> {
    while let Some(row) = rows.try_next().await? {
        if !gathering.take(row.try_get("document")?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A file that is missing would be taken for a host that is.
fn readable(ca: &Path, at: &str) -> Result<(), PgError> {
    let said = |error: &io::Error| format!("cannot read sslrootcert {}: {error}", ca.display());
    std::fs::File::open(ca).map(|_| ()).map_err(|error| PgError::unread(at, &error, said(&error)))
}

/// A statement without a name, whatever was asked of it before: a named one would stay behind on a connection that the
/// pooler lends to others.
#[expect(clippy::disallowed_methods, reason = "this is the one place that queries go through")]
fn unnamed<'q>(sql: impl SqlSafeStr, bind: impl FnOnce(Bound<'q>) -> Bound<'q>) -> Bound<'q> {
    bind(sqlx::query(sql)).persistent(false)
}

async fn answered<T>(
    at: &str,
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, PgError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| PgError::of(at, &error)),
        Err(_) => Err(late(at, limit)),
    }
}

fn late(at: &str, limit: Duration) -> PgError {
    PgError::timed_out(at, format!("no answer within {} s", limit.as_secs()))
}
