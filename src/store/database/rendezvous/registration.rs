//! How a prober gets its shard.

use std::time::Duration;

use time::OffsetDateTime;

use super::super::DatabaseError;
use super::super::rows::whole;
use super::{clean, joined, lock, number};
use crate::postgres::{BoundQuery, Transaction};
use crate::store::{JoinRefusal, JoinedShard, RendezvousTerms, ShardCandidate};

/// Registers a prober for the shard it wants, or for the first that is free, in one statement that
/// waits for no other prober; `None` if that is not possible, or if every prober may have left.
///
/// Each prober holds a shared lock on the rendezvous, so the start cannot be agreed while it
/// registers. Probers that want any shard skip those that another is about to take, which holds an
/// advisory lock.
pub(super) async fn take_free(
    transaction: &mut Transaction<'_>,
    terms: &RendezvousTerms,
    candidate: &ShardCandidate,
) -> Result<Option<u32>, DatabaseError> {
    let sql = "insert into tollgate.rendezvous_shards (rendezvous, shard, token, host, lead_ms) \
               select r.name, s.shard, $6, $7, $8 from ( \
                   select name, shards from tollgate.rendezvous where name = $1 and shards = $2 and plan = $3 \
                   and tollgate = $4 and lasts_ms = $5 and starts is null and stop is null \
                   and waits_until > clock_timestamp() and (created > clock_timestamp() - $10 * interval '1 s' \
                       or exists (select from tollgate.rendezvous_shards where rendezvous = $1 \
                           and seen > clock_timestamp() - $10 * interval '1 s')) for share) r, \
               lateral (select f.shard from ( \
                   select n as shard from generate_series(coalesce($9, 1), coalesce($9, r.shards)) n \
                   where n <= r.shards and not exists ( \
                       select from tollgate.rendezvous_shards t where t.rendezvous = r.name and t.shard = n) \
                   order by n offset 0) f \
                   where $9 is not null or pg_try_advisory_xact_lock(hashtext(r.name), f.shard) limit 1) s \
               on conflict do nothing returning shard";
    let rows = transaction.fetch_rows(sql, |query| {
        bind_terms(query, terms)
            .bind(candidate.token)
            .bind(clean(&candidate.host))
            .bind(whole(candidate.lead.as_millis()))
            .bind(candidate.shard.map(number))
            .bind(JoinedShard::WAITING_SILENCE.as_secs_f64())
    });
    let rows = rows.await?;
    let shard = |row| transaction.column_value::<i32>(row, "shard");
    let shard = rows.first().map(shard).transpose()?;
    Ok(shard.and_then(|shard| u32::try_from(shard).ok()))
}

/// Registers a prober, creating the rendezvous if needed. Returns its shard, counted from 1.
pub(super) async fn register(
    transaction: &mut Transaction<'_>,
    terms: &RendezvousTerms,
    candidate: &ShardCandidate,
) -> Result<Result<u32, JoinRefusal>, DatabaseError> {
    create(transaction, terms, candidate.wait).await?;
    let (mut known, starts) = lock(transaction, &terms.name).await?;
    let all = joined(transaction, &terms.name).await?;
    let is_waiting = |joined: &JoinedShard| joined.silence < JoinedShard::WAITING_SILENCE;
    if starts.is_none() && !all.iter().any(is_waiting) {
        // Whoever was there before has given up, and with them their terms and their wait.
        renew(transaction, terms, candidate.wait).await?;
        known = terms.clone();
    }
    if known == *terms {
        assign_shard(transaction, (terms, starts), (candidate, all)).await
    } else {
        Ok(Err(JoinRefusal::OtherTerms(known)))
    }
}

/// Creates the row of a rendezvous, unless there is one.
pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    terms: &RendezvousTerms,
    wait: Duration,
) -> Result<(), DatabaseError> {
    let sql = "insert into tollgate.rendezvous (name, shards, plan, tollgate, lasts_ms, waits_until) \
               values ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 ms') on conflict do nothing";
    write_terms(transaction, sql, terms, wait).await
}

/// Gives a rendezvous that nobody attends new terms, and a new wait.
async fn renew(
    transaction: &mut Transaction<'_>,
    terms: &RendezvousTerms,
    wait: Duration,
) -> Result<(), DatabaseError> {
    let sql = "update tollgate.rendezvous set shards = $2, plan = $3, tollgate = $4, lasts_ms = $5, stop = null, \
                   created = clock_timestamp(), waits_until = clock_timestamp() + $6 * interval '1 ms' \
               where name = $1";
    write_terms(transaction, sql, terms, wait).await
}

/// Executes a statement whose values are the terms and the wait.
async fn write_terms(
    transaction: &mut Transaction<'_>,
    sql: &'static str,
    terms: &RendezvousTerms,
    wait: Duration,
) -> Result<(), DatabaseError> {
    let write =
        transaction.execute(sql, |query| bind_terms(query, terms).bind(whole(wait.as_millis())));
    write.await?;
    Ok(())
}

/// Binds $1 to $5.
fn bind_terms<'q>(query: BoundQuery<'q>, terms: &RendezvousTerms) -> BoundQuery<'q> {
    query
        .bind(clean(&terms.name))
        .bind(number(terms.shards))
        .bind(clean(&terms.plan))
        .bind(clean(&terms.tollgate))
        .bind(whole(terms.lasts.as_millis()))
}

/// Registers a prober for the shard it wants, or for the first that is free. `all` are those that
/// registered so far.
async fn assign_shard(
    transaction: &mut Transaction<'_>,
    (terms, starts): (&RendezvousTerms, Option<OffsetDateTime>),
    (candidate, all): (&ShardCandidate, Vec<JoinedShard>),
) -> Result<Result<u32, JoinRefusal>, DatabaseError> {
    if let Some(own) = all.iter().find(|joined| joined.token == candidate.token) {
        // The answer to an earlier attempt was lost.
        return Ok(Ok(own.shard));
    }
    let is_held =
        |joined: &JoinedShard| starts.is_some() || joined.silence < JoinedShard::WAITING_SILENCE;
    let (mut held, abandoned): (Vec<_>, Vec<_>) = all.into_iter().partition(is_held);
    let holder = held.iter().position(|joined| Some(joined.shard) == candidate.shard);
    if let Some(holder) = holder {
        let holder = held.swap_remove(holder);
        let refusal = if starts.is_some() { JoinRefusal::Repeated } else { JoinRefusal::Taken };
        return Ok(Err(refusal(holder)));
    }
    if let Some(starts) = starts {
        return Ok(Err(JoinRefusal::Started(starts)));
    }
    let is_free = |shard: &u32| held.iter().all(|joined| joined.shard != *shard);
    let Some(shard) = candidate.shard.or_else(|| (1..=terms.shards).find(is_free)) else {
        return Ok(Err(JoinRefusal::Full));
    };
    if abandoned.iter().any(|joined| joined.shard == shard) {
        free(transaction, &terms.name, shard).await?;
    }
    add(transaction, &terms.name, shard, candidate).await?;
    Ok(Ok(shard))
}

async fn add(
    transaction: &mut Transaction<'_>,
    name: &str,
    shard: u32,
    candidate: &ShardCandidate,
) -> Result<(), DatabaseError> {
    let sql = "insert into tollgate.rendezvous_shards (rendezvous, shard, token, host, lead_ms) \
               values ($1, $2, $3, $4, $5)";
    let insert = transaction.execute(sql, |query| {
        query
            .bind(clean(name))
            .bind(number(shard))
            .bind(candidate.token)
            .bind(clean(&candidate.host))
            .bind(whole(candidate.lead.as_millis()))
    });
    insert.await?;
    Ok(())
}

async fn free(
    transaction: &mut Transaction<'_>,
    name: &str,
    shard: u32,
) -> Result<(), DatabaseError> {
    let sql = "delete from tollgate.rendezvous_shards where rendezvous = $1 and shard = $2";
    transaction.execute(sql, |query| query.bind(clean(name)).bind(number(shard))).await?;
    Ok(())
}
