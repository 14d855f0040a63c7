//! `scenarios/supabase-rls.toml`

use super::bench::{Outcome, run};
use super::cluster::{self, Cluster};
use super::database::healthy;

fn after(changes: &str) -> Outcome {
    let cluster = Cluster::start();
    cluster.like_supabase();
    let url = healthy(&cluster, "rls");
    if !changes.is_empty() {
        cluster.sql("rls", changes);
    }
    run("supabase-rls", &[("DATABASE_URL", &url)])
}

#[test]
fn a_database_that_is_protected_and_purged_passes() {
    if cluster::is_left_out() {
        return;
    }
    after("").passed();
    // What no role of the API has a right to is not exposed.
    after("create table public.internal (id int)").passed();
}

#[test]
fn tables_without_row_level_security_are_named() {
    if cluster::is_left_out() {
        return;
    }
    after("alter table public.notification_settings disable row level security")
        .failed(&["`notification_settings`", "false instead of json.\"/0/rls\" = true"]);
    after(
        "create table public.leads (id int); grant select on public.leads to anon; \
         create table public.\"Odd name\" (id int); grant insert on public.\"Odd name\" to authenticated; \
         create materialized view public.sums as select 1 as one; grant select on public.sums to anon",
    )
    .failed(&[
        "`exposed tables have row level security`",
        "3 rows: rls=off table=public.\"Odd name\"; rls=off table=public.leads; rls=a materialized view",
    ]);
}

#[test]
fn a_schema_that_postgrest_exposes_beside_public_is_looked_at_too() {
    if cluster::is_left_out() {
        return;
    }
    after(
        "alter role authenticator set pgrst.db_schemas = 'public, extra'; create schema extra; \
         create table extra.open (id int); grant select on extra.open to anon",
    )
    .failed(&["`exposed tables have row level security`", "rls=off table=extra.open"]);
}

#[test]
fn views_that_read_past_policies_and_tables_without_a_policy_are_named() {
    if cluster::is_left_out() {
        return;
    }
    after(
        "create view public.everything as select * from public.observability_logs; \
         grant select on public.everything to anon; \
         create table public.shut (id int); alter table public.shut enable row level security; \
         grant select on public.shut to anon",
    )
    .failed(&[
        "`exposed views ask with the rights of whoever asks`",
        "1 row: public.everything",
        "`exposed tables have a policy`",
        "1 row: public.shut",
    ]);
}

#[test]
fn chatwoots_tables_and_the_purge_job_are_reported_as_absent_where_they_are() {
    if cluster::is_left_out() {
        return;
    }
    after("drop table public.notification_settings, public.notification_subscriptions").left_open(&[
        "`notification_settings`: absent",
        "`notification_subscriptions`: absent",
        "when_absent",
    ]);
    after("drop schema cron cascade").left_open(&["`purge job`: absent", "cron.job"]);
    after("delete from cron.job").left_open(&["`purge job`: absent"]);
}

#[test]
fn a_purge_that_failed_or_did_not_run_is_told() {
    if cluster::is_left_out() {
        return;
    }
    after("insert into cron.job_run_details (jobid, status, start_time) values (1, 'failed', now())")
        .failed(&["`purge job last succeeded`", "\"failed\" instead of json.\"/0/status\" = \"succeeded\""]);
    after("update cron.job_run_details set start_time = start_time - interval '3 days'")
        .failed(&["`purge job last succeeded`", "hours_ago"]);
    after("update cron.job set active = false").failed(&["`purge job`", "false"]);
}
