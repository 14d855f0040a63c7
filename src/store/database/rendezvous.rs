//! Where the probers of a shared run meet.
//!
//! A rendezvous is a row; each prober that registered is another one. The first row is locked while
//! the start is agreed. Probers that join share a lock of it, so that many of them register at
//! once. No lock outlives a transaction, so this works behind a pooler too. Probers ask for news
//! instead of being notified, for the same reason.

mod registration;

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::super::rendezvous::{
    JoinRefusal, JoinedShard, MergedRun, RendezvousNews, RendezvousState, RendezvousTerms,
    ShardCandidate, ShardMember,
};
use super::rows::text;
use super::{DatabaseError, schema};
use crate::library_text::describe_json;
use crate::postgres::{PgRow, PgSession, Transaction, TransactionMode};
use crate::record::{RunEnding, ShardClock};

/// Timeout of a statement: a prober that waits longer has missed its start or the end.
const STATEMENT: Duration = Duration::from_secs(5);

/// How often the database is asked for its time. The quickest answer counts.
const QUESTIONS: usize = 8;

/// How often a prober tries to take a free shard without waiting: the rendezvous may have been new,
/// and another prober may have taken the same shard meanwhile.
const ATTEMPTS: usize = 3;

/// The rows of one rendezvous, on a connection.
pub(super) struct RendezvousRows<'a> {
    pub(super) session: &'a mut PgSession,
    pub(super) at: &'a str,
}

impl RendezvousRows<'_> {
    async fn begin(&mut self) -> Result<Transaction<'_>, DatabaseError> {
        Ok(self.session.begin_within(TransactionMode::ReadWrite, STATEMENT).await?)
    }

    /// Registers a prober. Returns its shard, counted from 1.
    ///
    /// A shard that is free is taken without waiting for other probers. The prober that comes first
    /// creates the rendezvous and tries again. Those that do not get a shard go the slow way: one
    /// after the other.
    pub(super) async fn join(
        mut self,
        terms: &RendezvousTerms,
        candidate: &ShardCandidate,
    ) -> Result<Result<u32, JoinRefusal>, DatabaseError> {
        let at = self.at;
        for attempt in 0..ATTEMPTS {
            let mut transaction = self.begin().await?;
            if attempt == 0 {
                schema::identity(&mut transaction, at).await?;
            }
            let shard = registration::take_free(&mut transaction, terms, candidate).await?;
            transaction.commit().await?;
            if let Some(shard) = shard {
                return Ok(Ok(shard));
            }
            if attempt == 0 {
                let mut transaction = self.begin().await?;
                registration::create(&mut transaction, terms, candidate.wait).await?;
                transaction.commit().await?;
            }
        }
        let mut transaction = self.begin().await?;
        let joined = registration::register(&mut transaction, terms, candidate).await?;
        transaction.commit().await?;
        Ok(joined)
    }

    /// Frees the shard of a prober that gives up before the start; after the start, notes that it
    /// ended without a run.
    pub(super) async fn leave(mut self, name: &str, token: Uuid) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        let (_, starts) = lock(&mut transaction, name).await?;
        let sql = match starts {
            None => "delete from tollgate.rendezvous_shards where rendezvous = $1 and token = $2",
            Some(_) => {
                "update tollgate.rendezvous_shards set ended = clock_timestamp() \
                 where rendezvous = $1 and token = $2"
            }
        };
        transaction.execute(sql, |query| query.bind(clean(name)).bind(token)).await?;
        Ok(transaction.commit().await?)
    }

    /// Notes that a prober is still there, and tells it what is new. Agrees on the start once all
    /// are there or the wait is over.
    pub(super) async fn ask(
        mut self,
        name: &str,
        member: &ShardMember,
    ) -> Result<RendezvousNews, DatabaseError> {
        let (news, may_agree) = self.note(name, member).await?;
        if !may_agree {
            return Ok(news);
        }
        // In a transaction of its own: whoever joins locks the same rows in the other order.
        let mut transaction = self.begin().await?;
        // Postgres would not count again after it has waited for a machine that joins.
        lock(&mut transaction, name).await?;
        agree(&mut transaction, name).await?;
        transaction.commit().await?;
        Ok(self.note(name, member).await?.0)
    }

    /// Returns what is new, and whether the start may be agreed.
    async fn note(
        &mut self,
        name: &str,
        member: &ShardMember,
    ) -> Result<(RendezvousNews, bool), DatabaseError> {
        let at = self.at;
        let mut transaction = self.begin().await?;
        // Without a start the number of probers matters, and only then.
        let sql = "with noted as ( \
                       update tollgate.rendezvous_shards set seen = clock_timestamp(), run = coalesce(run, $4) \
                       where rendezvous = $1 and shard = $2 and token = $3 returning shard) \
                   select r.starts, r.stop::text as stop, r.shards, exists (select from noted) as is_member, \
                       r.waits_until <= clock_timestamp() as is_over, case when r.starts is null then ( \
                           select count(*) from tollgate.rendezvous_shards s where s.rendezvous = r.name \
                           and s.seen > clock_timestamp() - interval '5 s') else 0 end as present \
                   from tollgate.rendezvous r where r.name = $1";
        let rows = transaction
            .fetch_rows(sql, |query| {
                let query = query.bind(clean(name)).bind(number(member.shard));
                query.bind(member.token).bind(member.run)
            })
            .await?;
        let row = rows.first().ok_or_else(|| vanished(name, at))?;
        let stop: Option<&str> = transaction.column_value(row, "stop")?;
        let present: i64 = transaction.column_value(row, "present")?;
        let shards: i32 = transaction.column_value(row, "shards")?;
        let is_over: bool = transaction.column_value(row, "is_over")?;
        let news = RendezvousNews {
            present: u32::try_from(present).unwrap_or_default(),
            starts: transaction.column_value(row, "starts")?,
            is_member: transaction.column_value(row, "is_member")?,
            stop: stop.map(|stop| read_stop(stop, name, at)).transpose()?,
        };
        transaction.commit().await?;
        let may_agree = news.starts.is_none() && (is_over || present >= i64::from(shards));
        Ok((news, may_agree))
    }

    /// Asks all probers to end with this ending, unless they were asked before. Returns whether
    /// there is such a rendezvous.
    pub(super) async fn stop(mut self, name: &str, how: &RunEnding) -> Result<bool, DatabaseError> {
        let at = self.at;
        let json = serde_json::to_string(how)
            .map_err(|error| damaged(name, at, &describe_json(&error)))?;
        let mut transaction = self.begin().await?;
        let sql =
            "update tollgate.rendezvous set stop = coalesce(stop, $2::text::jsonb) where name = $1";
        let asked = transaction.execute(sql, |query| query.bind(clean(name)).bind(json)).await?;
        transaction.commit().await?;
        Ok(asked > 0)
    }

    /// Notes that a prober ended, and whether it measured its part. Its run is stored.
    pub(super) async fn end(
        mut self,
        name: &str,
        token: Uuid,
        (run, measured): (Uuid, bool),
    ) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        let sql = "update tollgate.rendezvous_shards set ended = clock_timestamp(), seen = clock_timestamp(), run = $3, \
                       measured = $4 where rendezvous = $1 and token = $2";
        let end = transaction
            .execute(sql, |query| query.bind(clean(name)).bind(token).bind(run).bind(measured));
        end.await?;
        Ok(transaction.commit().await?)
    }

    /// The state of a rendezvous; `None` if nobody registered yet.
    pub(super) async fn state(
        mut self,
        name: &str,
    ) -> Result<Option<RendezvousState>, DatabaseError> {
        let at = self.at;
        let mut transaction = self.begin().await?;
        schema::identity(&mut transaction, at).await?;
        let sql = "select clock_timestamp() as now, shards, plan, tollgate, lasts_ms, waits_until, starts, merged, \
                       (select cardinality(parts) from tollgate.runs where id = merged) as merged_parts \
                   from tollgate.rendezvous where name = $1";
        let rows = transaction.fetch_rows(sql, |query| query.bind(clean(name))).await?;
        let Some(row) = rows.first() else {
            // A pooler's connection must not wait for the next question.
            transaction.commit().await?;
            return Ok(None);
        };
        let starts = transaction.column_value(row, "starts")?;
        let shards = joined(&mut transaction, name).await?;
        let runs: Vec<Uuid> = shards.iter().filter_map(|shard| shard.run).collect();
        let sql = "select id from tollgate.runs where id = any($1)";
        let stored = transaction.fetch_rows(sql, |query| query.bind(runs)).await?;
        let stored = stored.iter().map(|row| transaction.column_value(row, "id"));
        let state = RendezvousState {
            now: transaction.column_value(row, "now")?,
            terms: terms(&transaction, name, row)?,
            waits_until: transaction.column_value(row, "waits_until")?,
            starts,
            merged: merged_run(&transaction, row)?,
            shards,
            stored: stored.collect::<Result<_, _>>()?,
        };
        transaction.commit().await?;
        Ok(Some(state))
    }

    /// Claims to merge, for two minutes at a time. False if another claims it, or if the merged run
    /// is no longer the one that the caller knows.
    pub(super) async fn claim(
        mut self,
        name: &str,
        (token, known): (Uuid, Option<Uuid>),
    ) -> Result<bool, DatabaseError> {
        let mut transaction = self.begin().await?;
        let sql = "update tollgate.rendezvous set merger = $2, claimed = clock_timestamp() \
                   where name = $1 and merged is not distinct from $3 and (merged is not null or merger is null \
                       or merger = $2 or claimed < clock_timestamp() - interval '2 min')";
        let claimed = transaction
            .execute(sql, |query| query.bind(clean(name)).bind(token).bind(known))
            .await?;
        transaction.commit().await?;
        Ok(claimed > 0)
    }

    /// Notes the merged run of whoever claimed to merge if it is stored, and gives the claim up if
    /// not. Returns whether it was noted.
    pub(super) async fn merged(
        mut self,
        name: &str,
        (token, run): (Uuid, Uuid),
    ) -> Result<bool, DatabaseError> {
        let mut transaction = self.begin().await?;
        let sql = "update tollgate.rendezvous set merged = $3 where name = $1 and merger = $2 \
                   and exists (select from tollgate.runs where id = $3)";
        let noted =
            transaction.execute(sql, |query| query.bind(clean(name)).bind(token).bind(run)).await?;
        if noted == 0 {
            let sql = "update tollgate.rendezvous set merger = null, claimed = null \
                       where name = $1 and merger = $2";
            transaction.execute(sql, |query| query.bind(clean(name)).bind(token)).await?;
        }
        transaction.commit().await?;
        Ok(noted > 0)
    }

    /// Compares this machine's clock with that of the database. `own` reads the calendar clock and
    /// a monotonic one.
    pub(super) async fn compare_clocks(
        mut self,
        own: impl Fn() -> (OffsetDateTime, Duration),
    ) -> Result<Option<ShardClock>, DatabaseError> {
        let mut transaction = self.begin().await?;
        let mut best: Option<ShardClock> = None;
        for _ in 0..QUESTIONS {
            let (asked, before) = own();
            let rows =
                transaction.fetch_rows("select clock_timestamp() as now", |query| query).await?;
            let round_trip = own().1.saturating_sub(before);
            let Some(row) = rows.first() else { continue };
            let now = transaction.column_value(row, "now")?;
            let clock = ShardClock::of_question(asked, now, round_trip);
            best = best.into_iter().chain([clock]).min_by_key(|clock| clock.error_us);
        }
        transaction.commit().await?;
        Ok(best)
    }
}

/// Locks a rendezvous until the transaction ends; returns its terms and its start.
async fn lock(
    transaction: &mut Transaction<'_>,
    name: &str,
) -> Result<(RendezvousTerms, Option<OffsetDateTime>), DatabaseError> {
    let sql = "select shards, plan, tollgate, lasts_ms, starts from tollgate.rendezvous where name = $1 for update";
    let rows = transaction.fetch_rows(sql, |query| query.bind(clean(name))).await?;
    let row = rows.first().ok_or_else(|| vanished(name, "the database"))?;
    Ok((terms(transaction, name, row)?, transaction.column_value(row, "starts")?))
}

fn terms(
    transaction: &Transaction<'_>,
    name: &str,
    row: &PgRow,
) -> Result<RendezvousTerms, DatabaseError> {
    let shards: i32 = transaction.column_value(row, "shards")?;
    let lasts: i64 = transaction.column_value(row, "lasts_ms")?;
    Ok(RendezvousTerms {
        name: name.to_owned(),
        shards: u32::try_from(shards).unwrap_or_default(),
        plan: transaction.column_value(row, "plan")?,
        tollgate: transaction.column_value(row, "tollgate")?,
        lasts: Duration::from_millis(u64::try_from(lasts).unwrap_or_default()),
    })
}

fn merged_run(
    transaction: &Transaction<'_>,
    row: &PgRow,
) -> Result<Option<MergedRun>, DatabaseError> {
    let id: Option<Uuid> = transaction.column_value(row, "merged")?;
    let parts: Option<i32> = transaction.column_value(row, "merged_parts")?;
    let parts = usize::try_from(parts.unwrap_or_default()).unwrap_or_default();
    Ok(id.map(|id| MergedRun { id, parts }))
}

async fn joined(
    transaction: &mut Transaction<'_>,
    name: &str,
) -> Result<Vec<JoinedShard>, DatabaseError> {
    let sql = "select shard, token, host, joined, seen, run, ended, measured, \
                   extract(epoch from clock_timestamp() - seen)::float8 as silence \
               from tollgate.rendezvous_shards where rendezvous = $1 order by shard";
    let rows = transaction.fetch_rows(sql, |query| query.bind(clean(name))).await?;
    let shard = |row| {
        let shard: i32 = transaction.column_value(row, "shard")?;
        Ok(JoinedShard {
            shard: u32::try_from(shard).unwrap_or_default(),
            token: transaction.column_value(row, "token")?,
            host: transaction.column_value(row, "host")?,
            joined: transaction.column_value(row, "joined")?,
            seen: transaction.column_value(row, "seen")?,
            silence: Duration::try_from_secs_f64(transaction.column_value(row, "silence")?)
                .unwrap_or_default(),
            run: transaction.column_value(row, "run")?,
            ended: transaction.column_value(row, "ended")?,
            measured: transaction.column_value(row, "measured")?,
        })
    };
    rows.iter().map(shard).collect()
}

/// Agrees on the start once all probers are there or the wait is over: after the longest lead.
async fn agree(transaction: &mut Transaction<'_>, name: &str) -> Result<(), DatabaseError> {
    let sql = "update tollgate.rendezvous r \
               set starts = date_trunc('milliseconds', clock_timestamp() + p.lead_ms * interval '1 ms') \
               from (select count(*) as present, max(lead_ms) as lead_ms from tollgate.rendezvous_shards \
                   where rendezvous = $1 and seen > clock_timestamp() - interval '5 s') p \
               where r.name = $1 and r.starts is null and p.present > 0 \
               and (p.present >= r.shards or clock_timestamp() >= r.waits_until)";
    transaction.execute(sql, |query| query.bind(clean(name))).await?;
    Ok(())
}

/// Deletes what was agreed for runs that started to gather longer ago than `keep`.
pub(super) async fn drop_old(session: &mut PgSession, keep: Duration) -> Result<(), DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ForceReadWrite).await?;
    let machines = "delete from tollgate.rendezvous_shards s using tollgate.rendezvous r \
                    where r.name = s.rendezvous and r.created < now() - make_interval(secs => $1)";
    transaction.execute(machines, |query| query.bind(keep.as_secs_f64())).await?;
    let runs = "delete from tollgate.rendezvous where created < now() - make_interval(secs => $1)";
    transaction.execute(runs, |query| query.bind(keep.as_secs_f64())).await?;
    Ok(transaction.commit().await?)
}

fn read_stop(json: &str, name: &str, at: &str) -> Result<RunEnding, DatabaseError> {
    serde_json::from_str(json).map_err(|error| damaged(name, at, &describe_json(&error)))
}

fn clean(value: &str) -> String {
    text(value).into_owned()
}

fn number(shard: u32) -> i32 {
    i32::try_from(shard).unwrap_or(i32::MAX)
}

fn vanished(name: &str, at: &str) -> DatabaseError {
    damaged(name, at, "its row is gone")
}

fn damaged(name: &str, at: &str, why: &str) -> DatabaseError {
    DatabaseError::Unfit {
        what: format!("the rendezvous `{name}` in {at} cannot be used: {why}"),
        remedy: "choose another name".to_owned(),
    }
}
