//! Data rows and weighted requests, as a user meets them.

use std::path::Path;
use std::process::Output;

use tollgate::record::{PlannedDraw, RowOrder};

use crate::bench::{Bench, Target, text, tollgate};

const WEIGHTED: &str = r#"
[data]
file = "rows.csv"
order = "shuffle"
[[request]]
name = "read"
path = "/plain?id=${{data.id}}"
weight = 3
[[request]]
name = "other"
path = "/plain"
[load]
arrival_rate = "40/s"
duration = "1s"
connections = 2
"#;

const TOP: &str = "budgets = [\"max < 2s\"]\nseed = 5";

fn bench(base_url: &str, rows: &str, rest: &str) -> Bench {
    let bench = Bench::new(base_url, TOP, rest);
    std::fs::write(bench.folder.path().join("rows.csv"), rows).unwrap();
    bench
}

fn check(scenario: &Path) -> Output {
    tollgate().arg("check").arg(scenario).output().unwrap()
}

#[test]
fn check_shows_how_often_requests_are_sent_and_how_rows_are_used() {
    let bench = bench("http://127.0.0.1:1", "id\n1\n2\n3\n", WEIGHTED);
    let output = check(&bench.scenario);
    let shown = text(&output.stdout);
    for line in [
        "each arrival sends one request: read 75.0 % (about 30 of 40), other 25.0 % (about 10 of 40); seed 5",
        "data: rows.csv, 3 rows shuffled with seed 5; 40 arrivals use each up to 14 times",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[test]
fn the_record_says_which_rows_and_weights_were_used() {
    let target = Target::start(&[]);
    let bench = bench(&target.base_url, "id\r\n1\r\n2\r\n", WEIGHTED).with_reports();
    let output = bench.run();
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let record = bench.record();
    let planned = &record.plan[0];
    let data = planned.data.as_ref().unwrap();
    assert_eq!((data.file.as_str(), data.rows, data.order), ("rows.csv", 2, RowOrder::Shuffle));
    assert_eq!((data.seed, &data.sha256), (Some(5), &None));
    assert_eq!(planned.draw.as_ref().and_then(|draw| draw.share_of("read")), Some(0.75));
    assert_eq!(
        planned.draw.as_ref().map(PlannedDraw::words).unwrap(),
        "read 3, other 1, drawn with seed 5"
    );
    let report = std::fs::read_to_string(bench.run_folder().join("report.md")).unwrap();
    assert!(report.contains("rows.csv, 2 rows shuffled with seed 5"), "{report}");
}

#[test]
fn only_a_data_file_whose_columns_are_all_public_leaves_its_digest() {
    let target = Target::start(&[]);
    for (public, length) in [("\"id\"", None), ("\"id\", \"password\"", Some(64))] {
        let order = "order = \"shuffle\"";
        let rest = WEIGHTED.replace(order, &format!("{order}\npublic = [{public}]"));
        let bench = bench(&target.base_url, "id,password\n1,hunter2-hunter2\n", &rest);
        let output = bench.run();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let record = bench.record();
        let digest = record.plan[0].data.as_ref().unwrap().sha256.as_ref();
        assert_eq!(digest.map(String::len), length);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_named_as_data_file_is_refused_at_once() {
    let bench = bench("http://127.0.0.1:1", "", WEIGHTED);
    let pipe = bench.folder.path().join("rows.csv");
    std::fs::remove_file(&pipe).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let output = check(&bench.scenario);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("it is a pipe, not a regular file"),
        "{}",
        text(&output.stderr)
    );
}
