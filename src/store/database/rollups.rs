//! Days of series that were added up before.
//!
//! Runs never change, so a day holds for as long as exactly its runs count. Each row names them.
//! A run that came late, was deleted, or counts in a merged run changes that list, and only its
//! day is added up again. Rollups only save work: the caller adds up the runs of a day whose rollup
//! fails its checksum, or whose runs or counts do not fit.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use time::Date;
use uuid::Uuid;

use super::schema;
use crate::history::{ENVIRONMENT_TAG, HistoryFilter, NamedZone, SeriesDay, SeriesKey};
use crate::postgres::{PgError, PgRow, PgSession, Transaction, TransactionMode};

/// The version of the payload. Raise it with any change of what a [`SeriesDay`], or a type of
/// `record` in it, contains or means, and when the bundled time zones change.
const FORMAT: i32 = 1;

/// Number of days that one statement reads.
const PAGE: usize = 100;

/// Maximum size of an inflated payload in bytes: many times that of a run each second.
const LONGEST: u64 = 256 << 20;

/// Longest name of a series that an index of Postgres holds with certainty, in bytes.
const LONGEST_NAME: usize = 2_000;

/// The table of rollups, as far as this user and this schema have it.
pub(super) struct RollupTable {
    can_read: bool,
    can_write: bool,
}

impl RollupTable {
    /// Finds out what this user may do with the table in a schema of this version.
    pub(super) async fn find(
        transaction: &mut Transaction<'_>,
        version: i32,
    ) -> Result<Self, PgError> {
        if version < schema::ROLLUPS {
            return Ok(Self { can_read: false, can_write: false });
        }
        let sql = "select has_table_privilege('tollgate.rollups', 'select') as can_read, \
                   has_table_privilege('tollgate.rollups', 'insert') \
                   and has_table_privilege('tollgate.rollups', 'update') \
                   and not pg_is_in_recovery() as can_write";
        let rows = transaction.fetch_rows(sql, |query| query).await?;
        let right = |column| {
            rows.first().map_or(Ok(false), |row| transaction.column_value::<bool>(row, column))
        };
        let can_read = right("can_read")?;
        Ok(Self { can_read, can_write: can_read && right("can_write")? })
    }

    /// The rollups of those days whose runs are exactly the given ones. Damaged ones are left out.
    pub(super) async fn read(
        &self,
        session: &mut PgSession,
        series: &str,
        days: &BTreeMap<Date, &Vec<Uuid>>,
    ) -> Result<BTreeMap<Date, SeriesDay>, PgError> {
        let mut found = BTreeMap::new();
        if !self.can_read {
            return Ok(found);
        }
        let all: Vec<Date> = days.keys().copied().collect();
        for page in all.chunks(PAGE) {
            let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
            let sql = "select day, runs, payload from tollgate.rollups \
                       where series = $1 and day = any($2) and format = $3";
            let rows =
                transaction.fetch_rows(sql, |query| query.bind(series).bind(page).bind(FORMAT));
            for row in &rows.await? {
                found.extend(day_of(&transaction, row, days)?);
            }
            transaction.commit().await?;
        }
        Ok(found)
    }

    /// Keeps days for the next reader. If the database refuses, the next reader adds them up again.
    pub(super) async fn keep(
        &mut self,
        session: &mut PgSession,
        series: &str,
        days: impl Iterator<Item = &SeriesDay>,
    ) {
        if !self.can_write || series.len() > LONGEST_NAME {
            return;
        }
        let mut rows = RollupRows::default();
        let is_whole = |day: &&SeriesDay| day.left_out.is_empty() && !day.runs.is_empty();
        days.filter(is_whole).for_each(|day| rows.push(day));
        if let Err(error) = rows.insert(session, series).await {
            tracing::debug!("rollups are not kept: {error}");
            self.can_write = false;
        }
    }
}

/// The name of a series of the runs that a filter matches, by days of a zone.
pub(super) fn series_name(key: &SeriesKey, filter: &HistoryFilter, zone: &NamedZone) -> String {
    // The environment is in the key already, whether the filter names it or not.
    let tags: BTreeMap<_, _> =
        filter.tags.iter().filter(|(key, _)| *key != ENVIRONMENT_TAG).collect();
    let SeriesKey { scenario, environment, imported } = key;
    serde_json::json!([zone.name(), scenario, environment, imported, tags]).to_string()
}

/// Deletes the days with a run that is gone: their series may have no runs left, and then no reader
/// would replace them.
pub(super) async fn drop_stale(session: &mut PgSession) -> Result<(), PgError> {
    let mut transaction = session.begin(TransactionMode::ForceReadWrite).await?;
    let sql = "delete from tollgate.rollups where exists (select from unnest(runs) as one (id) \
               where not exists (select from tollgate.runs r where r.id = one.id))";
    transaction.execute(sql, |query| query).await?;
    transaction.commit().await
}

/// Rows to insert, one array per column.
#[derive(Default)]
struct RollupRows {
    day: Vec<Date>,
    runs: Vec<String>,
    payload: Vec<Vec<u8>>,
}

impl RollupRows {
    fn push(&mut self, day: &SeriesDay) {
        let Some(payload) = deflate(day) else { return };
        let ids: Vec<String> = day.runs.iter().map(|run| run.id.to_string()).collect();
        self.day.push(day.day);
        self.runs.push(format!("{{{}}}", ids.join(",")));
        self.payload.push(payload);
    }

    async fn insert(self, session: &mut PgSession, series: &str) -> Result<(), PgError> {
        let mut transaction = session.begin(TransactionMode::ReadWrite).await?;
        // A list of lists cannot be unnested, so each list of runs is a text.
        let sql = "insert into tollgate.rollups (series, day, format, runs, payload) \
                   select $1, day, $2, runs::uuid[], payload \
                   from unnest($3::date[], $4::text[], $5::bytea[]) as rows (day, runs, payload) \
                   on conflict (series, day) do update set format = excluded.format, \
                   runs = excluded.runs, payload = excluded.payload, made = now()";
        let Self { day, runs, payload } = self;
        let insert = transaction.execute(sql, |query| {
            query.bind(series).bind(FORMAT).bind(day).bind(runs).bind(payload)
        });
        insert.await?;
        transaction.commit().await
    }
}

/// The day of a row; `None` if its runs are not those that count, or if it is damaged.
fn day_of(
    transaction: &Transaction<'_>,
    row: &PgRow,
    days: &BTreeMap<Date, &Vec<Uuid>>,
) -> Result<Option<(Date, SeriesDay)>, PgError> {
    let day: Date = transaction.column_value(row, "day")?;
    let runs: Vec<Uuid> = transaction.column_value(row, "runs")?;
    let payload: &[u8] = transaction.column_value(row, "payload")?;
    let is_current = days.get(&day).is_some_and(|counted| **counted == runs);
    let read = || inflate(payload).filter(|read| read.day == day && read.is_consistent());
    let is_of_runs = |read: &SeriesDay| read.runs.iter().map(|run| run.id).eq(runs.iter().copied());
    Ok(is_current.then(read).flatten().filter(is_of_runs).map(|read| (day, read)))
}

fn deflate(day: &SeriesDay) -> Option<Vec<u8>> {
    let json = serde_json::to_vec(day).ok()?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&json).ok()?;
    encoder.finish().ok()
}

fn inflate(payload: &[u8]) -> Option<SeriesDay> {
    let mut json = Vec::new();
    ZlibDecoder::new(payload).take(LONGEST).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}
