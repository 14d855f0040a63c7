//! The errors that are reported if a database cannot store runs.

use std::path::Path;

use tollgate::postgres::{DatabaseAddress, PgErrorKind, PgSession, TransactionMode};

use crate::bench::{migrated, output_text, sync, tollgate};
use crate::cluster::{self, Cluster};
use crate::runs::{self, SMALL};

const CANARY: &str = "Zebra7f3a9c51";

/// What `tollgate sync` prints for one run; it must exit with 4.
fn refused(runs: &Path, url: &str) -> String {
    let output = sync(runs, url).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", output_text(&output));
    output_text(&output)
}

fn one_run() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    runs::write(folder.path(), 1, SMALL);
    folder
}

#[test]
fn each_error_of_a_database_is_reported_with_its_remedy_and_never_with_the_password() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, runs) = (Cluster::start(), one_run());
    migrated(&cluster, "store");
    cluster.create_database("empty");
    cluster.sql("postgres", &format!("create role stranger login password '{CANARY}'"));
    let stranger = |database: &str| cluster.url_as("stranger", CANARY, database);
    let closed = stranger("store").replace(&cluster.port().to_string(), "1");
    let cases = [
        (cluster.url_as("postgres", CANARY, "store"), "check user name and password"),
        (stranger("nowhere"), "has no such database"),
        (stranger("empty"), "`tollgate db migrate` makes it"),
        (stranger("store"), "grant tollgate_writer to"),
        (closed, "check that the database runs and listens at this host and port"),
    ];
    for (url, remedy) in cases {
        let text = refused(runs.path(), &url);
        assert!(text.contains(remedy), "{text}");
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn a_database_schema_of_another_version_is_reported_with_the_remedy() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, runs) = (Cluster::start(), one_run());
    let url = migrated(&cluster, "store");
    for (change, remedy) in [
        (
            "delete from tollgate.migrations where version > 1; \
             update tollgate.migrations set version = 0",
            "`tollgate db migrate` brings it up to date",
        ),
        ("update tollgate.migrations set version = 99", "use a newer tollgate"),
    ] {
        cluster.sql("store", change);
        let text = refused(runs.path(), &url);
        assert!(text.contains(remedy), "{text}");
    }
    cluster.sql("store", "update tollgate.migrations set version = 1, sha256 = 'other'");
    let output = tollgate().args(["db", "migrate"]).env("DATABASE_URL", &url).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(
        output_text(&output).contains("is not the one that this tollgate knows"),
        "{}",
        output_text(&output)
    );
}

#[test]
fn a_read_only_database_is_reported_as_such_and_can_still_be_pruned() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, runs) = (Cluster::start(), one_run());
    let url = migrated(&cluster, "store");
    assert_eq!(sync(runs.path(), &url).output().unwrap().status.code(), Some(0));
    runs::write(runs.path(), 2, SMALL);
    cluster.sql("store", "alter database store set default_transaction_read_only = on");
    let text = refused(runs.path(), &url);
    assert!(text.contains("does not accept writes") && text.contains("primary server"), "{text}");
    assert_eq!(cluster.sql("store", "select count(*) from tollgate.runs")[0], ["1"]);
    let pruned = tollgate()
        .args(["db", "prune", "--keep", "1d"])
        .env("DATABASE_URL", &url)
        .output()
        .unwrap();
    assert!(
        output_text(&pruned).contains("Deleted 62 intervals of 1 run that"),
        "{}",
        output_text(&pruned)
    );
}

#[test]
fn a_database_whose_disk_is_full_in_the_middle_of_a_run_keeps_none_of_it() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, runs) = (Cluster::start(), one_run());
    let url = migrated(&cluster, "store");
    // Raises PostgreSQL's own error, in the last of a run's tables.
    cluster.sql(
        "store",
        "create function tollgate.refuse() returns trigger language plpgsql as \
                $$ begin raise exception 'could not extend file \"base/5/16384\": No space left on device' \
                using errcode = '53100'; end $$",
    );
    cluster.sql(
        "store",
        "create trigger refuse before insert on tollgate.interval_histograms execute function tollgate.refuse()",
    );
    let text = refused(runs.path(), &url);
    assert!(
        text.contains("has no space left on its disk") && text.contains("tollgate db prune"),
        "{text}"
    );
    assert_eq!(cluster.sql("store", "select count(*) from tollgate.runs")[0], ["0"]);
    cluster.sql("store", "drop trigger refuse on tollgate.interval_histograms");
    let output = sync(runs.path(), &url).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
}

#[test]
fn a_database_that_hangs_times_out_and_the_run_is_kept() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, runs) = (Cluster::start(), one_run());
    let url = migrated(&cluster, "store");
    cluster.pause();
    let text = refused(runs.path(), &format!("{url}?connect_timeout=1"));
    cluster.resume();
    assert!(text.contains("no connection within 1 s"), "{text}");
    let output = sync(runs.path(), &url).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
}

#[test]
fn a_wrong_database_url_is_a_usage_error_before_anything_is_sent_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    for url in [
        format!("postgres://u:{CANARY}#1@127.0.0.1/x"),
        format!("postgresql://u:{CANARY}@127.0.0.1:port/x"),
        format!("postgres://u:{CANARY}@127.0.0.1/x?sslmode=sometimes"),
        format!("postgres://u:{CANARY}@db.example/x?sslmode=prefer"),
    ] {
        for words in [&["run", "http://127.0.0.1:1"][..], &["sync"], &["db", "status"]] {
            for typed in [true, false] {
                let mut command = tollgate();
                command.args(words);
                if typed {
                    command.args(["--store", &url])
                } else {
                    command.env("DATABASE_URL", &url)
                };
                let output = command.output().unwrap();
                assert_eq!(output.status.code(), Some(2), "{}", output_text(&output));
                assert!(!output_text(&output).contains(CANARY), "{}", output_text(&output));
            }
        }
    }
    let foreign = tollgate()
        .args(["run", "http://127.0.0.1:1", "--duration", "1s", "--runs-dir"])
        .arg(folder.path())
        .env("DATABASE_URL", format!("mysql://u:{CANARY}@h/x"))
        .output()
        .unwrap();
    assert_eq!(foreign.status.code(), Some(1), "{}", output_text(&foreign));
    assert!(
        output_text(&foreign).contains("does not name a Postgres database")
            && !output_text(&foreign).contains(CANARY),
        "{}",
        output_text(&foreign)
    );
    let none =
        tollgate().args(["sync", "--store", "none"]).env("DATABASE_URL", "x").output().unwrap();
    assert!(output_text(&none).contains("no database is named"), "{}", output_text(&none));
    let required =
        tollgate().args(["run", "http://127.0.0.1:1", "--require-store"]).output().unwrap();
    assert_eq!(required.status.code(), Some(2), "{}", output_text(&required));
}

/// The clock is paused once the transaction has begun, and advances by itself when no task has
/// work.
#[test]
fn a_database_that_hangs_in_the_middle_of_a_transaction_times_out() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async {
        let mut session =
            PgSession::connect(&DatabaseAddress::parse(&cluster.url()).unwrap()).await.unwrap();
        let mut transaction = session.begin(TransactionMode::ReadOnly).await.unwrap();
        cluster.pause();
        tokio::time::pause();
        transaction.fetch_rows("select 1", |query| query).await.unwrap_err()
    });
    cluster.resume();
    assert_eq!(error.kind, PgErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains("no answer within 35 s"), "{error}");
}
