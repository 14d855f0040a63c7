//! Stores tuning sessions and reads them back.
//!
//! A session grows. Each state of it that is sent is one row, so that storing needs no right to
//! read or change rows; the row with the most attempts is the session.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::list::damaged;
use super::rows::{place, text, texts};
use super::{DatabaseError, schema};
use crate::library_text::describe_json;
use crate::postgres::{PgRow, PgSession, Transaction, TransactionMode};
use crate::record::session::{SESSION_FORMAT, SessionEnding, SessionRecord};

/// The order of a session's states, the newest first: attempts are only added, and a session that
/// ended complete has no later state.
macro_rules! newest {
    () => {
        "attempts desc, (ending = 'complete') desc, stored desc"
    };
}

/// The result of sending a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredSession {
    /// The store that has it.
    pub store: Uuid,
    /// Whether this state of the session is new there. If not, nothing was changed.
    pub is_new: bool,
}

/// A session in a list, without its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    /// Its id.
    pub id: Uuid,
    /// The name in its plan file.
    pub name: String,
    /// When it started.
    pub started: OffsetDateTime,
    /// The Fly app, if its machines were managed.
    pub app: Option<String>,
    /// The attempts of its newest state.
    pub attempts: u32,
    /// How it ended: `complete`, `failed`, `interrupted` or `open`.
    pub ending: String,
    /// What follows from its attempts.
    pub headline: Vec<String>,
}

/// Stores a state of a session, unless the database has it.
pub(super) async fn keep(
    session: &mut PgSession,
    at: &str,
    record: &SessionRecord,
    statement_limit: Duration,
) -> Result<StoredSession, DatabaseError> {
    let mut transaction = session.begin_within(TransactionMode::ReadWrite, statement_limit).await?;
    let store = schema::identity(&mut transaction, at).await?;
    let is_new = insert(&mut transaction, at, record).await?;
    transaction.commit().await?;
    Ok(StoredSession { store, is_new })
}

/// Inserts the row; returns whether it is new.
///
/// `on conflict` names no column, because naming one would require the right to read it.
async fn insert(
    transaction: &mut Transaction<'_>,
    at: &str,
    record: &SessionRecord,
) -> Result<bool, DatabaseError> {
    let from = &record.provenance;
    let unwritable = |error: serde_json::Error| damaged(record.id, at, &describe_json(&error));
    let json = serde_json::to_string(record).map_err(unwritable)?;
    let clean = from.tags.iter().map(|(key, value)| (text(key), text(value)));
    let tags = serde_json::to_string(&clean.collect::<BTreeMap<_, _>>()).map_err(unwritable)?;
    let names = record.plan.configurations.iter().map(|configuration| &configuration.name);
    let headline = record.conclusion.iter().flat_map(|conclusion| &conclusion.headline);
    let sql = "insert into tollgate.sessions (id, attempts, ending, format, name, started, app, configurations, \
               headline, tags, git_commit, host, tollgate, record) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb, $11, $12, $13, $14::text::json) \
               on conflict do nothing";
    let optional = |value: Option<&str>| value.map(|value| text(value).into_owned());
    let added = transaction.execute(sql, |query| {
        query
            .bind(record.id)
            .bind(place(record.attempts.len()))
            .bind(ending(record))
            .bind(i32::try_from(record.format).unwrap_or(i32::MAX))
            .bind(text(&record.name).into_owned())
            .bind(from.started)
            .bind(optional(record.plan.app.as_deref()))
            .bind(texts(names))
            .bind(texts(headline))
            .bind(tags)
            .bind(optional(from.git_commit.as_deref()))
            .bind(text(&from.host.name).into_owned())
            .bind(text(&from.tollgate).into_owned())
            .bind(json)
    });
    Ok(added.await? > 0)
}

fn ending(record: &SessionRecord) -> &'static str {
    match record.ending {
        None => "open",
        Some(SessionEnding::Interrupted) => "interrupted",
        Some(SessionEnding::Failed(_)) => "failed",
        Some(SessionEnding::Complete) => "complete",
    }
}

/// Reads the newest state of a session: by its id, the id's last eight digits, its folder's name or
/// a beginning of it, or the name in its plan file.
pub(super) async fn fetch(
    session: &mut PgSession,
    at: &str,
    name: &str,
) -> Result<SessionRecord, DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    schema::readable_version(&mut transaction, at).await?;
    let id = find(&mut transaction, at, name).await?;
    let sql = concat!(
        "select format, record::text as record from tollgate.sessions where id = $1 order by ",
        newest!(),
        " limit 1"
    );
    let rows = transaction.fetch_rows(sql, |query| query.bind(id)).await?;
    let row = rows.first().ok_or_else(|| no_session(name, at))?;
    let record = decode(&transaction, row, (id, at))?;
    transaction.commit().await?;
    Ok(record)
}

fn decode(
    transaction: &Transaction<'_>,
    row: &PgRow,
    (id, at): (Uuid, &str),
) -> Result<SessionRecord, DatabaseError> {
    let format: i32 = transaction.column_value(row, "format")?;
    if format > i32::try_from(SESSION_FORMAT).unwrap_or(i32::MAX) {
        let why = format!(
            "its record has format {format}, and this tollgate reads up to {SESSION_FORMAT}; use a newer tollgate"
        );
        return Err(damaged(id, at, &why));
    }
    let json: &str = transaction.column_value(row, "record")?;
    super::super::session_folder::decode(json.as_bytes())
        .map_err(|error| damaged(id, at, &describe_json(&error)))
}

async fn find(
    transaction: &mut Transaction<'_>,
    at: &str,
    name: &str,
) -> Result<Uuid, DatabaseError> {
    if let Ok(id) = Uuid::parse_str(name) {
        return Ok(id);
    }
    if name.is_empty() {
        return Err(no_session(name, at));
    }
    let sql = "select distinct id, started from tollgate.sessions where name = $1 or right(id::text, 8) = lower($1) \
               or starts_with( \
                   to_char(started at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24-MI-SS\"Z-\"') || right(id::text, 8), $1) \
               order by started, id limit 8";
    let rows = transaction.fetch_rows(sql, |query| query.bind(name.to_owned())).await?;
    let ids = rows
        .iter()
        .map(|row| transaction.column_value::<Uuid>(row, "id"))
        .collect::<Result<Vec<_>, _>>()?;
    match ids[..] {
        [] => Err(no_session(name, at)),
        [id] => Ok(id),
        _ => Err(DatabaseError::Ambiguous {
            run: name.to_owned(),
            at: at.to_owned(),
            found: ids.iter().map(Uuid::to_string).collect(),
        }),
    }
}

fn no_session(name: &str, at: &str) -> DatabaseError {
    DatabaseError::NoSession { session: name.to_owned(), at: at.to_owned() }
}

/// The sessions in their newest state, newest first.
pub(super) async fn summaries(
    session: &mut PgSession,
    at: &str,
) -> Result<Vec<SessionSummary>, DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    let (version, _) = schema::readable_version(&mut transaction, at).await?;
    if version < schema::SESSIONS {
        return Ok(Vec::new());
    }
    let sql = concat!(
        "select * from (select distinct on (id) id, name, started, app, attempts, ending, headline ",
        "from tollgate.sessions order by id, ",
        newest!(),
        ") newest order by started desc, id desc"
    );
    let rows = transaction.fetch_rows(sql, |query| query).await?;
    let sessions =
        rows.iter().map(|row| summary(&transaction, row)).collect::<Result<Vec<_>, _>>()?;
    transaction.commit().await?;
    Ok(sessions)
}

fn summary(transaction: &Transaction<'_>, row: &PgRow) -> Result<SessionSummary, DatabaseError> {
    let attempts: i32 = transaction.column_value(row, "attempts")?;
    Ok(SessionSummary {
        id: transaction.column_value(row, "id")?,
        name: transaction.column_value(row, "name")?,
        started: transaction.column_value(row, "started")?,
        app: transaction.column_value(row, "app")?,
        attempts: u32::try_from(attempts).unwrap_or_default(),
        ending: transaction.column_value(row, "ending")?,
        headline: transaction.column_value(row, "headline")?,
    })
}

/// Deletes the states of sessions that a newer state of the same session has replaced, if the
/// session started longer ago than `keep`; returns their number. The newest state of each stays.
pub(super) async fn prune(
    session: &mut PgSession,
    keep: Duration,
    pretend: bool,
) -> Result<u64, DatabaseError> {
    let mode = if pretend { TransactionMode::ReadOnly } else { TransactionMode::ForceReadWrite };
    let mut transaction = session.begin(mode).await?;
    let found = if pretend {
        let rows = transaction.fetch_rows(OLD, |query| query.bind(keep.as_secs_f64())).await?;
        rows.len() as u64
    } else {
        transaction.execute(DELETE_OLD, |query| query.bind(keep.as_secs_f64())).await?
    };
    transaction.commit().await?;
    Ok(found)
}

/// The states that a newer one has replaced.
macro_rules! old_states {
    () => {
        concat!(
            "select id, attempts, ending from (select id, attempts, ending, started, ",
            "row_number() over (partition by id order by ",
            newest!(),
            ") as age from tollgate.sessions) aged ",
            "where age > 1 and started < now() - make_interval(secs => $1)"
        )
    };
}

const OLD: &str = old_states!();
const DELETE_OLD: &str =
    concat!("delete from tollgate.sessions where (id, attempts, ending) in (", old_states!(), ")");
