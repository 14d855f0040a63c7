//! Deletes the intervals of old runs.

use std::time::Duration;

use uuid::Uuid;

use super::{DatabaseError, schema};
use crate::postgres::{PgSession, TransactionMode};

/// How many intervals one transaction deletes, with their histograms: few enough for a small server
/// and its statement timeout.
const AT_ONCE: i32 = 2_000;

/// What was deleted, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneCount {
    /// Runs that lost intervals.
    pub runs: u64,
    /// The number of these intervals.
    pub intervals: u64,
    /// States of sessions that a newer one had replaced.
    pub session_states: u64,
}

/// Deletes the intervals of runs that started longer ago than `keep`, the oldest run first.
///
/// A run counts as pruned as soon as its first slice is deleted. The next call continues with a run
/// that is pruned in part.
pub(super) async fn prune(
    session: &mut PgSession,
    at: &str,
    keep: Duration,
    pretend: bool,
) -> Result<PruneCount, DatabaseError> {
    let old = old(session, at, keep).await?;
    if !pretend {
        super::rollups::drop_stale(session).await?;
        super::rendezvous::drop_old(session, keep).await?;
    }
    let mut pruned = PruneCount { runs: old.len() as u64, ..PruneCount::default() };
    for (run, intervals) in old {
        pruned.intervals += if pretend { intervals } else { drop_all(session, run).await? };
    }
    Ok(pruned)
}

/// The runs to prune, with the number of their intervals.
async fn old(
    session: &mut PgSession,
    at: &str,
    keep: Duration,
) -> Result<Vec<(Uuid, u64)>, DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    schema::identity(&mut transaction, at).await?;
    let sql = "select r.id, count(*) as intervals from tollgate.runs r join tollgate.intervals i on i.run_id = r.id \
               where r.started < now() - make_interval(secs => $1) group by r.id order by r.started";
    let rows = transaction.fetch_rows(sql, |query| query.bind(keep.as_secs_f64())).await?;
    let run = |row| {
        let intervals = transaction.column_value::<i64>(row, "intervals")?;
        Ok((transaction.column_value(row, "id")?, super::list::unsigned(intervals)))
    };
    let old = rows.iter().map(run).collect();
    transaction.commit().await?;
    old
}

/// Deletes a run's intervals slice by slice; returns their number.
async fn drop_all(session: &mut PgSession, run: Uuid) -> Result<u64, DatabaseError> {
    let mut dropped = 0;
    loop {
        let mut transaction = session.begin(TransactionMode::ForceReadWrite).await?;
        let mark = "update tollgate.runs set pruned = coalesce(pruned, now()) where id = $1";
        transaction.execute(mark, |query| query.bind(run)).await?;
        let last = "select max(position) as last from (select position from tollgate.intervals \
                    where run_id = $1 order by position limit $2) slice";
        let rows = transaction.fetch_rows(last, |query| query.bind(run).bind(AT_ONCE)).await?;
        let last = rows
            .first()
            .map_or(Ok(None), |row| transaction.column_value::<Option<i32>>(row, "last"))?;
        let Some(last) = last else {
            transaction.commit().await?;
            return Ok(dropped);
        };
        // Histograms are deleted first, so that deleting an interval does not have to look for its
        // own.
        let histograms =
            "delete from tollgate.interval_histograms where run_id = $1 and interval <= $2";
        transaction.execute(histograms, |query| query.bind(run).bind(last)).await?;
        let intervals = "delete from tollgate.intervals where run_id = $1 and position <= $2";
        dropped += transaction.execute(intervals, |query| query.bind(run).bind(last)).await?;
        transaction.commit().await?;
    }
}
