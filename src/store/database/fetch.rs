//! A run read back whole, to the letter.

use std::collections::HashMap;

use uuid::Uuid;

use super::list::{damaged, micros};
use super::numbering::Numbering;
use super::rows::SERVER_TIMING;
use super::{DatabaseError, schema};
use crate::postgres::{Mode, PgRow, Session, Transaction};
use crate::record::{FORMAT, Histogram, Interval, RunRecord, Series, ServerTimings, Stage};

/// A run as the database holds it.
#[derive(Debug)]
pub struct Fetched {
    /// The store it is in.
    pub identity: Uuid,
    /// The run.
    pub record: Box<RunRecord>,
    /// Its seconds, in the order they were settled; none where they were pruned.
    pub intervals: Vec<Interval>,
    /// Whether its seconds were dropped.
    pub pruned: bool,
}

/// The run of this name.
pub(super) async fn fetch(session: &mut Session, at: &str, run: &str) -> Result<Fetched, DatabaseError> {
    let mut transaction = session.begin(Mode::ReadOnly).await?;
    let identity = schema::identity(&mut transaction, at).await?;
    let id = find(&mut transaction, at, run).await?;
    let sql = "select format, record::text as record, pruned is not null as pruned from tollgate.runs where id = $1";
    let rows = transaction.rows(sql, |query| query.bind(id)).await?;
    let row = rows.first().ok_or_else(|| no_run(run, at))?;
    let format: i32 = transaction.value(row, "format")?;
    if format > i32::try_from(FORMAT).unwrap_or(i32::MAX) {
        let why = format!("its record has format {format}, and this tollgate reads up to {FORMAT}");
        return Err(damaged(id, at, &why));
    }
    let json: &str = transaction.value(row, "record")?;
    let record: RunRecord = serde_json::from_str(json).map_err(|error| damaged(id, at, &error))?;
    let pruned = transaction.value(row, "pruned")?;
    let intervals = intervals(&mut transaction, at, &record).await?;
    Ok(Fetched { identity, record: Box::new(record), intervals, pruned })
}

/// The id of the run that is meant: by the whole id, its last eight digits, or a run's name or as much of its beginning as
/// no other run shares; [`run_name`](crate::record::run_name) makes those names.
async fn find(transaction: &mut Transaction<'_>, at: &str, run: &str) -> Result<Uuid, DatabaseError> {
    if let Ok(id) = Uuid::parse_str(run) {
        return Ok(id);
    }
    if run.is_empty() {
        return Err(no_run(run, at));
    }
    let sql = "select id from tollgate.runs where right(id::text, 8) = lower($1) or starts_with( \
                   to_char(started at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24-MI-SS\"Z-\"') || right(id::text, 8), $1) \
               order by started, id limit 8";
    let rows = transaction.rows(sql, |query| query.bind(run.to_owned())).await?;
    let ids = rows.iter().map(|row| transaction.value::<Uuid>(row, "id")).collect::<Result<Vec<_>, _>>()?;
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

async fn intervals(
    transaction: &mut Transaction<'_>,
    at: &str,
    record: &RunRecord,
) -> Result<Vec<Interval>, DatabaseError> {
    let mut histograms = histograms(transaction, at, record.id).await?;
    let sql = "select position, request, stage, start_us, tally::text as tally from tollgate.intervals \
               where run_id = $1 order by position";
    let rows = transaction.rows(sql, |query| query.bind(record.id)).await?;
    let numbering = Numbering::of(record);
    rows.iter()
        .map(|row| {
            let mut interval = interval(transaction, at, record.id, &numbering, row)?;
            let position: i32 = transaction.value(row, "position")?;
            (interval.series, interval.server_timings) = histograms.remove(&position).unwrap_or_default();
            Ok(interval)
        })
        .collect()
}

/// A second with its counts, without its histograms.
fn interval(
    transaction: &Transaction<'_>,
    at: &str,
    run: Uuid,
    numbering: &Numbering<'_>,
    row: &PgRow,
) -> Result<Interval, DatabaseError> {
    let position = usize::try_from(transaction.value::<i32>(row, "request")?).unwrap_or(usize::MAX);
    let request = numbering.requests.get(position);
    let request = request.ok_or_else(|| damaged(run, at, &format!("there is no request {position}")))?;
    let scenario = numbering.scenarios.get(request.scenario).map(|scenario| scenario.name);
    let stage: &str = transaction.value(row, "stage")?;
    let known = Stage::ALL.into_iter().find(|known| known.name() == stage);
    let tally: &str = transaction.value(row, "tally")?;
    Ok(Interval {
        scenario: scenario.unwrap_or_default().to_owned(),
        request: request.name.to_owned(),
        stage: known.ok_or_else(|| damaged(run, at, &format!("`{stage}` is no stage")))?,
        start: micros(transaction.value(row, "start_us")?),
        tally: serde_json::from_str(tally).map_err(|error| damaged(run, at, &error))?,
        series: Series::default(),
        server_timings: ServerTimings::default(),
    })
}

/// The histograms of each second, by its position.
async fn histograms(
    transaction: &mut Transaction<'_>,
    at: &str,
    run: Uuid,
) -> Result<HashMap<i32, (Series, ServerTimings)>, DatabaseError> {
    let sql = "select interval, dimension, hdr from tollgate.interval_histograms where run_id = $1";
    let rows = transaction.rows(sql, |query| query.bind(run)).await?;
    let mut all: HashMap<i32, (Series, ServerTimings)> = HashMap::new();
    for row in &rows {
        let histogram = Histogram::from_v2(transaction.value(row, "hdr")?)?;
        let (series, told) = all.entry(transaction.value(row, "interval")?).or_default();
        let dimension: &str = transaction.value(row, "dimension")?;
        if let Some(metric) = dimension.strip_prefix(SERVER_TIMING) {
            told.add(metric, &histogram);
            continue;
        }
        let unknown = |_| damaged(run, at, &format!("`{dimension}` is no dimension"));
        series.add(dimension.parse().map_err(unknown)?, &histogram);
    }
    Ok(all)
}
