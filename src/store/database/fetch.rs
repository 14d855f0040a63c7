//! Reads a run back, complete and unchanged.

use std::collections::HashMap;

use uuid::Uuid;

use super::list::{damaged, micros};
use super::numbering::RowNumbering;
use super::{DatabaseError, schema};
use crate::hlog::SERVER_TIMING;
use crate::postgres::{PgRow, PgSession, Transaction, TransactionMode};
use crate::record::{
    DimensionHistograms, FORMAT, Histogram, Interval, RunRecord, ServerTimings, Stage,
};

/// A run as stored in the database.
#[derive(Debug)]
pub struct FetchedRun {
    /// The store that has it.
    pub identity: Uuid,
    /// The run.
    pub record: Box<RunRecord>,
    /// Whether its intervals were pruned.
    pub pruned: bool,
}

/// Reads the run of this name.
pub(super) async fn fetch(
    session: &mut PgSession,
    at: &str,
    run: &str,
) -> Result<FetchedRun, DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    let (_, identity) = schema::readable_version(&mut transaction, at).await?;
    let id = find(&mut transaction, at, run).await?;
    let sql = "select format, record::text as record, pruned is not null as pruned from tollgate.runs where id = $1";
    let rows = transaction.fetch_rows(sql, |query| query.bind(id)).await?;
    let row = rows.first().ok_or_else(|| no_run(run, at))?;
    let format: i32 = transaction.column_value(row, "format")?;
    if format > i32::try_from(FORMAT).unwrap_or(i32::MAX) {
        let why = format!("its record has format {format}, and this tollgate reads up to {FORMAT}");
        return Err(damaged(id, at, &why));
    }
    let json: &str = transaction.column_value(row, "record")?;
    let record: RunRecord = serde_json::from_str(json).map_err(|error| damaged(id, at, &error))?;
    let pruned = transaction.column_value(row, "pruned")?;
    transaction.commit().await?;
    Ok(FetchedRun { identity, record: Box::new(record), pruned })
}

/// Finds a run's id from the whole id, its last eight digits, its name, or a beginning of its name
/// that no other run shares. [`run_name`](crate::record::run_name) makes the names.
async fn find(
    transaction: &mut Transaction<'_>,
    at: &str,
    run: &str,
) -> Result<Uuid, DatabaseError> {
    if let Ok(id) = Uuid::parse_str(run) {
        return Ok(id);
    }
    if run.is_empty() {
        return Err(no_run(run, at));
    }
    let sql = "select id from tollgate.runs where right(id::text, 8) = lower($1) or starts_with( \
                   to_char(started at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24-MI-SS\"Z-\"') || right(id::text, 8), $1) \
               order by started, id limit 8";
    let rows = transaction.fetch_rows(sql, |query| query.bind(run.to_owned())).await?;
    let ids = rows
        .iter()
        .map(|row| transaction.column_value::<Uuid>(row, "id"))
        .collect::<Result<Vec<_>, _>>()?;
    match ids[..] {
        [] => Err(no_run(run, at)),
        [id] => Ok(id),
        _ => Err(DatabaseError::Ambiguous {
            run: run.to_owned(),
            at: at.to_owned(),
            found: ids.iter().map(Uuid::to_string).collect(),
        }),
    }
}

fn no_run(run: &str, at: &str) -> DatabaseError {
    DatabaseError::NoRun { run: run.to_owned(), at: at.to_owned() }
}

/// How many intervals are read at once. The histograms of one interval take up to 1 MB when
/// decoded.
const AT_ONCE: i32 = 64;

/// Passes a run's intervals to the caller in the order in which they settled; none if they were
/// pruned.
pub(super) async fn intervals<E: From<DatabaseError>>(
    session: &mut PgSession,
    at: &str,
    record: &RunRecord,
    mut each: impl FnMut(Interval) -> Result<(), E>,
) -> Result<(), E> {
    let mut from = 0;
    loop {
        let some = some_intervals(session, at, record, from).await?;
        let Some((last, _)) = some.last() else { return Ok(()) };
        from = last.saturating_add(1);
        some.into_iter().try_for_each(|(_, interval)| each(interval))?;
    }
}

/// The next intervals from a position on, with their positions.
async fn some_intervals(
    session: &mut PgSession,
    at: &str,
    record: &RunRecord,
    from: i32,
) -> Result<Vec<(i32, Interval)>, DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    let sql = "select i.position, i.request, i.stage, i.start_us, i.tally::text as tally from tollgate.intervals i \
               join tollgate.runs r on r.id = i.run_id and r.pruned is null \
               where i.run_id = $1 and i.position >= $2 order by i.position limit $3";
    let rows =
        transaction.fetch_rows(sql, |query| query.bind(record.id).bind(from).bind(AT_ONCE)).await?;
    let positions = rows.iter().map(|row| transaction.column_value(row, "position"));
    let positions = positions.collect::<Result<Vec<i32>, _>>()?;
    let mut histograms = histograms(&mut transaction, at, record.id, &positions).await?;
    let numbering = RowNumbering::of(record);
    let mut intervals = Vec::with_capacity(rows.len());
    for (row, position) in rows.iter().zip(positions) {
        let mut interval = interval(&transaction, at, record.id, &numbering, row)?;
        (interval.series, interval.server_timings) =
            histograms.remove(&position).unwrap_or_default();
        intervals.push((position, interval));
    }
    transaction.commit().await?;
    Ok(intervals)
}

/// An interval with its counts, without its histograms.
fn interval(
    transaction: &Transaction<'_>,
    at: &str,
    run: Uuid,
    numbering: &RowNumbering<'_>,
    row: &PgRow,
) -> Result<Interval, DatabaseError> {
    let position =
        usize::try_from(transaction.column_value::<i32>(row, "request")?).unwrap_or(usize::MAX);
    let request = numbering.requests.get(position);
    let request =
        request.ok_or_else(|| damaged(run, at, &format!("there is no request {position}")))?;
    let scenario = numbering.scenarios.get(request.scenario).map(|scenario| scenario.name);
    let stage: &str = transaction.column_value(row, "stage")?;
    let known = Stage::ALL.into_iter().find(|known| known.name() == stage);
    let tally: &str = transaction.column_value(row, "tally")?;
    Ok(Interval {
        scenario: scenario.unwrap_or_default().to_owned(),
        request: request.name.to_owned(),
        stage: known.ok_or_else(|| damaged(run, at, &format!("`{stage}` is not a stage")))?,
        start: micros(transaction.column_value(row, "start_us")?),
        tally: serde_json::from_str(tally).map_err(|error| damaged(run, at, &error))?,
        series: DimensionHistograms::default(),
        server_timings: ServerTimings::default(),
        samples: Vec::new(),
    })
}

/// The histograms of intervals, by their positions.
async fn histograms(
    transaction: &mut Transaction<'_>,
    at: &str,
    run: Uuid,
    positions: &[i32],
) -> Result<HashMap<i32, (DimensionHistograms, ServerTimings)>, DatabaseError> {
    let sql = "select interval, dimension, hdr from tollgate.interval_histograms \
               where run_id = $1 and interval = any($2)";
    let rows = transaction.fetch_rows(sql, |query| query.bind(run).bind(positions)).await?;
    let mut all: HashMap<i32, (DimensionHistograms, ServerTimings)> = HashMap::new();
    for row in &rows {
        let histogram = Histogram::from_v2(transaction.column_value(row, "hdr")?)?;
        let (series, server_timings) =
            all.entry(transaction.column_value(row, "interval")?).or_default();
        let dimension: &str = transaction.column_value(row, "dimension")?;
        if let Some(metric) = dimension.strip_prefix(SERVER_TIMING) {
            server_timings.add(metric, &histogram);
            continue;
        }
        let unknown = |_| damaged(run, at, &format!("`{dimension}` is not a dimension"));
        series.add(dimension.parse().map_err(unknown)?, &histogram);
    }
    Ok(all)
}
