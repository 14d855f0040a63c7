//! Which runs each series has on each day.

use std::collections::{BTreeMap, HashSet};

use time::OffsetDateTime;
use uuid::Uuid;

use super::DatabaseError;
use super::list::covered_runs;
use crate::history::{DayPart, HistoryFilter, HistoryScope, SeriesKey};
use crate::postgres::{PgRow, Transaction};

/// The runs of each series by parts of days, in the order of their starts.
pub(super) type SeriesIndex = BTreeMap<SeriesKey, BTreeMap<DayPart, Vec<Uuid>>>;

/// Number of runs that one statement reads.
const PAGE: i64 = 10_000;

/// One row per run and scenario.
const SQL: &str = "\
    select r.id, r.started, r.environment, r.imported, s.name as scenario \
    from (select id, started, environment, tags ->> 'imported' as imported from tollgate.runs \
        where ($1::timestamptz is null or started >= $1) and ($2::timestamptz is null or started < $2) \
        and tags @> $3::text::jsonb \
        and ($4::text is null or exists \
            (select from tollgate.scenarios w where w.run_id = runs.id and w.name = $4)) \
        and ($5::timestamptz is null or (started, id) > ($5, $6)) \
        order by started, id limit $7) r \
    left join tollgate.scenarios s on s.run_id = r.id and ($4::text is null or s.name = $4) \
    order by r.started, r.id, s.position";

/// Reads the index of the runs that a filter matches, each shard once.
pub(super) async fn read_index(
    transaction: &mut Transaction<'_>,
    filter: &HistoryFilter,
    scope: &HistoryScope,
) -> Result<SeriesIndex, DatabaseError> {
    let covered: HashSet<Uuid> = covered_runs(transaction).await?.into_iter().collect();
    let (mut index, mut last) = (SeriesIndex::new(), None);
    loop {
        let rows = page(transaction, filter, last).await?;
        for row in &rows {
            let run: (OffsetDateTime, Uuid) =
                (transaction.column_value(row, "started")?, transaction.column_value(row, "id")?);
            last = Some(run);
            if let Some(key) = key(transaction, row)?.filter(|_| !covered.contains(&run.1)) {
                let runs = index.entry(key).or_default().entry(scope.part_of(run.0)).or_default();
                // A scenario that is named twice is still one run.
                if runs.last() != Some(&run.1) {
                    runs.push(run.1);
                }
            }
        }
        if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            return Ok(index);
        }
    }
}

async fn page(
    transaction: &mut Transaction<'_>,
    filter: &HistoryFilter,
    last: Option<(OffsetDateTime, Uuid)>,
) -> Result<Vec<PgRow>, DatabaseError> {
    let tags = serde_json::to_string(&filter.tags).unwrap_or_else(|_| "{}".to_owned());
    let rows = transaction.fetch_rows(SQL, |query| {
        let query = query.bind(filter.since).bind(filter.until).bind(tags);
        let query = query.bind(filter.scenario.clone());
        query.bind(last.map(|last| last.0)).bind(last.map(|last| last.1)).bind(PAGE)
    });
    Ok(rows.await?)
}

/// The series of a row; `None` for a run without scenarios.
fn key(transaction: &Transaction<'_>, row: &PgRow) -> Result<Option<SeriesKey>, DatabaseError> {
    let Some(scenario) = transaction.column_value(row, "scenario")? else { return Ok(None) };
    let environment = transaction.column_value(row, "environment")?;
    let imported = transaction.column_value(row, "imported")?;
    Ok(Some(SeriesKey { scenario, environment, imported }))
}
