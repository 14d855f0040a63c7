//! Inserts plan, measurement and verdict as rows.

use uuid::Uuid;

use super::super::DatabaseError;
use super::super::numbering::RowNumbering;
use super::super::rows::{HistogramRows, place, text, texts, whole};
use crate::postgres::Transaction;
use crate::record::{
    ActualQuantile, BaselineLimit, BudgetVerdict, Decision, Dimension, PlannedScenario, RunRecord,
    ScenarioMeasurement, Stage, StageMeasurement, VerdictReason,
};
use crate::units::Ratio;

pub(super) async fn scenarios(
    transaction: &mut Transaction<'_>,
    record: &RunRecord,
    numbering: &RowNumbering<'_>,
) -> Result<(), DatabaseError> {
    let sql = "insert into tollgate.scenarios (run_id, position, name, source, base_url, load, warmup, caveats, decision, \
               planned, released, unreleased, abandoned, connections_opened, connections_failed, protocols) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    for (position, scenario) in numbering.scenarios.iter().enumerate() {
        let judged =
            record.verdict.scenarios.iter().find(|judged| judged.scenario == scenario.name);
        let decision = judged.map_or(Decision::Inconclusive, |judged| judged.decision);
        let plan = |of: fn(&PlannedScenario) -> &String| {
            scenario.planned.map(|plan| text(of(plan)).into_owned()).unwrap_or_default()
        };
        let measured = scenario.measured;
        let count = |of: fn(&ScenarioMeasurement) -> u64| measured.map_or(0, |it| whole(of(it)));
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

pub(super) async fn requests(
    transaction: &mut Transaction<'_>,
    run: Uuid,
    numbering: &RowNumbering<'_>,
) -> Result<(), DatabaseError> {
    let all = &numbering.requests;
    let positions: Vec<i32> = (0..all.len()).map(place).collect();
    let scenarios: Vec<i32> = all.iter().map(|request| place(request.scenario)).collect();
    let names: Vec<String> = all.iter().map(|request| text(request.name).into_owned()).collect();
    let line = |line: &String| text(line).into_owned();
    let lines: Vec<String> = all
        .iter()
        .map(|request| request.planned.map(|plan| line(&plan.line)).unwrap_or_default())
        .collect();
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

/// Inserts counts and histograms of whole stages. A stage without exchanges has no row, except the
/// measured stage.
pub(super) async fn totals(
    transaction: &mut Transaction<'_>,
    run: Uuid,
    numbering: &RowNumbering<'_>,
) -> Result<(), DatabaseError> {
    let (mut requests, mut stages, mut histograms) =
        (Vec::new(), Vec::new(), HistogramRows::default());
    let mut counts: [Vec<i64>; 5] = Default::default();
    for (position, stage, of) in stages_of(numbering) {
        histograms.add(place(position), stage, &of.series, &of.server_timings);
        let tally = &of.tally;
        if tally.exchanges > 0 || stage == Stage::Measured {
            requests.push(place(position));
            stages.push(stage.name());
            let figures =
                [tally.exchanges, tally.ok, tally.failed(), tally.fresh, tally.body_bytes];
            counts.iter_mut().zip(figures).for_each(|(column, figure)| column.push(whole(figure)));
        }
    }
    let sql = "insert into tollgate.totals (run_id, request, stage, exchanges, ok, failed, fresh, body_bytes) \
               select $1, * from unnest($2::integer[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], \
               $7::bigint[], $8::bigint[])";
    let insert = transaction.execute(sql, |query| {
        let query = query.bind(run).bind(requests).bind(stages);
        let [exchanges, ok, failed, fresh, body_bytes] = counts;
        query.bind(exchanges).bind(ok).bind(failed).bind(fresh).bind(body_bytes)
    });
    insert.await?;
    total_histograms(transaction, run, histograms).await
}

/// Every stage of every measured request, with the request's position.
fn stages_of<'a>(
    numbering: &'a RowNumbering<'_>,
) -> impl Iterator<Item = (usize, Stage, &'a StageMeasurement)> {
    let measured = numbering.requests.iter().enumerate();
    let measured = measured.filter_map(|(position, request)| Some((position, request.measured?)));
    measured.flat_map(|(position, request)| {
        Stage::ALL.map(|stage| (position, stage, request.stage(stage)))
    })
}

async fn total_histograms(
    transaction: &mut Transaction<'_>,
    run: Uuid,
    all: HistogramRows,
) -> Result<(), DatabaseError> {
    let sql = "insert into tollgate.total_histograms \
               (run_id, request, stage, dimension, count, clipped, min_us, p50_us, p95_us, p99_us, max_us, hdr) \
               select $1, * from unnest($2::integer[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], \
               $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[])";
    let insert = transaction.execute(sql, |query| {
        let query =
            query.bind(run).bind(all.of).bind(all.stage).bind(all.dimension).bind(all.count);
        let query = query.bind(all.clipped).bind(all.min_us).bind(all.p50_us).bind(all.p95_us);
        query.bind(all.p99_us).bind(all.max_us).bind(all.hdr)
    });
    insert.await?;
    Ok(())
}

/// Rows of `failures`, one array per column.
#[derive(Debug, Default)]
struct FailureRows {
    request: Vec<i32>,
    stage: Vec<&'static str>,
    position: Vec<i32>,
    failure: Vec<&'static str>,
    phase: Vec<Option<&'static str>>,
    expected: Vec<String>,
    seen: Vec<String>,
    count: Vec<i64>,
}

pub(super) async fn failures(
    transaction: &mut Transaction<'_>,
    run: Uuid,
    numbering: &RowNumbering<'_>,
) -> Result<(), DatabaseError> {
    let mut all = FailureRows::default();
    for (request, stage, of) in stages_of(numbering) {
        for (position, evidence) in of.evidence.by_count().into_iter().enumerate() {
            all.request.push(place(request));
            all.stage.push(stage.name());
            all.position.push(place(position));
            all.failure.push(evidence.failure.name());
            all.phase.push(evidence.phase.map(Dimension::name));
            all.expected.push(text(&evidence.expected).into_owned());
            all.seen.push(text(&evidence.seen).into_owned());
            all.count.push(whole(evidence.count));
        }
    }
    let sql = "insert into tollgate.failures (run_id, request, stage, position, failure, phase, expected, seen, count) \
               select $1, * from unnest($2::integer[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::text[], \
               $8::text[], $9::bigint[])";
    let insert = transaction.execute(sql, |query| {
        let query =
            query.bind(run).bind(all.request).bind(all.stage).bind(all.position).bind(all.failure);
        query.bind(all.phase).bind(all.expected).bind(all.seen).bind(all.count)
    });
    insert.await?;
    Ok(())
}

/// A row of `verdicts`.
struct VerdictRow<'a> {
    scenario: usize,
    request: Option<&'a str>,
    budget: Option<String>,
    written: Option<String>,
    decision: Decision,
    counts: Option<(u64, u64)>,
    allowed: Option<f64>,
    actual_us: Option<i64>,
    reason: &'a VerdictReason,
}

fn verdict_rows<'a>(record: &'a RunRecord, numbering: &RowNumbering<'_>) -> Vec<VerdictRow<'a>> {
    let mut rows = Vec::new();
    for judged in &record.verdict.scenarios {
        let Some(scenario) = numbering.scenario(&judged.scenario) else { continue };
        rows.extend(judged.budgets.iter().map(|budget| VerdictRow {
            scenario,
            request: Some(&budget.request),
            budget: Some(budget.budget.to_string()),
            written: written(record.planned(&judged.scenario), budget),
            decision: budget.decision,
            counts: Some((budget.judged, budget.exceeded)),
            allowed: budget.allowed.map(Ratio::as_f64),
            actual_us: match budget.actual {
                Some(ActualQuantile::At(value)) => Some(whole(value.as_micros())),
                _ => None,
            },
            reason: &budget.reason,
        }));
        rows.extend(judged.reasons.iter().map(|reason| VerdictRow {
            scenario,
            request: None,
            budget: None,
            written: None,
            decision: judged.decision,
            counts: None,
            allowed: None,
            actual_us: None,
            reason,
        }));
    }
    rows
}

/// The budget as the scenario has it; `None` if that is the judged one.
fn written(plan: Option<&PlannedScenario>, of: &BudgetVerdict) -> Option<String> {
    let planned = plan?.requests.iter().find(|request| request.name == of.request)?;
    let written = BaselineLimit::written_budget(&planned.baselines, of.budget);
    (written != of.budget).then(|| written.to_string())
}

pub(super) async fn verdicts(
    transaction: &mut Transaction<'_>,
    record: &RunRecord,
    numbering: &RowNumbering<'_>,
) -> Result<(), DatabaseError> {
    let rows = verdict_rows(record, numbering);
    let sql = "insert into tollgate.verdicts (run_id, position, scenario, request, budget, decision, judged, exceeded, \
               allowed, actual_us, what, next, written) \
               select $1, row_number() over () - 1, * from unnest($2::integer[], $3::text[], $4::text[], $5::text[], \
               $6::bigint[], $7::bigint[], $8::double precision[], $9::bigint[], $10::text[], $11::text[], $12::text[])";
    let insert = transaction.execute(sql, |query| {
        query
            .bind(record.id)
            .bind(column(&rows, |row| place(row.scenario)))
            .bind(column(&rows, |row| row.request.map(|request| text(request).into_owned())))
            .bind(column(&rows, |row| row.budget.clone()))
            .bind(column(&rows, |row| row.decision.name()))
            .bind(column(&rows, |row| row.counts.map(|(judged, _)| whole(judged))))
            .bind(column(&rows, |row| row.counts.map(|(_, exceeded)| whole(exceeded))))
            .bind(column(&rows, |row| row.allowed))
            .bind(column(&rows, |row| row.actual_us))
            .bind(column(&rows, |row| text(&row.reason.what).into_owned()))
            .bind(column(&rows, |row| text(&row.reason.next).into_owned()))
            .bind(column(&rows, |row| row.written.clone()))
    });
    insert.await?;
    Ok(())
}

fn column<T>(rows: &[VerdictRow<'_>], of: impl Fn(&VerdictRow<'_>) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
