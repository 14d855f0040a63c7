//! Storing a run: one transaction, its own row first.

use uuid::Uuid;

use super::super::StoreError;
use super::numbering::Numbering;
use super::rows::{Histograms, place, text, texts, whole};
use super::{DatabaseError, Sent, schema};
use crate::postgres::{Mode, Session, Transaction};
use crate::record::{Actual, Decision, Ending, Interval, RunRecord, RunSummary, Stage};

/// How many histograms are sent at once: some MB, so that neither side holds a long run whole.
const BATCH: usize = 8_192;

/// Stores a run with its seconds, unless it is there.
pub(super) async fn keep(
    session: &mut Session,
    at: &str,
    record: &RunRecord,
    intervals: impl Iterator<Item = Result<Interval, StoreError>>,
) -> Result<Sent, DatabaseError> {
    let mut transaction = session.begin(Mode::ReadWrite).await?;
    schema::identity(&mut transaction, at).await?;
    if !run(&mut transaction, record, at).await? {
        return Ok(Sent::WasThere);
    }
    let numbering = Numbering::of(record);
    scenarios(&mut transaction, record, &numbering).await?;
    requests(&mut transaction, record.id, &numbering).await?;
    totals(&mut transaction, record.id, &numbering).await?;
    failures(&mut transaction, record.id, &numbering).await?;
    verdicts(&mut transaction, record, &numbering).await?;
    seconds(&mut transaction, record.id, &numbering, intervals).await?;
    transaction.commit().await?;
    Ok(Sent::Added)
}

/// The run's own row; whether it is new.
///
/// Without naming what is in conflict, a user needs no right to read.
async fn run(transaction: &mut Transaction<'_>, record: &RunRecord, at: &str) -> Result<bool, DatabaseError> {
    let (from, measured, verdict) = (&record.provenance, &record.measurement, &record.verdict);
    let damaged = |error: serde_json::Error| DatabaseError::Damaged {
        run: record.id.to_string(),
        at: at.to_owned(),
        why: error.to_string(),
    };
    let json = serde_json::to_string(record).map_err(damaged)?;
    let clean = from.tags.iter().map(|(key, value)| (text(key), text(value)));
    let tags =
        serde_json::to_string(&clean.collect::<std::collections::BTreeMap<_, _>>()).map_err(damaged)?;
    let sql = "insert into tollgate.runs (id, format, started, elapsed_us, measured_from_us, ending, decision, rule, \
               confidence, tags, git_commit, parts, host, tollgate, command, record) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb, $11, $12, $13, $14, $15, $16::text::json) \
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
    });
    Ok(added.await? > 0)
}

fn ending(ending: &Ending) -> &'static str {
    match ending {
        Ending::Complete => "complete",
        Ending::Interrupted => "interrupted",
        Ending::TargetDown(_) => "target_down",
        Ending::Recovered => "recovered",
        Ending::Imported(_) => "imported",
    }
}

async fn scenarios(
    transaction: &mut Transaction<'_>,
    record: &RunRecord,
    numbering: &Numbering<'_>,
) -> Result<(), DatabaseError> {
    let sql = "insert into tollgate.scenarios (run_id, position, name, source, base_url, load, warmup, caveats, decision, \
               planned, released, unreleased, abandoned, connections_opened, connections_failed, protocols) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    for (position, scenario) in numbering.scenarios.iter().enumerate() {
        let judged = record.verdict.scenarios.iter().find(|judged| judged.scenario == scenario.name);
        let decision = judged.map_or(Decision::Inconclusive, |judged| judged.decision);
        let plan = |of: fn(&crate::record::PlannedScenario) -> &String| {
            scenario.planned.map(|plan| text(of(plan)).into_owned()).unwrap_or_default()
        };
        let measured = scenario.measured;
        let count =
            |of: fn(&crate::record::ScenarioMeasurement) -> u64| measured.map_or(0, |it| whole(of(it)));
        let insert = transaction.execute(sql, |query| {
            query
                .bind(record.id)
                .bind(place(position))
                .bind(text(scenario.name).into_owned())
                .bind(plan(|plan| &plan.source))
                .bind(plan(|plan| &plan.base_url))
                .bind(plan(|plan| &plan.load))
                .bind(plan(|plan| &plan.warmup))
                .bind(texts(scenario.planned.into_iter().flat_map(|plan| &plan.caveats)))
                .bind(decision.name())
                .bind(measured.and_then(|it| it.planned).map(whole))
                .bind(count(|it| it.released))
                .bind(count(|it| it.unreleased))
                .bind(count(|it| it.abandoned))
                .bind(count(|it| it.connections.opened))
                .bind(count(|it| it.connections.failed))
                .bind(texts(measured.into_iter().flat_map(|it| &it.protocols)))
        });
        insert.await?;
    }
    Ok(())
}

async fn requests(
    transaction: &mut Transaction<'_>,
    run: Uuid,
    numbering: &Numbering<'_>,
) -> Result<(), DatabaseError> {
    let all = &numbering.requests;
    let positions: Vec<i32> = (0..all.len()).map(place).collect();
    let scenarios: Vec<i32> = all.iter().map(|request| place(request.scenario)).collect();
    let names: Vec<String> = all.iter().map(|request| text(request.name).into_owned()).collect();
    let line = |line: &String| text(line).into_owned();
    let lines: Vec<String> =
        all.iter().map(|request| request.planned.map(|plan| line(&plan.line)).unwrap_or_default()).collect();
    let hops: Vec<Option<String>> =
        all.iter().map(|request| request.planned?.hop_of.as_ref().map(line)).collect();
    let sql = "insert into tollgate.requests (run_id, position, scenario, name, line, hop_of) \
               select $1, * from unnest($2::integer[], $3::integer[], $4::text[], $5::text[], $6::text[])";
    let bind = transaction.execute(sql, |query| {
        query.bind(run).bind(positions).bind(scenarios).bind(names).bind(lines).bind(hops)
    });
    bind.await?;
    Ok(())
}

/// Counts and histograms of whole stages; a stage without exchanges has no row.
async fn totals(
    transaction: &mut Transaction<'_>,
    run: Uuid,
    numbering: &Numbering<'_>,
) -> Result<(), DatabaseError> {
    let sql = "insert into tollgate.totals (run_id, request, stage, exchanges, ok, failed, fresh, body_bytes) \
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let mut histograms = Histograms::default();
    for (position, request) in numbering.requests.iter().enumerate() {
        let Some(measured) = request.measured else { continue };
        for stage in Stage::ALL {
            let of = measured.stage(stage);
            histograms.add(place(position), stage, &of.series, &of.server_timings);
            if of.tally.exchanges == 0 && stage != Stage::Measured {
                continue;
            }
            let counts =
                [of.tally.exchanges, of.tally.ok, of.tally.failed(), of.tally.fresh, of.tally.body_bytes];
            let insert = transaction.execute(sql, |query| {
                let query = query.bind(run).bind(place(position)).bind(stage.name());
                counts.into_iter().fold(query, |query, count| query.bind(whole(count)))
            });
            insert.await?;
        }
    }
    total_histograms(transaction, run, histograms).await
}

async fn total_histograms(
    transaction: &mut Transaction<'_>,
    run: Uuid,
    all: Histograms,
) -> Result<(), DatabaseError> {
    let sql = "insert into tollgate.total_histograms \
               (run_id, request, stage, dimension, count, clipped, min_us, p50_us, p95_us, p99_us, max_us, hdr) \
               select $1, * from unnest($2::integer[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], \
               $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[])";
    let insert = transaction.execute(sql, |query| {
        let query = query.bind(run).bind(all.of).bind(all.stage).bind(all.dimension).bind(all.count);
        let query = query.bind(all.clipped).bind(all.min_us).bind(all.p50_us).bind(all.p95_us);
        query.bind(all.p99_us).bind(all.max_us).bind(all.hdr)
    });
    insert.await?;
    Ok(())
}

async fn failures(
    transaction: &mut Transaction<'_>,
    run: Uuid,
    numbering: &Numbering<'_>,
) -> Result<(), DatabaseError> {
    let sql = "insert into tollgate.failures (run_id, request, stage, position, failure, phase, expected, seen, count) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    for (request, numbered) in numbering.requests.iter().enumerate() {
        let Some(measured) = numbered.measured else { continue };
        for stage in Stage::ALL {
            for (position, evidence) in measured.stage(stage).evidence.by_count().into_iter().enumerate() {
                let insert = transaction.execute(sql, |query| {
                    let query = query.bind(run).bind(place(request)).bind(stage.name()).bind(place(position));
                    query
                        .bind(evidence.failure.name())
                        .bind(evidence.phase.map(crate::record::Dimension::name))
                        .bind(text(&evidence.expected).into_owned())
                        .bind(text(&evidence.seen).into_owned())
                        .bind(whole(evidence.count))
                });
                insert.await?;
            }
        }
    }
    Ok(())
}

/// A row of `verdicts`.
struct VerdictRow<'a> {
    scenario: usize,
    request: Option<&'a str>,
    budget: Option<String>,
    decision: Decision,
    counts: Option<(u64, u64)>,
    allowed: Option<f64>,
    actual_us: Option<i64>,
    reason: &'a crate::record::Reason,
}

fn verdict_rows<'a>(record: &'a RunRecord, numbering: &Numbering<'_>) -> Vec<VerdictRow<'a>> {
    let mut rows = Vec::new();
    for judged in &record.verdict.scenarios {
        let Some(scenario) = numbering.scenario(&judged.scenario) else { continue };
        rows.extend(judged.budgets.iter().map(|budget| VerdictRow {
            scenario,
            request: Some(&budget.request),
            budget: Some(budget.budget.to_string()),
            decision: budget.decision,
            counts: Some((budget.judged, budget.exceeded)),
            allowed: budget.allowed.map(crate::units::Ratio::as_f64),
            actual_us: match budget.actual {
                Some(Actual::At(value)) => Some(whole(value.as_micros())),
                _ => None,
            },
            reason: &budget.reason,
        }));
        rows.extend(judged.reasons.iter().map(|reason| VerdictRow {
            scenario,
            request: None,
            budget: None,
            decision: judged.decision,
            counts: None,
            allowed: None,
            actual_us: None,
            reason,
        }));
    }
    rows
}

async fn verdicts(
    transaction: &mut Transaction<'_>,
    record: &RunRecord,
    numbering: &Numbering<'_>,
) -> Result<(), DatabaseError> {
    let sql = "insert into tollgate.verdicts (run_id, position, scenario, request, budget, decision, judged, exceeded, \
               allowed, actual_us, what, next) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    for (position, row) in verdict_rows(record, numbering).into_iter().enumerate() {
        let insert = transaction.execute(sql, |query| {
            query
                .bind(record.id)
                .bind(place(position))
                .bind(place(row.scenario))
                .bind(row.request.map(|request| text(request).into_owned()))
                .bind(row.budget)
                .bind(row.decision.name())
                .bind(row.counts.map(|(judged, _)| whole(judged)))
                .bind(row.counts.map(|(_, exceeded)| whole(exceeded)))
                .bind(row.allowed)
                .bind(row.actual_us)
                .bind(text(&row.reason.what).into_owned())
                .bind(text(&row.reason.next).into_owned())
        });
        insert.await?;
    }
    Ok(())
}

/// The seconds of a run that are sent at once.
#[derive(Debug, Default)]
struct Batch {
    position: Vec<i32>,
    request: Vec<i32>,
    stage: Vec<&'static str>,
    start_us: Vec<i64>,
    exchanges: Vec<i64>,
    ok: Vec<i64>,
    failed: Vec<i64>,
    tally: Vec<String>,
    histograms: Histograms,
}

impl Batch {
    fn add(&mut self, position: usize, request: usize, interval: &Interval) -> Result<(), DatabaseError> {
        let tally = serde_json::to_string(&interval.tally).map_err(|error| DatabaseError::Damaged {
            run: interval.scenario.clone(),
            at: "its folder".to_owned(),
            why: error.to_string(),
        })?;
        self.position.push(place(position));
        self.request.push(place(request));
        self.stage.push(interval.stage.name());
        self.start_us.push(whole(interval.start.as_micros()));
        self.exchanges.push(whole(interval.tally.exchanges));
        self.ok.push(whole(interval.tally.ok));
        self.failed.push(whole(interval.tally.failed()));
        self.tally.push(tally);
        self.histograms.add(place(position), interval.stage, &interval.series, &interval.server_timings);
        Ok(())
    }

    async fn send(self, transaction: &mut Transaction<'_>, run: Uuid) -> Result<(), DatabaseError> {
        let sql = "insert into tollgate.intervals \
                   (run_id, position, request, stage, start_us, exchanges, ok, failed, tally) \
                   select $1, p, r, s, t, a, b, c, d::json from unnest($2::integer[], $3::integer[], $4::text[], \
                   $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[]) as row (p, r, s, t, a, b, c, d)";
        let insert = transaction.execute(sql, |query| {
            let query = query.bind(run).bind(self.position).bind(self.request).bind(self.stage);
            query.bind(self.start_us).bind(self.exchanges).bind(self.ok).bind(self.failed).bind(self.tally)
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

async fn seconds(
    transaction: &mut Transaction<'_>,
    run: Uuid,
    numbering: &Numbering<'_>,
    intervals: impl Iterator<Item = Result<Interval, StoreError>>,
) -> Result<(), DatabaseError> {
    let mut batch = Batch::default();
    for (position, interval) in intervals.enumerate() {
        let interval = interval?;
        // As in a record's totals, what no request is known for is left out.
        if let Some(request) = numbering.request(&interval.scenario, &interval.request) {
            batch.add(position, request, &interval)?;
        }
        if batch.histograms.len() >= BATCH {
            std::mem::take(&mut batch).send(transaction, run).await?;
        }
    }
    batch.send(transaction, run).await
}
