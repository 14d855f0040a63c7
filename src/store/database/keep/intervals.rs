//! Inserts the intervals of a run as rows, in batches.

use uuid::Uuid;

use super::super::DatabaseError;
use super::super::list::damaged;
use super::super::numbering::RowNumbering;
use super::super::rows::{HistogramRows, place, whole};
use crate::postgres::Transaction;
use crate::record::Interval;
use crate::store::StoreError;

/// How many histograms are sent at once: a few MB, so that neither side holds all of a long run in
/// memory.
const BATCH: usize = 8_192;

/// One batch of a run's intervals.
#[derive(Debug, Default)]
struct IntervalBatch {
    position: Vec<i32>,
    request: Vec<i32>,
    stage: Vec<&'static str>,
    start_us: Vec<i64>,
    exchanges: Vec<i64>,
    ok: Vec<i64>,
    failed: Vec<i64>,
    tally: Vec<String>,
    histograms: HistogramRows,
}

impl IntervalBatch {
    fn add(
        &mut self,
        run: Uuid,
        position: usize,
        request: usize,
        interval: &Interval,
    ) -> Result<(), DatabaseError> {
        let tally = serde_json::to_string(&interval.tally)
            .map_err(|error| damaged(run, "its folder", &error))?;
        self.position.push(place(position));
        self.request.push(place(request));
        self.stage.push(interval.stage.name());
        self.start_us.push(whole(interval.start.as_micros()));
        self.exchanges.push(whole(interval.tally.exchanges));
        self.ok.push(whole(interval.tally.ok));
        self.failed.push(whole(interval.tally.failed()));
        self.tally.push(tally);
        self.histograms.add(
            place(position),
            interval.stage,
            &interval.series,
            &interval.server_timings,
        );
        Ok(())
    }

    async fn send(self, transaction: &mut Transaction<'_>, run: Uuid) -> Result<(), DatabaseError> {
        let sql = "insert into tollgate.intervals \
                   (run_id, position, request, stage, start_us, exchanges, ok, failed, tally) \
                   select $1, p, r, s, t, a, b, c, d::json from unnest($2::integer[], $3::integer[], $4::text[], \
                   $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[]) as row (p, r, s, t, a, b, c, d)";
        let insert = transaction.execute(sql, |query| {
            let query = query.bind(run).bind(self.position).bind(self.request).bind(self.stage);
            query
                .bind(self.start_us)
                .bind(self.exchanges)
                .bind(self.ok)
                .bind(self.failed)
                .bind(self.tally)
        });
        insert.await?;
        let all = self.histograms;
        let sql = "insert into tollgate.interval_histograms \
                   (run_id, interval, dimension, count, p50_us, p95_us, p99_us, max_us, hdr) \
                   select $1, * from unnest($2::integer[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], \
                   $7::bigint[], $8::bigint[], $9::bytea[])";
        let insert = transaction.execute(sql, |query| {
            let query = query.bind(run).bind(all.of).bind(all.dimension).bind(all.count);
            query.bind(all.p50_us).bind(all.p95_us).bind(all.p99_us).bind(all.max_us).bind(all.hdr)
        });
        insert.await?;
        Ok(())
    }
}

pub(super) async fn send(
    transaction: &mut Transaction<'_>,
    run: Uuid,
    numbering: &RowNumbering<'_>,
    intervals: impl Iterator<Item = Result<Interval, StoreError>>,
) -> Result<(), DatabaseError> {
    let mut batch = IntervalBatch::default();
    for (position, interval) in intervals.enumerate() {
        let interval = interval?;
        // As in a record's totals, an interval of an unknown request is left out.
        if let Some(request) = numbering.request(&interval.scenario, &interval.request) {
            batch.add(run, position, request, &interval)?;
        }
        if batch.histograms.len() >= BATCH {
            std::mem::take(&mut batch).send(transaction, run).await?;
        }
    }
    batch.send(transaction, run).await
}
