//! The scenarios in `scenarios/`.

use std::path::Path;
use std::time::Duration;

use tollgate::expect::ResponseView;
use tollgate::plan::{BlockNeeds, ConnectionReuse, Environment, LoadPlan, Plan, PlanOverrides};
use tollgate::record::Failure;
use tollgate::scenario::{Scenario, ScenarioWarning};

use super::{environment, files, plan};

const TILE_LOADER: [&str; 2] =
    ["scenarios/tile-loader-live.toml", "scenarios/tile-loader-mock.toml"];

fn shipped(name: &str) -> (Plan, Vec<ScenarioWarning>) {
    plan(Scenario::read(Path::new(name)).unwrap_or_else(|errors| panic!("{errors}"))).unwrap()
}

#[test]
fn the_live_scenario_sends_only_as_many_requests_as_its_budget_needs() {
    let (plan, warnings) = shipped("scenarios/tile-loader-live.toml");
    assert!(warnings.is_empty(), "{warnings:?}");
    let LoadPlan::Open { schedule, .. } = &plan.scenarios[0].load else { panic!("not open") };
    assert_eq!(schedule.count(), 185);
    assert_eq!(needs(&plan), [(1_000, 67, 180, 185)]);
}

#[test]
fn the_mock_scenario_sends_enough_to_decide_on_its_errors() {
    let (plan, warnings) = shipped("scenarios/tile-loader-mock.toml");
    assert!(warnings.is_empty(), "{warnings:?}");
    let LoadPlan::Open { schedule, .. } = &plan.scenarios[0].load else { panic!("not open") };
    assert_eq!(schedule.count(), 3_600);
    assert_eq!(needs(&plan), [(200, 67, 180, 900), (200, 342, 900, 900)]);
}

/// For each budget: the length of a block in milliseconds, the fewest blocks for a pass, the
/// recommended ones, and those of the plan.
fn needs(plan: &Plan) -> Vec<(u128, u64, u64, u64)> {
    let scenario = &plan.scenarios[0];
    let budgets = &scenario.shown.requests[0].budgets;
    let needs = budgets.iter().map(|budget| BlockNeeds::of(scenario, budget).unwrap());
    needs
        .map(|needs| {
            let millis = needs.length.as_millis();
            (millis, needs.fewest, needs.recommended, needs.planned.unwrap())
        })
        .collect()
}

#[test]
fn both_tile_loader_scenarios_run_together_within_three_and_a_half_minutes() {
    let scenarios = Scenario::read_all(&TILE_LOADER).unwrap();
    let (plan, _) = Plan::resolve(&scenarios, &environment(), &PlanOverrides::default()).unwrap();
    assert_eq!(plan.scenarios.len(), 2);
    for scenario in &plan.scenarios {
        assert!(scenario.load.duration() <= Duration::from_secs(185));
        assert_eq!(scenario.reuse, ConnectionReuse::Keep);
    }
}

#[test]
fn a_redirect_to_the_login_page_is_reported_as_exactly_that() {
    let (plan, _) = shipped("scenarios/tile-loader-live.toml");
    let request = &plan.scenarios[0].requests[0];
    let mut headers = http::HeaderMap::new();
    headers.insert(
        "location",
        http::HeaderValue::from_static("/auth/login?shop=a.myshopify.com&token=x"),
    );
    let answer = ResponseView {
        status: http::StatusCode::FOUND,
        url: &request.http().unwrap().url,
        headers: &headers,
        body: b"",
    };
    let unmet = request.expectations.judge(&answer).unwrap_err();
    assert_eq!(unmet.failure, Failure::Redirected);
    assert_eq!(unmet.expected, "status = 200");
    assert_eq!(unmet.seen, "302 redirect to /auth/login");
}

#[test]
fn a_missing_variable_is_a_warning_when_a_scenario_is_only_checked() {
    let scenarios = Scenario::read_all(&TILE_LOADER).unwrap();
    let nothing = Environment::for_check([]);
    let (plan, warnings) = Plan::resolve(&scenarios, &nothing, &PlanOverrides::default()).unwrap();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].to_string().contains("warning: variable `TOLLGATE_TARGET` is not set"));
    assert_eq!(plan.scenarios[0].shown.base_url, "${TOLLGATE_TARGET}");
    assert!(Plan::resolve(&scenarios, &Environment::new([]), &PlanOverrides::default()).is_err());
}

#[test]
fn every_shipped_scenario_can_be_checked_without_variables_and_warns_of_each() {
    for file in files("scenarios") {
        let scenario = Scenario::read(&file).unwrap_or_else(|errors| panic!("{errors}"));
        let nothing = Environment::for_check([]);
        let (plan, warnings) = Plan::resolve(&[scenario], &nothing, &PlanOverrides::default())
            .unwrap_or_else(|errors| panic!("{errors}"));
        assert!(!plan.scenarios[0].shown.description.is_empty(), "{}", file.display());
        for warning in warnings {
            let message = warning.to_string();
            assert!(message.contains("is not set"), "{message}");
        }
    }
}
