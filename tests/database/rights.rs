//! Who may read and write the runs, with Supabase's roles.

use tollgate::history::HistoryFilter;
use tollgate::store::{UploadLimits, UserRight};

use crate::bench::{TABLES, keep, listed, open, record};
use crate::cluster::{self, Cluster, Supabase};
use crate::runs::{self, SMALL};

/// A database like Supabase's with one run, stored by its owner, who is not a superuser.
fn supabase(cluster: &Cluster) -> (Supabase, tempfile::TempDir) {
    let supabase = cluster.like_supabase();
    let mut owner = open(&supabase.owner);
    owner.migrate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(keep(&mut owner, &runs::write(folder.path(), 1, SMALL)));
    for (role, of) in [("ci_writer", "tollgate_writer"), ("ci_reader", "tollgate_reader")] {
        let sql = format!("create role {role} login password '{role}' in role {of}");
        cluster.sql_as(&supabase.owner, &sql).unwrap();
    }
    (supabase, folder)
}

/// What a role of the API gets for a statement that is sent as PostgREST sends it.
fn as_role(
    cluster: &Cluster,
    supabase: &Supabase,
    role: &str,
    sql: &str,
) -> Result<String, String> {
    let rows = cluster.sql_as(&supabase.authenticator, &format!("set role {role}; {sql}"));
    rows.map(|rows| rows.concat().join(" "))
}

#[test]
fn the_roles_of_supabases_api_neither_read_nor_write_the_database_unless_it_is_exposed() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (supabase, _folder) = supabase(&cluster);
    for role in ["anon", "authenticated", "service_role"] {
        for table in TABLES.into_iter().chain(["store", "migrations"]) {
            for sql in [
                format!("select count(*) from tollgate.{table}"),
                format!("insert into tollgate.{table} default values"),
                format!("delete from tollgate.{table}"),
            ] {
                let denied = as_role(&cluster, &supabase, role, &sql).unwrap_err();
                assert!(
                    denied.contains("permission denied for schema tollgate"),
                    "{role}: {sql}: {denied}"
                );
            }
        }
    }
}

#[test]
fn exposed_views_of_the_database_are_read_only_and_only_for_the_named_roles() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (supabase, _folder) = supabase(&cluster);
    let mut owner = open(&supabase.owner);
    for _twice in 0..2 {
        owner.expose("tollgate_api", &["authenticated".to_owned()]).unwrap();
    }
    let read = |role: &str, sql: &str| as_role(&cluster, &supabase, role, sql);
    for (view, rows) in
        [("runs", "1"), ("requests", "2"), ("seconds", "60"), ("verdicts", "4"), ("failures", "2")]
    {
        let budgets = if view == "verdicts" { " where budget is not null" } else { "" };
        let count = format!("select count(*) from tollgate_api.{view}{budgets}");
        assert_eq!(read("authenticated", &count).unwrap(), rows, "{view}");
        assert!(read("anon", &count).unwrap_err().contains("permission denied"), "{view}");
        assert!(read("service_role", &count).unwrap_err().contains("permission denied"), "{view}");
        let delete = format!("delete from tollgate_api.{view}");
        assert!(read("authenticated", &delete).is_err(), "{view}");
    }
    for unread in [
        "select record from tollgate.runs",
        "select command from tollgate.runs",
        "select count(*) from tollgate.store",
    ] {
        assert!(read("authenticated", unread).is_err(), "{unread}");
    }
    let invokers = "select count(*) from pg_class where relnamespace = 'tollgate_api'::regnamespace \
                    and relkind = 'v' and 'security_invoker=true' = any(reloptions)";
    assert_eq!(cluster.sql(supabase.database, invokers)[0], ["5"]);

    owner.expose("tollgate_api", &["service_role".to_owned()]).unwrap();
    assert_eq!(read("service_role", "select count(*) from tollgate_api.runs").unwrap(), "1");
    let others = read("authenticated", "select count(*) from tollgate_api.runs");
    assert!(others.is_err(), "the role that is named no longer may read no longer: {others:?}");

    owner.hide("tollgate_api").unwrap();
    assert!(read("service_role", "select count(*) from tollgate_api.runs").is_err());
    let left = "select count(*) from pg_policy where polname = 'exposed'";
    assert_eq!(cluster.sql(supabase.database, left)[0], ["0"]);
}

#[test]
fn views_are_not_created_in_a_foreign_schema_or_for_a_missing_role() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (supabase, _folder) = supabase(&cluster);
    let mut owner = open(&supabase.owner);
    let mut refused = |schema: &str, role: &str| {
        let message = owner.expose(schema, &[role.to_owned()]).unwrap_err().to_string();
        assert!(message.contains(": "), "{message}");
        message
    };
    assert!(refused("public", "authenticated").contains("holds other things"));
    assert!(refused("tollgate", "authenticated").contains("holds other things"));
    assert!(refused("api", "nobody_here").contains("no role `nobody_here`"));
    assert!(refused("api", "tollgate_reader").contains("tables themselves"));
    assert!(refused("api; drop schema tollgate", "authenticated").contains("not a valid name"));
    assert!(refused("api", "anon; drop schema tollgate").contains("not a valid name"));
}

#[test]
fn the_writer_of_the_database_stores_runs_and_reads_and_changes_none() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (supabase, folder) = supabase(&cluster);
    let writer = cluster.url_as("ci_writer", "ci_writer", supabase.database);
    let mut database = open(&writer);
    let path = runs::write(folder.path(), 2, SMALL);
    assert!(keep(&mut database, &path));
    assert!(!keep(&mut database, &path));
    assert_eq!(database.stored_runs(&[record(&path).id]).unwrap(), None);
    let rights = database.schema_status().unwrap().rights;
    assert_eq!(rights, [UserRight::Version, UserRight::Store].into());
    for table in TABLES {
        for sql in [
            format!("select count(*) from tollgate.{table}"),
            format!("delete from tollgate.{table}"),
            format!("update tollgate.{table} set run_id = null"),
        ] {
            assert!(cluster.sql_as(&writer, &sql).is_err(), "{sql}");
        }
    }
    assert!(cluster.sql_as(&writer, "create table tollgate.more ()").is_err());
    assert!(database.summaries(&HistoryFilter::default()).is_err());
}

#[test]
fn the_reader_of_the_database_reads_runs_and_changes_none() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (supabase, folder) = supabase(&cluster);
    let reader = cluster.url_as("ci_reader", "ci_reader", supabase.database);
    let mut database = open(&reader);
    let path = tollgate::store::run_folders(folder.path()).unwrap().remove(0);
    let stored = record(&path);
    assert_eq!(*database.fetch_run(&stored.id.to_string()).unwrap().record, stored);
    assert_eq!(database.summaries(&HistoryFilter::default()).unwrap(), [listed(&stored)]);
    assert_eq!(database.stored_runs(&[stored.id]).unwrap(), Some(vec![stored.id]));
    assert_eq!(
        database.schema_status().unwrap().rights,
        [UserRight::Version, UserRight::Read].into()
    );
    let refused =
        database.store_run(&stored, &path, UploadLimits::GENEROUS).unwrap_err().to_string();
    assert!(refused.contains("grant tollgate_writer"), "{refused}");
    for table in TABLES {
        assert!(
            cluster.sql_as(&reader, &format!("delete from tollgate.{table}")).is_err(),
            "{table}"
        );
    }
}

#[test]
fn a_table_of_the_database_that_lost_its_protection_is_named() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (supabase, _folder) = supabase(&cluster);
    let mut owner = open(&supabase.owner);
    assert_eq!(owner.schema_status().unwrap().unprotected, []);
    cluster
        .sql_as(&supabase.owner, "alter table tollgate.totals disable row level security")
        .unwrap();
    cluster.sql_as(&supabase.owner, "grant select on tollgate.runs to public").unwrap();
    let found = owner.schema_status().unwrap().unprotected;
    let named: Vec<_> = found.iter().map(|found| (found.table.as_str(), found.what)).collect();
    assert_eq!(
        named,
        [("runs", "everybody has a right to it"), ("totals", "row level security is off")]
    );
}
