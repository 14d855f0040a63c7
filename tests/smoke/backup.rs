//! `scenarios/backup-drill.toml`

use super::bench::{Outcome, run};
use super::cluster::{self, Cluster};

const TABLES: &str = "
    create table public.orders (id int, created_at timestamptz);
    insert into public.orders select n, now() - n * interval '1 minute' from generate_series(1, 200) as n;
    create table public.visits (id int, created_at timestamp);
    insert into public.visits values (1, now()), (2, 'infinity'), (3, '-infinity'), (4, now() + interval '1 year');
    create table public.notes (id int, created_at timestamptz); insert into public.notes values (1, now());
    create table public.shops (id int); insert into public.shops values (1), (2);
    create table public.empty (id int, created_at timestamptz)";

/// A source database and its restored copy.
fn pair() -> Cluster {
    let cluster = Cluster::start();
    for name in ["source", "restored"] {
        cluster.create_database(name);
        cluster.sql(name, TABLES);
    }
    cluster
}

fn drill(source: &str, restored: &str) -> Outcome {
    run("backup-drill", &[("SOURCE_DATABASE_URL", source), ("RESTORED_DATABASE_URL", restored)])
}

/// The outcome of the drill after these changes to the restored copy.
fn after(cluster: &Cluster, changes: &str) -> Outcome {
    cluster.sql("restored", changes);
    drill(&cluster.url_of("source"), &cluster.url_of("restored"))
}

#[test]
fn a_backup_that_holds_nearly_all_of_its_source_passes() {
    if cluster::is_left_out() {
        return;
    }
    after(&pair(), "delete from public.orders where id <= 5").passed();
}

#[test]
fn what_a_backup_lacks_is_named() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = pair();
    let old = "update public.orders set created_at = created_at - interval '3 days'; \
               update public.visits set created_at = created_at - interval '3 days' where isfinite(created_at) and id = 1";
    // Rows dated in the future, or without a date, do not make the others recent.
    after(&cluster, old).failed(&[
        "`restored: the newest rows are recent`",
        "2 rows: restored=",
        "table=orders",
    ]);
    let lacking = "drop table public.shops; create view public.shops as select 1 as id; \
                   delete from public.orders where id > 100; update public.orders set created_at = now(); \
                   update public.visits set created_at = now(); alter table public.notes drop column created_at";
    after(&cluster, lacking).failed(&[
        "`restored: every table is there`",
        "1 row, missing: shops",
        "`restored: the rows are there`",
        "1 row: restored=100 source=200 table=orders",
        "`restored: the newest rows are recent`",
        "1 row: restored=no time created_at source=",
        "table=notes",
    ]);
}

#[test]
fn a_restore_that_ran_twice_has_too_many_rows_and_a_few_deleted_since_are_none() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = pair();
    after(&cluster, "insert into public.orders select 0, now() from generate_series(1, 140)")
        .passed();
    let twice = "insert into public.orders select 0, now() from generate_series(1, 9); \
                 insert into public.shops select id from public.shops";
    after(&cluster, twice)
        .failed(&["`restored: the rows are there`", "1 row: restored=349 source=200 table=orders"]);
}

#[test]
fn a_complete_standby_is_not_a_backup() {
    if cluster::is_left_out() {
        return;
    }
    let (source, mut standby) = (pair(), pair());
    std::fs::write(standby.folder().join("data/standby.signal"), "").unwrap();
    standby.restart();
    let outcome = drill(&source.url_of("source"), &standby.url_of("restored"));
    outcome.failed(&[
        "`restored: it is no standby`",
        "true instead of json.\"/0/is_in_recovery\" = false",
    ]);
    assert_eq!(outcome.reasons().lines().count(), 1, "{}", outcome.reasons());
}

#[test]
fn rows_hidden_by_a_policy_do_not_count() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = pair();
    cluster.sql("postgres", "create role reader login password 'reader'");
    for name in ["source", "restored"] {
        cluster.sql(name, "grant select on all tables in schema public to reader");
    }
    cluster.sql("source", "alter table public.shops enable row level security");
    cluster.sql("restored", "alter table public.orders enable row level security");
    let url = |name| cluster.url_as("reader", "reader", name);
    drill(&url("source"), &url("restored")).failed(&[
        "`source: no policy hides rows`",
        "1 row, hidden from this user: shops",
        "`restored: no policy hides rows`",
        "1 row, hidden from this user: orders",
    ]);
}

#[test]
fn the_source_itself_and_an_empty_database_are_not_backups() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.create_database("source");
    cluster.sql("source", "create table public.shops (id int)");
    drill(&cluster.url_of("source"), &cluster.url_of("source")).failed(&[
        "`restored: it is another database`",
        "1 row, the source itself: source",
        "`source: tables and counts`",
        "0 instead of json_at_least.\"/0/rows\" = 1",
    ]);
}

#[test]
fn a_source_whose_rows_have_no_time_leaves_open_how_recent_they_are() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    for name in ["source", "restored"] {
        cluster.create_database(name);
        cluster
            .sql(name, "create table public.shops (id int); insert into public.shops values (1)");
    }
    drill(&cluster.url_of("source"), &cluster.url_of("restored")).left_open(&[
        "`source: newest rows`: absent",
        "`restored: the newest rows are recent`: absent",
    ]);
}

#[test]
fn an_unreachable_source_skips_the_comparisons() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.create_database("restored");
    let outcome = drill("postgresql://postgres@127.0.0.1:1/source", &cluster.url_of("restored"));
    outcome.failed(&[
        "`source: tables and counts`",
        "cannot be reached",
        "`restored: every table is there`: not captured",
    ]);
}
