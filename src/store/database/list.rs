//! Lists of runs for histories, read without the records.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{DatabaseError, schema};
use crate::history::{CoveredRuns, HistoryFilter};
use crate::postgres::{PgError, PgErrorKind, PgRow, PgSession, Transaction, TransactionMode};
use crate::record::{Decision, EncodedHistogram, ImportedFacts, RequestSummary, RunSummary};

/// Which of these runs the database has; `None` if the user may not read that.
pub(super) async fn which(
    session: &mut PgSession,
    ids: &[Uuid],
) -> Result<Option<Vec<Uuid>>, DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    let found = transaction
        .fetch_rows("select id from tollgate.runs where id = any($1)", |query| query.bind(ids))
        .await;
    match found {
        Ok(rows) => {
            let ids = rows
                .iter()
                .map(|row| transaction.column_value(row, "id"))
                .collect::<Result<_, _>>()?;
            transaction.commit().await?;
            Ok(Some(ids))
        }
        Err(PgError { kind: PgErrorKind::Rights, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Summaries of the runs that a filter may match, oldest first. Runs that are counted in a merged
/// run are left out (see [`CoveredRuns`]), even if the filter does not match the merged run.
pub(super) async fn summaries(
    session: &mut PgSession,
    at: &str,
    filter: &HistoryFilter,
) -> Result<Vec<RunSummary>, DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    schema::readable_version(&mut transaction, at).await?;
    let covered = covered_runs(&mut transaction).await?;
    let sql = "select r.id, r.started, r.elapsed_us, r.host, r.git_commit, r.tags::text as tags, r.parts, r.decision, \
               s.name as scenario, s.decision as judged, q.name as request, t.exchanges, t.ok, \
               h.count, h.clipped, h.min_us, h.p50_us, h.p95_us, h.p99_us, h.max_us, h.hdr, \
               case when jsonb_exists(r.tags, 'imported') then s.caveats end as caveats, \
               case when jsonb_exists(r.tags, 'imported') then array(select v.budget from tollgate.verdicts v \
                   where v.run_id = r.id and v.scenario = s.position and v.request = q.name and v.budget is not null \
                   order by v.position) end as budgets \
               from tollgate.runs r \
               left join (tollgate.requests q \
                   join tollgate.scenarios s on s.run_id = q.run_id and s.position = q.scenario \
                   left join tollgate.totals t on t.run_id = q.run_id and t.request = q.position and t.stage = 'measured' \
                   left join tollgate.total_histograms h on h.run_id = q.run_id and h.request = q.position \
                       and h.stage = 'measured' and h.dimension = 'latency') \
                   on q.run_id = r.id and q.hop_of is null \
               where ($1::timestamptz is null or r.started >= $1) and ($2::timestamptz is null or r.started < $2) \
               and r.tags @> $3::text::jsonb \
               and ($4::text is null or exists \
                   (select from tollgate.scenarios w where w.run_id = r.id and w.name = $4)) \
               and r.id <> all($5) \
               order by r.started, r.id, q.position";
    let tags = serde_json::to_string(&filter.tags).unwrap_or_else(|_| "{}".to_owned());
    let rows = transaction
        .fetch_rows(sql, |query| {
            query
                .bind(filter.since)
                .bind(filter.until)
                .bind(tags)
                .bind(filter.scenario.clone())
                .bind(covered)
        })
        .await?;
    let mut runs: Vec<RunSummary> = Vec::new();
    for row in &rows {
        let id: Uuid = transaction.column_value(row, "id")?;
        if runs.last().is_none_or(|last| last.id != id) {
            runs.push(run(&transaction, row, at)?);
        }
        if let (Some(run), Some(request)) = (runs.last_mut(), request(&transaction, row, at)?) {
            run.requests.push(request);
        }
    }
    transaction.commit().await?;
    Ok(runs)
}

/// When the runs of some scenarios started, and their ids; see [`super::Database::run_starts`].
pub(super) async fn run_starts(
    (session, at): (&mut PgSession, &str),
    scenarios: &[&str],
    (since, until): (Option<OffsetDateTime>, OffsetDateTime),
) -> Result<Vec<(OffsetDateTime, Uuid)>, DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    schema::readable_version(&mut transaction, at).await?;
    let covered = covered_runs(&mut transaction).await?;
    let sql = "select r.id, r.started from tollgate.runs r \
               where ($1::timestamptz is null or r.started >= $1) and r.started < $2 \
               and exists (select from tollgate.scenarios s where s.run_id = r.id and s.name = any($3)) \
               and r.id <> all($4) order by r.started, r.id";
    let rows = transaction
        .fetch_rows(sql, |query| query.bind(since).bind(until).bind(scenarios).bind(covered))
        .await?;
    let start =
        |row| Ok((transaction.column_value(row, "started")?, transaction.column_value(row, "id")?));
    let starts = rows.iter().map(start).collect::<Result<Vec<_>, PgError>>()?;
    transaction.commit().await?;
    Ok(starts)
}

/// The runs that are counted in merged runs.
pub(super) async fn covered_runs(
    transaction: &mut Transaction<'_>,
) -> Result<Vec<Uuid>, DatabaseError> {
    let sql = "select id, parts from tollgate.runs where cardinality(parts) > 0";
    let rows = transaction.fetch_rows(sql, |query| query).await?;
    let merge =
        |row| Ok((transaction.column_value(row, "id")?, transaction.column_value(row, "parts")?));
    let merges = rows.iter().map(merge).collect::<Result<Vec<(Uuid, Vec<Uuid>)>, PgError>>()?;
    Ok(CoveredRuns::of(merges).ids.into_iter().collect())
}

/// The run of a row, without its requests.
pub(super) fn run(
    transaction: &Transaction<'_>,
    row: &PgRow,
    at: &str,
) -> Result<RunSummary, DatabaseError> {
    let id: Uuid = transaction.column_value(row, "id")?;
    let tags: String = transaction.column_value(row, "tags")?;
    let damaged = |error: serde_json::Error| damaged(id, at, &error);
    Ok(RunSummary {
        id,
        started: transaction.column_value(row, "started")?,
        elapsed: micros(transaction.column_value(row, "elapsed_us")?),
        host: transaction.column_value(row, "host")?,
        git_commit: transaction.column_value(row, "git_commit")?,
        tags: serde_json::from_str(&tags).map_err(damaged)?,
        parts: transaction.column_value(row, "parts")?,
        decision: decision(transaction.column_value(row, "decision")?, id, at)?,
        requests: Vec::new(),
    })
}

/// The request of a row; a run may have none.
pub(super) fn request(
    transaction: &Transaction<'_>,
    row: &PgRow,
    at: &str,
) -> Result<Option<RequestSummary>, DatabaseError> {
    let id: Uuid = transaction.column_value(row, "id")?;
    let Some(name) = transaction.column_value(row, "request")? else { return Ok(None) };
    let count = |column| {
        transaction.column_value::<Option<i64>>(row, column).map(|count| count.map_or(0, unsigned))
    };
    Ok(Some(RequestSummary {
        scenario: transaction.column_value(row, "scenario")?,
        request: name,
        decision: decision(transaction.column_value(row, "judged")?, id, at)?,
        exchanges: count("exchanges")?,
        ok: count("ok")?,
        latency: histogram(transaction, row, "")?,
        figures: None,
        imported: imported(transaction, row)?,
    }))
}

/// What is known of an imported request.
fn imported(
    transaction: &Transaction<'_>,
    row: &PgRow,
) -> Result<Option<ImportedFacts>, DatabaseError> {
    let texts = |column| transaction.column_value::<Option<Vec<String>>>(row, column);
    let (caveats, budgets) = (texts("caveats")?, texts("budgets")?.unwrap_or_default());
    Ok(caveats.map(|caveats| ImportedFacts { budgets, caveats }))
}

/// The histogram in the columns whose names begin with `prefix`; empty if they are null.
pub(super) fn histogram(
    transaction: &Transaction<'_>,
    row: &PgRow,
    prefix: &str,
) -> Result<EncodedHistogram, DatabaseError> {
    let figure = |name: &str| {
        let value = transaction.column_value::<Option<i64>>(row, &format!("{prefix}{name}"));
        value.map(|value| value.map(unsigned))
    };
    let hdr: Option<Vec<u8>> = transaction.column_value(row, &format!("{prefix}hdr"))?;
    Ok(EncodedHistogram {
        count: figure("count")?.unwrap_or(0),
        min_us: figure("min_us")?,
        p50_us: figure("p50_us")?,
        p95_us: figure("p95_us")?,
        p99_us: figure("p99_us")?,
        max_us: figure("max_us")?,
        clipped: figure("clipped")?.unwrap_or(0),
        hdr: hdr.unwrap_or_default(),
    })
}

/// A count or a number of microseconds; neither is ever negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn micros(number: i64) -> Duration {
    Duration::from_micros(unsigned(number))
}

pub(super) fn decision(name: &str, run: Uuid, at: &str) -> Result<Decision, DatabaseError> {
    let known = Decision::ALL.into_iter().find(|decision| decision.name() == name);
    known.ok_or_else(|| damaged(run, at, &format!("`{name}` is not a decision")))
}

pub(super) fn damaged(run: Uuid, at: &str, why: &dyn std::fmt::Display) -> DatabaseError {
    DatabaseError::Damaged { run: run.to_string(), at: at.to_owned(), why: why.to_string() }
}
