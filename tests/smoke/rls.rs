//! `scenarios/supabase-rls.toml`

use super::bench::{Outcome, REPORTS, run};
use super::cluster::{self, Cluster};
use super::database::Cases;

fn rls(url: &str, schemas: &str) -> Outcome {
    rls_with(url, schemas, &[])
}

fn rls_with(url: &str, schemas: &str, more: &[(&str, &str)]) -> Outcome {
    let variables = [("DATABASE_URL", url), ("SUPABASE_SCHEMAS", schemas)];
    run("supabase-rls", &[&variables, more].concat())
}

fn after(cases: &Cases, changes: &str) -> Outcome {
    rls(&cases.cluster.url_of(&cases.after(changes)), "")
}

/// Cases that are not faults: objects without rights for the API's roles, an extension's objects, a
/// partition that can be read only through its table, a disabled job, and unfinished runs of the
/// job.
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
fn reads_that_bypass_policies_and_tables_without_policy_are_named() {
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
fn other_roles_of_the_api_and_partitions_are_checked() {
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
fn tables_behind_an_exposed_view_are_checked() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    // Through one view, through two, and a view whose owner bypasses policies.
    let leaking = "
        create schema private;
        create table private.salaries (id int, pay int); grant select on private.salaries to anon;
        create view public.pay with (security_invoker = true) as select * from private.salaries;
        create table private.bonus (id int); grant select (id) on private.bonus to anon;
        create view private.inner_bonus with (security_invoker) as select id from private.bonus;
        create view public.bonus with (security_invoker = on) as select (select max(id) from private.inner_bonus) as most;
        create table private.hidden (id int); alter table private.hidden enable row level security;
        create view private.all_hidden as select * from private.hidden;
        create view public.hidden with (security_invoker = true) as select * from private.all_hidden;
        create materialized view private.sums as select 1 as one;
        create view public.sums with (security_invoker = true) as select * from private.sums;
        grant select on public.pay, public.bonus, public.hidden, public.sums, private.inner_bonus, private.all_hidden, private.sums to anon";
    let outcome = after(&cases, leaking);
    outcome.failed(&[
        "`exposed tables have row level security`",
        "3 rows: rls=off table=private.bonus; rls=off table=private.salaries; rls=a materialized view",
        "`exposed views ask with the rights of whoever asks`",
        "1 row, view: private.all_hidden",
    ]);
    assert!(
        !outcome.reasons().contains("private.hidden"),
        "only its owner reads it: {}",
        outcome.reasons()
    );
}

#[test]
fn a_view_with_the_users_rights_is_not_a_gap() {
    if cluster::is_left_out() {
        return;
    }
    // Views with the querying user's rights: over a table without rights, over a protected table,
    // and over the catalogue.
    let changes = "
        create schema private; create role other_agent nologin; grant other_agent to authenticator;
        create table private.salaries (id int); grant select on private.salaries to other_agent;
        create view public.pay with (security_invoker = true) as select * from private.salaries;
        create view private.all_salaries as select * from private.salaries;
        create view public.all_pay with (security_invoker = true) as select * from private.all_salaries;
        create table private.notes (id int); alter table private.notes enable row level security;
        create policy service on private.notes to service_role using (true); grant select on private.notes to anon;
        create view public.notes with (security_invoker = true) as select * from private.notes;
        create view public.names with (security_invoker = true) as select relname from pg_class join pg_tables on tablename = relname;
        create extension pg_stat_statements schema private; grant usage on schema private to anon;
        create view public.calls with (security_invoker = true) as select calls from private.pg_stat_statements; grant select on public.calls to anon;
        grant select on public.pay, public.all_pay, public.notes, public.names to anon";
    after(&Cases::start(), changes).passed();
}

#[test]
fn a_role_of_the_api_that_no_policy_binds_is_named_with_why() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let url = cases.cluster.url_of(&cases.after(""));
    for (change, undo, found) in [
        (
            "alter role anon bypassrls",
            "alter role anon nobypassrls",
            "1 row: role=anon unbound=has bypassrls",
        ),
        (
            "alter role authenticated superuser",
            "alter role authenticated nosuperuser",
            "1 row: role=authenticated unbound=is a superuser",
        ),
        (
            "grant service_role to anon",
            "revoke service_role from anon",
            "1 row: role=anon unbound=is a member of service_role",
        ),
        (
            "create role between_them nologin; grant between_them to anon; grant service_role to between_them",
            "drop role between_them",
            "2 rows: role=anon unbound=is a member of service_role; role=between_them",
        ),
        (
            "create role clerk nologin bypassrls; grant clerk to authenticated",
            "drop role clerk",
            "2 rows: role=authenticated unbound=is a member of clerk; role=clerk unbound=has bypassrls",
        ),
    ] {
        cases.cluster.sql("postgres", change);
        rls(&url, "").failed(&["`roles of the API are bound by policies`", found]);
        cases.cluster.sql("postgres", undo);
    }
    rls(&url, "").passed();
}

#[test]
fn a_table_that_a_role_of_the_api_owns_binds_it_only_where_it_is_forced_to() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let owned = "
        create role keeper nologin; grant keeper to authenticated; alter table public.notification_settings owner to keeper;
        alter table public.observability_logs owner to anon";
    after(&cases, owned).failed(&[
        "`exposed tables bind their owners`",
        "2 rows: owner=keeper table=public.notification_settings; owner=anon table=public.observability_logs",
    ]);
    let forced = "alter table public.observability_logs owner to anon; alter table public.observability_logs force row level security";
    after(&cases, forced).passed();
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
    rls(&url, "")
        .failed(&["`exposed tables have row level security`", "1 row: rls=off table=extra.open"]);
    let own =
        format!("alter role authenticator in database {name} set pgrst.db_schemas = 'public,more'");
    cases.cluster.sql(&name, &own);
    rls(&url, "")
        .failed(&["`exposed tables have row level security`", "1 row: rls=off table=more.open"]);
    let given = rls(&url, "public, typo");
    given.failed(&["`exposed schemas`", "1 row, missing: typo"]);
    assert!(!given.reasons().contains("open"), "{}", given.reasons());
}

#[test]
fn every_offender_is_named_in_the_record_and_in_the_reports() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let name = cases.after(
        "do $$ begin for n in 1..25 loop \
         execute format('create table public.open_%s (id int); grant select on public.open_%s to anon', n, n); \
         end loop; end $$",
    );
    let outcome = rls_with(&cases.cluster.url_of(&name), "", &[REPORTS]);
    outcome.failed(&["the API can read tables without row level security: 25 rows"]);
    assert!(outcome.printed.contains("15 more rows in run.json"), "{}", outcome.printed);
    let steps = outcome.record.measurement.scenarios.iter().flat_map(|found| &found.requests);
    let evidence = steps.flat_map(|step| step.measured.evidence.by_count());
    let rows: Vec<_> = evidence
        .filter_map(|evidence| evidence.detail.as_ref())
        .flat_map(|detail| detail.rows.iter())
        .collect();
    let markdown = std::fs::read_to_string(outcome.run_folder().join("report.md")).unwrap();
    for n in 1..=25 {
        let row = format!("rls=off table=public.open_{n}");
        assert!(rows.iter().any(|kept| **kept == row), "{row} in {rows:?}");
        assert!(markdown.contains(&format!("table=public.open\\_{n}\n")), "{markdown}");
    }
}

#[test]
fn a_database_with_nothing_to_protect_does_not_pass() {
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
fn a_purge_that_failed_did_not_run_or_is_doubled_is_reported() {
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
    // A run that never started sorts first by time, and last by number.
    let stale = "
        update cron.job_run_details set start_time = start_time - interval '3 days';
        insert into cron.job_run_details (runid, jobid, status) values (0, 1, 'failed')";
    after(&cases, stale).failed(&[
        "`purge job last succeeded`",
        "78",
        "json_at_most.\"/0/hours_ago\" = 25",
    ]);
    after(&cases, "update cron.job set active = false")
        .failed(&["`purge job`", "false instead of json.\"/0/active\" = true"]);
}

#[test]
fn a_purge_is_its_call_and_not_a_word_about_it() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    for command in [
        "-- select purge_dashboard_data()\nselect 1",
        "select 1 /* then select purge_dashboard_data() */",
        "select ''select purge_dashboard_data()''",
        "select not_purge_dashboard_data()",
        "drop function if exists public.purge_dashboard_data()",
    ] {
        after(&cases, &format!("update cron.job set command = '{command}'"))
            .left_open(&["`purge job`: absent", "`purge job last succeeded`: absent"]);
    }
    for command in [
        "-- don''t forget\nSELECT public.purge_dashboard_data(''30 days'')",
        "/* one */ select * from \"public\".\"purge_dashboard_data\" (30) -- it''s all",
        "do $$ begin perform purge_dashboard_data(); end $$",
        "select 1, purge_dashboard_data()",
        "select distinct public.purge_dashboard_data()",
        "select ''x''||public.purge_dashboard_data()",
        "select n from t cross join lateral \"public\" . purge_dashboard_data()",
    ] {
        after(&cases, &format!("update cron.job set command = '{command}'")).passed();
    }
}

#[test]
fn a_purge_slightly_too_old_or_in_the_future_is_reported() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let at = |time: &str| {
        after(&cases, &format!("update cron.job_run_details set start_time = now() {time}"))
    };
    let last = "`purge job last succeeded`";
    let ok = "delete from cron.job_run_details where status = 'failed'";
    cases.cluster.sql("healthy", ok);
    at("- interval '25 hours 2 minutes'").failed(&[
        last,
        "25.03",
        "json_at_most.\"/0/hours_ago\" = 25",
    ]);
    at("+ interval '1 hour'").failed(&[last, "-0.99", "json_at_least.\"/0/hours_ago\" = 0"]);
    at("- interval '24 hours 58 minutes'").passed();
}

#[test]
fn jobs_hidden_from_the_user_are_absent_and_prevent_a_pass() {
    if cluster::is_left_out() {
        return;
    }
    let cases = Cases::start();
    let name = cases.after(
        "create role looker login password 'looker'; grant usage on schema cron to looker; \
         grant select on all tables in schema cron to looker; \
         alter table cron.job enable row level security; alter table cron.job_run_details enable row level security",
    );
    rls(&cases.cluster.url_as("looker", "looker", &name), "").left_open(&[
        "`jobs that purge`: absent",
        "`purge job`: absent",
        "`purge job last succeeded`: absent",
    ]);
    rls(&cases.cluster.url_of(&name), "").passed();
}
