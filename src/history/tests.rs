use std::time::Duration;

use proptest::prelude::*;
use time::macros::datetime;

use super::*;

fn histogram(micros: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    for &micros in micros {
        histogram.record(Duration::from_micros(micros));
    }
    histogram
}

fn request(scenario: &str, name: &str, micros: &[u64], failed: u64) -> RequestSummary {
    RequestSummary {
        scenario: scenario.to_owned(),
        request: name.to_owned(),
        decision: Decision::Pass,
        exchanges: micros.len() as u64 + failed,
        ok: micros.len() as u64,
        latency: EncodedHistogram::of(&histogram(micros)),
        figures: None,
        imported: None,
    }
}

/// A run that starts `hours` after the first.
fn run(hours: u64, requests: Vec<RequestSummary>) -> RunSummary {
    RunSummary {
        id: Uuid::from_u128(u128::from(hours) + 1),
        started: datetime!(2026-11-23 18:00 UTC) + Duration::from_hours(hours),
        elapsed: Duration::from_secs(40),
        host: "h".to_owned(),
        git_commit: None,
        tags: BTreeMap::new(),
        parts: Vec::new(),
        decision: Decision::Pass,
        requests,
    }
}

fn of(runs: Vec<RunSummary>) -> History {
    History::from_runs(runs, &HistoryFilter::default())
}

fn hours(history: &History) -> Vec<u128> {
    history
        .trends
        .iter()
        .flat_map(|trend| &trend.rows)
        .map(|row| row.run.id.as_u128() - 1)
        .collect()
}

#[test]
fn runs_are_grouped_by_request_and_the_newest_comes_last() {
    let two = || vec![request("shop", "home", &[5_000], 1), request("shop", "cart", &[7_000], 0)];
    let history = of(vec![run(9, two()), run(2, vec![request("shop", "home", &[6_000], 0)])]);
    let [home, cart] = &history.trends[..] else { panic!("two requests") };
    assert_eq!((home.request.as_str(), home.rows.len(), cart.rows.len()), ("home", 2, 1));
    assert_eq!(home.rows[1].run.id, Uuid::from_u128(10));
    assert_eq!((home.exchanges, home.ok, home.failed(), home.latency.count), (3, 2, 1, 2));
    assert_eq!(history.run_count(), 2);
}

#[test]
fn requests_of_one_name_in_different_scenarios_are_never_added() {
    let history =
        of(vec![run(0, vec![request("a", "home", &[5], 0), request("b", "home", &[9], 0)])]);
    assert_eq!(history.trends.iter().map(|trend| trend.latency.count).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_duplicate_run_counts_once_and_a_part_counts_only_in_its_merged_run() {
    let home = || vec![request("shop", "home", &[5_000, 6_000], 0)];
    let merged =
        RunSummary { parts: vec![Uuid::from_u128(2), Uuid::from_u128(3)], ..run(0, home()) };
    let history = of(vec![run(1, home()), run(2, home()), merged, run(3, home()), run(3, home())]);
    assert_eq!(hours(&history), [0, 3]);
    assert_eq!(history.trends[0].latency.count, 4);
}

#[test]
fn a_shard_of_two_merged_runs_counts_once_and_the_history_names_the_one_left_out() {
    let home = |micros: &[u64]| vec![request("shop", "home", micros, 0)];
    let shard = |hours| run(hours, home(&[5_000]));
    let merged = |hours, parts: [u128; 2]| RunSummary {
        parts: parts.map(Uuid::from_u128).to_vec(),
        ..run(hours, home(&[5_000, 5_000]))
    };
    let history = of(vec![shard(1), shard(2), shard(3), merged(8, [2, 3]), merged(9, [3, 4])]);
    assert_eq!((hours(&history), history.trends[0].latency.count), (vec![1, 9], 3));
    let [named] = &history.left_out[..] else { panic!("{:?}", history.left_out) };
    assert!(named.starts_with("2026-11-24T02-00-00Z-00000009: it shares shards"), "{named}");
}

#[test]
fn a_part_counts_only_in_the_merged_run_even_if_a_filter_leaves_that_out() {
    let home = || vec![request("shop", "home", &[5_000, 6_000], 0)];
    let tags = |name: &str| [(ENVIRONMENT_TAG.to_owned(), name.to_owned())].into();
    let part = |hours| RunSummary { tags: tags("staging"), ..run(hours, home()) };
    let merged =
        RunSummary { parts: vec![Uuid::from_u128(2), Uuid::from_u128(3)], ..run(0, home()) };
    let runs = || vec![part(1), part(2), merged.clone(), part(3)];
    let hours = |filter: HistoryFilter| hours(&History::from_runs(runs(), &filter));
    assert_eq!(hours(HistoryFilter::default()), [0, 3]);
    assert_eq!(hours(HistoryFilter { tags: tags("staging"), ..HistoryFilter::default() }), [3]);
    assert_eq!(
        hours(HistoryFilter { since: Some(part(1).started), ..HistoryFilter::default() }),
        [3]
    );
    assert_eq!(
        hours(HistoryFilter { until: Some(part(1).started), ..HistoryFilter::default() }),
        [0]
    );
}

#[test]
fn a_row_with_a_damaged_histogram_is_left_out_and_reported() {
    let mut damaged = request("shop", "home", &[5_000], 3);
    damaged.latency.hdr.truncate(9);
    let history =
        of(vec![run(0, vec![damaged]), run(1, vec![request("shop", "home", &[6_000], 0)])]);
    assert_eq!((history.trends[0].exchanges, hours(&history)), (1, vec![1]));
    assert!(
        history.left_out[0]
            .starts_with("2026-11-23T18-00-00Z-00000001: the latency of shop · home")
    );
}

#[test]
fn a_range_without_ok_exchanges_has_no_quantile() {
    let history = of(vec![run(0, vec![request("shop", "home", &[], 7)])]);
    let trend = &history.trends[0];
    assert_eq!(
        (trend.failed(), trend.latency.p95_us, trend.rows[0].latency.p95_us),
        (7, None, None)
    );
}

#[test]
fn a_filter_selects_what_meets_all_its_conditions() {
    let home = || {
        vec![
            request("shop", "home", &[5], 0),
            request("shop", "cart", &[5], 0),
            request("api", "home", &[5], 0),
        ]
    };
    let tagged = |hours, value: &str| {
        let tags =
            [(ENVIRONMENT_TAG.to_owned(), value.to_owned()), ("team".to_owned(), "a".to_owned())]
                .into();
        RunSummary { tags, ..run(hours, home()) }
    };
    let mut failed = tagged(2, "staging");
    failed.requests[0].decision = Decision::Fail;
    let runs = || vec![run(0, home()), tagged(1, "staging"), failed.clone(), tagged(3, "live")];
    let matching = |filter: HistoryFilter| hours(&History::from_runs(runs(), &filter));
    let none = HistoryFilter::default;
    let start = datetime!(2026-11-23 18:00 UTC);
    let at = |hours| Some(start + Duration::from_hours(hours));
    let tag = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
    for (filter, expected) in [
        (HistoryFilter { scenario: Some("api".into()), ..none() }, vec![0, 1, 2, 3]),
        (
            HistoryFilter { scenario: Some("api".into()), request: Some("cart".into()), ..none() },
            vec![],
        ),
        (
            HistoryFilter {
                request: Some("cart".into()),
                tags: tag(ENVIRONMENT_TAG, "staging"),
                ..none()
            },
            vec![1, 2],
        ),
        (
            HistoryFilter { scenario: Some("api".into()), tags: tag("team", "a"), ..none() },
            vec![1, 2, 3],
        ),
        (HistoryFilter { verdict: Some(Decision::Fail), ..none() }, vec![2]),
        (
            HistoryFilter { request: Some("cart".into()), since: at(1), until: at(3), ..none() },
            vec![1, 2],
        ),
        (HistoryFilter { verdict: Some(Decision::Fail), until: at(2), ..none() }, vec![]),
    ] {
        assert_eq!(matching(filter.clone()), expected, "{filter:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Holds for any distribution of the samples over runs and for any order of the runs.
    #[test]
    fn the_p99_over_many_runs_is_the_p99_of_all_their_samples(
        runs in prop::collection::vec(
            prop::collection::vec(prop_oneof![9 => 20_000_u64..60_000, 1 => 100_000_u64..4_000_000], 0..80), 1..20,
        ),
        turn in any::<prop::sample::Index>(),
    ) {
        let all = runs.iter().zip(0..);
        let mut summaries: Vec<_> =
            all.map(|(micros, hour)| run(hour, vec![request("shop", "home", micros, 1)])).collect();
        summaries.rotate_left(turn.index(runs.len()));
        let history = of(summaries);
        let mut samples = runs.concat();
        samples.sort_unstable();
        let merged = &history.trends[0].latency;
        prop_assert_eq!(merged.count, samples.len() as u64);
        prop_assert_eq!(history.trends[0].failed(), runs.len() as u64);
        if let Some(p99) = merged.p99_us {
            let rank = Histogram::rank_of(crate::units::Quantile::P99, merged.count);
            let exact = samples[usize::try_from(rank).unwrap() - 1];
            prop_assert!(p99.abs_diff(exact) * 1_000 <= exact, "{} for {}", p99, exact);
        }
    }
}

#[test]
fn a_trend_says_how_many_runs_were_imported_and_what_each_caveat_is_about() {
    let imported = |hours, budget: &str, caveats: &[&str]| {
        let facts = ImportedFacts {
            budgets: vec![budget.to_owned()],
            caveats: caveats.iter().map(|caveat| (*caveat).to_owned()).collect(),
        };
        let request = RequestSummary { imported: Some(facts), ..request("s", "r", &[5_000], 0) };
        let tags = [(IMPORTED_TAG.to_owned(), "synthetic-check".to_owned())].into();
        RunSummary { tags, ..run(hours, vec![request]) }
    };
    let measured = || run(9, vec![request("s", "r", &[5_000], 0)]);
    assert!(of(vec![measured()]).trends[0].caveats().is_empty());
    let first = imported(0, "max < 300ms", &["rare", "often"]);
    let history = of(vec![first, imported(1, "max < 800ms", &["often"]), measured()]);
    let caveats = history.trends[0].caveats();
    let fetch = "each figure of the old check (2 runs) also holds the start of Node's `fetch`";
    assert!(caveats[2].starts_with(fetch), "{caveats:?}");
    assert_eq!(
        [&caveats[..2], &caveats[3..]].concat(),
        [
            "2 of 3 runs were imported from artifacts of the old check, `synthetic-check.mjs`",
            "judged by `max < 300ms` (1 run), by `max < 800ms` (1 run)",
            "often",
            "rare (1 run)",
        ]
    );
}
