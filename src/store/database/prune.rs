//! Dropping the seconds of old runs.

use std::time::Duration;

use uuid::Uuid;

use super::{DatabaseError, schema};
use crate::postgres::{Mode, Session};

/// How many runs are pruned in one transaction: it must end within a statement's time.
const AT_ONCE: i64 = 64;

/// What was dropped, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs that lost their seconds.
    pub runs: u64,
    /// Those seconds.
    pub intervals: u64,
}

/// Drops the seconds of runs that started longer ago than `keep`, some runs at a time, the oldest first.
pub(super) async fn prune(
    session: &mut Session,
    at: &str,
    keep: Duration,
    pretend: bool,
) -> Result<Pruned, DatabaseError> {
    if pretend {
        return would_be(session, at, keep).await;
    }
    let mut pruned = Pruned::default();
    loop {
        let some = some(session, at, keep).await?;
        pruned.runs += some.runs;
        pruned.intervals += some.intervals;
        if some.runs == 0 {
            return Ok(pruned);
        }
    }
}

async fn some(session: &mut Session, at: &str, keep: Duration) -> Result<Pruned, DatabaseError> {
    let mut transaction = session.begin(Mode::ReadWrite).await?;
    schema::identity(&mut transaction, at).await?;
    let old = "update tollgate.runs set pruned = now() where id in (select id from tollgate.runs \
               where pruned is null and started < now() - make_interval(secs => $1) \
               order by started limit $2 for update) returning id";
    let rows = transaction.rows(old, |query| query.bind(keep.as_secs_f64()).bind(AT_ONCE)).await?;
    let ids = rows.iter().map(|row| transaction.value::<Uuid>(row, "id")).collect::<Result<Vec<_>, _>>()?;
    let runs = ids.len() as u64;
    // Their histograms go with them.
    let drop = "delete from tollgate.intervals where run_id = any($1)";
    let intervals = transaction.execute(drop, |query| query.bind(ids)).await?;
    transaction.commit().await?;
    Ok(Pruned { runs, intervals })
}

async fn would_be(session: &mut Session, at: &str, keep: Duration) -> Result<Pruned, DatabaseError> {
    let mut transaction = session.begin(Mode::ReadOnly).await?;
    schema::identity(&mut transaction, at).await?;
    let sql = "select count(distinct r.id) as runs, count(i.run_id) as intervals from tollgate.runs r \
               left join tollgate.intervals i on i.run_id = r.id \
               where r.pruned is null and r.started < now() - make_interval(secs => $1)";
    let rows = transaction.rows(sql, |query| query.bind(keep.as_secs_f64())).await?;
    let Some(row) = rows.first() else { return Ok(Pruned::default()) };
    let count = |column| transaction.value::<i64>(row, column).map(super::list::unsigned);
    Ok(Pruned { runs: count("runs")?, intervals: count("intervals")? })
}
