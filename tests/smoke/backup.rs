//! `scenarios/backup-drill.toml`

use super::bench::{Outcome, run};
use super::cluster::{self, Cluster};

/// A source, and what was restored from it and then changed.
fn drill(changes: &str) -> Outcome {
    let cluster = Cluster::start();
    for name in ["source", "restored"] {
        cluster.create_database(name);
        cluster.sql(
            name,
            "create table public.orders (id int, created_at timestamptz); \
             insert into public.orders select n, now() - n * interval '1 minute' from generate_series(1, 200) as n; \
             create table public.shops (id int); insert into public.shops values (1), (2)",
        );
    }
    if !changes.is_empty() {
        cluster.sql("restored", changes);
    }
    let (source, restored) = (cluster.url_of("source"), cluster.url_of("restored"));
    run("backup-drill", &[("SOURCE_DATABASE_URL", &source), ("RESTORED_DATABASE_URL", &restored)])
}

#[test]
fn a_backup_that_holds_nearly_all_of_its_source_passes() {
    if cluster::is_left_out() {
        return;
    }
    drill("").passed();
    drill("delete from public.orders where id <= 5").passed();
}

#[test]
fn what_a_backup_lacks_is_named() {
    if cluster::is_left_out() {
        return;
    }
    drill("drop table public.shops").failed(&["`restored: every table is there`", "1 row: shops"]);
    drill("delete from public.orders where id > 100")
        .failed(&["`restored: the rows are there`", "1 row: restored=100 source=200 table=orders"]);
    drill("update public.orders set created_at = created_at - interval '3 days'").failed(&[
        "`restored: the newest rows are recent`",
        "1 row: restored=",
        "table=orders",
    ]);
}

#[test]
fn a_source_that_cannot_be_asked_leaves_the_comparisons_out() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.create_database("restored");
    let outcome = run(
        "backup-drill",
        &[
            ("SOURCE_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/source"),
            ("RESTORED_DATABASE_URL", &cluster.url_of("restored")),
        ],
    );
    outcome.failed(&["the target never answered", "`restored: every table is there`: not captured"]);
}
