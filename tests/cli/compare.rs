//! `tollgate compare`.

use std::path::Path;
use std::time::Duration;

use tollgate::record::{
    BlockFigures, Dimension, FiguresWithout, RequestMeasurement, RunEnding, RunRecord,
    StageMeasurement,
};
use tollgate::units::Quantile;

use crate::bench::{Target, text, tollgate};
use crate::history::{keep as keep_untimed, run_in};

/// Keeps a run of a minute whose figures are known by blocks of time.
fn keep(runs: &Path, days: u32, alter: impl FnOnce(&mut RunRecord)) -> String {
    keep_untimed(runs, days, |record| {
        alter(record);
        add_blocks(record);
    })
}

/// Gives every request figures by blocks of time.
pub(super) fn add_blocks(record: &mut RunRecord) {
    let scenarios = record.measurement.scenarios.iter_mut();
    let requests = scenarios.flat_map(|scenario| &mut scenario.requests);
    requests.for_each(|request| request.blocks = Some(blocks(request)));
}

/// Twenty blocks that are nearly alike.
fn blocks(request: &RequestMeasurement) -> BlockFigures {
    let RequestMeasurement { measured: StageMeasurement { tally, series, .. }, .. } = request;
    let at = |quantile, block: u64| {
        let value = series.quantile(Dimension::Latency, quantile)?;
        Some(u64::try_from(value.as_micros()).unwrap() + 100 * (block % 3))
    };
    let without = (0..20).map(|block| FiguresWithout {
        exchanges: tally.exchanges - tally.exchanges / 20,
        failed: tally.failed() - tally.failed() / 20,
        p50_us: at(Quantile::P50, block),
        p95_us: at(Quantile::P95, block),
        p99_us: at(Quantile::P99, block),
    });
    let seconds = Duration::from_secs;
    BlockFigures { measured: seconds(60), together: seconds(1), without: without.collect() }
}

#[test]
fn a_comparison_reports_changes_and_exits_with_0_even_for_a_slower_run() {
    let runs = tempfile::tempdir().unwrap();
    let before = keep(runs.path(), 0, |_| {});
    let after = keep(runs.path(), 1, |record| {
        let live = record.measurement.scenarios[1].requests[0].measured.clone();
        record.measurement.scenarios[0].requests[0].measured = live;
        record.plan[0].base_url = "http://other.test".to_owned();
    });
    let output = run_in(&["compare", &before, &after], runs.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    for words in [
        "made one after the other",
        "slower",
        "would have been detected",
        "another base URL",
        "p95 < 300ms",
        "service",
        "SLOWER",
    ] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let json = run_in(&["compare", &before, &after, "--output", "json"], runs.path());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["requests"][0]["latency"][0]["change"], "more");
    assert!(json["requests"][0]["latency"][0]["difference_us"].as_i64().unwrap() > 0);
    assert_eq!(json["requests"][1]["latency"][0]["change"], "none_shown");
}

#[test]
fn missing_runs_and_runs_without_a_common_request_end_with_2() {
    let runs = tempfile::tempdir().unwrap();
    let one = keep(runs.path(), 0, |_| {});
    let other = keep(runs.path(), 1, |record| rename_requests(record, "another page"));
    let apart = run_in(&["compare", &one, &other], runs.path());
    assert_eq!(apart.status.code(), Some(2));
    let message = text(&apart.stderr);
    for words in ["no request in common", "tile-loader-mock · tile page", "mock · another page"] {
        assert!(message.contains(words), "{words} in {message}");
    }
    let unnamed = run_in(&["compare", &one, &one, "--name", "nothing"], runs.path());
    assert_eq!(unnamed.status.code(), Some(2));
    assert!(text(&unnamed.stderr).contains("`nothing`"), "{}", text(&unnamed.stderr));
    let gone = run_in(&["compare", &one, "2031-01-01"], runs.path());
    assert_eq!(gone.status.code(), Some(2));
    assert!(text(&gone.stderr).contains("there is no run `2031-01-01`"), "{}", text(&gone.stderr));
}

/// Gives every request another name, and every scenario too.
fn rename_requests(record: &mut RunRecord, name: &str) {
    for scenario in &mut record.measurement.scenarios {
        scenario.requests.iter_mut().for_each(|request| name.clone_into(&mut request.name));
    }
}

/// Makes the first scenario as slow as the second.
fn slow_down(record: &mut RunRecord) {
    let live = record.measurement.scenarios[1].requests[0].measured.clone();
    record.measurement.scenarios[0].requests[0].measured = live;
}

fn of_deploy(record: &mut RunRecord, deploy: &str) {
    record.provenance.tags.insert("deploy".to_owned(), deploy.to_owned());
}

/// The runs that a comparison names, as JSON has them.
fn compared(words: &[&str], runs: &Path) -> [String; 2] {
    let output = run_in(&[&["compare", "--output", "json"], words].concat(), runs);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    ["before", "after"].map(|side| json["runs"][side]["run"].as_str().unwrap().to_owned())
}

#[test]
fn runs_are_chosen_by_their_order_and_by_their_deploy() {
    let runs = tempfile::tempdir().unwrap();
    let first = keep(runs.path(), 0, |record| of_deploy(record, "v1"));
    let second = keep(runs.path(), 1, |record| of_deploy(record, "v2"));
    let third = keep(runs.path(), 2, |record| of_deploy(record, "v2"));
    keep(runs.path(), 3, |record| {
        of_deploy(record, "v3");
        for scenario in &mut record.measurement.scenarios {
            scenario.name.push_str(" elsewhere");
        }
    });
    let last = keep(runs.path(), 4, |record| of_deploy(record, "v4"));
    let cases: [(&[&str], [&String; 2]); 7] = [
        (&[], [&third, &last]),
        (&[&first], [&first, &last]),
        (&["previous", &second], [&first, &second]),
        (&["latest", "previous"], [&last, &third]),
        (&["--deploy", "v1", "--deploy", "v2"], [&first, &third]),
        (&["--deploy", "v2"], [&first, &third]),
        (&[&last, "--deploy", "v1"], [&last, &first]),
    ];
    for (words, expected) in cases {
        assert_eq!(&compared(words, runs.path()).each_ref(), &expected, "{words:?}");
    }
    let reversed = run_in(&["compare", "latest", "previous", "--fail-if-slower"], runs.path());
    assert_eq!(reversed.status.code(), Some(2));
    assert!(text(&reversed.stderr).contains("in the other order"), "{}", text(&reversed.stderr));
}

#[test]
fn a_choice_that_no_run_fits_is_an_error_that_names_it() {
    let runs = tempfile::tempdir().unwrap();
    let nothing = run_in(&["compare"], runs.path());
    assert_eq!(nothing.status.code(), Some(2));
    let only = keep(runs.path(), 0, |_| {});
    let cases: [(&[&str], &str); 5] = [
        (&[], "before"),
        (&["latest"], "both sides are the run"),
        (&["--deploy", "v9"], "the deploy `v9`"),
        (&[&only, "latest", "--deploy", "v9"], "two sides"),
        (&["previous", &only], &only),
    ];
    for (words, expected) in cases {
        let output = run_in(&[&["compare"], words].concat(), runs.path());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {message}");
        assert!(message.contains(expected), "{words:?}: {message}");
    }
}

#[test]
fn fail_if_slower_exits_with_1_for_a_slower_run_and_with_3_without_data() {
    let runs = tempfile::tempdir().unwrap();
    let before = keep(runs.path(), 0, |_| {});
    let slower = keep(runs.path(), 1, slow_down);
    let empty = keep(runs.path(), 2, |record| {
        record.measurement.scenarios[0].requests[0].measured = StageMeasurement::default();
    });
    let interrupted =
        keep(runs.path(), 3, |record| record.measurement.ending = RunEnding::Interrupted);
    let shorter = keep(runs.path(), 4, |record| drop(record.measurement.scenarios.pop()));
    let exit = |one: &str, other: &str| {
        run_in(&["compare", one, other, "--fail-if-slower"], runs.path()).status.code()
    };
    assert_eq!(exit(&before, &before), Some(0));
    assert_eq!(exit(&before, &slower), Some(1));
    assert_eq!(exit(&slower, &before), Some(0), "faster is no failure");
    for later in [&empty, &interrupted, &shorter] {
        assert_eq!(exit(&before, later), Some(3), "{later}");
    }
    assert_eq!(exit(&shorter, &before), Some(0), "a new request was not slower before");
}

#[test]
fn two_urls_of_different_hosts_are_compared_and_share_a_name_if_one_is_given() {
    let (old, new) = (Target::start(&[]), Target::start(&[]));
    let runs = tempfile::tempdir().unwrap();
    let measure = |target: &Target, flags: &[&str]| {
        let url = format!("{}/app?mock=1", target.base_url);
        let words = [&["run", &url, "--duration", "1s", "--rate", "50/s"], flags].concat();
        let run = tollgate().args(words).arg("--runs-dir").arg(runs.path()).output().unwrap();
        assert!(matches!(run.status.code(), Some(0 | 3)), "{}", text(&run.stderr));
    };
    measure(&old, &[]);
    measure(&new, &[]);
    let output = run_in(&["compare"], runs.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("compared requests:"), "{}", text(&output.stdout));
    measure(&old, &["--name", "tiles"]);
    measure(&new, &["--name", "tiles"]);
    let page = text(&run_in(&["compare"], runs.path()).stdout);
    assert!(page.contains("tiles · ") && !page.contains("compared requests:"), "{page}");
}

#[test]
fn a_record_without_figures_by_time_is_shown_but_claims_nothing() {
    let runs = tempfile::tempdir().unwrap();
    let before = keep_untimed(runs.path(), 0, |_| {});
    let after = keep(runs.path(), 1, slow_down);
    let output = run_in(&["compare", &before, &after, "--fail-if-slower"], runs.path());
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    assert!(page.contains("not known by time") && page.contains("UNDECIDED"), "{page}");
}
