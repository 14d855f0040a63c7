//! Budgets whose limits earlier runs gave, stored with the budget as it was written.

use std::path::Path;

use serde_json::{Value, json};

use crate::bench::{migrated, output_text, sync, tollgate};
use crate::cluster;
use crate::runs::{self, SMALL};

const WRITTEN: &str = "p95 < baseline + 10%";

/// Makes the limit of a run's budget one that earlier runs gave.
fn learn_limit(folder: &Path) {
    let path = folder.join("run.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for scenario in record["plan"].as_array_mut().unwrap() {
        let request = &mut scenario["requests"][0];
        let learned = json!({
            "budget": request["budgets"][0], "baseline_us": 272_727, "low_us": 290_000,
            "high_us": 310_000,
        });
        request["baselines"] =
            json!([{ "written": WRITTEN, "runs": [], "exchanges": 600, "learned": learned }]);
    }
    std::fs::write(&path, record.to_string()).unwrap();
}

fn budgets(from: &str, runs: &Path, url: &str) -> Vec<Value> {
    let out = tempfile::tempdir().unwrap();
    let built = tollgate()
        .args(["report", "--since", "2026-01-01", "--until", "2026-01-02", "--format", "json"])
        .args(["--from", from, "--runs-dir"])
        .arg(runs)
        .arg("--out")
        .arg(out.path())
        .env("DATABASE_URL", url)
        .output()
        .unwrap();
    assert_eq!(built.status.code(), Some(0), "{}", output_text(&built));
    let site = std::fs::read(out.path().join("history.json")).unwrap();
    let site: Value = serde_json::from_slice(&site).unwrap();
    let scenarios = site["scenarios"].as_array().unwrap();
    scenarios.iter().map(|scenario| scenario["requests"][0]["budgets"][0].clone()).collect()
}

#[test]
fn the_database_keeps_the_budget_as_written_also_of_runs_stored_before_it_did() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = cluster::Cluster::start();
    let (runs, url) = (tempfile::tempdir().unwrap(), migrated(&cluster, "store"));
    for seed in 1..=3 {
        learn_limit(&runs::write(runs.path(), seed, SMALL));
    }
    let output = sync(runs.path(), &url).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    let here = budgets("folders", runs.path(), &url);
    let learned: Vec<_> = here.iter().filter(|budget| budget["budget"] == WRITTEN).collect();
    assert_eq!((here.len(), learned.len()), (4, 4), "{here:?}");
    assert_eq!(learned[0]["ceiling_us"], 300_000);
    assert_eq!(budgets("database", runs.path(), &url), here);
    cluster.sql(
        "store",
        "alter table tollgate.verdicts drop column written; \
         delete from tollgate.migrations where version = 5",
    );
    let migrate = tollgate().args(["db", "migrate"]).env("DATABASE_URL", &url).output().unwrap();
    assert_eq!(migrate.status.code(), Some(0), "{}", output_text(&migrate));
    assert_eq!(budgets("database", runs.path(), &url), here);
}
