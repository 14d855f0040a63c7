//! `scenarios/supabase-rls.toml`

use super::bench::{Outcome, run};
use super::cluster::{self, Cluster};
use super::database::Cases;

fn rls(url: &str, schemas: &str) -> Outcome {
    run("supabase-rls", &[("DATABASE_URL", url), ("SUPABASE_SCHEMAS", schemas)])
}

fn after(cases: &Cases, changes: &str) -> Outcome {
    rls(&cases.cluster.url_of(&cases.after(changes)), "")
}

/// What is no fault: what nobody of the API has a right to, what is an extension's, a partition that is read by way of its table
/// alone, a job that was switched off, and runs of the job that are not over.
const SAFE: &str = "
    create table public.internal (id int);
    create table public.vault (id int); grant all on public.vault to service_role;
    create table public.spatial_ref_sys (id int); grant select on public.spatial_ref_sys to anon;
    alter extension plpgsql add table public.spatial_ref_sys;
    create view public.geometry_columns as select 1 as one; grant select on public.geometry_columns to anon;
    alter extension plpgsql add view public.geometry_columns;
    create table public.readings (id int) partition by range (id);
    create table public.readings_1 partition of public.readings for values from (0) to (9);
    alter table public.readings enable row level security; alter table public.readings_1 enable row level security;
    create policy service on public.readings to service_role using (true);
    grant select on public.readings, public.readings_1 to anon;
    insert into cron.job values (2, '0 4 * * *', 'select public.purge_dashboard_data(30)', false);
    insert into cron.job_run_details (jobid, status, start_time) values (2, 'failed', now()), (1, 'starting', null), (1, 'running', now());
    grant usage on schema cron to postgres_like; grant select on all tables in schema cron to postgres_like";

#[test]
fn a_database_that_is_protected_and_purged_passes_also_for_a_user_who_is_no_superuser() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let name = cases.after(SAFE);
    rls(&cases.cluster.url_as("postgres_like", "postgres_like", &name), "").passed();
}

#[test]
fn what_anybody_reads_past_policies_is_named_and_so_is_what_has_no_policy() {
    if cluster::is_left_out() {
        return;
    }
    let changes = "
        alter table public.notification_settings disable row level security;
        create table public.leads (id int, note text); grant select (note) on public.leads to anon;
        create table public.\"Odd name\" (id int); grant delete on public.\"Odd name\" to authenticated;
        create materialized view public.sums as select 1 as one; grant select on public.sums to anon;
        revoke all on public.notification_settings from anon, authenticated;
        create view public.everything as select * from public.observability_logs;
        grant select on public.everything to anon;
        create table public.shut (id int); alter table public.shut enable row level security;
        grant select on public.shut to anon";
    after(&Cases::start(), changes).failed(&[
        "`notification_settings`",
        "false instead of json.\"/0/rls\" = true",
        "`exposed tables have row level security`",
        "3 rows: rls=off table=public.\"Odd name\"; rls=off table=public.leads; rls=a materialized view",
        "`exposed views ask with the rights of whoever asks`",
        "1 row, view: public.everything",
        "`exposed tables have a policy`",
        "1 row, table: public.shut",
    ]);
}

#[test]
fn other_roles_of_the_api_and_partitions_are_looked_at_too() {
    if cluster::is_left_out() {
        return;
    }
    let changes = "
        create role agent nologin; create role helper nologin; grant agent to authenticator; grant helper to agent;
        create table public.tasks (id int); grant update on public.tasks to agent;
        create table public.notes (id int); grant select on public.notes to helper;
        create table public.parts (id int) partition by range (id);
        alter table public.parts enable row level security;
        create policy service on public.parts to service_role using (true);
        create table public.parts_1 partition of public.parts for values from (0) to (9);
        create table public.whole (id int) partition by range (id);
        grant select on public.parts, public.parts_1, public.whole to anon";
    after(&Cases::start(), changes).failed(&[
        "4 rows: rls=off table=public.notes; rls=off table=public.parts_1; rls=off table=public.tasks; rls=off table=public.whole",
    ]);
}

#[test]
fn the_schemas_are_those_given_or_else_the_databases_own_or_else_the_roles() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let name = cases.after(
        "alter role authenticator set pgrst.db_schemas = 'public, extra'; \
         create schema extra; create table extra.open (id int); grant select on extra.open to anon; \
         create schema more; create table more.open (id int); grant select on more.open to anon",
    );
    let url = cases.cluster.url_of(&name);
    rls(&url, "").failed(&["`exposed tables have row level security`", "1 row: rls=off table=extra.open"]);
    let own = format!("alter role authenticator in database {name} set pgrst.db_schemas = 'public,more'");
    cases.cluster.sql(&name, &own);
    rls(&url, "").failed(&["`exposed tables have row level security`", "1 row: rls=off table=more.open"]);
    let given = rls(&url, "public, typo");
    given.failed(&["`exposed schemas`", "1 row, missing: typo"]);
    assert!(!given.reasons().contains("open"), "{}", given.reasons());
}

#[test]
fn a_database_with_nothing_to_protect_is_no_pass() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    rls(&cluster.url(), "").failed(&["`roles of the API`", "2 rows, missing: anon; authenticated"]);
    let supabase = cluster.like_supabase();
    rls(&supabase.owner, "").failed(&["`exposed relations`", "0 instead of json_at_least"]);
}

#[test]
fn chatwoots_tables_and_the_purge_job_are_reported_as_absent_where_they_are() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    after(
        &cases,
        "drop table public.notification_settings, public.notification_subscriptions; drop schema cron cascade",
    )
    .left_open(&[
        "`notification_settings`: absent",
        "`notification_subscriptions`: absent",
        "when_absent",
        "`purge job`: absent",
        "cron.job",
    ]);
    after(&cases, "delete from cron.job")
        .left_open(&["`purge job`: absent", "`purge job last succeeded`: absent"]);
}

#[test]
fn a_purge_that_failed_did_not_run_or_is_doubled_is_told() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let failed = "
        insert into cron.job values (2, '0 3 * * *', 'select public.purge_dashboard_data()', true);
        insert into cron.job_run_details (jobid, status, end_time) values (1, 'failed', now());
        update cron.job_run_details set runid = 9 where status = 'failed' and start_time is null";
    after(&cases, failed).failed(&[
        "`purge job`",
        "2 instead of json.\"/0/active_jobs\" = 1",
        "`purge job last succeeded`",
        "\"failed\" instead of json.\"/0/status\" = \"succeeded\"",
    ]);
    // One that never started comes first by its time, and last by its number.
    let stale = "
        update cron.job_run_details set start_time = start_time - interval '3 days';
        insert into cron.job_run_details (runid, jobid, status) values (0, 1, 'failed')";
    after(&cases, stale).failed(&["`purge job last succeeded`", "78", "json_at_most.\"/0/hours_ago\" = 25"]);
    after(&cases, "update cron.job set active = false")
        .failed(&["`purge job`", "false instead of json.\"/0/active\" = true"]);
}
