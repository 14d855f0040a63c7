//! What runs measured, with the figures that a site of latency history shows.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::DatabaseError;
use super::list::{damaged, decision, histogram, request, run};
use crate::history::{MeasuredRun, TrendRun};
use crate::postgres::{PgRow, Transaction};
use crate::record::{
    Budget, BudgetFigures, ConditionPool, Dimension, PhaseFigures, RequestFigures, RunConditions,
};

/// One row per request. Parts of latency and budgets are one JSON text each: as rows of their own
/// they would multiply the answer by ten. A verdict has no `written` in a schema of an earlier
/// version.
const SQL: &str = "\
    select r.id, r.started, r.elapsed_us, r.host, r.git_commit, r.tags::text as tags, r.parts, r.decision, \
        s.name as scenario, s.decision as judged, s.base_url, s.load, \
        s.warmup, s.caveats as conditions_caveats, s.protocols, q.name as request, t.exchanges, t.ok, \
        h.count, h.clipped, h.min_us, h.p50_us, h.p95_us, h.p99_us, h.max_us, h.hdr, \
        c.count as cold_count, c.clipped as cold_clipped, c.min_us as cold_min_us, \
        c.p50_us as cold_p50_us, c.p95_us as cold_p95_us, c.p99_us as cold_p99_us, \
        c.max_us as cold_max_us, c.hdr as cold_hdr, \
        (select json_agg(json_build_array(p.dimension, p.count, p.p50_us)) \
            from tollgate.total_histograms p where p.run_id = q.run_id and p.request = q.position \
            and p.stage = 'measured' and p.dimension = any($3))::text as phases, \
        (select json_agg(json_build_array(v.budget, v.decision, v.judged, v.exceeded, \
            to_jsonb(v) ->> 'written') order by v.position) \
            from tollgate.verdicts v where v.run_id = q.run_id and v.scenario = q.scenario \
            and v.request = q.name and v.budget is not null)::text as judged_budgets, \
        null::text[] as caveats, null::text[] as budgets \
    from tollgate.runs r \
    join tollgate.scenarios s on s.run_id = r.id and s.name = $2 \
    left join tollgate.requests q on q.run_id = r.id and q.scenario = s.position and q.hop_of is null \
    left join tollgate.totals t on t.run_id = q.run_id and t.request = q.position and t.stage = 'measured' \
    left join tollgate.total_histograms h on h.run_id = q.run_id and h.request = q.position \
        and h.stage = 'measured' and h.dimension = 'latency' \
    left join tollgate.total_histograms c on c.run_id = q.run_id and c.request = q.position \
        and c.stage = 'cold' and c.dimension = 'latency' \
    where r.id = any($1) \
    order by r.started, r.id, q.position";

/// What some runs measured of a scenario, oldest first. Runs that are gone, or that do not have the
/// scenario, are missing.
pub(super) async fn measured_runs(
    transaction: &mut Transaction<'_>,
    at: &str,
    (scenario, ids): (&str, &[Uuid]),
    pool: &mut ConditionPool,
) -> Result<Vec<MeasuredRun>, DatabaseError> {
    let parts: Vec<&str> = Dimension::PARTS.into_iter().map(Dimension::name).collect();
    let rows = transaction.fetch_rows(SQL, |query| query.bind(ids).bind(scenario).bind(parts));
    let rows = rows.await?;
    let mut runs: Vec<MeasuredRun> = Vec::new();
    for row in &rows {
        let id: Uuid = transaction.column_value(row, "id")?;
        if runs.last().is_none_or(|last| last.run.id != id) {
            let run = TrendRun::of(run(transaction, row, at)?);
            runs.push(MeasuredRun { run, requests: Vec::new() });
        }
        if let (Some(run), Some(mut request)) = (runs.last_mut(), request(transaction, row, at)?) {
            request.figures = Some(Box::new(figures(transaction, (row, at), id, pool)?));
            run.requests.push(request);
        }
    }
    Ok(runs)
}

fn figures(
    transaction: &Transaction<'_>,
    (row, at): (&PgRow, &str),
    id: Uuid,
    pool: &mut ConditionPool,
) -> Result<RequestFigures, DatabaseError> {
    let conditions = RunConditions {
        base_url: transaction.column_value(row, "base_url")?,
        load: transaction.column_value(row, "load")?,
        warmup: transaction.column_value(row, "warmup")?,
        protocols: transaction.column_value(row, "protocols")?,
        caveats: transaction.column_value(row, "conditions_caveats")?,
    };
    let phases: Vec<StoredPhase> = list(transaction, (row, at), id, "phases")?;
    let budgets: Vec<StoredBudget> = list(transaction, (row, at), id, "judged_budgets")?;
    let budgets = budgets.into_iter().map(|budget| budget.figures(id, at));
    Ok(RequestFigures {
        conditions: pool.share(conditions),
        cold: histogram(transaction, row, "cold_")?,
        phases: in_order(&phases),
        budgets: budgets.collect::<Result<_, _>>()?,
    })
}

/// A list that the statement returns as JSON; null if there is nothing.
fn list<T: DeserializeOwned>(
    transaction: &Transaction<'_>,
    (row, at): (&PgRow, &str),
    id: Uuid,
    column: &str,
) -> Result<Vec<T>, DatabaseError> {
    let text: Option<&str> = transaction.column_value(row, column)?;
    let read = |text| serde_json::from_str(text).map_err(|error| damaged(id, at, &error));
    text.map_or_else(|| Ok(Vec::new()), read)
}

/// Dimension, count and p50.
#[derive(Deserialize)]
struct StoredPhase(Dimension, u64, Option<u64>);

/// Budget, decision, judged, exceeded, and the budget as written if that differs.
#[derive(Deserialize)]
struct StoredBudget(Budget, String, Option<u64>, Option<u64>, Option<Budget>);

impl StoredBudget {
    fn figures(self, id: Uuid, at: &str) -> Result<BudgetFigures, DatabaseError> {
        let Self(budget, decided, judged, exceeded, written) = self;
        Ok(BudgetFigures {
            written: written.unwrap_or(budget),
            budget,
            decision: decision(&decided, id, at)?,
            judged: judged.unwrap_or_default(),
            exceeded: exceeded.unwrap_or_default(),
        })
    }
}

fn in_order(phases: &[StoredPhase]) -> Vec<PhaseFigures> {
    let phase = |dimension| {
        let StoredPhase(_, count, p50_us) = *phases.iter().find(|phase| phase.0 == dimension)?;
        Some(PhaseFigures { dimension, count, p50_us })
    };
    Dimension::PARTS.into_iter().filter_map(phase).collect()
}
