use proptest::prelude::*;

use super::*;
use crate::record::{Decision, RunEnding};
use crate::units::Quantile;

/// An artifact as the check writes it, with these values.
fn artifact(target: &str, budget: u32, took: f64, status: &str, error: &str) -> String {
    let ok = status.starts_with('2');
    format!(
        "{{\n  \"timestamp\": \"2025-10-10T02:56:35.069Z\",\n  \"target\": \"{target}\",\n  \"budgetMs\": {budget},\n  \
         \"durationMs\": {took},\n  \"status\": {status},\n  \"ok\": {ok},\n  \"error\": {error}\n}}\n"
    )
}

const MOCK: &str = "https://shop.example/app?mock=1";
const LIVE: &str = "https://shop.example/app?mock=0";

fn run_of(text: &str) -> (RunRecord, Interval) {
    ImportedArtifact::read(text.as_bytes()).unwrap().run()
}

fn measured(record: &RunRecord) -> &crate::record::StageMeasurement {
    &record.measurement.scenarios[0].requests[0].measured
}

fn mistakes(text: &str) -> Vec<String> {
    let mistakes = ImportedArtifact::read(text.as_bytes()).unwrap_err();
    mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn an_answer_in_time_has_its_latency_and_is_not_a_pass() {
    let (record, second) = run_of(&artifact(MOCK, 300, 242.98, "200", "null"));
    let measured = measured(&record);
    assert_eq!((measured.tally.ok, measured.tally.failed(), measured.tally.fresh), (1, 0, 1));
    let median = measured.series.quantile(Dimension::Latency, Quantile::P50).unwrap();
    assert!((242_900..243_200).contains(&median.as_micros()), "{median:?}");
    assert_eq!(record.verdict.decision, Decision::Inconclusive);
    assert_eq!((record.plan[0].name.as_str()), "synthetic-check shop.example/app?mock=1");
    assert_eq!(record.plan[0].requests[0].line, "GET /app?mock=1");
    assert_eq!(record.plan[0].base_url, "https://shop.example");
    assert_eq!((&second.tally, &second.series), (&measured.tally, &measured.series));
    let caveats = record.plan[0].caveats.join("\n");
    for words in [
        "the answer's headers",
        "redirects were followed unseen",
        "nothing but the status",
        "new connection",
    ] {
        assert!(caveats.contains(words), "{words} in {caveats}");
    }
}

#[test]
fn an_answer_beyond_its_budget_fails() {
    let (record, _) = run_of(&artifact(LIVE, 300, 560.51, "200", "null"));
    assert_eq!(record.verdict.decision, Decision::Fail);
    assert_eq!(measured(&record).tally.ceilings[0].exceeded, 1);
    let (just, _) = run_of(&artifact(LIVE, 300, 300.0, "200", "null"));
    assert_eq!(just.verdict.decision, Decision::Fail);
}

#[test]
fn a_gone_page_is_an_unexpected_status_and_enters_no_quantile() {
    let (record, _) = run_of(&artifact(LIVE, 800, 266.46, "410", "null"));
    let measured = measured(&record);
    assert_eq!(measured.tally.failed_by(Failure::Status), 1);
    assert_eq!(measured.series.get(Dimension::Latency), None);
    let evidence = measured.evidence.by_count()[0];
    assert_eq!((evidence.expected.as_str(), evidence.seen.as_str()), ("status = 2xx", "410"));
    assert_eq!(record.verdict.decision, Decision::Fail);
}

#[test]
fn a_failed_fetch_has_no_answer_and_enters_no_quantile() {
    let (record, _) = run_of(&artifact(LIVE, 800, 59.54, "null", "\"fetch failed\""));
    let measured = measured(&record);
    assert_eq!((measured.tally.unanswered(), measured.tally.fresh), (1, 0));
    assert_eq!(measured.tally.failed_by(Failure::NoAnswer), 1);
    assert_eq!(measured.series, DimensionHistograms::default());
    assert_eq!(measured.evidence.by_count()[0].seen, "`fetch failed` after 59.5 ms");
    assert_eq!(record.verdict.decision, Decision::Fail);
    assert!(record.plan[0].caveats.join("\n").contains("does not say why"));
    assert_eq!(record.measurement.scenarios[0].connections, ConnectionCounts::default());
}

#[test]
fn a_budget_of_the_other_kind_of_page_is_kept_and_reported() {
    let misfit = |target: &str, budget| {
        let (record, _) = run_of(&artifact(target, budget, 250.0, "200", "null"));
        let ceiling = Duration::from_millis(u64::from(budget));
        assert_eq!(
            record.plan[0].requests[0].budgets[0].ceiling(),
            Some((Dimension::Latency, ceiling))
        );
        record.plan[0].caveats.iter().find(|caveat| caveat.contains("is meant for")).cloned()
    };
    assert_eq!(
        misfit(MOCK, 800).unwrap(),
        "it is judged at 800ms, as the check was set, though 300ms is meant for `mock=1`"
    );
    assert!(
        misfit("https://shop.example/app?mock=0&synthetic=1", 300)
            .unwrap()
            .contains("though 800ms is meant for `mock=0`")
    );
    for (target, budget) in
        [(MOCK, 300), (LIVE, 800), ("https://shop.example/", 500), ("https://h/?mock=12", 1)]
    {
        assert_eq!(misfit(target, budget), None, "{target}");
    }
}

#[test]
fn a_record_depends_on_the_artifacts_content_and_not_on_its_formatting() {
    let written = artifact(MOCK, 300, 242.98, "200", "null");
    let (record, _) = run_of(&written);
    let otherwise =
        written.replace('\n', " ").replace('}', ", \"extra\": [1]}").replace("02:56", "04:56");
    let otherwise = otherwise.replace("069Z", "069+02:00").replace("//shop", "//u:p@SHOP");
    assert_eq!(run_of(&otherwise).0, record);
    assert_eq!(record.id.get_version_num(), 7);
    let others = [
        artifact(MOCK, 300, 242.99, "200", "null"),
        artifact(MOCK, 800, 242.98, "200", "null"),
        artifact(LIVE, 300, 242.98, "200", "null"),
        artifact(MOCK, 300, 242.98, "201", "null"),
        artifact(MOCK, 300, 242.98, "null", "null"),
        artifact(MOCK, 300, 242.98, "null", "\"fetch failed\""),
        written.replace("069Z", "070Z"),
    ];
    let ids: std::collections::BTreeSet<_> =
        others.iter().map(|other| run_of(other).0.id).collect();
    assert!(ids.len() == others.len() && !ids.contains(&record.id));
    assert!(matches!(record.measurement.ending, RunEnding::Imported(_)));
}

#[test]
fn user_name_and_password_of_a_target_are_not_kept_anywhere() {
    let target = "https://zebra:7f3a9c51@shop.example/app#zebra";
    let error = format!("\"cannot fetch {target} for zebra\"");
    let (record, second) = run_of(&artifact(target, 300, 10.0, "null", &error));
    let all = format!("{} {second:?} {record:?}", serde_json::to_string(&record).unwrap());
    assert!(!all.contains("zebra") && !all.contains("7f3a9c51"), "{all}");
    assert!(all.contains("cannot fetch https://•••@shop.example/app"), "{all}");
    for wrong in [
        artifact("ftp://zebra:7f3a9c51@h/", 300, 10.0, "200", "null"),
        artifact("https://zebra:7f3a9c51@:x", 300, 10.0, "200", "null"),
        artifact(MOCK, 300, 10.0, "\"https://zebra:7f3a9c51@h\"", "null"),
    ] {
        let text = mistakes(&wrong).join("\n");
        assert!(!text.contains("zebra") && !text.contains("7f3a9c51"), "{text}");
    }
}

#[test]
fn an_invalid_artifact_is_refused_with_every_mistake_and_its_location() {
    let good = artifact(MOCK, 300, 242.98, "200", "null");
    for (bad, words) in [
        (String::new(), "1:0: not JSON"),
        ("[1]".to_owned(), "1:2: not an artifact"),
        (good.replace("\"ok\": true,", ""), "missing field `ok`"),
        (good.replace("  \"status\": 200,\n", ""), "missing field `status`"),
        (good.replace("300", "\"300\""), "4:19: not an artifact"),
        (good.replace("300", "NaN"), "4:15: not JSON"),
        (good.clone() + "x", "10:1: not JSON: trailing characters"),
        (good.replace("300", "0"), " `budgetMs` is less than a microsecond"),
        (good.replace("242.98", "-1"), " `durationMs` is -1"),
        (good.replace("242.98", "1e300"), " `durationMs` is 1"),
        (good.replace("T02", " at 02"), " `timestamp` is no time"),
        (good.replace("2025", "1925"), " `timestamp` is before 1970"),
        (good.replace("https://shop.example", ""), " `target` is no URL"),
        (good.replace("https", "file"), " `target` is a URL of another scheme"),
        (good.replace("true", "false"), " `status` is 200 though `ok` is false"),
        (good.replace("200", "null"), " `status` is null though `ok` is true"),
        (good.replace("200", "20"), " `status` is 20"),
    ] {
        let all = mistakes(&bad);
        assert!(all.len() == 1 && all[0].contains(words), "{words}: {all:?}");
    }
    let all = good.replace("242.98", "-1").replace("300", "0").replace("2025", "x");
    assert_eq!(mistakes(&all).len(), 3);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, text: String, status: u16, millis: f64) {
        let _either = ImportedArtifact::read(&bytes);
        let text = serde_json::to_string(&text).unwrap();
        let written = artifact(text.trim_matches('"'), 300, millis, &status.to_string(), &text);
        if let Ok(artifact) = ImportedArtifact::read(written.as_bytes()) {
            let _run = artifact.run();
        }
    }

    #[test]
    fn no_damage_makes_it_panic(at in 0_usize..200, byte: u8) {
        let mut bytes = artifact(MOCK, 300, 242.98, "200", "null").into_bytes();
        if let Some(one) = bytes.get_mut(at) {
            *one = byte;
        }
        if let Ok(artifact) = ImportedArtifact::read(&bytes) {
            let _run = artifact.run();
        }
    }
}

#[test]
fn the_old_checks_figures_and_tollgates_own_are_two_series() {
    let old = artifact(MOCK, 300, 242.98, "200", "null");
    let marked = |tool: &str| old.replace("null\n}", &format!("null, \"tool\": {tool}}}"));
    let (old_run, _) = run_of(&old);
    let (own_run, own_second) = run_of(&marked("\"tollgate 0.1.0\""));
    assert_ne!(old_run.id, own_run.id);
    assert_eq!(own_run.plan[0].name, "tollgate synthetic-check shop.example/app?mock=1");
    assert_eq!(own_second.scenario, own_run.plan[0].name);
    assert_eq!(own_run.provenance.tags["imported"], "tollgate synthetic-check");
    assert_eq!(own_run.provenance.command, ["tollgate", "synthetic-check"]);
    let mentions_node = |run: &RunRecord| {
        run.plan[0]
            .caveats
            .iter()
            .filter(|caveat| caveat.contains("start of Node's `fetch`"))
            .count()
    };
    assert_eq!((mentions_node(&old_run), mentions_node(&own_run)), (1, 0));
    for other in ["null", "7", "\"k6\"", "\"tollgates\""] {
        assert_eq!(run_of(&marked(other)).0, old_run, "{other}");
    }
}
