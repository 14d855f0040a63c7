//! Budgets, leading figures and next steps of a site.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::history::{HistoryFilter, group_series};
use crate::record::{
    BudgetFigures, Decision, EncodedHistogram, Histogram, IMPORTED_TAG, RequestFigures,
    RequestSummary, RunConditions, RunSummary,
};
use crate::report::{index_html, scenario_html, summary_markdown};

const START: OffsetDateTime = datetime!(2026-11-02 00:00 UTC);

/// A budget, the decision on it, and how many of 100 exchanges exceeded it.
type Outcome = (&'static str, Decision, u64);

/// A run of one request with exchanges of 100 ms, `hours` after [`START`].
fn run(hours: u64, exchanges: u64, outcomes: &[Outcome]) -> RunSummary {
    let mut latency = Histogram::default();
    latency.record_many(Duration::from_millis(100), exchanges);
    let budget = |(budget, decision, exceeded): &Outcome| BudgetFigures {
        written: budget.parse().unwrap(),
        budget: budget.parse().unwrap(),
        decision: *decision,
        judged: 100,
        exceeded: *exceeded,
    };
    let figures = RequestFigures {
        conditions: Arc::new(RunConditions::default()),
        cold: EncodedHistogram::default(),
        phases: Vec::new(),
        budgets: outcomes.iter().map(budget).collect(),
    };
    let request = RequestSummary {
        scenario: "shop".to_owned(),
        request: "home".to_owned(),
        decision: Decision::Pass,
        exchanges,
        ok: exchanges,
        latency: EncodedHistogram::of(&latency),
        figures: Some(Box::new(figures)),
        imported: None,
    };
    RunSummary {
        id: Uuid::from_u128(u128::from(hours) + 1),
        started: START + Duration::from_hours(hours),
        elapsed: Duration::from_secs(40),
        host: "h".to_owned(),
        git_commit: None,
        tags: BTreeMap::new(),
        parts: Vec::new(),
        decision: Decision::Pass,
        requests: vec![request],
    }
}

fn site(runs: Vec<RunSummary>) -> HistorySite {
    let scope = HistoryScope {
        since: START,
        until: START + Duration::from_hours(240),
        over_until: START + Duration::from_hours(240),
        zone: "UTC".parse().unwrap(),
    };
    let (series, _) = group_series(runs, &HistoryFilter::default(), &scope);
    let of = |one| ScenarioHistory::of(one, &scope, &|_| Vec::new()).0;
    let histories = series.into_iter().filter_map(of).collect();
    let (audience, public_tags) = (SiteAudience::Team, BTreeSet::new());
    HistorySite::new(histories, SiteOptions { scope, audience, public_tags })
}

#[test]
fn the_index_shows_the_worst_budget_and_how_many_share_its_state() {
    let outcomes = [
        ("p95 < 300ms", Decision::Pass, 0),
        ("p50 < 1ms", Decision::Fail, 100),
        ("errors < 2%", Decision::Pass, 0),
    ];
    let site = site((0..4).map(|hours| run(hours, 100, &outcomes)).collect());
    let (_, main) = site.pages[0].main_budget().unwrap();
    assert_eq!((main.budget.as_str(), main.status().1), ("p50 < 1ms", "missed"));
    assert_eq!(site.pages[0].budget_share().unwrap(), "1 of 3");
    let state = site.budget_state();
    let headline = "1 of 3 budgets did not hold over the period.";
    assert_eq!((state.decision, state.headline.as_str()), (Decision::Fail, headline));
    let index = index_html(&site);
    assert!(index.contains("<code>p50 &lt; 1ms</code>") && index.contains(headline), "{index}");
}

#[test]
fn undecided_budgets_are_neither_met_nor_missed() {
    let undecided = [("p95 < 300ms", Decision::Inconclusive, 0)];
    let open = site(vec![run(0, 100, &undecided)]).budget_state();
    assert_eq!(open.decision, Decision::Inconclusive);
    let both = [("errors < 2%", Decision::Pass, 0), undecided[0]];
    let state = site(vec![run(0, 100, &both)]).budget_state();
    assert_eq!(state.headline, "1 budget held over the period. 1 budget undecided.");
    assert_eq!(state.decision, Decision::Inconclusive);
}

#[test]
fn a_trend_shows_one_quantile_and_only_the_budget_on_it() {
    let outcomes = [("p95 < 300ms", Decision::Pass, 0), ("p50 < 777ms", Decision::Pass, 0)];
    // Two runs are too small for a p95: their p50 is another figure, not a part of this line.
    let sizes = [100, 100, 5, 100, 5, 100];
    let runs = (0..).zip(sizes).map(|(hours, size)| run(hours, size, &outcomes)).collect();
    let site = site(runs);
    let history = &site.pages[0].panels[0].history;
    let figure = LeadingFigure::of(history);
    assert_eq!((figure.name().as_str(), figure.values(history).count()), ("p95", 4));
    let index = index_html(&site);
    assert_eq!(index.matches("class=\"limit\"").count(), 1, "{index}");
    assert!(index.contains("home p95 over the period, newest 100 ms"), "{index}");
}

#[test]
fn a_trend_shows_the_quantile_of_the_budget_that_is_shown() {
    let outcomes = [("p95 < 300ms", Decision::Pass, 0), ("p50 < 50ms", Decision::Fail, 100)];
    let site = site((0..4).map(|hours| run(hours, 100, &outcomes)).collect());
    assert!(index_html(&site).contains("home p50 over the period"));
}

#[test]
fn imported_logs_of_many_exchanges_get_the_next_steps_of_their_figures() {
    let imported = |exchanges, outcomes: &[Outcome]| {
        let one = |hours| {
            let mut one = run(hours, exchanges, outcomes);
            one.tags.insert(IMPORTED_TAG.to_owned(), "hlog".to_owned());
            one
        };
        summary_markdown(&site((0..4).map(one).collect()))
    };
    let missed = imported(100, &[("p95 < 50ms", Decision::Fail, 100)]);
    assert!(missed.contains("bring `p95 < 50ms` back within its limit"), "{missed}");
    assert!(!missed.contains("single requests"), "{missed}");
    assert!(imported(100, &[]).contains("name a budget when importing (`--budget`)"));
    assert!(imported(1, &[]).contains("single requests that another check made decide little"));
}

#[test]
fn caveats_stand_below_the_title_with_their_runs_and_a_plot_only_counts_them() {
    let runs = (0..3).map(|hours| {
        let mut run = run(hours, 100, &[]);
        if hours > 0 {
            let figures = run.requests[0].figures.as_mut().unwrap();
            let caveats = vec!["`--rate 5` replaces the rate of the file".to_owned()];
            figures.conditions = Arc::new(RunConditions { caveats, ..RunConditions::default() });
        }
        run
    });
    let page = scenario_html(&site(runs.collect()), "shop").unwrap();
    let listed = "<code>--rate 5</code> replaces the rate of the file (2 of 3 runs)";
    let places = ["<h1>", "class=\"caveats\"", listed, "! caveats in 2 of 3 runs"];
    let places: Vec<_> = places.iter().map(|part| page.find(part).expect(part)).collect();
    assert!(places.is_sorted(), "{page}");
    assert_eq!(page.matches("replaces the rate").count(), 1, "{page}");
}

#[test]
fn a_trend_of_one_run_is_a_dot_in_its_middle() {
    let index = index_html(&site(vec![run(0, 100, &[("p95 < 300ms", Decision::Pass, 0)])]));
    assert!(index.contains("<circle class=\"dot\" cx=\"80.0\""), "{index}");
}

#[test]
fn a_budget_is_named_next_to_its_line_unless_that_would_cover_the_data() {
    let texts = |budget: &'static str| {
        let outcomes = [(budget, Decision::Pass, 0)];
        let page =
            scenario_html(&site((0..9).map(|at| run(26 * at, 100, &outcomes)).collect()), "shop");
        let count =
            |text: &str| page.as_ref().unwrap().lines().filter(|line| line.trim() == text).count();
        [count("budget"), count(&format!("budget {}", budget.replace('<', "&lt;")))]
    };
    // On the wide and on the narrow plot: the legend, and the label of the line.
    assert_eq!(texts("p95 < 300ms"), [2, 2]);
    // Every quantile lies on the line of this budget.
    assert_eq!(texts("p95 < 100ms"), [0, 2]);
}
