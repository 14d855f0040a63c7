//! Read-only views of the runs for Supabase's API.
//!
//! The views have their own schema, because the API exposes whole schemas. They are
//! `security_invoker`: a query runs with the rights and policies of the user who sends it. With the
//! rights of the views' owner, it would bypass row level security.

use std::fmt::Write as _;

use super::{DatabaseError, schema};
use crate::postgres::{PgSession, Transaction, TransactionMode};

/// The comment that identifies a schema of views as tollgate's.
const MARK: &str = "Read-only views of the runs of tollgate.";
/// The first version of Postgres whose views support `security_invoker`.
const POSTGRES: i32 = 150_000;

/// The views, each with its name, its comment and its query.
const VIEWS: [(&str, &str, &str); 5] = [
    (
        "runs",
        "One execution of one or more scenarios.",
        "select id, started, elapsed_us, ending, decision, environment, deploy, git_commit, tags, host, tollgate, stored \
         from tollgate.runs",
    ),
    (
        "requests",
        "The measured phase of each request: counts, and quantiles of the latency of the ok exchanges; microseconds.",
        "select q.run_id, s.name as scenario, q.name as request, s.decision, t.exchanges, t.ok, t.failed, \
         h.min_us, h.p50_us, h.p95_us, h.p99_us, h.max_us \
         from tollgate.requests q \
         join tollgate.scenarios s on s.run_id = q.run_id and s.position = q.scenario \
         left join tollgate.totals t on t.run_id = q.run_id and t.request = q.position and t.stage = 'measured' \
         left join tollgate.total_histograms h on h.run_id = q.run_id and h.request = q.position \
         and h.stage = 'measured' and h.dimension = 'latency' where q.hop_of is null",
    ),
    (
        "seconds",
        "The measured phase second by second: counts, and quantiles of the latency of the ok exchanges; microseconds.",
        "select i.run_id, s.name as scenario, q.name as request, i.start_us, i.exchanges, i.ok, i.failed, \
         h.p50_us, h.p95_us, h.p99_us, h.max_us \
         from tollgate.intervals i \
         join tollgate.requests q on q.run_id = i.run_id and q.position = i.request \
         join tollgate.scenarios s on s.run_id = q.run_id and s.position = q.scenario \
         left join tollgate.interval_histograms h on h.run_id = i.run_id and h.interval = i.position \
         and h.dimension = 'latency' where i.stage = 'measured' and q.hop_of is null",
    ),
    (
        "verdicts",
        "What was decided and why, a row a budget.",
        "select v.run_id, s.name as scenario, v.request, v.budget, v.decision, v.judged, v.exceeded, v.allowed, \
         v.actual_us, v.what, v.next from tollgate.verdicts v \
         join tollgate.scenarios s on s.run_id = v.run_id and s.position = v.scenario",
    ),
    (
        "failures",
        "Expectations that were broken and other failures, a row a kind.",
        "select f.run_id, s.name as scenario, q.name as request, f.stage, f.failure, f.phase, f.expected, f.seen, f.count \
         from tollgate.failures f join tollgate.requests q on q.run_id = f.run_id and q.position = f.request \
         join tollgate.scenarios s on s.run_id = q.run_id and s.position = q.scenario",
    ),
];

/// The columns that the views read, by table. Of `runs`, they read neither the record nor the
/// command.
const READ: [(&str, &str); 9] = [
    (
        "runs",
        "id, started, elapsed_us, ending, decision, environment, deploy, git_commit, tags, host, tollgate, stored",
    ),
    ("scenarios", "run_id, position, name, decision"),
    ("requests", "run_id, position, scenario, name, hop_of"),
    ("totals", "run_id, request, stage, exchanges, ok, failed"),
    (
        "total_histograms",
        "run_id, request, stage, dimension, min_us, p50_us, p95_us, p99_us, max_us",
    ),
    ("intervals", "run_id, position, request, stage, start_us, exchanges, ok, failed"),
    ("interval_histograms", "run_id, interval, dimension, p50_us, p95_us, p99_us, max_us"),
    (
        "verdicts",
        "run_id, scenario, request, budget, decision, judged, exceeded, allowed, actual_us, what, next",
    ),
    ("failures", "run_id, request, stage, failure, phase, expected, seen, count"),
];

/// Creates the views and lets exactly these roles read them. Roles that could read them before lose
/// the right.
pub(super) async fn expose(
    session: &mut PgSession,
    at: &str,
    schema: &str,
    roles: &[String],
) -> Result<(), DatabaseError> {
    names(schema, roles)?;
    let mut transaction = session.begin(TransactionMode::ReadWrite).await?;
    schema::identity(&mut transaction, at).await?;
    fit(&mut transaction, schema, roles).await?;
    withdraw(&mut transaction).await?;
    transaction.execute_script(&script(schema, &roles.join(", "))).await?;
    Ok(transaction.commit().await?)
}

/// Removes the views and the rights.
pub(super) async fn hide(
    session: &mut PgSession,
    at: &str,
    schema: &str,
) -> Result<(), DatabaseError> {
    names(schema, &[])?;
    let mut transaction = session.begin(TransactionMode::ReadWrite).await?;
    schema::identity(&mut transaction, at).await?;
    fit(&mut transaction, schema, &[]).await?;
    let mut sql = String::new();
    for (view, _, _) in VIEWS {
        let _ = writeln!(sql, "drop view if exists {schema}.{view};");
    }
    let _ = writeln!(sql, "drop schema if exists {schema};");
    transaction.execute_script(&sql).await?;
    withdraw(&mut transaction).await?;
    Ok(transaction.commit().await?)
}

/// The SQL that creates the views and grants the rights.
fn script(schema: &str, roles: &str) -> String {
    let mut sql = format!(
        "create schema if not exists {schema};\ncomment on schema {schema} is '{MARK}';\n\
         grant usage on schema {schema} to {roles};\n"
    );
    for (view, what, query) in VIEWS {
        let _ = writeln!(
            sql,
            "create or replace view {schema}.{view} with (security_invoker = true) as {query};\n\
             comment on view {schema}.{view} is '{what}';\n\
             revoke all on {schema}.{view} from public;\n\
             grant select on {schema}.{view} to {roles};"
        );
    }
    for (table, columns) in READ {
        let _ = writeln!(
            sql,
            "grant select ({columns}) on tollgate.{table} to {roles};\n\
             create policy exposed on tollgate.{table} for select to {roles} using (true);"
        );
    }
    sql
}

/// Revokes the rights of the roles that the policies name, and drops the policies.
async fn withdraw(transaction: &mut Transaction<'_>) -> Result<(), DatabaseError> {
    let sql = "do $$
        declare
            found record;
        begin
            for found in
                select p.polname, c.relname, r.rolname
                from pg_policy p join pg_class c on c.oid = p.polrelid cross join unnest(p.polroles) role
                join pg_roles r on r.oid = role
                where c.relnamespace = 'tollgate'::regnamespace and p.polname = 'exposed'
            loop
                execute format('revoke all on tollgate.%I from %I', found.relname, found.rolname);
                execute format('drop policy if exists exposed on tollgate.%I', found.relname);
            end loop;
        end $$";
    Ok(transaction.execute_script(sql).await?)
}

/// Checks names that the script contains without quoting.
fn names(schema: &str, roles: &[String]) -> Result<(), DatabaseError> {
    let plain = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && name.len() <= 63
    };
    let wrong = |name: &str, what| DatabaseError::Name { name: name.to_owned(), what };
    if !plain(schema) {
        return Err(wrong(schema, "schema"));
    }
    if let Some(own) = roles.iter().find(|role| role.starts_with("tollgate_")) {
        return Err(DatabaseError::Unfit {
            what: format!("`{own}` reads or writes the tables themselves"),
            remedy: "name roles of the API with `--to`, such as `authenticated`".to_owned(),
        });
    }
    roles.iter().find(|role| !plain(role)).map_or(Ok(()), |role| Err(wrong(role, "role")))
}

/// Checks that the server supports such views, that the schema is new or tollgate's, and that the
/// roles exist.
async fn fit(
    transaction: &mut Transaction<'_>,
    schema: &str,
    roles: &[String],
) -> Result<(), DatabaseError> {
    let unfit =
        |what: String, remedy: &str| DatabaseError::Unfit { what, remedy: remedy.to_owned() };
    let sql = "select current_setting('server_version_num')::integer as version, \
               exists (select from pg_namespace where nspname = $1 and nspname <> 'public' \
                   and obj_description(oid, 'pg_namespace') = $2) as ours, \
               exists (select from pg_namespace where nspname = $1) as taken, \
               array(select wanted from unnest($3::text[]) wanted \
                   where wanted not in (select rolname from pg_roles))::text[] as missing";
    let rows =
        transaction.fetch_rows(sql, |query| query.bind(schema).bind(MARK).bind(roles)).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let (ours, taken): (bool, bool) =
        (transaction.column_value(row, "ours")?, transaction.column_value(row, "taken")?);
    let missing: Vec<String> = transaction.column_value(row, "missing")?;
    if transaction.column_value::<i32>(row, "version")? < POSTGRES {
        return Err(unfit(
            "the server is older than PostgreSQL 15".to_owned(),
            "its views know no security_invoker; upgrade it",
        ));
    }
    if taken && !ours {
        return Err(unfit(
            format!("the schema `{schema}` holds other things"),
            "name one of its own with `--schema`, such as `tollgate_api`",
        ));
    }
    if let Some(role) = missing.first() {
        return Err(unfit(
            format!("there is no role `{role}`"),
            "name a role that is there with `--to`",
        ));
    }
    Ok(())
}
