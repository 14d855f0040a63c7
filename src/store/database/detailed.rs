//! Summaries of runs with the figures that a site of latency history shows.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use uuid::Uuid;

use super::list::{covered_runs, damaged, decision, histogram, request, run, unsigned};
use super::{DatabaseError, schema};
use crate::history::HistoryFilter;
use crate::postgres::{PgRow, PgSession, Transaction, TransactionMode};
use crate::record::{
    Budget, BudgetFigures, ConditionPool, Dimension, PhaseFigures, RequestFigures, RunConditions,
    RunSummary,
};

/// Number of runs that one statement reads, so that the rows of a long history are never in memory
/// all at once.
const PAGE: i64 = 2_000;

/// One row per request. Parts of latency and budgets are one JSON text each: as rows of their own
/// they would multiply the answer by ten.
const SQL: &str = "\
    select r.*, r.tags_text as tags, s.name as scenario, s.decision as judged, s.base_url, s.load, \
        s.warmup, s.caveats as conditions_caveats, s.protocols, q.name as request, t.exchanges, t.ok, t.fresh, \
        h.count, h.clipped, h.min_us, h.p50_us, h.p95_us, h.p99_us, h.max_us, h.hdr, \
        c.count as cold_count, c.clipped as cold_clipped, c.min_us as cold_min_us, \
        c.p50_us as cold_p50_us, c.p95_us as cold_p95_us, c.p99_us as cold_p99_us, \
        c.max_us as cold_max_us, c.hdr as cold_hdr, \
        (select json_agg(json_build_array(p.dimension, p.count, p.p50_us, p.p95_us)) \
            from tollgate.total_histograms p where p.run_id = q.run_id and p.request = q.position \
            and p.stage = 'measured' and p.dimension = any($6))::text as phases, \
        (select json_agg(json_build_array(v.budget, v.decision, v.judged, v.exceeded, v.written) order by v.position) \
            from tollgate.verdicts v where v.run_id = q.run_id and v.scenario = q.scenario \
            and v.request = q.name and v.budget is not null)::text as judged_budgets, \
        case when r.is_imported then s.caveats end as caveats, \
        case when r.is_imported then array(select v.budget from tollgate.verdicts v \
            where v.run_id = q.run_id and v.scenario = q.scenario and v.request = q.name \
            and v.budget is not null order by v.position) end as budgets \
    from (select id, started, elapsed_us, host, git_commit, tags::text as tags_text, parts, decision, \
            jsonb_exists(tags, 'imported') as is_imported \
        from tollgate.runs \
        where ($1::timestamptz is null or started >= $1) and ($2::timestamptz is null or started < $2) \
        and tags @> $3::text::jsonb \
        and ($4::text is null or exists \
            (select from tollgate.scenarios w where w.run_id = runs.id and w.name = $4)) \
        and id <> all($5) \
        and ($7::timestamptz is null or (started, id) > ($7, $8)) \
        order by started, id limit $9) r \
    left join (tollgate.requests q \
        join tollgate.scenarios s on s.run_id = q.run_id and s.position = q.scenario \
        left join tollgate.totals t on t.run_id = q.run_id and t.request = q.position and t.stage = 'measured' \
        left join tollgate.total_histograms h on h.run_id = q.run_id and h.request = q.position \
            and h.stage = 'measured' and h.dimension = 'latency' \
        left join tollgate.total_histograms c on c.run_id = q.run_id and c.request = q.position \
            and c.stage = 'cold' and c.dimension = 'latency') \
        on q.run_id = r.id and q.hop_of is null \
    order by r.started, r.id, q.position";

/// Summaries with figures of the runs that a filter may match, oldest first; for the rest see
/// [`super::list::summaries`].
pub(super) async fn summaries(
    session: &mut PgSession,
    at: &str,
    filter: &HistoryFilter,
) -> Result<Vec<RunSummary>, DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    schema::identity(&mut transaction, at).await?;
    let covered = covered_runs(&mut transaction).await?;
    let (mut runs, mut pool) = (Vec::new(), ConditionPool::default());
    loop {
        let last = runs.last().map(|last: &RunSummary| (last.started, last.id));
        let rows = page(&mut transaction, filter, &covered, last).await?;
        let before = runs.len();
        for row in &rows {
            add_row(&mut runs, &transaction, (row, at), &mut pool)?;
        }
        if runs.len() - before < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            break;
        }
    }
    transaction.commit().await?;
    Ok(runs)
}

async fn page(
    transaction: &mut Transaction<'_>,
    filter: &HistoryFilter,
    covered: &[Uuid],
    last: Option<(OffsetDateTime, Uuid)>,
) -> Result<Vec<PgRow>, DatabaseError> {
    let tags = serde_json::to_string(&filter.tags).unwrap_or_else(|_| "{}".to_owned());
    let parts: Vec<&str> = Dimension::PARTS.into_iter().map(Dimension::name).collect();
    let rows = transaction.fetch_rows(SQL, |query| {
        let query = query.bind(filter.since).bind(filter.until).bind(tags);
        let query = query.bind(filter.scenario.clone()).bind(covered.to_vec()).bind(parts);
        query.bind(last.map(|last| last.0)).bind(last.map(|last| last.1)).bind(PAGE)
    });
    Ok(rows.await?)
}

fn add_row(
    runs: &mut Vec<RunSummary>,
    transaction: &Transaction<'_>,
    (row, at): (&PgRow, &str),
    pool: &mut ConditionPool,
) -> Result<(), DatabaseError> {
    let id: Uuid = transaction.column_value(row, "id")?;
    if runs.last().is_none_or(|last| last.id != id) {
        runs.push(run(transaction, row, at)?);
    }
    if let (Some(run), Some(mut request)) = (runs.last_mut(), request(transaction, row, at)?) {
        request.figures = Some(Box::new(figures(transaction, (row, at), id, pool)?));
        run.requests.push(request);
    }
    Ok(())
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
        fresh: transaction.column_value::<Option<i64>>(row, "fresh")?.map_or(0, unsigned),
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

/// Dimension, count, p50 and p95.
#[derive(Deserialize)]
struct StoredPhase(Dimension, u64, Option<u64>, Option<u64>);

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
        let StoredPhase(_, count, p50_us, p95_us) =
            *phases.iter().find(|phase| phase.0 == dimension)?;
        Some(PhaseFigures { dimension, count, p50_us, p95_us })
    };
    Dimension::PARTS.into_iter().filter_map(phase).collect()
}
