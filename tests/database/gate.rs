//! The gate reads the history of a plan from the database.

use std::path::Path;
use std::process::Output;

use crate::bench::{migrated, output_text, tollgate};
use crate::cluster::{self, Cluster};
use crate::status_server::StatusServer;

/// Runs a scenario whose gate fails after two failures, in a job of its own: nothing but the
/// database knows the jobs before it.
fn run_as_job(folder: &Path, server: &StatusServer, status: u16, url: &str) -> Output {
    server.set(status);
    let scenario = folder.join("trial.toml");
    let text = format!(
        "name = \"trial\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"{}\"\n\
         [[request]]\nname = \"page\"\npath = \"/\"\n[gate]\nfail_after = 2\n",
        server.base_url
    );
    std::fs::write(&scenario, text).unwrap();
    let runs = tempfile::tempdir_in(folder).unwrap();
    let mut command = tollgate();
    command.arg("run").arg(&scenario).arg("--runs-dir").arg(runs.path()).args(["--store", url]);
    command.output().unwrap()
}

#[test]
fn the_gate_of_a_job_without_run_folders_follows_the_runs_in_the_database() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let url = migrated(&cluster, "gate");
    let (folder, server) = (tempfile::tempdir().unwrap(), StatusServer::start());
    for (status, exit, gate) in [
        (500, 1, "no earlier run of this plan is in"),
        (200, 0, "PASS"),
        (500, 0, "GATE passes: failed once; fail_after = 2"),
        (500, 1, "GATE fails: failed 2 times in a row; fail_after = 2"),
    ] {
        let output = run_as_job(folder.path(), &server, status, &url);
        let shown = output_text(&output);
        assert_eq!(output.status.code(), Some(exit), "{shown}");
        assert!(shown.split_whitespace().collect::<Vec<_>>().join(" ").contains(gate), "{shown}");
    }
}

#[test]
fn a_user_who_may_not_read_the_database_has_no_history() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let url = migrated(&cluster, "gate");
    let writer = "create role ci login password 'ci' in role tollgate_writer";
    cluster.sql_as(&url, writer).unwrap();
    let address = url.split_once('@').unwrap().1;
    let writer = format!("postgresql://ci:ci@{address}");
    let (folder, server) = (tempfile::tempdir().unwrap(), StatusServer::start());
    assert_eq!(run_as_job(folder.path(), &server, 200, &writer).status.code(), Some(0));
    let output = run_as_job(folder.path(), &server, 500, &writer);
    let shown = output_text(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("and an earlier run cannot be read: "), "{shown}");
}
