//! Stores a run in one transaction, beginning with its row in `runs`.

mod intervals;
mod parts;

use std::time::Duration;

use super::super::StoreError;
use super::list::damaged;
use super::numbering::RowNumbering;
use super::rows::{text, texts, whole};
use super::{DatabaseError, StoredRun, schema};
use crate::postgres::{PgSession, Transaction, TransactionMode};
use crate::record::{Interval, RunEnding, RunRecord, RunSummary, Stage};

/// Stores a run with its intervals, unless the database has it.
pub(super) async fn keep(
    session: &mut PgSession,
    at: &str,
    record: &RunRecord,
    intervals: impl Iterator<Item = Result<Interval, StoreError>>,
    statement_limit: Duration,
) -> Result<StoredRun, DatabaseError> {
    let mut transaction = session.begin_within(TransactionMode::ReadWrite, statement_limit).await?;
    let store = schema::identity(&mut transaction, at).await?;
    let mut seconds = intervals.peekable();
    let pruned = seconds.peek().is_none() && has_exchanges(record);
    if !run(&mut transaction, record, pruned, at).await? {
        transaction.commit().await?;
        return Ok(StoredRun { store, is_new: false });
    }
    let numbering = RowNumbering::of(record);
    parts::scenarios(&mut transaction, record, &numbering).await?;
    parts::requests(&mut transaction, record.id, &numbering).await?;
    parts::totals(&mut transaction, record.id, &numbering).await?;
    parts::failures(&mut transaction, record.id, &numbering).await?;
    parts::verdicts(&mut transaction, record, &numbering).await?;
    intervals::send(&mut transaction, record.id, &numbering, seconds).await?;
    transaction.commit().await?;
    Ok(StoredRun { store, is_new: true })
}

/// Whether anything was measured. If so and the run has no intervals, it came from a store that had
/// pruned it.
fn has_exchanges(record: &RunRecord) -> bool {
    let mut requests = record.measurement.scenarios.iter().flat_map(|scenario| &scenario.requests);
    requests.any(|request| Stage::ALL.iter().any(|stage| request.stage(*stage).tally.exchanges > 0))
}

/// Inserts the run's row in `runs`; returns whether it is new.
///
/// `on conflict` names no column, because naming one would require the right to read it.
async fn run(
    transaction: &mut Transaction<'_>,
    record: &RunRecord,
    pruned: bool,
    at: &str,
) -> Result<bool, DatabaseError> {
    let (from, measured, verdict) = (&record.provenance, &record.measurement, &record.verdict);
    let damaged = |error: serde_json::Error| damaged(record.id, at, &error);
    let json = serde_json::to_string(record).map_err(damaged)?;
    let clean = from.tags.iter().map(|(key, value)| (text(key), text(value)));
    let tags = serde_json::to_string(&clean.collect::<std::collections::BTreeMap<_, _>>())
        .map_err(damaged)?;
    let sql = "insert into tollgate.runs (id, format, started, elapsed_us, measured_from_us, ending, decision, rule, \
               confidence, tags, git_commit, parts, host, tollgate, command, record, pruned) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb, $11, $12, $13, $14, $15, $16::text::json, case when $17 then now() end) \
               on conflict do nothing";
    let added = transaction.execute(sql, |query| {
        query
            .bind(record.id)
            .bind(i32::try_from(record.format).unwrap_or(i32::MAX))
            .bind(from.started)
            .bind(whole(measured.elapsed.as_micros()))
            .bind(whole(measured.measured_from.as_micros()))
            .bind(ending(&measured.ending))
            .bind(verdict.decision.name())
            .bind(text(&verdict.rule).into_owned())
            .bind(verdict.confidence.as_f64())
            .bind(tags)
            .bind(from.git_commit.as_deref().map(|commit| text(commit).into_owned()))
            .bind(RunSummary::parts_of(record))
            .bind(text(&from.host.name).into_owned())
            .bind(text(&from.tollgate).into_owned())
            .bind(texts(&from.command))
            .bind(json)
            .bind(pruned)
    });
    Ok(added.await? > 0)
}

fn ending(ending: &RunEnding) -> &'static str {
    match ending {
        RunEnding::Complete => "complete",
        RunEnding::SetupFailed(_) => "setup_failed",
        RunEnding::Interrupted => "interrupted",
        RunEnding::TargetDown(_) => "target_down",
        RunEnding::ProvenEarly(_) => "proven_early",
        RunEnding::SeenEnough => "seen_enough",
        RunEnding::Recovered => "recovered",
        RunEnding::Imported(_) => "imported",
    }
}
