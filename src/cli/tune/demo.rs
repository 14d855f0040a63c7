//! `tollgate tune --demo`: a whole session against simulated machines on this computer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::quota::MetricPace;
use super::session_run::{Flags, SessionInput, run_session};
use crate::cli::demo::{TILE_LOADER_MOCK, TargetProcess};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::fly::FlyEnvironment;
use crate::scenario::{OverrideValue, Scenario, ScenarioErrors, ScenarioOverrides};
use crate::tune::plan_file::SessionPlan;
use crate::units::Rate;

/// The plan of the demo's session, as it would be written.
const PLAN: &str = include_str!("demo.toml");

/// The simulated app. It is the only one that the demo can change.
const APP: &str = "rehearsal";

/// The load of the steady stage: short, because a session has many of them.
const RATE: f64 = 60.0;
const DURATION: Duration = Duration::from_secs(1);

/// How far apart the samples of the simulated metrics are: 5 s, at four times the speed.
const METRIC_INTERVAL: Duration = Duration::from_millis(1_250);

pub(super) fn demo(flags: &Flags) -> Result<ExitStatus, CommandError> {
    if flags.app.is_some() || flags.machine.is_some() || flags.resume.is_some() {
        return Err(CommandError::usage(
            "error: --demo has an app of its own; leave out --app, --machine and --resume",
        ));
    }
    let target = TargetProcess::start(["--fly", "demo"])?;
    let url = &target.base_url;
    tracing::info!(url, "Simulated Fly machines: {url} (a separate process on this machine)");
    let plan = SessionPlan::parse("demo.toml", PLAN)?;
    let (name, text) = TILE_LOADER_MOCK;
    let scenario = Scenario::parse(name, text).and_then(shortened)?;
    let fly = FlyEnvironment::read(|name| simulated_api(url, name))
        .map_err(|error| CommandError::internal(error.to_string()))?;
    let variables = BTreeMap::from([("TOLLGATE_TARGET".to_owned(), url.clone())]);
    let pace = MetricPace { interval: METRIC_INTERVAL, delay: METRIC_INTERVAL * 2 };
    let input = SessionInput { plan, scenario, variables, fly: Some(fly), pace, warns: false };
    let flags = Flags { app: Some(APP.to_owned()), allow_downtime: true, ..flags.clone() };
    run_session(input, &flags)
}

/// The variables by which the simulated API is reached.
fn simulated_api(url: &str, name: &str) -> Option<String> {
    match name {
        "FLY_FLAPS_BASE_URL" => Some(url.to_owned()),
        "FLY_PROMETHEUS_URL" => Some(format!("{url}/prometheus")),
        "FLY_ORG" => Some("personal".to_owned()),
        "FLY_API_TOKEN" => Some("rehearsal-token".to_owned()),
        _ => None,
    }
}

fn shortened(scenario: Scenario) -> Result<Scenario, ScenarioErrors> {
    fn by_demo<T>(value: T) -> OverrideValue<T> {
        OverrideValue { origin: "tollgate tune --demo".to_owned(), value }
    }
    scenario.with_overrides(&ScenarioOverrides {
        rate: Rate::per_second(RATE).ok().map(by_demo),
        duration: Some(by_demo(DURATION)),
        ..ScenarioOverrides::default()
    })
}
