//! A connection, and the transactions that every query belongs to.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Connection as _, Postgres};

use super::{Address, PgError};

/// How long an answer may take to arrive. The server ends a statement after 30 s; a server that is gone ends none.
const ANSWER: Duration = Duration::from_secs(35);

/// A connection to a database.
#[derive(Debug)]
pub struct Session {
    connection: PgConnection,
    /// The database, as it is shown.
    at: String,
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
}

/// A statement that values are bound to.
type Statement<'q> = Query<'q, Postgres, PgArguments>;

impl Session {
    /// Opens a connection.
    pub async fn connect(address: &Address) -> Result<Self, PgError> {
        let at = address.shown();
        address.ca().map_or(Ok(()), |ca| readable(ca, &at))?;
        let limit = address.connect_timeout();
        let opening = PgConnection::connect_with(address.options());
        match tokio::time::timeout(limit, opening).await {
            Ok(Ok(connection)) => Ok(Self { connection, at }),
            Ok(Err(error)) => Err(PgError::of(&at, &error)),
            Err(_) => Err(PgError::timed_out(&at, format!("no connection within {} s", limit.as_secs()))),
        }
    }

    /// Begins a transaction.
    pub async fn begin(&mut self, mode: Mode) -> Result<Transaction<'_>, PgError> {
        let Self { connection, at } = self;
        let inner = answered(at, connection.begin_with(mode.begin())).await?;
        Ok(Transaction { inner, at })
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
    fn begin(self) -> &'static str {
        match self {
            Self::ReadOnly => {
                "begin read only; set local statement_timeout = '30s'; set local idle_in_transaction_session_timeout = '60s'"
            }
            Self::ReadWrite => {
                "begin; set local statement_timeout = '30s'; set local idle_in_transaction_session_timeout = '60s'"
            }
            Self::Overriding => {
                "begin read write; set local statement_timeout = '30s'; set local idle_in_transaction_session_timeout = '60s'"
            }
        }
    }
}

impl Transaction<'_> {
    /// Carries a statement out; returns how many rows it concerned.
    pub async fn execute<'q>(
        &mut self,
        sql: &'static str,
        bind: impl FnOnce(Statement<'q>) -> Statement<'q>,
    ) -> Result<u64, PgError> {
        let done = answered(self.at, unnamed(sql, bind).execute(&mut *self.inner)).await?;
        Ok(done.rows_affected())
    }

    /// The rows of a query.
    pub async fn rows<'q>(
        &mut self,
        sql: &'static str,
        bind: impl FnOnce(Statement<'q>) -> Statement<'q>,
    ) -> Result<Vec<PgRow>, PgError> {
        answered(self.at, unnamed(sql, bind).fetch_all(&mut *self.inner)).await
    }

    /// Carries out several statements without values, such as a migration.
    #[expect(
        clippy::disallowed_methods,
        reason = "within a transaction, and the simple protocol names no statement"
    )]
    pub async fn script(&mut self, sql: impl sqlx::SqlSafeStr) -> Result<(), PgError> {
        answered(self.at, sqlx::raw_sql(sql).execute(&mut *self.inner)).await.map(|_| ())
    }

    /// Makes it last. Where this fails, the server may have heard it or not.
    pub async fn commit(self) -> Result<(), PgError> {
        answered(self.at, self.inner.commit()).await
    }

    /// Takes a column's value out of a row.
    pub fn value<'r, T>(&self, row: &'r PgRow, column: &str) -> Result<T, PgError>
    where
        T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
    {
        use sqlx::Row as _;
        row.try_get(column).map_err(|error| PgError::of(self.at, &error))
    }
}

/// A file that is missing would be taken for a host that is.
fn readable(ca: &Path, at: &str) -> Result<(), PgError> {
    let said = |error| format!("cannot read sslrootcert {}: {error}", ca.display());
    std::fs::File::open(ca).map(|_| ()).map_err(|error| PgError::tls(at, said(error)))
}

/// A statement without a name, whatever was asked of it before: a named one would stay behind on a connection that the
/// pooler lends to others.
#[expect(clippy::disallowed_methods, reason = "this is the one place that queries go through")]
fn unnamed<'q>(sql: &'static str, bind: impl FnOnce(Statement<'q>) -> Statement<'q>) -> Statement<'q> {
    bind(sqlx::query(sql)).persistent(false)
}

async fn answered<T>(at: &str, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, PgError> {
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(answer) => answer.map_err(|error| PgError::of(at, &error)),
        Err(_) => Err(PgError::timed_out(at, format!("no answer within {} s", ANSWER.as_secs()))),
    }
}
